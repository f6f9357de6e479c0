"""A whole stream folded into one Message: what `stream: false` answers."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from claudegpt_pkg.translate.answer.blocks import Reply
from claudegpt_pkg.translate.answer.fold import Folder, fold, tool_input
from claudegpt_pkg.translate.answer.stream import MessageStream
from claudegpt_pkg.translate.request.tool_table import build_tool_table
from claudegpt_pkg.translate.tools import ToolRules
from tests.support.fakes import answers
from tests.support.fakes.answers import Answer, answer
from tests.support.grammar import check, check_message, folded

ASKED: dict[str, Any] = {
    "model": "gpt-6-sol",
    "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
    "reasoning": {"summary": "auto"},
}
COUNTED = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30}}
TOOLS = [{"name": "Bash", "input_schema": {"type": "object"}}]


def streamed(given: Answer, *, stops: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    table = build_tool_table(TOOLS, [], ToolRules())
    stream = MessageStream(Reply("msg_1", "claude-opus-4-8", 7, table, stops))
    return check([copy.deepcopy(ours) for event in given.events(ASKED, COUNTED) for ours in stream.receive(event)])


GIVEN: dict[str, Answer] = {
    "text": answer("Hello there."),
    "thinking and calls": answer(
        answers.reasoning("Hm."), "I look.", answers.call("Bash", command="ls"), answers.call("Bash")
    ),
    "a search with its citations": answer(
        answers.web_search("q", "https://a.test"), answers.text("It is so.", citations=[("https://a.test", "A")])
    ),
    "a blob that came late": answer(answers.reasoning("Hm."), answers.call("Bash"), encrypted="completed"),
    "a refusal": answer(answers.refusal("I will not.")),
    "an answer cut by its length": answer("Half of", end=answers.incomplete("max_output_tokens")),
}


@pytest.mark.parametrize("name", GIVEN)
def test_the_message_is_what_the_stream_tells(name: str) -> None:
    events = streamed(GIVEN[name])
    message = check_message(fold(events))
    assert message["content"] == folded(events)
    end = next(event for event in events if event["type"] == "message_delta")
    assert (message["stop_reason"], message["usage"]) == (end["delta"]["stop_reason"], {**end["usage"]})
    assert (message["id"], message["model"], message["role"]) == ("msg_1", "claude-opus-4-8", "assistant")


def test_a_stop_sequence_is_named() -> None:
    message = check_message(fold(streamed(answer("<block>no</block> since"), stops=("</block>",))))
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "</block>")
    assert message["content"] == [{"type": "text", "text": "<block>no"}]


def test_folding_leaves_the_events_as_they_were() -> None:
    events = streamed(GIVEN["a search with its citations"])
    before = copy.deepcopy(events)
    fold(events)
    fold(events)
    assert events == before


def test_a_message_may_be_read_at_any_time() -> None:
    folder = Folder()
    assert folder.message() == {}
    texts = []
    for event in streamed(answer("One two three.")):
        folder.add(event)
        texts.append("".join(block["text"] for block in folder.message()["content"]))
    assert texts == sorted(texts) and texts[-1] == "One two three."


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":1}', {"a": 1}),
        ('{"a":"\\ud83d"}', {"a": "\ufffd"}),
        ('{"a":', {"_unparsed_arguments": '{"a":'}),
        ("ls -la", {"_unparsed_arguments": "ls -la"}),
        ("[1]", {"_unparsed_arguments": "[1]"}),
        ("null", {"_unparsed_arguments": "null"}),
        ('"x"', {"_unparsed_arguments": '"x"'}),
    ],
)
def test_a_tools_input_is_an_object_whatever_the_model_wrote(text: str, value: Any) -> None:
    assert tool_input(text) == value
