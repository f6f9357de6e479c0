"""The demo's prompt cache: how many tokens a prompt has, and how many of them were seen before.

The cache works on the bytes of the prompt: two requests with the same model and `prompt_cache_key` share the beginning
that their prompts have in common, in whole blocks of 128 tokens and from 1,024 tokens up, as OpenAI documents it. So a
client that changes a byte near the beginning loses its cache hits here too.

The demo has no vocabulary: a token is four bytes, an image or file is about a thousand tokens.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

BYTES_PER_TOKEN = 4
BLOCK_TOKENS = 128
LEAST_TOKENS = 1024
KEPT_PROMPTS = 64  # conversations remembered, the oldest forgotten first
MOST_BLOCKS = 20_000  # of one conversation: a few MB of memory at most
EMBEDDED = re.compile(rb'"data:[^"]{200,}"')  # an image or file inside the prompt
EMBEDDED_TOKENS = 1000


@dataclass(frozen=True)
class Input:
    """The tokens of a prompt: all of them, those found in the cache, those written to it."""

    tokens: int
    cached: int
    written: int


class PrefixCache:
    """The prompts that were seen, by model and cache key."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], set[bytes]] = OrderedDict()

    def read(self, body: Mapping[str, Any]) -> Input:
        """Count the prompt of a request and put it into the cache."""
        data = prompt_bytes(body)
        key = (body["model"], body.get("prompt_cache_key") or "")
        before, now = self._seen.get(key, set()), list(_digest_prefixes(data))
        hits = next((at for at, prefix in enumerate(now) if prefix not in before), len(now))
        self._remember(key, before.union(now) if len(before) < MOST_BLOCKS else set(now))
        cached = _above_least(hits)
        return Input(tokens=count_tokens_roughly(data), cached=cached, written=_above_least(len(now)) - cached)

    def _remember(self, key: tuple[str, str], prefixes: set[bytes]) -> None:
        self._seen[key] = prefixes
        self._seen.move_to_end(key)
        while len(self._seen) > KEPT_PROMPTS:
            self._seen.popitem(last=False)


def prompt_bytes(body: Mapping[str, Any]) -> bytes:
    """The prompt in the order in which a model reads it: tools, instructions, input."""
    given = body.get("input")
    items = [given] if isinstance(given, str) else given or []
    parts = [body.get("tools") or [], body.get("instructions") or "", *items]
    return EMBEDDED.sub(_stand_in, b"\n".join(orjson.dumps(part) for part in parts))


def count_tokens_roughly(data: bytes | str) -> int:
    size = len(data.encode()) if isinstance(data, str) else len(data)
    return -(-size // BYTES_PER_TOKEN)


def _digest_prefixes(data: bytes) -> Iterator[bytes]:
    """Yield a digest of each prefix of whole blocks."""
    step = BLOCK_TOKENS * BYTES_PER_TOKEN
    running = hashlib.blake2b(digest_size=16)
    for at in range(0, len(data) - step + 1, step):
        running.update(data[at : at + step])
        yield running.digest()


def _stand_in(match: re.Match[bytes]) -> bytes:
    digest = hashlib.sha256(match[0]).hexdigest().encode()
    return (digest * (EMBEDDED_TOKENS * BYTES_PER_TOKEN // len(digest) + 1))[: EMBEDDED_TOKENS * BYTES_PER_TOKEN]


def _above_least(blocks: int) -> int:
    count = blocks * BLOCK_TOKENS
    return count if count >= LEAST_TOKENS else 0
