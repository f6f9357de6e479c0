"""Transports for questions that need no server: one body for every request, read as it would be from a socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx


def response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """An answer whose body has not been read yet."""

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    return httpx.Response(status, content=chunks(), headers=headers)


def answering(value: Any, status: int = 200) -> httpx.MockTransport:
    """Answers every request with `value` as JSON."""
    return httpx.MockTransport(lambda request: response(status, json.dumps(value).encode()))
