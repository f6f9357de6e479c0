"""`claudegpt -p` with the real Claude Code: the main job, and what the backend saw of it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.real.clients import OLD
from tests.real.session import Ran, Session
from tests.support import grammar
from tests.support.fakes.answers import Item, answer, call, error, overloaded, reasoning
from tests.support.fakes.backend import FakeBackend


def bash(command: str) -> Item:
    return call("Bash", command=command, description="Run it")


def outputs(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Each tool output by its call."""
    return {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}


def three_turns(session: Session, *args: str) -> tuple[Ran, list[Item]]:
    """A conversation in which two tools run, one after the other, with reasoning before each."""
    thoughts = [reasoning("**Looking around**", "One file."), reasoning(), reasoning("Enough.")]
    first, second = bash("echo seen > note.txt; echo ready"), bash("cat note.txt")
    session.backend.script(
        answer(thoughts[0], "I look.", first), answer(thoughts[1], second), answer(thoughts[2], "The note says: seen")
    )
    return session.run("Write a note and read it", "--allowedTools", "Bash", *args), [*thoughts, first, second]


def test_tools_run_over_several_turns(session: Session) -> None:
    ran, items = three_turns(session)
    assert (ran.status, ran.stdout, ran.stderr) == (0, "The note says: seen\n", "")
    assert (session.work / "note.txt").read_text() == "seen\n"
    said = outputs(session.backend.requests[2].items)
    assert said[items[3].done["call_id"]] == "ready"
    assert said[items[4].done["call_id"]] == "seen"


def test_every_request_is_as_the_design_wants_it(session: Session) -> None:
    three_turns(session)
    for request in session.backend.requests:
        body = request.body
        assert body["store"] is False and body["stream"] is True
        assert "reasoning.encrypted_content" in body["include"]
        assert body["model"] == "gpt-6.1-sol"
        assert body["tools"] and all(tool["strict"] is False for tool in body["tools"])
        assert b"x-anthropic-billing-header" not in request.raw
        assert b"cache_control" not in request.raw
        assert b'"role":"system"' not in request.raw
        assert b"total_tokens" not in request.raw  # how much is left of a budget that nobody has


def test_reasoning_comes_back_whole_and_in_place(session: Session) -> None:
    _, items = three_turns(session)
    sent = session.backend.requests[2].items
    kinds = [item["type"] for item in sent]
    places = [place for place, kind in enumerate(kinds) if kind == "reasoning"]
    assert [sent[place] for place in places] == [items[0].done, items[1].done]
    first, second = places
    assert sent[first + 1]["role"] == "assistant" and sent[first + 2]["call_id"] == items[3].done["call_id"]
    assert sent[second + 1]["call_id"] == items[4].done["call_id"]


def test_the_prompt_cache_is_hit_from_the_second_turn_on(session: Session) -> None:
    three_turns(session)
    requests = session.backend.requests
    assert len({request.body["prompt_cache_key"] for request in requests}) == 1
    for before, after in itertools.pairwise(requests):
        whole, longer = (json.dumps(one.body["input"], ensure_ascii=False)[:-1] for one in (before, after))
        assert longer.startswith(whole)
        assert {**before.body, "input": 0} == {**after.body, "input": 0}
        assert list(before.body) == list(after.body)
    counted = [grammar.usage(events) for events in session.streams()]
    assert counted[0]["cache_read_input_tokens"] == 0
    for usage in counted[1:]:
        everything = sum(usage[key] for key in usage if key.endswith("input_tokens"))
        assert usage["cache_read_input_tokens"] > 0.9 * everything


def test_json_output_is_one_object(session: Session) -> None:
    ran, _ = three_turns(session, "--output-format", "json")
    assert ran.result["result"] == "The note says: seen"
    assert (ran.result["is_error"], ran.result["num_turns"]) == (False, 3)
    assert "total_cost_usd and contextWindow in the JSON are Claude Code's guesses" in ran.stderr
    assert "3 turns" in ran.stderr and ran.stderr.count("\n") == 1


def test_stream_json_output_tells_every_step(session: Session) -> None:
    ran, _ = three_turns(session, "--output-format", "stream-json", "--verbose", "--include-partial-messages")
    blocks = [
        block for message in ran.messages if message["type"] == "assistant" for block in message["message"]["content"]
    ]
    kinds = [block["type"] for block in blocks]
    assert kinds == ["thinking", "text", "tool_use", "thinking", "tool_use", "thinking", "text"]
    assert blocks[0]["thinking"] == "**Looking around**\n\nOne file."
    assert ran.messages[-1]["result"] == "The note says: seen"
    deltas = [message["event"] for message in ran.messages if message["type"] == "stream_event"]
    assert any(event["type"] == "content_block_delta" for event in deltas)


