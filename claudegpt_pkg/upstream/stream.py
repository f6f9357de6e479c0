"""The provider's stream: opened, read, limited in time, closed; and foreign errors made ours. The only file that knows
which HTTP transport is underneath.

    async with open_stream(client, provider, body, cache_key=key, limits=limits) as stream:
        async for events in stream: ...     # lists: what arrived together stays together

httpx speaks through aiohttp's C parser (httpx-aiohttp): 8–9 µs a streamed delta against 38–50 (design.md §5).
"""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
import httpx
from httpx_aiohttp import HttpxAiohttpClient

from ..accounts.model_list import DIRECT, refuse_socks
from ..accounts.providers.base import Provider
from ..errors import BadSetting, UpstreamFailed
from ..translate.wire.sse import Decoder, Event
from .error_report import Report, one_line, read_report

CONNECT_SECONDS = 20.0
GZIP_LEVEL = 1  # 9 ms a megabyte; higher ones take twice as long for a tenth less
ERROR_BODY_LIMIT = 1 << 20  # bytes of a failed answer that are read
LAST_BYTES_WITHIN = 0.05  # seconds after an answer's last event
NO_LIMIT = httpx.Limits(max_connections=0, max_keepalive_connections=0, keepalive_expiry=55)  # aiohttp: 0 is unlimited


@dataclass(frozen=True)
class Limits:
    """Seconds an upstream may be silent: before it begins to answer, and after.

    To announce a response, or that the model is reasoning, is not yet to begin: what follows may take minutes.
    """

    first_event: float
    idle: float


class Refused(Exception):
    """The upstream answered with a status that is not a success."""

    def __init__(self, report: Report):
        super().__init__(report.message)
        self.report = report


def new_client(*, encrypted: bool = True) -> httpx.AsyncClient:
    """The one client of a proxy: pooled, with the environment's proxies and certificates, without a total timeout.

    Raises BadSetting for a proxy that cannot be used, or certificates that cannot be read.
    """
    if encrypted:
        refuse_socks()
    timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
    try:
        client: httpx.AsyncClient = HttpxAiohttpClient(
            timeout=timeout, limits=NO_LIMIT, mounts=DIRECT, follow_redirects=False
        )
    except ValueError as problem:
        raise BadSetting(f"{problem}.", "Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY in the environment.") from None
    except OSError as problem:
        raise BadSetting(
            f"Cannot read the certificates: {reason(problem)}.", "Correct SSL_CERT_FILE or SSL_CERT_DIR."
        ) from None
    return client


class Stream:
    """An answer being read: iterate over lists of events. `headers` are the answer's."""

    def __init__(self, response: httpx.Response, watch: StallWatch, limits: Limits):
        self.headers: Mapping[str, str] = response.headers
        self.begun = False  # to be set when there is something of the answer
        self._chunks = chunks_of(response)
        self._watch = watch
        self._limits = limits

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        decoder = Decoder()
        async for chunk in self._chunks:
            self._watch.resting = True  # a client that reads slowly is no fault of the upstream's
            if events := decoder.feed(chunk):
                yield events
            self._watch.allow(self._limits.idle if self.begun else self._limits.first_event)
        if events := decoder.flush():
            yield events

    async def drain(self) -> None:
        """After the answer's last event: wait for the end of the body, so that the connection can serve the next turn.
        It is mostly there already; a server that takes its time is not waited for.
        """
        with suppress(TimeoutError, httpx.TransportError, aiohttp.ClientError):
            async with asyncio.timeout(LAST_BYTES_WITHIN):
                async for _ in self._chunks:
                    pass


