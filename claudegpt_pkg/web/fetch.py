"""One web page, fetched for a model: only from public addresses, with limits on time, size and redirects.

    page = await fetch(url, rules=AddressRules(), limits=FetchLimits())      # Page, Redirected, or FetchError

Rules:
- Only `http` and `https`. Every address that a host name resolves to is checked, at every redirect, and the connection
  goes to the checked address: a name server that answers differently the second time gains nothing.
- No cookies, no credentials, no proxy of the environment. A proxy is used only if `proxy` names one.
- A redirect to another host is not followed: the model is told the new address and decides, as in Claude Code.
- Time and size are limits on the whole fetch. The size is counted after decompression.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from .addresses import AddressRules, FetchError, Target, check_url, is_address, is_public, is_same_site

MB = 1 << 20
HEADERS = {
    "accept": "text/html,application/xhtml+xml,text/markdown;q=0.9,text/plain;q=0.9,application/pdf;q=0.8,*/*;q=0.5",
    "accept-encoding": "gzip, deflate",
    "accept-language": "en,*;q=0.5",
    "user-agent": "claudegpt (web fetch)",
}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
READ_SIZE = 1 << 16
# (host, port) → IP addresses; raises OSError if there are none.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True)
class FetchLimits:
    seconds: float = 15.0  # for the whole fetch, redirects included
    bytes: int = 10 * MB  # of the body, decompressed
    redirects: int = 5


@dataclass(frozen=True)
class Page:
    """A page as the server sent it. `url` is where it was found in the end."""

    url: str
    content_type: str  # the media type in lower case, without parameters; "" if the server named none
    charset: str
    body: bytes


@dataclass(frozen=True)
class Redirected:
    """The server sends the reader to another host."""

    url: str
    target: str
    status: int


@dataclass(frozen=True)
class Fetcher:
    """How pages are fetched: made once, used for every fetch."""

    limits: FetchLimits = field(default_factory=FetchLimits)
    proxy: str | None = None
    tls: ssl.SSLContext | None = None
    resolve: Resolve | None = None  # the system's resolver if None

    async def fetch(self, url: Any, rules: AddressRules) -> Page | Redirected:
        """Fetch one page. Raises FetchError with a code of `web_fetch_tool_result_error`."""
        target = check_url(url, rules)
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await self._follow(target, rules)
        except TimeoutError:
            raise FetchError(
                "url_not_accessible", f"{target.host} did not send the page within {self.limits.seconds:g} seconds."
            ) from None
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as problem:
            raise FetchError("url_not_accessible", _describe_failure(target.host, problem)) from None

    async def _follow(self, target: Target, rules: AddressRules) -> Page | Redirected:
        for _ in range(self.limits.redirects + 1):
            answer = await self._request(target)
            if isinstance(answer, Page):
                return answer
            status, location = answer
            following = check_url(str(target.url.join(URL(location))), rules)
            if not is_same_site(target.host, following.host):
                return Redirected(str(target.url), str(following.url), status)
            if target.url.scheme == "https" and following.url.scheme == "http":
                raise FetchError("url_not_allowed", f"{target.host} redirects from https to http.")
            target = following
        raise FetchError("url_not_accessible", f"{target.host} redirects more than {self.limits.redirects} times.")

    async def _request(self, target: Target) -> Page | tuple[int, str]:
        """One request: the page, or the status and address of a redirect."""
        resolver = CheckingResolver(target, self.resolve or _resolve_by_system, unknown_is_fine=bool(self.proxy))
        if self.proxy:
            await resolver.check()
        connector = aiohttp.TCPConnector(
            # With a proxy, the name to resolve is the proxy's, which the user chose.
            resolver=None if self.proxy else resolver,
            use_dns_cache=False,
            force_close=True,
            ssl=self.tls or True,
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                headers=HEADERS,
                max_line_size=16_384,
                max_field_size=16_384,
            ) as session,
            session.get(target.url, allow_redirects=False, proxy=self.proxy) as response,
        ):
            if response.status in REDIRECTS and response.headers.get("location"):
                return response.status, response.headers["location"]
            if response.status >= 400:
                code = "too_many_requests" if response.status == 429 else "url_not_accessible"
                raise FetchError(code, f"{target.host} answered with HTTP status {response.status}.")
            body = await _read_page_body(response, self.limits.bytes)
            return Page(url=str(target.url), content_type=_media_type(response), charset=charset(response), body=body)


class CheckingResolver(AbstractResolver):
    """Resolves one host and gives aiohttp only the addresses that may be connected to."""

    def __init__(self, target: Target, resolve: Resolve, *, unknown_is_fine: bool = False):
        self._target = target
        self._resolve = resolve
        self._unknown_is_fine = unknown_is_fine

    async def check(self) -> None:
        """Resolve once and refuse private addresses; for a fetch through a proxy, which resolves for itself."""
        await self._addresses(self._target.url.raw_host or self._target.host, self._target.url.port or 0)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._addresses(host, port)
        ]

    async def close(self) -> None:
        return

    async def _addresses(self, host: str, port: int) -> list[str]:
        if is_address(host):  # checked already
            return [host.strip("[]")]
        try:
            found = list(await self._resolve(host, port))
        except (OSError, UnicodeError):
            if self._unknown_is_fine:
                return []
            raise FetchError("url_not_accessible", f"The name {self._target.host} cannot be resolved.") from None
        if not self._target.may_be_private and not all(map(is_public, found)):
            raise FetchError("url_not_allowed", f"{self._target.host} has an address that is not public.")
        return found


async def _resolve_by_system(host: str, port: int) -> Sequence[str]:
    """The addresses that the system's resolver gives for a host, each once."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _read_page_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The decompressed body. Raises FetchError if it is longer than `limit` bytes or cannot be decompressed."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    unpack = _decompressor(encoding)
    chunks: list[bytes] = []
    size = 0
    async for raw in response.content.iter_chunked(READ_SIZE):
        # At most one byte over the limit is ever unpacked, however much the server packed into a chunk.
        chunk = unpack(raw, limit - size + 1) if unpack else raw
        size += len(chunk)
        if size > limit:
            raise FetchError("content_too_large", f"The page is larger than {limit / MB:.3g} MB.")
        chunks.append(chunk)
    return b"".join(chunks)


