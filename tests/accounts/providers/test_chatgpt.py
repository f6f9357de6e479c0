from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_aiohttp import HttpxAiohttpClient

from claudegpt_pkg import __version__
from claudegpt_pkg.accounts.auth.tokens import own_file
from claudegpt_pkg.accounts.model_list import refresh
from claudegpt_pkg.accounts.providers.base import Provider
from claudegpt_pkg.accounts.providers.chatgpt import chatgpt, codex
from claudegpt_pkg.errors import BadSetting, NotLoggedIn
from claudegpt_pkg.models import Tiers
from claudegpt_pkg.settings.settings import Settings, load
from tests.support import auth_files
from tests.support.fakes.answers import answer
from tests.support.fakes.backend import FakeBackend
from tests.support.fakes.login import ACCOUNT, FakeLogin

LOW = [{"effort": "low", "description": "Quick."}]
MODELS = {
    "models": [
        {"slug": "gpt-7-sol", "context_window": 400_000, "priority": 1, "supported_reasoning_levels": LOW},
        {"slug": "gpt-6.1-terra", "context_window": 500_000, "priority": 2},
    ]
}


@pytest.fixture
def server() -> Iterator[FakeLogin]:
    with FakeLogin() as fake:
        yield fake
        fake.check()


@pytest.fixture
def backend(server: FakeLogin) -> Iterator[FakeBackend]:
    with FakeBackend("chatgpt", account_id=ACCOUNT) as fake:
        fake.script(answer("Hello."))
        yield fake


@pytest.fixture
def settings(tmp_path: Path, server: FakeLogin, backend: FakeBackend) -> Settings:
    return load(
        environ={
            "CLAUDEGPT_HOME": str(tmp_path),
            "HOME": str(tmp_path),
            "CODEX_HOME": str(tmp_path / "codex"),
            "CLAUDEGPT_AUTH_URL": server.url,
            "CODEX_BASE_URL": backend.url,
        }
    )


def log_in(server: FakeLogin, settings: Settings) -> dict[str, Any]:
    document = server.log_in()
    auth_files.own(settings.dirs.data, document)
    return document


def log_in_codex(server: FakeLogin, home: Path, **changes: Any) -> dict[str, Any]:
    document = server.log_in(**changes)
    auth_files.codex(home / "codex", document)
    return document


def question(provider: Provider, key: str = "conversation-1") -> dict[str, Any]:
    words = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi."}]}
    body = {"model": provider.tiers.opus, "input": [words], "stream": True, "store": False, "prompt_cache_key": key}
    whole = {**body, "max_output_tokens": 100, "temperature": 0.5, "metadata": {"a": "b"}}
    return {name: value for name, value in whole.items() if provider.capabilities.takes(name)}


def ask(provider: Provider) -> int:
    async def run() -> int:
        async with HttpxAiohttpClient(auth=provider.auth) as client:
            headers = provider.headers("conversation-1")
            sent = await client.post(provider.url, json=question(provider), headers=headers)
            return sent.status_code

    return asyncio.run(run())


def test_the_strict_backend_takes_what_chatgpt_sends(
    server: FakeLogin, backend: FakeBackend, settings: Settings
) -> None:
    backend.credentials = {log_in(server, settings)["tokens"]["access_token"]}
    assert ask(chatgpt(settings)) == 200
    backend.check()
    sent = backend.requests[0].headers
    assert sent["originator"] == "claudegpt" and sent["user-agent"] == f"claudegpt/{__version__}"
    assert sent["chatgpt-account-id"] == ACCOUNT and sent["session-id"] == "conversation-1"
    assert "version" not in sent


def test_the_strict_backend_takes_what_codex_sends(
    server: FakeLogin, backend: FakeBackend, settings: Settings, tmp_path: Path
) -> None:
    backend.credentials = {log_in_codex(server, tmp_path)["tokens"]["access_token"]}
    assert ask(codex(settings)) == 200
    backend.check()


class Renewed(set[str]):
    """The access tokens that the login server gave after the first renewal."""

    def __init__(self, server: FakeLogin):
        super().__init__()
        self.server = server

    def __contains__(self, token: object) -> bool:
        return self.server.renewals == 1 and token in list(self.server.logins[0].access)[1:]


def test_a_refused_token_is_renewed_on_the_way(server: FakeLogin, backend: FakeBackend, settings: Settings) -> None:
    log_in(server, settings)
    backend.credentials = Renewed(server)
    assert ask(chatgpt(settings)) == 200 and server.renewals == 1
    assert own_file(settings.dirs.data).read().access.reveal() in backend.credentials


def test_the_label_names_the_plan_and_shows_no_secret(server: FakeLogin, settings: Settings, tmp_path: Path) -> None:
    document = log_in(server, settings)
    log_in_codex(server, tmp_path)
    assert chatgpt(settings).label == "ChatGPT Plus"
    assert codex(settings).label == "ChatGPT Plus, Codex's login"
    shown = repr(chatgpt(settings)) + repr(vars(chatgpt(settings).auth))
    assert document["tokens"]["access_token"] not in shown and document["tokens"]["refresh_token"] not in shown


