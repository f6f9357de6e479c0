"""A long session with the real client: each request is, byte for byte, the beginning of the next one."""

from __future__ import annotations

import itertools

from tests.fakes.answers import answer, call, reasoning
from tests.fakes.backend import FakeBackend
from tests.real.session import Session

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
