"""Agents that work at the same time: each has its own conversation, and whatever model it names there is one for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.clients import NEW
from tests.real.session import Session
from tests.support.fakes.answers import Answer, answer, call, reasoning
from tests.support.fakes.backend import FakeBackend, Request

AGENTS = ("plums", "quinces")


def task(fruit: str, **more: Any) -> Any:
    return call(
        "Agent",
        description=f"Count {fruit}",
        prompt=f"Count the {fruit}",
        subagent_type="general-purpose",
        run_in_background=False,
        **more,
    )


def is_of(fruit: str, request: Request) -> bool:
    """Whether this is the agent that was asked so: its own first words, not the call that started it."""
    said = [str(item["content"]) for item in request.items if item.get("role") == "user"]
    return any(f"Count the {fruit}" in words for words in said)


@pytest.mark.parametrize("model", [{}, {"model": "haiku"}], ids=["of the main model", "of another tier"])
def test_two_agents_at_once_have_each_their_own_conversation(
    session: Session, backend: FakeBackend, model: dict[str, str]
) -> None:
    thoughts = {fruit: reasoning(f"**Of {fruit}**") for fruit in AGENTS}

    def work(fruit: str) -> Any:
        def reply(request: Request) -> Answer:
            if request.of_type("function_call_output"):
                return answer(reasoning(), f"There are many {fruit}.")
            return answer(thoughts[fruit], call("Bash", command=f"echo seen {fruit}", description="Look"))

        return reply

    for fruit in AGENTS:
        backend.route(lambda request, fruit=fruit: is_of(fruit, request), work(fruit))  # type: ignore[misc]
    backend.script(answer(*[task(fruit, **model) for fruit in AGENTS]), answer("Both counted."))
    assert session.run("Count", "--allowedTools", "Agent", "Bash").stdout == "Both counted.\n"
    told = {item["call_id"]: str(item["output"]) for item in backend.requests[1].of_type("function_call_output")}
    assert sorted(fruit for fruit in AGENTS for said in told.values() if f"many {fruit}" in said) == sorted(AGENTS)
    keys: dict[str, set[str]] = {fruit: set() for fruit in ("main", *AGENTS)}
    keys["main"] = {request.body["prompt_cache_key"] for request in backend.requests}
    for fruit, other in (AGENTS, AGENTS[::-1]):
        first, second = [request for request in backend.side if is_of(fruit, request)]
        assert second.of_type("reasoning") == [thoughts[fruit].done]
        assert f"seen {fruit}" in str(second.of_type("function_call_output"))
        assert other not in second.raw.decode().replace(f"Count the {fruit}", "")
        assert second.raw.startswith(first.raw.removesuffix(b"]}"))
        keys[fruit] = {first.body["prompt_cache_key"], second.body["prompt_cache_key"]}
    assert [len(found) for found in keys.values()] == [1, 1, 1]
    assert not keys["main"] & (keys["plums"] | keys["quinces"])
    if session.version == NEW:  # an older one does not say which agent it is
        assert keys["plums"] != keys["quinces"]


def test_an_agent_whose_model_nobody_has_heard_of_has_its_tiers(session: Session, backend: FakeBackend) -> None:
    agents = session.work / ".claude" / "agents"
    agents.mkdir(parents=True)
    (agents / "counter.md").write_text(
        "---\nname: counter\ndescription: Counts\nmodel: claude-haiku-99-20990101\n---\nYou count.\n"
    )
    backend.script(
        answer(
            call(
                "Agent", description="Count", prompt="Count the plums", subagent_type="counter", run_in_background=False
            )
        )
    )
    backend.route(lambda request: is_of("plums", request), answer("Three."))
    backend.script(answer("Three plums."))
    assert session.run("Count", "--allowedTools", "Agent").stdout == "Three plums.\n"
    assert {request.body["model"] for request in backend.side} == {"gpt-6-luna"}