def test_parallel_calls_run_and_each_gets_its_own_answer(session: Session, backend: FakeBackend) -> None:
    texts = {"a.txt": "alpha", "b.txt": "beta"}
    for name, words in texts.items():
        (session.work / name).write_text(words)
    reads = {name: call("Read", file_path=str(session.work / name)) for name in texts}
    backend.script(answer(reasoning("Both."), *reads.values(), interleaved=True), answer("Both read."))
    assert session.run("Read both", "--allowedTools", "Read").stdout == "Both read.\n"
    said = outputs(backend.requests[1].items)
    for name, item in reads.items():
        assert texts[name] in said.pop(item.done["call_id"])
    assert not said


def test_calls_that_change_things_run_one_after_another(session: Session, backend: FakeBackend) -> None:
    """What makes parallel calls safe with this client: two edits of one file both land, commands do not overlap."""
    file = session.work / "list.txt"
    file.write_text("one two")
    edits = [
        call("Edit", file_path=str(file), old_string="one", new_string="1"),
        call("Edit", file_path=str(file), old_string="two", new_string="2"),
    ]
    busy = "mkdir busy && for i in 1 2 3 4 5 6 7 8; do ls / >/dev/null; done && rmdir busy && echo alone"
    backend.script(answer(call("Read", file_path=str(file))), answer(*edits, bash(busy), bash(busy)), answer("Done."))
    assert session.run("Edit both", "--allowedTools", "Read", "Edit", "Bash").stdout == "Done.\n"
    assert file.read_text() == "1 2"
    said = list(outputs(backend.requests[2].items).values())
    assert said.count("alone") == 2


def test_what_is_piped_in_reaches_the_model(session: Session, backend: FakeBackend) -> None:
    backend.script(answer("Seen."))
    ran = session.run("Summarise", stdin="the piped text\n")
    assert ran.stdout == "Seen.\n"
    assert b"the piped text" in backend.requests[0].raw


def test_the_effort_of_the_command_line_reaches_the_backend(session: Session, backend: FakeBackend) -> None:
    backend.script(answer("Ok."))
    session.run("Hi", "--effort", "low")
    assert backend.requests[0].body["reasoning"]["effort"] == "low"


@pytest.mark.parametrize(("tier", "model"), [("sonnet", "gpt-6.1-terra"), ("haiku", "gpt-6-luna")])
def test_a_tier_is_served_by_its_model(session: Session, backend: FakeBackend, tier: str, model: str) -> None:
    backend.script(answer("Ok."))
    ran = session.run("Hi", "--model", tier)
    assert (ran.stdout, ran.stderr) == ("Ok.\n", "")
    assert backend.requests[0].body["model"] == model


def test_a_refusal_of_the_backend_is_shown(session: Session, backend: FakeBackend) -> None:
    """The newest client asks again at any 400, each time with one beta feature less, and then shows it."""
    backend.route(lambda request: True, error(400, "invalid_prompt", "This prompt was flagged."))
    ran = session.run("Hi")
    assert ran.status == 1
    assert "This prompt was flagged." in ran.stdout + ran.stderr
    assert len(backend.side) == (1 if session.version == OLD else 6)


def test_a_rate_limit_is_waited_out(session: Session, backend: FakeBackend) -> None:
    slow = error(429, "rate_limit_exceeded", "Slow down.", kind="requests", headers={"retry-after-ms": "50"})
    backend.script(slow, answer("Here now."))
    assert session.run("Hi").stdout == "Here now.\n"


def test_overload_inside_a_stream_is_tried_again(session: Session, backend: FakeBackend) -> None:
    backend.script(overloaded(), answer("Room now."))
    assert session.run("Hi").stdout == "Room now.\n"


def test_a_cut_stream_is_never_a_success(session: Session, backend: FakeBackend) -> None:
    """The old client shows the error; the newest asks for the rest, with what it has as the assistant's words."""
    backend.script(answer("Half of the answer was", cut_after=7))
    if session.version == OLD:
        ran = session.run("Hi")
        assert ran.status == 1
        assert "API Error" in ran.stdout and "Half" not in ran.stdout
        return
    backend.script(answer("given, and here is the rest."))
    assert session.run("Hi").status == 0
    *_, said, asked = backend.requests[1].items
    assert (said["role"], said["content"]) == ("assistant", "Half of the ")
    assert "cut off mid-stream" in json.dumps(asked)


def test_our_words_never_mix_with_the_output(session: Session, backend: FakeBackend) -> None:
    backend.script(answer('{"a": 1}'))
    ran = session.run("Hi", "--output-format", "text")
    assert ran.stdout == '{"a": 1}\n'
