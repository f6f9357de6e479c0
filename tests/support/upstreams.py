"""Generated answers: one Responses stream as some server may send it, and what a client must end up with.

    answered()      an Answered: the events, the items they tell of, and the blocks that must come out
    pieces(data)    bytes cut anywhere

A server may announce an item or not. It may stream all of a text, its beginning or nothing, and repeat the whole text
in any of four `done` events and again at the very end; somewhere it sends all of it. Items begin in their order; then
their events may alternate in any way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from .strategies import ODD, Draw, json_values, words

Event = dict[str, Any]
Item = dict[str, Any]

TOOLS: list[dict[str, Any]] = [
    {
        "name": "Bash",
        "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    },
    {
        "name": "Read",
        "input_schema": {
            "type": "object",
            "properties": {
                "file_path": {"type": "string"},
                "pages": {"type": "string", "description": 'Pages (e.g., "1-5")'},
                "limit": {"type": "integer"},
                "kinds": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            },
            "required": ["file_path"],
        },
    },
    {"name": "ToolSearch", "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}}},
    {"name": "mcp__a.b__c", "input_schema": {"type": "object", "properties": {}}},
    {"type": "web_search_20250305", "name": "web_search"},
]
SENSELESS: dict[str, tuple[Any, ...]] = {"pages": ("", None), "limit": (None,), "kinds": ([], None)}  # of Read
NOISE: list[Event] = [
    {"type": "codex.rate_limits", "rate_limits": {}},
    {"type": "response.future.delta", "delta": "from the future", "output_index": 0},
    {"type": "response.in_progress", "response": {"output": []}},
    {"type": "response.output_item.added", "output_index": 90, "item": {"type": "future_call", "id": "fut_1"}},
    {"type": "response.output_item.done", "output_index": 90, "item": {"type": "future_call", "id": "fut_1"}},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": ""},
    {"type": "keepalive"},
    {},
]

said = (words | st.sampled_from(ODD)).map(lambda text: text + "x")  # a text of nothing is no answer


@dataclass
class Answered:
    """`blocks`: text as it is, thinking as "~text", a call as (name, input), a search as (name, query)."""

    events: list[Event]
    items: list[Item]
    blocks: list[Any]


def cut(draw: Draw, text: str) -> list[str]:
    """A text in pieces, some of them empty."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def pieces(draw: Draw, data: bytes) -> list[bytes]:
    """Bytes as a network cuts them."""
    if draw(st.integers(0, 9)) == 0:
        return [data[at : at + 1] for at in range(len(data))]
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@st.composite
def answered(draw: Draw) -> Answered:
    items = [new_item(draw, number) for number in range(draw(st.integers(1, 5)))]
    if all(item["type"] == "reasoning" for item in items):
        items.append(message(draw, len(items)))
    ending = draw(st.sampled_from(["whole", "whole", "empty", "some", "other ids", "no ids"]))
    unseen = draw(st.integers(0, len(items))) if ending == "whole" and draw(st.booleans()) else 0
    seen = items[: len(items) - unseen]
    told = [list(events_of(draw, item, index, ending)) for index, item in enumerate(seen)]
    events = [event for event in merged(draw, told) for event in (*noise(draw), event)]
    return Answered(
        [*events, ended(draw, items, ending)], items, [block for item in items for block in blocks_of(item)]
    )


def noise(draw: Draw) -> list[Event]:
    return [dict(draw(st.sampled_from(NOISE)))] if draw(st.integers(0, 9)) == 0 else []


def merged(draw: Draw, told: Sequence[list[Event]]) -> Iterator[Event]:
    """The events of all items: each item's in order, its first after the first of the item before it.

    An empty message holds no reasoning back, so the first item says something before the second begins.
    """
    first = list(told[0]) if told else []
    size = next((at + 1 for at, event in enumerate(first) if says_something(event)), len(first))
    yield from first[:size]
    waiting = [first[size:], *map(list, told[1:])]
    apart = draw(st.booleans())
    begun = 1
    while any(waiting):
        open_ones = [at for at in range(begun) if waiting[at]] + ([begun] if begun < len(waiting) else [])
        at = open_ones[0] if apart else draw(st.sampled_from(open_ones))
        begun = max(begun, at + 1)
        yield waiting[at].pop(0)


