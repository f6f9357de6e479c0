"""The client's tools as the upstream takes them: names, schemas, which are declared, which may be chosen.

Tools are built by allow-list: a field the client invents tomorrow never reaches the upstream (pains.md 6). Their order
is part of the prompt cache's prefix, so tools that were found by search stand behind all others in the order they were
found, wherever the client puts them (2.1.330 puts found built-in ones in the middle).

Names longer than 64 characters or with odd ones are mapped by a rule, not by memory: the same name always becomes the
same short name, and the way back is read from the same request's tools.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..capabilities import Capabilities
from ..errors import InvalidRequest
from .wire import openai
from .wire.json_text import dumps

Schema = Mapping[str, Any]
ToolParam = Mapping[str, Any]

PLAIN_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SEARCH_TOOL = "ToolSearch"  # the client's own, whose results are `tool_reference` blocks
# Tools that change things, by how people name them; `mcp__*` may do anything (pains.md 30).
MUTATING = re.compile(
    r"(?i)^mcp__|edit|write|delete|remove|bash|shell|exec|run|command|create|update|move|rename|patch|apply|insert|replace|kill|deploy|commit|push"
)
OPEN: dict[str, Any] = {"type": "object", "properties": {}}  # a schema that takes any object
SCHEMA_IN_WORDS = "Its input is one JSON object, valid against this JSON Schema: "
COMBINATORS = ("anyOf", "oneOf", "allOf")
# 400 "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level"
REFUSED_AT_TOP = (*COMBINATORS, "enum", "not", "$schema", "$ref")
NAMED_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")  # by names of any kind
VALUES = ("default", "const", "enum", "example", "examples")  # data, not schemas


def short(name: str) -> str:
    """A tool name or call id as the upstream takes it: itself, or a readable head and a digest of the whole."""
    if PLAIN_NAME.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[: openai.MAX_NAME - 11] + "_" + digest


@dataclass(frozen=True)
class ToolRules:
    """What the settings say about tools."""

    drop: frozenset[str] = frozenset()
    block_mcp: bool = False
    web_search: bool = True
    parallel: str = "on"  # on, off, or auto: off where a tool could change things

    def leave_out(self, name: str) -> bool:
        return name in self.drop or (self.block_mcp and name.startswith("mcp__"))


@dataclass(frozen=True)
class ToolTable:
    """The tools of one request: what to declare, and what an answer's names mean."""

    declared: list[openai.Tool] = field(default_factory=list)
    found: Mapping[str, openai.Tool] = field(default_factory=dict)  # by the client's name, for tool_search_output
    left_out: Collection[str] = ()  # found, and not to be had: the settings leave them out
    originals: Mapping[str, str] = field(default_factory=dict)  # upstream's name → the client's, where they differ
    schemas: Mapping[str, Schema] = field(default_factory=dict)  # by the client's name
    searching: bool = False  # ToolSearch is declared as the backend's own tool_search
    web_search: str | None = None  # what the client calls the hosted search
    search_left_out: str | None = None  # likewise, where there is none
    notes: tuple[tuple[str, str], ...] = ()  # field → what became of it

    def for_answer(self) -> ToolTable:
        """Without what only the request needs: the descriptions weigh much, and an answer may take long."""
        return replace(self, declared=[], found={}, left_out=())

    def original(self, name: str) -> str:
        return self.originals.get(name, name)


