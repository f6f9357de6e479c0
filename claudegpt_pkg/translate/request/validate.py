"""The shape of a Messages request, checked once at the door: what is wrong is named by its field.

Only what translation relies on is checked. Unknown fields, block types and their contents pass: a client's update must
never break a turn (pains.md 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import InvalidRequest

Request = dict[str, Any]
Kind = type | tuple[type, ...]
ROLES = ("user", "assistant", "system")


def check_request(request: Any, *, counting: bool = False) -> Request:
    """The request itself, if it has the shape of one. Raises InvalidRequest naming the field that has not.

    `counting`: for count_tokens, which needs no max_tokens and, from Claude Code, may hold tools alone.
    """
    if not isinstance(request, dict):
        raise InvalidRequest("The request body is not a JSON object.")
    need(isinstance(request.get("model"), str) and request["model"], "model: a model name is required.")
    tokens = request.get("max_tokens")
    if tokens is not None or not counting:
        need(isinstance(tokens, int) and tokens > 0, "max_tokens: a whole number above 0 is required.")
    messages = request.get("messages")
    need(isinstance(messages, list), "messages: a list is required.")
    need(messages or counting, "messages: at least one message is required.")
    for at, message in enumerate(request["messages"]):
        check_message(message, f"messages.{at}")
    check_texts(request.get("system"), "system")
    need(isinstance(request.get("tools") or [], list), "tools: is a list.")
    for at, tool in enumerate(request.get("tools") or ()):
        check_tool(tool, f"tools.{at}")
    sequences = request.get("stop_sequences") or []
    texts = isinstance(sequences, list) and all(isinstance(text, str) for text in sequences)
    need(texts, "stop_sequences: is a list of strings.")
    for field in ("thinking", "output_config", "tool_choice", "metadata", "thread"):
        need(isinstance(request.get(field) or {}, dict), f"{field}: is an object.")
    check_fields(request.get("metadata") or {}, {"user_id": str}, "metadata")
    for where, form in (
        ("output_config.format", (request.get("output_config") or {}).get("format")),
        ("output_format", request.get("output_format")),
    ):
        need(isinstance(form or {}, dict), f"{where}: is an object.")
        need(isinstance((form or {}).get("schema") or {}, dict), f"{where}.schema: is an object.")
    return request


def check_tool(tool: Any, where: str) -> None:
    need(isinstance(tool, dict), f"{where}: is an object.")
    check_fields(tool, TOOL, where)


def check_message(message: Any, where: str) -> None:
    need(isinstance(message, dict), f"{where}: is an object.")
    need(message.get("role") in ROLES, f"{where}.role: is one of {', '.join(ROLES)}.")
    need(isinstance(message.get("output_config") or {}, dict), f"{where}.output_config: is an object.")
    content = message.get("content")
    if message["role"] == "system" and content is None and message.get("output_config"):
        return  # 2.1.330: a change of effort alone
    need(isinstance(content, str | list), f"{where}.content: is a string or a list of blocks.")
    for at, block in enumerate(content if isinstance(content, list) else ()):
        check_block(block, f"{where}.content.{at}")


def check_block(block: Any, where: str) -> None:
    need(isinstance(block, dict) and isinstance(block.get("type"), str), f"{where}.type: a block has a type.")
    for field, kind in NEEDED.get(block["type"], {}).items():
        if not isinstance(block.get(field), kind):
            raise InvalidRequest(f"{where}.{field}: is required in a {block['type']} block.")
    check_fields(block, OPTIONAL.get(block["type"], {}), where)
    if block["type"] in ("tool_result", "search_result"):
        check_content(block.get("content"), f"{where}.content")
    elif block["type"].endswith("_tool_result"):
        check_fields(block, SERVER_RESULT, where)
    elif block["type"] in ("image", "document"):
        check_source(block["source"], f"{where}.source")
    elif block["type"] == "tool_addition" and "definition" in block["tool"]:
        check_tool(block["tool"]["definition"], f"{where}.tool.definition")


def check_source(source: dict[str, Any], where: str) -> None:
    check_fields(source, SOURCE, where)
    if source.get("type") == "content":
        check_content(source.get("content"), f"{where}.content")


def check_content(content: Any, where: str) -> None:
    need(content is None or isinstance(content, str | list), f"{where}: is a string or a list of blocks.")
    for at, block in enumerate(content if isinstance(content, list) else ()):
        check_block(block, f"{where}.{at}")


def check_texts(system: Any, where: str) -> None:
    need(system is None or isinstance(system, str | list), f"{where}: is a string or a list of text blocks.")
    for at, block in enumerate(system if isinstance(system, list) else ()):
        check_block(block, f"{where}.{at}")


def check_fields(holder: dict[str, Any], kinds: Mapping[str, Kind], where: str) -> None:
    """Fields that may be left out, or null; if they are there, this is what they are."""
    for field, kind in kinds.items():
        if holder.get(field) is not None and not isinstance(holder[field], kind):
            raise InvalidRequest(f"{where}.{field}: is {A[kind]}.")


def need(condition: object, message: str) -> None:
    if not condition:
        raise InvalidRequest(message)


# Block type → the fields translation cannot do without, and their types.
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
OPTIONAL: dict[str, dict[str, Kind]] = {"document": {"title": str, "context": str}}
SOURCE: dict[str, Kind] = {"type": str, "media_type": str, "data": str, "url": str}
TOOL: dict[str, Kind] = {
    "name": str,
    "description": str,
    "input_schema": dict,
    "allowed_domains": list,
    "blocked_domains": list,
}
SERVER_RESULT: dict[str, Kind] = {"content": (str, list, dict)}
A: dict[Kind, str] = {
    str: "a string",
    dict: "an object",
    list: "a list",
    (str, list, dict): "a string, an object or a list",
}
