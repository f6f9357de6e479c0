"""The proxy as an ASGI app: its routes, the HTTP client that they share, the check of the token, and the conversion of
every error into Anthropic's form.

A request must carry the token, except for /health. A request with an `Origin` header, or with a `Host` that is not a
loopback name, is refused. So neither another user's process nor a web page can spend the user's plan. What a client
without the token may send at all, and for how long, is limited in server/connections.py.
"""

from __future__ import annotations

import asyncio
import hmac
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..accounts import model_list
from ..accounts.providers.base import Provider
from ..errors import ClaudegptError, Forbidden, NotLoggedIn
from ..formats import format_milliseconds, to_one_line
from ..records.session_usage import SessionUsage
from ..records.trace import Traces
from ..records.usage_log import UsageLog
from ..secret import Secret
from ..settings.options import HOST, JSON_LIMIT, TRACE, TRACE_MAX_MB
from ..settings.settings import Settings
from ..settings.values import is_loopback
from ..translate.wire.sse import encode
from ..upstream.capability_store import recall, remember
from ..upstream.stream import new_client
from .context import Patience, Proxy, Rules, WebFetch
from .mcp_tools import McpTools
from .routes import (
    CountTokens,
    Messages,
    Models,
    Usage,
    error_body,
    error_response,
    health,
    no_route,
    request_id_of,
)

OPEN_PATHS = ("/health",)
REQUEST_ID = b"request-id"
DEFAULT_PATIENCE = Patience()


