"""What the first announcement of a session says about the account, its cost and the approval of actions."""

from __future__ import annotations

import pytest

from claudegpt_pkg.accounts.providers.base import Provider
from claudegpt_pkg.claude.session import Session
from claudegpt_pkg.cli.welcome import APPROVALS, LABEL, describe_account, welcome_notices
from claudegpt_pkg.models import Tiers

TIERS = Tiers("a", "b", "c")
PLAN = Provider("chatgpt", "ChatGPT Plus", "https://chatgpt.com/x", TIERS, metered=False)
KEY = Provider("openai", "OpenAI API key", "https://api.openai.com/v1/responses", TIERS)
LOCAL = Provider("openai", "Responses API at http://localhost:11434/v1", "http://localhost:11434/v1/responses", TIERS)
DEMO = Provider("demo", "built-in demo", "http://127.0.0.1:1/v1/responses", TIERS, is_script=True)


def session(mode: str | None = None) -> Session:
    return Session([], {}, {}, [], mode)


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        (PLAN, "This session runs on ChatGPT Plus: included in your plan."),
        (KEY, "This session runs on OpenAI API key: paid by the token (`claudegpt usage` shows the cost)."),
        (LOCAL, "This session runs on Responses API at http://localhost:11434/v1: on this machine, free."),
        (DEMO, "A built-in script answers, not a model. Nothing leaves this machine."),
    ],
)
def test_the_account_and_its_cost_come_first(provider: Provider, words: str) -> None:
    first, *_ = welcome_notices(provider, session())
    assert (first.sentence, first.once) == (words, "") and describe_account(provider) == words


def test_only_on_a_plan_the_label_of_the_header_is_explained_and_once() -> None:
    assert [notice.once for notice in welcome_notices(PLAN, session("plan"))] == ["", LABEL]
    assert LABEL not in [notice.sentence for notice in welcome_notices(KEY, session())]


@pytest.mark.parametrize(("mode", "shown"), [(None, True), ("default", True), ("auto", False), ("acceptEdits", False)])
def test_who_approves_actions_is_said_once_in_eight_words(mode: str | None, shown: bool) -> None:
    assert (APPROVALS in [notice.once for notice in welcome_notices(KEY, session(mode))]) is shown
    assert len(APPROVALS.split()) == 8
