"""JSON text ↔ Python, as both wires need it: fast, the same bytes for the same value, and forgiving to half an emoji.

JavaScript writes half of a cut emoji as a lone surrogate escape ("\\ud83d"). orjson refuses the whole document because
of it, which would end a session. Such a half becomes U+FFFD here, as it does in any UTF-8 text.
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
        return mend_surrogates(loads_halves(data))


def loads_halves(data: bytes | str) -> Any:
    """Parse JSON that orjson refuses because of lone surrogates; they stay. Raises ValueError for any other fault."""
    if b"\\ud" not in (data.encode("utf-8", "replace") if isinstance(data, str) else data).lower():
        return orjson.loads(data)
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def mend_surrogates(value: Any) -> Any:
    """Return `value` with each lone surrogate replaced by U+FFFD. Raises ValueError if it is nested too deeply."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def encode_json(value: Any) -> bytes:
    """Return compact JSON with the keys in their own order: the same value gives the same bytes.

    Raises InvalidRequest for a value nested more than some 250 levels, which orjson can read but not write.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        raise InvalidRequest(TOO_DEEP) from None


def dumps(value: Any) -> str:
    return encode_json(value).decode()
