"""A Messages request → a Responses request. Pure: the same request and target give the same bytes.

The order of the body is part of the design: what stays the same from turn to turn stands in front (instructions, tools,
parameters) and `input` last. So the bytes of one turn are a prefix of the next turn's, up to the new items, and the
upstream's prompt cache hits. `Translation.notes` says what became of each field (docs/translation.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...capabilities import Capabilities
from ...errors import ThreadNotHeld
from ..tools import ToolRules, ToolTable
from ..wire import openai
from .conversation_facts import ConversationFacts, read_facts
from .draft import Draft, Note
from .messages import InputBuilder
from .output import put_fixed_fields, put_output
from .system_prompt import Identity, instructions
from .tool_choice import put_tools
from .tool_table import build_tool_table
from .unread_fields import CACHED, UNKNOWN, unread_notes

Request = Mapping[str, Any]

BYTES_PER_TOKEN = 4  # of English and code, near enough for the estimate that opens a stream
MEDIA_TOKENS = 1_000  # of one image or page, likewise

# Fields whose value reaches the upstream, or decides what does; a field that is neither here nor below is unknown.
READ = frozenset(
    {
        "max_tokens",
        "messages",
        "model",
        "output_config",
        "output_format",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_p",
    }
)
# Fields that have no counterpart upstream: why nothing is lost if they are left out, or what is lost.
DROPPED = {
    "billing_policy": "dropped: Anthropic's own billing",
    "cache_control": CACHED,
    "compaction": "dropped: nothing is compacted here; the client does it",
    "container": "dropped: Anthropic's code execution",
    "context_management": "dropped: nothing is cleared, all reasoning is replayed",
    "diagnostics": "dropped: Anthropic's own diagnostics",
    "fallback_credit_token": "dropped: Anthropic's own billing",
    "fallbacks": "dropped: Anthropic's own models",
    "inference_geo": "dropped: Anthropic's own routing",
    "mcp_servers": "dropped: Anthropic's own MCP connector",
    "metadata": "used for the cache key only",
    "safeguards": "dropped: the check runs on Anthropic's servers; the client refuses what it would have checked",
    "thread": "dropped: no conversation is kept here",
    "top_k": "dropped: the upstream has no such parameter",
    "user_profile_id": "dropped: Anthropic's own accounts",
    "workspace_id": "dropped: Anthropic's own accounts",
}
EMPTY_MESSAGE = "[empty message]"  # a backend refuses an empty input


@dataclass(frozen=True)
class Target:
    """What the request is translated for: a model on a backend, under the user's settings."""

    model: str
    effort: str
    cache_key: str
    capabilities: Capabilities = field(default_factory=Capabilities)  # of the backend and the model together
    identity: Identity | None = None
    tools: ToolRules = field(default_factory=ToolRules)
    cache_retention: str | None = None  # how long the upstream is asked to keep the prompt cache
    keeps_thinking: bool = False  # the client keeps thinking blocks that it did not ask for


