"""The proxy's routes: HTTP in, one call, HTTP out. Each is an ASGI app of its own, so that nothing stands between a
streamed event and the socket.

The status of a streamed answer is known before its first byte: the handshake waits for the first real event, at most
`Patience.hold` after the upstream accepted the request; a failure until then is an HTTP status, later an `error` event.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from ..errors import ClaudegptError, InvalidRequest, NotFound, RequestTooLarge
from ..models import LISTED, TIERS, choose_model
from ..settings.options import JSON_LIMIT
from ..translate.request.validate import check_request
from ..translate.request.web_fetch import FetchTool, find_fetch_tool, has_fetched, with_fetch_as_function
from ..translate.tokens import count_tokens
from ..translate.wire import anthropic
from ..translate.wire.json_text import loads
from ..translate.wire.sse import Event, encode
from .context import Patience, Proxy
from .fetch_turn import FetchTurn
from .mcp_tools import named_in
from .plan import CLAUDE_CODE, Ask, make_plan, translate_as_planned
from .status_line import shown_model, status_line
from .turn import Turn

SESSION_ID = re.compile(r"[!-~]+")
DISCOVERY = "claude-code/"  # how Claude Code's user agent begins where it asks for models
STATUS_LIMIT = 1 << 20  # bytes
FETCHED = b"web_fetch_tool_result"
STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
]


class Messages:
    """POST /v1/messages"""

    def __init__(self, proxy: Proxy, limit: int):
        self._proxy = proxy
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = await self._turn(Request(scope, receive))
        if turn.streaming:
            await while_connected(receive, stream_answer(turn, send, self._proxy.patience))
        else:
            await while_connected(receive, whole_answer(turn, scope, receive, send))

    async def _turn(self, request: Request) -> Turn | FetchTurn:
        """Apart, so that only the turn holds what is asked: it lets go of it when the answer begins."""
        ask = await with_tools(await read_ask(request, self._limit), self._proxy)
        web, tool = self._proxy.web, fetch_tool(ask, self._proxy)
        if web and tool:
            return FetchTurn(ask, self._proxy, web, tool)
        return Turn(with_earlier_fetches(ask), self._proxy)


def fetch_tool(ask: Ask, proxy: Proxy) -> FetchTool | None:
    """The tool by which a request lets the proxy fetch web pages, if it has one and the settings allow it."""
    if not proxy.web:
        return None
    return find_fetch_tool(ask.request.get("tools") or (), client_tool=proxy.web.client_tool)


def with_earlier_fetches(ask: Ask) -> Ask:
    """The request with the fetches of earlier turns as calls of a function."""
    if FETCHED not in ask.body or not has_fetched(ask.request["messages"]):
        return ask
    return replace(ask, request=with_fetch_as_function(ask.request, None))


async def stream_answer(turn: Turn | FetchTurn, send: Send, patience: Patience) -> None:
    with StreamSink(send, turn.id, patience) as sink:
        await turn.run(sink)
    await sink.end()


async def whole_answer(turn: Turn | FetchTurn, scope: Scope, receive: Receive, send: Send) -> None:
    await turn.run(Nowhere())
    response = Response(orjson.dumps(turn.message), media_type="application/json")
    response.headers["request-id"] = turn.id
    await response(scope, receive, send)


class Nowhere:
    """The sink of `stream: false`: the turn itself keeps what was answered."""

    def accepted(self, start: Callable[[], list[Event]]) -> None:
        return

    async def emit(self, events: list[Event]) -> None:
        return


class StreamSink:
    """Events to the client as server-sent events, with the handshake held back and pings in long silences."""

    def __init__(self, send: Send, request_id: str, patience: Patience):
        self._send = send
        self._request_id = request_id
        self._patience = patience
        self._begun = False
        self._over = False  # the last event is out; the upstream's body may still be read to its end
        self._quiet_since = 0.0
        self._handshake: Callable[[], list[Event]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> StreamSink:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    def accepted(self, start: Callable[[], list[Event]]) -> None:
        self._handshake = start
        if self._timer is None:
            self._timer = self._loop.call_later(self._patience.hold, self._keep_patient)

    async def emit(self, events: list[Event]) -> None:
        self._over = events[-1]["type"] == "message_stop"
        await self._write(b"".join(map(encode, events)))

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, data: bytes) -> None:
        self._quiet_since = self._loop.time()
        if not self._begun:
            self._begun = True
            headers = [*STREAM_HEADERS, (b"request-id", self._request_id.encode())]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def _keep_patient(self) -> None:
        """The hold is over, or some time has passed: say something if nothing was said."""
        if self._over:
            return
        wait, silent = self._patience.ping, self._loop.time() - self._quiet_since
        if not self._begun or silent >= wait:
            task = self._loop.create_task(self._ping())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            wait -= silent
        self._timer = self._loop.call_later(wait, self._keep_patient)

    async def _ping(self) -> None:
        """With the handshake before it, if that has not gone out until now, when this task has its turn."""
        if self._over:
            return
        handshake = self._handshake() if self._handshake and not self._begun else []
        await self.emit([*handshake, anthropic.ping()])


async def while_connected(receive: Receive, work: Awaitable[None]) -> None:
    """Await `work`, but give it up the moment the client goes away: an interrupted answer must not cost on."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(disconnected(receive))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            doing.cancel()
            await asyncio.wait({doing})
            return
        doing.result()
    finally:
        leaving.cancel()
        if not doing.done():
            doing.cancel()


