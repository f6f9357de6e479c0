"""What an upstream answers: whole, valid streams of Responses events, built from items in this one place.

    answer(reasoning("Looking around."), call("Bash", command="ls"))      one turn, as the API streams it
    answer("All done.")                                                   a string is a text item
    answer("Half of it", end=incomplete("max_output_tokens"))
    answer("never finished", cut_after=5) · answer("slow", stall_after=5) · error(429, "rate_limit_exceeded", "…")

`Answer.events(...)` renders the events; `sse(event)` writes one. The odd habits of real backends are options: items
interleaved, text only in `done`, an empty `completed.output`, `encrypted_content` only in `completed`, unknown events.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Event = dict[str, Any]
Draft = tuple[str, dict[str, Any]]  # an event's type and fields, before its numbers are known


@dataclass(frozen=True)
class Item:
    """One output item: as it is announced, as it stands when done, and the events between."""

    added: dict[str, Any]
    done: dict[str, Any]
    between: tuple[Draft, ...] = ()

    @property
    def words(self) -> int:
        """How many deltas it streams: its share of the output tokens."""
        return sum(1 for kind, _ in self.between if kind.endswith(".delta"))


@dataclass(frozen=True)
class End:
    """How a stream ends: the type of its last event, and what the response then says."""

    event: str = "response.completed"
    status: str = "completed"
    details: Mapping[str, Any] = field(default_factory=dict)


COMPLETED = End()
EOF = End("")  # the connection ends, and nothing said so


@dataclass(frozen=True)
class Answer:
    """A 200 with a stream of events."""

    items: tuple[Item, ...]
    end: End = COMPLETED
    usage: Mapping[str, Any] = field(default_factory=dict)  # beats what the backend counted
    headers: Mapping[str, str] = field(default_factory=dict)
    interleaved: bool = False  # the items' events alternate
    output: Literal["full", "empty"] | None = None  # of the last event; None: as the kind of backend does it
    encrypted: Literal["done", "completed"] | None = None  # where a reasoning item's blob stands first
    noise: bool | None = None  # events of types nobody has heard of, in between; None: as the kind of backend does it
    cut_after: int | None = None  # this many events, then the connection breaks
    stall_after: int | None = None  # this many events, then silence until `backend.release()`
    pace: float = 0.0  # seconds between events

    def events(
        self,
        request: Mapping[str, Any],
        usage: Mapping[str, Any],
        *,
        empty_output: bool = False,
        encrypted_late: bool = False,
        noisy: bool = False,
    ) -> list[Event]:
        """The whole stream for `request`, `usage` being its input side as the backend counted it."""
        given = self if self.noise is not None else replace(self, noise=noisy)
        drafts = list(_drafts(given, request, _whole_usage(self, usage), empty_output, encrypted_late))
        return [{"type": kind, "sequence_number": number, **fields} for number, (kind, fields) in enumerate(drafts)]


@dataclass(frozen=True)
class HttpError:
    """An answer that is no stream."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bytes:
    """A 200 whose body is these bytes, in these pieces: for streams no constructor would make."""

    chunks: tuple[bytes, ...]
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})


Reply = Answer | HttpError | Bytes

# Answers.


def answer(*items: Item | str, **options: Any) -> Answer:
    """A stream of these items; a string is a text item. `options` are Answer's fields."""
    return Answer(tuple(text(item) if isinstance(item, str) else item for item in items), **options)


def incomplete(reason: str) -> End:
    """reason: max_output_tokens, content_filter."""
    return End("response.incomplete", "incomplete", {"incomplete_details": {"reason": reason}})


def failed(code: str, message: str) -> End:
    return End("response.failed", "failed", {"error": {"code": code, "message": message}})


def error_event(code: str, message: str, *, nested: bool = False) -> End:
    """The stream's own `error` event; `nested` is the form the ChatGPT backend has been seen to use."""
    fault = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
    return End("error", "failed", {"error": fault} if nested else {**fault, "type": "error"})


