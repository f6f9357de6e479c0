"""The Responses wire: one constructor for each shape we send upstream. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Item = dict[str, Any]
Part = dict[str, Any]
Tool = dict[str, Any]

MAX_NAME = 64  # characters of a tool name, call_id, item id or prompt_cache_key (backends.md §1)

# Items of `input`.


def message(role: str, parts: Sequence[Part]) -> Item:
    """A user's or developer's message."""
    return {"type": "message", "role": role, "content": list(parts)}


def assistant_message(text: str, *, phase: str | None = None) -> Item:
    """What the assistant said. A plain string: parts of an assistant's message would need the item's id.

    `phase`: as it came, "commentary" or "final_answer"; newer models do worse without it, others have none.
    """
    item = {"type": "message", "role": "assistant", "content": text}
    return {**item, "phase": phase} if phase else item


def function_call(call_id: str, name: str, arguments: str) -> Item:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def function_call_output(call_id: str, output: str | Sequence[Part]) -> Item:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def tool_search_call(call_id: str, arguments: Any) -> Item:
    return {
        "type": "tool_search_call",
        "call_id": call_id,
        "execution": "client",
        "status": "completed",
        "arguments": arguments,
    }


def tool_search_output(call_id: str, tools: Sequence[Tool]) -> Item:
    """`tools`: the whole definitions of what was found; from here on the model can call them."""
    return {
        "type": "tool_search_output",
        "call_id": call_id,
        "execution": "client",
        "status": "completed",
        "tools": [{**tool, "defer_loading": True} for tool in tools],
    }


# Parts of a message or of an output.


def input_text(text: str) -> Part:
    return {"type": "input_text", "text": text}


def input_image(url: str) -> Part:
    return {"type": "input_image", "image_url": url, "detail": "auto"}


def input_file(*, filename: str, data_url: str) -> Part:
    return {"type": "input_file", "filename": filename, "file_data": data_url}


def input_file_url(url: str) -> Part:
    return {"type": "input_file", "file_url": url}


# Tools and how they may be chosen.


def function_tool(name: str, description: str, parameters: Mapping[str, Any]) -> Tool:
    # strict fills every optional argument: each subagent then asks for a worktree (pains.md 7)
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": parameters,
        "strict": False,
    }


def tool_search_tool(description: str, parameters: Mapping[str, Any]) -> Tool:
    return {"type": "tool_search", "execution": "client", "description": description, "parameters": parameters}


def web_search_tool(*, allowed_domains: Sequence[str] = (), location: Mapping[str, Any] | None = None) -> Tool:
    tool: Tool = {"type": "web_search"}
    if allowed_domains:
        tool["filters"] = {"allowed_domains": list(allowed_domains)}
    if location:
        tool["user_location"] = location
    return tool


def function_choice(name: str) -> dict[str, Any]:
    return {"type": "function", "name": name}


def json_schema_format(name: str, schema: Mapping[str, Any], *, strict: bool) -> dict[str, Any]:
    return {"type": "json_schema", "name": name, "schema": schema, "strict": strict}


# Events.


def response_completed(response: Mapping[str, Any]) -> dict[str, Any]:
    """The last event of a stream, made of a whole Response."""
    return {"type": "response.completed", "response": response}
