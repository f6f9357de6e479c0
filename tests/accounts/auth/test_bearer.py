from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_aiohttp import HttpxAiohttpClient

from claudegpt_pkg.accounts.auth.bearer import AGAIN, Bearer, authorize
from claudegpt_pkg.accounts.auth.login_server import LoginServer
from claudegpt_pkg.accounts.auth.tokens import TokenFile, Tokens
from claudegpt_pkg.errors import BadSetting, NotLoggedIn, UpstreamFailed
from claudegpt_pkg.secret import Secret
from tests.support import auth_files
from tests.support.fakes.backend import DEADLINE
from tests.support.fakes.login import FakeLogin, jwt


class Clock:
    """This machine's clock; the server's is right."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def server() -> Iterator[FakeLogin]:
    with FakeLogin(strict=True) as fake:
        yield fake
        fake.check()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path, server: FakeLogin) -> TokenFile:
    return auth_files.own(tmp_path, server.log_in())


@pytest.fixture
def bearer(file: TokenFile, server: FakeLogin, clock: Clock) -> Bearer:
    return Bearer(file, LoginServer(server.url), clock=clock)


def get(server: FakeLogin, bearer: Bearer) -> int:
    with httpx.Client() as client:
        return client.post(f"{server.url}/backend", json={"x": "y"}, auth=bearer).status_code


async def get_all(server: FakeLogin, bearer: Bearer, times: int) -> list[int]:
    async with HttpxAiohttpClient() as client:
        asked = [client.post(f"{server.url}/backend", json={"n": n}, auth=bearer) for n in range(times)]
        return [answer.status_code for answer in await asyncio.gather(*asked)]


def forget(server: FakeLogin) -> None:
    """Every access token given so far is over, whatever it says of itself."""
    for login in server.logins:
        login.access.clear()


def test_each_request_carries_the_token_and_its_account(server: FakeLogin, bearer: Bearer) -> None:
    assert [get(server, bearer), get(server, bearer)] == [200, 200]
    assert server.renewals == 0


def test_the_same_through_the_proxys_client(server: FakeLogin, bearer: Bearer) -> None:
    assert asyncio.run(get_all(server, bearer, 3)) == [200, 200, 200]


def test_a_token_is_renewed_five_minutes_before_its_end(server: FakeLogin, bearer: Bearer, clock: Clock) -> None:
    assert get(server, bearer) == 200
    clock.ahead = server.lifetime - 330
    assert get(server, bearer) == 200 and server.renewals == 0
    clock.ahead = server.lifetime - 290
    assert get(server, bearer) == 200 and server.renewals == 1


def test_a_refused_token_is_renewed_once_and_the_request_sent_again(server: FakeLogin, bearer: Bearer) -> None:
    assert get(server, bearer) == 200
    forget(server)
    assert get(server, bearer) == 200 and server.renewals == 1
    assert asyncio.run(get_all(server, bearer, 2)) == [200, 200] and server.renewals == 1


def test_many_requests_refused_at_once_renew_once(server: FakeLogin, bearer: Bearer) -> None:
    forget(server)
    assert asyncio.run(get_all(server, bearer, 30)) == [200] * 30
    assert (server.renewals, server.reused) == (1, 0)


def test_many_requests_with_a_token_that_is_over_renew_once(server: FakeLogin, bearer: Bearer, clock: Clock) -> None:
    clock.ahead = server.lifetime + 1
    assert asyncio.run(get_all(server, bearer, 30)) == [200] * 30
    assert (server.renewals, server.reused) == (1, 0)


def test_a_backend_that_refuses_fresh_tokens_too_is_not_asked_for_ever(server: FakeLogin, bearer: Bearer) -> None:
    server.account = "another"
    assert [get(server, bearer) for _ in range(4)] == [401] * 4
    assert server.renewals == 1


def test_a_new_login_helps_where_fresh_tokens_did_not(server: FakeLogin, bearer: Bearer, file: TokenFile) -> None:
    server.account = "another"
    assert get(server, bearer) == 401
    file.path.write_text(json.dumps(server.log_in()))
    assert get(server, bearer) == 200 and server.renewals == 1


def test_what_another_process_renewed_is_adopted(server: FakeLogin, bearer: Bearer, file: TokenFile) -> None:
    assert get(server, bearer) == 200
    file.renew(file.read(), LoginServer(server.url).refresh)
    forget_first = server.logins[0].access
    del forget_first[next(iter(forget_first))]
    assert get(server, bearer) == 200 and server.renewals == 1


def test_what_another_process_saved_long_ago_is_renewed_in_turn(
    server: FakeLogin, bearer: Bearer, file: TokenFile, clock: Clock
) -> None:
    assert get(server, bearer) == 200
    file.renew(file.read(), LoginServer(server.url).refresh)
    clock.ahead = server.lifetime + 10
    assert get(server, bearer) == 200
    assert (server.renewals, server.reused) == (2, 0)


def test_no_login_is_said_with_the_next_step(server: FakeLogin, bearer: Bearer, file: TokenFile) -> None:
    file.path.unlink()
    with pytest.raises(NotLoggedIn, match="claudegpt login"):
        asyncio.run(get_all(server, bearer, 1))


@pytest.mark.parametrize("code", ["refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated"])
def test_a_dead_login_is_said_and_not_asked_about_again(
    server: FakeLogin, bearer: Bearer, file: TokenFile, code: str
) -> None:
    before = file.path.read_bytes()
    forget(server)
    server.say("/oauth/token", 401, {"error": {"code": code}})
    for _ in range(3):
        with pytest.raises(NotLoggedIn, match=f"{code}.*claudegpt login"):
            get(server, bearer)
    assert server.asked.count("/oauth/token") == 1
    assert file.path.read_bytes() == before


def test_after_a_dead_login_a_new_one_is_found(server: FakeLogin, bearer: Bearer, file: TokenFile) -> None:
    forget(server)
    server.say("/oauth/token", 401, {"error": {"code": "refresh_token_expired"}})
    with pytest.raises(NotLoggedIn):
        get(server, bearer)
    file.path.write_text(json.dumps(server.log_in()))
    assert get(server, bearer) == 200


@pytest.mark.parametrize(("status", "body"), [(503, {}), (200, "<html>hotel</html>"), (429, {"error": "slow_down"})])
def test_a_login_server_in_trouble_is_passed_over_while_the_token_lasts(
    server: FakeLogin, bearer: Bearer, clock: Clock, status: int, body: Any
) -> None:
    assert get(server, bearer) == 200
    clock.ahead = server.lifetime - 200
    server.say("/oauth/token", status, body)
    assert [get(server, bearer), get(server, bearer)] == [200, 200]
    assert server.asked.count("/oauth/token") == 1
    clock.ahead += AGAIN
    assert get(server, bearer) == 200 and server.renewals == 1


def test_a_login_server_in_trouble_is_said_once_the_token_is_over(
    server: FakeLogin, bearer: Bearer, clock: Clock
) -> None:
    assert get(server, bearer) == 200
    clock.ahead = server.lifetime + 1
    server.say("/oauth/token", 503, {})
    with pytest.raises(UpstreamFailed, match="HTTP 503"):
        get(server, bearer)
    assert get(server, bearer) == 200


def test_a_clock_far_ahead_renews_once_not_always(server: FakeLogin, bearer: Bearer, clock: Clock) -> None:
    clock.ahead = 10 * server.lifetime
    assert [get(server, bearer) for _ in range(4)] == [200] * 4
    assert server.renewals == 1


def test_a_clock_far_behind_renews_when_the_backend_refuses(server: FakeLogin, bearer: Bearer, clock: Clock) -> None:
    clock.ahead = -10 * server.lifetime
    forget(server)
    assert get(server, bearer) == 200
    clock.ahead += server.lifetime - 299
    assert get(server, bearer) == 200 and server.renewals == 2, "the right time is known from the last renewal"


def test_a_file_that_cannot_be_written_is_passed_over_while_the_token_lasts(
    server: FakeLogin, bearer: Bearer, file: TokenFile, clock: Clock
) -> None:
    assert get(server, bearer) == 200
    draft = file.path.with_name(".chatgpt.json.claudegpt-draft")
    draft.mkdir()  # as good as a folder without permission, also for root
    clock.ahead = server.lifetime - 200
    assert get(server, bearer) == 200 and "/oauth/token" not in server.asked
    clock.ahead = server.lifetime + 1
    with pytest.raises(BadSetting, match="Cannot read and write"):
        get(server, bearer)
    assert "/oauth/token" not in server.asked


def test_a_request_given_up_in_the_middle_of_a_renewal_loses_no_token(
    server: FakeLogin, bearer: Bearer, file: TokenFile, clock: Clock
) -> None:
    clock.ahead = server.lifetime + 1
    asked, go = threading.Event(), threading.Event()

    def slowly() -> None:
        asked.set()
        assert go.wait(DEADLINE)

    async def give_up() -> None:
        server.before_refresh = slowly
        waiting = asyncio.ensure_future(get_all(server, bearer, 1))
        await asyncio.get_running_loop().run_in_executor(None, asked.wait, DEADLINE)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        go.set()
        server.before_refresh = lambda: None

    asyncio.run(give_up())
    assert asyncio.run(get_all(server, bearer, 2)) == [200, 200]
    assert (server.renewals, server.reused) == (1, 0)
    assert auth_files.content(file)["tokens"]["refresh_token"] == server.logins[0].refresh


def test_the_event_loop_goes_on_while_a_renewal_waits(server: FakeLogin, bearer: Bearer, clock: Clock) -> None:
    clock.ahead = server.lifetime + 1
    go = threading.Event()

    def until_the_loop_says_so() -> None:
        assert go.wait(DEADLINE), "the loop stood still"

    async def ask() -> list[int]:
        server.before_refresh = until_the_loop_says_so
        waiting = asyncio.ensure_future(get_all(server, bearer, 1))
        asyncio.get_running_loop().call_later(0.01, go.set)
        return await waiting

    assert asyncio.run(ask()) == [200]


def test_the_body_is_sent_whole_again_after_a_refusal(server: FakeLogin, bearer: Bearer) -> None:
    bodies: list[bytes] = []

    def backend(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(401 if len(bodies) == 1 else 200)

    with httpx.Client(transport=httpx.MockTransport(backend)) as client:
        assert client.post("https://backend.test/", content=b"x" * 100_000, auth=bearer).status_code == 200
    assert bodies == [b"x" * 100_000] * 2


def test_a_government_account_says_so() -> None:
    claims = {"chatgpt_account_id": "gov", "chatgpt_account_is_fedramp": True}
    token = Tokens(Secret(jwt({"https://api.openai.com/auth": claims})))
    sent = authorize(httpx.Request("GET", "https://x"), token).headers
    assert (sent["chatgpt-account-id"], sent["x-openai-fedramp"]) == ("gov", "true")
