"""One answer of a backend: opened, read as events, limited in time and size, closed.

    async with open_stream(client, provider, body, cache_key=key, limits=limits) as stream:
        async for events in stream: ...     # lists: events that arrived together stay together

Transport errors become ours here, and this is the only file that knows which HTTP transport is underneath: httpx speaks
through aiohttp's C parser (httpx-aiohttp), which costs 8–9 µs a streamed delta instead of 38–50.

What a server sends is limited as a whole: the seconds and the bytes of an answer and of an error body, counted after
decompression, and the seconds of silence. An answer is judged by its first bytes, because some servers label a stream
as JSON and some send one whole Response although a stream was asked for.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
import httpx
from httpx_aiohttp import HttpxAiohttpClient

from ..accounts.http import client_options
from ..accounts.providers.base import Provider
from ..errors import UpstreamFailed
from ..translate.wire import openai
from ..translate.wire.json_text import loads
from ..translate.wire.sse import Decoder, Event
from .error_report import Report, read_report, shorten_words

CONNECT_SECONDS = 20.0
GZIP_LEVEL = 1  # 9 ms a megabyte; higher ones take twice as long for a tenth less
ANSWER_LIMIT = 64 << 20  # bytes of an answer; a longer one is a failure of the upstream
ANSWER_SECONDS = 2 * 3600.0  # of a whole answer, however steadily it comes
ERROR_BODY_LIMIT = 1 << 20  # bytes of a failed answer that are read
ERROR_BODY_SECONDS = 10.0  # for which they are read
DECODED_PIECE = 1 << 20  # bytes that are decompressed at a time
LAST_BYTES_WITHIN = 0.05  # seconds after an answer's last event
NO_LIMIT = httpx.Limits(max_connections=0, max_keepalive_connections=0, keepalive_expiry=55)  # aiohttp: 0 is unlimited


@dataclass(frozen=True)
class Limits:
    """Seconds an upstream may be silent.

    `idle` holds while a text or the arguments of a call are streaming; `first_event` before that, between two items of
    the answer, and while the model reasons: healthy turns were seen silent for 8.5 minutes there.
    """

    first_event: float
    idle: float
    whole: float = ANSWER_SECONDS


class Refused(Exception):
    """The upstream answered with a status that is not a success."""

    def __init__(self, report: Report):
        super().__init__(report.message)
        self.report = report


def new_client(url: str) -> httpx.AsyncClient:
    """The one client of a proxy, for the backend at `url`: pooled, with the environment's proxy and certificates for
    that address, without a total timeout.

    Raises BadSetting for a proxy that cannot be used, or certificates that cannot be read.
    """
    timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
    return HttpxAiohttpClient(timeout=timeout, limits=NO_LIMIT, follow_redirects=False, **client_options(url))


class Stream:
    """An answer being read: iterate over lists of events. `headers` are the answer's."""

    def __init__(self, response: httpx.Response, watch: StallWatch, limits: Limits):
        self.headers: Mapping[str, str] = response.headers
        self._chunks = _chunks_of(response)
        self._watch = watch
        self._limits = limits
        # The ChatGPT backend holds such an answer back for checks: no silence in it means anything.
        self._held_back = response.headers.get("x-codex-safety-buffering-enabled", "").lower() == "true"

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        """Raises Refused for an answer that is no stream, UpstreamFailed for one that is larger than ANSWER_LIMIT."""
        decoder, limits, watch = Decoder(), self._limits, self._watch
        head = await self._first_bytes()
        if not self._is_stream(head):
            yield await self._whole_response(head)
            return
        chunk: bytes | None = head
        size, streaming, read_chunk = 0, False, aiter(self._chunks).__anext__
        while chunk is not None:
            size += len(chunk)
            if size > ANSWER_LIMIT:
                raise _too_much()
            watch.resting = True  # a client that reads slowly is no fault of the upstream's
            if events := decoder.feed(chunk):
                yield events
                streaming = _is_streaming(events, streaming)
            watch.allow(limits.idle if streaming and not self._held_back else limits.first_event)
            try:
                chunk = await read_chunk()
            except StopAsyncIteration:
                chunk = None
        if events := decoder.flush():
            yield events

    async def _first_bytes(self) -> bytes:
        """The first chunk that is not blank, with what was blank before it."""
        head = b""
        async for chunk in self._chunks:
            head += chunk
            if head.strip(BLANK) or len(head) > ANSWER_LIMIT:
                break
        return head

    def _is_stream(self, head: bytes) -> bool:
        """Whether the answer consists of server-sent events. Its label decides only if its first bytes do not."""
        start = head.lstrip(BLANK)
        if start[:1] in (b"{", b"[", b"<"):
            return False
        if SSE_FIELD.match(start):
            return True
        return not self.headers.get("content-type", "").startswith(("text/html", "application/json"))

    async def _whole_response(self, head: bytes) -> list[Event]:
        """The one event of an answer that came as one JSON object."""
        body = head
        async for chunk in self._chunks:
            body += chunk
            if len(body) > ANSWER_LIMIT:
                raise _too_much()
        try:
            response = loads(body)
        except (ValueError, RecursionError):
            response = None
        if isinstance(response, dict) and isinstance(response.get("output"), list) and not response.get("error"):
            return [openai.response_completed(response)]
        raise Refused(read_report(200, self.headers, body[:ERROR_BODY_LIMIT]))

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
    """POST `body` and give the answer's stream once its status is known to be 200.

    Raises Refused for any other status, UpstreamFailed if the upstream cannot be reached, breaks off, or takes longer
    than the limits allow. The connection is closed on every way out.
    """
    headers = {**provider.headers(cache_key), "accept-encoding": "identity"}
    if len(body) > provider.capabilities.plain_body_limit:
        body = await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL)
        headers["content-encoding"] = "gzip"
    request = client.build_request("POST", provider.url, content=body, headers=headers)
    with StallWatch(limits.first_event, whole=limits.whole) as watch:
        try:
            response = await client.send(request, stream=True, auth=provider.auth)
            try:
                if response.status_code != 200:
                    raise Refused(read_report(response.status_code, response.headers, await _error_body(response)))
                yield Stream(response, watch, limits)
            finally:
                await response.aclose()
        except (httpx.TransportError, httpx.DecodingError, aiohttp.ClientError) as problem:
            raise _connection_error(provider.url, problem) from problem


