"""What a provider is: an address, a way to authenticate, what its backend takes. Data, and one function; no client.

`proxy` translates a request for `capabilities`, sends it to `url` with `headers(...)` under `auth`, and reads the
answer. Everything that a provider knows about its own wire stands in its module, as data, so that no other place asks
which provider it is. `provider_table.py` holds what must be known before there is an account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from ...capabilities import Capabilities
from ...models import EFFORTS, KNOWN, TIERS, UNKNOWN_WINDOW, Model, Tiers, claude_tier, known_model, split_effort
from ...settings.options import DEFAULT_HAIKU, DEFAULT_OPUS, DEFAULT_SONNET, WINDOW, Option
from ...settings.settings import Settings
from ...settings.values import is_loopback

if TYPE_CHECKING:
    from ..auth.tokens import TokenFile

FOREIGN = (DEFAULT_OPUS, DEFAULT_SONNET, DEFAULT_HAIKU)  # Claude Code's own variables


@dataclass(frozen=True)
class Provider:
    """One account on one backend. `label` names the account for the user ("OpenAI API key")."""

    name: str
    label: str
    url: str  # of POST …/responses
    tiers: Tiers
    capabilities: Capabilities = field(default_factory=Capabilities)  # of its backend, before any refusal
    auth: httpx.Auth | None = None
    credential: str = "no credential needed"  # what is sent, and where it is stored; never the credential itself
    fixed_headers: Mapping[str, str] = field(default_factory=dict)
    session_header: str | None = None  # carries the conversation's cache key on each request
    models: Mapping[str, Model] = field(default_factory=dict)  # the account's own list, as far as it is known
    offered: tuple[str, ...] = ()  # those of it that a user would choose from, best first
    models_url: str | None = None  # of GET …/models, if the backend has a list for this account (model_list.py)
    is_script: bool = False  # a script of this program answers, not a model
    metered: bool = True  # each token has its price; otherwise a plan includes them
    account: str = ""  # whose list that is, if one address serves several accounts
    usage_url: str | None = None  # of GET …/usage, if the backend may tell what is left of the plan (quota.py)
    login: TokenFile | None = None  # the file that holds the login, if there is one
    warnings: tuple[str, ...] = ()  # what the user should hear when a session starts

    @property
    def caution(self) -> str:
        """What the user should hear before a credential is sent there; empty if there is nothing to say."""
        parts = urlsplit(self.url)
        if self.auth is None or parts.scheme == "https" or is_loopback(parts.hostname or ""):
            return ""
        return (
            f"The key goes to {parts.netloc} unencrypted: others on the network can read it. Use https:// if the "
            "server can."
        )

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
        """What is known of a model: the account's list first, then the built-in table."""
        return self.models.get(model_id) or known_model(model_id)

    def is_assumed(self, model: Model) -> bool:
        """Whether neither the account's list nor the built-in table has facts about the model."""
        return model.id not in KNOWN and (model.window, model.efforts) == (UNKNOWN_WINDOW, EFFORTS)


def choose_tiers(settings: Settings, own: Sequence[Option[str | None]], newest: Tiers) -> Tiers:
    """The model of each tier: the provider's `own` setting, else Claude Code's variable, else the newest.

    `own` is in the order opus, sonnet, haiku. A name of Claude's own in Claude Code's variables is for plain `claude`
    and says nothing about our models.
    """
    models = zip(own, FOREIGN, (newest.opus, newest.sonnet, newest.haiku), strict=True)
    opus, sonnet, haiku = (
        settings[ours] or _foreign_model(settings, foreign) or default for ours, foreign, default in models
    )
    return Tiers(opus, sonnet, haiku, literal=newest.literal)


def _foreign_model(settings: Settings, option: Option[str | None]) -> str | None:
    name = settings[option]
    return None if name is None or claude_tier(name) else name.removesuffix("[1m]")


def foreign_choices(
    settings: Settings, own: Sequence[Option[str | None]], listed: Mapping[str, Model]
) -> Iterator[str]:
    """A warning for each tier whose model only a variable of Claude Code's chooses, and that the account lacks."""
    for tier, ours, foreign in zip(TIERS, own, FOREIGN, strict=True):
        name = None if settings[ours] else _foreign_model(settings, foreign)
        if name and listed and split_effort(name, listed)[0] not in listed:
            yield (
                f"{foreign.name}={name} (from {settings.source(foreign)}) chooses the {tier} tier's model, which this "
                f"account does not list. Unset it, or set {ours.name}."
            )


def with_windows(models: Mapping[str, Model], settings: Settings) -> dict[str, Model]:
    """The models with the windows that CLAUDEGPT_WINDOW states; it beats what a server or a table says."""
    stated = {
        name: replace(models.get(name) or known_model(name), window=window) for name, window in settings[WINDOW].items()
    }
    return {**models, **stated}
