"""The demo backend: a Responses API with a scripted model, for showing and testing the whole chain offline.

It is strict where the real ones are (`rules.py`) and keeps nothing but its prompt cache: a conversation goes on after a
restart. `pace` is the pause after each delta in seconds, so that an answer is seen to stream; tests pass 0.
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
from .answer import answer
from .conversation import read
from .events import Event
from .model import decide
from .prefix import PrefixCache, prompt, tokens
from .rules import check
from .shapes import Refusal

PACE = 0.02


def create_app(pace: float = PACE, *, key: str | None = None) -> Starlette:
    """The backend. With a `key`, only requests that carry it as their bearer token are read and answered."""
    cache = PrefixCache()

    async def responses(request: Request) -> Response:
        body = parsed(await request.body())
        if refusal := check(body):
            return refused(refusal)
        move, found = decide(read(body)), cache.read(body)
        stream = answer(move, body, found, new_id=new_id, created_at=int(time.time()))
        if body.get("stream"):
            return StreamingResponse(paced(stream, pace), media_type="text/event-stream", headers=request_id())
        return reply(last(stream)["response"])

    async def input_tokens(request: Request) -> Response:
        body = parsed(await request.body())
        if refusal := check(body):
            return refused(refusal)
        return reply(events.token_count(tokens(prompt(body))))

    async def models(request: Request) -> Response:
        return reply(events.model_list([events.model(name) for name in MODELS]))

    async def model(request: Request) -> Response:
        return reply(events.model(request.path_params["name"]))

    app = Starlette(
        routes=[
            Route("/v1/responses", responses, methods=["POST"]),
            Route("/v1/responses/input_tokens", input_tokens, methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/models/{name}", model),
        ],
        exception_handlers={404: no_such_url, 405: no_such_url},
    )
    if key:
        app.state.knows_token = lambda headers: carries(headers, key)
        app.add_middleware(KeyCheck, key=key)
    return app


@dataclass
class KeyCheck:
    """Refuses a request without the key before any of its body is read."""

    app: ASGIApp
    key: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or carries(scope["headers"], self.key):
            await self.app(scope, receive, send)
            return
        body = events.error(
            "Incorrect API key provided.", kind="invalid_request_error", param=None, code="invalid_api_key"
        )
        await reply(body, status=401)(scope, receive, send)


def carries(headers: Iterable[tuple[bytes, bytes]], key: str) -> bool:
    expected = f"Bearer {key}".encode()
    return any(name == b"authorization" and hmac.compare_digest(value, expected) for name, value in headers)


async def paced(stream: Iterable[Event], pace: float) -> AsyncIterator[bytes]:
    for event in stream:
        yield b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))
        if pace and "delta" in event:
            await asyncio.sleep(pace)


def last(stream: Iterator[Event]) -> Event:
    *_, event = stream
    return event


def parsed(data: bytes) -> Any:
    """The body, or None for what is not JSON, which `check` refuses in the right words."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def refused(refusal: Refusal) -> Response:
    kind = "invalid_request_error"
    body = events.error(refusal.message, kind=kind, param=refusal.param, code=refusal.code)
    return reply(body, status=refusal.status)


async def no_such_url(request: Request, problem: Exception) -> Response:
    message = f"Invalid URL ({request.method} {request.url.path})"
    return refused(Refusal(message, status=getattr(problem, "status_code", 404)))


def reply(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json", headers=request_id())


def request_id() -> dict[str, str]:
    return {"x-request-id": new_id("req")}


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"
