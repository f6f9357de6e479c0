"""`claudegpt status` and `claudegpt models`, in front of strict backends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.accounts.auth.tokens import own_file
from claudegpt_pkg.accounts.providers.base import Provider
from claudegpt_pkg.accounts.quota import Window
from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.cli.status import bar
from claudegpt_pkg.models import Tiers
from claudegpt_pkg.settings.settings import load
from claudegpt_pkg.upstream.capability_store import remember
from tests.conftest import Run
from tests.support.auth_files import disk_with, write
from tests.support.fakes.backend import SOON, USAGE, FakeBackend
from tests.support.fakes.login import FakeLogin
from tests.support.fakes.trial import takes_trials, trials, trusts


@pytest.fixture
def openai(backend: FakeBackend, home: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "openai")
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("OPENAI_BASE_URL", backend.url)
    return takes_trials(backend)


@pytest.fixture
def login(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLogin]:
    with FakeLogin() as server:
        monkeypatch.setenv("CLAUDEGPT_AUTH_URL", server.url)
        yield server
        server.check()


@pytest.fixture
def plan(login: FakeLogin, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBackend]:
    """A ChatGPT plan, and a saved login that it accepts."""
    with FakeBackend("chatgpt", credentials=(), account_id="account-1") as backend:
        document = login.log_in()
        backend.credentials.add(document["tokens"]["access_token"])
        write(own_file(load().dirs.data).path, document)
        monkeypatch.setenv("CLAUDEGPT_PROVIDER", "chatgpt")
        monkeypatch.setenv("CODEX_BASE_URL", backend.url)
        yield takes_trials(backend)
        backend.check()


def as_rows(text: str) -> dict[str, str]:
    return dict(line.partition("\t")[::2] for line in text.splitlines())


# status


def test_a_plan_is_shown_with_its_quota(run: Run, plan: FakeBackend) -> None:
    soon = int(time.time()) + 1800
    page = {
        **USAGE,
        "rate_limit": {"primary_window": {**window(12, 18_000), "reset_at": soon}, "secondary_window": None},
    }
    plan.page("GET", "/backend-api/wham/usage", 200, page)
    status, out, _ = run("status")
    shown = as_rows(out)
    assert status == 0
    assert shown["provider"] == "chatgpt: ChatGPT Plus"
    assert (shown["account"], shown["plan"]) == ("ann@example.com", "ChatGPT Plus")
    assert shown["token"].startswith("expires ") and shown["server"].endswith(" answers")
    assert (shown["opus"], shown["sonnet"]) == ("GPT-6.1 Sol, 272k tokens", "GPT-6.1 Terra, 500k tokens")
    assert shown["5 hours"].startswith("██░░░░░░░░░░░░░░░░░░ 12% used, resets at ")
    assert time.strftime("%H:%M", time.localtime(soon)) in shown["5 hours"]
    assert shown["credits"] == "none"


def window(used: float, seconds: int) -> dict[str, Any]:
    return {"used_percent": used, "limit_window_seconds": seconds, "reset_at": 1_795_003_600}


def test_json_has_everything_that_status_shows(run: Run, plan: FakeBackend) -> None:
    status, out, err = run("status", "--json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert (found["ok"], found["provider"], found["plan"]) == (True, "chatgpt", "plus")
    assert found["account"] == {"email": "ann@example.com", "id": "account-1"}
    assert found["models"]["sonnet"]["window"] == 500_000
    assert [(limit["name"], limit["used_percent"]) for limit in found["limits"]] == [("5 hours", 12), ("1 week", 40)]
    assert datetime.fromisoformat(found["limits"][0]["resets_at"]).timestamp() == SOON
    assert found["expires_at"]


def test_a_revoked_login_is_found(run: Run, plan: FakeBackend, login: FakeLogin) -> None:
    plan.credentials.clear()
    login.logins[0].ended = True
    status, out, err = run("status")
    assert status == 3
    assert "Run `claudegpt login`." in err
    assert as_rows(out)["account"] == "ann@example.com"
    assert as_rows(out)["server"].endswith(" refuses this account")
    assert as_rows(out)["token"].startswith("expires ") and "renewed" not in as_rows(out)["token"]
    status, out, _ = run("status", "--json")
    assert (status, json.loads(out)["ok"]) == (3, False)
    plan.faults.clear()


def test_a_full_disk_is_not_blamed_on_the_server(run: Run, plan: FakeBackend) -> None:
    plan.credentials.clear()
    with disk_with(100):
        status, out, err = run("status")
    assert status == 2 and as_rows(out)["server"].endswith(" was not contacted")
    assert "chatgpt.json: File too large. Make room on the disk" in err
    plan.faults.clear()


def test_a_refused_token_is_renewed_once(run: Run, plan: FakeBackend, login: FakeLogin) -> None:
    trusts(plan, login)
    for given in login.logins[0].access:
        login.logins[0].access[given] = 0  # the server says it is over, the token itself does not
    assert run("status")[0] == 0
    assert login.renewals == 1
    plan.faults.clear()


@pytest.mark.parametrize("status", [403, 404, 429, 500])
def test_without_a_quota_the_list_of_models_proves_the_account(run: Run, plan: FakeBackend, status: int) -> None:
    plan.page("GET", "/backend-api/wham/usage", status, {"detail": "no"})
    exit_status, out, err = run("status")
    rows = as_rows(out)
    assert (exit_status, err) == (0, "") and "5 hours" not in rows and rows["server"].endswith(" answers")
    assert rows["quota"] == f"unknown: The server does not tell what is left of the plan (HTTP {status})."
    assert [request.path.partition("?")[0] for request in plan.others][-1] == "/backend-api/codex/models"
    found = json.loads(run("status", "--json")[1])
    assert (found["ok"], found["limits"]) == (True, []) and f"HTTP {status}" in found["quota_unknown"]


def test_an_api_key_is_proved_by_its_list_of_models(run: Run, openai: FakeBackend) -> None:
    status, out, _ = run("status")
    assert status == 0
    assert as_rows(out)["credential"] == "API key from the environment"
    assert {request.path for request in openai.others} == {"/v1/models"} and not trials(openai)


def test_a_server_without_a_list_is_tried_with_one_tiny_turn(run: Run, openai: FakeBackend) -> None:
    openai.page("GET", "/v1/models", 404, {"error": "none"})
    assert run("status")[0] == 0
    assert len(trials(openai)) == 1


def test_azure_is_tried_with_one_tiny_turn(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBackend("azure", deployments={"big": "gpt-6.1-sol"}) as azure:
        takes_trials(azure)
        monkeypatch.setenv("CLAUDEGPT_PROVIDER", "azure")
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", azure.origin)
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "test-key")
        monkeypatch.setenv("AZURE_OPENAI_CHAT_DEPLOYMENT", "big")
        status, out, _ = run("status")
        assert (status, len(trials(azure))) == (0, 1)
        assert as_rows(out)["opus"] == "big, 272k (assumed) tokens"
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "wrong")
        status, _, err = run("status")
        assert status == 3 and "does not accept the credential" in err


def test_the_demo_is_shown_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "demo")
    assert run("status")[0] == 0


def test_a_refused_key_is_status_3(run: Run, openai: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    status, _, err = run("status")
    assert status == 3 and "refused the credential" in err
    openai.faults.clear()


def test_without_an_account_status_names_the_next_step(run: Run) -> None:
    status, out, err = run("status")
    assert (status, out) == (2, "") and "Run `claudegpt setup`" in err
    status, out, err = run("status", "--json")
    assert (status, err) == (2, "") and "Run `claudegpt setup`" in json.loads(out)["error"]


def test_learned_capabilities_of_a_model_are_shown(run: Run, openai: FakeBackend) -> None:
    run("status")
    provider = Provider("openai", "", f"{openai.url}/responses", Tiers("", "", ""), account=account())
    remember(load().dirs.cache, provider, {"gpt-6-luna": Capabilities(web_search=False)})
    assert as_rows(run("status")[1])["haiku"] == "GPT-6 Luna, 1.05M tokens; no web search"
    row = next(line for line in run("models")[1].splitlines() if line.startswith("gpt-6-luna"))
    assert row.split("\t") == ["gpt-6-luna", "1.05M", "low medium high xhigh max", "haiku", "no web search"]
    assert "`claudegpt setup` tests it again" in run("models")[2]


def test_without_learned_capabilities_setup_is_not_mentioned(run: Run, openai: FakeBackend) -> None:
    assert "tests it again" not in run("models")[2]


def test_learned_effort_levels_replace_the_models_own(run: Run, openai: FakeBackend) -> None:
    run("status")
    provider = Provider("openai", "", f"{openai.url}/responses", Tiers("", "", ""), account=account())
    learnt = Capabilities(efforts=("low", "medium"), encrypted_reasoning=False)
    remember(load().dirs.cache, provider, {"gpt-6-luna": learnt})
    row = next(line for line in run("models")[1].splitlines() if line.startswith("gpt-6-luna"))
    assert row.split("\t")[2:] == ["low medium", "haiku", "no encrypted reasoning"]
    told = json.loads(run("status", "--json")[1])["models"]["haiku"]
    assert (told["efforts"], told["encrypted_reasoning"], told["web_search"]) == (["low", "medium"], False, True)


def account() -> str:
    from claudegpt_pkg.assembly import backend

    return backend(load())[0].account


# What is left of a plan.


@pytest.mark.parametrize(("used", "full"), [(0, 0), (2, 0), (3, 1), (50, 10), (100, 20), (130, 20)])
def test_the_bar_is_as_full_as_the_quota_is_used(used: float, full: int) -> None:
    shown = bar(Window(used, 18_000), 0)
    assert (shown.count("█"), shown.count("░")) == (full, 20 - full)
    assert f" {used:g}% used" in shown


# models


def test_every_model_is_listed_with_its_tier(run: Run, plan: FakeBackend) -> None:
    status, out, _ = run("models")
    assert status == 0
    assert [line.split("\t")[:4] for line in out.splitlines()] == [
        ["gpt-6.1-sol", "272k", "low medium high xhigh max", "opus"],
        ["gpt-6.1-terra", "500k", "low medium high xhigh max", "sonnet"],
        ["gpt-6-luna", "272k", "low medium high xhigh max", "haiku"],
        ["gpt-5.5", "272k", "low medium high xhigh max", ""],
    ]


def test_a_chosen_model_that_no_list_has_is_shown(
    run: Run, openai: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDEGPT_OPENAI_OPUS", "gpt-7-preview-high")
    first = run("models")[1].splitlines()[0]
    assert first.split("\t") == ["gpt-7-preview-high", "272k (assumed)", "", "opus", ""]


def test_the_saved_list_is_shown_if_the_server_fails(
    run: Run, openai: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run("models")[1]
    openai.page("GET", "/v1/models", 503, {"error": {"message": "Busy."}})
    status, out, err = run("models")
    assert (status, out) == (0, before)
    assert "The list below was saved earlier." in err


def test_the_built_in_list_is_shown_if_there_is_no_saved_one(
    run: Run, plan: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_BASE_URL", "http://127.0.0.1:9/backend-api/codex")
    status, out, err = run("models")
    assert status == 0 and out.startswith("gpt-6.1-sol")
    assert (
        ": Connection refused. Check the address and the network. The list below is the one built into claudegpt."
        in err
    )
    status, _, err = run("status")
    assert status == 1 and ": Connection refused. Check the address and the network." in err
