"""`claudegpt use`: the accounts of this machine, and the one that sessions run on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from claudegpt_pkg.settings import env_file
from claudegpt_pkg.settings.options import PROVIDERS
from claudegpt_pkg.settings.settings import load
from tests.conftest import Run


def saved() -> dict[str, str]:
    return env_file.read(load().dirs.config_file)


def test_an_account_that_is_set_up_becomes_the_default(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    status, out, err = run("use", "openai")
    assert (status, out) == (0, "")
    assert err == "claudegpt: Sessions now run on openai: OpenAI API key. `claudegpt status` shows whether it works.\n"
    assert saved() == {"CLAUDEGPT_PROVIDER": "openai"}
    assert run("use", "demo")[0] == 0
    assert saved() == {"CLAUDEGPT_PROVIDER": "demo"}


@pytest.mark.parametrize(("name", "status"), [("openai", 2), ("azure", 2), ("chatgpt", 3), ("codex", 3)])
def test_an_account_that_is_not_set_up_is_refused(run: Run, name: str, status: int) -> None:
    found, out, err = run("use", name)
    assert (found, out, saved()) == (status, "", {})
    assert f"Run `claudegpt setup --provider {name}`." in err


def test_an_unknown_account_is_refused(run: Run) -> None:
    status, _, err = run("use", "openia")
    assert status == 2 and "is one of chatgpt, codex, openai, azure, demo" in err


def test_an_account_that_the_environment_overrules_is_reported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "openai")
    assert "CLAUDEGPT_PROVIDER is also set in the environment, which wins." in run("use", "demo")[2]


def test_the_list_marks_the_account_in_use(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    run("use", "openai")
    status, out, _ = run("use")
    rows = {line.split("\t")[1]: line.split("\t") for line in out.splitlines()}
    assert status == 0 and tuple(rows) == PROVIDERS
    assert rows["openai"] == ["✓", "openai", "OpenAI API key"]
    assert rows["demo"] == ["", "demo", "built-in demo"]
    assert rows["chatgpt"][2].startswith("not set up: There is no login in ~/")


def test_json_has_every_account(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "demo")
    found = {each.pop("name"): each for each in json.loads(run("use", "--json")[1])}
    assert tuple(found) == PROVIDERS
    assert found["demo"] == {"current": True, "ready": True, "label": "built-in demo", "problem": None}
    assert (found["azure"]["current"], found["azure"]["ready"], found["azure"]["label"]) == (False, False, None)
