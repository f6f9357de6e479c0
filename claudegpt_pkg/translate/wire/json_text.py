"""JSON text ↔ Python, as both wires need it: fast, stable byte for byte, and lossless where orjson alone refuses.

JavaScript writes half of a cut emoji as a lone surrogate escape ("\\ud83d"); orjson refuses the whole document for it,
which would end a session. Such a half becomes U+FFFD here, as it would on any UTF-8 wire.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from ...errors import InvalidRequest

TOO_DEEP = "The request is nested too deeply to be sent on."


def loads(data: bytes | str) -> Any:
    """Parse JSON. Raises ValueError (json.JSONDecodeError) saying where it is broken."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return mended(loads_halves(data))


def loads_halves(data: bytes | str) -> Any:
    """Parse JSON that orjson has refused: each lone surrogate stays one. Raises ValueError where that was not why."""
    if b"\\ud" not in (data.encode("utf-8", "replace") if isinstance(data, str) else data).lower():
        return orjson.loads(data)
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def mended(value: Any) -> Any:
    """`value` with each lone surrogate as U+FFFD."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def encode(value: Any) -> bytes:
    """Compact JSON, keys in their own order: the same value gives the same bytes.

    Raises InvalidRequest for what can be read but not written again: it is nested some 250 deep.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        raise InvalidRequest(TOO_DEEP) from None


def dumps(value: Any) -> str:
    return encode(value).decode()
