"""A session over a deployment that lacks something, and nobody has said so: found out, done without, remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.proxy.plan import Ask
from claudegpt_pkg.proxy.stream_sink import Discard
from claudegpt_pkg.proxy.turn import Turn
from claudegpt_pkg.translate.request.tool_choice import NO_SEARCH
from tests.support import grammar
from tests.support.fakes.answers import Answer, Bytes, answer, call, error, reasoning, text, web_search
from tests.support.fakes.backend import DEADLINE, FakeBackend, Request
from tests.support.fakes.deployment import Deployment
from tests.support.served import Served, ask, served

NAME = "mine"  # says nothing about the model
THINKING: dict[str, Any] = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
TOOLS = [{"name": "Bash", "description": "Run it", "input_schema": {"type": "object", "properties": {}}}]
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
DISABLED = {"thinking": {"type": "disabled"}}
FORCED = {"type": "tool", "name": "web_search"}
TIERS = ("CLAUDEGPT_OPENAI_OPUS", "CLAUDEGPT_OPENAI_SONNET", "CLAUDEGPT_OPENAI_HAIKU")


@contextmanager
def deployed(deployment: Deployment, folder: Path) -> Iterator[tuple[FakeBackend, Served]]:
    names: dict[str, Any] = dict.fromkeys(TIERS, NAME)
    with FakeBackend("azure", deployments={NAME: deployment}) as backend, served(backend, folder, **names) as proxy:
        yield backend, proxy
        backend.check()


def learnt(proxy: Served) -> Capabilities:
    return replace(proxy.proxy.learned.get(NAME) or Capabilities(), refused_reasoning=frozenset())


# The hosted search.


def searched(words: str) -> Answer:
    return answer(web_search("plums", "https://example.com/plum"), text(words))


# One that falls silent does so in two turns before that is known of it.
@pytest.mark.parametrize(("search", "asked"), [("refused", 1), ("silent", 4), ("no event", 8), ("breaks", 8)])
@pytest.mark.parametrize("stream", [True, False])
def test_a_deployment_without_the_search_is_asked_without_it_from_then_on(
    tmp_path: Path, search: Any, asked: int, stream: bool
) -> None:
    with deployed(Deployment(search=search), tmp_path) as (backend, proxy):
        for words in ("Not here.", "Still not.", "Nor now."):
            backend.script(answer(words))
            body = ask("What is new?", tools=[*TOOLS, SEARCH], tool_choice=FORCED, stream=stream)
            said = grammar.text_of(proxy.events(body)) if stream else proxy.message(body)["content"][0]["text"]
            assert said == words
        assert len(backend.lacked) == asked and learnt(proxy) == Capabilities(web_search=False)
        for request in backend.requests:
            assert "web_search" not in str(request.body) and "tool_choice" not in request.body


@pytest.mark.parametrize(("search", "asked"), [("refused", 1), ("silent", 4)])
def test_nothing_but_a_search_is_not_asked_of_a_deployment_known_to_have_none(
    tmp_path: Path, search: Any, asked: int
) -> None:
    with deployed(Deployment(search=search), tmp_path) as (backend, proxy):
        body = ask("Perform a web search", tools=[SEARCH], tool_choice=FORCED)
        for _ in range(2) if search == "silent" else ():  # which an answer without it shows
            backend.script(answer("I cannot."))
            assert grammar.text_of(proxy.events(body)) == "I cannot."
            assert NO_SEARCH in backend.requests[-1].body["instructions"]
        for _ in range(2):
            response, told = proxy.error(body)
            assert response.status_code == 400
            assert told["message"] == "Web search cannot be had: mine has none, and no other tier's model does."
        assert len(backend.lacked) == asked and learnt(proxy) == Capabilities(web_search=False)


def test_another_tiers_deployment_makes_the_search_that_one_is_silent_on(tmp_path: Path) -> None:
    able = {NAME: Deployment(search="silent"), "other": Deployment()}
    names: dict[str, Any] = dict(zip(TIERS, (NAME, NAME, "other"), strict=True))
    with FakeBackend("azure", deployments=able) as backend:
        with served(backend, tmp_path, **names) as proxy:
            backend.script(searched("Plums."), searched("Pears."))
            for words in ("Plums.", "Pears."):
                assert grammar.text_of(proxy.events(ask(tools=[SEARCH], tool_choice=FORCED))) == words
            assert learnt(proxy) == Capabilities(web_search=False)
        assert [request.body["model"] for request in backend.requests] == ["other", "other"]


def test_a_model_that_cannot_search_is_told_so_lest_it_makes_results_up(tmp_path: Path) -> None:
    with deployed(Deployment(search="refused"), tmp_path) as (backend, proxy):
        backend.script(answer("I cannot."))
        proxy.events(ask(tools=[SEARCH, *TOOLS], system="You search.", tool_choice=FORCED))
        (request,) = backend.requests
        assert NO_SEARCH not in backend.lacked[0].body["instructions"]
        assert request.body["instructions"] == f"You search.\n\n{NO_SEARCH}"
        assert "tool_choice" not in request.body and [tool["name"] for tool in request.body["tools"]] == ["Bash"]


def out_for_a_moment(backend: FakeBackend, silence: Any) -> None:
    """While one turn asks with the search; back when it asks without."""
    out = [True]

    def answer_it(request: Request) -> Any:
        out[0] = out[0] and "tools" in request.body
        return silence if out[0] else searched("Back.") if "tools" in request.body else answer("Back.")

    backend.route(lambda _: True, answer_it)


@pytest.mark.parametrize("silence", [answer(), Bytes(()), error(500, "server_error", "Oh.")])
def test_an_outage_that_ends_when_the_search_is_left_out_costs_nobody_the_search(tmp_path: Path, silence: Any) -> None:
    with deployed(Deployment(), tmp_path) as (backend, proxy):
        for _ in range(3):
            out_for_a_moment(backend, silence)
            assert grammar.text_of(proxy.events(ask(tools=[SEARCH]))) == "Back."
            assert learnt(proxy) == Capabilities(silent_search=True) and "tools" not in backend.side[-1].body
            assert grammar.text_of(proxy.events(ask(tools=[SEARCH]))) == "Back."
            assert learnt(proxy) == Capabilities() and "tools" in backend.side[-1].body


def test_turns_that_meet_the_same_outage_are_no_two_proofs(tmp_path: Path) -> None:
    with deployed(Deployment(), tmp_path) as (backend, proxy):
        body = ask(tools=[SEARCH], stream=False)
        turns = [Turn(Ask(body), proxy.proxy) for _ in range(2)]  # both have begun before one is over
        assert proxy.loop
        for turn in turns:
            out_for_a_moment(backend, answer())
            asyncio.run_coroutine_threadsafe(turn.run(Discard()), proxy.loop).result(DEADLINE)
        assert learnt(proxy) == Capabilities(silent_search=True)


def test_two_sessions_of_one_turn_each_prove_it(tmp_path: Path) -> None:
    names: dict[str, Any] = dict.fromkeys(TIERS, NAME)
    with FakeBackend("azure", deployments={NAME: Deployment(search="silent")}) as backend:
        for known in (Capabilities(silent_search=True), Capabilities(web_search=False)):
            with served(backend, tmp_path, **names) as proxy:
                backend.script(answer("Not here."))
                proxy.events(ask(tools=[*TOOLS, SEARCH]))
                assert learnt(proxy) == known
        backend.check()


@pytest.mark.parametrize("silence", [answer(), Bytes(()), error(500, "server_error", "Oh.")])
def test_a_search_that_works_in_the_next_session_clears_the_suspicion(tmp_path: Path, silence: Any) -> None:
    names: dict[str, Any] = dict.fromkeys(TIERS, NAME)
    with FakeBackend("azure", deployments={NAME: Deployment()}) as backend:
        for known in (Capabilities(silent_search=True), Capabilities()) * 2:
            with served(backend, tmp_path, **names) as proxy:
                if known != Capabilities():
                    out_for_a_moment(backend, silence)
                proxy.events(ask(tools=[SEARCH]))
                assert learnt(proxy) == known


@pytest.mark.parametrize("silence", [answer(), Bytes(()), error(500, "server_error", "Oh.")])
def test_silence_without_the_search_too_is_no_lesson(tmp_path: Path, silence: Any) -> None:
    with deployed(Deployment(), tmp_path) as (backend, proxy):
        backend.route(lambda _: True, silence)
        response, _ = proxy.error(ask(tools=[SEARCH]))
        assert response.status_code == 502 and learnt(proxy) == Capabilities()
        searching = ["tools" in request.body for request in backend.side]
        assert searching == [True] * (len(searching) - 1) + [False]


def test_silence_where_no_search_was_declared_has_nothing_to_go_without(tmp_path: Path) -> None:
    with deployed(Deployment(), tmp_path) as (backend, proxy):
        backend.script(answer(), answer())
        proxy.error(ask(tools=TOOLS))
        assert learnt(proxy) == Capabilities()


def test_an_answer_that_broke_off_after_it_began_is_not_asked_for_without_the_search(tmp_path: Path) -> None:
    with deployed(Deployment(), tmp_path) as (backend, proxy):
        backend.script(answer("one two three four", cut_after=6, pace=0.01))
        assert proxy.streamed_error(ask(tools=[*TOOLS, SEARCH]))
        assert learnt(proxy) == Capabilities()


# Encrypted reasoning.


@pytest.mark.parametrize(
    ("blob", "lacking", "replayed"),
    # A blob that comes after an answer is not kept: it would stand behind the text, which `-p` takes for the last word.
    [("completed", 0, [0, 1, 1]), ("done", 0, [0, 1, 2]), ("refused", 1, [0, 0, 0]), ("none", 0, [0, 0, 0])],
)
def test_a_conversation_goes_on_wherever_the_reasoning_stands_if_anywhere(
    tmp_path: Path, blob: Any, lacking: int, replayed: list[int]
) -> None:
    with deployed(Deployment(blob=blob), tmp_path) as (backend, proxy):
        backend.script(answer(reasoning("Hm."), call("Bash")), answer(reasoning("So."), "Done."), answer("Bye."))
        messages: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]
        first = grammar.folded(proxy.events(ask(tools=TOOLS, messages=messages, **THINKING)))
        result = {"type": "tool_result", "tool_use_id": first[1]["id"], "content": "done"}
        messages += [{"role": "assistant", "content": first}, {"role": "user", "content": [result]}]
        second = grammar.folded(proxy.events(ask(tools=TOOLS, messages=messages, **THINKING)))
        messages += [{"role": "assistant", "content": second}, {"role": "user", "content": "bye"}]
        assert grammar.text_of(proxy.events(ask(tools=TOOLS, messages=messages, **THINKING))) == "Bye."
        assert [len(request.of_type("reasoning")) for request in backend.requests] == replayed
        assert len(backend.lacked) == lacking
        assert learnt(proxy).encrypted_reasoning is (blob != "refused")
        assert ["include" in request.body for request in backend.requests] == [blob != "refused"] * 3


# Effort.


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize(("fields", "nearest"), [(DISABLED, "low"), ({"output_config": {"effort": "max"}}, "high")])
def test_a_level_that_is_not_there_gives_way_to_the_nearest(
    tmp_path: Path, tells: bool, fields: dict[str, Any], nearest: str
) -> None:
    with deployed(Deployment(efforts=("low", "medium", "high"), tells_levels=tells), tmp_path) as (backend, proxy):
        backend.script(answer("Yes."), answer("Yes."))
        for _ in range(2):
            proxy.events(ask(**fields))
        assert [request.body["reasoning"]["effort"] for request in backend.requests] == [nearest] * 2
        assert len(backend.lacked) == (1 if tells else 2)


# The prompt cache.


def test_a_deployment_named_like_another_model_is_not_asked_to_keep_its_cache_again(tmp_path: Path) -> None:
    with FakeBackend("azure", deployments={"gpt-5.4": Deployment("gpt-6-sol")}) as backend:
        with served(backend, tmp_path, CLAUDEGPT_OPENAI_OPUS="gpt-5.4") as proxy:
            backend.script(answer("One."), answer("Two."))
            for _ in range(2):
                proxy.events(ask(**THINKING))
        assert len(backend.lacked) == 1
        assert not any("prompt_cache_retention" in request.body for request in backend.requests)
        backend.check()
