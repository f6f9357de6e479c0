"""The shape of a Messages request, checked once when it arrives: an error names the field that is wrong.

Only what the translation relies on is checked. Unknown fields, block types and their contents pass, because an update
of the client must never break a turn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...errors import InvalidRequest

Request = dict[str, Any]
Kind = type | tuple[type, ...]

ROLES = ("user", "assistant", "system")
MOST_TOKENS = 2**31  # far above every model, and still a number after we add to it
LONGEST_MODEL = 500  # characters; no model has a longer name, and the search for an effort level would take long
MOST_NESTED_BLOCKS = 16  # the API itself allows two (a document within a tool result)


def check_request(request: Any, *, counting: bool = False) -> Request:
    """The request itself, if it has the shape of one. Raises InvalidRequest naming the field that has not.

    `counting`: for count_tokens, which needs no max_tokens and, from Claude Code, may hold tools alone.
    """
    if not isinstance(request, dict):
        raise InvalidRequest("The request body is not a JSON object.")
    model = request.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("model: a model name is required.")
    _need(len(model) <= LONGEST_MODEL, f"model: is at most {LONGEST_MODEL} characters long.")
    _check_numbers(request, counting=counting)
    messages = request.get("messages")
    _need(isinstance(messages, list), "messages: a list is required.")
    _need(messages or counting, "messages: at least one message is required.")
    for at, message in enumerate(request["messages"]):
        _check_message(message, f"messages.{at}")
    _check_content(request.get("system"), "system")
    _need(isinstance(request.get("tools") or [], list), "tools: is a list.")
    for at, tool in enumerate(request.get("tools") or ()):
        _check_tool(tool, f"tools.{at}")
    sequences = request.get("stop_sequences") or []
    texts = isinstance(sequences, list) and all(isinstance(text, str) for text in sequences)
    _need(texts, "stop_sequences: is a list of strings.")
    for field in ("thinking", "output_config", "tool_choice", "metadata", "thread"):
        _need(isinstance(request.get(field) or {}, dict), f"{field}: is an object.")
    _check_fields(request.get("metadata") or {}, {"user_id": str}, "metadata")
    for where, form in (
        ("output_config.format", (request.get("output_config") or {}).get("format")),
        ("output_format", request.get("output_format")),
    ):
        _need(isinstance(form or {}, dict), f"{where}: is an object.")
        _need(isinstance((form or {}).get("schema") or {}, dict), f"{where}.schema: is an object.")
    return request


def _check_numbers(request: Request, *, counting: bool) -> None:
    tokens = request.get("max_tokens")
    if tokens is not None or not counting:
        if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1:
            raise InvalidRequest("max_tokens: a whole number above 0 is required.")
        _need(tokens <= MOST_TOKENS, f"max_tokens: is at most {MOST_TOKENS}.")
    for field in ("temperature", "top_p"):
        value = request.get(field)
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        _need(value is None or number, f"{field}: is a number.")


def _check_tool(tool: Any, where: str) -> None:
    _need(isinstance(tool, dict), f"{where}: is an object.")
    _check_fields(tool, TOOL, where)


def _check_message(message: Any, where: str) -> None:
    _need(isinstance(message, dict), f"{where}: is an object.")
    _need(message.get("role") in ROLES, f"{where}.role: is one of {', '.join(ROLES)}.")
    _need(isinstance(message.get("output_config") or {}, dict), f"{where}.output_config: is an object.")
    content = message.get("content")
    if message["role"] == "system" and content is None and message.get("output_config"):
        return  # 2.1.330 sends a change of effort alone
    _need(content is not None, f"{where}.content: is a string or a list of blocks.")
    _check_content(content, f"{where}.content")


def _check_content(content: Any, where: str, depth: int = 0) -> None:
    _need(content is None or isinstance(content, str | list), f"{where}: is a string or a list of blocks.")
    _need(depth <= MOST_NESTED_BLOCKS, f"{where}: is nested too deeply.")
    for at, block in enumerate(content if isinstance(content, list) else ()):
        _check_block(block, f"{where}.{at}", depth)


def _check_block(block: Any, where: str, depth: int) -> None:
    _need(isinstance(block, dict) and isinstance(block.get("type"), str), f"{where}.type: a block has a type.")
    kind = block["type"]
    for field, expected in NEEDED.get(kind, {}).items():
        if not isinstance(block.get(field), expected):
            raise InvalidRequest(f"{where}.{field}: is required in a {kind} block.")
    _check_fields(block, OPTIONAL.get(kind, {}), where)
    if kind in ("tool_result", "search_result"):
        _check_content(block.get("content"), f"{where}.content", depth + 1)
    elif kind.endswith("_tool_result"):
        _check_fields(block, SERVER_RESULT, where)
    elif kind in ("image", "document"):
        _check_source(block["source"], f"{where}.source", depth)
    elif kind in ("tool_addition", "tool_removal") and "definition" in block["tool"]:
        _check_tool(block["tool"]["definition"], f"{where}.tool.definition")


def _check_source(source: dict[str, Any], where: str, depth: int) -> None:
    _check_fields(source, SOURCE, where)
    if source.get("type") == "content":
        _check_content(source.get("content"), f"{where}.content", depth + 1)


def _check_fields(holder: dict[str, Any], kinds: Mapping[str, Kind], where: str) -> None:
    """Check fields that may be left out or null, but that have this type if they are there."""
    for field, kind in kinds.items():
        if holder.get(field) is not None and not isinstance(holder[field], kind):
            raise InvalidRequest(f"{where}.{field}: is {A[kind]}.")


def _need(condition: object, message: str) -> None:
    if not condition:
        raise InvalidRequest(message)


# Block type → the fields that the translation cannot do without, and their types.
NEEDED: dict[str, dict[str, type]] = {
    "text": {"text": str},
    "image": {"source": dict},
    "document": {"source": dict},
    "tool_use": {"id": str, "name": str, "input": dict},
    "tool_result": {"tool_use_id": str},
    "tool_reference": {"tool_name": str},
    "tool_addition": {"tool": dict},
    "tool_removal": {"tool": dict},
}
OPTIONAL: dict[str, dict[str, Kind]] = {"document": {"title": str, "context": str}, "compaction": {"content": str}}
SOURCE: dict[str, Kind] = {"type": str, "media_type": str, "data": str, "url": str}
TOOL: dict[str, Kind] = {
    "name": str,
    "description": str,
    "input_schema": dict,
    "allowed_domains": list,
    "blocked_domains": list,
    "user_location": dict,
}
SERVER_RESULT: dict[str, Kind] = {"content": (str, list, dict)}
A: dict[Kind, str] = {
    str: "a string",
    dict: "an object",
    list: "a list",
    (str, list, dict): "a string, an object or a list",
}
