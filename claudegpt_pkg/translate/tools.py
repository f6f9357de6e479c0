"""What both directions of the translation must know about a request's tools: their names, and what they mean.

A name that is longer than 64 characters or holds other characters than letters, digits, `_` and `-` is shortened by a
rule, not by memory: the same name always becomes the same short name, and the table of the same request leads back to
the original.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .wire import openai

Schema = Mapping[str, Any]
ToolParam = Mapping[str, Any]

SEARCH_TOOL = "ToolSearch"  # Claude Code's own tool, whose results are `tool_reference` blocks
_PLAIN_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DIGEST_LENGTH = 10
_ADDRESS = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*://)?(?:[^/?#@]*@)?([^\s/?#@:\[\]]+)(?::\d+)?(?:[/?#].*)?")


@dataclass(frozen=True)
class ToolRules:
    """What the user's settings say about tools."""

    drop: frozenset[str] = frozenset()
    block_mcp: bool = False
    web_search: bool = True
    parallel: str = "on"  # on, off, or auto: off if a tool could change things

    def leave_out(self, name: str) -> bool:
        return name in self.drop or (self.block_mcp and name.startswith("mcp__"))


@dataclass(frozen=True)
class ToolTable:
    """The tools of one request: what to declare, and what an answer's names mean."""

    declared: list[openai.Tool] = field(default_factory=list)
    found: Mapping[str, openai.Tool] = field(default_factory=dict)  # by the client's name, for tool_search_output
    left_out: Collection[str] = ()  # tools that were found, but that the settings leave out
    originals: Mapping[str, str] = field(default_factory=dict)  # upstream's name → the client's, if they differ
    schemas: Mapping[str, Schema] = field(default_factory=dict)  # input schemas by the client's name
    searching: bool = False  # ToolSearch is declared as the backend's own tool_search
    web_search: str | None = None  # the client's name of the hosted search
    search_left_out: str | None = None  # the same, if the hosted search is not available
    most_searches: int | None = None  # calls of the hosted search that the client allows
    blocked_hosts: frozenset[str] = frozenset()  # whose results the answer leaves out, if the backend cannot
    notes: tuple[tuple[str, str], ...] = ()  # field → what became of it

    def for_answer(self) -> ToolTable:
        """Without what only the request needs: the descriptions are large, and an answer may take long."""
        return replace(self, declared=[], found={}, left_out=())

    def original(self, name: str) -> str:
        return self.originals.get(name, name)

    def is_blocked(self, url: str) -> bool:
        """Whether the client wants no search results from this address: from a blocked host, or from below one."""
        if not self.blocked_hosts:
            return False
        host = host_of(url)
        return any(host == blocked or host.endswith(f".{blocked}") for blocked in self.blocked_hosts)


def shorten_name(name: str) -> str:
    """A tool name or call id as the upstream takes it: itself, or a readable head and a digest of the whole."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    head = re.sub(r"[^a-zA-Z0-9_-]", "_", name)[: openai.MAX_NAME - _DIGEST_LENGTH - 1]
    return f"{head}_{digest}"


def host_of(address: str) -> str:
    """`https://www.Example.com/blog` and `www.example.com` → `www.example.com`; "" if there is no host."""
    match = _ADDRESS.fullmatch(address.strip())
    return match[1].lower() if match else ""


def is_web_search(tool: ToolParam) -> bool:
    """Whether a tool is Anthropic's hosted web search (`web_search_20250305` and other dates)."""
    return str(tool.get("type") or "").startswith("web_search_")


def only_searches(tools: Sequence[ToolParam]) -> bool:
    """Whether a request is for searching the web and nothing else, as Claude Code's WebSearch makes it."""
    return bool(tools) and all(map(is_web_search, tools))
