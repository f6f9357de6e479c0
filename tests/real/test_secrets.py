"""No secret where it does not belong: everything that claudegpt writes, prints or runs is searched for planted ones.

Each account is set up, used by the real Claude Code, asked for its status, examined, and made to fail; then every word
that was printed, the command line of every process, and every file is looked at.
"""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.accounts.auth.tokens import own_file
from claudegpt_pkg.accounts.provider_table import PROVIDER_TABLE
from claudegpt_pkg.secret import Secret
from claudegpt_pkg.settings.options import OPENAI_API_KEY
from claudegpt_pkg.settings.settings import load
from claudegpt_pkg.setup.wizard import Given
from tests.real.clients import NEW
from tests.real.session import Session, running
from tests.support.auth_files import write
from tests.support.fakes.answers import answer, call, error
from tests.support.fakes.backend import FakeBackend, is_title_request, wait_until
from tests.support.fakes.login import FakeLogin
from tests.support.fakes.rules import Kind
from tests.support.fakes.trial import takes_trials, trusts

KEY = "sk-planted-0123456789abcdef"
WRONG = "sk-planted-wrong-fedcba9876543210"
# Where a secret belongs, below the home; none of these may be read by others.
HOLDERS = {"claudegpt/config/config.env", "claudegpt/data/chatgpt.json", ".codex/auth.json"}
COMMANDS = (("status", "--json"), ("models",), ("doctor",), ("config",), ("config", "get", "OPENAI_API_KEY"))


class Watch:
    """Looks at the command line of every process of a home, over and over, while the block lasts."""

    def __init__(self, home: Path):
        self.seen: set[str] = set()
        self._mark = f"HOME={home}".encode()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            self.seen |= {words for _, words, environ in running() if self._mark in environ}


@pytest.fixture
def session(tmp_path: Path, backend: FakeBackend) -> Iterator[Session]:
    session = Session(NEW, tmp_path, backend)
    # The token of the door is made up, as it mostly is: the tools run with it, and one of them prints its environment.
    for name in ("CLAUDEGPT_PROVIDER", "OPENAI_API_KEY", "OPENAI_BASE_URL", "CLAUDEGPT_TOKEN"):
        del session.env[name]
    yield session
    session.check()


@pytest.fixture
def login(session: Session) -> Iterator[FakeLogin]:
    with FakeLogin(lifetime=100_000) as server:
        session.env["CLAUDEGPT_AUTH_URL"] = server.url
        yield server


def backend_of(kind: Kind, stack: ExitStack) -> FakeBackend:
    """One that answers everything, first with a tool."""
    deployments = {"big": "gpt-6.1-sol"} if kind == "azure" else None
    backend = stack.enter_context(FakeBackend(kind, credentials=(KEY,), deployments=deployments))
    backend.route(lambda it: not is_title_request(it), lambda it: answer("Done."))
    backend.route(
        lambda it: not is_title_request(it) and len(it.items) < 3, lambda it: answer(call("Bash", command="env"))
    )
    return takes_trials(backend)


def use(session: Session, *setup: str, stdin: str = "") -> list[str]:
    """Set an account up, work with it, ask about it; all that was printed."""
    printed = [session.command("setup", *setup, stdin=stdin)]
    assert printed[0].status == 0, printed[0].stderr
    printed.append(session.run("Look around", "--allowedTools", "Bash", "--debug", "--verbose"))
    assert printed[1].status == 0 and "Done." in printed[1].stdout
    printed += [session.command(*words) for words in COMMANDS]
    return [text for ran in printed for text in (ran.stdout, ran.stderr)]


def fail(session: Session, backend: FakeBackend, env: Mapping[str, str]) -> list[str]:
    """Have the account's server refuse; all that was printed."""
    backend.route(lambda it: True, error(401, "token_expired", "It is over."))
    printed = [session.run("Fail", "--debug", env={**env, "CLAUDE_CODE_MAX_RETRIES": "0"})]
    printed += [session.command(*words, env=env) for words in (("status",), ("doctor",), ("setup",))]
    assert printed[0].status
    return [text for ran in printed for text in (ran.stdout, ran.stderr)]


