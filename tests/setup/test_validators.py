"""The judges of what the user types, and that what they say fits on one line."""

from __future__ import annotations

import pytest

from claudegpt_pkg.setup.validators import (
    bare,
    judge_deployment,
    judge_endpoint,
    judge_key,
    judge_model,
    judge_optional_key,
    judge_url,
)
from claudegpt_pkg.terminal.questions import Judge, require_text
from tests.setup.test_wizard import NARROW

JUDGES = [judge_url, judge_endpoint, judge_key, judge_optional_key, judge_deployment, judge_model, require_text]


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("text", ["", "no", "ftp://here", "https://me:pw@here", "https://a..b/", "a b", "0" * 32])
def test_the_sentence_of_a_judge_fits_one_line(judge: Judge, text: str) -> None:
    assert len(judge(text) or "") <= NARROW


@pytest.mark.parametrize(
    ("judge", "fine", "wrong"),
    [
        (judge_url, "http://localhost:11434/v1", "localhost:11434"),
        (judge_url, "https://llm.example/v1", "ftp://llm.example"),
        (judge_endpoint, "https://mine.openai.azure.com/", "https://a..b/"),
        (judge_key, "sk-abc", ""),
        (judge_key, ' "sk-abc"\n', "sk abc"),
        (judge_optional_key, "", "sk-\N{EN DASH}"),
        (judge_key, "sk-proj-a.b.c", "https://mine.openai.azure.com/"),
        (judge_key, "eyJhbGciOi.eyJzdWIi.SflKxw", "mine.openai.azure.com"),
        (judge_optional_key, "0123abcd", "localhost:11434/v1"),
        (judge_deployment, "gpt-6.1_big", "https://mine.openai.azure.com/openai/deployments/big"),
        (judge_deployment, "big", "my deployment"),
        (judge_deployment, "gpt-4.1", ""),
        (judge_model, "meta-llama/Llama-4:70b", "http://localhost:11434/v1"),
        (judge_model, "qwen3:8b", "a model"),
        (require_text, "gpt-5", " "),
    ],
)
def test_a_judge_accepts_a_good_text_and_refuses_a_bad_one(judge: Judge, fine: str, wrong: str) -> None:
    assert judge(fine) is None and judge(wrong)


def test_quotes_around_a_key_are_removed() -> None:
    assert bare(" 'sk-abc'\n") == "sk-abc"