async def disconnected(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


class CountTokens:
    """POST /v1/messages/count_tokens: exact, by tokenizer, over the translated request."""

    def __init__(self, proxy: Proxy, limit: int):
        self._proxy = proxy
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ask = await with_tools(await read_ask(Request(scope, receive), self._limit, counting=True), self._proxy)
        tool = fetch_tool(ask, self._proxy)
        ask = replace(ask, request=with_fetch_as_function(ask.request, tool)) if tool else with_earlier_fetches(ask)
        translation = translate_as_planned(ask, make_plan(ask, self._proxy))
        tokens = await asyncio.to_thread(count_tokens, translation.body)
        await JSONResponse({"input_tokens": tokens})(scope, receive, send)


class Models:
    """GET /v1/models and /v1/models/{id}, in Anthropic's shape: the tiers' models, then what else the account offers.

    Claude Code asks for what to list in /model besides the tiers, and takes only names that begin with `claude`.
    """

    def __init__(self, proxy: Proxy):
        self._proxy = proxy

    async def list(self, request: Request) -> Response:
        provider = self._proxy.provider
        tiers = [provider.tiers.model(tier) for tier in TIERS]
        if request.headers.get("user-agent", "").startswith(DISCOVERY):
            others = [model for model in provider.offered if model not in tiers]
            return JSONResponse(anthropic.model_list([self._info(LISTED + model, model) for model in others]))
        ids = dict.fromkeys([*tiers, *(provider.offered or provider.models)])
        return JSONResponse(anthropic.model_list([self._info(model_id, model_id) for model_id in ids]))

    async def one(self, request: Request) -> Response:
        """Any name that a request may carry is a model here: it says by which one it is served."""
        asked = request.path_params["model_id"]
        provider = self._proxy.provider
        choice = choose_model(asked, provider.tiers, self._proxy.rules.passthrough, listed=provider.models)
        return JSONResponse(self._info(asked, choice.model))

    def _info(self, model_id: str, served_by: str) -> dict[str, Any]:
        model = self._proxy.provider.model(served_by)
        return anthropic.model_info(model_id, display_name=model.name, window=model.window)


class Usage:
    """GET /usage, and POST /status-line: what this session has used, for programs and in a line for people."""

    def __init__(self, proxy: Proxy):
        self._proxy = proxy

    async def whole(self, request: Request) -> Response:
        return JSONResponse(self._proxy.session_usage.as_json())

    async def line(self, request: Request) -> Response:
        """The body is what Claude Code hands to a `statusLine` command; `window`, what it compacts before; `columns`,
        how wide its terminal is."""
        try:
            told = loads(await read_body(request, STATUS_LIMIT))
        except (ValueError, RecursionError) as problem:
            raise InvalidRequest(f"The request body is not JSON: {problem}.") from None
        if not isinstance(told, dict):
            raise InvalidRequest("The request body is not a JSON object.")
        self._proxy.session_usage.note_model(shown_model(told))
        window, columns = (number(request.query_params.get(name, "")) for name in ("window", "columns"))
        return PlainTextResponse(status_line(told, self._proxy, window, columns=columns) + "\n")


def number(value: str) -> int | None:
    return int(value) if value.isdecimal() and 0 < len(value) < 10 else None


async def health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def with_tools(ask: Ask, proxy: Proxy) -> Ask:
    """With the tools of the user's MCP servers, where the settings say so."""
    if not proxy.mcp:
        return ask
    tells = ask.user_agent.startswith(CLAUDE_CODE)
    named = named_in(ask.request, ask.body) if tells else None
    return replace(ask, request=await proxy.mcp.added_to(ask.request, named=named))


async def read_ask(request: Request, limit: int, *, counting: bool = False) -> Ask:
    """The request as a turn needs it. Raises RequestTooLarge, or InvalidRequest naming what is wrong with it."""
    body = await read_body(request, limit)
    try:
        content = loads(body)
    except (ValueError, RecursionError) as problem:
        raise InvalidRequest(f"The request body is not JSON: {problem}.") from None
    message = check_request(content, counting=counting)
    headers = request.headers
    return Ask(
        request=message,
        body=body,
        session_id=session_id(headers.get("x-claude-code-session-id")) or session_of(message),
        agent_id=headers.get("x-claude-code-agent-id"),
        user_agent=headers.get("user-agent", ""),
        client_retries="x-stainless-retry-count" in headers,
        request_id=request_id_of(request.scope),
    )


async def read_body(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    too_large = RequestTooLarge(f"The request is larger than {limit / 2**20:.3g} MB.", f"Raise {JSON_LIMIT.name}.")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def session_of(message: Mapping[str, Any]) -> str | None:
    """The session id that Claude Code also writes into metadata.user_id, as JSON in a string."""
    user_id = (message.get("metadata") or {}).get("user_id")
    try:
        user = loads(user_id) if isinstance(user_id, str) else None
    except (ValueError, RecursionError):
        return None
    return session_id(user.get("session_id")) if isinstance(user, dict) else None


def session_id(given: Any) -> str | None:
    """An id that can stand in a header of ours; as good as none otherwise."""
    return given if isinstance(given, str) and SESSION_ID.fullmatch(given) else None


async def no_route(request: Request, error: Exception) -> Response:
    """What Starlette answers by itself: 404, or 405 with the methods there are."""
    problem = NotFound(f"There is no {request.method} {request.url.path} here.")
    response = error_response(problem, request_id_of(request.scope))
    if isinstance(error, HTTPException):
        response.status_code = error.status_code
        response.headers.update(error.headers or {})
    return response


def request_id_of(scope: Scope) -> str:
    """The id that the error boundary gave the request; it is the turn's id, by which its trace is found."""
    return str(scope["state"]["request_id"])


def error_response(error: ClaudegptError, request_id: str) -> Response:
    """An error as the client reads it; `x-should-retry` and `retry-after` steer its own retries."""
    headers = {"request-id": request_id}
    if error.retry is not None:
        headers["x-should-retry"] = "true" if error.retry else "false"
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after)))
    return JSONResponse(error_body(error, request_id), status_code=error.status, headers=headers)


def error_body(error: ClaudegptError, request_id: str) -> Event:
    return {**anthropic.error(error.kind, str(error), error.details), "request_id": request_id}
