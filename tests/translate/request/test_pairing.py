"""Every call has one output behind it, every output a call before it, and every call an id of its own.

Items are shown as in test_messages.py.
"""

from __future__ import annotations

from claudegpt_pkg.translate.request.pairing import NO_RESULT
from tests.translate.request.test_messages import (
    IMAGE_PART,
    PNG,
    SEARCH,
    assistant,
    call,
    conversation,
    items,
    result,
    user,
)


def test_a_call_without_a_result_gets_one_that_says_so() -> None:
    assert items(user("x"), assistant(call("a"), call("b")), user(result("b"), "stop")) == [
        ("user", "x"),
        ("call", "a", "Bash", "{}"),
        ("output", "a", NO_RESULT),
        ("call", "b", "Bash", "{}"),
        ("output", "b", "ok"),
        ("user", "stop"),
    ]


def test_a_result_without_a_call_becomes_a_user_message() -> None:
    assert items(user(result("gone", "kept"), "go on")) == [
        ("user", "[result of an earlier tool call]", "kept"),
        ("user", "go on"),
    ]
    assert items(user(result("gone", [PNG]))) == [("user", "[result of an earlier tool call]", IMAGE_PART)]


def test_a_result_that_came_too_early_moves_behind_its_call() -> None:
    assert items(user(result("a", "early")), assistant(call("a")), user("x")) == [
        ("call", "a", "Bash", "{}"),
        ("output", "a", "early"),
        ("user", "x"),
    ]


def test_a_second_result_becomes_a_user_message() -> None:
    assert items(assistant(call("a")), user(result("a", "one"), result("a", "two"))) == [
        ("call", "a", "Bash", "{}"),
        ("output", "a", "one"),
        ("user", "[result of an earlier tool call]", "two"),
    ]


def test_calls_that_have_the_same_id_in_each_turn_get_ids_of_their_own() -> None:
    turns = [assistant(call("call_0", n=1)), user(result("call_0", "one"))]
    turns += [assistant(call("call_0", n=2)), user(result("call_0", "two"))]
    made = items(*turns, assistant(call("call_0", n=3)), user("x"))
    ids = [item[1] for item in made[::2]][:3]
    assert [made[:2], made[2:4], made[4:6]] == [
        [("call", ids[0], "Bash", '{"n":1}'), ("output", ids[0], "one")],
        [("call", ids[1], "Bash", '{"n":2}'), ("output", ids[1], "two")],
        [("call", ids[2], "Bash", '{"n":3}'), ("output", ids[2], NO_RESULT)],
    ]
    assert len(set(ids)) == 3 and ids[0] == "call_0" and all(len(one) <= 64 for one in ids)
    assert made[:4] == items(*turns)


def test_each_repair_is_noted() -> None:
    read = conversation(user(result("gone")), assistant(call("a"), {"type": "hologram"}), user("x"))
    assert [field for field, _ in read.notes] == ["messages.hologram", "messages.tool_result", "messages.tool_use"]


def test_a_search_without_a_result_found_nothing() -> None:
    assert items(SEARCH[0], user("x"), searching=True) == [
        ("search", "s", {"query": "b"}),
        ("found", "s", []),
        ("user", "x"),
    ]


def test_a_search_result_without_its_search_becomes_a_user_message() -> None:
    (message,) = items(SEARCH[1], searching=True)
    assert message[0] == "user" and "mcp__a__b" in message[-1]
