"""What goes wrong with an account, at every place where a user meets it: one sentence, and the next step.

A row is a fault; what it does to the account, and what must then be read. Each is met by `status`, `doctor`
and `setup`; in a session by tests/real/test_faults.py. Whatever happened, the saved login is as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from claudegpt_pkg.accounts.auth.tokens import own_file
from claudegpt_pkg.cli import main
from claudegpt_pkg.settings.settings import load
from tests.support.auth_files import disk_with, write
from tests.support.fakes.answers import HttpError
from tests.support.fakes.backend import FakeBackend
from tests.support.fakes.login import FakeLogin
from tests.support.fakes.rules import Kind
from tests.support.fakes.trial import takes_trials, trusts

MANY = 20  # answers; more than any command asks for
NOWHERE = "http://127.0.0.1:9"


@dataclass
class Account:
    """One that works: its settings, its servers, the file of its login."""

    setenv: Callable[[str, str], None]
    backend: FakeBackend
    login: FakeLogin
    file: Path

    def over(self) -> None:
        """The access token is no longer good, so that the login must be renewed."""
        for login in self.login.logins:
            login.access.clear()

    def says(self, status: int, body: object, kind: str = "application/json") -> None:
        """What the login server answers to a renewal."""
        self.over()
        for _ in range(MANY):
            self.login.say("/oauth/token", status, body, kind)

    def dead(self, code: str) -> None:
        self.says(401, {"error": {"code": code, "message": "Please log in again."}})


Break = Callable[[Account], AbstractContextManager[None] | None]
LOGIN = "Run `claudegpt login`."
CODEX = "Run `codex login`, or `claudegpt login` for a login of its own."
PAGE = "The login server answered HTTP 200 with a web page. Try again in a moment. If it fails again, check the"
BLOCKED = "something between here and the upstream blocks. Check the network, VPN and proxy settings."
ROOM = "File too large. Make room on the disk"


def wrong_key(account: Account) -> None:
    account.setenv("OPENAI_API_KEY", "wrong-key-0123456789")
    account.setenv("AZURE_OPENAI_API_KEY", "wrong-key-0123456789")


def blocked(account: Account) -> None:
    page = HttpError(403, "<!DOCTYPE html><title>Attention Required!</title>", {"cf-mitigated": "challenge"})
    account.backend.route(lambda _: True, page)
    account.backend.pages = dict.fromkeys(account.backend.pages, page)


def away(account: Account) -> None:
    for name, path in (("OPENAI_BASE_URL", "/v1"), ("AZURE_OPENAI_ENDPOINT", ""), ("CODEX_BASE_URL", "/codex")):
        account.setenv(name, NOWHERE + path)


def full_disk(account: Account) -> AbstractContextManager[None]:
    account.over()
    return disk_with(1000)


def cut_off(account: Account) -> None:
    account.file.write_text('{"auth_mode": "chatgpt", "tok')


def gone(account: Account) -> None:
    account.setenv("CLAUDEGPT_AUTH_URL", NOWHERE)
    account.over()


# Name, account, what breaks it, what is read then.
FAULTS: list[tuple[str, str, Break, str]] = [
    ("wrong key", "openai", wrong_key, "the server refused the credential (HTTP 401). Check the key, or log in again."),
    ("wrong key", "azure", wrong_key, "does not accept the credential (Access denied"),
    *(
        (code, provider, lambda account, code=code: account.dead(code), f"{words} ({code}). {step}")
        for provider, step in (("chatgpt", LOGIN), ("codex", CODEX))
        for code, words in (
            ("refresh_token_expired", "The saved login has expired"),
            ("refresh_token_reused", "The saved login was already used by another program"),
            ("refresh_token_invalidated", "The saved login was revoked"),
            ("invalid_grant", "The saved login is no longer valid"),
        )
    ),
    ("a web page instead of the login", "chatgpt", lambda it: it.says(200, "<html>Hotel</html>", "text/html"), PAGE),
    ("a web page instead of the login", "codex", lambda it: it.says(200, "<html>Hotel</html>", "text/html"), PAGE),
    (
        "the login server is away",
        "chatgpt",
        gone,
        "/oauth/token: Connection refused. Check the address and the network.",
    ),
    ("a web page instead of the backend", "chatgpt", blocked, BLOCKED),
    ("the backend is away", "openai", away, "cannot be reached"),
    ("the backend is away", "azure", away, "127.0.0.1:9"),
    ("the backend is away", "codex", away, "cannot be reached"),
    ("cut off", "chatgpt", cut_off, f"is incomplete or not JSON. {LOGIN}"),
    ("cut off", "codex", cut_off, f"is incomplete or not JSON. {CODEX}"),
    ("no login", "chatgpt", lambda it: it.file.unlink(), f"There is no login in {{file}}. {LOGIN}"),
    ("no login", "codex", lambda it: it.file.unlink(), f"There is no login in {{file}}. {CODEX}"),
    ("others may read it", "chatgpt", lambda it: it.file.chmod(0o644), "Run `chmod 600 {file}`"),
    ("a full disk", "chatgpt", full_disk, ROOM),
    ("a full disk", "codex", full_disk, ROOM),
]
KINDS: dict[str, Kind] = {"openai": "openai", "azure": "azure", "chatgpt": "chatgpt", "codex": "chatgpt"}


@pytest.fixture
def account(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    provider = request.param
    with ExitStack() as stack:
        login = stack.enter_context(FakeLogin(lifetime=100_000))
        deployments = {"big": "gpt-6.1-sol"} if provider == "azure" else None
        backend = stack.enter_context(FakeBackend(KINDS[provider], deployments=deployments))
        takes_trials(backend)
        file = home / ".codex" / "auth.json" if provider == "codex" else own_file(load().dirs.data).path
        if KINDS[provider] == "chatgpt":
            trusts(backend, login)
            write(file, login.log_in())
        (home / "claude").write_text("#!/bin/sh\necho 2.1.330\n")
        (home / "claude").chmod(0o755)
        set_to = {
            "CLAUDEGPT_CLAUDE_BIN": str(home / "claude"),
            "CLAUDEGPT_PROVIDER": provider,
            "CLAUDEGPT_AUTH_URL": login.url,
            "CODEX_BASE_URL": backend.url,
            "OPENAI_BASE_URL": backend.url,
            "OPENAI_API_KEY": "test-key",
            "AZURE_OPENAI_ENDPOINT": backend.origin,
            "AZURE_OPENAI_API_KEY": "test-key",
            "AZURE_OPENAI_CHAT_DEPLOYMENT": "big",
        }
        for name, value in set_to.items():
            monkeypatch.setenv(name, value)
        yield Account(monkeypatch.setenv, backend, login, file)


def content(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


@pytest.mark.parametrize("command", ["status", "doctor", "setup"])
@pytest.mark.parametrize(
    ("account", "breaks", "words"),
    [row[1:] for row in FAULTS],
    ids=[f"{name}, {provider}" for name, provider, *_ in FAULTS],
    indirect=["account"],
)
def test_each_fault_is_a_sentence_with_the_next_step(
    account: Account, breaks: Break, words: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with breaks(account) or nullcontext():
        before = content(account.file)
        status = main.run([command])
    out, err = capsys.readouterr()
    said = re.sub(r"\s+", " ", (out + err).replace("~/", f"{Path.home()}/"))
    assert words.format(file=account.file) in said, said
    assert status and "bug of ours" not in said and "Traceback" not in said
    assert content(account.file) == before, "the login that was there is lost"
    assert not load().dirs.config_file.exists(), "saved though it does not work"
    if account.file.exists():
        account.file.chmod(0o600)


@pytest.mark.parametrize("account", ["codex"], indirect=True)
def test_codexs_file_is_used_as_it_is_and_doctor_says_that_others_may_read_it(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.file.chmod(0o644)
    assert main.run(["status"]) == 0
    assert main.run(["doctor"]) == 1
    account.file.chmod(0o600)
    said = capsys.readouterr().out
    assert "Run `chmod 600 ~/.codex/auth.json`." in said and said.count("✗") == 1
