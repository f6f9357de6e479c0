"""`claudegpt config`: what it shows, and what it changes in config.env."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from claudegpt_pkg.cli import config, main
from claudegpt_pkg.settings.options import OPTIONS
from claudegpt_pkg.settings.settings import load
from tests.conftest import Run

ROOT = str(Path(main.__file__).parents[2])


@pytest.fixture
def config_env(home: Path) -> Path:
    """The path of an absent config.env, in an existing folder."""
    file = home / "claudegpt" / "config" / "config.env"
    file.parent.mkdir(parents=True)
    return file


def run_with_input(*words: str, text: str) -> subprocess.CompletedProcess[str]:
    """`claudegpt WORDS…` in a process of its own, with `text` as its stdin."""
    line = [sys.executable, "-P", "-m", "claudegpt_pkg", *words]
    env = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.run(line, env=env, capture_output=True, text=True, input=text, timeout=60)


# Set and unset.


def test_set_saves_a_setting_and_says_so(run: Run, config_env: Path) -> None:
    saved = "claudegpt: Saved CLAUDEGPT_EFFORT=high in ~/claudegpt/config/config.env.\n"
    assert run("config", "set", "claudegpt_effort", "high") == (0, "", saved)
    assert config_env.read_text() == "CLAUDEGPT_EFFORT=high\n"
    assert run("config", "get", "CLAUDEGPT_EFFORT") == (0, "high\n", "")


def test_unset_removes_a_setting_and_says_so(run: Run, config_env: Path) -> None:
    config_env.write_text("CLAUDEGPT_EFFORT=high\n")
    removed = "claudegpt: Removed CLAUDEGPT_EFFORT from ~/claudegpt/config/config.env.\n"
    assert run("config", "unset", "CLAUDEGPT_EFFORT") == (0, "", removed)
    assert run("config", "get", "CLAUDEGPT_EFFORT") == (1, "", "")


def test_unset_of_an_absent_setting_says_that_nothing_is_changed(run: Run) -> None:
    assert "was not set in ~/claudegpt/config/config.env; nothing is changed." in run("config", "unset", "effort")[2]


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("effort", "CLAUDEGPT_EFFORT"),
        ("Openai-Opus", "CLAUDEGPT_OPENAI_OPUS"),
        ("openai_api_key", "OPENAI_API_KEY"),
        ("port", "CLAUDEGPT_PORT"),
    ],
)
def test_a_short_name_means_the_whole_one(short: str, name: str) -> None:
    assert config.find_option(short).name == name


def test_every_short_name_means_its_own_setting() -> None:
    for name in OPTIONS:
        assert config.find_option(name.removeprefix("CLAUDEGPT_").lower()).name == name


def test_a_misspelt_short_name_gets_the_nearest(run: Run) -> None:
    _, _, err = run("config", "set", "efort", "high")
    assert err == "claudegpt: There is no setting efort. Did you mean CLAUDEGPT_EFFORT?\n"


def test_an_older_name_is_replaced_by_the_newer(run: Run, config_env: Path) -> None:
    config_env.write_text("PROXY_DEFAULT_EFFORT=low\n")
    assert run("config", "set", "PROXY_DEFAULT_EFFORT", "high")[0] == 0
    assert config_env.read_text() == "CLAUDEGPT_EFFORT=high\n"


def test_a_misspelt_name_in_the_file_is_reported_and_kept(run: Run, config_env: Path) -> None:
    config_env.write_text("CLAUDEGPT_PROVIDR=demo\n")
    words = "There is no setting CLAUDEGPT_PROVIDR (in ~/claudegpt/config/config.env). Did you mean CLAUDEGPT_PROVIDER?"
    assert run("config")[2] == f"claudegpt: {words}\n"
    assert run("config", "set", "CLAUDEGPT_PROVIDER", "demo")[0] == 0
    assert config_env.read_text() == "CLAUDEGPT_PROVIDR=demo\nCLAUDEGPT_PROVIDER=demo\n"


def test_a_change_without_effect_is_reported(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY_DEFAULT_EFFORT", "low")
    assert "CLAUDEGPT_EFFORT is also set in the environment, which wins." in run("config", "set", "effort", "high")[2]
    monkeypatch.delenv("PROXY_DEFAULT_EFFORT")
    (home / ".claude").mkdir()
    (home / ".claude" / ".env").write_text("CLAUDEGPT_EFFORT=low\n")
    assert "wins" not in run("config", "set", "effort", "max")[2]
    assert "CLAUDEGPT_EFFORT is also set in ~/.claude/.env, which wins." in run("config", "unset", "effort")[2]


def test_a_secret_is_set_from_stdin_and_never_shown(home: Path) -> None:
    saved = run_with_input("config", "set", "OPENAI_API_KEY", text="typed\n")
    assert (saved.returncode, "typed" in saved.stderr) == (0, False)
    assert (home / "claudegpt" / "config" / "config.env").read_text() == "OPENAI_API_KEY=typed\n"
    assert run_with_input("config", "get", "OPENAI_API_KEY", text="").stdout == "***\n"
    for words in (["config"], ["config", "--json"]):
        assert "typed" not in run_with_input(*words, text="").stdout


# Edit.


def editor(home: Path, script: str) -> str:
    """The path of an editor that runs `script` with the file as $1."""
    program = home / "an editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"'{program}'"


def test_edit_opens_config_env_and_checks_it(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", editor(home, 'echo CLAUDEGPT_EFFORT=high >> "$1"'))
    status, _, err = run("config", "edit")
    assert (status, err) == (0, "claudegpt: ~/claudegpt/config/config.env can be used as it is.\n")
    file = load().dirs.config_file
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("CLAUDEGPT_EFFORT=high\n", 0o600)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("CLAUDEGPT_EFFORT=lots", "CLAUDEGPT_EFFORT is one of"),
        ("CLAUDEGPT_EFORT=low", "Did you mean CLAUDEGPT_EFFORT?"),
    ],
)
def test_a_mistake_made_in_the_editor_is_reported(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
) -> None:
    monkeypatch.setenv("VISUAL", editor(home, f'echo {line} >> "$1"'))
    assert words in run("config", "edit")[2]


@pytest.mark.parametrize("program", ["/nowhere/editor", "'unbalanced"])
def test_an_editor_that_cannot_start_is_reported(run: Run, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setenv("EDITOR", program)
    status, _, err = run("config", "edit")
    assert status == 2 and err.startswith("claudegpt: Cannot start the editor") and "Set EDITOR" in err


def test_a_line_that_is_cut_off_is_named_and_can_be_repaired(run: Run, config_env: Path) -> None:
    config_env.write_text("CLAUDEGPT_EFFORT=high\nCLAUDEGPT_PROVIDER")
    cut = "line 2 of ~/claudegpt/config/config.env: CLAUDEGPT_PROVIDER has no value."
    assert cut in run("config")[2] and cut in run("status")[2]
    assert run("config", "set", "provider", "demo")[0] == 0
    assert run("config", "get", "provider")[1] == "demo\n"


# Show.


def test_the_list_has_every_setting_its_value_and_its_source(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_TRACE", "maybe")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hidden")
    out = run("--effort", "low", "config", "list")[1]
    rows = {name: (value, source) for name, value, source in (line.split("\t") for line in out.splitlines())}
    assert rows.keys() == OPTIONS.keys()
    assert rows["CLAUDEGPT_TRACE"] == ("maybe", "the environment (unusable)")
    assert rows["OPENAI_API_KEY"] == ("***", "the environment")
    assert rows["CLAUDEGPT_EFFORT"] == ("low", "flag")
    assert rows["CLAUDEGPT_PORT"] == ("a free one", "default")
    assert rows["CLAUDEGPT_HOST"] == ("127.0.0.1", "default")


def test_json_has_every_setting_its_value_and_its_source(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_TRACE", "maybe")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hidden")
    found = json.loads(run("config", "--json")[1])
    assert found == json.loads(run("config", "list", "--json")[1])
    assert found["file"] == str(load().dirs.config_file)
    assert found["settings"].keys() == OPTIONS.keys()
    assert found["settings"]["CLAUDEGPT_TRACE"] == {"value": "maybe", "source": "the environment", "usable": False}
    assert found["settings"]["OPENAI_API_KEY"] == {"value": "***", "source": "the environment", "usable": True}
    assert found["settings"]["CLAUDEGPT_PROVIDER"] == {"value": None, "source": "default", "usable": True}


def test_every_setting_is_in_exactly_one_group() -> None:
    named = [option.name for group in config.groups() for option in group.options]
    assert sorted(named) == sorted(OPTIONS)


def test_the_example_of_every_group_is_a_command_that_works(run: Run) -> None:
    for group in config.groups():
        status, _, err = run(*group.example.split()[1:])
        assert status == 0, f"{group.example}: {err}"


def test_on_a_terminal_what_is_set_comes_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_TRACE_MAX_MB", "5")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")  # without styles
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = run("config")[1].splitlines()
    assert lines[0].strip() == "Set by you" and lines[1] == "  CLAUDEGPT_TRACE_MAX_MB = 5 (the environment)"
    assert sum("CLAUDEGPT_TRACE_MAX_MB" in line for line in lines) == 1
    assert max(map(len, lines)) <= 80
