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
    tokens = count(body.get("instructions") or "")
    for tool in body.get("tools") or ():
        tokens += ITEM_TOKENS + count(dumps(tool))
    for item in body["input"]:
        tokens += ITEM_TOKENS + item_tokens(item)
    return tokens


def item_tokens(item: Mapping[str, Any]) -> int:
    kind = item["type"]
    if kind == "message":
        return parts_tokens(item["content"])
    if kind == "function_call":
        return count(item["name"]) + count(item["arguments"])
    if kind == "function_call_output":
        return parts_tokens(item["output"])
    if kind == "reasoning":
        return blob_tokens(item.get("encrypted_content") or "")
    return count(dumps({key: item[key] for key in ("arguments", "tools") if key in item}))


def parts_tokens(content: str | Iterable[Mapping[str, Any]]) -> int:
    if isinstance(content, str):
        return count(content)
    return sum(part_tokens(part) for part in content)


def part_tokens(part: Mapping[str, Any]) -> int:
    if "text" in part:
        return count(part["text"])
    if part["type"] == "input_image":
        return IMAGE_TOKENS
    return IMAGE_TOKENS + len(part.get("file_data") or "") // FILE_BYTES_PER_TOKEN


def blob_tokens(blob: str) -> int:
    """An encrypted blob is about its plain text in base64: some 5.3 characters a token."""
    return len(blob) * 3 // 16


def count(text: str) -> int:
    return len(vocabulary().encode_ordinary(text)) if text else 0  # special tokens in a text are plain text


@cache
def vocabulary() -> AnyTokenizer:
    from splintr import Tokenizer

    return Tokenizer.from_pretrained("o200k_base")
