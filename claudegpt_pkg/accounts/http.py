"""HTTP as this package uses it: which proxy and certificates a client gets, short questions with limits on the whole,
and connection errors in words.

    httpx.AsyncClient(**client_options(url))        # a client for the server at `url`
    answer = ask_now(Question(url, "The login server"))   # blocking; `await ask(...)` where an event loop runs

A question has a total time and a total size. A server that sends one byte every half second, that never ends its
answer, or that sends a gzip bomb costs that time and that size at most; the size is counted after decompression.

The environment's proxy settings are read here and not by httpx: an entry of NO_PROXY that cannot be read is skipped, a
faulty proxy stops only the requests that would use it, and a server on this machine is never reached through a proxy.
Certificates are read only for encrypted connections.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypedDict
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from ..errors import BadSetting, UpstreamFailed
from ..settings.values import is_loopback
from ..untrusted import one_line

SECONDS = 15.0  # for a whole question
ANSWER_LIMIT = 8 << 20  # bytes of an answer, decompressed; a list of models with its prompts has half a megabyte
CONNECT_SECONDS = 10.0
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class ClientOptions(TypedDict):
    """Arguments of httpx's clients."""

    proxy: httpx.Proxy | None
    verify: ssl.SSLContext | bool
    trust_env: bool


def client_options(url: str) -> ClientOptions:
    """The proxy and the certificates for a client that talks to `url`'s server only.

    Raises BadSetting for a proxy that this URL would use and that cannot be used, or for certificates that cannot be
    read.
    """
    proxy = proxy_for(url)
    encrypted = url.lower().startswith("https:") or (proxy is not None and proxy.url.scheme == "https")
    return {"proxy": proxy, "verify": _certificates() if encrypted else False, "trust_env": False}


# Proxies.


def proxy_for(url: str) -> httpx.Proxy | None:
    """The environment's proxy for requests to `url`; None for a direct connection. Raises BadSetting for a bad one."""
    parts = urlsplit(url)
    host = _canonical(parts.hostname or "")
    proxies = getproxies()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    address = proxies.get(kind, "")
    if not address or is_loopback(host) or _bypasses(proxies.get("no", ""), host, parts.port or _default_port(parts)):
        return None
    variable = _variable(kind, address)
    if address.lower().startswith("socks"):
        raise BadSetting(
            f"{variable} names a SOCKS proxy, which claudegpt cannot use.", "Set HTTPS_PROXY to an HTTP proxy."
        )
    address = address if "://" in address else f"http://{address}"
    try:
        if not urlsplit(address).hostname:
            raise ValueError("no host")
        return httpx.Proxy(address)
    except (ValueError, httpx.InvalidURL):
        raise BadSetting(
            f"{variable} is not the address of an HTTP proxy.", f"Correct {variable}, or unset it in the environment."
        ) from None


def _canonical(host: str) -> str:
    """A host without a dot at its end, and an IPv4 address in four parts however it is written (127.1, 0x7f000001)."""
    host = host.removesuffix(".")
    if re.fullmatch(r"[0-9a-fx.]+", host):
        with suppress(OSError):
            return socket.inet_ntoa(socket.inet_aton(host))
    return host


def _default_port(parts: Any) -> int:
    return 443 if parts.scheme == "https" else 80


def _variable(kind: str, address: str) -> str:
    """The environment variable that holds `address`."""
    names = (f"{kind}_proxy", f"{kind}_proxy".upper())
    return next((name for name in names if os.environ.get(name) == address), names[1])


def _bypasses(no_proxy: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY names the host: itself, a domain above it, its network, `*`; `:port` narrows it."""
    return any(_matches(entry.strip().lower(), host.lower(), port) for entry in no_proxy.split(","))


def _matches(entry: str, host: str, port: int) -> bool:
    entry = entry.partition("://")[2] or entry
    if entry == "*":
        return True
    if with_port := re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*):(\d{1,5})", entry):
        if int(with_port[2]) != port:
            return False
        entry = with_port[1]
    entry = entry.strip("[]").removeprefix("*").removeprefix(".").removesuffix(".")
    if not entry:
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except (ValueError, TypeError):  # one of them is a name, or they are of different versions, or it is neither
        return host == entry or host.endswith(f".{entry}")


# Certificates.


def _certificates() -> ssl.SSLContext:
    """The trusted certificates: SSL_CERT_FILE, SSL_CERT_DIR, else the bundled ones. Raises BadSetting."""
    return _load_certificates(os.environ.get("SSL_CERT_FILE") or "", os.environ.get("SSL_CERT_DIR") or "")


@lru_cache(maxsize=4)  # reading them takes longer than most questions
def _load_certificates(file: str, folder: str) -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as problem:
        name = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
        raise BadSetting(
            f"Cannot read the certificates in {file or folder}: {_reason(problem)}.", f"Correct {name}."
        ) from None


# Questions.


@dataclass(frozen=True)
class Question:
    """One short request. `name` is the server in words, as an error begins with: "The login server"."""

    url: str
    name: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    form: Mapping[str, str] | None = None
    auth: httpx.Auth | None = None
    seconds: float = SECONDS
    limit: int = ANSWER_LIMIT


@dataclass(frozen=True)
class Answer:
    """The whole answer; `body` is decompressed."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class NoAnswer(UpstreamFailed):
    """The server could not be reached, did not answer in time, or answered with too much."""


def ask_now(question: Question, transport: httpx.AsyncBaseTransport | None = None) -> Answer:
    """`ask`, for threads in which no event loop runs."""
    return asyncio.run(ask(question, transport))


async def ask(question: Question, transport: httpx.AsyncBaseTransport | None = None) -> Answer:
    """Send the question and read the whole answer, whatever its status is.

    Raises NoAnswer when there is none within the limits, BadSetting for a proxy or certificates that cannot be used,
    and what the question's `auth` raises.
    """
    try:
        async with asyncio.timeout(question.seconds):
            return await _send(question, transport)
    except TimeoutError:
        raise NoAnswer(
            f"{question.name} did not finish its answer within {question.seconds:g} seconds ({question.url}).",
            "Try again in a moment.",
        ) from None
    except httpx.RequestError as problem:
        raise unreachable(problem, question.url, question.name) from None


async def _send(question: Question, transport: httpx.AsyncBaseTransport | None) -> Answer:
    timeout = httpx.Timeout(question.seconds, connect=min(question.seconds, CONNECT_SECONDS))
    if transport:
        client = httpx.AsyncClient(timeout=timeout, transport=transport)
    else:
        client = httpx.AsyncClient(timeout=timeout, **client_options(question.url))
    async with client:
        # The connection is not kept, because a small server may have room for only one.
        headers = {"accept-encoding": "gzip", "connection": "close", **question.headers}
        request = client.build_request(
            question.method, question.url, headers=headers, json=question.json, data=question.form
        )
        response = await client.send(request, auth=question.auth, stream=True)
        try:
            body = await _read(response, question)
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, body)


