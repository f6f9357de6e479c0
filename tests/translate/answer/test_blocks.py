"""What each block begins and ends with, and how the message begins and ends."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate import reasoning
from claudegpt_pkg.translate.answer.blocks import BlockWriter, Reply
from claudegpt_pkg.translate.tools import ToolTable
from claudegpt_pkg.translate.wire import openai
from tests.support.grammar import check, folded, usage

CALL = openai.function_call("c", "Bash", "")


def new_writer(**reply: Any) -> BlockWriter:
    return BlockWriter(Reply("msg_1", "m", 7, ToolTable(), **reply))


def search(*sources: tuple[str, str], failed: bool = False) -> dict[str, Any]:
    found = [openai.source(url, title) for url, title in sources]
    return openai.web_search_call("ws_1", query="q", sources=found, failed=failed)


def test_the_message_starts_with_its_first_block_and_only_once() -> None:
    writer = new_writer()
    events = [*writer.open_text(), *writer.text(0, "a"), *writer.close_text([]), *writer.stop("end_turn")]
    assert [event["type"] for event in check(events)][:2] == ["message_start", "content_block_start"]
    assert writer.done and writer.answered and not writer.called and writer.stop_reason == "end_turn"


def test_a_client_that_has_its_message_start_gets_no_other() -> None:
    writer = new_writer(started=True)
    assert writer.start() == []
    assert [event["type"] for event in writer.open_text()] == ["content_block_start"]


def test_a_thinking_block_ends_with_its_signature() -> None:
    writer = new_writer()
    item = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "gAAAAA"}
    events = [*writer.open_thinking(), *writer.thinking(0, "Hm."), *writer.close_thinking(item, "commentary")]
    (block,) = folded([*events, *writer.stop("end_turn")])
    assert reasoning.replay(block["signature"], {}) == item
    assert reasoning.read_phase(block["signature"]) == "commentary"
    assert not writer.answered


def test_a_call_begins_with_its_name_and_id() -> None:
    writer = new_writer()
    events, arguments = writer.open_call(CALL)
    events += [*writer.arguments(0, arguments.feed("{}")), *writer.close_call(arguments.finish("{}"))]
    (block,) = folded(check([*events, *writer.stop("tool_use")]))
    assert (block["id"], block["name"], block["input"]) == ("c", "Bash", {})
    assert writer.called


@pytest.mark.parametrize("first", [True, False])
def test_a_search_is_followed_by_its_results_where_their_titles_are_known(first: bool) -> None:
    writer = new_writer(titles_first=first)
    item = search(("https://a.test", "A"))
    events = [*writer.open_search(item), *writer.close_search(item), *writer.stop("end_turn")]
    assert [block["type"] for block in folded(check(events))] == ["server_tool_use", "web_search_tool_result"]


def test_results_without_titles_wait_for_a_text_that_cites_them() -> None:
    writer = new_writer()
    item = search(("https://a.test", ""))
    events = [*writer.open_search(item), *writer.close_search(item), *writer.open_text(), *writer.text(1, "Cited.")]
    note = openai.url_citation(url="https://a.test", title="A", start=0, end=5)
    writer.name_source("https://a.test", "A")
    writer.name_source("https://a.test", "Another name")
    events += [*writer.close_text([note]), *writer.stop("end_turn")]
    _, text, results = folded(check(events))
    assert text["citations"][0]["cited_text"] == "Cited"
    assert results["content"][0]["title"] == "A"


def test_what_the_upstream_does_not_count_is_estimated() -> None:
    writer = new_writer()
    events = [*writer.open_text(), *writer.text(0, "twelve chars"), *writer.close_text([])]
    writer.count({"cached_tokens": 2})
    counted = usage(check([*events, *writer.stop("end_turn")]))
    assert (counted["input_tokens"], counted["cache_read_input_tokens"], counted["output_tokens"]) == (5, 2, 4)
