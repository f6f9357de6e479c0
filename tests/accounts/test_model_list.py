from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from claudegpt_pkg import assembly
from claudegpt_pkg.accounts import model_list
from claudegpt_pkg.accounts.model_list import ModelList, NoList, read_cached, refresh, refresh_now
from claudegpt_pkg.accounts.providers.base import Provider
from claudegpt_pkg.errors import NotLoggedIn, UpstreamFailed
from claudegpt_pkg.models import KNOWN, Model, Tiers
from claudegpt_pkg.settings.settings import Settings, load
from tests.support.fakes.backend import FakeBackend
from tests.support.transports import response

BUILT_IN = Tiers("built-in-opus", "built-in-sonnet", "built-in-haiku")
PROVIDER = Provider(
    name="chatgpt",
    label="ChatGPT Plus",
    url="https://backend.test/codex/responses",
    tiers=BUILT_IN,
    models_url="https://backend.test/codex/models",
    account="acc",
    fixed_headers={"originator": "claudegpt"},
)


def entry(slug: str, **more: Any) -> dict[str, Any]:
    levels = [{"effort": effort, "description": "x"} for effort in ("low", "medium", "high", "xhigh")]
    return {"slug": slug, "context_window": 272_000, "supported_reasoning_levels": levels, "priority": 9, **more}


class Server:
    """Answers with `said`; 304 to who has its ETag."""

    def __init__(self, said: Any, *, status: int = 200, etag: str | None = '"1"'):
        self.said, self.status, self.etag = said, status, etag
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.etag and request.headers.get("if-none-match") == self.etag:
            return response(304, b"")
        headers = {"etag": self.etag} if self.etag else {}
        text = self.said if isinstance(self.said, str) else json.dumps(self.said)
        return response(self.status, text.encode(), headers)


def ask(server: Server, folder: Path, provider: Provider = PROVIDER) -> ModelList:
    return refresh_now(provider, folder, httpx.MockTransport(server))


