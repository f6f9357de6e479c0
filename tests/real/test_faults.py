"""What goes wrong with an account while Claude Code runs: what it then shows is our sentence, with the next step."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.clients import NEW
from tests.real.session import Session, start
from tests.support.auth_files import write
from tests.support.fakes.answers import answer
from tests.support.fakes.backend import FakeBackend
from tests.support.fakes.login import FakeLogin
from tests.support.fakes.trial import trusts

ONCE = {"CLAUDE_CODE_MAX_RETRIES": "0"}


@pytest.fixture
def session(tmp_path: Path, backend: FakeBackend) -> Iterator[Session]:
    session = Session(NEW, tmp_path, backend)
    yield session
    session.check()


@pytest.fixture
def login(session: Session, plan: FakeBackend) -> Iterator[FakeLogin]:
    """Codex's login at a plan."""
    with FakeLogin(lifetime=100_000) as server:
        session.env |= {
            "CLAUDEGPT_PROVIDER": "codex",
            "CLAUDEGPT_AUTH_URL": server.url,
            "CODEX_BASE_URL": trusts(plan, server).url,
        }
        write(session.home / ".codex" / "auth.json", server.log_in())
        yield server


def test_a_key_that_is_wrong(session: Session, backend: FakeBackend) -> None:
    ran = session.run("hello", env={**ONCE, "OPENAI_API_KEY": "wrong-key-0123456789"})
    assert ran.status == 1
    assert "401 The upstream does not accept the credential (Incorrect API key provided" in ran.stdout
    assert "Run `claudegpt setup` to enter another key or log in again" in ran.stdout
    backend.faults.clear()


def test_a_login_that_is_revoked_in_a_session_and_made_anew_beside_it(
    session: Session, plan: FakeBackend, login: FakeLogin
) -> None:
    plan.script(answer("One."))
    with session.terminal() as screen:
        start(screen)
        screen.type("The first question")
        screen.wait_for("One.")
        login.logins[0].ended = True
        screen.type("The second question")
        screen.wait_for("The saved login was revoked (refresh_token_invalidated). Run `codex login`")
        write(session.home / ".codex" / "auth.json", login.log_in())  # as `codex login` does in another terminal
        plan.script(answer("Three."))
        screen.type("The third question")
        screen.wait_for("Three.")
        screen.type("/exit")
        assert screen.shell_status() == 0
    plan.faults.clear()


def test_a_sign_in_page_instead_of_the_login_server(session: Session, plan: FakeBackend, login: FakeLogin) -> None:
    before = (session.home / ".codex" / "auth.json").read_bytes()
    login.logins[0].access.clear()
    for _ in range(9):
        login.say("/oauth/token", 200, "<html>Hotel</html>", "text/html")
    ran = session.run("hello", env=ONCE)
    assert ran.status == 1 and "The login server answered HTTP 200 with a web page. Try again in a moment" in ran.stdout
    assert (session.home / ".codex" / "auth.json").read_bytes() == before
    plan.faults.clear()


def test_a_login_that_is_cut_off_or_that_others_may_read(session: Session, plan: FakeBackend, login: FakeLogin) -> None:
    codex, own = session.home / ".codex" / "auth.json", session.home / "claudegpt" / "data" / "chatgpt.json"
    write(own, login.log_in())
    own.chmod(0o640)
    codex.chmod(0o640)
    plan.script(answer("It is Codex's to keep."))
    assert session.run("hello").stdout == "It is Codex's to keep.\n"
    ran = session.run("hello", env={"CLAUDEGPT_PROVIDER": "chatgpt"})
    assert (ran.status, ran.stdout) == (2, "") and "Run `chmod 600 ~/claudegpt/data/chatgpt.json`" in ran.stderr
    own.chmod(0o600)
    codex.chmod(0o600)
    codex.write_text(codex.read_text()[:100])
    ran = session.run("hello")
    assert (ran.status, ran.stdout) == (
        3,
        "",
    ) and "auth.json is incomplete or not JSON. Run `codex login`" in ran.stderr


def test_a_port_that_is_taken(session: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        ran = session.run("hello", env={"CLAUDEGPT_PORT": str(number)})
    assert (ran.status, ran.stdout) == (2, "")
    assert f"Cannot listen on 127.0.0.1 port {number}: Address already in use. Choose another port" in ran.stderr
