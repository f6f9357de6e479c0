"""Which of the tools the model may, must or must not call → `tools`, `tool_choice`, `parallel_tool_calls`.

A backend that refuses one of these fields is told in words, as a sentence of the system prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...capabilities import Capabilities
from ...errors import InvalidRequest
from ..tools import ToolRules, ToolTable, shorten_name
from ..wire import openai
from .draft import Draft

# Names of tools that can change things; a tool of an MCP server (`mcp__*`) may do anything.
MUTATING = re.compile(
    r"(?i)^mcp__|edit|write|delete|remove|bash|shell|exec|run|command|create|update|move|rename|patch|apply|insert|replace|kill|deploy|commit|push"
)
# Without this sentence, a model that is told to search makes results up.
NO_SEARCH = "You cannot search the web here. If that is what is asked for, say so, and give no search results."
CALL_THIS = "Call the tool {name} now. Do not answer in any other way."
CALL_ANY = "Call at least one of your tools now. Do not answer in any other way."
SEARCH_NOW = "Search the web before you answer."
NO_CALL = "Do not call any tool. Answer with text only."
ONE_CALL = "Call at most one tool at a time."


def put_tools(
    draft: Draft, choice: Mapping[str, Any] | None, table: ToolTable, rules: ToolRules, *, is_compaction: bool = False
) -> None:
    """Set `tools` and how they may be chosen. `choice` is the request's `tool_choice`.

    Raises InvalidRequest for a kind of choice that does not exist, or a tool that is not declared.
    """
    draft.notes += table.notes
    if table.search_left_out:
        draft.sentences.append(NO_SEARCH)
        if (choice or {}).get("name") == table.search_left_out:
            draft.note("tool_choice", "dropped: this model has no hosted search, and is told so")
            choice = None
    if not table.declared:  # a backend refuses an empty list
        if choice:
            draft.note("tool_choice", "dropped: no tool is declared")
        return
    wish = _wish(choice, table, draft.taken, is_compaction=is_compaction)
    _put_declared(draft, wish, table)
    _put_choice(draft, wish, is_compaction=is_compaction)
    one_at_a_time = not allows_parallel_calls(choice, table, rules)
    asked = bool((choice or {}).get("disable_parallel_tool_use"))
    if "tools" in draft.fields:
        _put_parallel(draft, one_at_a_time=one_at_a_time, asked=asked)
        if table.most_searches:
            draft.fields["max_tool_calls"] = table.most_searches


@dataclass(frozen=True)
class _Wish:
    """What `tool_choice` says: its value upstream, and the same in words. `only`: the one tool to declare."""

    field: Any = None
    words: str = ""
    only: openai.Tool | None = None


def _wish(choice: Mapping[str, Any] | None, table: ToolTable, taken: Capabilities, *, is_compaction: bool) -> _Wish:
    field = upstream_choice(choice, table)
    if is_compaction and field in (None, "auto"):
        # A call would end Claude Code's compaction with "summarization produced empty response". The client's own text
        # forbids calls as well, so the system prompt stays as it is and the prompt cache hits.
        return _Wish("none")
    if field is None or field == "auto":
        return _Wish(field)
    if field == "none":
        return _Wish(field, NO_CALL)
    if forces_search(choice, table):
        return _Wish(field, SEARCH_NOW, table.declared[-1])
    if isinstance(field, dict):
        only = next(tool for tool in table.declared if tool.get("name") == field["name"])
        return _Wish(field, CALL_THIS.format(name=field["name"]), None if taken.takes("tool_choice") else only)
    name = (choice or {}).get("name")
    return _Wish(field, CALL_THIS.format(name=shorten_name(name)) if isinstance(name, str) else CALL_ANY)


def _put_declared(draft: Draft, wish: _Wish, table: ToolTable) -> None:
    """The tools, without those that may not be called if the backend cannot be told so by a field."""
    if wish.only:
        draft.fields["tools"] = [wish.only]
        if len(table.declared) > 1:
            draft.note("tools", "left out, except the one that `tool_choice` forces")
    elif wish.words == NO_CALL and not draft.taken.takes("tool_choice"):
        draft.note("tools", "left out: `tool_choice` forbids to call them")
    else:
        draft.fields["tools"] = table.declared


def _put_choice(draft: Draft, wish: _Wish, *, is_compaction: bool) -> None:
    if wish.field is None:
        return
    if draft.taken.takes("tool_choice"):
        draft.fields["tool_choice"] = wish.field
        if is_compaction and not wish.words:
            draft.note("tool_choice", "set to none: a request to summarise the conversation may call no tool")
    elif wish.words:
        draft.sentences.append(wish.words)
        draft.note("tool_choice", "emulated: asked for in words, since the backend refuses it")


def _put_parallel(draft: Draft, *, one_at_a_time: bool, asked: bool) -> None:
    if draft.taken.takes("parallel_tool_calls"):
        draft.fields["parallel_tool_calls"] = not one_at_a_time
    elif one_at_a_time:
        draft.sentences.append(ONE_CALL)
        if asked:
            draft.note("tool_choice.disable_parallel_tool_use", "emulated: asked for in words")


def upstream_choice(choice: Mapping[str, Any] | None, table: ToolTable) -> Any:
    """The request's `tool_choice` as the upstream takes it; None if it says nothing.

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
    if forces_search(choice, table):
        return "required"
    if not isinstance(name, str) or name not in table.schemas:
        raise InvalidRequest(f"tool_choice.name: there is no tool named {name!r} in tools.")
    if not any(tool.get("name") == shorten_name(name) for tool in table.declared):
        return "required"  # ToolSearch itself, or what it found: no choice can name these
    return openai.function_choice(shorten_name(name))


def forces_search(choice: Mapping[str, Any] | None, table: ToolTable) -> bool:
    """Whether the hosted search must be made. It is then declared alone and `required`: some backends take neither
    `{"type": "web_search"}` nor a choice among tools (docs/wires/responses.md)."""
    name = (choice or {}).get("name")
    return (choice or {}).get("type") == "tool" and name is not None and name == table.web_search


def allows_parallel_calls(choice: Mapping[str, Any] | None, table: ToolTable, rules: ToolRules) -> bool:
    """Whether the model may call several tools at once."""
    if rules.parallel == "off" or (choice or {}).get("disable_parallel_tool_use"):
        return False
    return rules.parallel == "on" or not any(MUTATING.search(name) for name in table.schemas)
