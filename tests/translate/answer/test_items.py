"""The small shapes within an answer, whichever way a server writes them."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.answer.items import (
    error_of,
    item_kind,
    message_parts,
    read_citation,
    replayable_reasoning,
    search_item,
    thinking_texts,
    usage_counts,
)


@pytest.mark.parametrize(
    "item", [None, 7, {}, {"type": None}, {"type": ["message"]}, {"type": "image_generation_call"}]
)
def test_what_is_no_item_of_ours_has_no_kind(item: Any) -> None:
    assert item_kind(item) is None


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"type": "error", "error": {"type": "a", "message": "m"}}, {"type": "a", "message": "m"}),
        ({"type": "error", "error": {}, "error_type": "overloaded_error"}, {"type": "overloaded_error"}),
        ({"type": "error", "status": 503}, {"status": 503}),
        ({"error": {"message": "m"}, "status_code": "429"}, {"message": "m", "status": 429}),
        ({"error": {"message": "m", "status": 42}}, {"message": "m", "status": 42}),
        ({"error": {"message": {"a": [1]}}}, {"message": '{"a":[1]}'}),
        ({"error": ["m", 1]}, {"message": '["m",1]'}),
        ({"error": "m"}, {"message": "m"}),
        ({"response": {"error": {"code": "c"}}, "error": {"code": "d"}}, {"code": "c"}),
    ],
)
def test_an_error_is_one_object_wherever_its_parts_stand(event: Any, error: Any) -> None:
    found = error_of(event)
    assert {name: value for name, value in found.items() if name != "error_type"} == error


def test_only_answer_text_is_a_part_of_a_message() -> None:
    parts = [
        {"type": "reasoning_text", "text": "secret"},
        {"type": "output_text", "text": "a"},
        {"type": "refusal", "refusal": "b"},
        {"text": "c", "annotations": [1]},
        {"type": ["output_text"], "text": "d"},
        None,
    ]
    assert message_parts(parts) == [(1, "output_text", "a", []), (2, "refusal", "b", []), (3, "output_text", "c", [1])]
    assert message_parts("plain") == [(0, "output_text", "plain", [])]
    assert message_parts({"a": 1}) == []


def test_the_texts_of_reasoning() -> None:
    assert thinking_texts("plain") == ["plain"]
    assert thinking_texts([{"text": "a"}, {"text": 7}, None]) == ["a", ""]
    assert thinking_texts(7) == []


def test_only_what_a_replay_takes_is_kept_of_reasoning() -> None:
    fields = {"id": 7, "encrypted_content": "x", "summary": ["a"], "content": [{"text": "b"}], "status": "completed"}
    assert replayable_reasoning(fields) == {
        "type": "reasoning",
        "encrypted_content": "x",
        "content": [{"text": "b"}],
    }


def test_a_search_has_each_source_once_with_its_title() -> None:
    action = {"queries": ["a", None, "b"], "sources": [{"url": "u"}, {"url": 7}, None]}
    item = search_item({"action": action, "results": [{"url": "u", "title": "T"}], "status": "failed"}, 3)
    assert (item["id"], item["status"], item["action"]["query"]) == ("3", "failed", "a, b")
    assert [(source["url"], source["title"]) for source in item["action"]["sources"]] == [("u", "T")]


def test_a_citation_may_be_nested_and_is_shifted_to_its_part() -> None:
    flat = {"type": "url_citation", "url": "u", "title": "t", "start_index": 1, "end_index": 3}
    nested = {"type": "url_citation", "url_citation": {name: flat[name] for name in flat if name != "type"}}
    assert read_citation(nested, 2) == read_citation({**flat, "start_index": 3, "end_index": 5})
    for other in (None, {**flat, "url": 7}, {**flat, "type": "file_citation"}):
        assert read_citation(other) is None


def test_only_real_counts_are_counts() -> None:
    assert usage_counts({"input_tokens": 3, "output_tokens": 0, "input_tokens_details": {"cached_tokens": 2.0}}) == {
        "input_tokens": 3,
        "cached_tokens": 2,
    }
    for usage in (None, 7, {"input_tokens": True}, {"input_tokens": -1, "output_tokens": 2**60}):
        assert usage_counts(usage) == {}
