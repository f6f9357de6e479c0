"""Providers `chatgpt` and `codex`: a ChatGPT plan, with claudegpt's own login or the Codex CLI's.

Both use the same backend and differ in the file that holds the login. If Codex's file holds an API key instead, `codex`
is the OpenAI API with that key. `originator` and `user-agent` name claudegpt.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from ...capabilities import Capabilities
from ...models import KNOWN
from ...settings.options import (
    AUTH_URL,
    CODEX_AUTH,
    CODEX_BASE_URL,
    CODEX_HAIKU,
    CODEX_HOME,
    CODEX_OPUS,
    CODEX_SONNET,
    CODEX_VERSION,
)
from ...settings.settings import Settings
from .. import model_list
from ..auth.bearer import Bearer
from ..auth.login_server import LoginServer
from ..auth.oauth import ORIGINATOR, USER_AGENT, plan_name
from ..auth.tokens import TokenFile, codex_file, own_file
from .base import Provider, choose_tiers, foreign_choices, with_windows
from .openai import NEWEST, openai_with

CAPABILITIES = Capabilities(
    instructions=False,
    refused_fields=frozenset(
        {
            "max_output_tokens",
            "max_tool_calls",
            "metadata",
            "previous_response_id",
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",
            "stream_options",
            "temperature",
            "top_p",
            "truncation",
            "user",
        }
    ),
    plain_body_limit=1_000_000,  # plain bodies of over 1.2 MB were seen dropped
    search_fields={"external_web_access": True},
)
TIERS = (CODEX_OPUS, CODEX_SONNET, CODEX_HAIKU)
# The backend lists the models that a version of the Codex CLI knows; claudegpt names this one.
LIST_VERSION = "0.169.0"
# Until the account's list is fetched: the built-in list of the Codex CLI 0.169.0 (November 2026), with the plan's
# windows, which differ from the API's.
WINDOW = 272_000
WINDOWS = {"gpt-6.1-terra": 500_000}
OFFLINE = {name: replace(model, window=WINDOWS.get(name, WINDOW)) for name, model in KNOWN.items()}
# A minute earlier than the Codex CLI: while both run, it then finds new tokens instead of renewing at the same moment.
EARLY_WITH_CODEX = 6 * 60.0


def chatgpt(settings: Settings) -> Provider:
    """The plan of `claudegpt login`. Raises NotLoggedIn without a login, BadSetting if its file must not be used."""
    file = own_file(settings.dirs.data)
    return _plan(settings, file, Bearer(file, LoginServer(settings[AUTH_URL])), name="chatgpt", whose="")


def codex(settings: Settings) -> Provider:
    """The Codex CLI's account: a plan, or an API key. Raises like `chatgpt`."""
    file = codex_file(codex_path(settings))
    if key := file.api_key():
        provider = openai_with(settings, key, name="codex", label="Codex's API key", own=TIERS)
        return replace(provider, credential=f"API key in {file.path}")
    bearer = Bearer(file, LoginServer(settings[AUTH_URL]), early=EARLY_WITH_CODEX)
    return _plan(settings, file, bearer, name="codex", whose=", Codex's login")


def codex_path(settings: Settings) -> Path:
    return settings[CODEX_AUTH] or (settings[CODEX_HOME] or Path.home() / ".codex") / "auth.json"


def _plan(settings: Settings, file: TokenFile, bearer: Bearer, *, name: str, whose: str) -> Provider:
    tokens = file.read()
    account = tokens.account_id or ""
    base = settings[CODEX_BASE_URL]
    models_url = f"{base}/models?client_version={settings[CODEX_VERSION] or LIST_VERSION}"
    saved = model_list.read_cached(settings.dirs.cache, models_url, account) or model_list.ModelList(())
    return Provider(
        name=name,
        label=plan_name(tokens.plan) + whose,
        url=f"{base}/responses",
        tiers=choose_tiers(settings, TIERS, model_list.newest_tiers(saved.offered, NEWEST)),
        capabilities=CAPABILITIES,
        auth=bearer,
        fixed_headers=codex_headers(settings[CODEX_VERSION]),
        session_header="session-id",
        models=with_windows(OFFLINE | saved.models, settings),
        offered=tuple(model.id for model in saved.offered),
        models_url=models_url,
        metered=False,
        account=account,
        usage_url=_usage_url(base),
        login=file,
        credential=f"login saved in {file.path}",
        warnings=tuple(foreign_choices(settings, TIERS, saved.models)),
    )


def _usage_url(base: str) -> str:
    """The address at which the ChatGPT backend at `base` (…/backend-api/codex) reports the plan's quota."""
    parts = urlsplit(base)
    front = parts.path.partition("/backend-api")[0] if "/backend-api" in parts.path else ""
    return urlunsplit((parts.scheme, parts.netloc, f"{front}/backend-api/wham/usage", "", ""))


def codex_headers(version: str | None) -> dict[str, str]:
    ours = {"originator": ORIGINATOR, "user-agent": USER_AGENT}
    return ours | {"version": version} if version else ours
