"""A Messages request → a Responses request. Pure: the same request and target give the same bytes.

The body's order is part of the design: what stays the same from turn to turn stands in front (instructions, tools,
parameters) and `input` last, so that turn n's bytes are a prefix of turn n+1's up to the new items and the upstream's
prompt cache hits. What became of each field of the request is in `Translation.notes` (docs/translation.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...capabilities import Capabilities
from ...errors import ThreadNotHeld
from ..tools import (
    REFUSED_AT_TOP,
    Schema,
    ToolRules,
    ToolTable,
    forces_search,
    parallel_calls,
    short,
    tool_choice,
    tool_table,
)
from ..wire import openai
from ..wire.json_text import dumps
from .content import blocks_of
from .messages import Conversation, added_tools, references, removed_tools, revealed
from .system_prompt import Identity, instructions
from .unread_fields import CACHED, UNKNOWN, Note, unread

Request = Mapping[str, Any]

INCLUDE_REASONING = "reasoning.encrypted_content"
INCLUDE_SOURCES = "web_search_call.action.sources"
BYTES_PER_TOKEN = 4  # of English and code, near enough for the estimate that opens a stream
MEDIA_TOKENS = 1_000  # of one image or page, likewise
THINKING_ROOM = 4_096  # output tokens that a model at its lowest effort may think

# Fields whose value reaches the upstream, or decides what does; what is neither here nor below is noted as unknown.
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
# Fields that have no counterpart upstream: why nothing is lost by leaving them out, or what is.
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
NOTHING_SAID = "[empty message]"  # an empty input is refused
# Else a model that is told to search makes results up.
NO_SEARCH = "You cannot search the web here. If that is what is asked for, say so, and give no search results."
FORMAT_IN_WORDS = "Answer with JSON alone, valid against this JSON Schema: "
# What `tool_choice` says, for a backend that refuses it.
CALL_THIS = "Call the tool {name} now. Do not answer in any other way."
CALL_ANY = "Call at least one of your tools now. Do not answer in any other way."
SEARCH_NOW = "Search the web before you answer."
NO_CALL = "Do not call any tool. Answer with text only."
ONE_CALL = "Call at most one tool at a time."
NOT_TAKEN = "dropped: the backend does not take it"
SERVICE_TIERS = {"standard_only": "default"}


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
        """Input tokens, near enough to open a stream with; the truth comes with its end."""
        count, size = self.media
        return max(1, (body_bytes - size) // BYTES_PER_TOKEN + count * MEDIA_TOKENS)


def translate(request: Request, target: Target) -> Translation:
    """Translate one valid Messages request (validate.check_request). Raises InvalidRequest for what cannot be."""
    messages = request["messages"]
    if (request.get("thread") or {}).get("type") == "continue":
        raise ThreadNotHeld("thread: no conversation is kept here; send all of its messages.")
    taken = target.capabilities
    table = request_tools(request, target.tools, taken)
    conversation = Conversation(table, target.identity, taken)
    items = conversation.read(messages)
    if messages and not items:
        items = [openai.message("user", [openai.input_text(NOTHING_SAID)])]
        conversation.notes.append(("messages", "repaired: nothing in them has a counterpart upstream"))
    wishes = wishes_in_words(request, table, target)
    system = "\n\n".join(filter(None, [instructions(request.get("system"), target.identity), *wishes]))
    body: dict[str, Any] = {"model": target.model}
    if system and taken.instructions:
        body["instructions"] = system
    elif system:
        items = [openai.message("developer", [openai.input_text(system)]), *items]
    body |= tool_fields(request, table, target)
    body |= output_fields(request, target)
    notes = [
        *table.notes,
        *conversation.notes,
        *parameter_notes(request, target),
        *choice_notes(request, table, target),
    ]
    media = [part for item in items for part in media_parts(item)]
    return Translation(
        body={**body, **fixed_fields(target, table), "input": items},
        table=table,
        stop_sequences=tuple(text for text in request.get("stop_sequences") or () if text),
        show_thinking=wants_thinking(request, kept=target.keeps_thinking),
        media=(len(media), conversation.media_bytes),
        notes=tuple(notes),
    )


def request_tools(request: Request, rules: ToolRules, taken: Capabilities) -> ToolTable:
    messages = request["messages"]
    gone = removed_tools(messages)
    declared = [tool for tool in request.get("tools") or () if tool.get("name") not in gone]
    names = {tool.get("name") for tool in declared}
    declared += [tool for tool in added_tools(messages) if tool.get("name") not in names | gone]
    found = revealed(messages) if taken.tool_search else ()
    return tool_table(declared, references(messages), rules, taken, revealed=found)


def tool_fields(request: Request, table: ToolTable, target: Target) -> dict[str, Any]:
    declared, choice = declared_and_choice(request, table, target.capabilities)
    if not declared:
        return {}  # an empty list is refused
    fields: dict[str, Any] = {"tools": declared}
    if choice and target.capabilities.takes("tool_choice"):
        fields["tool_choice"] = choice
    if target.capabilities.takes("parallel_tool_calls"):
        fields["parallel_tool_calls"] = parallel_calls(request.get("tool_choice"), table, target.tools)
    return fields


def declared_and_choice(request: Request, table: ToolTable, taken: Capabilities) -> tuple[list[openai.Tool], Any]:
    """The tools to declare, and `tool_choice`. A backend that takes no `tool_choice` gets the forced tool alone, and
    no tool at all if the model may not call any."""
    declared, wanted = table.declared, request.get("tool_choice")
    choice = tool_choice(wanted, table)
    if forces_search(wanted, table):
        declared = declared[-1:]
    elif not taken.takes("tool_choice") and choice == "none":
        declared = []
    elif not taken.takes("tool_choice") and isinstance(choice, dict):
        declared = [tool for tool in declared if tool.get("name") == choice["name"]]
    return declared, choice


def wishes_in_words(request: Request, table: ToolTable, target: Target) -> list[str]:
    """What the client wishes and the backend has no field for, as sentences of the system prompt."""
    taken, words = target.capabilities, []
    if (schema := wanted_schema(request)) is not None and not takes_format(schema, taken):
        words.append(f"{FORMAT_IN_WORDS}{dumps(schema)}")
    if table.search_left_out:
        words.append(NO_SEARCH)
    declared, choice = declared_and_choice(request, table, taken)
    if not taken.takes("tool_choice") and choice not in (None, "auto"):
        words.append(choice_in_words(request["tool_choice"], choice, table))
    one_call = not parallel_calls(request.get("tool_choice"), table, target.tools)
    if declared and one_call and not taken.takes("parallel_tool_calls"):
        words.append(ONE_CALL)
    return words


def choice_in_words(wanted: Mapping[str, Any], choice: Any, table: ToolTable) -> str:
    if choice == "none":
        return NO_CALL
    if forces_search(wanted, table):
        return SEARCH_NOW
    name = short(str(wanted["name"])) if wanted.get("type") == "tool" else ""
    return CALL_THIS.format(name=name) if name else CALL_ANY


def output_fields(request: Request, target: Target) -> dict[str, Any]:
    """What the request says about the answer: effort, format, length, sampling, service tier."""
    reasoning: dict[str, Any] = {"effort": target.effort}
    taken = target.capabilities
    if taken.summary and target.effort != "none":
        reasoning["summary"] = "auto"
    fields: dict[str, Any] = {"reasoning": reasoning}
    if (schema := wanted_schema(request)) is not None and takes_format(schema, taken):
        fields["text"] = {"format": openai.json_schema_format("answer", schema, strict=is_strict(schema))}
    if request.get("max_tokens"):
        wanted = request["max_tokens"] + thinking_room(request, target)
        fields["max_output_tokens"] = max(wanted, taken.least_output_tokens)
    if target.effort == "none":  # reasoning models refuse these otherwise
        fields |= {key: request[key] for key in ("temperature", "top_p") if request.get(key) is not None}
    if request.get("speed") == "fast":
        fields["service_tier"] = "priority"
    elif tier := SERVICE_TIERS.get(request.get("service_tier") or ""):
        fields["service_tier"] = tier
    return without_refused(fields, taken)


def without_refused(fields: dict[str, Any], taken: Capabilities) -> dict[str, Any]:
    """`parameter_notes` and `choice_notes` say which of the client's wishes are lost by that."""
    return {name: value for name, value in fields.items() if taken.takes(name)}


