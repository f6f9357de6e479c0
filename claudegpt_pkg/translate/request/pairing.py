"""Every call followed by exactly one output, every output preceded by its call, every call id used once.

A backend answers 400 to anything else, and that would end the session. What is repaired is noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..tools import shorten_name
from ..wire import openai
from .draft import Note

Item = openai.Item

CALLS = frozenset({"function_call", "tool_search_call"})
OUTPUTS = frozenset({"function_call_output", "tool_search_output"})
NO_RESULT = "[no result: the call was interrupted]"
NO_OUTPUT = "[no output]"


def pair_calls(items: list[Item]) -> tuple[list[Item], list[Note]]:
    """The repaired items, and a note for each repair."""
    calls = _places_by_id(items, CALLS)
    answers = _answer_places(calls, _places_by_id(items, OUTPUTS), len(items))
    ids, notes = _new_ids(calls)
    return list(_repair_items(items, answers, ids, notes)), notes


def _repair_items(
    items: list[Item], answers: Mapping[int, int], ids: Mapping[int, str], notes: list[Note]
) -> Iterator[Item]:
    calls = {output: call for call, output in answers.items()}
    for at, item in enumerate(items):
        if item["type"] in CALLS:
            call = {**item, "call_id": ids[at]} if at in ids else item
            yield call
            if at not in answers:
                notes.append(("messages.tool_use", f"repaired: no result for {item['call_id']}"))
                yield _missing_output(call)
            elif answers[at] < at:
                notes.append(("messages.tool_result", f"repaired: the result of {item['call_id']} came too early"))
                yield items[answers[at]]
        elif item["type"] not in OUTPUTS:
            yield item
        elif at not in calls:
            notes.append(("messages.tool_result", f"repaired: no call for {item['call_id']}"))
            yield _as_message(item)
        elif calls[at] < at:
            yield {**item, "call_id": ids[calls[at]]} if calls[at] in ids else item


def _new_ids(calls: Mapping[str, list[int]]) -> tuple[dict[int, str], list[Note]]:
    """An own id for each call whose id an earlier call has: some servers number their calls anew in each turn."""
    ids: dict[int, str] = {}
    notes: list[Note] = []
    for call_id, places in calls.items():
        if len(places) > 1:
            ids |= {at: shorten_name(f"{call_id}#{number}") for number, at in enumerate(places) if number}
            notes.append(("messages.tool_use", f"repaired: {len(places)} calls have the id {call_id}"))
    return ids, notes


def _answer_places(calls: Mapping[str, list[int]], outputs: Mapping[str, list[int]], end: int) -> dict[int, int]:
    """The place of each call → the place of its output: the first before the next call of that id, else an early one.

    `calls` and `outputs` hold places, all before `end`, by call id.
    """
    answers: dict[int, int] = {}
    for call_id, places in calls.items():
        given = outputs.get(call_id, ())
        for at, until in zip(places, [*places[1:], end], strict=True):
            if own := [output for output in given if at < output < until]:
                answers[at] = own[0]
        if places[0] not in answers and given and given[0] < places[0]:
            answers[places[0]] = given[0]
    return answers


def _places_by_id(items: list[Item], kinds: Iterable[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for at, item in enumerate(items):
        if item["type"] in kinds:
            places.setdefault(item["call_id"], []).append(at)
    return places


def _missing_output(call: Item) -> Item:
    if call["type"] == "tool_search_call":
        return openai.tool_search_output(call["call_id"], [])
    return openai.function_call_output(call["call_id"], NO_RESULT)


def _as_message(output: Item) -> Item:
    """A result whose call is not in the conversation, as something that the user says."""
    result: Any = output.get("output") or NO_OUTPUT
    parts = [openai.input_text(result)] if isinstance(result, str) else result
    return openai.message("user", [openai.input_text("[result of an earlier tool call]"), *parts])
