"""Over everything that can be said: what comes out is valid, whole, in order, and the same each time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from claudegpt_pkg.models import Tiers, known
from claudegpt_pkg.providers import azure, chatgpt
from claudegpt_pkg.providers.base import Backend, Provider
from claudegpt_pkg.translate.effort import EffortRules, resolve
from claudegpt_pkg.translate.jsontext import loads
from claudegpt_pkg.translate.prompt import Identity
from claudegpt_pkg.translate.request import Target, Translation, translate
from claudegpt_pkg.translate.tools import ToolRules
from claudegpt_pkg.translate.validate import check_request
from tests.fakes.memory import Memory
from tests.fakes.rules import Kind, accept
from tests.translate.strategies import MARK, Conversation, conversations, turns

BACKENDS: dict[Kind, Backend] = {
    "openai": Backend(tool_search=True),
    "chatgpt": chatgpt.BACKEND,
    "azure": azure.BACKEND,
}
MODELS = ("gpt-6-sol", "gpt-5.5", "gpt-5.4")
kinds = st.sampled_from(tuple(BACKENDS))
tiers = Tiers("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna")


def arrived(request: dict[str, Any]) -> dict[str, Any]:
    """The request as the client writes it on the wire, halves of emoji and all, read and checked at the door."""
    return check_request(loads(json.dumps(request).encode()))


def sent(
    request: dict[str, Any], kind: Kind, model: str = "gpt-6-sol", effort: str = "", **target: Any
) -> tuple[Translation, dict[str, Any]]:
    """The translation, and the body as that backend's provider sends it."""
    backend = BACKENDS[kind]
    made = translate(
        request,
        Target(
            model=model,
            effort=effort or resolve(request, suffix=None, rules=EffortRules(), levels=known(model).efforts),
            cache_key="key",
            identity=Identity("GPT", model),
            tools=ToolRules(tool_search=backend.tool_search, parallel="auto"),
            instructions=backend.instructions,
            least_output_tokens=backend.max_output_tokens,
            obfuscation_option=backend.obfuscation_option,
            **target,
        ),
    )
    return made, Provider(kind, kind, "", tiers, backend).prepare(made.body)


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


@given(conversations(), kinds, st.sampled_from(MODELS))
def test_what_a_valid_request_becomes_a_strict_backend_takes(given: Conversation, kind: Kind, model: str) -> None:
    memory = Memory()
    for items in given.issued:
        memory.issue(items)
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
    _, body = sent(arrived(given.request), kind, media_in_outputs=False)
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
    assert {*asked} <= {*originals, *searching} and len(originals) == len({*originals})
    assert {*originals} <= {tool["name"] for tool in request["tools"]}


@given(conversations(), kinds)
def test_the_same_request_becomes_the_same_bytes(given: Conversation, kind: Kind) -> None:
    first, second = (sent(arrived(given.request), kind)[1] for _ in range(2))
    assert orjson.dumps(first) == orjson.dumps(second)


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
