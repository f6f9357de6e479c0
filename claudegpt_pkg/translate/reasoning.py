"""A reasoning item ↔ a thinking block's signature: how reasoning survives a turn although the proxy keeps no state.

The client keeps a thinking block and sends it back verbatim. Its signature therefore carries the whole item as it
stood at `output_item.done` (id, summary, encrypted_content), and the next request replays it unchanged. The id is
optional; an item without encrypted content is not replayed.

    claudegpt1.<base64url of the item's JSON without its blob>.<encrypted_content as it is>

The signature also carries the `phase` of the message that the reasoning led to (commentary or final_answer), because a
text block has no field for it and newer models want it back with every message.

Azure sends encrypted_content only in `response.completed`, when the block is closed. A second signature of the same
item, marked `late`, then comes in a redacted_thinking block, and `gather_late_blobs` joins the two. An answer that
ends the turn has no such block: the backend does not need what led to it again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

Item = dict[str, Any]
PREFIX = "claudegpt1."
KEPT = ("id", "summary", "content")  # what a replayed item may hold besides its blob


def sign(item: Mapping[str, Any], *, late: bool = False, phase: str | None = None) -> str:
    """Return the signature that carries `item`, a reasoning item, and the phase of the message after it."""
    bare = {key: item[key] for key in KEPT if item.get(key)}
    if late:
        bare["late"] = True
    if phase:
        bare["phase"] = phase
    coded = base64.urlsafe_b64encode(orjson.dumps(bare)).decode().rstrip("=")
    return f"{PREFIX}{coded}.{item.get('encrypted_content') or ''}"


def read_signature(signature: object) -> Item | None:
    """Return the item that a signature carries; None for a signature that claudegpt did not make (real Claude's)."""
    if not isinstance(signature, str) or not signature.startswith(PREFIX):
        return None
    coded, _, blob = signature.removeprefix(PREFIX).partition(".")
    try:
        bare = orjson.loads(base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)))
    except (ValueError, binascii.Error):
        return None
    if not isinstance(bare, dict) or not isinstance(bare.get("id", ""), str):
        return None
    return {"type": "reasoning", "summary": [], **bare, "encrypted_content": blob}


def gather_late_blobs(signatures: Iterable[object]) -> dict[str, str]:
    """Return the encrypted contents that came late, by item id."""
    items = (read_signature(signature) for signature in signatures)
    return {item["id"]: item["encrypted_content"] for item in items if item and item.get("late") and item.get("id")}


def replay(signature: object, late_blobs: dict[str, str]) -> Item | None:
    """Return the item to send for a thinking block; None if the signature is foreign or has no encrypted content."""
    item = read_signature(signature)
    if item is None or item.get("late"):
        return None
    item.pop("phase", None)
    item["encrypted_content"] = item["encrypted_content"] or late_blobs.get(item.get("id", ""), "")
    return item if item["encrypted_content"] else None


def read_phase(signature: object) -> str | None:
    """Return the phase of the message that the reasoning led to, if the upstream gave it one."""
    found = (read_signature(signature) or {}).get("phase")
    return found if isinstance(found, str) else None
