"""Events of any server become the protocol's own. Each server's habits are fixtures, or cases in test_stream."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.errors import UpstreamFailed
from claudegpt_pkg.translate.answer.blocks import Reply
from claudegpt_pkg.translate.answer.numbering import MAX_ITEMS
from claudegpt_pkg.translate.answer.repair import HANDLERS, Repairer
from claudegpt_pkg.translate.answer.repair_base import MAX_SIZE
from claudegpt_pkg.translate.answer.stream import MessageStream, ResponseFailed
from claudegpt_pkg.translate.tools import ToolTable
from tests.support.grammar import check, folded
from tests.support.replay import names
from tests.translate.fuzz import RECORDED

Event = dict[str, Any]
MB = 2**20


def repaired(*events: Event) -> list[Any]:
    repairer, out = Repairer("1"), list[Any]()
    for event in events:
        out += [event] if repairer.passes(event) else repairer.repair(event)
    return out


def event(kind: str, **fields: Any) -> Event:
    return {"type": f"response.{kind}", **fields}


def message(number: Any, id: Any = None) -> Event:
    return event("output_item.added", output_index=number, item={"type": "message", "id": id})


def delta(text: Any, **where: Any) -> Event:
    return event("output_text.delta", delta=text, **where)


def new_stream() -> MessageStream:
    return MessageStream(Reply("msg_1", "m", 7, ToolTable()))


def kinds(events: list[Event]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


# What the machine may rely on.


@pytest.mark.parametrize("name", [name for name in names() if RECORDED[name]])
def test_what_comes_out_is_as_the_protocol_has_it(name: str) -> None:
    announced: dict[int, Event] = {}
    done: set[int] = set()
    parts: dict[tuple[int, int], bool] = {}
    for out in repaired(*RECORDED[name]):
        kind, index = out["type"].removeprefix("response."), out.get("output_index", -1)
        if kind in ("completed", "incomplete", "failed"):
            assert kind == "failed" or done == announced.keys()
            continue
        if kind == "output_item.added":
            assert index not in announced and isinstance(index, int)
            announced[index] = out["item"]
            if out["item"]["type"] == "function_call":
                assert out["item"]["name"] and out["item"]["call_id"]
            continue
        assert index in announced, "an event of an item that was not announced"
        late = kind == "output_item.done" and announced[index]["type"] == "reasoning"
        assert index not in done or late
        if kind == "output_item.done":
            done.add(index)
        elif kind.startswith("content_part") or "output_text" in kind or "refusal" in kind:
            place = (index, out["content_index"])
            assert (place in parts) != (kind == "content_part.added")
            assert not parts.get(place) or kind == "output_text.annotation.added"
            parts[place] = kind == "content_part.done"
        if kind.endswith(".delta"):
            assert isinstance(out["delta"], str) and out["delta"]


def test_an_event_that_fits_the_one_before_is_passed_on_unchanged() -> None:
    where = {"item_id": "m", "output_index": 0, "content_index": 0}
    part = event("content_part.added", **where, part={"type": "output_text"})
    first, second = delta("a", **where), delta("b", **where)
    assert repaired(message(0, "m"), part, first, second)[-1] is second


@pytest.mark.parametrize("change", [{"item_id": "n"}, {"output_index": 1}, {"content_index": 1}, {"delta": 7}])
def test_an_event_that_does_not_fit_is_looked_at(change: Event) -> None:
    where = {"item_id": "m", "output_index": 0, "content_index": 0}
    repairer = Repairer("1")
    for each in (message(0, "m"), delta("a", **where)):
        repairer.repair(each)
    assert repairer.passes(delta("b", **where))
    assert not repairer.passes({**delta("b", **where), **change})


def test_what_stands_behind_a_call_without_a_name_waits_for_it() -> None:
    arguments = event("function_call_arguments.delta", output_index=0, delta="{}")
    call = {"type": "function_call", "call_id": "c", "name": "Bash", "arguments": "{}"}
    early = [arguments, message(1, "m"), delta("x", output_index=1)]
    assert repaired(*early) == []
    assert kinds(repaired(*early, event("output_item.done", output_index=0, item=call))) == [
        *("output_item.added", "function_call_arguments.delta"),
        *("output_item.added", "content_part.added", "output_text.delta"),
        *("function_call_arguments.done", "output_item.done"),
    ]


def test_several_calls_in_one_that_cannot_be_read_are_one_call_that_says_so() -> None:
    call = {
        "type": "function_call",
        "call_id": "c",
        "name": "multi_tool_use.parallel",
        "arguments": '{"tool_uses":[7]}',
    }
    stream = new_stream()
    events = [event("output_item.done", item=call), event("completed", response={})]
    (block,) = folded(check([out for each in events for out in stream.receive(each)]))
    assert (block["name"], block["input"]) == ("multi_tool_use.parallel", {"tool_uses": [7]})


# What no server may do.


def test_an_answer_of_too_many_items_is_a_failure_of_the_upstream() -> None:
    stream = new_stream()
    with pytest.raises(UpstreamFailed, match="more than 4,096 items") as caught:
        for number in range(20_000):
            stream.receive(message(number, f"m{number}"))
            stream.receive(delta("x", output_index=0))
    assert caught.value.retry is False


def test_an_item_of_too_many_parts_is_a_failure_of_the_upstream() -> None:
    for kind, name in (("content_part.added", "output_text"), ("reasoning_summary_part.added", "summary_text")):
        stream = new_stream()
        with pytest.raises(UpstreamFailed, match="items and parts"):
            for number in range(MAX_ITEMS * 3):
                place = {"content_index": number, "summary_index": number, "output_index": 0}
                stream.receive(event(kind, **place, part={"type": name}))
                stream.receive(event("reasoning_summary_text.delta", delta="x", **place))


@pytest.mark.parametrize(
    "endless",
    [
        delta("x" * MB, output_index=0, content_index=0),
        event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="x" * MB),
        event("function_call_arguments.delta", output_index=0, delta="1" * MB),
        event("function_call_arguments.done", output_index=0, arguments="1" * MB),
        event("output_item.done", output_index=0, item={"type": "reasoning", "encrypted_content": "x" * MB}),
        event("output_text.annotation.added", output_index=0, annotation={"type": "url_citation", "url": "x" * MB}),
    ],
    ids=lambda event: event["type"],
)
def test_an_answer_without_end_is_a_failure_of_the_upstream(endless: Event) -> None:
    stream = new_stream()
    with pytest.raises(UpstreamFailed, match="larger than 64 MB"):
        for _ in range(2 * MAX_SIZE // MB):
            stream.receive(endless)


def test_broken_arguments_in_many_pieces_are_no_work() -> None:
    stream = new_stream()
    call = {"type": "function_call", "call_id": "c", "name": "Bash"}
    stream.receive(event("output_item.added", output_index=0, item=call))
    for piece in ('{"a":', *("1" * 100_000), "x" * 100_000, '"'):
        stream.receive(event("function_call_arguments.delta", output_index=0, delta=piece))
    assert "_unparsed_arguments" in str(stream.receive(event("completed", response={})))


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize("levels", [150, 480])  # orjson writes some 250 levels and reads some 1,000
@pytest.mark.parametrize("kind", [kind for kind in HANDLERS if kind])
def test_json_nested_deeply_is_no_bug_of_ours(kind: str, levels: int) -> None:
    nested = deep(levels)
    item = {"type": "reasoning", "id": "r", "summary": [nested], "content": [nested], "a": nested}
    call = {"type": "function_call", "name": "Bash", "call_id": "c", "arguments": nested, "a": nested}
    search = {"type": "web_search_call", "action": nested, "results": [nested]}
    said = {"type": "message", "content": [nested, {"type": "output_text", "text": "x", "annotations": [nested]}]}
    for given in (item, call, search, said, nested):
        fields = dict.fromkeys(("item_id", "output_index", "content_index", "annotation", "part", "error"), nested)
        stream = new_stream()
        try:
            for _ in range(2):
                for value in (nested, "x"):
                    stream.receive({**fields, "type": kind, "item": given, "delta": value, "arguments": nested})
                    stream.receive({"type": kind, "item": given, "delta": value, "part": given})
            stream.receive(event("completed", response={"output": [item, call, search, said], "usage": nested}))
        except (ResponseFailed, UpstreamFailed) as failure:
            assert str(failure)
