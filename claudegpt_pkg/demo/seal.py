"""The demo's encrypted reasoning: an opaque token that can be opened only if it comes back unchanged.

    token = seal({"item": "rs_1", "thought": "…"})
    unseal(token)   → the same dict, or None for a token that was cut, mangled, or made by another backend

The key is in this file on purpose: there is nothing to hide. The token shows whether a client brings reasoning back
whole, also to a demo that was restarted in between.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from typing import Any

import orjson

KEY = b"claudegpt demo: integrity, not secrecy"
MAC_BYTES = 32


def seal(state: dict[str, Any]) -> str:
    packed = zlib.compress(orjson.dumps(state))
    return base64.urlsafe_b64encode(_mac(packed) + packed).decode()


def unseal(token: object) -> dict[str, Any] | None:
    if not isinstance(token, str):
        return None
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:  # not ASCII, or not base64
        return None
    mac, packed = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(packed)):
        return None
    state: dict[str, Any] = orjson.loads(zlib.decompress(packed))
    return state


def _mac(packed: bytes) -> bytes:
    return hmac.digest(KEY, packed, hashlib.sha256)