def error(
    status: int,
    code: str | None,
    message: str,
    *,
    kind: str | None = "invalid_request_error",
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> HttpError:
    """An HTTP error in the API's usual envelope; `more` stands beside the message (plan_type, resets_at, …)."""
    return HttpError(
        status, {"error": {"message": message, "type": kind, "param": param, "code": code, **more}}, headers or {}
    )


def overloaded(*items: Item | str) -> Answer:
    """HTTP 200, then at once the news that there is no room."""
    return answer(*items, end=failed("server_is_overloaded", "Our servers are currently overloaded. Please try later."))


# Items.


def text(words: str, *, citations: Sequence[tuple[str, str]] = (), phase: str | None = None) -> Item:
    """An assistant's message. `citations` are (url, title), each given to a word of the text in turn."""
    item_id = new_id("msg")
    annotations = [_citation(words, place, url, title) for place, (url, title) in enumerate(citations)]
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    done_part = {**part, "annotations": annotations, "text": words}
    where = {"item_id": item_id, "content_index": 0}
    between: list[Draft] = [("response.content_part.added", {**where, "part": part})]
    between += [("response.output_text.delta", {**where, "delta": delta, "logprobs": []}) for delta in _pieces(words)]
    between += [
        ("response.output_text.annotation.added", {**where, "annotation_index": place, "annotation": annotation})
        for place, annotation in enumerate(annotations)
    ]
    between += [
        ("response.output_text.done", {**where, "text": words, "logprobs": []}),
        ("response.content_part.done", {**where, "part": done_part}),
    ]
    message = {"id": item_id, "type": "message", "role": "assistant", **({"phase": phase} if phase else {})}
    return Item(
        {**message, "status": "in_progress", "content": []},
        {**message, "status": "completed", "content": [done_part]},
        tuple(between),
    )


def refusal(words: str) -> Item:
    """A message in which the model declines."""
    item_id = new_id("msg")
    where = {"item_id": item_id, "content_index": 0}
    part = {"type": "refusal", "refusal": words}
    between: list[Draft] = [("response.content_part.added", {**where, "part": {**part, "refusal": ""}})]
    between += [("response.refusal.delta", {**where, "delta": delta}) for delta in _pieces(words)]
    between += [
        ("response.refusal.done", {**where, "refusal": words}),
        ("response.content_part.done", {**where, "part": part}),
    ]
    message = {"id": item_id, "type": "message", "role": "assistant"}
    return Item(
        {**message, "status": "in_progress", "content": []},
        {**message, "status": "completed", "content": [part]},
        tuple(between),
    )


def reasoning(*summary: str, raw: str = "", encrypted: str | None = None) -> Item:
    """A reasoning item: summary parts (none is usual) and the blob; or `raw` reasoning, as open models stream it."""
    item_id = new_id("rs")
    blob = encrypted or f"gAAAAA{secrets.token_urlsafe(120)}"
    between: list[Draft] = []
    for place, part in enumerate(summary):
        between += _summary_part({"item_id": item_id, "summary_index": place}, part)
    where = {"item_id": item_id, "content_index": 0}
    between += [("response.reasoning_text.delta", {**where, "delta": delta}) for delta in _pieces(raw)]
    if raw:
        between.append(("response.reasoning_text.done", {**where, "text": raw}))
    item = {"id": item_id, "type": "reasoning", "summary": []}
    done: dict[str, Any] = {**item, "summary": [_summary_text(part) for part in summary], "encrypted_content": blob}
    if raw:
        done["content"] = [{"type": "reasoning_text", "text": raw}]
        del done["encrypted_content"]
        return Item(item, done, tuple(between))
    # the announced blob is not the final one: only `done` may be replayed
    return Item({**item, "encrypted_content": f"gAAAAA{secrets.token_urlsafe(30)}"}, done, tuple(between))


def call(name: str, arguments: Mapping[str, Any] | str | None = None, /, **more: Any) -> Item:
    """A function call; the arguments as a mapping, as keywords, or as the very text to stream."""
    given = arguments if isinstance(arguments, str) else json.dumps({**(arguments or {}), **more}, ensure_ascii=False)
    item_id = new_id("fc")
    item = {"id": item_id, "type": "function_call", "call_id": new_call_id(), "name": name}
    where = {"item_id": item_id}
    between: list[Draft] = [
        ("response.function_call_arguments.delta", {**where, "delta": given[place : place + 12]})
        for place in range(0, len(given), 12)
    ]
    between.append(("response.function_call_arguments.done", {**where, "name": name, "arguments": given}))
    return Item(
        {**item, "status": "in_progress", "arguments": ""},
        {**item, "status": "completed", "arguments": given},
        tuple(between),
    )


def web_search(query: str, *urls: str) -> Item:
    """A hosted web search, finished; the sources are sent only to a request that includes them."""
    item_id = new_id("ws")
    item = {"id": item_id, "type": "web_search_call"}
    sources = [{"type": "url", "url": url} for url in urls]
    action = {"type": "search", "query": query, "queries": [query], "sources": sources}
    states: tuple[Draft, ...] = tuple(
        (f"response.web_search_call.{state}", {"item_id": item_id})
        for state in ("in_progress", "searching", "completed")
    )
    announced = {**item, "status": "in_progress", "action": {"type": "search", "query": ""}}
    return Item(announced, {**item, "status": "completed", "action": action}, states)


def tool_search(**arguments: Any) -> Item:
    """A client-side tool search: the client answers with a `tool_search_output`."""
    item = {"id": new_id("tsc"), "type": "tool_search_call", "call_id": new_call_id(), "execution": "client"}
    return Item(
        {**item, "status": "in_progress", "arguments": {}}, {**item, "status": "completed", "arguments": arguments}
    )


def unknown_item() -> Item:
    """An item of a type that does not exist yet."""
    item = {"id": new_id("fut"), "type": "future_call", "novelty": {"deep": [1, 2]}}
    return Item(
        {**item, "status": "in_progress"}, {**item, "status": "completed"}, (("response.future_call.delta", {}),)
    )


def without_deltas(item: Item) -> Item:
    """The same item, its content only in its `…done` events."""
    return replace(item, between=tuple(draft for draft in item.between if not draft[0].endswith(".delta")))


def only_done(item: Item) -> Item:
    """The same item, its content nowhere but in `output_item.done`."""
    return replace(item, between=())


def sse(event: Event) -> bytes:
    """One event as the API writes it."""
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return f"event: {event['type']}\ndata: {body}\n\n".encode()


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(24)}"