def thinking_room(request: Request, target: Target) -> int:
    """Output tokens beside those asked for: where the client wants no thinking and the model thinks all the same, what
    it asked for (64 tokens, auto mode's classifier) is what it wants to read."""
    disabled = (request.get("thinking") or {}).get("type") == "disabled"
    return THINKING_ROOM if disabled and target.effort != "none" else 0


def fixed_fields(target: Target, table: ToolTable) -> dict[str, Any]:
    wanted = [INCLUDE_REASONING, INCLUDE_SOURCES] if table.web_search else [INCLUDE_REASONING]
    include = [value for value in wanted if value not in target.capabilities.refused_includes]
    fields: dict[str, Any] = {
        **({"include": include} if include else {}),
        "prompt_cache_key": target.cache_key,
        "store": False,
        "stream": True,
    }
    if target.cache_retention:
        fields["prompt_cache_retention"] = target.cache_retention
    fields["stream_options"] = {"include_obfuscation": False}  # filler in every delta otherwise
    return without_refused(fields, target.capabilities)


def wanted_format(request: Request) -> Mapping[str, Any]:
    return (request.get("output_config") or {}).get("format") or request.get("output_format") or {}


def wanted_schema(request: Request) -> Schema | None:
    """The schema the answer's JSON is to have; None where the answer is free."""
    output_format = wanted_format(request)
    return output_format.get("schema") or {"type": "object"} if output_format.get("type") == "json_schema" else None