def tool_table(
    tools: Iterable[ToolParam],
    referenced: Iterable[str],
    rules: ToolRules,
    capabilities: Capabilities = Capabilities(),  # noqa: B008  a frozen value
    *,
    revealed: Collection[str] = (),
) -> ToolTable:
    """Sort and build a request's tools. `referenced`: names found so far, in the order they were found.

    `revealed`: those of them that a search's own result shows; a backend that searches is told them there and there
    only. Raises InvalidRequest for a server tool that nothing here can stand in for, or a tool without a name.
    """
    notes: list[tuple[str, str]] = []
    order = {name: position for position, name in enumerate(dict.fromkeys(referenced))}
    plain: list[ToolParam] = []
    found: list[ToolParam] = []
    web_search: ToolParam | None = None
    seen: set[str] = set()
    for tool in tools:
        name = named(tool)
        if name in seen:  # refused, and a client may well take the same tool from two places
            notes.append((f"tools.{name}", "dropped: a second tool of that name"))
            continue
        seen.add(name)
        if rules.leave_out(name):
            notes.append((f"tools.{name}", "dropped: the settings leave it out"))
        elif is_web_search(tool):
            web_search = tool
        elif name in order:
            found.append(tool)
        elif tool.get("defer_loading"):
            notes.append((f"tools.{name}", "withheld until it is found by search"))
        else:
            plain.append(tool)
    found.sort(key=lambda tool: order[tool["name"]])
    searching = capabilities.tool_search and any(tool["name"] == SEARCH_TOOL for tool in plain)
    opened = capabilities.open_schemas
    notes += [
        (f"tools.{tool['name']}", "declared with an open schema: the backend refuses its own")
        for tool in (*plain, *found)
        if opened and short(tool["name"]) in opened
    ]
    told = {tool["name"]: function_tool(tool, opened) for tool in found if searching and tool["name"] in revealed}
    declared = [declare(tool, searching, opened) for tool in (*plain, *found) if tool["name"] not in told]
    searchable = rules.web_search and capabilities.web_search
    if web_search and searchable:
        declared.append({**search_tool(web_search, notes), **capabilities.search_fields})
    elif web_search:
        notes.append(("tools.web_search", "dropped: this model has no hosted search, and is told so"))
    known = [*plain, *found]
    return ToolTable(
        declared=declared,
        found=told,
        left_out=frozenset(filter(rules.leave_out, order)),
        originals={short(tool["name"]): tool["name"] for tool in known if short(tool["name"]) != tool["name"]},
        schemas={tool["name"]: tool.get("input_schema") or {} for tool in known},
        searching=searching,
        web_search=web_search["name"] if web_search and searchable else None,
        search_left_out=web_search["name"] if web_search and not searchable else None,
        notes=tuple(notes),
    )


def named(tool: ToolParam) -> str:
    """The tool's name; raises InvalidRequest where it has none, or is a server tool we cannot stand in for."""
    name, kind = tool.get("name"), tool.get("type") or "custom"
    if kind != "custom" and not is_web_search(tool):
        name = name or tool.get("mcp_server_name") or "?"
        raise InvalidRequest(f"tools.{name}: Anthropic's own tool {kind} has no counterpart on this backend.")
    if not isinstance(name, str) or not name:
        raise InvalidRequest("tools: every tool needs a name.")
    return name


def is_web_search(tool: ToolParam) -> bool:
    return str(tool.get("type") or "").startswith("web_search_")


def only_searches(tools: Sequence[ToolParam]) -> bool:
    """Whether a request is for searching the web and nothing else, as Claude Code's WebSearch makes it."""
    return bool(tools) and all(map(is_web_search, tools))


def declare(tool: ToolParam, searching: bool, opened: Collection[str] = ()) -> openai.Tool:
    if searching and tool["name"] == SEARCH_TOOL:
        return openai.tool_search_tool(tool.get("description") or "", parameters(tool.get("input_schema") or {}))
    return function_tool(tool, opened)


def function_tool(tool: ToolParam, opened: Collection[str] = ()) -> openai.Tool:
    """`opened`: upstream names of tools that are declared with an open schema, their own one in words."""
    description = tool.get("description") or ""
    if opened and short(tool["name"]) in opened:
        schema = dumps(tool.get("input_schema") or {})
        return openai.function_tool(short(tool["name"]), f"{description}\n\n{SCHEMA_IN_WORDS}{schema}".lstrip(), OPEN)
    return openai.function_tool(short(tool["name"]), description, parameters(tool.get("input_schema") or {}))


def search_tool(tool: ToolParam, notes: list[tuple[str, str]]) -> openai.Tool:
    if tool.get("blocked_domains"):
        notes.append(("tools.web_search.blocked_domains", "dropped: the upstream's search can only allow domains"))
    if tool.get("max_uses"):
        notes.append(("tools.web_search.max_uses", "dropped: the upstream has no such limit"))
    location = tool.get("user_location")
    return openai.web_search_tool(allowed_domains=tool.get("allowed_domains") or (), location=location)


# Schemas: as given, but for what the upstream would refuse.


def parameters(schema: Schema) -> Schema:
    """A tool's input schema as function parameters; the very same object where nothing needs to change."""
    if not is_plain_object(schema):
        schema = as_object({**referred(schema), **schema})
    whole: Schema = with_items(schema)
    return whole