def tokens_in(file: Path) -> set[str]:
    tokens: dict[str, Any] = json.loads(file.read_text())["tokens"]
    return {tokens[name] for name in ("access_token", "refresh_token", "id_token")}


@pytest.mark.parametrize("kind", ["openai", "azure"])
def test_no_key_is_anywhere_it_does_not_belong(session: Session, kind: Kind) -> None:
    with ExitStack() as stack, Watch(session.home) as watch:
        backend = backend_of(kind, stack)
        where = ["--base-url", backend.url] if kind == "openai" else ["--endpoint", backend.origin, "--opus", "big"]
        printed = use(session, "--provider", kind, *where, "--api-key-stdin", stdin=KEY)
        printed += fail(session, backend, {"OPENAI_API_KEY": WRONG, "AZURE_OPENAI_API_KEY": WRONG})
    search(session, {KEY, WRONG}, printed, watch)


@pytest.mark.parametrize("provider", ["chatgpt", "codex"])
def test_no_token_is_anywhere_it_does_not_belong(session: Session, login: FakeLogin, provider: str) -> None:
    own, codex = session.home / "claudegpt" / "data" / "chatgpt.json", session.home / ".codex" / "auth.json"
    write(own, login.log_in())
    write(codex, login.log_in())
    tokens = tokens_in(own) | tokens_in(codex)
    with ExitStack() as stack, Watch(session.home) as watch:
        plan = backend_of("chatgpt", stack)
        session.env["CODEX_BASE_URL"] = trusts(plan, login).url
        printed = use(session, "--provider", provider)
        for one in login.logins:
            one.access.clear()  # no longer good: so each is renewed
        printed += fail(session, plan, {})
        tokens |= tokens_in(own) | tokens_in(codex)
        ran = session.command("logout")
        printed += [ran.stdout, ran.stderr]
    search(session, tokens, printed, watch)


def search(session: Session, secrets: set[str], printed: list[str], watch: Watch) -> None:
    wait_until(lambda: not session.processes(), lambda: f"these to end: {session.processes()}")  # and to write no more
    assert not [text for text in printed if any(secret in text for secret in secrets)], "printed"
    assert any("claude" in words for words in watch.seen)
    assert not [words for words in watch.seen if any(secret in words for secret in secrets)], "in a command line"
    assert list((session.home / "claudegpt" / "state" / "traces").iterdir())
    assert not list(misplaced(session.home, secrets)), "in a file"
    held = "".join(file.read_text() for name in HOLDERS if (file := session.home / name).exists())
    assert any(secret in held for secret in secrets), "nothing was there to be found"


def misplaced(home: Path, secrets: set[str]) -> Iterator[str]:
    """Files that hold a secret and should not, or that others may read although they do."""
    for file in home.rglob("*"):
        if file.is_symlink() or not file.is_file():
            continue
        content = file.read_bytes()
        held = [secret for secret in secrets if secret.encode() in content]
        name = file.relative_to(home).as_posix()
        if held and (name not in HOLDERS or stat.S_IMODE(file.stat().st_mode) & 0o077):
            yield f"{name} {oct(file.stat().st_mode)}"


def test_nothing_prints_its_secrets(home: Path) -> None:
    with FakeLogin() as server:
        document = server.log_in()
    file = own_file(load().dirs.data)
    write(file.path, document)
    secrets = {KEY, *tokens_in(file.path)}
    flags = {"OPENAI_API_KEY": KEY, "AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": "r", "CLAUDEGPT_TOKEN": KEY}
    settings = load({**flags, "AZURE_OPENAI_CHAT_DEPLOYMENT": "big"})
    shown = [repr(Given(key=Secret(KEY))), repr(settings), repr(file.read()), f"{settings[OPENAI_API_KEY]}"]
    for kind in PROVIDER_TABLE.values():
        if kind.make is None or (kind.login_file and not kind.logs_in):
            continue  # the demo has no secret of the user's; nobody is logged in to Codex here
        provider = kind.make(settings)
        shown += [repr(provider), repr(provider.auth), repr(vars(provider.auth))]
    assert not [text for text in shown if any(secret in text for secret in secrets)]
