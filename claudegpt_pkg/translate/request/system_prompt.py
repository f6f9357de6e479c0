"""The system prompt as the upstream should read it: no billing header, and nobody told that they are Claude.

The bytes in front of a request decide whether the prompt cache hits, so what changes by itself (the billing header,
cache markers) is removed and the rest is left exactly as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

BILLING = re.compile(r"x-anthropic-billing-header:[^\n]*\n*")


@dataclass(frozen=True)
class Identity:
    """Whom the model is told it is."""

    name: str
    model_id: str


# The client's own sentences (2.1.197 and 2.1.330), and what is true instead.
TRUE_LINES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"You are Claude Code, Anthropic's official CLI for Claude(?=[,.])"),
        "You are {name}, a model by OpenAI, running in Claude Code, Anthropic's official CLI",
    ),
    (
        re.compile(r"You are a Claude agent, built on Anthropic's Claude Agent SDK\."),
        "You are {name}, a model by OpenAI, running as an agent in Claude Code.",
    ),
    (
        re.compile(r"You are powered by the model (?:named )?[^\n]{1,80}?\. The exact model ID is \S+?\.(?=\s|$)"),
        "You are powered by the model named {name}. The exact model ID is {model_id}.",
    ),
    # After `/model fable`, a paragraph or two on what that model is.
    (re.compile(r"This iteration of Claude is Claude [^\n]+\n\n(?:The training of [^\n]+\n\n)?"), ""),
)


def instructions(system: str | Iterable[Mapping[str, Any]] | None, identity: Identity | None) -> str:
    """The request's `system` as one text; blocks are joined by a blank line."""
    texts = [system] if isinstance(system, str) else [block.get("text") or "" for block in system or ()]
    kept = [BILLING.sub("", text, count=1) if BILLING.match(text) else text for text in texts]
    return true_identity("\n\n".join(text for text in kept if text), identity)


def true_identity(text: str, identity: Identity | None) -> str:
    """`text` with the sentences that name a Claude model made true; unchanged without an identity."""
    if identity is None:
        return text
    for pattern, line in TRUE_LINES:
        truth = line.format(name=identity.name, model_id=identity.model_id)
        text = pattern.sub(truth.replace("\\", r"\\"), text)
    return text