def takes_format(schema: Schema, taken: Capabilities) -> bool:
    """Whether the schema can be asked for with `text.format`; if not, it is put into words."""
    return is_object(schema) and taken.takes("text")


def is_object(schema: Schema) -> bool:
    """Whether the upstream takes it as a format at all: 400 "schema must be a JSON Schema of 'type: "object"'"."""
    return schema.get("type") == "object" and not any(key in schema for key in REFUSED_AT_TOP if key != "$schema")


# What a schema must have one of, and what it may have besides, to be taken as strict.
STRICT_KINDS = frozenset({"type", "anyOf", "enum", "const", "$ref"})
STRICT_OBJECTS = frozenset({"properties", "required", "additionalProperties", "$defs", "definitions"})
STRICT_VALUES = frozenset({"items", "minItems", "maxItems", "pattern", "format", "multipleOf", "title", "description"})
STRICT_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
STRICT_KEYS = STRICT_KINDS | STRICT_OBJECTS | STRICT_VALUES | STRICT_BOUNDS


def is_strict(schema: Any) -> bool:
    """Whether a schema qualifies for strict output: every object closed, every property required, no other keys."""
    if not isinstance(schema, dict) or not schema.keys() <= STRICT_KEYS or not schema.keys() & STRICT_KINDS:
        return False
    properties = schema.get("properties") or {}
    closed = schema.get("additionalProperties") is False and set(schema.get("required") or ()) == set(properties)
    if (schema.get("type") == "object" or "properties" in schema) and not closed:
        return False
    inner = [*properties.values(), *(schema.get("anyOf") or ()), *([schema["items"]] if "items" in schema else ())]
    inner += [part for key in ("$defs", "definitions") for part in (schema.get(key) or {}).values()]
    return all(map(is_strict, inner))


def wants_thinking(request: Request, *, kept: bool = False) -> bool:
    """Whether the answer may hold thinking blocks, which carry the reasoning into the next turn.

    The haiku tier's subagents send an effort without `thinking`, and versions up to 2.1.20 neither of them to a model
    they do not know; both need it all the same and keep the blocks (`kept`). A client that asked for nothing of the
    kind (the title request, a plain SDK call) gets text only.
    """
    thinking = request.get("thinking") or {}
    if thinking.get("type"):
        return bool(thinking["type"] != "disabled")
    if (request.get("output_config") or {}).get("effort"):
        return bool(request.get("tools"))
    return kept and any("input_schema" in tool for tool in request.get("tools") or ())