def says_something(event: Event) -> bool:
    return bool(event.get("delta")) or event["type"].endswith(".done")


# Items.


def new_item(draw: Draw, number: int) -> Item:
    makers = [message, message, reasoning, reasoning, call, call, tool_search, web_search]
    return dict(draw(st.sampled_from(makers))(draw, number))


def message(draw: Draw, number: int) -> Item:
    kinds = draw(st.lists(st.sampled_from(["output_text"] * 4 + ["refusal"]), min_size=1, max_size=3))
    parts = [{"type": kind, TEXT_KEY[kind]: draw(said)} for kind in kinds]
    return {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": parts}


def reasoning(draw: Draw, number: int) -> Item:
    summary = [{"type": "summary_text", "text": text} for text in draw(st.lists(words, max_size=3))]
    return {"type": "reasoning", "id": f"rs_{number}", "summary": summary, "encrypted_content": f"gAAAAA.{number}"}


def call(draw: Draw, number: int) -> Item:
    name = draw(st.sampled_from(["Bash", "Read", "mcp__a_b__c_efcd29bc82", "Invented"]))
    given = draw(st.dictionaries(words | st.sampled_from(["command", "file_path"]), json_values, max_size=3))
    if name == "Read":
        empties = {key: st.sampled_from(values) | said for key, values in SENSELESS.items()}
        given = {**given, **draw(st.fixed_dictionaries({}, optional=empties))}
        given = dict(draw(st.permutations(list(given.items()))))
    text = json.dumps(
        given,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1])),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")])),
    )
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": name,
        "arguments": draw(st.sampled_from(["", "\n "])) + text,
    }


def tool_search(draw: Draw, number: int) -> Item:
    item = {"type": "tool_search_call", "id": f"tsc_{number}", "call_id": f"call_{number}", "execution": "client"}
    return {**item, "arguments": {"query": draw(words)}}


def web_search(draw: Draw, number: int) -> Item:
    action = {"type": "search", "query": draw(words), "sources": [{"type": "url", "url": "https://x.test"}]}
    return {"type": "web_search_call", "id": f"ws_{number}", "status": "completed", "action": action}


TEXT_KEY = {"output_text": "text", "refusal": "refusal", "summary_text": "text"}


# What a client ends up with.


def blocks_of(item: Item) -> list[Any]:
    kind = item["type"]
    if kind == "message":
        return [part[TEXT_KEY[part["type"]]] for part in item["content"]]
    if kind == "reasoning":
        return ["~" + "\n\n".join(part["text"] for part in item["summary"] if part["text"])]
    if kind == "function_call":
        given = json.loads(item["arguments"])
        if item["name"] == "Read":
            given = {key: value for key, value in given.items() if not senseless(key, value)}
        return [(ORIGINAL.get(item["name"], item["name"]), given)]
    if kind == "tool_search_call":
        return [("ToolSearch", item["arguments"])]
    return [("web_search", {"query": item["action"]["query"]}), "web_search_tool_result"]


ORIGINAL = {"mcp__a_b__c_efcd29bc82": "mcp__a.b__c"}


def senseless(key: str, value: Any) -> bool:
    return any(value is empty or (value == empty and type(value) is type(empty)) for empty in SENSELESS.get(key, ()))


# How a server tells of an item.