@asynccontextmanager
async def open_stream(
    client: httpx.AsyncClient, provider: Provider, body: bytes, *, cache_key: str, limits: Limits
) -> AsyncIterator[Stream]:
    """POST `body` and give the answer's stream once its status is known to be a success.

    Raises Refused for any other status, UpstreamFailed when the upstream cannot be reached, breaks off, or is silent
    for longer than the limits allow. The connection is closed on every way out.
    """
    headers = {**provider.headers(cache_key), "accept-encoding": "identity"}
    if len(body) > provider.capabilities.plain_body_limit:
        body = await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL)
        headers["content-encoding"] = "gzip"
    request = client.build_request("POST", provider.url, content=body, headers=headers)
    with StallWatch(limits.first_event) as watch:
        try:
            response = await client.send(request, stream=True, auth=provider.auth)
            try:
                if response.status_code != 200 or not is_stream(response):
                    raise Refused(read_report(response.status_code, response.headers, await read_body(response)))
                yield Stream(response, watch, limits)
            finally:
                await response.aclose()
        except (httpx.TransportError, httpx.DecodingError, aiohttp.ClientError) as problem:
            raise unreachable(provider.url, problem) from problem


def is_stream(response: httpx.Response) -> bool:
    """Whether a success may be one: a login page or an error in JSON comes as 200 from some gateways."""
    return not response.headers.get("content-type", "").startswith(("text/html", "application/json"))


def chunks_of(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes; decoded where it was encoded though we had asked for it plain."""
    return response.aiter_bytes() if "content-encoding" in response.headers else response.aiter_raw()


async def read_body(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in chunks_of(response):
        body += chunk
        if len(body) > ERROR_BODY_LIMIT:
            break
    return body


def unreachable(url: str, problem: Exception) -> UpstreamFailed:
    """What to say of a connection that failed. httpx-aiohttp calls most of it ConnectTimeout; aiohttp's own error, the
    cause, knows better."""
    host = httpx.URL(url).netloc.decode()
    cause = problem.__cause__ if isinstance(problem.__cause__, aiohttp.ClientError) else problem
    why = reason(cause)
    if isinstance(cause, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return UpstreamFailed(f"The HTTP proxy on the way to {host} failed: {why}.", "Check HTTPS_PROXY.")
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        hint = "If your network replaces certificates, set SSL_CERT_FILE to its own."
        return UpstreamFailed(f"The certificate of {host} is not trusted: {why}.", hint, retry=False)
    if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return UpstreamFailed(f"Cannot connect to {host}: {why}.", "Check the address and the network.")
    return UpstreamFailed(f"The connection to {host} broke: {why}.")


def reason(problem: BaseException) -> str:
    """In as few words as there are for it."""
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        return reason(problem.certificate_error)
    if isinstance(problem, aiohttp.ClientConnectorError):
        return reason(problem.os_error)
    if isinstance(problem, aiohttp.ServerDisconnectedError):
        return "the server closed it"
    if isinstance(problem, aiohttp.ClientPayloadError):
        return "it ended in the middle of the answer"
    if isinstance(problem, aiohttp.ClientResponseError):
        return one_line(problem.message)
    if isinstance(problem, ssl.SSLCertVerificationError):
        return problem.verify_message
    if isinstance(problem, OSError) and not isinstance(problem, ssl.SSLError) and problem.errno and problem.errno > 0:
        return os.strerror(problem.errno)
    return one_line(getattr(problem, "strerror", None) or str(problem) or type(problem).__name__).rstrip(".")


class StallWatch:
    """Cancels the current task's wait when `allow` has not been called for as long as it last allowed.

    One timer, moved when it fires or when the limit gets shorter: a call of `allow` costs next to nothing. While
    `resting`, until the next `allow`, no time counts. The cancellation leaves the `with` as UpstreamFailed.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self.resting = False
        self._expired = False

    def allow(self, seconds: float) -> None:
        self._until = self._loop.time() + seconds
        self.resting = False
        if seconds != self._seconds:
            self._seconds = seconds
            self._restart(self._until)

    def __enter__(self) -> StallWatch:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._until = self._loop.time() + self._seconds
        self._timer = self._loop.call_at(self._until, self._check)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        if self._expired and kind is asyncio.CancelledError and self._task and self._task.uncancel() == 0:
            raise UpstreamFailed(f"The upstream was silent for {self._seconds:g} seconds.") from None

    def _check(self) -> None:
        now = self._loop.time()
        if self.resting:
            self._restart(now + self._seconds)
        elif now < self._until:
            self._restart(self._until)
        elif self._task:
            self._expired = True
            self._task.cancel()

    def _restart(self, moment: float) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_at(moment, self._check)
