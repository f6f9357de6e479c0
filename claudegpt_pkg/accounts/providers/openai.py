"""Provider `openai`: an API key on the OpenAI API, or on any server that speaks Responses (Ollama, vLLM, …)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import httpx

from ...capabilities import Capabilities
from ...errors import BadSetting
from ...models import Tiers
from ...secret import Secret
from ...settings.options import (
    OPENAI_API_KEY,
    OPENAI_BASE_URL,
    OPENAI_HAIKU,
    OPENAI_OPUS,
    OPENAI_ORGANIZATION,
    OPENAI_PROJECT,
    OPENAI_SONNET,
    Option,
)
from ...settings.settings import Settings
from ...settings.values import add_path
from .. import model_list
from .base import Provider, choose_tiers, foreign_choices, with_windows

# The newest the built-in table knows (models.py); a setting or the account's own list beats them.
NEWEST = Tiers(opus="gpt-6.1-sol", sonnet="gpt-6.1-terra", haiku="gpt-6-luna")


class ApiKey(httpx.Auth):
    """Sends the key as a bearer token."""

    def __init__(self, key: Secret):
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["authorization"] = f"Bearer {self._key.reveal()}"
        yield request


def openai(settings: Settings) -> Provider:
    """The provider as the settings describe it. Raises BadSetting without a key for the public address."""
    base = settings[OPENAI_BASE_URL]
    key = settings[OPENAI_API_KEY]
    if key is None and base == OPENAI_BASE_URL.default:
        raise BadSetting("Provider openai needs a key.", "Set OPENAI_API_KEY.")
    label = "OpenAI API key" if base == OPENAI_BASE_URL.default else f"Responses API at {base}"
    provider = openai_with(settings, key, name="openai", label=label, own=(OPENAI_OPUS, OPENAI_SONNET, OPENAI_HAIKU))
    return replace(provider, credential=f"API key from {settings.source(OPENAI_API_KEY)}") if key else provider


def openai_with(
    settings: Settings, key: Secret | None, *, name: str, label: str, own: tuple[Option[str | None], ...]
) -> Provider:
    """The API at OPENAI_BASE_URL with this key; `own` are the settings that name its tiers' models."""
    base = settings[OPENAI_BASE_URL]
    models_url = add_path(base, "models")
    account = hashlib.sha256(key.reveal().encode()).hexdigest()[:16] if key else ""
    saved = model_list.read_cached(settings.dirs.cache, models_url, account) or model_list.ModelList(())
    return Provider(
        name=name,
        label=label,
        url=add_path(base, "responses"),
        tiers=choose_tiers(settings, own, model_list.newest_tiers(saved.offered, NEWEST)),
        # Other servers may skip a tool of an unknown type in silence.
        capabilities=Capabilities(tool_search=base == OPENAI_BASE_URL.default),
        auth=ApiKey(key) if key else None,
        fixed_headers=_account_headers(settings),
        models=with_windows(saved.models, settings),
        offered=tuple(model.id for model in saved.offered),
        models_url=models_url,
        account=account,
        warnings=tuple(foreign_choices(settings, own, saved.models)),
    )


def _account_headers(settings: Settings) -> dict[str, str]:
    """Who pays, if the key belongs to several; the names are those of OpenAI's own clients."""
    named = {"openai-organization": settings[OPENAI_ORGANIZATION], "openai-project": settings[OPENAI_PROJECT]}
    return {name: value for name, value in named.items() if value}
