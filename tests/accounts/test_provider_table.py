"""The table of providers is the one place that knows them all."""

from __future__ import annotations

import ast
from pathlib import Path

from claudegpt_pkg.accounts.provider_table import PROVIDER_TABLE, chosen_kind
from claudegpt_pkg.settings.options import PROVIDERS
from claudegpt_pkg.settings.settings import load

PACKAGE = Path(__file__).parents[2] / "claudegpt_pkg"


def test_every_provider_that_can_be_set_has_a_row() -> None:
    assert tuple(PROVIDER_TABLE) == PROVIDERS


def test_no_providers_name_is_compared_outside_the_room() -> None:
    """Claude Code's `demo` command is a word of the command line, not a provider."""
    found = []
    for file in PACKAGE.rglob("*.py"):
        if file.is_relative_to(PACKAGE / "accounts"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                names = {side.value for side in sides if isinstance(side, ast.Constant)} & set(PROVIDERS)
                if names and "line.command" not in ast.unparse(node):
                    found.append(f"{file.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node)}")
    assert not found


def test_the_settings_choose_the_row(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "CLAUDEGPT_HOME": str(tmp_path)}
    assert chosen_kind(load({}, environ)) is None
    for name, kind in PROVIDER_TABLE.items():
        assert chosen_kind(load({"CLAUDEGPT_PROVIDER": name}, environ)) is kind


def test_a_list_is_wanted_from_a_server_of_the_users_own_unless_every_tier_has_a_model(tmp_path: Path) -> None:
    kind = PROVIDER_TABLE["openai"]
    environ = {"HOME": str(tmp_path), "CLAUDEGPT_HOME": str(tmp_path)}
    own = {**environ, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    named = {option.name: "m" for option in kind.tier_options.values()}
    assert not kind.wants_list(load({}, environ))
    assert kind.wants_list(load({}, own))
    assert not kind.wants_list(load({}, {**own, **named}))