def settings_for(url: str, folder: Path, **more: str) -> Settings:
    own = {"CLAUDEGPT_PROVIDER": "openai", "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "test-key", **more}
    return load(own, {"HOME": str(folder), "CLAUDEGPT_HOME": str(folder)})


def ids(models: tuple[Model, ...]) -> list[str]:
    return [model.id for model in models]


def test_windows_and_efforts_are_the_accounts(tmp_path: Path) -> None:
    found = ask(Server({"models": [entry("gpt-6.1-sol", context_window=300_000)]}), tmp_path)
    model = found.models["gpt-6.1-sol"]
    assert (model.window, model.efforts) == (300_000, ("low", "medium", "high", "xhigh"))
    assert model.price == KNOWN["gpt-6.1-sol"].price


def test_the_offered_come_in_the_servers_order_and_the_hidden_are_known_all_the_same(tmp_path: Path) -> None:
    rows = [
        entry("gpt-6-luna", priority=5),
        entry("gpt-secret", visibility="hide", priority=0),
        entry("gpt-6.1-sol", priority=1),
        entry("gpt-new", priority=None),
    ]
    found = ask(Server({"models": rows}), tmp_path)
    assert ids(found.offered) == ["gpt-6.1-sol", "gpt-6-luna", "gpt-new"]
    assert ids(found.hidden) == ["gpt-secret"]


def test_a_model_never_heard_of_is_taken_as_it_comes(tmp_path: Path) -> None:
    found = ask(Server({"models": [entry("gpt-9-nova", context_window=5_000_000)]}), tmp_path)
    assert found.models["gpt-9-nova"].window == 5_000_000


@pytest.mark.parametrize(
    "row",
    [
        {"slug": "gpt-6-sol"},
        {"slug": "gpt-6-sol", "context_window": None, "supported_reasoning_levels": None},
        {"slug": "gpt-6-sol", "context_window": "many", "supported_reasoning_levels": [{"effort": "ultra"}, 5, {}]},
        {"slug": "gpt-6-sol", "context_window": 0, "supported_reasoning_levels": []},
    ],
)
def test_what_an_entry_does_not_say_the_table_does(tmp_path: Path, row: dict[str, Any]) -> None:
    assert ask(Server({"models": [row]}), tmp_path).models["gpt-6-sol"] == KNOWN["gpt-6-sol"]


@pytest.mark.parametrize("row", [None, 5, {}, {"slug": ""}, {"slug": 5}, []])
def test_an_entry_that_is_none_is_passed_over(tmp_path: Path, row: Any) -> None:
    assert ids(ask(Server({"models": [row, entry("gpt-6-sol")]}), tmp_path).offered) == ["gpt-6-sol"]


@pytest.mark.parametrize(
    "name",
    ["\x1b[2J", "a\x1b]52;c;aGk=\x07", "a\u202eb", "a\x00b", "a\nb", "\ud800", "x" * 200_000, "  ", 5, ["a"], {"a": 1}],
)
@pytest.mark.parametrize("field", ["slug", "id"])
def test_a_name_that_cannot_be_printed_is_left_out(tmp_path: Path, field: str, name: Any) -> None:
    kind = "models" if field == "slug" else "data"
    found = ask(Server({kind: [{field: name}, {field: "gpt-6-sol"}]}), tmp_path)
    assert ids(found.offered) == ["gpt-6-sol"] and not found.hidden


@pytest.mark.parametrize(
    "said",
    ["[" * 100_000, '{"data": [{"id": "a", "x": ' + "[" * 100_000, '{"data": ' + "9" * 5000 + "}", "\ufeff{}"],
    ids=range(4),
)
def test_a_list_that_no_parser_can_read_is_an_error_in_words(tmp_path: Path, said: str) -> None:
    with pytest.raises(NoList, match="could not read the server's list of models"):
        ask(Server(said), tmp_path)


@pytest.mark.parametrize("priority", [10**400, float("inf"), float("nan"), "1", True, [1]])
def test_an_odd_priority_does_not_break_the_order(tmp_path: Path, priority: Any) -> None:
    rows = [entry("gpt-odd", priority=priority), entry("gpt-6-sol", priority=0)]
    assert ids(ask(Server({"models": rows}), tmp_path).offered) == ["gpt-6-sol", "gpt-odd"]


def test_an_etag_that_cannot_be_sent_back_is_not_kept(tmp_path: Path) -> None:
    ask(Server({"models": [entry("gpt-6-sol")]}), tmp_path)
    file = model_list.cache_file(tmp_path, str(PROVIDER.models_url), "acc")
    file.write_text(file.read_text().replace('"\\"1\\""', '"a\\r\\nx: y"'))
    server = Server({"models": [entry("gpt-7-sol")]})
    assert ids(ask(server, tmp_path).offered) == ["gpt-7-sol"]
    assert "if-none-match" not in server.requests[0].headers


OF_A_KEY = ["gpt-6.1-sol", "gpt-6.1-sol-pro", "gpt-6-luna", "gpt-5.4", "gpt-5.4-mini", "gpt-5.3-codex"]
OF_OTHER_KINDS = [
    "text-embedding-4", "text-embedding-ada-002", "gpt-6-embedding", "gpt-4o-audio-preview", "gpt-audio-1.5",
    "gpt-realtime-2", "whisper-2", "gpt-5-search-api", "gpt-5.4-transcribe", "tts-1-hd", "gpt-5o-mini-tts", "dall-e-3",
    "gpt-image-2", "chatgpt-image-latest", "sora-2-pro", "omni-moderation-latest", "computer-use-preview",
    "o4-mini-deep-research",
]  # fmt: skip
OF_YEARS_AGO = ["gpt-5.4-2026-03-01", "o3", "o1-pro", "gpt-4.1", "gpt-4o", "gpt-3.5-turbo-1106", "davinci-002"]


def test_of_an_openai_keys_list_the_models_that_converse_are_offered_newest_first(tmp_path: Path) -> None:
    names = sorted([*OF_A_KEY, *OF_OTHER_KINDS, *OF_YEARS_AGO])
    found = ask(Server({"object": "list", "data": [{"id": name, "object": "model"} for name in names]}), tmp_path)
    assert ids(found.offered) == OF_A_KEY
    assert set(ids(found.hidden)) == {*OF_OTHER_KINDS, *OF_YEARS_AGO}


def test_a_family_nobody_has_heard_of_is_offered_behind_those_we_know(tmp_path: Path) -> None:
    found = ask(Server({"data": [{"id": "aurora-1"}, {"id": "gpt-6.1-sol"}]}), tmp_path)
    assert ids(found.offered) == ["gpt-6.1-sol", "aurora-1"]


@pytest.mark.parametrize(
    ("listed", "offered"),
    [
        (["qwen3:32b", "llama4", "nomic-embed-text:latest", "bge-m3"], ["qwen3:32b", "llama4"]),
        (["gpt-oss:20b", "qwen3-coder:30b", "llama3.2-vision"], ["gpt-oss:20b", "qwen3-coder:30b", "llama3.2-vision"]),
        (["gpt-4.1", "o3"], ["gpt-4.1", "o3"]),  # a gateway that has nothing else
        (
            ["openai/gpt-6.1-sol", "anthropic/claude-x", "gpt-5.5"],
            ["gpt-5.5", "openai/gpt-6.1-sol", "anthropic/claude-x"],
        ),
        (["text-embedding-3-small"], ["text-embedding-3-small"]),
    ],
)
def test_a_server_of_the_users_own_offers_all_that_converse(
    tmp_path: Path, listed: list[str], offered: list[str]
) -> None:
    assert ids(ask(Server({"data": [{"id": name} for name in listed]}), tmp_path).offered) == offered


def test_the_list_is_saved_for_the_next_start(tmp_path: Path) -> None:
    found = ask(Server({"models": [entry("gpt-6.1-sol"), entry("gpt-x", visibility="hide")]}), tmp_path)
    assert read_cached(tmp_path, str(PROVIDER.models_url), "acc") == found
    assert found.etag == '"1"'


def test_the_list_of_one_account_is_not_anothers(tmp_path: Path) -> None:
    ask(Server({"models": [entry("gpt-6.1-sol")]}), tmp_path)
    assert read_cached(tmp_path, str(PROVIDER.models_url), "other") is None
    assert read_cached(tmp_path, "https://elsewhere.test/models", "acc") is None


def test_an_unchanged_list_is_not_sent_again(tmp_path: Path) -> None:
    server = Server({"models": [entry("gpt-6.1-sol")]})
    first = ask(server, tmp_path)
    assert ask(server, tmp_path) == first
    assert server.requests[1].headers["if-none-match"] == '"1"'
    assert server.requests[1].headers["originator"] == "claudegpt"


def test_a_changed_list_replaces_the_old(tmp_path: Path) -> None:
    ask(Server({"models": [entry("gpt-6.1-sol")]}), tmp_path)
    ask(Server({"models": [entry("gpt-7-sol")]}, etag='"2"'), tmp_path)
    saved = read_cached(tmp_path, str(PROVIDER.models_url), "acc")
    assert saved and ids(saved.offered) == ["gpt-7-sol"] and saved.etag == '"2"'


def test_the_same_without_blocking(tmp_path: Path) -> None:
    async def run() -> ModelList:
        return await refresh(PROVIDER, tmp_path, httpx.MockTransport(Server({"models": [entry("gpt-6.1-sol")]})))

    assert ids(asyncio.run(run()).offered) == ["gpt-6.1-sol"]


@pytest.mark.parametrize(
    ("said", "status", "raised"),
    [
        ({"detail": "no"}, 401, NotLoggedIn),
        ({"detail": "no"}, 500, UpstreamFailed),
        ("<html>", 200, UpstreamFailed),
        ([], 200, UpstreamFailed),
        ({"models": "none"}, 200, UpstreamFailed),
        ("<html>cloudflare</html>", 403, UpstreamFailed),
    ],
)
def test_what_is_no_list_is_said_and_the_saved_one_stays(
    tmp_path: Path, said: Any, status: int, raised: type[Exception]
) -> None:
    before = ask(Server({"models": [entry("gpt-6.1-sol")]}), tmp_path)
    with pytest.raises(raised, match="ChatGPT Plus"):
        ask(Server(said, status=status, etag='"2"'), tmp_path)
    assert read_cached(tmp_path, str(PROVIDER.models_url), "acc") == before


def test_a_server_that_is_away_is_said(tmp_path: Path) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    with pytest.raises(UpstreamFailed, match=r"cannot be reached at .*: no route\."):
        refresh_now(PROVIDER, tmp_path, httpx.MockTransport(away))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"etag": null}',
        '{"etag": null, "offered": [{"id": "x"}], "hidden": []}',
        '{"etag": 1, "offered": 5, "hidden": 5}',
    ],
)
def test_a_saved_list_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    model_list.cache_file(tmp_path, "https://x", "").write_text(text)
    assert read_cached(tmp_path, "https://x") is None