def _decompressor(encoding: str) -> Callable[[bytes, int], bytes] | None:
    """A function that unpacks a piece of the body, at most so many bytes; None for a body that is not packed."""
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        started = False

        def unpack(data: bytes, most: int) -> bytes:
            nonlocal unpacker, started
            try:
                piece = unpacker.decompress(data, most)
            except zlib.error:
                if started or encoding != "deflate":
                    raise FetchError("url_not_accessible", "The page's compression is broken.") from None
                unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)  # some servers send raw deflate
                try:
                    piece = unpacker.decompress(data, most)
                except zlib.error:
                    raise FetchError("url_not_accessible", "The page's compression is broken.") from None
            started = True
            return piece

        return unpack
    raise FetchError("unsupported_content_type", f"The server packs its pages as {encoding[:40]!r}.")


def _media_type(response: aiohttp.ClientResponse) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def charset(response: aiohttp.ClientResponse) -> str:
    try:
        return response.charset or ""
    except (RuntimeError, ValueError):
        return ""


def _describe_failure(host: str, problem: Exception) -> str:
    """One sentence about a connection that failed. The server's own words are left out: they are not ours to repeat."""
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        return f"The certificate of {host} is not trusted."
    if isinstance(problem, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return f"The HTTP proxy on the way to {host} failed."
    if isinstance(problem, aiohttp.ClientConnectorError | ConnectionError | OSError):
        return f"Cannot connect to {host}."
    return f"{host} did not answer as a web server does."
