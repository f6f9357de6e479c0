"""The Responses API's shapes: one constructor for each that claudegpt makes. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

Item = dict[str, Any]
Part = dict[str, Any]
Tool = dict[str, Any]

MAX_NAME = 64  # characters of a tool name, call_id, item id or prompt_cache_key

# Items of `input`.


def message(role: str, parts: Sequence[Part]) -> Item:
    """A user's or developer's message."""
    return {"type": "message", "role": role, "content": list(parts)}


def assistant_message(text: str, *, phase: str | None = None) -> Item:
    """A message of the assistant's, as a plain string: content parts would need the item's id.

    `phase`: commentary or final_answer, as the backend gave it. Newer models do worse without it; others have none.
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
    """`tools`: the whole definitions of the tools that were found. From here on the model can call them."""
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
    # With strict, models fill every optional argument: each subagent then asks for a worktree.
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


# Items and parts of an answer.


def answer_message(phase: str | None) -> Item:
    """A message of the model's, as far as its parts do not say it. `phase`: commentary, final_answer, or none."""
    item: Item = {"type": "message"}
    return {**item, "phase": phase} if phase else item


def reasoning(fields: Mapping[str, Any]) -> Item:
    """`fields`: those of id, summary, content and encrypted_content that there are."""
    return {"type": "reasoning", **fields}


def web_search_call(item_id: str, *, query: str, sources: Sequence[Part], failed: bool) -> Item:
    return {
        "type": "web_search_call",
        "id": item_id,
        "status": "failed" if failed else "completed",
        "action": {"type": "search", "query": query, "sources": list(sources)},
    }


def source(url: str, title: str) -> Part:
    """A source of a search. Titles are not part of the protocol's own sources; "" where a server gives none."""
    return {"type": "url", "url": url, "title": title}


class UrlCitation(TypedDict):
    """Where a text cites an address, counted in characters of its part."""

    type: str
    url: str
    title: str
    start_index: int
    end_index: int


def url_citation(*, url: str, title: str, start: int, end: int) -> UrlCitation:
    return {"type": "url_citation", "url": url, "title": title, "start_index": start, "end_index": end}


# Events of an answer, as the protocol has them (docs/wires/responses.md). Servers send them in many other shapes;
# answer/repair.py makes these of them, and answer/stream.py relies on every key.


class ItemEvent(TypedDict):
    """response.output_item.added and .done."""

    type: str
    output_index: int
    item: Mapping[str, Any]


class PartAdded(TypedDict):
    type: str
    output_index: int
    content_index: int
    part: Mapping[str, str]


class PartDone(TypedDict):
    type: str
    output_index: int
    content_index: int


class ContentDelta(TypedDict):
    """A piece of a message's text, of a refusal, or of reasoning that is no summary."""

    type: str
    output_index: int
    content_index: int
    delta: str


class AnnotationAdded(TypedDict):
    type: str
    output_index: int
    content_index: int
    annotation: UrlCitation


class SummaryDelta(TypedDict):
    type: str
    output_index: int
    summary_index: int
    delta: str


class ArgumentsDelta(TypedDict):
    type: str
    output_index: int
    delta: str


class ArgumentsDone(TypedDict):
    type: str
    output_index: int
    arguments: str


class IncompleteDetails(TypedDict):
    reason: str


class Ended(TypedDict):
    """The response at the end of an answer. `usage` has the counts that are real ones."""

    status: str
    usage: Mapping[str, int]
    incomplete_details: NotRequired[IncompleteDetails]


class EndEvent(TypedDict):
    """response.completed and response.incomplete."""

    type: str
    response: Ended


class Failure(TypedDict):
    status: str
    error: Mapping[str, Any]


class FailedEvent(TypedDict):
    type: str
    response: Failure


AnswerEvent = (
    ItemEvent
    | PartAdded
    | PartDone
    | ContentDelta
    | AnnotationAdded
    | SummaryDelta
    | ArgumentsDelta
    | ArgumentsDone
    | EndEvent
    | FailedEvent
)


def item_added_event(index: int, item: Mapping[str, Any]) -> ItemEvent:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def item_done_event(index: int, item: Mapping[str, Any]) -> ItemEvent:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def part_added_event(index: int, part: int, kind: str) -> PartAdded:
    kinds = {"type": kind}
    return {"type": "response.content_part.added", "output_index": index, "content_index": part, "part": kinds}


def part_done_event(index: int, part: int) -> PartDone:
    return {"type": "response.content_part.done", "output_index": index, "content_index": part}


def text_delta_event(index: int, part: int, kind: str, delta: str) -> ContentDelta:
    """`kind`: output_text or refusal."""
    return {"type": f"response.{kind}.delta", "output_index": index, "content_index": part, "delta": delta}


def annotation_added_event(index: int, part: int, annotation: UrlCitation) -> AnnotationAdded:
    kind = "response.output_text.annotation.added"
    return {"type": kind, "output_index": index, "content_index": part, "annotation": annotation}


def summary_delta_event(index: int, part: int, delta: str) -> SummaryDelta:
    kind = "response.reasoning_summary_text.delta"
    return {"type": kind, "output_index": index, "summary_index": part, "delta": delta}


def reasoning_delta_event(index: int, part: int, delta: str) -> ContentDelta:
    return {"type": "response.reasoning_text.delta", "output_index": index, "content_index": part, "delta": delta}


def arguments_delta_event(index: int, delta: str) -> ArgumentsDelta:
    return {"type": "response.function_call_arguments.delta", "output_index": index, "delta": delta}


def arguments_done_event(index: int, arguments: str) -> ArgumentsDone:
    return {"type": "response.function_call_arguments.done", "output_index": index, "arguments": arguments}


def completed_event(usage: Mapping[str, int]) -> EndEvent:
    return {"type": "response.completed", "response": {"status": "completed", "usage": usage}}


def incomplete_event(usage: Mapping[str, int], reason: str) -> EndEvent:
    response: Ended = {"status": "incomplete", "usage": usage, "incomplete_details": {"reason": reason}}
    return {"type": "response.incomplete", "response": response}


def failed_event(error: Mapping[str, Any]) -> FailedEvent:
    return {"type": "response.failed", "response": {"status": "failed", "error": error}}
