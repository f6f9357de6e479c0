"""The trial turn, through the whole proxy, before a strict backend."""

from __future__ import annotations

import json

import pytest

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
from claudegpt_pkg.models import Tiers
from claudegpt_pkg.providers.base import Provider
from claudegpt_pkg.proxy.lessons import Lessons
from claudegpt_pkg.rehearsal import described, distinct, play, stage, try_out
from tests.fakes.answers import answer, error, failed
from tests.fakes.backend import FakeBackend
from tests.fakes.trial import is_trial, takes_trials, trials


def flags(backend: FakeBackend) -> dict[str, str]:
    return {"CLAUDEGPT_PROVIDER": "openai", "OPENAI_API_KEY": "test-key", "OPENAI_BASE_URL": backend.url}


def test_it_is_what_claude_code_would_send_only_small(home: object, backend: FakeBackend) -> None:
    takes_trials(backend)
    with stage(flags(backend)) as on_stage:
        play(on_stage, "opus")
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
        (answer("I am ready."), UpstreamFailed, "gpt-6.1-sol answered, but did not use the tool"),
    ],
)
def test_a_failure_is_told_as_a_session_would_tell_it(
    home: object, backend: FakeBackend, reply: object, kind: type[ClaudegptError], words: str
) -> None:
    backend.route(is_trial, reply)  # type: ignore[arg-type]
    with stage(flags(backend)) as on_stage, pytest.raises(kind) as raised:
        play(on_stage, "opus")
    assert type(raised.value) is kind and words in str(raised.value)


def test_a_model_that_is_known_is_not_probed(home: object, backend: FakeBackend) -> None:
    takes_trials(backend)
    with stage(flags(backend)) as on_stage:
        try_out(on_stage, "opus")
    assert "web_search" not in json.dumps([request.body for request in trials(backend)])


def test_each_model_is_tried_once() -> None:
    def tiers(opus: str, sonnet: str, haiku: str) -> list[str]:
        return list(distinct(Provider("x", "X", "http://x", Tiers(opus, sonnet, haiku))))

    assert tiers("a", "b", "c") == ["opus", "sonnet", "haiku"]
    assert tiers("a", "a", "b") == ["opus", "haiku"]
    assert tiers("a", "a", "a") == ["opus"]


def test_what_was_learnt_is_said_in_a_few_words() -> None:
    assert described(Lessons()) == []
    assert described(Lessons(efforts=("low", "high"), web_search=False)) == ["efforts low, high", "no web search"]
    assert described(Lessons(parameters=frozenset({"reasoning"}), efforts=("low",))) == ["no reasoning"]
