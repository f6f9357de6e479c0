"""The shape of a Messages request, checked once at the door: what is wrong is named by its field.

Only what translation relies on is checked. Unknown fields, block types and their contents pass: a client's update must
never break a turn (pains.md 6).
"""

from __future__ import annotations

from typing import Any

from ..errors import InvalidRequest

Request = dict[str, Any]
ROLES = ("user", "assistant", "system")


def check_request(request: Any, *, counting: bool = False) -> Request:
    """The request itself, if it has the shape of one. Raises InvalidRequest naming the field that has not.

    `counting`: for count_tokens, which needs no max_tokens and, from Claude Code, may hold tools alone.
    """
    if not isinstance(request, dict):
        raise InvalidRequest("The request body is not a JSON object.")
    need(isinstance(request.get("model"), str) and request["model"], "model: a model name is required.")
    if not counting:
        tokens = request.get("max_tokens")
        need(isinstance(tokens, int) and tokens > 0, "max_tokens: a whole number above 0 is required.")
    messages = request.get("messages")
    need(isinstance(messages, list), "messages: a list is required.")
    need(messages or counting, "messages: at least one message is required.")
    for at, message in enumerate(request["messages"]):
        check_message(message, f"messages.{at}")
    check_texts(request.get("system"), "system")
    for field in ("tools", "stop_sequences"):
        need(isinstance(request.get(field) or [], list), f"{field}: is a list.")
    need(all(isinstance(tool, dict) for tool in request.get("tools") or ()), "tools: each is an object.")
    for field in ("thinking", "output_config", "tool_choice", "metadata"):
        need(isinstance(request.get(field) or {}, dict), f"{field}: is an object.")
    return request


def check_message(message: Any, where: str) -> None:
    need(isinstance(message, dict), f"{where}: is an object.")
    need(message.get("role") in ROLES, f"{where}.role: is one of {', '.join(ROLES)}.")
    content = message.get("content")
    if message["role"] == "system" and content is None and message.get("output_config"):
        return  # 2.1.330: a change of effort alone
    need(isinstance(content, str | list), f"{where}.content: is a string or a list of blocks.")
    for at, block in enumerate(content if isinstance(content, list) else ()):
        check_block(block, f"{where}.content.{at}")


def check_block(block: Any, where: str) -> None:
    need(isinstance(block, dict) and isinstance(block.get("type"), str), f"{where}.type: a block has a type.")
    for field, kind in NEEDED.get(block["type"], {}).items():
        need(isinstance(block.get(field), kind), f"{where}.{field}: is required in a {block['type']} block.")
    if block["type"] == "tool_result" and isinstance(block.get("content"), list):
        for at, part in enumerate(block["content"]):
            check_block(part, f"{where}.content.{at}")


def check_texts(system: Any, where: str) -> None:
    need(system is None or isinstance(system, str | list), f"{where}: is a string or a list of text blocks.")
    for at, block in enumerate(system if isinstance(system, list) else ()):
        check_block(block, f"{where}.{at}")


def need(condition: object, message: str) -> None:
    if not condition:
        raise InvalidRequest(message)


# Block type → the fields translation reads from it, and their types.
NEEDED: dict[str, dict[str, type]] = {
    "text": {"text": str},
    "image": {"source": dict},
    "document": {"source": dict},
    "tool_use": {"id": str, "name": str, "input": dict},
    "tool_result": {"tool_use_id": str},
    "tool_reference": {"tool_name": str},
}
