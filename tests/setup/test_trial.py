"""The trial turn, through the whole proxy, in front of a strict backend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.accounts.providers.base import Provider
from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.errors import (
    ClaudegptError,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotLoggedIn,
    RateLimited,
    UpstreamFailed,
    UsageLimitReached,
)
from claudegpt_pkg.models import EFFORTS, NONE_TO_XHIGH, Tiers
from claudegpt_pkg.settings.settings import load
from claudegpt_pkg.setup.capability_text import describe_capabilities
from claudegpt_pkg.setup.trial import (
    NoToolCall,
    Trial,
    describe_shortcomings,
    distinct_tiers,
    has_whole_reasoning,
    learned_capabilities,
    play_turn,
    start_trial,
    try_model,
)
from claudegpt_pkg.translate.reasoning import sign
from claudegpt_pkg.translate.request.output import INCLUDE_REASONING, INCLUDE_SOURCES
from claudegpt_pkg.upstream.capability_store import STORED, recall
from tests.support.fakes.answers import HttpError, Reply, answer, error, failed
from tests.support.fakes.backend import FakeBackend
from tests.support.fakes.deployment import Deployment
from tests.support.fakes.trial import is_trial, takes_trials, trials


def flags(backend: FakeBackend) -> dict[str, str]:
    return {"CLAUDEGPT_PROVIDER": "openai", "OPENAI_API_KEY": "test-key", "OPENAI_BASE_URL": backend.url}


def test_a_trial_turn_is_a_small_turn_of_claude_code(home: object, backend: FakeBackend) -> None:
    takes_trials(backend)
    with start_trial(flags(backend)) as trial:
        play_turn(trial, "opus")
    (request,) = trials(backend)
    body = request.body
    assert body["stream"] is True and body["store"] is False and body["model"] == "gpt-6.1-sol"
    assert "reasoning.encrypted_content" in body["include"] and body["reasoning"] == {
        "effort": "low",
        "summary": "auto",
    }
    assert [tool["name"] for tool in body["tools"]] == ["Bash"]
    assert len(request.raw) < 2000


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (error(401, "invalid_api_key", "Wrong key."), NotLoggedIn, "gpt-6.1-sol: The upstream does not accept the cre"),
        (error(403, "forbidden", "Not you."), Forbidden, "refuses this account"),
        (error(404, "model_not_found", "No such model."), NotFound, "does not know this model"),
        (error(400, "strange", "What is that?"), InvalidRequest, "What is that?"),
        (error(429, "insufficient_quota", "Pay."), UsageLimitReached, "no credit left"),
        (error(429, "x", "Slow.", headers={"retry-after": "60"}), RateLimited, "Slow."),
        (answer("I am", end=failed("server_error", "It broke.")), UpstreamFailed, "It broke."),
        (answer("I am ready."), NoToolCall, "gpt-6.1-sol answered, but did not call the tool"),
    ],
)
def test_a_failure_raises_the_error_of_a_session(
    home: object, backend: FakeBackend, reply: object, kind: type[ClaudegptError], words: str
) -> None:
    backend.route(is_trial, reply)  # type: ignore[arg-type]
    with start_trial(flags(backend)) as trial, pytest.raises(kind) as raised:
        play_turn(trial, "opus")
    assert type(raised.value) is kind and words in str(raised.value)


def test_a_known_model_is_not_probed(home: object, backend: FakeBackend) -> None:
    takes_trials(backend)
    with start_trial(flags(backend)) as trial:
        try_model(trial, "opus")
    assert "web_search" not in json.dumps([request.body for request in trials(backend)])


def test_each_model_is_tried_once() -> None:
    def tiers(opus: str, sonnet: str, haiku: str) -> list[str]:
        return list(distinct_tiers(Provider("x", "X", "http://x", Tiers(opus, sonnet, haiku))))

    assert tiers("a", "b", "c") == ["opus", "sonnet", "haiku"]
    assert tiers("a", "a", "b") == ["opus", "haiku"]
    assert tiers("a", "a", "a") == ["opus"]


def test_capabilities_are_described_in_a_few_words() -> None:
    assert describe_capabilities(Capabilities()) == []
    assert describe_capabilities(Capabilities(efforts=("low", "high"), web_search=False)) == [
        "efforts low, high",
        "no web search",
    ]
    assert describe_capabilities(Capabilities(efforts=EFFORTS[2:])) == ["efforts low to max"]
    assert describe_capabilities(Capabilities(encrypted_reasoning=False)) == ["no encrypted reasoning"]
    assert describe_capabilities(Capabilities(refused_fields=frozenset({"reasoning"}), efforts=("low",))) == [
        "no reasoning"
    ]
    refused = Capabilities(
        summary=False,
        tool_search=False,
        media_in_outputs=False,
        phases=False,
        refused_fields=frozenset({"service_tier", "max_output_tokens"}),
        refused_includes=frozenset({INCLUDE_REASONING, INCLUDE_SOURCES}),
    )
    assert describe_capabilities(refused) == [
        "no summaries of its reasoning",
        "no tool search",
        "no pictures in tools' outputs",
        "no phases",
        "without max_output_tokens, service_tier, web_search_call.action.sources",
    ]


@pytest.mark.parametrize("lesson", sorted(STORED))
def test_every_capability_has_a_description(lesson: str) -> None:
    """Except `silent_search`, which only says that the search is not decided yet."""
    some = frozenset({"x"})
    learnt: dict[str, Any] = {"efforts": ("low",), "refused_fields": some, "refused_includes": some}
    said = describe_capabilities(Capabilities(**{lesson: learnt.get(lesson, lesson == "silent_search")}))
    assert bool(said) is (lesson != "silent_search")


# What a deployment lacks.

AZURE = {"CLAUDEGPT_PROVIDER": "azure", "AZURE_OPENAI_API_KEY": "test-key"}
LOW_TO_MAX = EFFORTS[2:]
UNKNOWN = ""  # a model of which the strict backend has no table: it has the levels that the deployment says


@contextmanager
def azure(deployment: Deployment, name: str = "mine") -> Iterator[tuple[FakeBackend, Trial]]:
    """A resource with one deployment, and the proxy in front of it."""
    with FakeBackend("azure", deployments={name: deployment}) as backend:
        takes_trials(backend)
        own = {**AZURE, "AZURE_OPENAI_ENDPOINT": backend.origin, "AZURE_OPENAI_CHAT_DEPLOYMENT": name}
        with start_trial(own) as trial:
            yield backend, trial
        backend.check()


@pytest.mark.parametrize(
    ("deployment", "lessons", "words"),
    [
        (Deployment(), Capabilities(efforts=LOW_TO_MAX), ["efforts low to max"]),
        (Deployment(UNKNOWN), Capabilities(), []),
        (Deployment(UNKNOWN, blob="done"), Capabilities(), []),
        (Deployment("gpt-5.4-nano"), Capabilities(efforts=NONE_TO_XHIGH), ["efforts none, low, medium, high, xhigh"]),
        (
            Deployment(UNKNOWN, efforts=LOW_TO_MAX[:3], tells_levels=False),
            Capabilities(efforts=LOW_TO_MAX[:3]),
            ["efforts low to high"],
        ),
        (Deployment(UNKNOWN, efforts=LOW_TO_MAX), Capabilities(efforts=LOW_TO_MAX), ["efforts low to max"]),
        (Deployment(UNKNOWN, search="refused"), Capabilities(web_search=False), ["no web search"]),
        (Deployment(UNKNOWN, search="silent"), Capabilities(web_search=False), ["no web search"]),
        (Deployment(UNKNOWN, search="no event"), Capabilities(web_search=False), ["no web search"]),
        (
            Deployment(UNKNOWN, blob="refused"),
            Capabilities(refused_includes=frozenset({INCLUDE_REASONING}), encrypted_reasoning=False),
            ["no encrypted reasoning"],
        ),
        (Deployment(UNKNOWN, blob="none"), Capabilities(encrypted_reasoning=False), ["no encrypted reasoning"]),
        (
            Deployment(UNKNOWN, efforts=("medium",), tells_levels=False, search="silent", blob="none"),
            Capabilities(efforts=("medium",), web_search=False, encrypted_reasoning=False),
            ["efforts medium", "no encrypted reasoning", "no web search"],
        ),
    ],
)
def test_a_probe_finds_what_a_deployment_lacks_and_saves_it(
    home: Path, deployment: Deployment, lessons: Capabilities, words: list[str]
) -> None:
    with azure(deployment) as (backend, trial):
        try_model(trial, "opus")
        assert learned_capabilities(trial, "opus") == lessons
        assert describe_shortcomings(trial, "opus") == words
        lacked = len(backend.lacked)
        try_model(trial, "opus")
        assert len(backend.lacked) == lacked, "what is known is not asked for again"
    assert recall(load().dirs.cache, trial.provider) == ({"mine": lessons} if lessons != Capabilities() else {})


def test_a_deployment_with_a_models_name_is_probed_too(home: Path) -> None:
    with azure(Deployment("gpt-5.4-mini", search="silent"), "gpt-5.4-mini") as (_, trial):
        try_model(trial, "opus")
        assert learned_capabilities(trial, "opus") == Capabilities(web_search=False)


def test_the_users_limits_do_not_hide_what_a_model_can_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_TOOLS_REASONING", "low")
    with azure(Deployment(UNKNOWN, efforts=LOW_TO_MAX[:2], tells_levels=False)) as (_, trial):
        try_model(trial, "haiku")
        assert describe_shortcomings(trial, "haiku") == ["efforts low, medium"]


@pytest.mark.parametrize("failures", [2, 3, 4, 5, 6])
def test_an_outage_during_the_search_does_not_mean_no_search(home: Path, failures: int) -> None:
    """It ends when the proxy, or else the probe itself, has just left the search out."""
    with azure(Deployment(UNKNOWN)) as (backend, trial):
        left = [error(500, "server_error", "Oh.")] * failures
        backend.route(lambda it: is_trial(it) and bool(left), lambda _: left.pop())
        try_model(trial, "opus")
        assert learned_capabilities(trial, "opus") == Capabilities()
    assert recall(load().dirs.cache, trial.provider) == {}


@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_without_a_reason_still_teaches(home: Path, status: int) -> None:
    with azure(Deployment(UNKNOWN)) as (backend, trial):
        odd = HttpError(status, {"error": {"message": "Bad request."}})
        backend.route(lambda it: any(tool["type"] == "web_search" for tool in it.body.get("tools") or ()), odd)
        backend.route(lambda it: it.body["reasoning"]["effort"] in ("none", "minimal"), odd)
        try_model(trial, "opus")
        assert learned_capabilities(trial, "opus") == Capabilities(web_search=False, efforts=LOW_TO_MAX)


@pytest.mark.parametrize("reply", [answer(), error(429, "rate_limit_exceeded", "Slow.", headers={"retry-after": "60"})])
def test_a_working_model_may_fail_the_last_turn(home: Path, reply: Reply) -> None:
    with azure(Deployment(UNKNOWN)) as (backend, trial):
        backend.route(lambda it: it.body["reasoning"]["effort"] == "none", reply)
        try_model(trial, "opus")
        assert learned_capabilities(trial, "opus") == Capabilities()


def test_a_model_without_tool_calls_is_reported_and_its_search_stays_unknown(home: Path) -> None:
    with azure(Deployment(UNKNOWN)) as (backend, trial):
        backend.route(is_trial, answer("I am ready."))
        with pytest.raises(NoToolCall):
            try_model(trial, "opus")
        assert learned_capabilities(trial, "opus") == Capabilities()


def test_the_tool_call_is_required(home: Path, backend: FakeBackend) -> None:
    takes_trials(backend)
    with start_trial(flags(backend)) as trial:
        play_turn(trial, "opus")
    assert trials(backend)[0].body["tool_choice"] == "required"


def test_without_required_tool_calls_the_model_decides(home: Path, backend: FakeBackend) -> None:
    takes_trials(backend)
    words = "Only 'auto' tool_choice is supported in response API with Harmony None"
    backend.route(lambda it: "tool_choice" in it.body, error(400, None, words))
    with start_trial(flags(backend)) as trial:
        play_turn(trial, "opus")
    assert ["tool_choice" in request.body for request in trials(backend)] == [True, False]


def test_late_reasoning_counts_as_whole() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": []}
    early = {"type": "thinking", "signature": sign(item)}
    late = {"type": "redacted_thinking", "data": sign({**item, "encrypted_content": "blob"}, late=True)}
    assert has_whole_reasoning({"content": [early, late]})
    assert not has_whole_reasoning({"content": [early]})
    assert has_whole_reasoning({"content": [{"type": "text", "text": "Hm."}]})
