"""The first `claudegpt` in a real terminal: the wizard for each account, and the real Claude Code straight after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import httpx
import pytest

from tests.real.clients import NEW
from tests.real.screen import CTRL_C, ENTER, Screen
from tests.real.session import Session
from tests.support.auth_files import write
from tests.support.fakes.answers import answer
from tests.support.fakes.backend import FakeBackend, wait_until
from tests.support.fakes.login import FakeLogin
from tests.support.fakes.trial import is_trial, takes_trials, trials, trusts

READY = re.compile(r"❯\s")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*[39]\d(?:;\d+)*m")
DOWN, CLEAR = "\x1b[B", "\x15"
# As the setup lists them if the Codex CLI has no login.
ACCOUNTS = ("ChatGPT plan", "OpenAI API key", "Azure OpenAI", "Another server", "Demo", "Codex CLI's login")
WHICH_ACCOUNT = "? Which account should pay for the model?"
WHICH_MODEL = "? Which model should Claude Code use?"
HOW_TO_LOG_IN = "? How do you want to log in?"


@pytest.fixture
def session(tmp_path: Path, backend: FakeBackend) -> Iterator[Session]:
    """A home in which nothing is set up; the newest Claude Code."""
    session = Session(NEW, tmp_path, takes_trials(backend))
    for name in ("CLAUDEGPT_PROVIDER", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        del session.env[name]
    session.env["OLLAMA_HOST"] = "127.0.0.1:9"  # where none is
    yield session
    session.check()


@pytest.fixture
def login(session: Session) -> Iterator[FakeLogin]:
    with FakeLogin() as server:
        session.env["CLAUDEGPT_AUTH_URL"] = server.url
        yield server
        server.check()


@pytest.fixture
def plan(session: Session, login: FakeLogin) -> Iterator[FakeBackend]:
    with FakeBackend("chatgpt") as backend:
        session.env["CODEX_BASE_URL"] = backend.url
        yield takes_trials(trusts(backend, login))
        backend.check()


@pytest.fixture
def azure() -> Iterator[FakeBackend]:
    with FakeBackend("azure", deployments={"big": "gpt-6.1-sol", "small": "gpt-5.4-mini"}) as backend:
        yield takes_trials(backend)
        backend.check()


def begin(screen: Screen, account: str, accounts: tuple[str, ...] = ACCOUNTS) -> None:
    """`claudegpt`, typed at the shell, and the account chosen."""
    screen.shell_status()
    screen.type("claudegpt")
    screen.wait_for(WHICH_ACCOUNT)
    screen.send(DOWN * accounts.index(account))
    screen.wait_for(f"» {account}")
    screen.send(ENTER)


def come_back(screen: Screen) -> None:
    """What a browser on this machine does with the login page that is shown."""
    assert "You are logged in" in httpx.get(address_it_ends_at(screen)).text
    screen.wait_for("Logged in as ann@example.com (ChatGPT Plus).")


def address_it_ends_at(screen: Screen) -> str:
    screen.wait_for("paste the address")
    page = re.search(r"http://\S+/oauth/authorize\?(?:\S+\n)+", screen.text)
    assert page
    return str(httpx.get(page[0].replace("\n", "")).headers["location"])


def take_the_models(screen: Screen) -> None:
    screen.wait_for(WHICH_MODEL)
    screen.wait_for("» The newest: GPT-6.1 Sol, GPT-6.1 Terra, GPT-6 Luna")
    screen.send(ENTER)


def converse(screen: Screen, backend: FakeBackend) -> None:
    """Claude Code is up, answers, and leaves with 0."""
    backend.script(answer("All is set up."))
    screen.wait_for("Claude Code v")
    screen.wait_for(READY)
    screen.type("Are you there?")
    screen.wait_for("All is set up.")
    screen.type("/exit")
    assert screen.shell_status() == 0


def saved(session: Session) -> list[str]:
    return (session.home / "claudegpt" / "config" / "config.env").read_text().splitlines()


@pytest.mark.parametrize("columns", [60, 140])
def test_a_server_of_the_users_own(session: Session, backend: FakeBackend, columns: int) -> None:
    with session.terminal(columns=columns) as screen:
        begin(screen, "Another server")
        screen.wait_for("? Address of its Responses API http://localhost:11434/v1")
        screen.send(CLEAR)
        screen.type(backend.url)
        screen.wait_for("? Its API key")
        screen.send("test-key")
        screen.wait_for("********")
        screen.send(ENTER)
        take_the_models(screen)
        screen.wait_for("✓ GPT-6 Luna answers and calls tools")
        screen.wait_for("Saved in")
        converse(screen, backend)
        assert "test-key" not in screen.text
    assert saved(session) == ["CLAUDEGPT_PROVIDER=openai", f"OPENAI_BASE_URL={backend.url}", "OPENAI_API_KEY=test-key"]
    assert len(trials(backend)) == 3


def test_an_openai_key_that_is_wrong_at_first(session: Session, backend: FakeBackend) -> None:
    session.env["OPENAI_BASE_URL"] = backend.url  # where this user's OpenAI API is
    with session.terminal() as screen:
        begin(screen, "OpenAI API key")
        screen.wait_for("? OpenAI API key")
        screen.send(f"wrong{ENTER}")
        screen.wait_for("the server refused the credential")
        screen.wait_for("» Change the answers and try again")
        screen.send(ENTER)
        screen.wait_for("» Enter another")
        screen.send(ENTER)
        screen.wait_for(re.compile(r"key Enter another\n(.*\n)+\? OpenAI API key"))
        screen.send(f"test-key{ENTER}")
        take_the_models(screen)
        converse(screen, backend)
    assert saved(session) == ["CLAUDEGPT_PROVIDER=openai", "OPENAI_API_KEY=test-key"]
    assert [fault for fault in backend.faults if "401" not in fault] == []
    backend.faults.clear()


def test_a_chatgpt_plan_with_a_login_through_the_browser(
    session: Session, backend: FakeBackend, plan: FakeBackend, login: FakeLogin
) -> None:
    with session.terminal(columns=80) as screen:
        begin(screen, "ChatGPT plan")
        screen.wait_for("» In a browser on this machine")
        screen.send(ENTER)
        come_back(screen)
        take_the_models(screen)
        screen.wait_for("This session runs on ChatGPT Plus: included in your plan.")
        screen.wait_for("You approve every edit and every command first.")
        converse(screen, plan)
    assert saved(session) == ["CLAUDEGPT_PROVIDER=chatgpt"]


def test_the_address_a_far_browser_ended_at_can_be_pasted(
    session: Session, backend: FakeBackend, plan: FakeBackend, login: FakeLogin
) -> None:
    with session.terminal(columns=140) as screen:
        begin(screen, "ChatGPT plan")
        screen.wait_for("» In a browser on this machine")
        screen.send(ENTER)
        screen.send(address_it_ends_at(screen) + ENTER)
        screen.wait_for("Logged in as ann@example.com (ChatGPT Plus).")
        take_the_models(screen)
        converse(screen, plan)


def test_a_login_with_a_code_on_another_device(
    session: Session, backend: FakeBackend, plan: FakeBackend, login: FakeLogin
) -> None:
    login.device_interval, login.device_waits = "1", 1
    with session.terminal(columns=80) as screen:
        begin(screen, "ChatGPT plan")
        screen.wait_for("» In a browser on this machine")
        screen.send(DOWN)
        screen.wait_for("» With a code, in a browser on any device")
        screen.send(ENTER)
        screen.wait_for(f"\n{login.url}/codex/device\n")
        screen.wait_for("\nABCD-1234\n")
        screen.wait_for("Logged in as ann@example.com (ChatGPT Plus).")
        take_the_models(screen)
        converse(screen, plan)
    assert saved(session) == ["CLAUDEGPT_PROVIDER=chatgpt"]


def test_a_login_that_opens_no_browser_here(
    session: Session, backend: FakeBackend, plan: FakeBackend, login: FakeLogin
) -> None:
    opened = session.home / "opened"
    browser = session.home / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o755)
    session.env |= {"DISPLAY": ":0", "BROWSER": str(browser)}
    with session.terminal() as screen:
        screen.shell_status()
        screen.type("claudegpt setup --provider chatgpt --no-browser")
        come_back(screen)
        take_the_models(screen)
        assert screen.shell_status() == 0
        assert not opened.exists()
        screen.type("claudegpt login")  # which opens one, where there is a screen
        wait_until(lambda: opened.exists() and "/oauth/authorize?" in opened.read_text(), "a browser to be opened")
        screen.send(CTRL_C)
        assert screen.shell_status() == 130


def test_codexs_login_is_one_enter_away(
    session: Session, backend: FakeBackend, plan: FakeBackend, login: FakeLogin
) -> None:
    write(session.home / ".codex" / "auth.json", login.log_in())
    with session.terminal(columns=80) as screen:
        whose = f"{ACCOUNTS[-1]} · included in your plan · ann@example.com"
        begin(screen, whose, (whose,))
        take_the_models(screen)
        converse(screen, plan)
    assert saved(session) == ["CLAUDEGPT_PROVIDER=codex"]


def test_an_azure_resource(session: Session, backend: FakeBackend, azure: FakeBackend) -> None:
    with session.terminal(columns=80) as screen:
        begin(screen, "Azure OpenAI")
        screen.wait_for("? Address of the resource")
        screen.send(f"{azure.origin}/openai/deployments/big/chat/completions?api-version=2024-10-21")
        screen.send(ENTER)
        screen.wait_for("» With the resource's key")
        screen.send(ENTER)
        screen.wait_for("? Key of the resource")
        screen.send(f"test-key{ENTER}")
        screen.wait_for("? Deployment for opus, the large model big")
        screen.send(ENTER)
        screen.wait_for("? Deployment for sonnet, the middle one big")
        screen.send(ENTER)
        screen.wait_for("? Deployment for haiku, the small and quick one big")
        screen.send(f"{CLEAR}small{ENTER}")
        screen.wait_for("✓ small answers and calls tools")
        converse(screen, azure)
    assert "AZURE_OPENAI_CHAT_DEPLOYMENT_NANO=small" in saved(session)


def test_the_demo(session: Session, backend: FakeBackend) -> None:
    with session.terminal() as screen:
        begin(screen, "Demo")
        screen.wait_for("Claude Code v")
        screen.wait_for("A built-in script answers, not a model. Nothing leaves this machine.")
        screen.wait_for(READY)
        screen.type("/exit")
        assert screen.shell_status() == 0
    assert saved(session) == ["CLAUDEGPT_PROVIDER=demo"]


# What is typed before ^C, each time after what is waited for.
Steps = list[tuple[str, str]]
TO_THE_KEY: Steps = [("? Address of its Responses API", ""), ("? Its API key", f"test-key{ENTER}")]
LEFT_AT: dict[str, tuple[str, Steps, str]] = {
    "the address": ("Another server", [], "? Address of its Responses API"),
    "the key": ("Another server", TO_THE_KEY[:1], "? Its API key"),
    "the model": ("Another server", TO_THE_KEY, WHICH_MODEL),
    "the last model": (
        "Another server",
        [*TO_THE_KEY, (WHICH_MODEL, DOWN + ENTER), ("? Model for opus", ENTER), ("? Model for sonnet", ENTER)],
        "? Model for haiku",
    ),
    "the trial": (
        "Another server",
        [*TO_THE_KEY, (WHICH_MODEL, ENTER)],
        "Trying GPT-6.1 Sol",
    ),
    "the way to log in": ("ChatGPT plan", [], HOW_TO_LOG_IN),
    "the login page": ("ChatGPT plan", [(HOW_TO_LOG_IN, ENTER)], "paste the address"),
    "the code": ("ChatGPT plan", [(HOW_TO_LOG_IN, DOWN + ENTER)], "enter this code"),
    "the resource": ("Azure OpenAI", [], "? Address of the resource"),
}


def test_leaving_the_wizard_anywhere_leaves_nothing(session: Session, backend: FakeBackend, login: FakeLogin) -> None:
    backend.route(is_trial, answer("Never said", stall_after=0))
    with session.terminal() as screen:
        screen.shell_status()
        for account, steps, last in LEFT_AT.values():
            screen.run("clear")
            screen.type("claudegpt")
            screen.wait_for(WHICH_ACCOUNT)
            screen.send(DOWN * ACCOUNTS.index(account))
            screen.wait_for(f"» {account}")
            screen.send(ENTER)
            for question, keys in steps:
                screen.wait_for(question)
                screen.send(keys or f"{CLEAR}{backend.url}{ENTER}")
            screen.wait_for(last)
            screen.send(CTRL_C)
            assert screen.shell_status() == 130, last
        assert "Traceback" not in screen.written
    home = session.home / "claudegpt"
    left = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert not {name for name in left if not name.startswith(("cache/", "data/chatgpt.json.lock"))}


def test_claude_code_is_installed_where_it_is_missing(session: Session, backend: FakeBackend) -> None:
    """With an npm that fetches nothing, and no other Claude Code in reach."""
    program, bin = session.env.pop("CLAUDEGPT_CLAUDE_BIN"), session.home / "bin"
    bin.mkdir()
    for name in ("bash", "sh", "cat", "ln", "mkdir", "rm", "sleep", "uname"):
        (bin / name).symlink_to(str(which(name)))
    (bin / "npm").write_text(
        f"#!/bin/sh\nmkdir -p node_modules/@anthropic-ai/claude-code-here\n"
        f"ln -s {program} node_modules/@anthropic-ai/claude-code-here/claude\n"
    )
    (bin / "npm").chmod(0o755)
    session.env |= {"PATH": str(bin), "NO_OTHER_CLAUDE": "1"}
    with session.terminal() as screen:
        begin(screen, "Demo")
        screen.wait_for("Claude Code is not installed.")
        screen.wait_for(re.compile(r"\? Install it with npm into [^?]*\? \(Y/n\)"))  # folded where the path is long
        screen.send("n")
        screen.wait_for("Claude Code is needed. Install it with `npm install -g @anthropic-ai/claude-code@")
        assert screen.shell_status() == 4
        screen.type("claudegpt setup --provider demo --yes --no-check")
        screen.wait_for(f"installed Claude Code {NEW}.")
        assert screen.shell_status() == 0
        screen.type("claudegpt")
        screen.wait_for("Claude Code v")
        screen.wait_for(READY)
        screen.type("/exit")
        assert screen.shell_status() == 0


def test_without_a_terminal_the_flags_are_named(session: Session, backend: FakeBackend) -> None:
    ran = session.command("-p", "hello")
    assert (ran.status, ran.stdout) == (2, "")
    assert "claudegpt setup --provider openai --api-key-stdin" in ran.stderr
    ran = session.command(
        "setup", "--provider", "openai", "--base-url", backend.url, "--api-key-stdin", stdin="test-key\n"
    )
    assert (ran.status, ran.stdout) == (0, "")
    backend.script(answer("All is set up."))
    assert session.command("-p", "hello").stdout == "All is set up.\n"


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("colour", [True, False])
def test_status_and_doctor_fit_the_terminal(
    session: Session, plan: FakeBackend, login: FakeLogin, columns: int, colour: bool
) -> None:
    write(session.home / ".codex" / "auth.json", login.log_in())
    session.env["CLAUDEGPT_PROVIDER"] = "codex"
    session.env |= {} if colour else {"NO_COLOR": "1"}
    with session.terminal(columns=columns, lines=60) as screen:
        screen.shell_status()
        assert screen.run("claudegpt status") == 0
        screen.wait_for("1 week      ████████░░░░░░░░░░░░ 40% used")
        assert screen.run("claudegpt models") == 0
        screen.wait_for(re.compile(r"gpt-6.1-terra +500k +low medium high xhigh max +sonnet"))
        assert screen.run("claudegpt doctor") == 0
        screen.wait_for(re.compile(r"✓ +model +gpt-6-luna answered and called a tool"))
        assert bool(COLOUR.search(screen.written)) is colour
