"""Lanes become blocks one after the other, whatever order their texts come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claudegpt_pkg.translate.answer.blocks import Blocks, Reply
from claudegpt_pkg.translate.answer.items import Lane
from claudegpt_pkg.translate.tools import ToolTable
from claudegpt_pkg.translate.wire.anthropic import text_block
from tests.support.grammar import check, folded

MESSAGE = {"id": "m", "type": "message"}
CALL = {"id": "f", "call_id": "c", "name": "Bash"}


def blocks(**reply: Any) -> Blocks:
    return Blocks(Reply("msg_1", "m", 7, ToolTable(), **reply))


def lane(made: Blocks, kind: str, index: int, item: Mapping[str, Any] = MESSAGE, part: int = 0) -> Lane:
    new = Lane(kind, (index, part if kind == "text" else kind), item)
    made.add(new)
    return new


def types(made: Blocks) -> list[str]:
    """Of the events since the last look."""
    seen, made.out = made.out, []
    return [event.get("delta", event).get("type") or event["type"] for event in seen]


def test_the_first_lane_streams_and_the_second_comes_whole_after_it() -> None:
    made = blocks()
    first, second = lane(made, "text", 0), lane(made, "call", 1, CALL)
    made.push(second, "{}")
    made.close(second)
    made.push(first, "a")
    assert types(made) == ["message_start", "content_block_start", "text_delta"]
    made.close(first)
    assert types(made) == [
        "content_block_stop",
        *("content_block_start", "input_json_delta", "content_block_stop"),
    ]
    assert made.called and made.answered


def test_a_lane_stands_after_the_others_of_its_item() -> None:
    made = blocks()
    first, last = lane(made, "text", 0), lane(made, "text", 1)
    between = lane(made, "text", 0, part=1)
    for each, words in ((last, "c"), (between, "b"), (first, "a")):
        made.push(each, words)
    for each in (first, between, last):
        made.close(each)
    made.stop("end_turn")
    assert [block["text"] for block in folded(check(made.out))] == ["a", "b", "c"]


def test_thinking_is_held_until_the_next_lane_or_the_end_of_all() -> None:
    for end in (lambda made: lane(made, "text", 1), Blocks.no_more):
        made = blocks()
        thought = lane(made, "thinking", 0, {"id": "rs", "encrypted_content": "gAAAAA"})
        made.push(thought, "Hm.")
        made.close(thought)
        assert types(made) == ["message_start", "content_block_start", "thinking_delta"]
        end(made)
        assert types(made) == ["signature_delta", "content_block_stop"]


def test_broken_off_a_thought_that_is_held_is_whole_and_one_that_is_not_closed_is_not() -> None:
    for closed in (True, False):
        made = blocks()
        thought = lane(made, "thinking", 0, {"id": "rs", "encrypted_content": "gAAAAA"})
        made.push(thought, "Hm.")
        if closed:
            made.close(thought)
        types(made)
        made.break_off()
        assert types(made) == (["signature_delta", "content_block_stop"] if closed else [])


def test_a_client_that_has_its_message_start_gets_no_other() -> None:
    made = blocks(started=True)
    made.put(text_block())
    made.stop("end_turn")
    assert types(made) == ["content_block_start", "content_block_stop", "message_delta", "message_stop"]


def test_a_lane_that_is_identified_late_begins_then() -> None:
    made = blocks()
    call = lane(made, "call", 0, {})
    made.push(call, "{}")
    assert types(made) == []
    made.identify(call, CALL)
    assert types(made) == ["message_start", "content_block_start", "input_json_delta"]
