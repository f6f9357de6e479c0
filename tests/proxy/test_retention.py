"""How long the upstream is asked to keep the prompt cache: a day, of the models that keep it for minutes otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fakes.answers import answer
from tests.support.fakes.backend import FakeBackend
from tests.support.served import Served, ask, served


@pytest.mark.parametrize(("model", "kept"), [("gpt-5.5", "24h"), ("gpt-6.1-sol", None)])
def test_older_models_are_asked_to_keep_it_for_a_day(
    proxy: Served, backend: FakeBackend, model: str, kept: str | None
) -> None:
    backend.script(answer("Kept."))
    proxy.events(ask(model=model))
    assert backend.requests[0].body.get("prompt_cache_retention") == kept


def test_the_plan_which_refuses_the_parameter_is_not_asked(tmp_path: Path) -> None:
    with FakeBackend("chatgpt") as backend, served(backend, tmp_path) as proxy:
        backend.script(answer("Kept."))
        proxy.events(ask(model="gpt-5.5"))
        backend.check()
    assert "prompt_cache_retention" not in backend.requests[0].body