async def _read(response: httpx.Response, question: Question) -> bytes:
    """The body, decompressed. Raises NoAnswer when it is larger than the limit or cannot be decompressed."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    body = bytearray()
    async for piece in _decode(response.aiter_raw(), encoding, question):
        body += piece
        if len(body) > question.limit:
            raise NoAnswer(
                f"{question.name} answered with more than {question.limit >> 20} MB ({question.url}).",
                "Check the address.",
            )
    return bytes(body)


async def _decode(raw: AsyncIterator[bytes], encoding: str, question: Question) -> AsyncIterator[bytes]:
    if encoding in ("identity", ""):
        async for chunk in raw:
            yield chunk
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise NoAnswer(f"{question.name} answered in an encoding that was not requested ({one_line(encoding)}).")
    inflate = zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        async for chunk in raw:
            for piece in _inflate(inflate, chunk):
                yield piece
    except zlib.error:
        raise NoAnswer(f"{question.name} answered with bytes that cannot be decompressed.") from None


def _inflate(inflate: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    """The chunk's content in pieces of bounded size, so that a bomb is noticed before it has gone off."""
    while chunk and not inflate.eof:
        yield inflate.decompress(chunk, 1 << 20)
        chunk = inflate.unconsumed_tail


# Errors in words.


def unreachable(problem: httpx.RequestError, url: str, name: str) -> NoAnswer:
    """What to tell the user about a request that got no answer."""
    why = _reason(problem)
    if isinstance(problem, httpx.ProxyError):
        variable = _used_variable(url)
        return NoAnswer(f"The HTTP proxy on the way to {urlsplit(url).netloc} failed: {why}.", f"Check {variable}.")
    if next(_causes(problem, ssl.SSLCertVerificationError), None) or "CERTIFICATE" in why.upper():
        return NoAnswer(
            f"The certificate of {urlsplit(url).netloc} is not trusted: {why}.",
            "If your network replaces certificates, set SSL_CERT_FILE to its own. Also check this machine's clock.",
        )
    named = urlsplit(url).netloc in name
    place = f"{name} cannot be reached" if named else f"{name} cannot be reached at {url}"
    return NoAnswer(f"{place}: {why}.", f"Check the address and the network{_proxy_too(url)}.")


def _proxy_too(url: str) -> str:
    try:
        return f", and {_used_variable(url)}" if proxy_for(url) else ""
    except BadSetting:
        return ""


def _used_variable(url: str) -> str:
    proxies = getproxies()
    scheme = urlsplit(url).scheme
    kind = scheme if proxies.get(scheme) else "all"
    return _variable(kind, proxies.get(kind, ""))


def _reason(problem: BaseException) -> str:
    """Why a connection failed, in the system's words, without error numbers and class names where there are words."""
    for certificate in _causes(problem, ssl.SSLCertVerificationError):
        return one_line(certificate.verify_message).rstrip(".")
    for error in _causes(problem, OSError):
        if error.errno and error.errno > 0 and not isinstance(error, ssl.SSLError):
            return os.strerror(error.errno)
        if error.strerror and not isinstance(error, ssl.SSLError):
            return one_line(error.strerror).rstrip(".")
    if isinstance(problem, httpx.TimeoutException):
        return "it did not answer in time"
    return one_line(str(problem)).rstrip(".") or type(problem).__name__


def _causes(problem: BaseException | None, kind: type[Any]) -> Iterator[Any]:
    """The exceptions of one kind among the causes of `problem`, itself included, the deepest first."""
    if problem is None:
        return
    yield from _causes(problem.__cause__ or problem.__context__, kind)
    if isinstance(problem, BaseExceptionGroup):
        for each in problem.exceptions:
            yield from _causes(each, kind)
    if isinstance(problem, kind):
        yield problem
