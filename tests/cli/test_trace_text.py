"""One trace as text: every kind of block has an entry, long texts are cut, missing facts are left out."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.cli.trace_text import MOST_FIELDS, MOST_LINES, entries


def trace(*blocks: Any, role: str = "user", **fields: Any) -> dict[str, Any]:
    request = {"model": "claude-opus-4-8", "messages": [{"role": role, "content": list(blocks)}]}
    return {"id": "abc", "began": 1_795_312_614.0, "request": request, "sent": None, "answer": {}, **fields}


def said(*blocks: Any) -> list[tuple[str, str]]:
    """What is told of the blocks of a message."""
    told = list(entries(trace(*blocks)))
    return told[told.index(("", "")) + 1 :]


def fact(told: dict[str, Any], name: str) -> str | None:
    return dict(entries(told)).get(name)


@pytest.mark.parametrize(
    ("block", "entry"),
    [
        ({"type": "text", "text": "Hello."}, ("user", "Hello.")),
        ({"type": "thinking", "thinking": "Hm.", "signature": "s"}, ("thinking", "Hm.")),
        ({"type": "thinking", "thinking": "", "signature": "s"}, ("thinking", "[encrypted]")),
        ({"type": "redacted_thinking", "data": "x"}, ("thinking", "[encrypted]")),
        ({"type": "tool_use", "id": "t", "name": "Read", "input": {"a": "日"}}, ("call", 'Read {"a":"日"}')),
        ({"type": "tool_result", "tool_use_id": "t", "content": "one\ntwo"}, ("result", "one\ntwo")),
        ({"type": "tool_result", "tool_use_id": "t"}, ("result", "")),
        ({"type": "tool_result", "tool_use_id": "t", "content": "No.", "is_error": True}, ("error", "No.")),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "x" * 14_500}},
            ("image", "image/png, 14.5k characters"),
        ),
        ({"type": "document", "source": {"type": "url", "url": "https://a/b"}}, ("document", "https://a/b")),
        ({"type": "brand_new", "a": 1}, ("brand_new", '{"a":1}')),
    ],
)
def test_every_block_has_an_entry(block: dict[str, Any], entry: tuple[str, str]) -> None:
    assert said(block) == [entry]


def test_the_blocks_of_a_tool_result_are_shown_in_order() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "abcd"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "A cat:"}, image]}
    assert said(result) == [("result", "A cat:\nimage, image/png, 4 characters")]


def test_only_the_new_messages_of_a_turn_are_shown() -> None:
    messages = [
        {"role": "user", "content": "old"},
        {"role": "assistant", "content": "answered"},
        {"role": "user", "content": "new"},
        {"role": "system", "content": "by the way"},
    ]
    told = list(entries(trace() | {"request": {"model": "m", "messages": messages}}))
    assert told[told.index(("", "")) :] == [("", ""), ("user", "new"), ("", ""), ("system", "by the way")]


@pytest.mark.parametrize("text", ["line\n" * 500, "x" * 5_000])
def test_a_long_text_is_cut_and_the_option_for_the_rest_is_named(text: str) -> None:
    ((_, told),) = said({"type": "text", "text": text})
    *lines, last = told.split("\n")
    assert text.startswith("\n".join(lines)) and len(lines) <= MOST_LINES
    assert last.endswith("k more characters: --request]")


def test_a_text_that_just_fits_is_shown_whole() -> None:
    text = "line\n" * MOST_LINES
    assert said({"type": "text", "text": text}) == [("user", text.rstrip("\n"))]


def test_fields_with_the_same_note_are_shown_together() -> None:
    notes = [[f"tools.{number}", "withheld"] for number in range(MOST_FIELDS + 3)] + [["top_k", "dropped: why"]]
    assert fact(trace(notes=notes), "changed") == (
        f"{', '.join(f'tools.{number}' for number in range(MOST_FIELDS))} and 3 more: withheld\ntop_k: dropped: why"
    )


def test_learned_refusals_are_shown() -> None:
    assert fact(trace(learned=["No such parameter.", "No summary."]), "learned") == "No such parameter.\nNo summary."


def test_unknown_facts_have_no_entry() -> None:
    names = [name for name, _ in entries(trace())]
    assert names == ["turn", "time", "request", "took", "ended"]


def test_an_error_without_a_status_is_shown() -> None:
    told = trace(error={"kind": "cancelled", "message": "the client went away"})
    assert fact(told, "ended") == "cancelled: the client went away"
