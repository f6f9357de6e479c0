"""Which model really answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from claudegpt_pkg.proxy.served_model import differs, read_served_model
from claudegpt_pkg.proxy.status_line import status_line
from tests.support.fakes.answers import answer
from tests.support.fakes.backend import FakeBackend
from tests.support.served import Served, ask


@pytest.mark.parametrize(
    ("asked", "served", "other"),
    [
        ("gpt-6.1-sol", "gpt-6.1-sol", False),
        ("gpt-6.1-sol", "gpt-6.1-sol-2026-11-01", False),
        ("gpt-6.1-sol-2026-10-01", "gpt-6.1-sol-2026-11-01", False),
        ("gpt-6.1-sol", "openai/GPT-6.1-sol", False),
        ("gpt-6.1-sol", "gpt-6-luna", True),
        ("gpt-6.1-sol", "gpt-6.1-sol-mini", True),
        ("qwen3:8b", "qwen3", False),
        ("mine", "gpt-6-luna", False),
        ("gpt-6.1-sol", "/models/parrot", False),
    ],
)
def test_models_of_one_family_are_the_same_and_foreign_names_are_not_compared(
    asked: str, served: str, other: bool
) -> None:
    assert differs(asked, served) is other


@pytest.mark.parametrize(
    ("headers", "events", "named"),
    [
        ({"openai-model": "a"}, [{"type": "response.created", "response": {"model": "b"}}], "a"),
        ({}, [{"type": "x"}, {"type": "response.created", "response": {"model": "b"}}], "b"),
        ({}, [{"type": "response.metadata", "headers": {"openai-model": "c"}}], "c"),
        ({}, [{"type": "response.created", "response": {"model": 7}}], None),
        ({"openai-model": "a\x1b[31m"}, [], None),
        ({}, [], None),
    ],
)
def test_the_model_is_read_wherever_a_backend_names_it(
    headers: dict[str, str], events: list[dict[str, Any]], named: str | None
) -> None:
    assert read_served_model(headers, events) == named


def test_another_model_stands_in_the_trace_the_usage_and_the_status_line(backend: FakeBackend, proxy: Served) -> None:
    backend.script(replace(answer("Hi."), headers={"openai-model": "gpt-6-luna"}))
    proxy.events(ask())
    asked = proxy.proxy.provider.tiers.opus
    assert proxy.trace()["answered_by"] == "gpt-6-luna"
    assert proxy.client.get("/usage").json()["answered_by"] == {asked: "gpt-6-luna"}
    line = status_line({"model": {"id": "claude-opus-4-8"}}, proxy.proxy)
    assert line.startswith("GPT-6.1 Sol (answered by GPT-6 Luna)")


def test_a_later_answer_of_the_right_model_ends_it(backend: FakeBackend, proxy: Served) -> None:
    backend.script(replace(answer("Hi."), headers={"openai-model": "gpt-6-luna"}), answer("Hi."))
    proxy.events(ask())
    proxy.events(ask())
    assert proxy.proxy.session_usage.answered_by == {}
