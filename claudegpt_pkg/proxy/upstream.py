"""The provider's stream: opened, read, limited in time, closed; and foreign errors made ours. The only file that knows
which HTTP transport is underneath.

    async with open_stream(client, provider, body, cache_key=key, limits=limits) as stream:
        async for events in stream: ...     # lists: what arrived together stays together

httpx speaks through aiohttp's C parser (httpx-aiohttp): 8–9 µs a streamed delta against 38–50 (design.md §5).
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import httpx
from httpx_aiohttp import HttpxAiohttpClient

from ..errors import UpstreamFailed
from ..providers.base import Provider
from ..translate.sse import Decoder, Event
from .failures import Report, read_report

CONNECT_SECONDS = 20.0
GZIP_LEVEL = 1  # 9 ms a megabyte; higher ones take twice as long for a tenth less
ERROR_BODY_LIMIT = 1 << 20  # bytes of a failed answer that are read
NO_LIMIT = httpx.Limits(max_connections=0, max_keepalive_connections=0, keepalive_expiry=55)  # aiohttp: 0 is unlimited


@dataclass(frozen=True)
class Limits:
    """Seconds an upstream may be silent: before its first event, and after."""

    first_event: float
    idle: float


class Refused(Exception):
    """The upstream answered with a status that is not a success."""

    def __init__(self, report: Report):
        super().__init__(report.message)
        self.report = report


def new_client() -> httpx.AsyncClient:
    """The one client of a proxy: pooled, with the environment's proxies and certificates, without a total timeout."""
    timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
    client: httpx.AsyncClient = HttpxAiohttpClient(timeout=timeout, limits=NO_LIMIT, follow_redirects=False)
    return client


class Stream:
    """An answer being read: iterate over lists of events. `headers` are the answer's."""

    def __init__(self, response: httpx.Response, watch: StallWatch, limits: Limits):
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._watch = watch
        self._limits = limits

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        decoder = Decoder()
        async for chunk in self._response.aiter_raw():
            self._watch.allow(self._limits.idle)
            if events := decoder.feed(chunk):
                yield events
        if events := decoder.flush():
            yield events


@asynccontextmanager
async def open_stream(
    client: httpx.AsyncClient, provider: Provider, body: bytes, *, cache_key: str, limits: Limits
) -> AsyncIterator[Stream]:
    """POST `body` and give the answer's stream once its status is known to be a success.

    Raises Refused for any other status, UpstreamFailed when the upstream cannot be reached, breaks off, or is silent
    for longer than the limits allow. The connection is closed on every way out.
    """
    headers = {**provider.headers(cache_key), "accept-encoding": "identity"}
    if len(body) > provider.backend.plain_body_limit:
        body = await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL)
        headers["content-encoding"] = "gzip"
    request = client.build_request("POST", provider.url, content=body, headers=headers)
    with StallWatch(limits.first_event) as watch:
        try:
            response = await client.send(request, stream=True, auth=provider.auth)
            try:
                if response.status_code != 200:
                    raise Refused(read_report(response.status_code, response.headers, await read_body(response)))
                yield Stream(response, watch, limits)
            finally:
                await response.aclose()
        except (httpx.TransportError, aiohttp.ClientError) as problem:
            raise unreachable(provider.url, problem) from problem


async def read_body(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > ERROR_BODY_LIMIT:
            break
    return body


def unreachable(url: str, problem: Exception) -> UpstreamFailed:
    host = httpx.URL(url).netloc.decode()
    if isinstance(problem, httpx.ConnectError):
        return UpstreamFailed(f"Cannot connect to {host}: {reason(problem)}.", "Check the address and the network.")
    if isinstance(problem, httpx.ProxyError):
        return UpstreamFailed(f"The HTTP proxy on the way to {host} failed: {reason(problem)}.", "Check HTTPS_PROXY.")
    return UpstreamFailed(f"The connection to {host} broke: {reason(problem)}.")


def reason(problem: Exception) -> str:
    return str(problem) or type(problem).__name__


class StallWatch:
    """Cancels the current task's wait when `allow` has not been called for as long as it last allowed.

    One timer for a whole stream, moved only when it fires: a call of `allow` costs next to nothing. The cancellation
    leaves the `with` as UpstreamFailed.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._expired = False

    def allow(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = self._loop.time() + seconds

    def __enter__(self) -> StallWatch:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self.allow(self._seconds)
        self._timer = self._loop.call_at(self._until, self._check)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        if self._expired and kind is asyncio.CancelledError and self._task and self._task.uncancel() == 0:
            raise UpstreamFailed(f"The upstream was silent for {self._seconds:g} seconds.") from None

    def _check(self) -> None:
        if self._loop.time() < self._until:
            self._timer = self._loop.call_at(self._until, self._check)
        elif self._task:
            self._expired = True
            self._task.cancel()
