"""`claudegpt serve` and `claudegpt env`: what a client is told, and where it finds a running proxy."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from claudegpt_pkg.cli import main
from claudegpt_pkg.cli.serve import RUNNING, shell_lines
from claudegpt_pkg.settings.settings import load
from tests.conftest import Run
from tests.support.fakes.backend import DEADLINE

ROOT = str(Path(main.__file__).parents[2])


class Serving:
    """`claudegpt serve` in a process of its own, once it serves. `variables` are those it prints."""

    def __init__(self, *words: str, **variables: str):
        env = {**os.environ, "PYTHONPATH": ROOT} | variables
        line = [sys.executable, "-P", "-m", "claudegpt_pkg", "serve", "--provider", "demo", *words]
        self.process = subprocess.Popen(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout and self.process.stderr
        self.about = [self.process.stderr.readline() for _ in range(2)]  # written after all variables
        assert self.process.poll() is None, self.about
        os.set_blocking(self.process.stdout.fileno(), False)
        exports = [line.removeprefix("export ").strip().split("=", 1) for line in self.process.stdout]
        self.variables: dict[str, str] = dict(exports)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.about += self.process.communicate(timeout=DEADLINE)[1].splitlines()
        return self.process.returncode


Start = Callable[..., Serving]


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Start a `serve`; it is ended with the test."""
    started: list[Serving] = []

    def begin(*words: str, **variables: str) -> Serving:
        started.append(Serving(*words, **variables))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            each.end()


# serve


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_where_it_is_and_ends_cleanly(start: Start, number: signal.Signals) -> None:
    served = start("--port", "0")
    url, token = served.variables["ANTHROPIC_BASE_URL"], served.variables["ANTHROPIC_AUTH_TOKEN"]
    assert httpx.get(f"{url}/v1/models").status_code == 401
    assert httpx.get(f"{url}/v1/models", headers={"authorization": f"Bearer {token}"}).status_code == 200
    assert served.end(number) == 0
    assert served.about[0] == f"claudegpt: The proxy is running at {url} on built-in demo. Ctrl-C ends it.\n"
    assert served.about[1].startswith("claudegpt: Models: opus ") and "(272k)" in served.about[1]


def test_serve_ends_at_once_while_a_client_is_connected(start: Start) -> None:
    served = start()
    with httpx.Client() as client:
        client.get(f"{served.variables['ANTHROPIC_BASE_URL']}/health")
        assert served.end(signal.SIGINT) == 0


def test_serve_takes_a_token_of_the_users(start: Start) -> None:
    served = start("--host", "0.0.0.0", CLAUDEGPT_TOKEN="chosen-by-the-user")
    assert served.variables["ANTHROPIC_AUTH_TOKEN"] == "chosen-by-the-user"
    assert served.variables["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")


def test_a_stable_serve_has_the_same_port_and_token_each_time(start: Start, home: Path) -> None:
    first = start("--stable")
    assert first.end() == 0
    second = start("--stable")
    assert second.variables == first.variables
    saved = home / "claudegpt" / "data" / "serve.json"
    assert saved.stat().st_mode & 0o777 == 0o600


def test_a_setting_wins_over_what_a_stable_serve_saved(start: Start) -> None:
    start("--stable").end()
    assert (
        start("--stable", CLAUDEGPT_TOKEN="chosen-by-the-user").variables["ANTHROPIC_AUTH_TOKEN"]
        == "chosen-by-the-user"
    )


@pytest.mark.parametrize("saved", ["", "[]", '{"port": "80", "token": "t"}', '{"port": 70000, "token": "t"}'])
def test_a_damaged_file_of_a_stable_serve_is_replaced(start: Start, home: Path, saved: str) -> None:
    file = home / "claudegpt" / "data" / "serve.json"
    file.parent.mkdir(parents=True)
    file.write_text(saved)
    served = start("--stable")
    assert served.variables["ANTHROPIC_BASE_URL"].endswith(f":{json.loads(file.read_text())['port']}")


# env


def test_env_has_everything_that_a_plain_claude_needs(start: Start, run: Run) -> None:
    served = start()
    status, out, err = run("env")
    assert (status, err) == (0, "")
    variables = dict(line.removeprefix("export ").split("=", 1) for line in out.splitlines())
    assert variables == served.variables
    assert variables["ANTHROPIC_MODEL"] == "opus" and variables["CLAUDE_CODE_AUTO_MODE_SERVER"] == "0"
    assert variables["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == "gpt-demo-nano"
    assert int(variables["CLAUDE_CODE_MAX_CONTEXT_TOKENS"]) == int(variables["CLAUDE_CODE_AUTO_COMPACT_WINDOW"])
    assert run("env", "--shell")[1] == out


def test_env_as_json_names_the_models_and_their_windows(start: Start, run: Run) -> None:
    served = start()
    found = json.loads(run("env", "--json")[1])
    assert sorted(found) == ["label", "models", "pid", "provider", "started", "token", "url", "variables"]
    assert (found["url"], found["token"]) == (
        served.variables["ANTHROPIC_BASE_URL"],
        served.variables["ANTHROPIC_AUTH_TOKEN"],
    )
    assert found["models"]["haiku"] == {"id": "gpt-demo-nano", "name": "GPT-demo Nano", "window": 272_000}


def test_env_for_vscode_is_what_its_settings_take(start: Start, run: Run) -> None:
    served = start()
    found = json.loads(run("env", "--vscode")[1])
    variables = found.pop("claudeCode.environmentVariables")
    assert found == {"claudeCode.disableLoginPrompt": True}
    assert {each["name"] for each in variables} == served.variables.keys()


def test_what_would_send_claude_elsewhere_is_unset() -> None:
    lines = list(shell_lines({"A": "it's"}, {"ANTHROPIC_API_KEY": "k", "CLAUDE_CODE_USE_BEDROCK": "1", "OTHER": "x"}))
    assert lines == ["export A='it'\"'\"'s'", "unset ANTHROPIC_API_KEY", "unset CLAUDE_CODE_USE_BEDROCK"]


def test_env_finds_the_newest_or_the_one_on_a_port(start: Start, run: Run) -> None:
    first, second = start(), start()
    urls = [each.variables["ANTHROPIC_BASE_URL"] for each in (first, second)]
    assert json.loads(run("env", "--json")[1])["url"] == urls[1]
    assert json.loads(run("env", "--json", "--port", urls[0].rpartition(":")[2])[1])["url"] == urls[0]


def test_env_without_a_running_serve_says_so(start: Start, run: Run) -> None:
    message = "claudegpt: No `claudegpt serve` is running. Run it in another terminal first.\n"
    assert run("env") == (1, "", message)
    start().end()
    assert run("env") == (1, "", message)
    assert "is running on port 9." in run("env", "--port", "9")[2]


@pytest.mark.parametrize("content", ["", "{}", '{"pid": 1}', "[1]"])
def test_an_entry_that_cannot_be_read_is_ignored(run: Run, home: Path, content: str) -> None:
    folder = load().dirs.state / RUNNING
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(content)
    assert run("env")[0] == 1


def test_the_entry_of_a_process_that_was_killed_is_removed(start: Start, run: Run) -> None:
    served = start()
    served.end(signal.SIGKILL)
    folder = load().dirs.state / RUNNING
    (entry,) = folder.iterdir()
    assert entry.stat().st_mode & 0o777 == 0o600
    assert run("env")[0] == 1 and not list(folder.iterdir())


def test_the_forms_of_env_exclude_each_other(run: Run) -> None:
    assert "are three forms of the same. Give one of them." in run("env", "--json", "--vscode")[2]
