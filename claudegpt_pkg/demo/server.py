"""The demo backend: a Responses API with a scripted model, to show and test the whole chain offline.

It refuses what the real servers refuse (`rules.py`) and stores nothing except its prompt cache, so a conversation goes
on after a restart. `pace` is the pause after each delta in seconds: it makes the stream visible. Tests pass 0.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import MODELS, events
from .answer import stream_move
from .conversation import read_conversation
from .events import Event
from .model import decide
from .prefix import PrefixCache, count_tokens_roughly, prompt_bytes
from .rules import check
from .shapes import Refusal

PACE = 0.02


def create_app(pace: float = PACE, *, key: str | None = None) -> Starlette:
    """The backend. With a `key`, only requests that carry it as their bearer token are read and answered."""
    cache = PrefixCache()

    async def responses(request: Request) -> Response:
        body = _parse_body(await request.body())
        if refusal := check(body):
            return _refusal_response(refusal)
        move, found = decide(read_conversation(body)), cache.read(body)
        stream = stream_move(move, body, found, new_id=new_id, created_at=int(time.time()))
        if body.get("stream"):
            return StreamingResponse(_pace_events(stream, pace), media_type="text/event-stream", headers=request_id())
        return _json_response(_last_event(stream)["response"])

    async def input_tokens(request: Request) -> Response:
        body = _parse_body(await request.body())
        if refusal := check(body):
            return _refusal_response(refusal)
        return _json_response(events.token_count(count_tokens_roughly(prompt_bytes(body))))

    async def models(request: Request) -> Response:
        return _json_response(events.model_list([events.model(name) for name in MODELS]))

    async def model(request: Request) -> Response:
        return _json_response(events.model(request.path_params["name"]))

    app = Starlette(
        routes=[
            Route("/v1/responses", responses, methods=["POST"]),
            Route("/v1/responses/input_tokens", input_tokens, methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/models/{name}", model),
        ],
        exception_handlers={404: _no_such_url, 405: _no_such_url},
    )
    if key:
        app.state.knows_token = lambda headers: _carries_key(headers, key)
        app.add_middleware(KeyCheck, key=key)
    return app


@dataclass
class KeyCheck:
    """Refuses a request without the key before any of its body is read."""

    app: ASGIApp
    key: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _carries_key(scope["headers"], self.key):
            await self.app(scope, receive, send)
            return
        body = events.error(
            "Incorrect API key provided.", kind="invalid_request_error", param=None, code="invalid_api_key"
        )
        await _json_response(body, status=401)(scope, receive, send)


def _carries_key(headers: Iterable[tuple[bytes, bytes]], key: str) -> bool:
    expected = f"Bearer {key}".encode()
    return any(name == b"authorization" and hmac.compare_digest(value, expected) for name, value in headers)


async def _pace_events(stream: Iterable[Event], pace: float) -> AsyncIterator[bytes]:
    for event in stream:
        yield b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))
        if pace and "delta" in event:
            await asyncio.sleep(pace)


def _last_event(stream: Iterator[Event]) -> Event:
    *_, event = stream
    return event


def _parse_body(data: bytes) -> Any:
    """The body as JSON; None if it is none, which `check` then refuses in the right words."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _refusal_response(refusal: Refusal) -> Response:
    kind = "invalid_request_error"
    body = events.error(refusal.message, kind=kind, param=refusal.param, code=refusal.code)
    return _json_response(body, status=refusal.status)


async def _no_such_url(request: Request, problem: Exception) -> Response:
    message = f"Invalid URL ({request.method} {request.url.path})"
    return _refusal_response(Refusal(message, status=getattr(problem, "status_code", 404)))


def _json_response(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json", headers=request_id())


def request_id() -> dict[str, str]:
    return {"x-request-id": new_id("req")}


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"