def test_without_a_login_the_next_step_is_named(settings: Settings) -> None:
    with pytest.raises(NotLoggedIn, match="claudegpt login"):
        chatgpt(settings)
    with pytest.raises(NotLoggedIn, match="codex login"):
        codex(settings)


def test_codexs_api_key_is_used_on_the_api(settings: Settings, tmp_path: Path) -> None:
    auth_files.codex(tmp_path / "codex", {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-planted"})
    provider = codex(settings)
    assert (provider.name, provider.url) == ("codex", "https://api.openai.com/v1/responses")
    assert provider.capabilities.instructions and provider.session_header is None
    assert provider.auth
    request = next(provider.auth.sync_auth_flow(httpx.Request("POST", provider.url)))
    assert request.headers["authorization"] == "Bearer sk-planted"


def test_codexs_file_may_be_elsewhere(server: FakeLogin, settings: Settings, tmp_path: Path) -> None:
    auth_files.write(tmp_path / "elsewhere" / "auth.json", server.log_in())
    elsewhere = {"CLAUDEGPT_CODEX_AUTH": str(tmp_path / "elsewhere" / "auth.json")}
    given = {"CLAUDEGPT_HOME": str(tmp_path), "HOME": str(tmp_path), "CODEX_HOME": str(tmp_path / "codex")}
    assert codex(load(environ=given | elsewhere)).account == ACCOUNT


def test_codexs_file_is_looked_for_at_home(server: FakeLogin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    auth_files.write(tmp_path / ".codex" / "auth.json", server.log_in())
    assert codex(load(environ={"CLAUDEGPT_HOME": str(tmp_path), "HOME": str(tmp_path)})).account == ACCOUNT


def test_windows_are_the_plans_not_the_apis_until_the_list_is_seen(server: FakeLogin, settings: Settings) -> None:
    log_in(server, settings)
    provider = chatgpt(settings)
    assert provider.model("gpt-6.1-sol").window == 272_000
    assert provider.model("gpt-6.1-terra").window == 500_000
    assert provider.model("gpt-5.4").window == 272_000
    assert provider.model("gpt-9-unheard-of").window == 272_000


def test_the_accounts_list_names_the_tiers_and_windows_of_the_next_start(
    server: FakeLogin, backend: FakeBackend, settings: Settings
) -> None:
    backend.credentials = {log_in(server, settings)["tokens"]["access_token"]}
    backend.page("GET", "/backend-api/codex/models", 200, MODELS, {"etag": '"1"'})

    async def run() -> None:
        await refresh(chatgpt(settings), settings.dirs.cache)
        await refresh(chatgpt(settings), settings.dirs.cache)

    asyncio.run(run())
    provider = chatgpt(settings)
    assert provider.tiers == Tiers("gpt-7-sol", "gpt-6.1-terra", "gpt-6.1-terra")
    assert (provider.model("gpt-7-sol").window, provider.model("gpt-7-sol").efforts) == (400_000, ("low",))
    assert [request.headers.get("if-none-match") for request in backend.others] == [None, '"1"']


def test_settings_name_the_tiers_of_both(server: FakeLogin, tmp_path: Path) -> None:
    environ = {"CLAUDEGPT_HOME": str(tmp_path), "HOME": str(tmp_path), "CLAUDEGPT_CODEX_SONNET": "gpt-mine"}
    settings = load(environ=environ | {"CODEX_HOME": str(tmp_path / "codex")})
    log_in(server, settings)
    log_in_codex(server, tmp_path)
    assert chatgpt(settings).tiers.sonnet == codex(settings).tiers.sonnet == "gpt-mine"


def test_a_codex_version_is_named_only_when_asked(server: FakeLogin, tmp_path: Path) -> None:
    environ = {"CLAUDEGPT_HOME": str(tmp_path), "HOME": str(tmp_path), "CLAUDEGPT_CODEX_VERSION": "0.200.0"}
    settings = load(environ=environ)
    log_in(server, settings)
    provider = chatgpt(settings)
    assert provider.headers("k")["version"] == "0.200.0"
    assert str(provider.models_url).endswith("/models?client_version=0.200.0")


@pytest.mark.parametrize("name", ["CODEX_BASE_URL", "CLAUDEGPT_AUTH_URL"])
@pytest.mark.parametrize("url", ["http://chatgpt.test/x", "http://127.0.0.1@evil.test", "ftp://x", "chatgpt.com"])
def test_a_login_is_never_sent_unencrypted_to_another_machine(
    server: FakeLogin, tmp_path: Path, name: str, url: str
) -> None:
    settings = load(environ={"CLAUDEGPT_HOME": str(tmp_path), "HOME": str(tmp_path), name: url})
    log_in(server, settings)
    with pytest.raises(BadSetting, match=name):
        chatgpt(settings)
