from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from claudegpt_pkg.accounts.auth.entra import Entra
from claudegpt_pkg.accounts.providers.azure import azure, read_endpoint
from claudegpt_pkg.errors import BadSetting
from claudegpt_pkg.models import Tiers, choose_model
from claudegpt_pkg.settings.settings import Settings, load
from tests.support.fakes.backend import FakeBackend
from tests.support.fakes.identity import FakeIdentity

OPENAI = "https://res.openai.azure.com/openai/v1"
FOUNDRY = "https://res.services.ai.azure.com/openai/v1"


def settings(home: Path, **environ: str) -> Settings:
    given = {
        "AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com",
        "AZURE_OPENAI_API_KEY": "azure-planted",
        "AZURE_OPENAI_CHAT_DEPLOYMENT": "middle",
        **environ,
    }
    return load(environ={"CLAUDEGPT_HOME": str(home), "HOME": str(home), **given})


@pytest.mark.parametrize(
    ("pasted", "base"),
    [
        ("https://res.openai.azure.com", OPENAI),
        ("https://res.openai.azure.com/", OPENAI),
        ("  'https://res.openai.azure.com/openai/'\n", OPENAI),
        ("https://res.openai.azure.com/openai/v1", OPENAI),
        ("https://res.openai.azure.com/openai/v1/", OPENAI),
        ("https://res.openai.azure.com/openai/v1/responses", OPENAI),
        ("https://res.openai.azure.com/openai/responses?api-version=2025-04-01-preview", OPENAI),
        ("https://res.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21", OPENAI),
        ("res.openai.azure.com", OPENAI),
        ("res", OPENAI),
        ("https://res.services.ai.azure.com", FOUNDRY),
        ("https://res.services.ai.azure.com/models", FOUNDRY),
        ("https://res.services.ai.azure.com/api/projects/my-project", FOUNDRY),
        ("https://res.services.ai.azure.com/api/projects/my-project/openai/v1", FOUNDRY),
        ("https://res.cognitiveservices.azure.com/", "https://res.cognitiveservices.azure.com/openai/v1"),
        ("https://eastus.api.cognitive.microsoft.com/", "https://eastus.api.cognitive.microsoft.com/openai/v1"),
        ("https://res.openai.azure.us/openai", "https://res.openai.azure.us/openai/v1"),
        ("https://gateway.example.com/llm/openai/v1", "https://gateway.example.com/llm/openai/v1"),
        ("https://gateway.example.com/llm/", "https://gateway.example.com/llm/openai/v1"),
        ("https://gateway.example.com:8443", "https://gateway.example.com:8443/openai/v1"),
        ("http://127.0.0.1:9000/openai/v1", "http://127.0.0.1:9000/openai/v1"),
        ("http://localhost:9000", "http://localhost:9000/openai/v1"),
    ],
)
def test_the_address_is_understood_in_every_form_it_is_pasted_in(pasted: str, base: str) -> None:
    assert read_endpoint(pasted).base == base


@pytest.mark.parametrize(
    "pasted",
    [
        "http://res.openai.azure.com",
        "ftp://res",
        "not an address",
        "https://",
        "https://my resource",
        "http://127.0.0.1@evil.test",
        "://",
        "https://[::1",
    ],
)
def test_an_address_no_key_may_be_sent_to_is_refused(pasted: str) -> None:
    with pytest.raises(BadSetting, match=r"AZURE_OPENAI_ENDPOINT.*portal"):
        read_endpoint(pasted)


@pytest.mark.parametrize("key", ["7f3k" * 21, "d41d8cd98f00b204e9800998ecf8427e"])
def test_a_key_that_was_given_as_the_address_is_told_apart_and_not_shown(key: str) -> None:
    with pytest.raises(BadSetting, match=r"looks like a key, not like an address\..*portal") as caught:
        read_endpoint(key)
    assert key not in str(caught.value)


def test_the_key_goes_in_azures_own_header_and_is_shown_nowhere(tmp_path: Path) -> None:
    provider = azure(settings(tmp_path))
    assert provider.auth
    request = next(provider.auth.sync_auth_flow(httpx.Request("POST", provider.url)))
    assert request.headers["api-key"] == "azure-planted" and "authorization" not in request.headers
    assert "planted" not in repr(provider) + repr(vars(provider.auth))
    assert provider.label == "Azure OpenAI (res)"


def test_no_api_version_is_asked_for_unless_set(tmp_path: Path) -> None:
    assert azure(settings(tmp_path)).url == f"{OPENAI}/responses"
    asked = azure(settings(tmp_path, AZURE_OPENAI_RESPONSES_API_VERSION="preview"))
    assert asked.url == f"{OPENAI}/responses?api-version=preview"


