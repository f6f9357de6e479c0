from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.accounts.auth import device
from claudegpt_pkg.accounts.auth.login_server import LoginServer
from claudegpt_pkg.accounts.auth.tokens import TokenFile, Tokens, own_file
from claudegpt_pkg.errors import NotLoggedIn, UpstreamFailed
from tests.support.fakes.login import FakeLogin

TOKEN = "/api/accounts/deviceauth/token"


class Time:
    """Goes on only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[FakeLogin]:
    with FakeLogin() as fake:
        yield fake
        fake.check()


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return own_file(tmp_path)


@pytest.fixture
def time() -> Time:
    return Time()


def run(server: FakeLogin, file: TokenFile, time: Time, shown: list[str] | None = None) -> Tokens:
    told = [] if shown is None else shown
    return device.login_with_code(LoginServer(server.url), file, told.append, sleep=time.sleep, clock=time)


def test_a_code_entered_elsewhere_becomes_a_login(server: FakeLogin, file: TokenFile, time: Time) -> None:
    shown: list[str] = []
    tokens = run(server, file, time, shown)
    assert file.read() == tokens and tokens.email == "ann@example.com"
    assert f"{server.url}/codex/device" in shown[0] and "ABCD-1234" in shown[0]
    assert time.slept == [5.0, 5.0, 5.0]


def test_asking_slows_down_when_the_server_says_so(server: FakeLogin, file: TokenFile, time: Time) -> None:
    server.device_waits = 1
    server.say(TOKEN, 403, {"error": {"code": "slow_down"}})
    server.say(TOKEN, 429, {"error": "too_many"})
    run(server, file, time)
    assert time.slept == [5.0, 10.0, 15.0, 15.0]


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("body", ["", {"error": {"code": "deviceauth_authorization_unknown"}}, {"error": "pending"}])
def test_403_and_404_mean_not_yet(server: FakeLogin, file: TokenFile, time: Time, status: int, body: Any) -> None:
    server.device_waits = 0
    for _ in range(5):
        server.say(TOKEN, status, body)
    assert run(server, file, time) and len(time.slept) == 6


@pytest.mark.parametrize(
    ("code", "words"),
    [("deviceauth_expired_token", "not used in time"), ("deviceauth_access_denied", "was refused")],
)
def test_a_code_that_is_over_ends_the_wait(
    server: FakeLogin, file: TokenFile, time: Time, code: str, words: str
) -> None:
    server.say(TOKEN, 403, {"error": {"code": code}})
    with pytest.raises(NotLoggedIn, match=words):
        run(server, file, time)
    assert len(time.slept) == 1 and not file.path.exists()


def test_after_fifteen_minutes_nobody_is_asked_any_more(server: FakeLogin, file: TokenFile, time: Time) -> None:
    server.device_waits = 10_000
    with pytest.raises(NotLoggedIn, match="not used in time"):
        run(server, file, time)
    assert 15 * 60 <= time.now < 15 * 60 + 10


def test_a_server_in_trouble_for_a_moment_is_asked_again(server: FakeLogin, file: TokenFile, time: Time) -> None:
    server.say(TOKEN, 502, "<html>")
    server.say(TOKEN, 403, "<html>cloudflare</html>", "text/html")
    assert run(server, file, time)


def test_a_server_in_trouble_for_long_is_said(server: FakeLogin, file: TokenFile, time: Time) -> None:
    for _ in range(3):
        server.say(TOKEN, 502, "<html>")
    with pytest.raises(UpstreamFailed, match="HTTP 502"):
        run(server, file, time)


def test_a_server_without_login_by_code_names_the_other_way(server: FakeLogin, file: TokenFile, time: Time) -> None:
    server.say("/api/accounts/deviceauth/usercode", 404, "")
    with pytest.raises(UpstreamFailed, match="without --device"):
        run(server, file, time)


@pytest.mark.parametrize(("status", "body"), [(200, "<html>"), (200, {}), (500, {"error": "x"})])
def test_no_code_is_said(server: FakeLogin, file: TokenFile, time: Time, status: int, body: Any) -> None:
    server.say("/api/accounts/deviceauth/usercode", status, body)
    with pytest.raises(UpstreamFailed):
        run(server, file, time)


@pytest.mark.parametrize(
    ("written", "seconds"), [("7", 7.0), (3, 3.0), ("0", 1.0), ("x", 5.0), (None, 5.0), ("nan", 5.0)]
)
def test_the_interval_is_read_in_any_form(written: Any, seconds: float) -> None:
    assert device.interval_in(written) == seconds