def test_a_disk_that_cannot_be_written_only_costs_the_saving(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert ids(ask(Server({"models": [entry("gpt-6.1-sol")]}), tmp_path / "file").offered) == ["gpt-6.1-sol"]


# The model per tier.


def tiers(*offered: str) -> Tiers:
    return model_list.newest_tiers([Model(name, 1) for name in offered], BUILT_IN)


def test_with_nothing_on_offer_the_built_in_answer_counts() -> None:
    assert tiers() == BUILT_IN


def test_each_tier_gets_the_newest_of_its_size() -> None:
    offered = ["gpt-6-sol", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna", "gpt-5.6-luna", "gpt-10-terra"]
    assert tiers(*offered) == Tiers("gpt-6.1-sol", "gpt-10-terra", "gpt-6-luna")


def test_a_size_that_is_not_on_offer_is_served_by_the_next_larger() -> None:
    assert tiers("gpt-6.1-sol") == Tiers("gpt-6.1-sol", "gpt-6.1-sol", "gpt-6.1-sol")
    assert tiers("gpt-6.1-sol", "gpt-6.1-terra") == Tiers("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6.1-terra")


def test_older_sizes_are_known_too() -> None:
    assert tiers("gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano") == Tiers("gpt-5.4", "gpt-5.4", "gpt-5.4-mini")


def test_a_local_servers_first_model_serves_all() -> None:
    assert tiers("qwen3:32b", "llama4") == Tiers("qwen3:32b", "qwen3:32b", "qwen3:32b")


# When it is asked for.


def test_a_list_is_stale_when_it_was_never_seen_or_not_for_hours(tmp_path: Path) -> None:
    assert model_list.is_stale(tmp_path, str(PROVIDER.models_url), "acc")
    server = Server({"models": [entry("gpt-6.1-sol")]})
    ask(server, tmp_path)
    assert not model_list.is_stale(tmp_path, str(PROVIDER.models_url), "acc")
    (file,) = tmp_path.iterdir()
    os.utime(file, (0, 0))
    assert model_list.is_stale(tmp_path, str(PROVIDER.models_url), "acc")
    ask(server, tmp_path)  # 304: the same list, seen now
    assert not model_list.is_stale(tmp_path, str(PROVIDER.models_url), "acc")


def test_a_server_never_asked_before_is_asked_before_its_first_use(backend: FakeBackend, tmp_path: Path) -> None:
    backend.page("GET", "/v1/models", 200, {"data": [{"id": "qwen3:8b"}]})
    settings = settings_for(backend.url, tmp_path)
    assert assembly.backend(settings)[0].tiers == Tiers("qwen3:8b", "qwen3:8b", "qwen3:8b")
    assert assembly.backend(settings)[0].tiers.opus == "qwen3:8b"
    assert len(backend.others) == 1


def test_it_is_not_asked_where_the_user_has_named_every_model(backend: FakeBackend, tmp_path: Path) -> None:
    names = {f"CLAUDEGPT_OPENAI_{tier}": "llama4" for tier in ("OPUS", "SONNET", "HAIKU")}
    assert assembly.backend(settings_for(backend.url, tmp_path, **names))[0].tiers.haiku == "llama4"
    assert not backend.others


def test_a_server_without_a_list_is_used_with_the_built_in_one(backend: FakeBackend, tmp_path: Path) -> None:
    backend.page("GET", "/v1/models", 404, "<html>nothing here</html>")
    assert assembly.backend(settings_for(backend.url, tmp_path))[0].tiers.opus == "gpt-6.1-sol"
    assert assembly.backend(settings_for("http://127.0.0.1:9/v1", tmp_path))[0].tiers.opus == "gpt-6.1-sol"
