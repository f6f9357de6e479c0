"""Notices about newer versions: from files only, and a question in the background that never prompts."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from claudegpt_pkg import __version__
from claudegpt_pkg.claude.install import NEWEST_TESTED
from claudegpt_pkg.cli import update_check
from claudegpt_pkg.cli.installation import Installation
from claudegpt_pkg.cli.update_check import SHOWN, TAGS, find_update_notices, start_update_check
from claudegpt_pkg.settings.settings import Settings, load
from tests.cli.test_update import git
from tests.support.fakes.backend import wait_until

REMOTE = "https://api.x.test/v1/responses"
TESTED = Path(f"/opt/claude/versions/{NEWEST_TESTED}")


@pytest.fixture
def settings(home: Path) -> Settings:
    return load(environ={"HOME": str(home), "CLAUDEGPT_HOME": str(home / "claudegpt")})


@pytest.fixture
def state(settings: Settings) -> Path:
    settings.dirs.state.mkdir(parents=True)
    return settings.dirs.state


def write_tags(state: Path, *names: str) -> None:
    lines = (f"{'0' * 40}\trefs/tags/{name}\n" for name in names)
    (state / TAGS).write_text("".join(lines))


def sentences(settings: Settings, program: Path = TESTED) -> list[str]:
    return [notice.sentence for notice in find_update_notices(settings, program)]


def test_a_newer_version_is_named_once_a_day(settings: Settings, state: Path) -> None:
    write_tags(state, "v99.1.0", "v98.0.0", "v1", f"v{__version__}")
    assert sentences(settings) == [f"claudegpt 99.1.0 is out (this is {__version__}): `claudegpt update`."]
    assert sentences(settings) == []
    yesterday = time.time() - 90_000
    os.utime(state / SHOWN, (yesterday, yesterday))
    assert len(sentences(settings)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        f"{'0' * 40}\trefs/tags/v{__version__}\n",
        f"{'0' * 40}\trefs/tags/v0.0.1\n",
        f"{'0' * 40}\trefs/tags/v9.0.0-rc1\n",
        f"{'0' * 40}\trefs/tags/v9.0.0\x1b[31m\n",
        f"{'0' * 40}\trefs/heads/v9.0.0\n",
        f"{'0' * 40}\trefs/tags/v{'9' * 5000}.0.0\n",
    ],
)
def test_other_tags_and_garbage_are_no_news(settings: Settings, state: Path, text: str) -> None:
    (state / TAGS).write_text(text)
    assert sentences(settings) == []


def test_a_file_of_any_size_is_read_to_a_limit(settings: Settings, state: Path) -> None:
    (state / TAGS).write_bytes(b"x" * 10_000_000 + b"\n" + b"0" * 40 + b"\trefs/tags/v9.0.0\n")
    assert sentences(settings) == []


def test_claude_code_beyond_the_newest_tested_is_named_once_a_version(settings: Settings) -> None:
    (notice,) = find_update_notices(settings, Path("/opt/claude/versions/99.0.1"))
    assert notice.sentence.startswith(f"Claude Code 99.0.1 is newer than {NEWEST_TESTED}")
    assert "99.0.1" in notice.once


def test_nothing_is_said_or_asked_if_the_user_does_not_want_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"HOME": str(home), "CLAUDEGPT_HOME": str(home / "claudegpt"), "CLAUDEGPT_UPDATE_CHECK": "0"}
    settings = load(environ=environ)
    settings.dirs.state.mkdir(parents=True)
    write_tags(settings.dirs.state, "v99.0.0")
    assert sentences(settings, Path("/opt/claude/versions/99.0.1")) == []
    (settings.dirs.state / TAGS).unlink()
    start_update_check(settings, REMOTE, {})
    assert not (settings.dirs.state / TAGS).exists()


# Asking.


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a newer version, from which claudegpt was installed."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init")
    git(folder, "commit", "--allow-empty", "-m", "x")
    git(folder, "tag", "v99.0.0")
    come_from(monkeypatch, str(folder))
    return folder


def come_from(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    installation = Installation("uv", Path("/nowhere"), (), (), address)
    monkeypatch.setattr(update_check, "find_installation", lambda environ: installation)


def test_the_question_is_asked_in_the_background_and_read_the_next_time(
    settings: Settings, origin: Path, state: Path
) -> None:
    start_update_check(settings, REMOTE, {"PATH": os.environ["PATH"]})
    wait_until(lambda: "v99.0.0" in (state / TAGS).read_text(), "the answer")
    assert sentences(settings) == [f"claudegpt 99.0.0 is out (this is {__version__}): `claudegpt update`."]


def test_it_is_asked_once_a_day(settings: Settings, origin: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **more: asked.append(command))
    for _ in range(3):
        start_update_check(settings, REMOTE, {})
    assert len(asked) == 1
    yesterday = time.time() - 90_000
    os.utime(state / TAGS, (yesterday, yesterday))
    start_update_check(settings, REMOTE, {})
    assert len(asked) == 2


@pytest.mark.parametrize(
    "address", ["git@x.test:claudegpt", "ssh://x.test/c", "http://x.test/c", "ext::sh -c id", "--upload-pack=id", ""]
)
def test_an_address_that_could_prompt_or_run_something_is_not_asked(
    settings: Settings, state: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    come_from(monkeypatch, address)
    start_update_check(settings, REMOTE, {})
    assert not (state / TAGS).exists()


@pytest.mark.parametrize("backend", ["http://127.0.0.1:9/v1", "http://localhost:11434/v1", "http://[::1]:9/v1"])
def test_nothing_is_asked_after_a_session_with_a_model_on_this_machine(
    settings: Settings, origin: Path, state: Path, backend: str
) -> None:
    start_update_check(settings, backend, {})
    assert not (state / TAGS).exists()


@pytest.mark.parametrize("name", ["CI", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER"])
def test_nothing_is_asked_where_needless_traffic_is_unwanted(
    settings: Settings, origin: Path, state: Path, name: str
) -> None:
    start_update_check(settings, REMOTE, {name: "1"})
    assert not (state / TAGS).exists()


def test_git_is_asked_without_credentials_and_outside_the_current_folder(
    settings: Settings, origin: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, object]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **more: calls.append({"command": command, **more}))
    start_update_check(settings, REMOTE, {"GIT_DIR": "/evil", "GIT_SSH_COMMAND": "evil", "PATH": "/bin"})
    (call,) = calls
    environment = call["env"]
    assert isinstance(environment, dict)
    assert environment["GIT_TERMINAL_PROMPT"] == "0" and "GIT_DIR" not in environment
    assert "GIT_SSH_COMMAND" not in environment
    assert call["cwd"] == "/" and call["stdin"] == subprocess.DEVNULL
    assert "credential.helper=" in str(call["command"])
