"""What the client gets for an answer, whichever events the server sends.

`shown` writes a message short: thinking as "~text", text as it is, a call as (name, input). Recorded streams are tested
in tests/fixtures; here are the rules and the odd habits of servers, one by one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from claudegpt_pkg.errors import EmptyAnswer, UpstreamFailed
from claudegpt_pkg.translate import reasoning
from claudegpt_pkg.translate.answer.blocks import Reply
from claudegpt_pkg.translate.answer.stream import MessageStream, ResponseFailed
from claudegpt_pkg.translate.request.tool_table import build_tool_table
from claudegpt_pkg.translate.tools import ToolRules, ToolTable, shorten_name
from tests.support.fakes import answers
from tests.support.fakes.answers import Answer, answer
from tests.support.grammar import check, folded, stop_reason, text_of, usage

Event = dict[str, Any]
READ = {
    "type": "object",
    "properties": {
        "file_path": {"type": "string"},
        "pages": {"type": "string", "description": 'Pages (e.g., "1-5")'},
        "limit": {"type": "integer"},
    },
    "required": ["file_path"],
}
TOOLS: list[dict[str, Any]] = [
    {"name": "Bash", "input_schema": {"type": "object"}},
    {"name": "Read", "input_schema": READ},
    {"name": "mcp__a.b", "input_schema": {"type": "object"}},
    {"type": "web_search_20250305", "name": "web_search"},
]
ASKED: dict[str, Any] = {
    "model": "gpt-6-sol",
    "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
    "reasoning": {"summary": "auto"},
}
COUNTED = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30}}


def stream_for(**reply: Any) -> MessageStream:
    table = build_tool_table(TOOLS, [], ToolRules())
    return MessageStream(Reply(**{"message_id": "msg_1", "model": "m", "input_tokens": 7, "table": table, **reply}))


def told(given: Answer, **more: Any) -> list[Event]:
    return given.events(ASKED, COUNTED, **more)


def seen(events: list[Event], *, whole: bool = True, **reply: Any) -> list[Event]:
    """Return the events that the client gets for these, checked against the grammar."""
    stream = stream_for(**reply)
    out = [copy.deepcopy(ours) for event in events for ours in stream.receive(event)]
    if whole:
        stream.finish()
    return check(out, whole=whole)


def shown(events: list[Event]) -> list[Any]:
    return [SHOWN[block["type"]](block) if block["type"] in SHOWN else block["type"] for block in folded(events)]


SHOWN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "text": lambda block: block["text"],
    "thinking": lambda block: f"~{block['thinking']}",
    "tool_use": lambda block: (block["name"], block["input"]),
    "server_tool_use": lambda block: (block["name"], block["input"]),
}


def kinds(events: list[Event]) -> list[str]:
    """Return the event types; for deltas in a row, their type once."""
    names = [event["delta"]["type"] if event["type"] == "content_block_delta" else event["type"] for event in events]
    return [name for at, name in enumerate(names) if not (at and name.endswith("_delta") and names[at - 1] == name)]


# Events as odd servers write them.


def added(item: Any, index: Any = 0) -> Event:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(item: Any, index: Any = 0) -> Event:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def delta(text: Any, index: Any = 0, part: Any = 0, kind: str = "output_text", **more: Any) -> Event:
    where = {"output_index": index, "content_index": part}
    return {"type": f"response.{kind}.delta", **where, "delta": text, **more}


def part_added(part: Any, index: Any = 0) -> Event:
    where = {"output_index": index, "content_index": part}
    return {"type": "response.content_part.added", **where, "part": {"type": "output_text", "text": ""}}


def arguments(text: Any, index: Any = 0, **more: Any) -> Event:
    return {"type": "response.function_call_arguments.delta", "output_index": index, "delta": text, **more}


def thought(text: Any, index: Any = 0, part: Any = 0) -> Event:
    return {
        "type": "response.reasoning_summary_text.delta",
        "output_index": index,
        "summary_index": part,
        "delta": text,
    }


def message(*texts: str, id: Any = "msg_u") -> Event:
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "id": id, "role": "assistant", "content": parts}


def call(call_id: Any = "c1", name: Any = "Bash", given: Any = '{"command":"ls"}', id: Any = "fc_1") -> Event:
    return {"type": "function_call", "id": id, "call_id": call_id, "name": name, "arguments": given}


def reasoned(*summary: str, id: Any = "rs_1", blob: Any = "gAAAAA") -> Event:
    parts = [{"type": "summary_text", "text": text} for text in summary]
    return {"type": "reasoning", "id": id, "summary": parts, "encrypted_content": blob}


def completed(*output: Any, **more: Any) -> Event:
    return {"type": "response.completed", "response": {"status": "completed", "output": list(output), **more}}


def without(events: list[Event], *keys: str) -> list[Event]:
    return [{key: value for key, value in event.items() if key not in keys} for event in events]


# The shape of a stream.


def test_a_whole_answer_is_a_well_ordered_stream() -> None:
    events = seen(told(answer(answers.reasoning("Hm."), "Looking.", answers.call("Bash", command="ls"))))
    assert kinds(events) == [
        "message_start",
        *("content_block_start", "thinking_delta", "signature_delta", "content_block_stop"),
        *("content_block_start", "text_delta", "content_block_stop"),
        *("content_block_start", "input_json_delta", "content_block_stop"),
        "message_delta",
        "message_stop",
    ]
    assert shown(events) == ["~Hm.", "Looking.", ("Bash", {"command": "ls"})]
    assert stop_reason(events) == "tool_use"


def test_the_message_is_the_clients_own() -> None:
    start = seen(told(answer("Hi.")), model="claude-opus-4-8[1m]", message_id="msg_9")[0]["message"]
    assert (start["id"], start["model"], start["role"]) == ("msg_9", "claude-opus-4-8[1m]", "assistant")


def test_each_delta_goes_out_at_once() -> None:
    stream = stream_for()
    stream.receive(added(message()))
    assert [kinds(stream.receive(delta(text))) for text in ("a", "b", "")] == [
        ["message_start", "content_block_start", "text_delta"],
        ["text_delta"],
        [],
    ]


def test_thinking_is_seen_to_begin_before_its_first_word() -> None:
    stream = stream_for()
    assert kinds(stream.receive(added(reasoned()))) == ["message_start", "content_block_start"]


def test_the_handshake_may_be_sent_early_and_is_sent_once() -> None:
    stream = stream_for()
    early = copy.deepcopy(stream.start())
    assert stream.start() == []
    rest = [event for one in told(answer("Hi.")) for event in stream.receive(one)]
    assert kinds(check([*early, *rest]))[:2] == ["message_start", "content_block_start"]


def test_usage_is_estimated_at_the_start_and_true_at_the_end() -> None:
    events = seen(told(answer("Hi.", usage={"output_tokens": 9})))
    assert events[0]["message"]["usage"]["input_tokens"] == 7
    assert usage(events) == {
        "input_tokens": 10,
        "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 30,
        "output_tokens": 9,
    }


@pytest.mark.parametrize(
    ("counted", "buckets"),
    [
        ({"input_tokens": 5, "output_tokens": 2}, (5, 0, 0, 2)),
        ({"input_tokens": 5, "input_tokens_details": None, "output_tokens": None}, (5, 0, 0, 2)),
        ({"input_tokens": 5, "input_tokens_details": {"cached_tokens": None}, "output_tokens": 1}, (5, 0, 0, 1)),
        ({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 9}, "output_tokens": 1}, (1, 4, 0, 1)),
        ({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 5}, "output_tokens": 1}, (1, 4, 0, 1)),
        ({"input_tokens": 5, "input_tokens_details": {"cache_write_tokens": 5}, "output_tokens": 1}, (1, 0, 4, 1)),
        (
            {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 9}},
            (0, 4, 1, 2),  # the counts contradict each other: their sum is still the input
        ),
        ({"input_tokens": 0, "output_tokens": 0}, (7, 0, 0, 2)),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens": 3}, (3, 2, 0, 3)),
        ({"input_tokens": 5.0, "output_tokens": 1e400}, (5, 0, 0, 2)),
        ({"input_tokens": -5, "output_tokens": 10**30}, (7, 0, 0, 2)),
        ({"input_tokens": True, "output_tokens": "many", "input_tokens_details": [1]}, (7, 0, 0, 2)),
        (7, (7, 0, 0, 2)),
        ({}, (7, 0, 0, 2)),
        (None, (7, 0, 0, 2)),
    ],
)
def test_usage_that_lacks_something_is_made_up_for(counted: Any, buckets: tuple[int, ...]) -> None:
    told = usage(seen([delta("four"), completed(usage=counted)]))
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    assert tuple(told[name] for name in names) == buckets


# How it ends.

ENDS: list[tuple[list[Event], list[Any], str]] = [
    ([delta("x"), completed()], ["x"], "end_turn"),
    ([delta("x"), done(call(), 1), completed()], ["x", ("Bash", {"command": "ls"})], "tool_use"),
    ([delta("no", kind="refusal"), completed()], ["no"], "refusal"),
    ([delta("no", kind="refusal"), done(call(), 1), completed()], ["no", ("Bash", {"command": "ls"})], "tool_use"),
    (
        [delta("x"), completed(status="incomplete", incomplete_details={"reason": "max_output_tokens"})],
        ["x"],
        "max_tokens",
    ),
    ([delta("x"), completed(status="incomplete", incomplete_details={"reason": "content_filter"})], ["x"], "refusal"),
    ([delta("x"), completed(status="incomplete", incomplete_details={"reason": "new"})], ["x"], "max_tokens"),
    ([delta("x"), completed(status="incomplete", incomplete_details=None)], ["x"], "max_tokens"),
    ([{**completed(), "type": "response.incomplete"}], [], "max_tokens"),
]


@pytest.mark.parametrize(("events", "blocks", "reason"), ENDS)
def test_the_end_says_why(events: list[Event], blocks: list[Any], reason: str) -> None:
    made = seen(events)
    assert shown(made) == blocks
    assert stop_reason(made) == reason


@pytest.mark.parametrize(
    "events",
    [
        [completed()],
        [done(reasoned("Hm.")), completed()],
        [done(message("")), completed()],
        [added(message()), delta(""), completed(message())],
        [{"type": "response.completed"}],
        [done({"type": "future"}), completed()],
    ],
)
def test_an_answer_with_nothing_in_it_is_a_failure(events: list[Event]) -> None:
    with pytest.raises(EmptyAnswer, match="without an answer"):
        seen(events)


FAILURES: list[tuple[Event, str]] = [
    ({"type": "error", "code": "x", "message": "Try later"}, "Try later"),
    ({"type": "error", "error": {"type": "server_error", "message": "Try later"}}, "Try later"),
    ({"type": "error", "error": "Try later"}, "Try later"),
    ({"type": "error", "code": "rate_limit_exceeded", "message": None}, "rate_limit_exceeded"),
    ({"error": {"message": "Try later", "code": 500}}, "Try later"),
    ({"type": None, "error": "Try later"}, "Try later"),
    ({"type": "response.failed", "response": {"error": {"code": "x", "message": "Try later"}}}, "Try later"),
    ({"type": "response.failed", "response": {"error": None}}, "no reason"),
    ({"type": "response.failed", "response": None}, "no reason"),
    ({"type": "response.cancelled", "response": {}}, "no reason"),
    (completed(message("x"), status="failed", error={"message": "Try later"}), "Try later"),
    (completed(status="cancelled"), "no reason"),
]


@pytest.mark.parametrize(("event", "words"), FAILURES)
def test_what_the_upstream_calls_a_failure_is_raised_in_its_words(event: Event, words: str) -> None:
    stream = stream_for()
    stream.receive(delta("half"))
    with pytest.raises(ResponseFailed, match=words) as caught:
        stream.receive(event)
    assert isinstance(caught.value.error, dict) and not stream.done


def test_a_stream_that_just_stops_is_a_failure() -> None:
    for events in ([], [delta("half")], [done(message("whole"))]):
        stream = stream_for()
        for event in events:
            stream.receive(event)
        with pytest.raises(UpstreamFailed, match="closed"):
            stream.finish()


@pytest.mark.parametrize(
    "event",
    [
        added(7),
        added(message(), {"a": 1}),
        done("x"),
        delta(True),
        delta({"text": "x"}),
        delta(["x"]),
        arguments(7),
        thought(7, 3),
        {"type": ["error"]},
        {"type": "response.output_text.annotation.added", "annotation": 7},
        {"type": "response.content_part.done", "part": "x"},
        {"type": "response.function_call_arguments.done", "arguments": [1]},
        {"type": "response.output_text.done", "text": {"a": 1}},
    ],
)
def test_a_field_of_another_type_is_left_out_and_the_answer_goes_on(event: Event) -> None:
    assert shown(seen([delta("half"), event, event, delta(" done"), completed()])) == ["half done"]


def test_an_end_of_another_shape_is_an_end() -> None:
    for end in ({"type": "response.completed", "response": "done"}, completed(usage=7), completed("x", [1], 7)):
        assert shown(seen([delta("x"), end])) == ["x"]


def test_nothing_comes_after_the_end() -> None:
    end = completed(message("x"))
    assert shown(seen([delta("x"), end, end, delta("y"), {"type": "error", "message": "late"}])) == ["x"]


@pytest.mark.parametrize(
    "event", [{}, {"type": None}, {"type": "future"}, {"type": "response.created", "response": {}}, {"error": None}]
)
def test_what_nobody_has_heard_of_is_passed_over(event: Event) -> None:
    assert seen([event], whole=False) == []


# Blocks, one at a time, in order.


def test_interleaved_items_come_one_after_the_other() -> None:
    given = answer(answers.reasoning("One."), "Two.", answers.call("Bash", command="3"), answers.text("Four."))
    together, apart = (seen(told(Answer(given.items, interleaved=mixed))) for mixed in (True, False))
    assert shown(together) == shown(apart) == ["~One.", "Two.", ("Bash", {"command": "3"}), "Four."]


def test_the_first_unfinished_item_streams_while_the_others_wait() -> None:
    stream = stream_for()
    stream.receive(added(message(id="a"), 0))
    stream.receive(added(message(id="b"), 1))
    assert kinds(stream.receive(delta("waits", 1))) == []
    assert kinds(stream.receive(delta("at once", 0)))[-1] == "text_delta"
    assert kinds(stream.receive(done(message("at once", id="a"), 0))) == [
        "content_block_stop",
        "content_block_start",
        "text_delta",
    ]
    assert kinds(stream.receive(delta("now too", 1))) == ["text_delta"]


def test_the_parts_of_a_message_are_blocks_of_their_own() -> None:
    events = [part_added(0), delta("a", part=0), part_added(1), delta("b", part=1), delta("c", part=1)]
    assert shown(seen([*events, done(message("a", "bc", "d")), completed()])) == ["a", "bc", "d"]


def test_what_comes_after_a_message_waits_for_all_of_its_parts() -> None:
    first = {"type": "response.content_part.done", "content_index": 0, "part": {"type": "output_text", "text": "a"}}
    events = [
        added(message()),
        delta("a"),
        first,
        done(call(), 1),
        delta("b", part=1),
        done(message("a", "b")),
        completed(),
    ]
    assert shown(seen(events)) == ["a", "b", ("Bash", {"command": "ls"})]


def test_an_empty_message_has_no_block() -> None:
    assert shown(seen([done(message("")), done(call(), 1), completed()])) == [("Bash", {"command": "ls"})]


# What comes late, twice, or not where it belongs.

HABITS: dict[str, tuple[list[Event], list[Any]]] = {
    "text only in done": (
        [added(message()), {"type": "response.output_text.done", "output_index": 0, "text": "all"}, completed()],
        ["all"],
    ),
    "the end of the text only in done": (
        [delta("be"), {"type": "response.output_text.done", "output_index": 0, "text": "begun"}, completed()],
        ["begun"],
    ),
    "refusal only in done": (
        [{"type": "response.refusal.done", "output_index": 0, "refusal": "no"}, completed()],
        ["no"],
    ),
    "text only in the part": (
        [{"type": "response.content_part.done", "part": {"type": "output_text", "text": "all"}}, completed()],
        ["all"],
    ),
    "text only in the item": ([added(message()), done(message("all")), completed()], ["all"]),
    "text only at the end": ([completed(message("all"))], ["all"]),
    "call only at the end": ([completed(call())], [("Bash", {"command": "ls"})]),
    "everything only at the end": (
        [completed(reasoned("Hm."), message("a"), call(), message("b", id="msg_2"))],
        ["~Hm.", "a", ("Bash", {"command": "ls"}), "b"],
    ),
    "everything done twice": (
        [
            *(delta("all"), {"type": "response.output_text.done", "text": "all"}),
            *({"type": "response.output_text.done", "text": "all"}, done(message("all")), done(message("all"))),
            *(done(call(), 1), done(call(), 1), completed(message("all"), call())),
        ],
        ["all", ("Bash", {"command": "ls"})],
    ),
    "an empty delta where there is no message": (
        [delta(""), done(reasoned()), completed(reasoned(), message("x"))],
        ["~", "x"],
    ),
    "a summary only in its part": (
        [
            {"type": "response.reasoning_summary_part.added", "summary_index": 0, "part": {"text": ""}},
            {"type": "response.reasoning_summary_part.done", "summary_index": 0, "part": {"text": "Hm."}},
            *(thought("Two.", part=1), delta("x", 1), completed()),
        ],
        ["~Hm.\n\nTwo.", "x"],
    ),
    "null and empty deltas": (
        [added(message()), delta(None), delta(""), delta("x"), arguments(None, 1), done(message("x")), completed()],
        ["x"],
    ),
    "deltas without a delta": (
        [{"type": f"response.{kind}.delta"} for kind in ("output_text", "reasoning_text", "function_call_arguments")]
        + [done(message("x"), 5), completed()],
        ["x"],
    ),
    "null items and fields": (
        [
            *(
                added(None, 3),
                done(None, 3),
                added({"type": None}, 3),
                {"type": "response.content_part.added", "part": None},
            ),
            *(done({**reasoned(), "summary": None, "content": None}, 0), done({**message(), "content": None}, 1)),
            *(done({**message(), "content": [None, {"type": "output_text", "text": None, "annotations": None}]}, 2),),
            *(done(message("x"), 4), completed(None)),
        ],
        ["~", "x"],
    ),
    "content as a string": ([done({**message(), "content": "plain"}), completed()], ["plain"]),
    "arguments as an object": (
        [added(call(given={})), done(call(given={"command": "ls"})), completed()],
        [("Bash", {"command": "ls"})],
    ),
    "arguments as an object in their own done": (
        [
            added(call(given="")),
            {"type": "response.function_call_arguments.done", "arguments": {"command": "ls"}},
            completed(call(given={"command": "ls"})),
        ],
        [("Bash", {"command": "ls"})],
    ),
    "arguments as an object after the text streamed": (
        [added(call(given="")), arguments('{"n":1e3}'), done(call(given={"n": 1000.0})), completed()],
        [("Bash", {"n": 1000.0})],
    ),
    "arguments as an object in a delta": (
        [added(call(given="")), arguments({"command": "ls"}), done(call()), completed()],
        [("Bash", {"command": "ls"})],
    ),
    "arguments null": (
        [
            added(call(given=None)),
            {"type": "response.function_call_arguments.done", "arguments": None},
            done(call(given=None)),
            completed(call(given=None)),
        ],
        [("Bash", {})],
    ),
    "arguments empty": ([added(call(given="")), done(call(given="")), completed()], [("Bash", {})]),
    "a call unknown until it is done": (
        [arguments('{"comm'), arguments('and":"ls"}'), done(call()), completed()],
        [("Bash", {"command": "ls"})],
    ),
    "a name only when done": (
        [added(call(name=None, given="")), arguments('{"command":"ls"}'), done(call()), completed()],
        [("Bash", {"command": "ls"})],
    ),
    "a name only when announced": (
        [added(call(given="")), arguments('{"command":"ls"}'), done(call(name=None, call_id=None)), completed()],
        [("Bash", {"command": "ls"})],
    ),
    "no call id": ([done(call(call_id=None)), completed()], [("Bash", {"command": "ls"})]),
    "no output_index": (
        without(
            [
                *(added(reasoned()), thought("Hm."), done(reasoned("Hm."))),
                *(added(message()), delta("x"), done(message("x"))),
                *(added(call(given="")), arguments('{"command":"ls"}'), done(call())),
                *(
                    added(call("c2", id="fc_2", given="")),
                    arguments('{"n":2}'),
                    done(call("c2", id="fc_2", given='{"n":2}')),
                ),
                completed(reasoned("Hm."), message("x"), call(), call("c2", id="fc_2", given='{"n":2}')),
            ],
            "output_index",
        ),
        ["~Hm.", "x", ("Bash", {"command": "ls"}), ("Bash", {"n": 2})],
    ),
    "no output_index and nothing announced": (
        without(
            [thought("Hm."), delta("x"), arguments('{"n":1}'), done(call(given='{"n":1}')), completed()], "output_index"
        ),
        ["~Hm.", "x", ("Bash", {"n": 1})],
    ),
    "no output_index and only done items": (
        without([done(message("a", id="m1")), done(message("b", id="m2")), done(call()), completed()], "output_index"),
        ["a", "b", ("Bash", {"command": "ls"})],
    ),
    "the same output_index for all": (
        [
            *(added(message(id="m1")), delta("a"), done(message("a", id="m1"))),
            *(added(message(id="m2")), delta("b"), done(message("b", id="m2"))),
            *(added(call(given="")), arguments('{"n":1}'), done(call(given='{"n":1}'))),
            *(added(call("c2", id="fc_2")), arguments('{"n":2}'), done(call("c2", id="fc_2", given='{"n":2}'))),
            completed(message("a", id="m1"), message("b", id="m2"), call(given='{"n":1}'), call("c2", id="fc_2")),
        ],
        ["a", "b", ("Bash", {"n": 1}), ("Bash", {"n": 2})],
    ),
    "the same output_index for calls that interleave": (
        [
            *(added(call(given="")), added(call("c2", id="fc_2", given=""))),
            *(arguments('{"n"', item_id="fc_1"), arguments('{"m"', item_id="fc_2")),
            *(arguments(":1}", item_id="fc_1"), arguments(":2}", item_id="fc_2")),
            *(done(call(given='{"n":1}')), done(call("c2", id="fc_2", given='{"m":2}')), completed()),
        ],
        [("Bash", {"n": 1}), ("Bash", {"m": 2})],
    ),
    "the same output_index and no ids": (
        [
            *(added(message(id=None)), delta("a"), done(message("a", id=None))),
            *(added(message(id=None)), delta("b"), done(message("b", id=None)), completed()),
        ],
        ["a", "b"],
    ),
    "another id when done": (
        [added(message(id="m1")), delta("a"), done(message("a", id="m2")), completed(message("a", id="m3"))],
        ["a"],
    ),
    "other ids at the end": (
        [
            *(
                done(reasoned("Hm.")),
                done(message("a", id="m1"), 1),
                done(message("b", id="m2"), 2),
                done(call(id="f"), 3),
            ),
            completed(reasoned("Hm.", id="r"), message("a", id="m8"), message("b", id="m9"), call(id="g")),
        ],
        ["~Hm.", "a", "b", ("Bash", {"command": "ls"})],
    ),
    "no ids at the end": (
        [delta("a"), done(call(), 1), completed(message("a", id=None), call(id=None))],
        ["a", ("Bash", {"command": "ls"})],
    ),
    "an item at the end that never streamed": (
        [done(message("b", id="m2"), 1), completed(message("a", id="m1"), message("b", id="m2"))],
        ["b", "a"],
    ),
    "a call at the end that never streamed": (
        [done(call("c2", id=None), 1), completed(call("c1", id=None, given='{"n":1}'), call("c2", id=None))],
        [("Bash", {"command": "ls"}), ("Bash", {"n": 1})],
    ),
    "items left out at the end": (
        [done(message("a", id="m1")), done(message("b", id="m2"), 1), completed(message("b", id="m2"))],
        ["a", "b"],
    ),
    "parts numbered from one": ([delta("a", part=1), done(message("a")), completed(message("a"))], ["a"]),
    "parts numbered from one and known only at the end": ([delta("a", part=1), completed(message("a"))], ["a"]),
    "summaries numbered from one": (
        [
            thought("One.", part=1),
            thought("Two.", part=2),
            done(reasoned("One.", "Two.")),
            done(message("x"), 1),
            completed(),
        ],
        ["~One.\n\nTwo.", "x"],
    ),
    "summaries not numbered": (
        [thought("One.", part=None), done(reasoned("One.")), done(message("x"), 1), completed()],
        ["~One.", "x"],
    ),
    "an item never closed": (
        [added(reasoned()), thought("Hm."), added(message(), 1), delta("x", 1), completed()],
        ["~Hm.", "x"],
    ),
    "a call nobody can name": ([done(call(name=None)), done(message("x"), 1), completed()], ["x"]),
    "an index that is no number": ([delta("x", index=None, part=None), completed()], ["x"]),
}


@pytest.mark.parametrize("habit", HABITS)
def test_an_odd_habit_loses_nothing_and_doubles_nothing(habit: str) -> None:
    events, blocks = HABITS[habit]
    assert shown(seen(events)) == blocks


# Thinking.


def test_the_parts_of_a_summary_stand_apart() -> None:
    events = seen(told(answer(answers.reasoning("One.", "Two."), "x")))
    assert shown(events)[0] == "~One.\n\nTwo."


def test_the_signature_carries_the_item_as_it_stood_when_done() -> None:
    early, final = reasoned(blob="early"), reasoned("Hm.", blob="final")
    events = seen([added(early), thought("Hm."), done(final), done(message("x"), 1), completed(final, message("x"))])
    assert reasoning.replay(folded(events)[0]["signature"], {}) == final


def test_the_signature_carries_the_phase_of_the_message_the_reasoning_led_to() -> None:
    given = answer(
        answers.reasoning("Hm."),
        answers.text("Looking.", phase="commentary"),
        answers.reasoning(),
        answers.text("Done.", phase="final_answer"),
        answers.reasoning("More."),
        answers.call("Bash", command="ls"),
    )
    for each in (given, replace(given, interleaved=True)):
        blocks = folded(seen(told(each)))
        signed = [reasoning.read_phase(block["signature"]) for block in blocks if block["type"] == "thinking"]
        assert signed == ["commentary", "final_answer", None]


def test_thinking_ends_when_it_is_known_what_it_led_to() -> None:
    said = {**message("x"), "phase": "final_answer"}
    stream, events = stream_for(), [added(reasoned()), thought("Hm."), done(reasoned("Hm.")), added(said, 1)]
    each = [kinds(stream.receive(event)) for event in events]
    assert each[2:] == [[], ["signature_delta", "content_block_stop"]]


@pytest.mark.parametrize("summary", [(), ("Hm.",)])
def test_a_blob_that_comes_late_rides_in_a_block_of_its_own(summary: tuple[str, ...]) -> None:
    bare, whole = reasoned(*summary, blob=None), reasoned(*summary)
    events = seen([added(reasoned(blob="early")), done(bare), done(call(), 1), completed(whole, call())])
    first, second, last = folded(events)
    assert [first["type"], second["type"], last["type"]] == ["thinking", "tool_use", "redacted_thinking"]
    assert reasoning.replay(first["signature"], reasoning.gather_late_blobs([last["data"]])) == whole


def test_a_blob_that_comes_before_its_block_closes_is_not_late() -> None:
    bare, whole = reasoned("Hm.", blob=None), reasoned("Hm.")
    waiting = [added(message(id="m0"), 0), delta("first", 0), done(bare, 1), done(call(), 2)]
    events = seen([*waiting, completed(message("first", id="m0"), whole, call())])
    assert shown(events) == ["first", "~Hm.", ("Bash", {"command": "ls"})]
    assert reasoning.replay(folded(events)[1]["signature"], {}) == whole


def test_a_client_that_asked_for_no_thinking_sees_none() -> None:
    given = answer(answers.reasoning("Hm."), answers.reasoning("Hm again."), "Hi.")
    for options in ({}, {"encrypted_late": True}):
        events = seen(told(given, **options), show_thinking=False)
        assert shown(events) == ["Hi."]
    stream = stream_for(show_thinking=False)
    assert [kinds(stream.receive(event)) for event in (added(reasoned()), thought("Hm."), done(reasoned("Hm.")))] == [
        [],
        [],
        [],
    ]


# Calls.


def test_a_call_has_the_clients_own_name_and_the_upstreams_id() -> None:
    (block,) = folded(seen([done(call("call_1", shorten_name("mcp__a.b"))), completed()]))
    assert (block["name"], block["id"]) == ("mcp__a.b", "call_1")


def test_a_client_side_search_is_a_call_of_the_clients_own_search() -> None:
    events = seen(told(answer(answers.tool_search(query="notebook"))))
    assert shown(events) == [("ToolSearch", {"query": "notebook"})]
    assert stop_reason(events) == "tool_use"


def test_arguments_stream_as_they_arrive_without_the_senseless() -> None:
    stream = stream_for()
    stream.receive(added(call(name="Read", given="")))
    pieces = ['{"file_path":"/a', '","pages":"', '","limit":', "5}"]
    out = [event["delta"]["partial_json"] for text in pieces for event in stream.receive(arguments(text))]
    assert out == ['{"file_path":"/a', '"', ',"limit":5']
    assert kinds(stream.receive(done(call(name="Read", given="".join(pieces)))))[0] == "input_json_delta"


def test_arguments_cut_by_the_length_come_out_to_the_last_character() -> None:
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    stream = stream_for()
    events = [added(call(name="Read", given="")), arguments('{"file_path":"/a","pag'), completed(**cut)]
    out = check([copy.deepcopy(ours) for event in events for ours in stream.receive(event)])
    pieces = [event["delta"]["partial_json"] for event in out if event["type"] == "content_block_delta"]
    assert "".join(pieces) == '{"file_path":"/a","pag'
    assert stop_reason(out) == "max_tokens"


# Stop sequences.


def stopped(*events: Event, sequences: tuple[str, ...] = ("</block>",)) -> tuple[list[Any], str, Any]:
    made = seen(list(events), stop_sequences=sequences)
    end = next(event for event in made if event["type"] == "message_delta")
    return shown(made), end["delta"]["stop_reason"], end["delta"]["stop_sequence"]


STOPS: list[tuple[list[Event], list[Any], str, str | None]] = [
    ([delta("<block>no</block> since"), completed()], ["<block>no"], "stop_sequence", "</block>"),
    ([delta("<block>no</"), delta("blo"), delta("ck>x")], ["<block>no"], "stop_sequence", "</block>"),
    ([delta("</block>")], [""], "stop_sequence", "</block>"),
    ([done(message("a</block>b")), completed()], ["a"], "stop_sequence", "</block>"),
    ([completed(message("a</block>b"))], ["a"], "stop_sequence", "</block>"),
    ([delta("a</blo"), done(message("a</block>"))], ["a"], "stop_sequence", "</block>"),
    ([delta("a</blo"), completed()], ["a</blo"], "end_turn", None),
    ([delta("a</bl"), delta("ock>", part=1)], ["a"], "stop_sequence", "</block>"),
    (
        [part_added(0), delta("a</bl"), part_added(1), delta("ock>", part=1), completed()],
        ["a</bl", "ock>"],
        "end_turn",
        None,
    ),
    ([thought("</block>"), delta("x", 1), completed()], ["~</block>", "x"], "end_turn", None),
    ([done(call(given='{"a":"</block>"}')), completed()], [("Bash", {"a": "</block>"})], "tool_use", None),
    ([delta("no</block>", kind="refusal")], ["no"], "stop_sequence", "</block>"),
]


@pytest.mark.parametrize(("events", "blocks", "reason", "sequence"), STOPS)
def test_a_stop_sequence_cuts_the_text_and_ends_the_message(
    events: list[Event], blocks: list[Any], reason: str, sequence: str | None
) -> None:
    assert stopped(*events) == (blocks, reason, sequence)


def test_after_a_stop_sequence_the_stream_is_done_and_may_be_closed() -> None:
    stream = stream_for(stop_sequences=("STOP",))
    stream.receive(added(message(), 1))
    out = stream.receive(delta("yes STOP no", 1))
    assert kinds(out)[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert stream.done and stream.receive(delta("more", 1)) == []
    stream.finish()
    assert usage(out)["output_tokens"] > 0 and usage(out)["input_tokens"] == 7


def test_items_waiting_behind_a_stop_sequence_never_come() -> None:
    events = [added(message(id="a"), 0), done(call(), 1), delta("x STOP", 0), done(message("x STOP", id="a"), 0)]
    assert stopped(*events, sequences=("STOP",)) == (["x "], "stop_sequence", "STOP")


# Hosted search.


def searched(**reply: Any) -> list[Event]:
    found = answers.web_search("towers", "https://a.test", "https://b.test")
    text = answers.text("In Dubai.", citations=[("https://a.test", "A")])
    return seen(told(answer(found, text)), **reply)


def test_a_hosted_search_is_shown_as_a_server_tool() -> None:
    events = searched(titles_first=True)
    asked, results, said = folded(events)
    assert (asked["type"], asked["name"], asked["input"]) == ("server_tool_use", "web_search", {"query": "towers"})
    assert results["tool_use_id"] == asked["id"] and asked["id"].startswith("srvtoolu_")
    assert [result["url"] for result in results["content"]] == ["https://a.test", "https://b.test"]
    (citation,) = said["citations"]
    assert (citation["url"], citation["title"], citation["cited_text"]) == ("https://a.test", "A", "In")
    assert stop_reason(events) == "end_turn"
    assert usage(events)["server_tool_use"]["web_search_requests"] == 1


def test_results_from_blocked_hosts_are_left_out() -> None:
    """For a backend that cannot leave them out of its search by itself."""
    table = ToolTable(web_search="web_search", blocked_hosts=frozenset({"a.test"}))
    _, results, _ = folded(searched(table=table, titles_first=True))
    assert [result["url"] for result in results["content"]] == ["https://b.test"]


def test_the_citations_name_the_titles_of_the_sources() -> None:
    for first in (True, False):
        blocks = folded(searched(titles_first=first))
        order = ["server_tool_use", "web_search_tool_result", "text"]
        assert [block["type"] for block in blocks] == (order if first else [order[0], order[2], order[1]])
        (results,) = [block for block in blocks if block["type"] == "web_search_tool_result"]
        assert [result["title"] for result in results["content"]] == ["A", "https://b.test"]


def test_results_whose_titles_are_known_come_at_once() -> None:
    sources = [{"url": "https://a.test", "title": "A"}]
    events = seen([done(search({"query": "q", "sources": sources})), done(message("x"), 1), completed()])
    assert [block["type"] for block in folded(events)] == ["server_tool_use", "web_search_tool_result", "text"]


def test_results_come_before_the_next_call_and_at_the_latest_at_the_end() -> None:
    found = done(search({"query": "q", "sources": [{"url": "https://a.test"}]}))
    for rest in ([done(call(), 1), completed()], [completed()]):
        types = [block["type"] for block in folded(seen([found, *rest]))]
        assert types[:2] == ["server_tool_use", "web_search_tool_result"]
    stopped = seen([found, delta("a STOP b", 1)], stop_sequences=("STOP",))
    assert [block["type"] for block in folded(stopped)][-1] == "web_search_tool_result"
    assert usage(stopped)["server_tool_use"]["web_search_requests"] == 1


def test_a_search_that_failed_is_an_error_and_is_not_counted() -> None:
    events = seen([done(search({"query": "q"}, status="failed")), done(message("x"), 1), completed()])
    block = folded(events)[1]
    assert block["content"] == {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    assert not usage(events).get("server_tool_use")


def test_results_beside_the_action_are_the_results() -> None:
    results = [{"type": "web_search_result", "url": "https://a.test", "title": "A"}]
    events = seen([done(search({"query": "q"}, results=results)), done(message("x"), 1), completed()])
    assert [(found["url"], found["title"]) for found in folded(events)[1]["content"]] == [("https://a.test", "A")]


def test_a_search_told_twice_is_one() -> None:
    page, query = search({"type": "open_page"}), search({"type": "search", "query": "weather"})
    for end in (completed(page, query, message("x")), completed(query, page, message("x"))):
        assert shown(seen([end])) == [("web_search", {"query": "weather"}), "web_search_tool_result", "x"]
    assert [
        block["type"] for block in folded(seen([done(query), done(query), done(message("x"), 1), completed()]))
    ] == [
        "server_tool_use",
        "web_search_tool_result",
        "text",
    ]


def search(action: Any, **more: Any) -> Event:
    return {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": action, **more}


@pytest.mark.parametrize(
    ("action", "query"),
    [
        ({"type": "search", "query": "q"}, "q"),
        ({"type": "search", "query": None, "queries": ["a", "b"], "sources": None}, "a, b"),
        ({"type": "open_page", "url": "https://a.test"}, "https://a.test"),
        ({"type": "search", "queries": [None]}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_whatever_a_search_did_is_its_query(action: Any, query: str) -> None:
    events = seen([added(search(None)), done(search(action)), done(message("x"), 1), completed()], titles_first=True)
    assert shown(events) == [("web_search", {"query": query}), "web_search_tool_result", "x"]


def test_searches_have_different_ids_even_where_the_upstream_gives_none() -> None:
    first, second = ({**search({"query": q}), "id": None} for q in "ab")
    blocks = folded(seen([done(first), done(second, 1), done(message("x"), 2), completed()]))
    ids = [block["id"] for block in blocks if block["type"] == "server_tool_use"]
    assert len(set(ids)) == 2


def cited(*annotations: Any) -> list[Any]:
    part = {"type": "output_text", "text": "The tower.", "annotations": list(annotations)}
    (block,) = folded(seen([delta("The tower."), done({**message(), "content": [part]}), completed()]))
    return [(cite["url"], cite["title"], cite["cited_text"]) for cite in block.get("citations") or ()]


def test_annotations_that_lack_something_are_no_fault() -> None:
    whole = {"type": "url_citation", "url": "u", "title": "t", "start_index": 4, "end_index": 9}
    assert cited(whole) == [("u", "t", "tower")]
    assert cited({**whole, "title": None, "start_index": None, "end_index": 900}) == [("u", "", "The tower.")]
    assert cited(None, {"type": "file_citation"}, {"type": "url_citation"}, text_of) == []


def test_annotations_are_told_once() -> None:
    given = told(answer(answers.text("One two.", citations=[("https://a.test", "A"), ("https://b.test", "B")])))
    (block,) = folded(seen(given))
    assert [cite["cited_text"] for cite in block["citations"]] == ["One", "two."]


def test_usage_and_stop_reason_can_be_read_at_any_time() -> None:
    stream = stream_for()
    assert (stream.usage["input_tokens"], stream.stop_reason) == (7, None)
    for event in told(answer("Hi.")):
        stream.receive(event)
    assert (stream.usage["input_tokens"], stream.stop_reason) == (10, "end_turn")


def test_a_part_without_text_has_no_block_and_those_after_it_do() -> None:
    whole = {**message(), "content": [{"type": "output_text", "text": text} for text in ("a", "", "c")]}
    events = [part_added(0), delta("a"), done(whole), completed()]
    assert shown(seen(events)) == ["a", "c"]


def test_a_stop_sequence_that_only_the_end_reveals_ends_the_message() -> None:
    waiting = [added(call(given="")), delta("x STOP y", 1)]
    assert stopped(*waiting, completed(), sequences=("STOP",)) == ([("Bash", {}), "x "], "stop_sequence", "STOP")