# Event types between which a text or a call's arguments stream; every other type of a response's ends that.
STREAMING = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
    }
)
BLANK = b" \t\r\n\xef\xbb\xbf"
SSE_FIELD = re.compile(rb"(?:data|event|id|retry)?:")


def _is_streaming(events: list[Event], before: bool) -> bool:
    """Whether a text or a call's arguments are streaming after these events; keep-alive events change nothing."""
    for event in reversed(events):
        kind = event.get("type")
        if kind in STREAMING:
            return True
        if isinstance(kind, str) and kind.startswith("response."):
            return False
    return before


def _too_much() -> UpstreamFailed:
    return UpstreamFailed(f"The upstream's answer is larger than {ANSWER_LIMIT >> 20} MB.", retry=False)


def _chunks_of(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes; decompressed if it was compressed, although we ask for it plain."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return response.aiter_raw()
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _decompress(response)
    raise UpstreamFailed(f"The upstream compressed its answer ({encoding}), which it was not asked to do.", retry=False)


async def _decompress(response: httpx.Response) -> AsyncIterator[bytes]:
    """At most DECODED_PIECE bytes at a time: a megabyte of zeros is a kilobyte on the wire."""
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, as the data says
    async for data in response.aiter_raw():
        while data:
            try:
                piece = inflate.decompress(data, DECODED_PIECE)
            except zlib.error as problem:
                raise UpstreamFailed(f"The upstream's compressed answer cannot be read: {problem}.") from None
            if piece:
                yield piece
            data = inflate.unconsumed_tail
            if inflate.eof:  # a server may send one compressed member after another
                data, inflate = inflate.unused_data, zlib.decompressobj(zlib.MAX_WBITS | 32)


async def _error_body(response: httpx.Response) -> bytes:
    """The body of a failed answer, as far as it comes within ERROR_BODY_SECONDS and ERROR_BODY_LIMIT."""
    body = b""
    with suppress(TimeoutError, UpstreamFailed):
        async with asyncio.timeout(ERROR_BODY_SECONDS):
            async for chunk in _chunks_of(response):
                body += chunk
                if len(body) > ERROR_BODY_LIMIT:
                    break
    return body


def _connection_error(url: str, problem: Exception) -> UpstreamFailed:
    """What to say of a connection that failed. httpx-aiohttp calls most of it ConnectTimeout; aiohttp's own error, the
    cause, knows better."""
    host = httpx.URL(url).netloc.decode()
    cause = problem.__cause__ if isinstance(problem.__cause__, aiohttp.ClientError) else problem
    why = _describe_cause(cause)
    if isinstance(cause, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return UpstreamFailed(f"The HTTP proxy on the way to {host} failed: {why}.", "Check HTTPS_PROXY.")
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        hint = "If your network replaces certificates, set SSL_CERT_FILE to its own."
        return UpstreamFailed(f"The certificate of {host} is not trusted: {why}.", hint, retry=False)
    if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return UpstreamFailed(f"Cannot connect to {host}: {why}.", "Check the address and the network.")
    return UpstreamFailed(f"The connection to {host} broke: {why}.")


def _describe_cause(problem: BaseException) -> str:
    """In as few words as there are for it."""
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        return _describe_cause(problem.certificate_error)
    if isinstance(problem, aiohttp.ClientConnectorError):
        return _describe_cause(problem.os_error)
    if isinstance(problem, aiohttp.ServerDisconnectedError):
        return "the server closed it"
    if isinstance(problem, aiohttp.ClientPayloadError):
        return "it ended in the middle of the answer"
    if isinstance(problem, aiohttp.ClientResponseError):
        return shorten_words(problem.message)
    if isinstance(problem, ssl.SSLCertVerificationError):
        return problem.verify_message
    if isinstance(problem, OSError) and not isinstance(problem, ssl.SSLError) and problem.errno and problem.errno > 0:
        return os.strerror(problem.errno)
    return shorten_words(getattr(problem, "strerror", None) or str(problem) or type(problem).__name__).rstrip(".")


class StallWatch:
    """Cancels the current task's wait when `allow` has not been called for as long as it last allowed, or when `whole`
    seconds have passed altogether.

    One timer, moved when it fires or when the limit gets shorter: a call of `allow` costs next to nothing. While
    `resting`, until the next `allow`, no silence counts. The cancellation leaves the `with` as UpstreamFailed.
    """

    def __init__(self, seconds: float, *, whole: float = ANSWER_SECONDS):
        self._seconds = seconds
        self._whole = whole
        self.resting = False
        self._expired = ""  # the sentence about it

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
        self._end = self._loop.call_later(self._whole, self._expire, _took_too_long(self._whole))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        self._end.cancel()
        if self._expired and kind is asyncio.CancelledError and self._task and self._task.uncancel() == 0:
            raise UpstreamFailed(self._expired) from None

    def _check(self) -> None:
        now = self._loop.time()
        if self.resting:
            self._restart(now + self._seconds)
        elif now < self._until:
            self._restart(self._until)
        else:
            self._expire(f"The upstream was silent for {self._seconds:g} seconds.")

    def _expire(self, sentence: str) -> None:
        if self._task and not self._expired:
            self._expired = sentence
            self._task.cancel()

    def _restart(self, moment: float) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_at(moment, self._check)


def _took_too_long(seconds: float) -> str:
    return f"The upstream's answer took longer than {seconds / 60:g} minutes."