@pytest.mark.parametrize(
    ("full", "middle", "nano", "tiers"),
    [
        ("f", "m", "n", Tiers("f", "m", "n", literal=True)),
        ("", "m", "", Tiers("m", "m", "m", literal=True)),
        ("f", "", "", Tiers("f", "f", "f", literal=True)),
        ("", "", "n", Tiers("n", "n", "n", literal=True)),
        ("f", "m", "", Tiers("f", "m", "m", literal=True)),
        ("", "m", "n", Tiers("m", "m", "n", literal=True)),
    ],
)
def test_a_tier_without_a_deployment_takes_the_nearest(
    tmp_path: Path, full: str, middle: str, nano: str, tiers: Tiers
) -> None:
    named = {
        "AZURE_OPENAI_CHAT_DEPLOYMENT_FULL": full,
        "AZURE_OPENAI_CHAT_DEPLOYMENT": middle,
        "AZURE_OPENAI_CHAT_DEPLOYMENT_NANO": nano,
    }
    assert azure(settings(tmp_path, **named)).tiers == tiers


def test_a_deployment_in_the_pasted_address_serves_where_none_is_named(tmp_path: Path) -> None:
    pasted = "https://res.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21"
    own = settings(tmp_path, AZURE_OPENAI_ENDPOINT=pasted, AZURE_OPENAI_CHAT_DEPLOYMENT="")
    assert azure(own).tiers == Tiers("my gpt", "my gpt", "my gpt", literal=True)


@pytest.mark.parametrize(
    ("lacks", "words"),
    [("AZURE_OPENAI_ENDPOINT", "address of your resource"), ("AZURE_OPENAI_CHAT_DEPLOYMENT", "name of a deployment")],
)
def test_what_is_missing_is_named(tmp_path: Path, lacks: str, words: str) -> None:
    with pytest.raises(BadSetting, match=f"{words}.*Set {lacks}"):
        azure(settings(tmp_path, **{lacks: ""}))


def test_a_strict_azure_takes_what_the_provider_says(tmp_path: Path) -> None:
    with FakeBackend("azure", credentials=["azure-planted"], deployments={"middle": "gpt-6.1-sol"}) as backend:
        backend.page("GET", "/openai/v1/models", 200, {"data": []})
        provider = azure(settings(tmp_path, AZURE_OPENAI_ENDPOINT=backend.origin))
        with httpx.Client(auth=provider.auth) as client:
            assert client.get(provider.url.replace("responses", "models")).status_code == 200


# Entra ID.


def test_without_key_and_without_azure_identity_both_ways_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "azure", None)
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(BadSetting, match=r"Set AZURE_OPENAI_API_KEY, or install .*claudegpt\[azure\]"):
        azure(settings(tmp_path, AZURE_OPENAI_API_KEY=""))


def test_without_a_key_entra_is_asked_and_not_before_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeIdentity() as identity:
        for name, value in identity.environ.items():
            monkeypatch.setenv(name, value)
        provider = azure(settings(tmp_path, AZURE_OPENAI_API_KEY=""))
        assert isinstance(provider.auth, Entra) and not identity.asked
        with FakeBackend("azure", deployments={"middle": "gpt-6.1-sol"}) as backend:
            backend.credentials = identity  # type: ignore[assignment]
            backend.page("GET", "/openai/v1/models", 200, {"data": []})
            with httpx.Client(auth=provider.auth) as client:
                assert client.get(f"{backend.url}/models").status_code == 200
        assert identity.tokens[0] not in repr(vars(provider.auth))


@pytest.mark.parametrize(
    ("address", "resource"),
    [
        ("https://res.openai.azure.com", "https://ai.azure.com"),
        ("https://res.openai.azure.us", "https://ai.azure.us"),
        ("https://res.openai.azure.cn", "https://ai.azure.cn"),
        ("https://gateway.example.com/llm", "https://ai.azure.com"),
    ],
)
def test_a_national_cloud_s_tokens_are_asked_for_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, resource: str
) -> None:
    with FakeIdentity() as identity:
        for name, value in identity.environ.items():
            monkeypatch.setenv(name, value)
        auth = azure(settings(tmp_path, AZURE_OPENAI_API_KEY="", AZURE_OPENAI_ENDPOINT=address)).auth
        with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(401)), auth=auth) as client:
            client.get(address)
    assert identity.asked == [resource, resource.replace("ai.", "cognitiveservices.")]


def test_a_deployment_s_name_is_its_name_whatever_it_ends_in() -> None:
    tiers = Tiers("fast-high", "team-xhigh", "fast-high", literal=True)
    for asked, served in [("claude-opus-4-8", "fast-high"), ("team-xhigh", "team-xhigh"), ("other-low", "other-low")]:
        choice = choose_model(asked, tiers)
        assert (choice.model, choice.effort) == (served, None)


@pytest.mark.parametrize(
    "pasted",
    [
        "https://ann:planted-secret@res.openai.azure.com",
        "ann:planted-secret@res.openai.azure.com",
        "https://res.openai.azure.com/openai?api-key=planted-secret",
        "https://res.openai.azure.com/openai?api-version=1&code=planted-secret",
    ],
)
def test_a_secret_in_the_address_is_refused_and_not_shown(pasted: str) -> None:
    with pytest.raises(BadSetting) as caught:
        read_endpoint(pasted)
    assert "planted-secret" not in str(caught.value)
