"""A long session with the real client: each request is, byte for byte, the beginning of the next one."""

from __future__ import annotations

import itertools

from tests.real.plan import codex_login
from tests.real.session import Session
from tests.real.test_translation import png
from tests.support.fakes.answers import answer, call, reasoning, tool_search
from tests.support.fakes.backend import FakeBackend

TURNS = 10


def test_over_ten_turns_and_a_resumed_session_only_the_conversation_grows(
    session: Session, backend: FakeBackend
) -> None:
    (session.work / "notes.txt").write_text("seen\n")
    for number in range(TURNS - 1):
        words = (f"Step {number}.",) if number % 2 else ()
        tool = call("Read", file_path=str(session.work / "notes.txt")) if number % 3 else call("Bash", command="echo ü")
        backend.script(answer(reasoning(f"**Step {number}**"), *words, tool))
    backend.script(answer(reasoning(), "All ten done."), answer("Gladly."))
    session.run("Take ten steps.", "--allowedTools", "Bash", "Read")
    session.run("Thank you.", "--continue")
    assert len(backend.requests) == TURNS + 1
    whole = backend.requests[:TURNS]
    for before, after in itertools.pairwise(request.raw for request in whole):
        assert after.startswith(before.removesuffix(b"]}"))
    # A process of its own: it may describe the session anew, but what was said and thought is replayed as it stood.
    told = [item for item in whole[-1].items if item["type"] in ("reasoning", "function_call", "function_call_output")]
    again = backend.requests[TURNS].of_type("reasoning") + backend.requests[TURNS].of_type("function_call")
    assert all(item in again for item in told if item["type"] != "function_call_output")
    assert len({request.body["prompt_cache_key"] for request in backend.requests}) == 1


def test_on_the_plan_too_though_tools_are_found_and_agents_asked_meanwhile(session: Session, plan: FakeBackend) -> None:
    codex_login(session, plan)
    (session.work / "red.png").write_bytes(png())
    task = {"description": "Count", "prompt": "Count the files", "subagent_type": "general-purpose"}
    turns = [
        answer(reasoning("**Looking**"), "First this.", call("Read", file_path=str(session.work / "red.png"))),
        answer(reasoning(), tool_search(query="select:NotebookEdit", max_results=5)),
        answer(reasoning(), call("Agent", **task, model="haiku", run_in_background=False)),
        answer(call("NotebookEdit", notebook_path="/nowhere.ipynb", new_source="x")),
        answer(reasoning(), "Done."),
    ]
    plan.route(lambda request: request.body["model"] == "gpt-6-luna", answer(reasoning(), "Three."))
    plan.script(*turns)
    assert session.run("Look around", "--allowedTools", "Read", "Agent").stdout == "Done.\n"
    assert len(plan.requests) == len(turns) and plan.side
    for before, after in itertools.pairwise(plan.requests):
        assert after.raw.startswith(before.raw.removesuffix(b"]}"))
        usage = after.usage
        assert usage["input_tokens_details"]["cached_tokens"] > 0.9 * before.usage["input_tokens"]
    assert len({request.headers["session-id"] for request in plan.requests}) == 1
    assert not {request.headers["session-id"] for request in plan.side} & {plan.requests[0].headers["session-id"]}
