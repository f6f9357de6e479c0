"""What a backend, or one model on it, can take: one frozen value that goes whole to `translate`.

    taken = provider.capabilities.without(learned)     what the provider states, less what a model was seen to refuse
    translate(request, Target(..., capabilities=taken))

A provider states its default (accounts/providers), a refusal teaches what is missing (upstream/refusals), and
`translate` builds only what is left and notes whatever it drops or changes. This module lies at the root because those
three rooms may not import each other.

To add a capability: add a field here, say in `translate` what is sent without it, and say in `refusals` which refusal
teaches that it is missing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .models import EFFORTS


@dataclass(frozen=True)
class Capabilities:
    """The default is everything that OpenAI's own API takes; a value with less than that lacks what it says.

    Fields that begin with `refused_` hold names of what may not be sent. A flag is True if the feature may be used.
    """

    # Top-level fields of a Responses request that the backend answers with 400. If the client asked for what such a
    # field does (`text`, `tool_choice`, `parallel_tool_calls`), `translate` asks for it in words instead.
    refused_fields: frozenset[str] = frozenset()
    refused_includes: frozenset[str] = frozenset()  # values of `include`
    least_output_tokens: int = 16  # a smaller `max_output_tokens` is refused
    instructions: bool = True  # False: the system prompt goes as a first developer message
    efforts: tuple[str, ...] | None = None  # reasoning levels from least to most; None: as the model list says
    summary: bool = True  # `reasoning.summary`
    phases: bool = True  # `phase` of an assistant message, where the backend gave one

    # Tools.
    tool_search: bool = True  # `tool_search_call` and `tool_search_output` items, run by the client
    web_search: bool = True  # the hosted web search
    blocked_domains: bool = True  # `filters.blocked_domains` of the hosted web search
    search_fields: Mapping[str, Any] = field(default_factory=dict)  # fields that a declared web search must have
    open_schemas: frozenset[str] = frozenset()  # upstream names of tools whose schema was refused: declare them open

    # Images and files.
    media_in_outputs: bool = True  # False: they follow a tool's output in a user message
    images: bool = True  # False: a line of text stands for each image
    files: bool = True  # False: a line of text stands for each file
    refused_media: frozenset[str] = frozenset()  # `media_digest` of single images and files that were refused

    # Reasoning of earlier turns.
    encrypted_reasoning: bool = True  # the backend returns what is needed to send its reasoning back
    refused_reasoning: frozenset[str] = frozenset()  # ids of reasoning items that the backend could not read

    # The hosted web search gave no answer once, and the request without it did. A second time, web_search is False.
    silent_search: bool = False
    plain_body_limit: float = math.inf  # bytes; a longer request body is sent compressed

    def __post_init__(self) -> None:
        if self.efforts is not None and not (self.efforts and set(self.efforts) <= set(EFFORTS)):
            raise ValueError(f"efforts: {self.efforts!r} are not levels of {EFFORTS}")

    @property
    def max_tool_calls(self) -> bool:
        """Whether the number of hosted tool calls can be limited."""
        return self.takes("max_tool_calls")

    def takes(self, name: str) -> bool:
        """Whether the backend takes a top-level field of this name."""
        return name not in self.refused_fields

    def without(self, other: Capabilities) -> Capabilities:
        """These capabilities less everything that `other` lacks."""
        return Capabilities(**{each.name: merge_field(each.name, self, other) for each in fields(self)})

    def differing(self, other: Capabilities) -> frozenset[str]:
        """The names of the fields in which the two differ."""
        return frozenset(each.name for each in fields(self) if getattr(self, each.name) != getattr(other, each.name))


def merge_field(name: str, one: Capabilities, other: Capabilities) -> Any:
    """The value of the field `name` when everything is missing that either of the two lacks."""
    mine, theirs = getattr(one, name), getattr(other, name)
    if name == "silent_search":
        return mine or theirs
    if name == "least_output_tokens":
        return max(mine, theirs)
    if name == "efforts":
        return tuple(level for level in theirs or mine or () if not mine or level in mine) or theirs or mine
    if isinstance(mine, bool):
        return mine and theirs
    if isinstance(mine, frozenset):
        return mine | theirs
    if isinstance(mine, Mapping):
        return {**mine, **theirs}
    return min(mine, theirs)


def media_digest(url: str) -> str:
    """A short name for an image or file, made from its data URL or address: the same medium has the same name."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:16]
