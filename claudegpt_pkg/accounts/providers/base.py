"""What a provider is: an address, a way to authenticate, what its backend takes. Data, and one function; no client.

`proxy` translates a request for `capabilities`, sends it to `url` with `headers(...)` under `auth`, and reads the
answer; everything a provider knows about its own wire stands in its module, as data, so that no other place asks which
provider it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from ...capabilities import Capabilities
from ...models import Model, Tiers, claude_tier, known_model, split_effort
from ...settings.options import DEFAULT_HAIKU, DEFAULT_OPUS, DEFAULT_SONNET, Option
from ...settings.settings import Settings
from ...settings.values import is_loopback

if TYPE_CHECKING:
    from ..auth.tokens import TokenFile


@dataclass(frozen=True)
class Provider:
    """One account on one backend. `label` is how the user is told whose model runs ("OpenAI API key")."""

    name: str
    label: str
    url: str  # of POST …/responses
    tiers: Tiers
    capabilities: Capabilities = field(default_factory=Capabilities)  # of its backend, before any refusal
    auth: httpx.Auth | None = None
    fixed_headers: Mapping[str, str] = field(default_factory=dict)
    session_header: str | None = None  # carries the conversation's cache key on each request
    models: Mapping[str, Model] = field(default_factory=dict)  # the account's catalogue, where known
    offered: tuple[str, ...] = ()  # those of it that a user would choose from, best first
    models_url: str | None = None  # of GET …/models, where the backend has a list for this account (catalog.py)
    metered: bool = True  # each token has its price; else a plan covers them
    account: str = ""  # whose list that is, where one address serves several accounts
    usage_url: str | None = None  # of GET …/usage, where the backend says what is left of the plan (status.py)
    login: TokenFile | None = None  # the file that holds the login, where it is one

    @property
    def caution(self) -> str:
        """What a user should hear before a credential goes there; empty where there is nothing to say."""
        parts = urlsplit(self.url)
        if self.auth is None or parts.scheme == "https" or is_loopback(parts.hostname or ""):
            return ""
        return f"The key goes to {parts.netloc} unencrypted: on the way it can be read. Use https:// if the server can."

    def headers(self, cache_key: str) -> dict[str, str]:
        """Headers of one request of the conversation that `cache_key` (≤ 64 characters) names."""
        headers = {"content-type": "application/json", "accept": "text/event-stream", **self.fixed_headers}
        if self.session_header:
            headers[self.session_header] = cache_key
        return headers

    def split_effort(self, name: str) -> tuple[str, str | None]:
        """A model's name without the effort level at its end, and that level. Names of deployments and names in the
        account's own list stay whole."""
        return (name, None) if self.tiers.literal else split_effort(name, self.models)

    def model(self, model_id: str) -> Model:
        """What is known of a model: the account's catalogue first, then the built-in table."""
        return self.models.get(model_id) or known_model(model_id)


def choose_tiers(settings: Settings, own: tuple[Option[str | None], ...], newest: Tiers) -> Tiers:
    """The model per tier: what the user exports for it, else `own` setting of the provider, else the newest.

    `own` is in the order opus, sonnet, haiku. What a user of plain Claude Code exports is one of Claude's own names:
    that says nothing about ours.
    """
    exported = (settings[option] for option in (DEFAULT_OPUS, DEFAULT_SONNET, DEFAULT_HAIKU))
    ours = (None if name is None or claude_tier(name) else name.removesuffix("[1m]") for name in exported)
    models = zip(ours, (settings[option] for option in own), (newest.opus, newest.sonnet, newest.haiku), strict=True)
    opus, sonnet, haiku = (first or second or default for first, second, default in models)
    return Tiers(opus, sonnet, haiku, literal=newest.literal)
