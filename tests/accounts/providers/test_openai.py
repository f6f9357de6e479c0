from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from claudegpt_pkg.accounts.model_list import refresh_now
from claudegpt_pkg.accounts.providers.openai import NEWEST, openai
from claudegpt_pkg.errors import BadSetting
from claudegpt_pkg.models import Tiers
from claudegpt_pkg.settings.settings import Settings, load
from tests.support.transports import answering


def settings(home: Path, **environ: str) -> Settings:
    return load(environ={"CLAUDEGPT_HOME": str(home), "HOME": str(home), **environ})


def test_the_public_api_wants_a_key(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"needs a key. Set OPENAI_API_KEY"):
        openai(settings(tmp_path))


def test_the_key_goes_as_a_bearer_token_and_is_shown_nowhere(tmp_path: Path) -> None:
    provider = openai(settings(tmp_path, OPENAI_API_KEY="sk-planted"))
    assert provider.url == "https://api.openai.com/v1/responses"
    assert provider.auth
    request = next(provider.auth.sync_auth_flow(httpx.Request("POST", provider.url)))
    assert request.headers["authorization"] == "Bearer sk-planted"
    assert "planted" not in repr(provider) + repr(vars(provider)) + repr(vars(provider.auth))


def test_a_server_of_ones_own_needs_no_key(tmp_path: Path) -> None:
    provider = openai(settings(tmp_path, OPENAI_BASE_URL="http://127.0.0.1:11434/v1/"))
    assert provider.url == "http://127.0.0.1:11434/v1/responses"
    assert provider.auth is None and "127.0.0.1:11434" in provider.label


@pytest.mark.parametrize(
    ("address", "key", "cautious"),
    [
        ("http://10.0.0.5:8000/v1", "k", True),
        ("http://10.0.0.5:8000/v1", "", False),
        ("https://10.0.0.5:8000/v1", "k", False),
        ("http://localhost:11434/v1", "k", False),
        ("http://[::1]:11434/v1", "k", False),
    ],
)
def test_a_key_that_leaves_this_machine_unencrypted_is_worth_a_word(
    address: str, key: str, cautious: bool, tmp_path: Path
) -> None:
    caution = openai(settings(tmp_path, OPENAI_BASE_URL=address, OPENAI_API_KEY=key)).caution
    assert bool(caution) is cautious
    assert not cautious or caution.startswith("The key goes to 10.0.0.5:8000 unencrypted")


def test_the_newest_known_models_serve_until_the_accounts_list_is_seen(tmp_path: Path) -> None:
    assert openai(settings(tmp_path, OPENAI_API_KEY="k")).tiers == NEWEST


def test_the_accounts_list_beats_the_table(tmp_path: Path) -> None:
    own = settings(tmp_path, OPENAI_API_KEY="k")
    said = {"data": [{"id": name} for name in ("gpt-7-sol", "gpt-6-luna")]}
    refresh_now(openai(own), own.dirs.cache, answering(said))
    assert openai(own).tiers == Tiers("gpt-7-sol", "gpt-7-sol", "gpt-6-luna")
    assert openai(settings(tmp_path, OPENAI_API_KEY="another")).tiers == NEWEST


def test_settings_name_the_tiers(tmp_path: Path) -> None:
    own = settings(tmp_path, OPENAI_API_KEY="k", CLAUDEGPT_OPENAI_OPUS="a", CLAUDEGPT_OPENAI_HAIKU="c")
    assert openai(own).tiers == Tiers("a", NEWEST.sonnet, "c")


def test_what_the_user_exports_for_claude_code_is_the_tiers_model(tmp_path: Path) -> None:
    own = settings(
        tmp_path,
        OPENAI_API_KEY="k",
        CLAUDEGPT_OPENAI_OPUS="a",
        ANTHROPIC_DEFAULT_OPUS_MODEL="gpt-x[1m]",
        ANTHROPIC_DEFAULT_SONNET_MODEL="gpt-y",
    )
    assert openai(own).tiers == Tiers("gpt-x", "gpt-y", NEWEST.haiku)


@pytest.mark.parametrize(
    "claudes", ["claude-opus-4-8", "opus", "claude-sonnet-5[1m]", "us.anthropic.claude-haiku-4-5-v1:0"]
)
def test_one_of_claudes_own_names_exported_says_nothing_about_ours(tmp_path: Path, claudes: str) -> None:
    own = settings(
        tmp_path,
        OPENAI_API_KEY="k",
        CLAUDEGPT_OPENAI_OPUS="a",
        ANTHROPIC_DEFAULT_OPUS_MODEL=claudes,
        ANTHROPIC_DEFAULT_HAIKU_MODEL=claudes,
    )
    assert openai(own).tiers == Tiers("a", NEWEST.sonnet, NEWEST.haiku)
