"""docs/configuration.md, from the declarations: python -m tests.support.configuration > docs/configuration.md"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from claudegpt_pkg.settings.options import OPTIONS, Option

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"

OPENING = """# Configuration

Every setting has one name, the environment variable's, everywhere. The first place that has it wins: a flag, the
environment, `config.env` in the user's configuration directory (`claudegpt config path` tells where; mode 0600),
`~/.claude/.env`, `.env` beside the clone's `claudegpt` script, the default. A `.env` in the current directory is never
read: a cloned repo must not be able to redirect a key. An empty value counts as not set.

    claudegpt config                      every setting, its value, and where the value comes from
    claudegpt config set NAME VALUE       keep it in config.env
    claudegpt config get NAME · unset NAME · path

A misspelt `CLAUDEGPT_…` name is said by `claudegpt config` and `claudegpt doctor`. `CLAUDEGPT_HOME` moves
configuration, data, state and cache under one folder. This page is printed from the declarations in
`claudegpt_pkg/settings/options.py`.

| setting | default | meaning |
|---|---|---|
"""


def page() -> str:
    return OPENING + "".join(f"| {name(option)} | {default(option)} | {option.help} |\n" for option in OPTIONS.values())


def name(option: Option[Any]) -> str:
    also = "".join(f" (also `{other}`)" for other in option.also)
    return f"`{option.name}`{also}"


def default(option: Option[Any]) -> str:
    if option.shown_default:
        return option.shown_default
    value = option.default
    if value is None or value == ():
        return "–"
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  the page is its output