def new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


# Rendering.


def _drafts(
    given: Answer, request: Mapping[str, Any], usage: dict[str, Any], empty_output: bool, encrypted_late: bool
) -> Iterator[Draft]:
    late = given.encrypted == "completed" if given.encrypted else encrypted_late
    empty = given.output == "empty" if given.output else empty_output
    base = _response(request)
    yield "response.created", {"response": base}
    yield "response.in_progress", {"response": base}
    items = [_item_for(item, request) for item in given.items]
    streams = [_item_drafts(place, item, request, late) for place, item in enumerate(items)]
    for number, draft in enumerate(_alternate(streams) if given.interleaved else itertools.chain(*streams)):
        yield draft
        if given.noise and number % 3 == 0:
            yield from _NOISE
    if given.end is EOF:
        return
    if given.end.event == "error":
        yield "error", dict(given.end.details)
        return
    # a blob that came late must stand somewhere: then `completed.output` is never empty
    output = [] if empty and not late else [item.done for item in items]
    last = {**base, "status": given.end.status, "output": output, "usage": usage, **given.end.details}
    yield given.end.event, {"response": last}


def _item_for(item: Item, request: Mapping[str, Any]) -> Item:
    """The item as this request gets it: what it did not ask to be included is left out."""
    include = request.get("include") or []
    kind = item.done["type"]
    done = dict(item.done)
    if kind == "reasoning" and "reasoning.encrypted_content" not in include:
        done.pop("encrypted_content", None)
    if kind == "reasoning" and not (request.get("reasoning") or {}).get("summary"):
        quiet = tuple(draft for draft in item.between if "summary" not in draft[0])
        return replace(item, done={**done, "summary": []}, between=quiet)
    if kind == "web_search_call" and "web_search_call.action.sources" not in include:
        done["action"] = {key: value for key, value in done["action"].items() if key != "sources"}
    return replace(item, done=done)


