"""Every provider in one table: what a command needs to know of a provider before there is an account.

    kind = PROVIDER_TABLE[settings[PROVIDER]]
    kind.make(settings)             # the account: a Provider; raises what keeps it from being used

To add a provider: write its module in `providers/`, add its row here, and declare its name and its settings in
`settings/options.py`. No other place compares a provider's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..models import Tier
from ..secret import Secret
from ..settings.options import (
    AZURE_API_KEY,
    AZURE_HAIKU,
    AZURE_OPUS,
    AZURE_SONNET,
    CODEX_HAIKU,
    CODEX_OPUS,
    CODEX_SONNET,
    OPENAI_API_KEY,
    OPENAI_BASE_URL,
    OPENAI_HAIKU,
    OPENAI_OPUS,
    OPENAI_SONNET,
    PROVIDER,
    PROVIDERS,
    Option,
)
from ..settings.settings import Settings
from .auth.tokens import TokenFile, codex_file, own_file
from .providers.azure import azure
from .providers.base import Provider
from .providers.chatgpt import chatgpt, codex, codex_path
from .providers.openai import openai

TierOptions = Mapping[Tier, Option[str | None]]
TIER_FLAGS = frozenset({"--opus", "--sonnet", "--haiku"})


def _never(settings: Settings) -> bool:
    return False


@dataclass(frozen=True)
class ProviderKind:
    """What is true of a provider for every account."""

    make: Callable[[Settings], Provider] | None  # None: this process itself serves the backend
    tier_options: TierOptions = field(default_factory=dict)  # the settings that name each tier's model
    key: Option[Secret | None] | None = None  # the setting that holds its API key
    login_file: Callable[[Settings], TokenFile] | None = None  # the file that holds its login
    logs_in: bool = False  # whether `claudegpt login` makes that login
    has_quota: bool = False  # whether its server may tell what is left of a plan
    setup_flags: frozenset[str] = frozenset()  # the options of `claudegpt setup` that belong to it
    # Whether the settings name the user's own server. No built-in table has its models.
    is_own_server: Callable[[Settings], bool] = _never

    def wants_list(self, settings: Settings) -> bool:
        """Whether the list of models must be fetched before the first session: no table knows a server of the user's
        own, unless the user named a model for each tier."""
        return self.is_own_server(settings) and not all(settings[option] for option in self.tier_options.values())


CODEX_TIERS: TierOptions = {"opus": CODEX_OPUS, "sonnet": CODEX_SONNET, "haiku": CODEX_HAIKU}
OPENAI_TIERS: TierOptions = {"opus": OPENAI_OPUS, "sonnet": OPENAI_SONNET, "haiku": OPENAI_HAIKU}
AZURE_TIERS: TierOptions = {"opus": AZURE_OPUS, "sonnet": AZURE_SONNET, "haiku": AZURE_HAIKU}

PROVIDER_TABLE: dict[str, ProviderKind] = {
    "chatgpt": ProviderKind(
        chatgpt,
        CODEX_TIERS,
        login_file=lambda settings: own_file(settings.dirs.data),
        logs_in=True,
        has_quota=True,
        setup_flags=TIER_FLAGS | {"--device or --no-browser"},
    ),
    "codex": ProviderKind(
        codex,
        CODEX_TIERS,
        login_file=lambda settings: codex_file(codex_path(settings)),
        has_quota=True,
        setup_flags=TIER_FLAGS,
    ),
    "openai": ProviderKind(
        openai,
        OPENAI_TIERS,
        key=OPENAI_API_KEY,
        setup_flags=TIER_FLAGS | {"--base-url", "--api-key-stdin"},
        is_own_server=lambda settings: settings[OPENAI_BASE_URL] != OPENAI_BASE_URL.default,
    ),
    "azure": ProviderKind(
        azure,
        AZURE_TIERS,
        key=AZURE_API_KEY,
        setup_flags=TIER_FLAGS | {"--endpoint", "--api-version", "--api-key-stdin"},
    ),
    "demo": ProviderKind(None),
}
if tuple(PROVIDER_TABLE) != PROVIDERS:
    raise AssertionError("settings/options.py declares other provider names than this table")


def chosen_kind(settings: Settings) -> ProviderKind | None:
    """The provider that the settings name; None if they name none. Raises BadSetting for a name that does not exist."""
    name = settings[PROVIDER]
    return PROVIDER_TABLE[name] if name else None
