"""`claudegpt usage`: the sums of each period, for people and for programs, and the quota of a plan."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.accounts.auth.tokens import own_file
from claudegpt_pkg.cli import main
from claudegpt_pkg.records.spending import Spent
from claudegpt_pkg.records.usage_log import UsageEntry, append_lines, encode_entry, log_file
from claudegpt_pkg.settings.settings import load
from tests.conftest import Run
from tests.real.screen import Screen
from tests.support.auth_files import write
from tests.support.fakes.backend import USAGE, FakeBackend
from tests.support.fakes.login import FakeLogin
from tests.support.fakes.trial import takes_trials, trials

ROOT = Path(main.__file__).parents[2]
SOL = Spent(1, 10_000, 9_000, 500, 0.008)
LUNA = Spent(0, 1_000, 0, 20, 0.0001)


def use(
    spent: Spent = SOL, *, days: int = 0, model: str = "gpt-6.1-sol", provider: str = "openai", metered: bool = True
) -> None:
    """A line of the log, at noon so many days ago."""
    noon = datetime.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days)
    append_lines(
        log_file(load().dirs.state), encode_entry(UsageEntry(noon.timestamp(), provider, metered, model, spent))
    )


def table(out: str) -> dict[tuple[str, str], list[str]]:
    """By period and model: account, turns, tokens in, cached, out, list price."""
    return {(period, model): rest for period, model, *rest in (row.split("\t") for row in out.splitlines())}


def terminal(*words: str, columns: int) -> list[str]:
    """The lines that `claudegpt WORDS…` leaves on a terminal."""
    command = f"{sys.executable} -P -m claudegpt_pkg {' '.join(words)}; echo over"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    with Screen(["sh", "-c", command], cwd=ROOT, env=env, columns=columns, lines=60) as screen:
        screen.wait_for(re.compile("^over$", re.M))
        return screen.text.splitlines()[:-1]


# Adding up.


def test_each_model_is_summed_and_all_together(run: Run) -> None:
    for _ in range(3):
        use()
    use(LUNA, model="gpt-6-luna")
    status, out, err = run("usage")
    assert (status, err) == (0, "")
    rows = table(out)
    assert rows["today", "gpt-6.1-sol"] == ["openai", "3", "30000", "0.90", "1500", "0.024000"]
    assert rows["today", "gpt-6-luna"] == ["openai", "0", "1000", "0.00", "20", "0.000100"]
    assert rows["today", "all"] == ["", "3", "31000", "0.87", "1520", "0.024100"]
    assert [period for period, _ in rows] == ["today"] * 3 + ["last 7 days"] * 3 + ["last 30 days"] * 3


def test_a_single_model_has_no_row_for_all(run: Run) -> None:
    use()
    assert list(table(run("usage")[1])) == [
        ("today", "gpt-6.1-sol"),
        ("last 7 days", "gpt-6.1-sol"),
        ("last 30 days", "gpt-6.1-sol"),
    ]


@pytest.mark.parametrize(("days", "counts"), [(0, "111"), (1, "011"), (6, "011"), (7, "001"), (29, "001"), (30, "000")])
def test_a_period_counts_days_including_today(run: Run, days: int, counts: str) -> None:
    use(days=days)
    found = json.loads(run("usage", "--json")[1])
    assert "".join(str(found[name]["turns"]) for name in ("today", "last_7_days", "last_30_days")) == counts


def test_a_day_begins_at_local_midnight(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    midnight = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    for moment in (midnight - 1, midnight):
        append_lines(log_file(load().dirs.state), encode_entry(UsageEntry(moment, "openai", True, "gpt-6.1-sol", SOL)))
    found = json.loads(run("usage", "--json")[1])
    assert (found["today"]["turns"], found["last_7_days"]["turns"]) == (1, 2)


def test_the_same_model_of_two_accounts_has_two_rows(run: Run) -> None:
    use()
    use(provider="azure")
    use(provider="chatgpt", metered=False)
    assert len(json.loads(run("usage", "--json")[1])["today"]["models"]) == 3


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        (["paid"], "0.008000"),
        (["plan"], "on your plan"),
        (["unpriced"], "unknown"),
        (["paid", "plan"], "0.008000 + plan"),
        (["paid", "unpriced"], "unknown"),
        (["plan", "unpriced"], "unknown + plan"),
    ],
)
def test_the_cost_separates_what_is_paid_from_what_is_on_a_plan(run: Run, sources: list[str], told: str) -> None:
    for source in sources:
        spent = Spent(1, 10, 0, 1, None) if source == "unpriced" else SOL
        use(spent, model=source, provider="chatgpt" if source == "plan" else "openai", metered=source != "plan")
    *_, whole = run("usage")[1].splitlines()
    assert whole.split("\t")[-1] == told


def test_json_has_every_period_and_model(run: Run) -> None:
    use(days=1)
    use()
    use(provider="codex", metered=False)
    status, out, err = run("usage", "--json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert list(found) == ["since", "today", "last_7_days", "last_30_days", "limits", "credits"]
    assert found["since"] == f"{datetime.now() - timedelta(1):%Y-%m-%d}"
    models = found["today"].pop("models")
    assert found["today"] == {"turns": 2, "tokens_in": 20_000, "cached": 18_000, "tokens_out": 1_000, "cost": 0.008}
    assert [(model["provider"], model["metered"], model["cost"]) for model in models] == [
        ("openai", True, 0.008),
        ("codex", False, 0),
    ]


def test_an_empty_log_is_reported(run: Run) -> None:
    assert run("usage") == (0, "", "claudegpt: No usage yet. Each answer is counted from now on.\n")
    found = json.loads(run("usage", "--json")[1])
    assert found["since"] is None and found["today"]["turns"] == 0


def test_an_unreadable_log_is_reported(run: Run) -> None:
    log_file(load().dirs.state).mkdir(parents=True)
    status, out, err = run("usage")
    assert (status, out) == (2, "") and "Cannot read" in err


@pytest.mark.parametrize("words", [["nope"], ["--nope"]])
def test_wrong_words_show_the_usage(run: Run, words: list[str]) -> None:
    status, out, err = run("usage", *words)
    assert (status, out) == (2, "") and "Usage: claudegpt usage" in err


# On a terminal.


def test_usage_fits_80_columns(home: Path) -> None:
    for _ in range(3):
        use(Spent(40, 3_100_000, 2_900_000, 99_000, 12.345), model="gpt-6.1-terra", days=3)
    use(LUNA, model="gpt-6-luna")
    heading, *rows, note = terminal("usage", columns=80)
    assert max(map(len, [heading, *rows])) <= 80
    assert heading.split() == ["model", "account", "turns", "tokens", "in", "cached", "out", "list", "price"]
    assert rows[0].split() == ["today", "gpt-6-luna", "openai", "0", "1k", "0%", "20", "$0.0001"]
    assert rows[1].split() == ["last", "7", "days", "gpt-6.1-terra", "openai", "120", "9.3M", "94%", "297k", "$37.04"]
    assert [row.split()[0] for row in rows[2:4]] == ["gpt-6-luna", "all"]
    assert note == f"claudegpt: Counting began on {datetime.now() - timedelta(3):%a %d %b %Y}."


def test_usage_keeps_its_row_names_at_60_columns(home: Path) -> None:
    use(Spent(40, 3_100_000, 2_900_000, 99_000, 12.345), model="gpt-6.1-terra", days=3)
    use(LUNA, model="gpt-6-luna")
    use(provider="chatgpt", metered=False)
    heading, *rows, _ = terminal("usage", columns=60)
    assert max(map(len, [heading, *rows])) <= 60
    assert [row[:12].strip() for row in rows if row[:12].strip()] == ["today", "last 7 days", "last 30 days"]
    assert "list price" in heading and any("gpt-6.1-terra" in row for row in rows)


def test_the_begin_of_counting_is_left_out_if_it_is_long_ago(home: Path) -> None:
    use(days=40)
    use()
    assert not terminal("usage", columns=80)[-1].startswith("claudegpt:")


# A ChatGPT plan.


@pytest.fixture
def plan(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBackend]:
    """A ChatGPT plan, and a saved login that it accepts."""
    with FakeLogin() as login, FakeBackend("chatgpt", credentials=(), account_id="account-1") as backend:
        document = login.log_in()
        backend.credentials.add(document["tokens"]["access_token"])
        write(own_file(load().dirs.data).path, document)
        monkeypatch.setenv("CLAUDEGPT_AUTH_URL", login.url)
        monkeypatch.setenv("CLAUDEGPT_PROVIDER", "chatgpt")
        monkeypatch.setenv("CODEX_BASE_URL", backend.url)
        yield backend
        backend.check()


def test_a_plans_quota_is_shown_as_status_shows_it(run: Run, plan: FakeBackend) -> None:
    window = {"used_percent": 12, "limit_window_seconds": 18_000, "reset_at": int(time.time()) + 1800}
    page: dict[str, Any] = {**USAGE, "rate_limit": {"primary_window": window, "secondary_window": None}}
    plan.page("GET", "/backend-api/wham/usage", 200, page)
    use(provider="chatgpt", metered=False)
    out = run("usage")[1].splitlines()
    assert [row.partition("\t")[0] for row in out] == ["today", "last 7 days", "last 30 days", "5 hours", "credits"]
    assert out[-2] in run("status")[1].splitlines()
    assert json.loads(run("usage", "--json")[1])["limits"] == json.loads(run("status", "--json")[1])["limits"]


def test_usage_is_shown_though_the_server_fails(run: Run, plan: FakeBackend) -> None:
    plan.page("GET", "/backend-api/wham/usage", 503, {"detail": "Busy."})
    use(provider="chatgpt", metered=False)
    status, out, err = run("usage")
    assert (status, len(out.splitlines())) == (0, 3) and "does not tell what is left of the plan (HTTP 503)" in err
    status, out, _ = run("usage", "--json")
    assert (status, json.loads(out)["limits"]) == (0, [])


def test_usage_is_shown_without_a_login(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "chatgpt")
    use()
    status, out, err = run("usage")
    assert (status, len(out.splitlines())) == (0, 3) and "claudegpt login" in err


def test_no_server_is_contacted_for_an_account_without_a_plan(
    run: Run, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "openai")
    monkeypatch.setenv("OPENAI_BASE_URL", backend.url)
    use()
    assert run("usage")[0] == 0
    assert not backend.others and not backend.requests


def test_a_trial_turn_counts_as_usage(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBackend("openai") as backend:
        takes_trials(backend).page("GET", "/v1/models", 404, {"error": "none"})
        monkeypatch.setenv("CLAUDEGPT_PROVIDER", "openai")
        monkeypatch.setenv("OPENAI_API_KEY", "test-key")
        monkeypatch.setenv("OPENAI_BASE_URL", backend.url)
        assert run("status")[0] == 0
        (trial,) = trials(backend)
    found = json.loads(run("usage", "--json")[1])["today"]
    assert (found["turns"], found["tokens_in"]) == (1, trial.usage["input_tokens"])


# Harmless.


def test_nothing_in_the_log_steers_the_terminal_it_is_piped_to(run: Run) -> None:
    use(model="a\x1b]52;c;cm0=\x07b\0c\u202ed\x9b2Je\u2028f\rg\nh\ti", provider="x\x1b[2J")
    for words in (["usage"], ["usage", "--json"]):
        out = run(*words)[1]
        assert all(sign.isprintable() or sign in "\n\t" for sign in out)
    assert {line.count("\t") for line in run("usage")[1].splitlines()} == {7}
