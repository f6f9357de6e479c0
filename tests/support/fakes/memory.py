"""What a backend remembers: the items it issued, to recognise them when they come back, and the prompts it cached.

A reasoning item must return as it was issued (id, summary, blob) and in its place: right before the item it led to.
Nothing is stored (`store: false`), so all the real backend has is the blob, which knows its own item; this memory
knows as much and no more, and refuses in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .shape import Refused

BYTES_PER_TOKEN = 4
CACHE_BLOCK = 128  # tokens: prompts are cached in blocks of this size,
CACHE_LEAST = 1024  # and not below this length
OUTPUTS = ("reasoning", "message", "function_call", "web_search_call", "tool_search_call")


@dataclass(frozen=True)
class Issued:
    """A reasoning item as it was issued, and the items that followed it in its answer."""

    item: Mapping[str, Any]
    followers: Sequence[Mapping[str, Any]]


class Memory:
    """One backend's."""

    def __init__(self) -> None:
        self._issued: dict[str, Issued] = {}
        self._cached: dict[tuple[str, str], list[bytes]] = {}

    def issue(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Remember an answer's items as they stood when done."""
        for place, item in enumerate(items):
            if item["type"] == "reasoning" and "encrypted_content" in item:
                self._issued[item["encrypted_content"]] = Issued(item, items[place + 1 :])

    def forget(self) -> None:
        """Every blob issued so far is no longer to be decrypted: as after an account or an organisation changed."""
        self._issued.clear()

    def recognise(self, items: Sequence[dict[str, Any]]) -> None:
        """Raises Refused for a reasoning item that is not one of ours, or not where it was."""
        for place, item in enumerate(items):
            if item.get("type") == "reasoning":
                self._recognise(item, items[place + 1] if place + 1 < len(items) else {})

    def count(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The input side of `usage`, this prompt being cached from now on under its key."""
        prompt = _prompt(body)
        tokens = len(prompt) // BYTES_PER_TOKEN + 1
        known = self._cached.setdefault((str(body.get("prompt_cache_key")), body["model"]), [])
        shared = max((_shared(prompt, one) for one in known), default=0) // BYTES_PER_TOKEN
        cached = shared // CACHE_BLOCK * CACHE_BLOCK if shared >= CACHE_LEAST else 0
        known.append(prompt)
        written = max(0, tokens // CACHE_BLOCK * CACHE_BLOCK - cached) if tokens >= CACHE_LEAST else 0
        return {
            "input_tokens": tokens,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        }

    def _recognise(self, item: dict[str, Any], following: Mapping[str, Any]) -> None:
        blob = item.get("encrypted_content")
        if blob is None:
            raise Refused(
                f"Item with id '{item['id']}' not found. Items are not persisted when `store` is set to false. "
                "Try again with `store` set to true, or remove this item from your input.",
                "input",
                status=404,
            )
        issued = self._issued.get(blob)
        if issued is None:
            shown = f"{blob[:8]}...{blob[-4:]}"
            raise Refused(
                f"The encrypted content {shown} could not be verified. "
                "Reason: Encrypted content could not be decrypted or parsed.",
                code="invalid_encrypted_content",
            )
        if issued.item["id"] != item["id"]:
            raise Refused(
                "Encrypted content item_id did not match the target item id.", code="invalid_encrypted_content"
            )
        if issued.item != item:
            raise Refused(f"Item '{item['id']}' is not what its encrypted content says.", "input")
        if not any(_same(following, follower) for follower in _next(issued.followers)):
            raise Refused(
                f"Item '{item['id']}' of type 'reasoning' was provided without its required following item.", "input"
            )


def _next(followers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What may stand after a reasoning item: the item it led to. A hosted search may have been left out since."""
    allowed: list[Mapping[str, Any]] = []
    for item in followers:
        allowed.append(item)
        if item["type"] in ("reasoning", "message", "function_call", "tool_search_call"):
            break
    return allowed


def _same(given: Mapping[str, Any], issued: Mapping[str, Any]) -> bool:
    """Whether `given` is `issued` come back: by call_id, by blob, by what was said."""
    if given.get("type", "message") != issued["type"]:
        return False
    if issued["type"] == "message":
        said, says = _said(issued).strip(), _said(given).strip()
        return given.get("role") == "assistant" and bool(says) and said.startswith(says)
    key = {"reasoning": "encrypted_content", "web_search_call": "id"}.get(str(issued["type"]), "call_id")
    return bool(given.get(key) == issued[key])


def _said(message: Mapping[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or part.get("refusal") or "" for part in content)


def _prompt(body: Mapping[str, Any]) -> bytes:
    """The prompt as the model reads it, so that a shared beginning is a shared prefix."""
    items = body["input"] if isinstance(body["input"], list) else [body["input"]]
    parts = [body.get("tools", []), body.get("instructions") or "", *items]
    return b"\n".join(json.dumps(part, ensure_ascii=False).encode() for part in parts)


def _shared(one: bytes, other: bytes) -> int:
    """The length of the prefix that both have: by halves, as prompts are long."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