def create_app(
    settings: Settings,
    provider: Provider,
    *,
    token: Secret,
    patience: Patience = DEFAULT_PATIENCE,
    session_usage: SessionUsage | None = None,
    mcp: McpTools | None = None,
    log: Callable[[str], None] | None = None,
) -> Starlette:
    """The proxy for one account. Its usage is counted in `session_usage`. `log` takes a line for each request that
    carried the token; it must not block.

    Raises BadSetting for a setting that cannot be used.
    """
    traces = Traces(settings.trace_dir, settings[TRACE_MAX_MB] << 20) if settings[TRACE] else None
    client = new_client(provider.url)
    cache = settings.dirs.cache
    learnt = recall(cache, provider)
    usage_log = UsageLog(settings.dirs.state)
    proxy = Proxy(
        provider,
        Rules.of(settings),
        client,
        traces,
        patience,
        dict(learnt),
        session_usage or SessionUsage(),
        usage_log,
        mcp,
        WebFetch.of(settings),
    )
    models, usage = Models(proxy), Usage(proxy)
    limit = settings[JSON_LIMIT]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if mcp:
            mcp.start()
        async with client:
            refreshing = asyncio.create_task(_refresh_model_list(client, provider, cache))
            yield
            refreshing.cancel()
        if mcp:
            mcp.stop()
        if traces:
            traces.flush()
        usage_log.flush()
        news = {model: known for model, known in proxy.learned.items() if known != learnt.get(model)}
        if news:  # only these: `claudegpt setup` may have deleted the others meanwhile
            remember(cache, provider, news)

    app = Starlette(
        routes=[
            Route("/v1/messages", Messages(proxy, limit), methods=["POST"]),
            Route("/v1/messages/count_tokens", CountTokens(proxy, limit), methods=["POST"]),
            Route("/v1/models", models.list),
            Route("/v1/models/{model_id:path}", models.one),
            Route("/usage", usage.whole),
            Route("/status-line", usage.line, methods=["POST"]),
            Route("/health", health),
            Route("/", health),
        ],
        middleware=[
            Middleware(ErrorBoundary, log=log),
            Middleware(TokenCheck, token=token, any_host=not is_loopback(settings[HOST])),
        ],
        exception_handlers={HTTPException: no_route},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # clients do not follow a redirect of a POST
    app.state.proxy = proxy
    app.state.knows_token = lambda headers: _carries_token(headers, token)  # the server limits connections without it
    return app


async def _refresh_model_list(client: httpx.AsyncClient, provider: Provider, cache: Path) -> None:
    """Fetch the account's list of models for the next start if the stored one is old. Runs in the background."""
    if provider.models_url and model_list.is_stale(cache, provider.models_url, provider.account):
        with suppress(ClaudegptError):
            await model_list.refresh(provider, cache)


@dataclass
class TokenCheck:
    """Refuses requests without the token, for a host name that is not loopback, and of web pages.

    With `any_host`, for a proxy that listens on the network, every host name is allowed.
    """

    app: ASGIApp
    token: Secret
    any_host: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            self._check(headers, scope["path"])
            scope["state"]["is_logged"] = scope["path"] not in OPEN_PATHS  # a stranger must not fill the log
        await self.app(scope, receive, send)

    def _check(self, headers: Headers, path: str) -> None:
        if "origin" in headers:
            raise Forbidden("Web pages cannot use this proxy.")
        if not self.any_host and not is_loopback(host_name(headers.get("host", ""))):
            raise Forbidden("This proxy can only be used at a loopback address, such as 127.0.0.1 or localhost.")
        if path not in OPEN_PATHS and not _carries_token(headers.raw, self.token):
            raise NotLoggedIn(
                "The request lacks the token of this proxy.",
                "Send the ANTHROPIC_AUTH_TOKEN that claudegpt set, or that `claudegpt env` prints.",
            )


def _carries_token(headers: Iterable[tuple[bytes, bytes]], token: Secret) -> bool:
    """Whether the token is the `x-api-key` or the bearer token. Comparing takes the same time for every token."""
    expected = token.reveal().encode()
    matches = [hmac.compare_digest(offered, expected) for offered in _offered_tokens(headers) if offered]
    return any(matches)


def _offered_tokens(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    for name, value in headers:
        if name == b"x-api-key":
            yield value
        elif name == b"authorization":
            scheme, _, bearer = value.partition(b" ")
            if scheme.lower() == b"bearer":
                yield bearer.strip()


def host_name(host: str) -> str:
    """The name in a Host header, without the port; an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


@dataclass
class ErrorBoundary:
    """Gives every request an id, and turns every error into a status and an error body, or, if the stream has begun,
    into an `error` event. The id stands in the header `request-id` of each answer and in each error."""

    app: ASGIApp
    log: Callable[[str], None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        def send_with_id(message: Message) -> Awaitable[None]:  # no coroutine of its own: it is called for every delta
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if not any(name == REQUEST_ID for name, _ in message["headers"]):
                    message["headers"].append((REQUEST_ID, request_id.encode()))
            return send(message)

        try:
            await self._answer(scope, receive, send_with_id, begun=lambda: status > 0)
        finally:
            if self.log and scope["state"].get("is_logged"):
                self.log(_log_line(scope, status, time.perf_counter() - began))

    async def _answer(self, scope: Scope, receive: Receive, send: Send, *, begun: Callable[[], bool]) -> None:
        try:
            await self.app(scope, receive, send)
        except ClaudegptError as error:
            problem = error
        except Exception as bug:  # noqa: BLE001  the boundary: a bug must end as an error, never as a cut stream
            problem = ClaudegptError(
                f"This is a bug in claudegpt: {type(bug).__name__}: {bug}.",
                "Please report it with the output of `claudegpt trace show`.",
                retry=False,  # the same request would meet the same bug
            )
        else:
            return
        request_id = request_id_of(scope)
        if begun():
            event = encode(error_body(problem, request_id))
            await send({"type": "http.response.body", "body": event, "more_body": False})
        else:
            await error_response(problem, request_id)(scope, receive, send)


def _log_line(scope: Scope, status: int, seconds: float) -> str:
    """14:05:09 POST /v1/messages 200 12.4s 3f2a91…: the id is the one that `claudegpt trace show` takes."""
    request = f"{scope['method']} {to_one_line(scope['path'], 80)}"
    outcome = status or "client went away"
    return (
        f"{time.strftime('%H:%M:%S')} {request} {outcome} {format_milliseconds(1000 * seconds)} {request_id_of(scope)}"
    )
