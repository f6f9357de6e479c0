"""Turns a move of the demo's model into the events of the Responses API, in the real order. Pure.

    for event in stream_move(move, body, found, new_id=…, created_at=…): …

Reasoning comes first (with a summary if the request wants one, encrypted if it asks for that), then text, then calls.
An answer that reaches `max_output_tokens` stops there and ends with `response.incomplete`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import orjson

from . import events
from .events import Event, Item
from .moves import Call, Move
from .prefix import BYTES_PER_TOKEN, Input, count_tokens_roughly
from .seal import seal

Body = Mapping[str, Any]
NewId = Callable[[str], str]  # prefix → a fresh id that begins with it
Streaming = Generator[Event, None, Item]

WORDS_A_DELTA = 2
ARGUMENTS_A_DELTA = 32  # characters
FILLER_BLOCK = 16  # deltas are padded to a multiple of this, so that their length tells nothing


def stream_move(move: Move, body: Body, found: Input, *, new_id: NewId, created_at: int) -> Iterator[Event]:
    """The whole stream; its last event holds the finished response."""
    begun = events.response(body, response_id=new_id("resp"), created_at=created_at)
    padded = (body.get("stream_options") or {}).get("include_obfuscation", True)
    for number, event in enumerate(stream(move, body, found, begun, new_id)):
        event["sequence_number"] = number
        if padded and "delta" in event:
            event["obfuscation"] = "x" * (-len(event["delta"]) % FILLER_BLOCK)
        yield event


def stream(move: Move, body: Body, found: Input, begun: dict[str, Any], new_id: NewId) -> Iterator[Event]:
    yield events.response_created(begun)
    yield events.response_in_progress(begun)
    effort = begun["reasoning"]["effort"]
    move, cut = _fit_to_limit(move if effort != "none" else replace(move, think=""), body.get("max_output_tokens"))
    indices, output = count(), []
    if move.think:
        output.append((yield from _stream_reasoning(next(indices), move.think, body, new_id)))
    if move.say:
        status = "incomplete" if cut else "completed"
        output.append((yield from _stream_message(next(indices), move.say, status, new_id)))
    for call in move.calls:
        output.append((yield from _stream_call(next(indices), call, new_id)))
    thought, said = (
        count_tokens_roughly(move.think),
        count_tokens_roughly(move.say)
        + sum(count_tokens_roughly(_encode_arguments(call.arguments)) for call in move.calls),
    )
    usage = events.usage(
        input_tokens=found.tokens,
        cached=found.cached,
        written=found.written,
        output_tokens=thought + said,
        reasoning=thought,
    )
    if cut:
        yield events.response_incomplete(events.incomplete_response(begun, output, usage))
    else:
        yield events.response_completed(events.completed_response(begun, output, usage))


def _fit_to_limit(move: Move, most: int | None) -> tuple[Move, bool]:
    """Return the part of a move that `max_output_tokens` allows, and whether something was cut off."""
    left = most if most is not None else 10**9
    if (thought := count_tokens_roughly(move.think)) > left:
        return Move(_cut_to_tokens(move.think, left)), True
    left -= thought
    if (said := count_tokens_roughly(move.say)) > left:
        return Move(move.think, _cut_to_tokens(move.say, left)), True
    left -= said
    for at, call in enumerate(move.calls):
        left -= count_tokens_roughly(_encode_arguments(call.arguments))
        if left < 0:
            return replace(move, calls=move.calls[:at]), True
    return move, False


def _cut_to_tokens(text: str, most: int) -> str:
    return text.encode()[: most * BYTES_PER_TOKEN].decode(errors="ignore")


# Items.


def _stream_reasoning(index: int, thought: str, body: Body, new_id: NewId) -> Streaming:
    item_id = new_id("rs")
    yield events.item_added(index, events.reasoning_item(item_id, []))
    summary = []
    if (body.get("reasoning") or {}).get("summary"):
        yield events.summary_part_added(index, item_id, events.summary_text(""))
        for delta in _few_words(thought):
            yield events.summary_delta(index, item_id, delta)
        yield events.summary_text_done(index, item_id, thought)
        summary.append(events.summary_text(thought))
        yield events.summary_part_done(index, item_id, summary[0])
    wanted = "reasoning.encrypted_content" in (body.get("include") or ())
    token = seal({"item": item_id, "thought": thought}) if wanted else None
    item = events.reasoning_item(item_id, summary, token)
    yield events.item_done(index, item)
    return item


def _stream_message(index: int, text: str, status: str, new_id: NewId) -> Streaming:
    item_id = new_id("msg")
    yield events.item_added(index, events.message_item(item_id, "in_progress", []))
    yield events.content_part_added(index, item_id, events.output_text(""))
    for delta in _few_words(text):
        yield events.text_delta(index, item_id, delta)
    part = events.output_text(text)
    yield events.text_done(index, item_id, text)
    yield events.content_part_done(index, item_id, part)
    item = events.message_item(item_id, status, [part])
    yield events.item_done(index, item)
    return item


def _stream_call(index: int, call: Call, new_id: NewId) -> Streaming:
    item_id, call_id, arguments = new_id("fc"), new_id("call"), _encode_arguments(call.arguments)
    begun = events.function_call_item(item_id, "in_progress", call_id=call_id, name=call.name, arguments="")
    yield events.item_added(index, begun)
    for delta in _slice_text(arguments, ARGUMENTS_A_DELTA):
        yield events.arguments_delta(index, item_id, delta)
    yield events.arguments_done(index, item_id, name=call.name, arguments=arguments)
    item = events.function_call_item(item_id, "completed", call_id=call_id, name=call.name, arguments=arguments)
    yield events.item_done(index, item)
    return item


def _encode_arguments(arguments: dict[str, Any]) -> str:
    return orjson.dumps(arguments).decode()


def _few_words(text: str) -> Iterable[str]:
    """Split a text into pieces of a few words. Spaces are kept."""
    words = re.findall(r"\s*\S+\s*", text) or [text]
    return ("".join(words[at : at + WORDS_A_DELTA]) for at in range(0, len(words), WORDS_A_DELTA))


def _slice_text(text: str, size: int) -> Iterable[str]:
    return (text[at : at + size] for at in range(0, len(text), size))
