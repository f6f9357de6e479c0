"""The Messages API's shapes: one constructor for each that claudegpt sends. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .json_text import dumps

Event = dict[str, Any]
Block = dict[str, Any]

# Events, in the order a stream holds them.


def message_start(*, message_id: str, model: str, usage: Mapping[str, Any]) -> Event:
    message: Event = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    return {"type": "message_start", "message": message}


def ping() -> Event:
    return {"type": "ping"}


def content_block_start(index: int, block: Block) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": block}


def text_delta(index: int, text: str) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def thinking_delta(index: int, thinking: str) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "thinking_delta", "thinking": thinking}}


def signature_delta(index: int, signature: str) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "signature_delta", "signature": signature}}


def input_json_delta(index: int, partial_json: str) -> Event:
    delta = {"type": "input_json_delta", "partial_json": partial_json}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def citations_delta(index: int, citation: Mapping[str, Any]) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "citations_delta", "citation": citation}}


def content_block_stop(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def message_delta(*, stop_reason: str, stop_sequence: str | None, usage: Mapping[str, Any]) -> Event:
    delta = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
    return {"type": "message_delta", "delta": delta, "usage": usage}


def message_stop() -> Event:
    return {"type": "message_stop"}


def error(kind: str, message: str, details: Mapping[str, str] | None = None) -> Event:
    """The body of an error response, and the event that ends a stream that failed."""
    more = {"details": details} if details else {}
    return {"type": "error", "error": {"type": kind, "message": message, **more}}


# Blocks, as content_block_start announces them.


def text_block(text: str = "") -> Block:
    return {"type": "text", "text": text}


def thinking_block() -> Block:
    return {"type": "thinking", "thinking": "", "signature": ""}


def redacted_thinking_block(data: str) -> Block:
    return {"type": "redacted_thinking", "data": data}


def tool_use_block(call_id: str, name: str) -> Block:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}}


def server_tool_use_block(call_id: str, name: str) -> Block:
    return {"type": "server_tool_use", "id": call_id, "name": name, "input": {}}


def web_search_tool_result_block(call_id: str, results: Sequence[Mapping[str, Any]]) -> Block:
    return {"type": "web_search_tool_result", "tool_use_id": call_id, "content": list(results)}


def tool_use(call_id: str, name: str, arguments: Mapping[str, Any]) -> Block:
    """A whole call, as it stands in a message of the history."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": dict(arguments)}


def tool_result(call_id: str, text: str, *, is_error: bool) -> Block:
    return {"type": "tool_result", "tool_use_id": call_id, "content": text, "is_error": is_error}


def web_fetch_result_block(
    call_id: str, *, url: str, title: str, text: str, retrieved_at: str, citations: bool
) -> Block:
    source = {"type": "text", "media_type": "text/plain", "data": text}
    document = {"type": "document", "source": source, "title": title, "citations": {"enabled": citations}}
    content = {"type": "web_fetch_result", "url": url, "content": document, "retrieved_at": retrieved_at}
    return {"type": "web_fetch_tool_result", "tool_use_id": call_id, "content": content}


def web_fetch_error_block(call_id: str, code: str) -> Block:
    content = {"type": "web_fetch_tool_result_error", "error_code": code}
    return {"type": "web_fetch_tool_result", "tool_use_id": call_id, "content": content}


def web_search_failed_block(call_id: str) -> Block:
    """The result of a search that the upstream reports as failed."""
    error = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    return {"type": "web_search_tool_result", "tool_use_id": call_id, "content": error}


def web_search_input(query: str) -> str:
    """The input of the client's web_search, as JSON text."""
    return dumps({"query": query})


def web_search_result(*, url: str, title: str) -> Block:
    # Anthropic's encrypted_content is opaque to clients; other backends have none.
    return {"type": "web_search_result", "url": url, "title": title, "encrypted_content": "", "page_age": None}


def web_citation(*, url: str, title: str, cited_text: str) -> Block:
    return {
        "type": "web_search_result_location",
        "url": url,
        "title": title,
        "encrypted_index": "",
        "cited_text": cited_text,
    }


def usage(
    *, input_tokens: int, cached_tokens: int = 0, cache_write_tokens: int = 0, output_tokens: int = 0, searches: int = 0
) -> dict[str, Any]:
    """The three input buckets, which sum to what the upstream calls `input_tokens`; and the output.

    `input_tokens` is never 0 where something was sent: Claude Code 2.1.330 then adds the estimate of message_start to
    the cached tokens. If all of the input was cached, one cached token counts as not cached.
    """
    cached = min(cached_tokens, input_tokens)
    written = min(cache_write_tokens, input_tokens - cached)
    fresh = input_tokens - cached - written
    if not fresh and input_tokens and written == cache_write_tokens:  # else the counts contradict each other
        fresh = 1
        if cached:
            cached -= 1
        else:
            written -= 1
    counts: dict[str, Any] = {
        "input_tokens": fresh,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": output_tokens,
    }
    if searches:
        counts["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
    return counts


# What a request of Claude Code holds.


def adaptive_thinking() -> dict[str, str]:
    return {"type": "adaptive"}


def disabled_thinking() -> dict[str, str]:
    return {"type": "disabled"}


def no_tool_choice() -> dict[str, str]:
    return {"type": "none"}


def any_tool_choice() -> dict[str, str]:
    return {"type": "any"}


def web_search_tool() -> dict[str, str]:
    return {"type": "web_search_20250305", "name": "web_search"}


# Other bodies.


def model_info(model_id: str, *, display_name: str, window: int) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model_id,
        "display_name": display_name,
        "created_at": "1970-01-01T00:00:00Z",  # what the API itself says where the date is not known
        "lifecycle": "active",
        "max_input_tokens": window,
    }


def model_list(models: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first, last = (models[0]["id"], models[-1]["id"]) if models else (None, None)
    return {"data": list(models), "has_more": False, "first_id": first, "last_id": last}
