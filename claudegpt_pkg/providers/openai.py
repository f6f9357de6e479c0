"""Provider `openai`: an API key on the OpenAI API, or on any server that speaks Responses (Ollama, vLLM, …)."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from ..errors import BadSetting
from ..models import Tiers
from ..settings import (
    DEFAULT_HAIKU,
    DEFAULT_OPUS,
    DEFAULT_SONNET,
    OPENAI_API_KEY,
    OPENAI_BASE_URL,
    OPENAI_HAIKU,
    OPENAI_OPUS,
    OPENAI_SONNET,
    Secret,
    Settings,
)
from .base import Provider

# The newest the built-in table knows (models.py); a setting or the account's catalogue beats them.
NEWEST = Tiers(opus="gpt-6.1-sol", sonnet="gpt-6.1-terra", haiku="gpt-6-luna")


class ApiKey(httpx.Auth):
    """Sends the key as a bearer token."""

    def __init__(self, key: Secret):
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["authorization"] = f"Bearer {self._key.reveal()}"
        yield request


def openai(settings: Settings) -> Provider:
    """The provider as the settings describe it. Raises BadSetting without a key for a public address."""
    base = settings[OPENAI_BASE_URL]
    key = settings[OPENAI_API_KEY]
    if key is None and base == OPENAI_BASE_URL.default:
        raise BadSetting("Provider openai needs a key.", "Set OPENAI_API_KEY.")
    return Provider(
        name="openai",
        label="OpenAI API key" if base == OPENAI_BASE_URL.default else f"Responses API at {base}",
        url=f"{base}/responses",
        tiers=Tiers(
            opus=settings[DEFAULT_OPUS] or settings[OPENAI_OPUS] or NEWEST.opus,
            sonnet=settings[DEFAULT_SONNET] or settings[OPENAI_SONNET] or NEWEST.sonnet,
            haiku=settings[DEFAULT_HAIKU] or settings[OPENAI_HAIKU] or NEWEST.haiku,
        ),
        auth=ApiKey(key) if key else None,
    )