def events_of(draw: Draw, item: Item, index: int, ending: str) -> Iterator[Event]:
    """Events of one item: all of it where the end tells of none or only of some; else a part, and that it is there."""
    where = {"output_index": index, **({"item_id": item["id"]} if draw(st.booleans()) else {})}
    told = list(TELLERS.get(item["type"], tell_nothing)(draw, item, where))
    must = ending in ("empty", "some")
    is_done = must or item["type"] == "reasoning" or draw(st.booleans())
    late = item["type"] == "reasoning" and ending == "whole" and draw(st.integers(0, 2)) == 0
    if item["type"] not in TELLERS or draw(st.integers(0, 3)) or late or not (told or is_done):
        yield {"type": "response.output_item.added", "output_index": index, "item": announced(item)}
    yield from told
    done = {key: value for key, value in item.items() if key != "encrypted_content"} if late else item
    for _ in range(draw(st.sampled_from([1, 1, 1, 2])) if is_done else 0):
        yield {"type": "response.output_item.done", "output_index": index, "item": done}


def announced(item: Item) -> Item:
    empty: dict[str, dict[str, Any]] = {
        "message": {"content": []},
        "reasoning": {"summary": [], "encrypted_content": "early"},
    }
    bare: dict[str, dict[str, Any]] = {**empty, "function_call": {"arguments": ""}, "web_search_call": {"action": None}}
    return {**item, **bare.get(item["type"], {"arguments": {}}), "status": "in_progress"}


def tell_nothing(draw: Draw, item: Item, where: Event) -> Iterator[Event]:
    yield from ()


def tell_text(draw: Draw, kind: str, text: str, where: Event, key: str, *, least: int = 0) -> Iterator[Event]:
    """Deltas of all of it, of its beginning, or none; and the whole of it, `least` times or more."""
    how = draw(st.sampled_from(["all", "all", "beginning", "nothing"]))
    streamed = text if how == "all" else text[: draw(st.integers(0, len(text)))] if how == "beginning" else ""
    if streamed:
        first = draw(st.integers(1, len(streamed)))  # what begins an item says something
        for piece in (streamed[:first], *cut(draw, streamed[first:])):
            yield {"type": f"{kind}.delta", **where, "delta": piece}
    for _ in range(draw(st.integers(least, 2))):
        yield {"type": f"{kind}.done", **where, key: text}


def tell_message(draw: Draw, item: Item, where: Event) -> Iterator[Event]:
    for at, part in enumerate(item["content"]):
        place, key = {**where, "content_index": at}, TEXT_KEY[part["type"]]
        if len(item["content"]) > 1 or draw(st.booleans()):
            yield {"type": "response.content_part.added", **place, "part": {**part, key: ""}}
        yield from tell_text(draw, f"response.{part['type']}", part[key], place, key)
        if draw(st.booleans()):
            yield {"type": "response.content_part.done", **place, "part": part}


def tell_reasoning(draw: Draw, item: Item, where: Event) -> Iterator[Event]:
    for at, part in enumerate(item["summary"]):
        place = {**where, "summary_index": at}
        if draw(st.booleans()):
            yield {"type": "response.reasoning_summary_part.added", **place, "part": {**part, "text": ""}}
        once = draw(st.booleans())
        more = at + 1 < len(item["summary"])  # a part is told to its end before the next begins, in one way or another
        kind = "response.reasoning_summary_text"
        yield from tell_text(draw, kind, part["text"], place, "text", least=int(more and not once))
        if once:
            yield {"type": "response.reasoning_summary_part.done", **place, "part": part}


def tell_call(draw: Draw, item: Item, where: Event) -> Iterator[Event]:
    yield from tell_text(draw, "response.function_call_arguments", item["arguments"], where, "arguments")


TELLERS = {"message": tell_message, "reasoning": tell_reasoning, "function_call": tell_call}


def ended(draw: Draw, items: Sequence[Item], ending: str) -> Event:
    """The last event; `ending` says what it tells of the items."""
    output = {
        "whole": list(items),
        "empty": draw(st.sampled_from([[], None])),
        "some": [item for item in items if draw(st.booleans())],
        "other ids": [{**item, "id": f"other_{at}"} for at, item in enumerate(items)],
        "no ids": [{key: value for key, value in item.items() if key != "id"} for item in items],
    }[ending]
    return {"type": "response.completed", "response": {"status": "completed", "output": output, "usage": None}}
