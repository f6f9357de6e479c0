"""The proxy's routes: each reads one HTTP request, makes one call, and writes the response.

    Route("/v1/messages", Messages(proxy, limit), methods=["POST"])

The routes for messages are ASGI apps of their own, so that nothing stands between a streamed event and the socket. A
failure before the first event of a stream is an HTTP status, a later one an `error` event; app.py writes both.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from ..errors import ClaudegptError, InvalidRequest, NotFound, RequestTooLarge
from ..models import LISTED, TIERS, choose_model
from ..settings.options import JSON_LIMIT
from ..translate.request.validate import check_request
from ..translate.request.web_fetch import FetchTool, find_fetch_tool, has_fetched, with_fetch_as_function
from ..translate.tokens import count_tokens
from ..translate.wire import anthropic
from ..translate.wire.json_text import loads
from ..translate.wire.sse import Event
from .context import Patience, Proxy
from .fetch_turn import FetchTurn
from .mcp_tools import find_named_tools
from .plan import CLAUDE_CODE, Ask, make_plan, translate_as_planned
from .status_line import shown_model, status_line
from .status_report import correct_report
from .stream_sink import Discard, StreamSink, run_while_connected
from .turn import Turn

_SESSION_ID = re.compile(r"[!-~]+")
_DISCOVERY = "claude-code/"  # the beginning of Claude Code's user agent when it asks for models
_STATUS_LIMIT = 1 << 20  # bytes
_FETCHED = b"web_fetch_tool_result"


class Messages:
    """POST /v1/messages"""

    def __init__(self, proxy: Proxy, limit: int):
        self._proxy = proxy
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = await self._turn(Request(scope, receive))
        if turn.streaming:
            await run_while_connected(receive, _stream_answer(turn, send, self._proxy.patience))
        else:
            await run_while_connected(receive, _whole_answer(turn, scope, receive, send))

    async def _turn(self, request: Request) -> Turn | FetchTurn:
        """A function of its own, so that only the turn holds the request: the turn drops it when the answer begins."""
        ask = await _with_mcp_tools(await _read_ask(request, self._limit), self._proxy)
        web, tool = self._proxy.web, _fetch_tool(ask, self._proxy)
        if web and tool:
            return FetchTurn(ask, self._proxy, web, tool)
        return Turn(_with_earlier_fetches(ask), self._proxy)


def _fetch_tool(ask: Ask, proxy: Proxy) -> FetchTool | None:
    """The tool by which a request lets the proxy fetch web pages, if it has one and the settings allow it."""
    if not proxy.web:
        return None
    return find_fetch_tool(ask.request.get("tools") or (), client_tool=proxy.web.client_tool)


def _with_earlier_fetches(ask: Ask) -> Ask:
    """The request with the fetches of earlier turns as calls of a function."""
    if _FETCHED not in ask.body or not has_fetched(ask.request["messages"]):
        return ask
    return replace(ask, request=with_fetch_as_function(ask.request, None))


async def _stream_answer(turn: Turn | FetchTurn, send: Send, patience: Patience) -> None:
    with StreamSink(send, turn.id, patience) as sink:
        await turn.run(sink)
    await sink.end()


async def _whole_answer(turn: Turn | FetchTurn, scope: Scope, receive: Receive, send: Send) -> None:
    await turn.run(Discard())
    response = Response(orjson.dumps(turn.message), media_type="application/json")
    response.headers["request-id"] = turn.id
    await response(scope, receive, send)


class CountTokens:
    """POST /v1/messages/count_tokens: counts the translated request with a tokenizer."""

    def __init__(self, proxy: Proxy, limit: int):
        self._proxy = proxy
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ask = await _with_mcp_tools(await _read_ask(Request(scope, receive), self._limit, counting=True), self._proxy)
        tool = _fetch_tool(ask, self._proxy)
        ask = replace(ask, request=with_fetch_as_function(ask.request, tool)) if tool else _with_earlier_fetches(ask)
        translation = translate_as_planned(ask, make_plan(ask, self._proxy))
        tokens = await asyncio.to_thread(count_tokens, translation.body)
        await JSONResponse({"input_tokens": tokens})(scope, receive, send)


class Models:
    """GET /v1/models and /v1/models/{id}, in Anthropic's shape: the tiers' models, then the account's other models.

    Claude Code asks which models to list in /model beside the tiers, and takes only names that begin with `claude`.
    """

    def __init__(self, proxy: Proxy):
        self._proxy = proxy

    async def list(self, request: Request) -> Response:
        provider = self._proxy.provider
        tiers = [provider.tiers.model(tier) for tier in TIERS]
        if request.headers.get("user-agent", "").startswith(_DISCOVERY):
            others = [model for model in provider.offered if model not in tiers]
            return JSONResponse(anthropic.model_list([self._info(LISTED + model, model) for model in others]))
        ids = dict.fromkeys([*tiers, *(provider.offered or provider.models)])
        return JSONResponse(anthropic.model_list([self._info(model_id, model_id) for model_id in ids]))

    async def one(self, request: Request) -> Response:
        """Any name that a request may carry is a model here; the answer describes the model that serves it."""
        asked = request.path_params["model_id"]
        provider = self._proxy.provider
        choice = choose_model(asked, provider.tiers, self._proxy.rules.passthrough, listed=provider.models)
        return JSONResponse(self._info(asked, choice.model))

    def _info(self, model_id: str, served_by: str) -> dict[str, Any]:
        model = self._proxy.provider.model(served_by)
        return anthropic.model_info(model_id, display_name=model.name, window=model.window)


class Usage:
    """GET /usage and POST /status-line: the session's usage, as JSON and as a line of text."""

    def __init__(self, proxy: Proxy):
        self._proxy = proxy

    async def whole(self, request: Request) -> Response:
        return JSONResponse(self._proxy.session_usage.as_json())

    async def line(self, request: Request) -> Response:
        """The body is the JSON that Claude Code gives to a `statusLine` command. `window`: the tokens at which the
        session is compacted; `columns`: the width of the terminal."""
        try:
            report = loads(await read_body(request, _STATUS_LIMIT))
        except (ValueError, RecursionError) as problem:
            raise InvalidRequest(f"The request body is not JSON: {problem}.") from None
        if not isinstance(report, dict):
            raise InvalidRequest("The request body is not a JSON object.")
        self._proxy.session_usage.note_model(shown_model(report))
        window, columns = (_parse_number(request.query_params.get(name, "")) for name in ("window", "columns"))
        if request.query_params.get("wanted") == "report":
            return JSONResponse(correct_report(report, self._proxy, window))
        return PlainTextResponse(status_line(report, self._proxy, window, columns=columns) + "\n")


