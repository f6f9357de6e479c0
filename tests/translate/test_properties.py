"""Over everything that can be said: what comes out is valid, whole, in order, and the same each time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import assume, given
from hypothesis import strategies as st

from claudegpt_pkg.accounts.providers import azure, chatgpt
from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.effort import EffortPolicy
from claudegpt_pkg.models import Tiers, known_model
from claudegpt_pkg.translate.answer.argument_filter import ArgumentFilter
from claudegpt_pkg.translate.answer.blocks import Reply
from claudegpt_pkg.translate.answer.fold import fold
from claudegpt_pkg.translate.answer.stop_filter import StopFilter
from claudegpt_pkg.translate.answer.stream import MessageStream
from claudegpt_pkg.translate.request.conversation_facts import read_facts
from claudegpt_pkg.translate.request.effort import read_requested_effort
from claudegpt_pkg.translate.request.system_prompt import Identity
from claudegpt_pkg.translate.request.tool_table import build_tool_table
from claudegpt_pkg.translate.request.translate import Target, Translation, translate
from claudegpt_pkg.translate.request.validate import check_request
from claudegpt_pkg.translate.tokens import count_tokens
from claudegpt_pkg.translate.tools import ToolRules
from claudegpt_pkg.translate.wire.json_text import loads
from claudegpt_pkg.translate.wire.sse import Decoder, encode
from tests.support.fakes.memory import Memory
from tests.support.fakes.rules import Kind, accept
from tests.support.grammar import check, check_message, folded, stop_reason
from tests.support.strategies import MARK, Conversation, Draw, conversations, json_values, turns, words
from tests.support.upstreams import TOOLS, Answered, answered, cut, pieces

BACKENDS: dict[Kind, Capabilities] = {
    "openai": Capabilities(),
    "chatgpt": chatgpt.CAPABILITIES,
    "azure": azure.CAPABILITIES,
}
MODELS = ("gpt-6-sol", "gpt-5.5", "gpt-5.4")
ALL = Capabilities()
kinds = st.sampled_from(tuple(BACKENDS))
tiers = Tiers("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna")


def arrived(request: dict[str, Any]) -> dict[str, Any]:
    """The request as the client writes it on the wire, halves of emoji and all, read and checked at the door."""
    return check_request(loads(json.dumps(request).encode()))


def default_effort(request: dict[str, Any], model: str) -> str:
    wish = read_requested_effort(request, read_facts(request["messages"]))
    return EffortPolicy().for_request(wish, tier=None, levels=known_model(model).efforts)


def sent(
    request: dict[str, Any],
    kind: Kind,
    model: str = "gpt-6-sol",
    effort: str = "",
    without: Capabilities = ALL,
    **target: Any,
) -> tuple[Translation, dict[str, Any]]:
    """The translation, and the body as that backend's provider sends it."""
    made = translate(
        request,
        Target(
            model=model,
            effort=effort or default_effort(request, model),
            cache_key="key",
            identity=Identity("GPT", model),
            tools=ToolRules(parallel="auto"),
            capabilities=BACKENDS[kind].without(without),
            **target,
        ),
    )
    return made, made.body


