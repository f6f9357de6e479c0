"""Which model really answered: a backend may serve another model than the one that was asked for.

    served = read_served_model(headers, events)      of an answer's headers, or of its first or last events
    differs("gpt-6.1-sol", served)                   whether that is another model

The ChatGPT backend names the model in the header `openai-model`, every Responses server in `response.model`. Dated
names of one model are equal, and names that OpenAI did not give are never compared: a server of the user's own may call
its model what it likes, and the name of an Azure deployment says nothing about its model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..formats import printable

_OPENAI = re.compile(r"gpt-|o\d|codex")
_SUFFIX = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


def read_served_model(headers: Mapping[str, str], events: Iterable[Mapping[str, Any]]) -> str | None:
    """None if neither names a model."""
    if named := printable(headers.get("openai-model")):
        return named
    for event in events:
        response = event.get("response")
        if isinstance(response, dict) and (named := printable(response.get("model"))):
            return named
        stated = event.get("headers") if event.get("type") == "response.metadata" else None
        if isinstance(stated, dict) and (named := printable(stated.get("openai-model"))):
            return named
    return None


def differs(asked: str, served: str) -> bool:
    """Whether an answer came from another model than the one that was asked for."""
    one, other = _family(asked), _family(served)
    return one != other and bool(_OPENAI.match(one) and _OPENAI.match(other))


def _family(name: str) -> str:
    return _SUFFIX.sub("", name.lower().rpartition("/")[2])