def _parse_number(value: str) -> int | None:
    return int(value) if value.isdecimal() and 0 < len(value) < 10 else None


async def health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _with_mcp_tools(ask: Ask, proxy: Proxy) -> Ask:
    """The request with the tools of the user's MCP servers, if the settings ask for them."""
    if not proxy.mcp:
        return ask
    is_claude_code = ask.user_agent.startswith(CLAUDE_CODE)
    named = find_named_tools(ask.request, ask.body) if is_claude_code else None
    return replace(ask, request=await proxy.mcp.add_to(ask.request, named=named))


async def _read_ask(request: Request, limit: int, *, counting: bool = False) -> Ask:
    """Read a Messages request. Raises RequestTooLarge, or InvalidRequest that names what is wrong with it."""
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
        session_id=_checked_session_id(headers.get("x-claude-code-session-id")) or session_of(message),
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
    """The session id in `metadata.user_id`, where Claude Code writes it as JSON in a string."""
    user_id = (message.get("metadata") or {}).get("user_id")
    try:
        user = loads(user_id) if isinstance(user_id, str) else None
    except (ValueError, RecursionError):
        return None
    return _checked_session_id(user.get("session_id")) if isinstance(user, dict) else None


def _checked_session_id(given: Any) -> str | None:
    """The id, if it can stand in a header of our request; else None."""
    return given if isinstance(given, str) and _SESSION_ID.fullmatch(given) else None


async def no_route(request: Request, error: Exception) -> Response:
    """The answer where Starlette finds no route: 404, or 405 with the methods that exist."""
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
