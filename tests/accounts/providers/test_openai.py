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


def test_what_is_exported_for_claude_code_is_the_tiers_model_unless_our_setting_names_one(
    tmp_path: Path,
) -> None:
    own = settings(
        tmp_path,
        OPENAI_API_KEY="k",
        CLAUDEGPT_OPENAI_OPUS="a",
        ANTHROPIC_DEFAULT_OPUS_MODEL="gpt-x[1m]",
        ANTHROPIC_DEFAULT_SONNET_MODEL="gpt-y",
    )
    assert openai(own).tiers == Tiers("a", "gpt-y", NEWEST.haiku), "the more specific name wins"


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


def test_a_model_that_only_a_foreign_variable_chooses_is_told_if_the_account_lacks_it(tmp_path: Path) -> None:
    exported = {
        "OPENAI_API_KEY": "k",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "glm-5.2",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "gpt-7-sol-high",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "glm-5.2-air",
        "CLAUDEGPT_OPENAI_HAIKU": "gpt-7-luna",
    }
    own = settings(tmp_path, **exported)
    assert not openai(own).warnings, "no list is known yet"
    refresh_now(openai(own), own.dirs.cache, answering({"data": [{"id": "gpt-7-sol"}, {"id": "gpt-7-luna"}]}))
    assert openai(own).warnings == (
        "ANTHROPIC_DEFAULT_OPUS_MODEL=glm-5.2 (from the environment) chooses the opus tier's model, which this account "
        "does not list. Unset it, or set CLAUDEGPT_OPENAI_OPUS.",
    )


def test_a_query_stays_behind_the_path_that_is_added(tmp_path: Path) -> None:
    provider = openai(settings(tmp_path, OPENAI_BASE_URL="http://h.test/v1?api-version=X"))
    assert provider.url == "http://h.test/v1/responses?api-version=X"
    assert provider.models_url == "http://h.test/v1/models?api-version=X"


def test_the_organization_and_the_project_that_pay_are_sent(tmp_path: Path) -> None:
    """As OpenAI's own clients do."""
    names = {"OPENAI_API_KEY": "k", "OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj_1"}
    sent = openai(settings(tmp_path, **names)).headers("key")
    assert (sent["openai-organization"], sent["openai-project"]) == ("org-1", "proj_1")
    assert openai(settings(tmp_path, **names, OPENAI_PROJECT="proj_2")).headers("")["openai-project"] == "proj_2"
    assert (
        not {"openai-organization", "openai-project"}
        & openai(settings(tmp_path, OPENAI_API_KEY="k")).headers("").keys()
    )
    with pytest.raises(BadSetting, match="OPENAI_ORG_ID is one word"):
        openai(settings(tmp_path, **{**names, "OPENAI_ORG_ID": "a\r\nx: y"}))


def test_a_stated_window_beats_the_list_and_the_table(tmp_path: Path) -> None:
    own = settings(
        tmp_path, OPENAI_BASE_URL="http://h.test/v1", CLAUDEGPT_WINDOW="qwen3:8b=65536,gpt-6.1-sol=100k,new=32k"
    )
    refresh_now(openai(own), own.dirs.cache, answering({"data": [{"id": "qwen3:8b", "max_model_len": 40_960}]}))
    found = openai(own)
    windows = {name: found.model(name).window for name in ("qwen3:8b", "gpt-6.1-sol", "new", "other")}
    assert windows == {"qwen3:8b": 65_536, "gpt-6.1-sol": 100_000, "new": 32_000, "other": 272_000}
    assert found.model("gpt-6.1-sol").price and found.offered == ("qwen3:8b",)


@pytest.mark.parametrize(
    ("row", "window"),
    [
        ({"max_model_len": 40_960}, 40_960),  # vLLM
        ({"meta": {"n_ctx": 8192, "n_ctx_train": 131_072}}, 8192),  # llama.cpp
        ({"context_length": 200_000}, 200_000),  # OpenRouter
        ({"context_window": 131_072}, 131_072),  # Groq
        ({"max_context_length": "32768", "loaded_context_length": 16_384}, 16_384),  # LM Studio
        ({"max_model_len": 0, "context_length": 4096}, 4096),
        ({"max_model_len": True}, 272_000),
        ({"max_model_len": 100}, 272_000),
        ({"max_model_len": 10**400}, 272_000),
        ({"meta": [8192]}, 272_000),
        ({}, 272_000),
    ],
)
def test_the_window_that_a_server_states_is_used(tmp_path: Path, row: dict[str, object], window: int) -> None:
    own = settings(tmp_path, OPENAI_BASE_URL="http://h.test/v1")
    refresh_now(openai(own), own.dirs.cache, answering({"data": [{"id": "m", **row}]}))
    assert openai(own).model("m").window == window
