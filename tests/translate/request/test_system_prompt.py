"""The system prompt loses its billing header and names the real model; the rest stays as it is."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.request.system_prompt import Identity, correct_identity, instructions

GPT = Identity("GPT-6.1 Sol", "gpt-6.1-sol", "OpenAI")
BILLING = "x-anthropic-billing-header: cc_version=2.1.197.abc; cc_entrypoint=cli; cch=00000;"


def text(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}} for text in texts]


@pytest.mark.parametrize(
    ("system", "result"),
    [
        (None, ""),
        ("", ""),
        ([], ""),
        ("Be brief.", "Be brief."),
        (text("One.", "", "Two."), "One.\n\nTwo."),
        (text(BILLING, "You are helpful."), "You are helpful."),
        (text("First.", BILLING), "First."),
        (f"{BILLING}\nYou are helpful.", "You are helpful."),
        (f"{BILLING}\n\nYou are\nhelpful.", "You are\nhelpful."),
        (BILLING, ""),
        (f"Talk of {BILLING}", f"Talk of {BILLING}"),
        ([{"type": "hologram", "text": 7}, {"type": "text", "text": "x"}], "x"),
    ],
)
def test_a_string_and_blocks_become_one_text_without_the_billing_header(system: Any, result: str) -> None:
    assert instructions(system, None) == result


def test_markers_and_headers_that_change_do_not_change_the_text() -> None:
    plain = [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    marked = [{"type": "text", "text": BILLING}, *text("One.", "Two.")]
    assert instructions(plain, GPT) == instructions(marked, GPT)


@pytest.mark.parametrize(
    ("said", "truth"),
    [
        (
            "You are Claude Code, Anthropic's official CLI for Claude.",
            "You are GPT-6.1 Sol, a model by OpenAI, running in Claude Code, Anthropic's official CLI.",
        ),
        (
            "You are Claude Code, Anthropic's official CLI for Claude, running within the Claude Agent SDK.",
            "You are GPT-6.1 Sol, a model by OpenAI, running in Claude Code, Anthropic's official CLI, "
            "running within the Claude Agent SDK.",
        ),
        (
            "Report faithfully.\n\nThis iteration of Claude is Claude Fable 5, the first of its family.\n\n# Memory",
            "Report faithfully.\n\n# Memory",
        ),
        (
            "So.\n\nThis iteration of Claude is Claude Fable 5.2.\n\nThe training of Fable 5.2 had limits.\n\n# Memory",
            "So.\n\n# Memory",
        ),
        (
            "You are a Claude agent, built on Anthropic's Claude Agent SDK.",
            "You are GPT-6.1 Sol, a model by OpenAI, running as an agent in Claude Code.",
        ),
        (
            " - You are powered by the model named Opus 4.8. The exact model ID is claude-opus-4-8[1m].\n - Next",
            " - You are powered by the model named GPT-6.1 Sol. The exact model ID is gpt-6.1-sol.\n - Next",
        ),
        (
            "You are powered by the model gpt-6.1-sol. The exact model ID is gpt-6.1-sol.",
            "You are powered by the model named GPT-6.1 Sol. The exact model ID is gpt-6.1-sol.",
        ),
    ],
)
def test_sentences_that_name_a_claude_model_are_corrected(said: str, truth: str) -> None:
    assert correct_identity(said, GPT) == truth
    assert correct_identity(said, None) == said


@pytest.mark.parametrize(
    "untouched",
    [
        "Claude Code is available as a CLI. The user reads CLAUDE.md.",
        "The exact model ID is unknown.",
        "You are Claude Code's best friend.",
        "The most recent Claude models are Opus 4.8 and Haiku 4.5.",
    ],
)
def test_other_sentences_about_claude_stay(untouched: str) -> None:
    assert correct_identity(untouched, GPT) == untouched


def test_special_characters_of_a_model_name_are_not_interpreted() -> None:
    odd = Identity(r"back\1slash \g<0>", r"a\b")
    said = "You are powered by the model named X. The exact model ID is x."
    assert correct_identity(said, odd) == (
        r"You are powered by the model named back\1slash \g<0>. The exact model ID is a\b."
    )