def parameter_notes(request: Request, target: Target) -> list[Note]:
    notes = [(key, DROPPED.get(key, UNKNOWN)) for key, value in request.items() if value and key not in READ]
    taken = target.capabilities
    notes += [*unread(request), *format_notes(request, taken)]
    for key in ("temperature", "top_p"):
        if request.get(key) is not None and target.effort != "none":
            notes.append((key, "dropped: refused while the model reasons"))
        elif request.get(key) is not None and not taken.takes(key):
            notes.append((key, NOT_TAKEN))
    if not taken.takes("max_output_tokens"):
        notes.append(("max_tokens", NOT_TAKEN))
    elif 0 < (request.get("max_tokens") or 0) < taken.least_output_tokens:
        notes.append(("max_tokens", f"raised to {taken.least_output_tokens}, the backend's least"))
    if not taken.takes("service_tier"):
        notes += [(key, NOT_TAKEN) for key in ("speed", "service_tier") if request.get(key)]
    if not taken.takes("reasoning") and target.effort != "none":
        notes.append(("output_config.effort", f"dropped: {target.effort}; the backend takes no reasoning level"))
    if request.get("stop_sequences"):
        notes.append(("stop_sequences", "emulated: the answer is cut at the first match"))
    return notes


def choice_notes(request: Request, table: ToolTable, target: Target) -> list[Note]:
    """What became of `tool_choice`, and of the tools that it does not choose."""
    taken, notes = target.capabilities, []
    declared, choice = declared_and_choice(request, table, taken)
    forced = not taken.takes("tool_choice") and choice not in (None, "auto")
    if forced:
        notes.append(("tool_choice", "emulated: asked for in words, since the backend refuses it"))
    if len(declared) < len(table.declared):
        search = forces_search(request.get("tool_choice"), table)
        which = "but for the search, which is forced" if search else "which `tool_choice` does not choose"
        notes.append(("tools", f"left out {which}"))
    one_call = (request.get("tool_choice") or {}).get("disable_parallel_tool_use")
    if one_call and declared and not taken.takes("parallel_tool_calls"):
        notes.append(("tool_choice.disable_parallel_tool_use", "emulated: asked for in words"))
    return notes


def format_notes(request: Request, taken: Capabilities) -> list[Note]:
    config, kind = request.get("output_config") or {}, wanted_format(request).get("type")
    notes = [(f"output_config.{key}", UNKNOWN) for key in config if key not in ("effort", "format") and config[key]]
    if (schema := wanted_schema(request)) is not None and not takes_format(schema, taken):
        why = "the backend refuses it" if is_object(schema) else "it is not of an object"
        notes.append(("output_config.format", f"emulated: asked for in words, since {why}"))
    elif schema is None and kind:
        notes.append(("output_config.format", f"dropped: no format named {kind} upstream"))
    return notes


def media_parts(item: openai.Item) -> list[openai.Part]:
    parts = item.get("content") if item["type"] == "message" else item.get("output")
    return [part for part in parts if part["type"] != "input_text"] if isinstance(parts, list) else []


def conversation_key(request: Request, *, session_id: str | None, agent_id: str | None) -> str:
    """The prompt cache key, one per conversation and agent, at most 64 characters.

    Subagents share their session's id; where the client does not name the agent (2.1.197) its system prompt does.
    A client that names no session is known by its prompt and the first thing it said.
    """
    prompt = instructions(request.get("system"), None)
    if session_id:
        return f"{session_id[:47]}-{digest(agent_id or prompt)}"
    user = (request.get("metadata") or {}).get("user_id") or ""
    said = (
        [block.get("text") or "" for block in blocks_of(request["messages"][0].get("content"))]
        if request["messages"]
        else []
    )
    return f"claudegpt-{digest(user, prompt, *said)}"


def digest(*texts: str) -> str:
    whole = "\x00".join(texts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(whole).hexdigest()[:16]