def _item_drafts(place: int, item: Item, request: Mapping[str, Any], late: bool) -> Iterator[Draft]:
    where = {"output_index": place}
    hidden = (request.get("stream_options") or {}).get("include_obfuscation") is False
    yield "response.output_item.added", {**where, "item": item.added}
    for kind, fields in item.between:
        filler = {"obfuscation": secrets.token_urlsafe(6)} if kind.endswith(".delta") and not hidden else {}
        yield kind, {**where, **fields, **filler}
    bare = {key: value for key, value in item.done.items() if key != "encrypted_content"}
    yield "response.output_item.done", {**where, "item": bare if late else item.done}


def _alternate(streams: Sequence[Iterator[Draft]]) -> Iterator[Draft]:
    for row in itertools.zip_longest(*streams):
        yield from filter(None, row)


_NOISE: tuple[Draft, ...] = (
    ("codex.rate_limits", {"plan_type": "plus", "rate_limits": {"primary": {"used_percent": 12.0}}}),
    ("response.metadata", {"metadata": {"x": "y"}}),
    ("response.future.delta", {"delta": "from the future", "output_index": 99}),
)


def _response(request: Mapping[str, Any]) -> dict[str, Any]:
    echoed = ("instructions", "max_output_tokens", "prompt_cache_key", "reasoning", "store", "text")
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": 1_795_000_000,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": request["model"],
        "output": [],
        "parallel_tool_calls": request.get("parallel_tool_calls", True),
        "tool_choice": request.get("tool_choice", "auto"),
        "tools": [],
        "usage": None,
        "metadata": {},
        **{key: request[key] for key in echoed if key in request},
    }


def _whole_usage(given: Answer, usage: Mapping[str, Any]) -> dict[str, Any]:
    thought = sum(max(item.words, 8) for item in given.items if item.done["type"] == "reasoning")
    said = sum(max(item.words, 1) for item in given.items if item.done["type"] != "reasoning")
    whole = {
        **usage,
        "output_tokens": thought + said,
        "output_tokens_details": {"reasoning_tokens": thought},
        **given.usage,
    }
    return {**whole, "total_tokens": whole["input_tokens"] + whole["output_tokens"]}


def _summary_part(where: dict[str, Any], words: str) -> list[Draft]:
    part = _summary_text(words)
    drafts: list[Draft] = [("response.reasoning_summary_part.added", {**where, "part": _summary_text("")})]
    drafts += [("response.reasoning_summary_text.delta", {**where, "delta": delta}) for delta in _pieces(words)]
    drafts.append(("response.reasoning_summary_text.done", {**where, "text": words}))
    drafts.append(("response.reasoning_summary_part.done", {**where, "part": part}))
    return drafts


def _summary_text(words: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": words}


def _citation(words: str, place: int, url: str, title: str) -> dict[str, Any]:
    spans = [match.span() for match in re.finditer(r"\S+", words)]
    start, end = spans[place % len(spans)]
    return {"type": "url_citation", "start_index": start, "end_index": end, "url": url, "title": title}


def _pieces(words: str) -> list[str]:
    """A text as a model streams it: a word and the space after it at a time."""
    return re.findall(r"\s*\S+\s?|\s+", words)
