"""What was learned about an account's models: on disk, read back, and used in the next session's first request."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from claudegpt_pkg.accounts.providers.base import Provider
from claudegpt_pkg.accounts.providers.openai import openai
from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.models import Tiers
from claudegpt_pkg.proxy.app import create_app
from claudegpt_pkg.secret import Secret
from claudegpt_pkg.server import bind, serving
from claudegpt_pkg.upstream.capability_store import LASTS, capability_file, forget, recall, remember
from tests.support.fakes.answers import answer, error
from tests.support.fakes.backend import FakeBackend, wait_until
from tests.support.served import ask, served, settings_for

PROVIDER = Provider("azure", "Azure", "https://r.openai.azure.com/openai/v1/responses", Tiers("big", "big", "small"))
LEARNED = Capabilities(
    refused_fields=frozenset({"include", "reasoning"}),
    efforts=("low", "high"),
    summary=False,
    tool_search=False,
    web_search=False,
    media_in_outputs=False,
    refused_includes=frozenset({"reasoning.encrypted_content"}),
    encrypted_reasoning=False,
    phases=False,
    silent_search=True,
)


def test_everything_except_what_is_of_one_conversation_is_read_back(tmp_path: Path) -> None:
    remember(
        tmp_path, PROVIDER, {"big": replace(LEARNED, refused_reasoning=frozenset({"rs_1"})), "small": Capabilities()}
    )
    assert recall(tmp_path, PROVIDER) == {"big": LEARNED}


def test_what_another_session_stored_stays(tmp_path: Path) -> None:
    remember(tmp_path, PROVIDER, {"big": LEARNED})
    remember(tmp_path, PROVIDER, {"small": Capabilities(summary=False)})
    assert recall(tmp_path, PROVIDER) == {"big": LEARNED, "small": Capabilities(summary=False)}


def test_what_no_longer_holds_is_removed(tmp_path: Path) -> None:
    remember(tmp_path, PROVIDER, {"big": Capabilities(silent_search=True), "small": LEARNED})
    remember(tmp_path, PROVIDER, {"big": Capabilities()})
    assert recall(tmp_path, PROVIDER) == {"small": LEARNED}


def test_a_running_session_does_not_store_again_what_setup_deleted(backend: FakeBackend, tmp_path: Path) -> None:
    settings = settings_for(backend.url, tmp_path)
    provider, cache = replace(openai(settings), models_url=None), settings.dirs.cache
    remember(cache, provider, {"gpt-6-luna": LEARNED})
    backend.script(error(400, "unknown_parameter", "Unknown parameter: 'stream_options'."), answer("Yes."))
    with served(backend, tmp_path) as proxy:
        assert set(proxy.proxy.learned) == {"gpt-6-luna"}
        forget(cache, provider)
        proxy.events(ask())
    assert recall(cache, provider) == {"gpt-6.1-sol": Capabilities(refused_fields=frozenset({"stream_options"}))}


def test_each_account_at_each_address_has_its_own_file(tmp_path: Path) -> None:
    remember(tmp_path, PROVIDER, {"big": LEARNED})
    assert recall(tmp_path, replace(PROVIDER, account="other")) == {}
    assert recall(tmp_path, replace(PROVIDER, url="https://other/responses")) == {}


def test_a_file_lasts_a_week_from_its_first_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.time()
    remember(tmp_path, PROVIDER, {"big": LEARNED})
    monkeypatch.setattr(time, "time", lambda: began + LASTS / 2)
    remember(tmp_path, PROVIDER, {"big": LEARNED, "small": LEARNED})
    assert set(recall(tmp_path, PROVIDER)) == {"big", "small"}
    monkeypatch.setattr(time, "time", lambda: began + LASTS + 1)
    assert recall(tmp_path, PROVIDER) == {}


def test_a_file_can_be_deleted(tmp_path: Path) -> None:
    remember(tmp_path, PROVIDER, {"big": LEARNED})
    forget(tmp_path, PROVIDER)
    forget(tmp_path, PROVIDER)
    assert recall(tmp_path, PROVIDER) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"since": "x", "models": {}}',
        '{"since": 9e9, "models": {}}',
        '{"since": NOW, "models": {"big": {"web_search": "no"}}}',
        '{"since": NOW, "models": {"big": {"efforts": ["enormous"]}}}',
    ],
)
def test_a_file_that_cannot_be_read_counts_as_none(tmp_path: Path, text: str) -> None:
    capability_file(tmp_path, PROVIDER).write_text(text.replace("NOW", str(time.time())))
    assert recall(tmp_path, PROVIDER) == {}


def test_unknown_and_unstored_fields_are_ignored(tmp_path: Path) -> None:
    rows = {"big": {"parameters": ["include"]}, "odd": {"instructions": False, "refused_reasoning": ["rs_1"]}}
    capability_file(tmp_path, PROVIDER).write_text(json.dumps({"since": time.time(), "models": rows}))
    assert recall(tmp_path, PROVIDER) == {}


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remember(tmp_path / "file", PROVIDER, {"big": LEARNED})
    assert recall(tmp_path / "file", PROVIDER) == {}


def test_a_refusal_happens_once_and_not_in_every_session(backend: FakeBackend, tmp_path: Path) -> None:
    refusal = error(400, "unsupported_parameter", "Unsupported parameter: 'include' is not supported with this model.")
    backend.script(refusal, answer("First."), answer("Second."))
    with served(backend, tmp_path) as proxy:
        proxy.events(ask("hello"))
    with served(backend, tmp_path) as proxy:
        proxy.events(ask("hello"))
    assert ["include" in request.body for request in backend.requests] == [True, False, False]


def test_a_refused_search_is_left_out_in_later_sessions(backend: FakeBackend, tmp_path: Path) -> None:
    words = "Hosted tool 'web_search' is not supported with gpt-5.4-nano."
    backend.script(error(400, "invalid_request_error", words, param="tools"), answer("First."), answer("Second."))
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    for _ in range(2):
        with served(backend, tmp_path) as proxy:
            proxy.events(ask("hello", tools=[{"name": "Bash", "input_schema": {"type": "object"}}, search]))
    assert ["web_search" in request.raw.decode() for request in backend.requests] == [True, False, False]


# The list of models, in the background of a session.


@contextmanager
def session(backend: FakeBackend, folder: Path) -> Iterator[None]:
    settings = settings_for(backend.url, folder)
    provider = openai(settings)
    with serving(lambda: create_app(settings, provider, token=Secret("t")), bind("127.0.0.1", 0)) as server:
        server.ready()
        yield


def lists(folder: Path) -> list[Path]:
    return list((folder / "claudegpt" / "cache").glob("models-*.json"))


def test_a_session_brings_the_list_of_models_up_to_date_for_the_next(backend: FakeBackend, tmp_path: Path) -> None:
    with session(backend, tmp_path):
        wait_until(lambda: bool(lists(tmp_path)), "the list to be saved")
    assert [request.path for request in backend.others] == ["/v1/models"]


def test_a_list_that_is_old_is_asked_for_again(backend: FakeBackend, tmp_path: Path) -> None:
    with session(backend, tmp_path):
        wait_until(lambda: bool(lists(tmp_path)), "the list to be saved")
    os.utime(lists(tmp_path)[0], (0, 0))
    with session(backend, tmp_path):
        wait_until(lambda: len(backend.others) == 2, "the list to be asked for again")


def test_a_server_without_a_list_costs_nothing(backend: FakeBackend, tmp_path: Path) -> None:
    backend.page("GET", "/v1/models", 500, {"error": "broken"})
    with session(backend, tmp_path):
        wait_until(lambda: len(backend.others) == 1, "the list to be asked for")
    assert not lists(tmp_path)