def is_plain_object(schema: Schema) -> bool:
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        return False
    return not any(key in schema for key in REFUSED_AT_TOP) and isinstance(schema.get("required", []), list)


def referred(schema: Schema) -> Schema:
    """What a `$ref` at the top means, where it stands in the schema itself: some generators wrap everything so."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return {}
    found: Any = schema
    for step in reference[2:].split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def as_object(schema: Schema) -> Schema:
    """An object schema that accepts at least what `schema` accepts, without what is refused at the top."""
    properties = properties_of(schema)
    required = required_of(schema)
    for combinator in COMBINATORS:
        found = schema.get(combinator)
        variants = [variant for variant in found if isinstance(variant, dict)] if isinstance(found, list) else []
        for variant in variants:
            properties = {**properties_of(variant), **properties}
        needs = [set(required_of(variant)) for variant in variants]
        if needs:
            common = set.union(*needs) if combinator == "allOf" else set.intersection(*needs)
            required += [name for name in properties if name in common and name not in required]
    kept = {key: value for key, value in schema.items() if key not in REFUSED_AT_TOP}
    kept |= {"type": "object", "properties": properties, "required": required}
    return kept if required else {key: value for key, value in kept.items() if key != "required"}


def properties_of(schema: Schema) -> Schema:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def required_of(schema: Schema) -> list[str]:
    """Names only: some generators write `required: true`, as older drafts did."""
    found = schema.get("required")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def with_items(schema: Any) -> Any:
    """`schema` with `items` wherever an array lacks it: 400 "array schema missing items" otherwise."""
    if isinstance(schema, list):
        changed = [with_items(part) for part in schema]
        return changed if any(new is not old for new, old in zip(changed, schema, strict=True)) else schema
    if not isinstance(schema, dict):
        return schema
    result = {key: with_items_within(key, value) for key, value in schema.items()}
    kind = schema.get("type")
    is_array = kind == "array" or (isinstance(kind, list) and "array" in kind)
    if is_array and "items" not in schema and "prefixItems" not in schema:
        result["items"] = {}
    elif all(result[key] is schema[key] for key in schema):
        return schema
    return result


def with_items_within(key: str, value: Any) -> Any:
    if key in VALUES:
        return value
    if key not in NAMED_SCHEMAS or not isinstance(value, dict):
        return with_items(value)
    result = {name: with_items(inner) for name, inner in value.items()}
    return result if any(result[name] is not value[name] for name in value) else value


# Choice.


def tool_choice(choice: Mapping[str, Any] | None, table: ToolTable) -> Any:
    """The request's `tool_choice` in the upstream's words; None where there is nothing to say.

    Raises InvalidRequest for a kind or a tool that does not exist.
    """
    if not table.declared or not choice:
        return None
    kind = choice.get("type")
    if kind in ("auto", "none"):
        return kind
    if kind == "any":
        return "required"
    if kind != "tool":
        raise InvalidRequest(f"tool_choice.type: {kind!r} is not one of auto, any, tool, none.")
    name = choice.get("name")
    if name is not None and name == table.search_left_out:
        return None
    if forces_search(choice, table):
        return "required"
    if not isinstance(name, str) or name not in table.schemas:
        raise InvalidRequest(f"tool_choice.name: there is no tool named {name!r} in tools.")
    if not any(tool.get("name") == short(name) for tool in table.declared):
        return "required"  # the search itself, or what it found: no choice can name them
    return openai.function_choice(short(name))


def forces_search(choice: Mapping[str, Any] | None, table: ToolTable) -> bool:
    """Whether the hosted search must be made. It is then to be declared alone and `required`: neither
    `{"type": "web_search"}` nor a choice among tools is taken everywhere (backends.md §2)."""
    name = (choice or {}).get("name")
    return (choice or {}).get("type") == "tool" and name is not None and name == table.web_search


def parallel_calls(choice: Mapping[str, Any] | None, table: ToolTable, rules: ToolRules) -> bool:
    """Whether the model may call several tools at once."""
    if rules.parallel == "off" or (choice or {}).get("disable_parallel_tool_use"):
        return False
    return rules.parallel == "on" or not any(MUTATING.search(name) for name in table.schemas)