def texts_of(value: Any) -> Iterator[str]:
    """Every text in a JSON value, in the order in which it is written."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)


def marks_of(value: Any) -> list[str]:
    return [mark for text in texts_of(value) for mark in MARK.findall(text)]


def as_call(item: dict[str, Any]) -> dict[str, Any]:
    """A search as a backend calls it that knows of none: a function like any other."""
    return {**item, "type": "function_call"} if item["type"] == "tool_search_call" else item


@given(conversations(), kinds, st.sampled_from(MODELS))
def test_what_a_valid_request_becomes_a_strict_backend_takes(given: Conversation, kind: Kind, model: str) -> None:
    memory = Memory()
    for items in given.issued:
        memory.issue(items if BACKENDS[kind].tool_search else [as_call(item) for item in items])
    _, body = sent(arrived(given.request), kind, model)
    accept(kind, json.loads(orjson.dumps(body)))
    memory.recognise(body["input"])


@given(conversations(), kinds)
def test_each_text_picture_argument_and_result_is_found_again_once_and_in_order(
    given: Conversation, kind: Kind
) -> None:
    _, body = sent(arrived(given.request), kind)
    found = marks_of(body["input"])
    assert sorted(found) == sorted(given.marks)
    assert [mark for mark in found if mark not in given.moved] == [
        mark for mark in given.marks if mark not in given.moved
    ]


@given(conversations(), kinds)
def test_pictures_that_an_output_cannot_hold_are_found_again_too(given: Conversation, kind: Kind) -> None:
    _, body = sent(arrived(given.request), kind, without=Capabilities(media_in_outputs=False))
    assert sorted(marks_of(body["input"])) == sorted(given.marks)
    assert all(isinstance(item["output"], str) for item in body["input"] if item["type"] == "function_call_output")


@given(conversations(), kinds)
def test_every_tool_that_may_be_called_is_declared_once_under_a_name_that_leads_back(
    given: Conversation, kind: Kind
) -> None:
    request = arrived(given.request)
    made, body = sent(request, kind)
    shown = [tool["name"] for item in body["input"] for tool in item.get("tools", ())]
    declared = [tool["name"] for tool in body.get("tools", ()) if tool["type"] == "function"]
    originals = [made.table.original(name) for name in {*declared, *shown}]
    searching = ["ToolSearch"] if made.table.searching else []
    asked = [tool["name"] for tool in request["tools"] if not tool.get("defer_loading") and "type" not in tool]
    if (request.get("tool_choice") or {}).get("name") == "web_search":  # then nothing else may be called
        assert [tool["type"] for tool in body["tools"]] == ["web_search"] and body["tool_choice"] == "required"
        return
    assert {*asked} <= {*originals, *searching} and len(originals) == len({*originals})
    assert {*originals} <= {tool["name"] for tool in request["tools"]}


@given(conversations(), kinds)
def test_the_same_request_becomes_the_same_bytes(given: Conversation, kind: Kind) -> None:
    first, second = (sent(arrived(given.request), kind)[1] for _ in range(2))
    assert orjson.dumps(first) == orjson.dumps(second)


@given(conversations(), kinds)
def test_whatever_a_request_becomes_its_tokens_can_be_counted(given: Conversation, kind: Kind) -> None:
    made, body = sent(arrived(given.request), kind)
    assert count_tokens(body) > 0 and made.estimated_tokens(len(orjson.dumps(body))) > 0


@given(conversations(), kinds)
def test_no_part_of_a_request_is_left_out_without_a_note(given: Conversation, kind: Kind) -> None:
    request = arrived(given.request)
    fields = {field for field, _ in sent(request, kind)[0].notes}
    if request.get("novelty"):
        assert "novelty" in fields
    if request.get("top_k"):
        assert "top_k" in fields
    blocks = [
        block for message in request["messages"] if isinstance(message["content"], list) for block in message["content"]
    ]
    assert {
        f"messages.{block['type']}" for block in blocks if block["type"] in ("hologram", "container_upload")
    } <= fields


@given(turns(), kinds)
def test_a_turn_is_a_byte_prefix_of_the_next_up_to_the_new_items(requests: list[dict[str, Any]], kind: Kind) -> None:
    bodies = [sent(arrived(request), kind, effort="high")[1] for request in requests]
    for before, after in pairwise(bodies):
        old, new = before.get("tools", []), after.get("tools", [])
        functions = [[tool for tool in tools if tool["type"] == "function"] for tools in (old, new)]
        assert functions[1][: len(functions[0])] == functions[0]
        if old == new:
            assert orjson.dumps(after).startswith(orjson.dumps(before).removesuffix(b"]}"))


@given(turns())
def test_where_the_backend_searches_a_tool_found_changes_nothing_in_front(requests: list[dict[str, Any]]) -> None:
    bodies = [sent(arrived(request), "openai")[1] for request in requests]
    added = [block for message in requests[-1]["messages"] for block in message["content"] if isinstance(block, dict)]
    if any(block["type"] == "tool_addition" for block in added) or not searching(bodies[0]):
        return
    assert all(body.get("tools") == bodies[0].get("tools") for body in bodies)


def searching(body: dict[str, Any]) -> bool:
    return any(tool["type"] == "tool_search" for tool in body.get("tools", ()))


# Answers.


def on_the_wire(draw: Draw, events: list[dict[str, Any]]) -> bytes:
    """The events as some server writes them."""
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    named, ascii_only = draw(st.booleans()), draw(st.booleans())
    lines = []
    for event in events:
        lines += [f"event: {event['type']}"] if named and event.get("type") else []
        lines += ["data: " + json.dumps(event, ensure_ascii=ascii_only), ""]
    return "".join(line + end for line in lines).encode()


def received(chunks: list[bytes]) -> list[dict[str, Any]]:
    """What the client is sent: checked against the grammar."""
    table = build_tool_table(TOOLS, [], ToolRules())
    stream, decoder, out = MessageStream(Reply("msg_1", "m", 1, table, titles_first=True)), Decoder(), bytearray()
    for chunk in chunks:
        for event in decoder.feed(chunk):
            out += b"".join(map(encode, stream.receive(event)))
    for event in decoder.flush():
        out += b"".join(map(encode, stream.receive(event)))
    stream.finish()
    return check(bytes(out))


def shown(block: dict[str, Any]) -> Any:
    if block["type"] in ("tool_use", "server_tool_use"):
        return block["name"], block["input"]
    return {"text": block.get("text"), "thinking": f"~{block.get('thinking')}"}.get(block["type"], block["type"])


@given(st.data(), answered())
def test_a_stream_holds_every_character_once_however_it_is_told_and_cut(data: st.DataObject, given: Answered) -> None:
    events = received(pieces(data.draw, on_the_wire(data.draw, given.events)))
    blocks = [block for block in folded(events) if block["type"] != "redacted_thinking"]
    assert list(map(shown, blocks)) == given.blocks
    types = [item["type"] for item in given.items]
    refused = any(
        part["type"] == "refusal" for item in given.items if item["type"] == "message" for part in item["content"]
    )
    called = "function_call" in types or "tool_search_call" in types
    assert stop_reason(events) == ("tool_use" if called else "refusal" if refused else "end_turn")


@given(answered())
def test_the_folded_message_is_what_the_stream_tells(given: Answered) -> None:
    events = received([b"".join(map(encode_any, given.events))])
    assert check_message(fold(events))["content"] == folded(events)


def encode_any(event: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(event)


@given(answered())
def test_reasoning_comes_back_byte_for_byte_before_what_it_led_to(given: Answered) -> None:
    content = fold(received([b"".join(map(encode_any, given.events))]))["content"]
    calls = [block["id"] for block in content if block["type"] == "tool_use"]
    kinds_of_items = [(item["type"], item.get("id") in late(given.events)) for item in given.items]
    # Reasoning that led to reasoning whose encrypted content came late: the backend would miss the second.
    assume(calls or not any(a[0] == "reasoning" and b == ("reasoning", True) for a, b in pairwise(kinds_of_items)))
    results = [{"type": "tool_result", "tool_use_id": call_id, "content": "done"} for call_id in calls]
    said = {"type": "text", "text": "Go on."}
    messages = [
        {"role": "user", "content": "Begin."},
        {"role": "assistant", "content": content},
        {"role": "user", "content": [*results, said]},
    ]
    _, body = sent(arrived({"model": "m", "max_tokens": 9, "messages": messages, "tools": TOOLS}), "openai")
    accept("openai", json.loads(orjson.dumps(body)))
    memory = Memory()
    memory.issue(given.items)
    memory.recognise(body["input"])
    replayed = [item for item in body["input"] if item["type"] == "reasoning"]
    led = max((at for at, item in enumerate(given.items) if item["type"] not in SILENT), default=0)
    issued = [item for item in given.items[:led] if item["type"] == "reasoning"]
    if not calls:  # what led to the last answer is not needed again: a blob that came after it is not kept
        kept = {item["id"] for item in replayed}
        issued = [item for item in issued if item["id"] in kept or item["id"] not in late(given.events)]
    assert list(map(in_bytes, replayed)) == list(map(in_bytes, issued))


def late(events: list[dict[str, Any]]) -> set[str]:
    """Ids of reasoning that was done before its blob was there."""
    done = [event["item"] for event in events if event.get("type") == "response.output_item.done"]
    return {item["id"] for item in done if item["type"] == "reasoning" and not item.get("encrypted_content")}


SILENT = ("reasoning", "web_search_call")  # a reasoning item may lead to these, but not to nothing else


def in_bytes(item: dict[str, Any]) -> bytes:
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


@given(st.data(), st.text(), st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=3))
def test_a_stop_sequence_cuts_at_the_same_place_however_the_text_is_cut(
    data: st.DataObject, text: str, sequences: list[str]
) -> None:
    if data.draw(st.booleans()):
        text += sequences[0] + data.draw(st.text(max_size=4))
    filter = StopFilter(sequences)
    out = "".join(map(filter.feed, cut(data.draw, text))) + filter.flush()
    ends = [(at + len(one), at, one) for one in sequences if (at := text.find(one)) >= 0]
    assert (out, filter.matched) == ((text[: min(ends)[1]], min(ends)[2]) if ends else (text, None))


@given(st.data(), st.dictionaries(words | st.sampled_from(["a", "b", "c"]), json_values, max_size=5), st.integers(0, 3))
def test_arguments_lose_only_what_is_senseless_however_they_are_cut(
    data: st.DataObject, arguments: dict[str, Any], indent: int
) -> None:
    empties = {"a": frozenset({'""', "null"}), "b": frozenset({"null"}), "c": frozenset({"[]"})}
    text = json.dumps(arguments, indent=indent or None, ensure_ascii=data.draw(st.booleans()))
    filter = ArgumentFilter(empties)
    out = "".join(map(filter.feed, cut(data.draw, text))) + filter.flush()
    kept = {key: value for key, value in arguments.items() if json.dumps(value) not in empties.get(key, ())}
    assert json.loads(out) == kept
    if kept == arguments:
        assert out == text


@given(st.text(alphabet='{}[]",:\\ nulltrue0123ab\n'), st.data())
def test_arguments_that_are_no_json_are_passed_on(text: str, data: st.DataObject) -> None:
    filter = ArgumentFilter({})
    assert "".join(map(filter.feed, cut(data.draw, text))) + filter.flush() == text
