"""Provider `openai`: an API key on the OpenAI API, or on any server that speaks Responses (Ollama, vLLM, …)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import httpx

from ...capabilities import Capabilities
from ...errors import BadSetting
from ...models import Tiers
from ...secret import Secret
from ...settings.options import OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_HAIKU, OPENAI_OPUS, OPENAI_SONNET, Option
from ...settings.settings import Settings
from .. import model_list
from .base import Provider, choose_tiers

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
    label = "OpenAI API key" if base == OPENAI_BASE_URL.default else f"Responses API at {base}"
    return openai_with(settings, key, name="openai", label=label, own=(OPENAI_OPUS, OPENAI_SONNET, OPENAI_HAIKU))


def openai_with(
    settings: Settings, key: Secret | None, *, name: str, label: str, own: tuple[Option[str | None], ...]
) -> Provider:
    """The API at OPENAI_BASE_URL with this key; `own` are the settings that name its tiers' models."""
    base = settings[OPENAI_BASE_URL]
    models_url = f"{base}/models"
    account = hashlib.sha256(key.reveal().encode()).hexdigest()[:16] if key else ""
    seen = model_list.read_cached(settings.dirs.cache, models_url, account)
    return Provider(
        name=name,
        label=label,
        url=f"{base}/responses",
        tiers=choose_tiers(settings, own, model_list.newest_tiers(seen.offered if seen else (), NEWEST)),
        # Other servers may skip a tool of an unknown type in silence.
        capabilities=Capabilities(tool_search=base == OPENAI_BASE_URL.default),
        auth=ApiKey(key) if key else None,
        models=seen.models if seen else {},
        offered=tuple(model.id for model in seen.offered) if seen else (),
        models_url=models_url,
        account=account,
    )