@dataclass(frozen=True)
class Translation:
    """The request to send, and what the answer's translation needs to know."""

    body: dict[str, Any]
    table: ToolTable
    stop_sequences: tuple[str, ...]
    show_thinking: bool
    media: tuple[int, int]  # count of images and files, and their bytes in the body
    notes: tuple[Note, ...]

    def estimated_tokens(self, body_bytes: int) -> int:
        """Input tokens, near enough to open a stream with; the true count comes with its end."""
        count, size = self.media
        return max(1, (body_bytes - size) // BYTES_PER_TOKEN + count * MEDIA_TOKENS)


def translate(request: Request, target: Target, facts: ConversationFacts | None = None) -> Translation:
    """Translate one valid Messages request (validate.check_request); `facts` are its own, if they are known already.

    Raises InvalidRequest for a request that cannot be translated.
    """
    if (request.get("thread") or {}).get("type") == "continue":
        raise ThreadNotHeld("thread: no conversation is kept here; send all of its messages.")
    facts = facts or read_facts(request["messages"])
    draft = Draft(target.capabilities)
    table = _tool_table(request, target, facts)
    put_tools(draft, request.get("tool_choice"), table, target.tools, is_compaction=facts.is_compaction)
    builder = InputBuilder(table, facts, target.identity, target.capabilities)
    items = builder.build(request["messages"])
    if request["messages"] and not items:
        items = [openai.message("user", [openai.input_text(EMPTY_MESSAGE)])]
        draft.note("messages", "repaired: nothing in them has a counterpart upstream")
    draft.notes += builder.notes
    _note_unread_fields(draft, request, facts)
    put_output(draft, request, target.effort)
    first, items = _with_system_prompt(draft, request, target, items)
    put_fixed_fields(
        draft,
        cache_key=target.cache_key,
        cache_retention=target.cache_retention,
        web_search=table.web_search is not None,
    )
    return Translation(
        body={"model": target.model, **first, **draft.fields, "input": items},
        table=table,
        stop_sequences=tuple(text for text in request.get("stop_sequences") or () if text),
        show_thinking=_wants_thinking(request, kept=target.keeps_thinking),
        media=(sum(map(_count_media, items)), builder.media_bytes),
        notes=tuple(dict.fromkeys(draft.notes)),
    )


def _tool_table(request: Request, target: Target, facts: ConversationFacts) -> ToolTable:
    """The table of the tools that the client declares, with those that it added or removed in mid-conversation."""
    declared = [tool for tool in request.get("tools") or () if tool.get("name") not in facts.removed]
    names = {tool.get("name") for tool in declared} | facts.removed
    declared += [tool for tool in facts.added if tool.get("name") not in names]
    choice = request.get("tool_choice") or {}
    return build_tool_table(
        declared,
        facts.found,
        target.tools,
        target.capabilities,
        revealed=facts.revealed if target.capabilities.tool_search else (),
        forced=choice.get("name") if choice.get("type") == "tool" else None,
    )


def _with_system_prompt(
    draft: Draft, request: Request, target: Target, items: list[openai.Item]
) -> tuple[dict[str, Any], list[openai.Item]]:
    """The fields that stand in front of all others, and the input with the system prompt if it belongs there."""
    prompt = instructions(request.get("system"), target.identity, draft.notes)
    system = "\n\n".join(filter(None, [prompt, *draft.sentences]))
    if target.capabilities.instructions:
        return ({"instructions": system} if system else {}), items
    if system:
        items = [openai.message("developer", [openai.input_text(system)]), *items]
    # The ChatGPT backend has answered "Instructions are required" to requests without the field.
    return {"instructions": ""}, items


def _note_unread_fields(draft: Draft, request: Request, facts: ConversationFacts) -> None:
    for name, value in request.items():
        if value and name not in READ:
            draft.note(name, DROPPED.get(name, UNKNOWN))
    draft.notes += unread_notes(request, facts.added)
    draft.notes += facts.notes


def _wants_thinking(request: Request, *, kept: bool = False) -> bool:
    """Whether the answer may hold thinking blocks, which carry the reasoning into the next turn.

    The haiku tier's subagents send an effort without `thinking`, and versions up to 2.1.20 send neither of them to a
    model they do not know; both need the blocks all the same and keep them (`kept`). A client that asked for nothing of
    the kind (the title request, a plain SDK call) gets text only.
    """
    thinking = request.get("thinking") or {}
    if thinking.get("type"):
        return bool(thinking["type"] != "disabled")
    if (request.get("output_config") or {}).get("effort"):
        return bool(request.get("tools"))
    return kept and any("input_schema" in tool for tool in request.get("tools") or ())


def _count_media(item: openai.Item) -> int:
    """Images and files in an item."""
    parts = item.get("content") if item["type"] == "message" else item.get("output")
    return sum(part["type"] != "input_text" for part in parts) if isinstance(parts, list) else 0
