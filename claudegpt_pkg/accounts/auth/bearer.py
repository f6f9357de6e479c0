"""An access token on each request, renewed before it ends and once more when the backend refuses it.

In order: a request uses the tokens in memory; from five minutes before their end they are renewed first; a 401 renews
them once and sends the request again. Tokens that another process has saved are used instead of a renewal.

One thread reads, waits, renews and saves. So the event loop goes on, requests that wait find the work done, and a
renewal is finished and saved even if its request is given up. A renewal that fails without a verdict on the login is
ignored for as long as the old token lasts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor

import httpx

from ...errors import BadSetting, NotLoggedIn, UpstreamFailed
from ...secret import Secret
from . import oauth
from .login_server import LoginServer
from .tokens import TokenFile, Tokens

AGAIN = 30.0  # seconds until a failed renewal is tried again, while the old token lasts
CLOCK_OFF = 60.0  # seconds that this machine's clock may differ before the server's is used


class Bearer(httpx.Auth):
    """The login in `file`, renewed through `server`, `early` seconds before its end."""

    def __init__(
        self,
        file: TokenFile,
        server: LoginServer,
        *,
        early: float = oauth.EARLY,
        clock: Callable[[], float] = time.time,
    ):
        self._file = file
        self._server = server
        self._early = early
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="renewal")
        self._tokens: Tokens | None = None
        self._clock_ahead = 0.0  # seconds, measured at the last renewal
        self._not_before = 0.0  # the next attempt after a failure
        self._dead: tuple[Secret, str] | None = None  # a dead refresh token, and why it is dead
        self._refused: Secret | None = None  # a new access token that the backend refused too

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        loop = asyncio.get_running_loop()
        tokens = self._ready()
        if tokens is None:
            tokens = await loop.run_in_executor(self._thread, self.tokens)
        response = yield authorize(request, tokens)
        if response.status_code != 401:
            return
        if fresh := await loop.run_in_executor(self._thread, self._after_refusal, tokens):
            self._judge(fresh, (yield authorize(request, fresh)))

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        tokens = self._ready() or self._thread.submit(self.tokens).result()
        response = yield authorize(request, tokens)
        if response.status_code != 401:
            return
        if fresh := self._thread.submit(self._after_refusal, tokens).result():
            self._judge(fresh, (yield authorize(request, fresh)))

    def _ready(self) -> Tokens | None:
        """The tokens in memory, unless they must be renewed first."""
        return self._tokens if self._tokens and not self._due(self._tokens) else None

    def _judge(self, fresh: Tokens, response: httpx.Response) -> None:
        if response.status_code == 401:
            self._refused = fresh.access

    def _due(self, tokens: Tokens) -> bool:
        due_at = oauth.due_at(tokens.access_claims, early=self._early)
        if due_at is None:
            return False
        return self._over(tokens) or self._now() >= max(due_at, self._not_before)

    def _over(self, tokens: Tokens) -> bool:
        return tokens.expires_at is not None and self._now() >= tokens.expires_at

    def _now(self) -> float:
        return self._clock() - self._clock_ahead

    # The methods below run in the thread, one call at a time.

    def tokens(self) -> Tokens:
        """Tokens that last a while. Blocks. Raises NotLoggedIn, or why tokens that have ended could not be renewed."""
        tokens = self._tokens or self._file.read()
        try:
            for _ in range(2):  # tokens that another process saved may be about to end too
                if self._due(tokens):
                    tokens = self._file.renew(tokens, self._ask)
        except (UpstreamFailed, BadSetting):
            if self._over(tokens):
                raise
            self._not_before = self._now() + AGAIN
        self._tokens = tokens
        return tokens

    def _after_refusal(self, refused: Tokens) -> Tokens | None:
        """Tokens other than those that the backend answered with 401; None if a renewal would not help."""
        if self._tokens and self._tokens.newer_than(refused):
            return self._tokens
        if refused.access == self._refused:
            saved = self._file.read()
            fresh = saved if saved.newer_than(refused) else None
        else:
            fresh = self._file.renew(refused, self._ask)
        self._tokens = fresh or self._tokens
        return fresh

    def _ask(self, refresh: Secret) -> oauth.Grant:
        if self._dead and self._dead[0] == refresh:
            raise NotLoggedIn(self._dead[1])
        try:
            grant = self._server.refresh(refresh)
        except NotLoggedIn as verdict:
            self._dead = (refresh, verdict.message)
            raise
        self._compare_clocks(oauth.claims(grant.access).issued_at)
        return grant

    def _compare_clocks(self, issued_at: float | None) -> None:
        """Use the server's clock if ours is wrong; otherwise every new token would look ended."""
        ahead = self._clock() - issued_at if issued_at is not None else 0.0
        self._clock_ahead = ahead if abs(ahead) > CLOCK_OFF else 0.0


def authorize(request: httpx.Request, tokens: Tokens) -> httpx.Request:
    """The request with these tokens. A header of its own names the account that pays."""
    request.headers["authorization"] = f"Bearer {tokens.access.reveal()}"
    if tokens.account_id:
        request.headers["chatgpt-account-id"] = tokens.account_id
    if tokens.fedramp:
        request.headers["x-openai-fedramp"] = "true"
    return request
