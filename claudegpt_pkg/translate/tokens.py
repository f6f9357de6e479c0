"""Token counts with the o200k vocabulary, offline, over a translated request.

The tokenizer is exact for text; what the upstream adds around each item and how it counts images is not public, so
those are the constants below. The vocabulary takes about 35 MB of memory and 60 ms to load, at the first count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from .wire.json_text import dumps

if TYPE_CHECKING:
    from splintr import AnyTokenizer

ITEM_TOKENS = 4  # the frame around a message, a call, an output, a tool
IMAGE_TOKENS = 1_100  # a 1024 × 1024 image at full detail, within a few per cent
FILE_BYTES_PER_TOKEN = 40  # of base64: a PDF's pages are read as text and as pictures


def count_tokens(body: Mapping[str, Any]) -> int:
    """Input tokens of a Responses request body. CPU-bound, about 30 MB a second: call it in a thread if large."""
    tokens = count_text(body.get("instructions") or "")
    for tool in body.get("tools") or ():
        tokens += ITEM_TOKENS + count_text(dumps(tool))
    for item in body["input"]:
        tokens += ITEM_TOKENS + _count_item(item)
    return tokens


def _count_item(item: Mapping[str, Any]) -> int:
    kind = item["type"]
    if kind == "message":
        return _count_parts(item["content"])
    if kind == "function_call":
        return count_text(item["name"]) + count_text(item["arguments"])
    if kind == "function_call_output":
        return _count_parts(item["output"])
    if kind == "reasoning":
        return _count_blob(item.get("encrypted_content") or "")
    return count_text(dumps({key: item[key] for key in ("arguments", "tools") if key in item}))


def _count_parts(content: str | Iterable[Mapping[str, Any]]) -> int:
    if isinstance(content, str):
        return count_text(content)
    return sum(_count_part(part) for part in content)


def _count_part(part: Mapping[str, Any]) -> int:
    if "text" in part:
        return count_text(part["text"])
    if part["type"] == "input_image":
        return IMAGE_TOKENS
    return IMAGE_TOKENS + len(part.get("file_data") or "") // FILE_BYTES_PER_TOKEN


def _count_blob(blob: str) -> int:
    """Encrypted content is about as long as its plain text in base64: some 5.3 characters a token."""
    return len(blob) * 3 // 16


def count_text(text: str) -> int:
    return len(_load_vocabulary().encode_ordinary(text)) if text else 0  # special tokens in a text are plain text


@cache
def _load_vocabulary() -> AnyTokenizer:
    from splintr import Tokenizer

    return Tokenizer.from_pretrained("o200k_base")
