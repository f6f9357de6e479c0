"""The Responses API as a server sends it: one constructor for each shape.

The shapes follow the types of the `openai` package and recorded backends. The tests parse every event with those
types. The sender of the stream adds `sequence_number`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Event = dict[str, Any]
Item = dict[str, Any]
Part = dict[str, Any]

# The answer as a whole.

DEFAULTS: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "reasoning": {"effort": "medium", "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def response(body: Mapping[str, Any], *, response_id: str, created_at: int) -> dict[str, Any]:
    """A response in progress. It repeats the parameters of `body`; nested parameters keep their defaults."""
    echoed = {key: _fill(value, body.get(key)) for key, value in DEFAULTS.items()}
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": body["model"],
        "output": [],
        "usage": None,
        **echoed,
    }


def completed_response(begun: Mapping[str, Any], output: Sequence[Item], usage: Mapping[str, Any]) -> dict[str, Any]:
    return {**begun, "status": "completed", "output": list(output), "usage": usage}


def incomplete_response(begun: Mapping[str, Any], output: Sequence[Item], usage: Mapping[str, Any]) -> dict[str, Any]:
    """An answer that reached `max_output_tokens`."""
    ended = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    return {**begun, **ended, "output": list(output), "usage": usage}


def usage(*, input_tokens: int, cached: int, written: int, output_tokens: int, reasoning: int) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": input_tokens + output_tokens,
    }


def _fill(default: Any, given: Any) -> Any:
    if given is None:
        return default
    return {**default, **given} if isinstance(default, dict) else given


# Items of `output`.


def reasoning_item(item_id: str, summary: Sequence[Part], encrypted_content: str | None = None) -> Item:
    item: Item = {"id": item_id, "type": "reasoning", "summary": list(summary)}
    if encrypted_content is not None:
        item["encrypted_content"] = encrypted_content
    return item


def message_item(item_id: str, status: str, content: Sequence[Part]) -> Item:
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": list(content)}


def function_call_item(item_id: str, status: str, *, call_id: str, name: str, arguments: str) -> Item:
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def summary_text(text: str) -> Part:
    return {"type": "summary_text", "text": text}


def output_text(text: str) -> Part:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


# Events of a stream, in the order it holds them.


def response_created(begun: Mapping[str, Any]) -> Event:
    return {"type": "response.created", "response": begun}


def response_in_progress(begun: Mapping[str, Any]) -> Event:
    return {"type": "response.in_progress", "response": begun}


def item_added(index: int, item: Item) -> Event:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def summary_part_added(index: int, item_id: str, part: Part) -> Event:
    return {"type": "response.reasoning_summary_part.added", **_in_summary(index, item_id), "part": part}


def summary_delta(index: int, item_id: str, delta: str) -> Event:
    return {"type": "response.reasoning_summary_text.delta", **_in_summary(index, item_id), "delta": delta}


def summary_text_done(index: int, item_id: str, text: str) -> Event:
    return {"type": "response.reasoning_summary_text.done", **_in_summary(index, item_id), "text": text}


def summary_part_done(index: int, item_id: str, part: Part) -> Event:
    return {"type": "response.reasoning_summary_part.done", **_in_summary(index, item_id), "part": part}


def content_part_added(index: int, item_id: str, part: Part) -> Event:
    return {"type": "response.content_part.added", **_in_content(index, item_id), "part": part}


def text_delta(index: int, item_id: str, delta: str) -> Event:
    return {"type": "response.output_text.delta", **_in_content(index, item_id), "delta": delta, "logprobs": []}


def text_done(index: int, item_id: str, text: str) -> Event:
    return {"type": "response.output_text.done", **_in_content(index, item_id), "text": text, "logprobs": []}


def content_part_done(index: int, item_id: str, part: Part) -> Event:
    return {"type": "response.content_part.done", **_in_content(index, item_id), "part": part}


def arguments_delta(index: int, item_id: str, delta: str) -> Event:
    return {
        "type": "response.function_call_arguments.delta",
        "item_id": item_id,
        "output_index": index,
        "delta": delta,
    }


def arguments_done(index: int, item_id: str, *, name: str, arguments: str) -> Event:
    return {
        "type": "response.function_call_arguments.done",
        "item_id": item_id,
        "output_index": index,
        "name": name,
        "arguments": arguments,
    }


def item_done(index: int, item: Item) -> Event:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def response_completed(ended: Mapping[str, Any]) -> Event:
    return {"type": "response.completed", "response": ended}


def response_incomplete(ended: Mapping[str, Any]) -> Event:
    return {"type": "response.incomplete", "response": ended}


def _in_summary(index: int, item_id: str) -> dict[str, Any]:
    return {"item_id": item_id, "output_index": index, "summary_index": 0}


def _in_content(index: int, item_id: str) -> dict[str, Any]:
    return {"item_id": item_id, "output_index": index, "content_index": 0}


# Other bodies.


def error(message: str, *, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def token_count(tokens: int) -> dict[str, Any]:
    return {"object": "response.input_tokens", "input_tokens": tokens}


def model(model_id: str) -> dict[str, Any]:
    return {"id": model_id, "object": "model", "created": 1_795_000_000, "owned_by": "claudegpt"}


def model_list(models: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": list(models)}
