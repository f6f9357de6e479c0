"""The models that are offered for a tier, the preselected one, and what each answer means."""

from __future__ import annotations

import pytest

from claudegpt_pkg.accounts import model_list
from claudegpt_pkg.accounts.model_list import ModelList
from claudegpt_pkg.accounts.providers.base import Provider
from claudegpt_pkg.accounts.providers.openai import NEWEST
from claudegpt_pkg.models import Tiers, known_model
from claudegpt_pkg.setup.model_questions import BY_NAME, FOLLOW, ask_tier, describe_model
from tests.setup.test_wizard import Person

PROVIDER = Provider("openai", "OpenAI API key", "https://here", Tiers("a", "b", "c"))
OURS = ModelList(
    tuple(map(known_model, ("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna"))), hidden=(known_model("gpt-5.5"),)
)
FOREIGN = ModelList(tuple(map(known_model, ("qwen3:32b", "llama4:8b"))))
NEWEST_OF_ALL = "gpt-6.1-sol"
QUESTION = "Model for opus, the large model"


def chosen(person: Person, listed: ModelList, now: str | None = None) -> str | None:
    return ask_tier("opus", now, listed, PROVIDER, person, model_list.newest_tiers(listed.offered, NEWEST))


def test_the_newest_model_is_followed_without_a_name() -> None:
    person = Person(None)
    assert chosen(person, OURS) is None
    assert person.defaults[QUESTION] == FOLLOW
    assert person.choices[QUESTION] == [FOLLOW, *(model.id for model in OURS.offered), BY_NAME]
    assert person.titles[FOLLOW] == "The newest (now GPT-6.1 Sol)"
    assert person.titles["gpt-6-luna"].startswith("GPT-6 Luna · ") and " tokens · " in person.titles["gpt-6-luna"]


def test_without_known_sizes_the_first_model_is_named() -> None:
    person = Person(None)
    assert chosen(person, FOREIGN) == "qwen3:32b"
    assert FOLLOW not in person.choices[QUESTION]


@pytest.mark.parametrize("now", ["gpt-6.1-terra", "gpt-5.5", "gpt-6.1-sol-high"])
def test_the_pointer_is_on_the_model_that_is_set(now: str) -> None:
    person = Person(None)
    assert chosen(person, OURS, now) == now


def test_unknown_facts_are_marked_as_assumed() -> None:
    assert describe_model(PROVIDER, known_model("qwen3:8b")) == "qwen3:8b · 272k tokens (assumed)"
    assert describe_model(PROVIDER, known_model("gpt-6-luna")) == "GPT-6 Luna · 1.05M tokens · efforts low to max"


def test_a_name_outside_the_list_can_be_typed() -> None:
    assert chosen(Person(BY_NAME, "gpt-7-private"), OURS) == "gpt-7-private"


@pytest.mark.parametrize(("typed", "name"), [(None, None), (NEWEST_OF_ALL, None), ("llama", "llama")])
def test_without_a_list_the_user_types_a_name(typed: str | None, name: str | None) -> None:
    assert chosen(Person(typed), ModelList(())) == name
