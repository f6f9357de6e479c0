"""A reasoning item ↔ a thinking block's signature: how reasoning survives a turn without any state of ours.

The client keeps a thinking block and sends it back verbatim; its signature therefore carries the whole item as it
stood at `output_item.done` (id, summary, blob), and the next request replays it unchanged (backends.md §1):

    claudegpt1.<base64url of the item's JSON without its blob>.<encrypted_content as it is>

Beside the item stands the `phase` of the message it led to (commentary, or the final answer), which has no place of its
own in a text block; the vendor's types ask for it back on every message.

A backend may reveal the blob only in `response.completed`, when the block is long closed (Azure); then a second
signature of the same item, marked `late`, rides in a redacted_thinking block and `gather` joins the two. Not so behind
an answer that ends the turn: what led to it is not needed again.
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
    """The signature that carries `item`, a reasoning item, and the phase of the message after it."""
    bare = {key: item[key] for key in KEPT if item.get(key)}
    if late:
        bare["late"] = True
    if phase:
        bare["phase"] = phase
    coded = base64.urlsafe_b64encode(orjson.dumps(bare)).decode().rstrip("=")
    return f"{PREFIX}{coded}.{item.get('encrypted_content') or ''}"


def read(signature: object) -> Item | None:
    """The item a signature of ours carries; None for anybody else's (a session begun on real Claude)."""
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


def gather(signatures: Iterable[object]) -> dict[str, str]:
    """Blobs that came late, by item id."""
    items = (read(signature) for signature in signatures)
    return {item["id"]: item["encrypted_content"] for item in items if item and item.get("late") and item.get("id")}


def replay(signature: object, late_blobs: dict[str, str]) -> Item | None:
    """The item to send for a thinking block, or None where it is not ours or cannot be replayed without its blob."""
    item = read(signature)
    if item is None or item.get("late"):
        return None
    item.pop("phase", None)
    item["encrypted_content"] = item["encrypted_content"] or late_blobs.get(item.get("id", ""), "")
    return item if item["encrypted_content"] else None


def phase(signature: object) -> str | None:
    """The phase of the message that the reasoning led to, where the upstream gave it one."""
    found = (read(signature) or {}).get("phase")
    return found if isinstance(found, str) else None
