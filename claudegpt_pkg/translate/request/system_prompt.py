"""The system prompt as the upstream should read it: without the billing header, and naming the model that really runs.

The bytes at the front of a request decide whether the prompt cache hits. So what changes by itself (the billing header,
cache markers) is removed, and the rest stays exactly as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .content import blocks_of
from .draft import Note

BILLING = re.compile(r"x-anthropic-billing-header:[^\n]*\n*")


@dataclass(frozen=True)
class Identity:
    """The model as it is named in the prompt; `maker` is None if nobody knows who made it."""

    name: str
    model_id: str
    maker: str | None = None

    @property
    def model(self) -> str:
        return f"{self.name}, a model by {self.maker}" if self.maker else self.name


# The client's own sentences (2.1.197 and 2.1.330), and the correct ones.
CORRECT_LINES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"You are Claude Code, Anthropic's official CLI for Claude(?=[,.])"),
        "You are {model}, running in Claude Code, Anthropic's official CLI",
    ),
    (
        re.compile(r"You are a Claude agent, built on Anthropic's Claude Agent SDK\."),
        "You are {model}, running as an agent in Claude Code.",
    ),
    (
        re.compile(
            r"You are powered by the model (?:named )?[^\n]{1,80}?\. The exact model ID is \S{1,200}?\.(?=\s|$)"
        ),
        "You are powered by the model named {name}. The exact model ID is {model_id}.",
    ),
    # After `/model fable`, a paragraph or two on what that model is.
    (re.compile(r"This iteration of Claude is Claude [^\n]+\n\n(?:The training of [^\n]+\n\n)?"), ""),
)


def instructions(
    system: str | Iterable[Mapping[str, Any]] | None, identity: Identity | None, notes: list[Note] | None = None
) -> str:
    """The request's `system` as one text; blocks are joined by a blank line. What is changed is added to `notes`."""
    given = [block["text"] for block in blocks_of(system) if block["type"] == "text"]
    texts = [BILLING.sub("", text, count=1) if BILLING.match(text) else text for text in given]
    if notes is not None and texts != given:
        notes.append(("system", "changed: the billing header is removed"))
    return correct_identity("\n\n".join(text for text in texts if text), identity, notes)


def correct_identity(text: str, identity: Identity | None, notes: list[Note] | None = None) -> str:
    """`text` with the sentences that name a Claude model corrected; unchanged without an identity."""
    if identity is None:
        return text
    corrected = text
    for pattern, line in CORRECT_LINES:
        sentence = line.format(model=identity.model, name=identity.name, model_id=identity.model_id)
        corrected = pattern.sub(sentence.replace("\\", r"\\"), corrected)
    if notes is not None and corrected != text:
        notes.append(("system", "changed: it names the model that really runs"))
    return corrected
