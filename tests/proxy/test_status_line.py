"""The status line: Claude Code's report and the session's usage as one line; and the command that asks for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.accounts.quota import Window
from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.claude import status_line_command as program
from claudegpt_pkg.proxy.status_line import format_quota, format_short_quota, status_line
from tests.support.fakes.answers import answer
from tests.support.fakes.backend import FakeBackend
from tests.support.served import TOKEN, Served, ask, served

USAGE = {
    "input_tokens": 100,
    "output_tokens": 50,
    "cache_creation_input_tokens": 400,
    "cache_read_input_tokens": 14_000,
}
REPORT = {
    "model": {"id": "gpt-6.1-sol", "display_name": "GPT-6.1 Sol"},
    "effort": {"level": "high"},
    "context_window": {"context_window_size": 200_000, "current_usage": USAGE},
}


def line(proxy: Served, report: Mapping[str, Any]) -> str:
    return status_line(report, proxy.proxy)


def test_the_line_before_the_first_turn(backend: FakeBackend, tmp_path: Path) -> None:
    with served(backend, tmp_path) as proxy:
        first = {"model": {"id": "gpt-6.1-sol[1m]"}, "context_window": {"current_usage": None}}
        assert line(proxy, first) == "GPT-6.1 Sol"
        assert line(proxy, {}) == "GPT-6.1 Sol"


def test_the_line_shows_model_effort_context_and_cache(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer("one"))
    with served(backend, tmp_path) as proxy:
        proxy.events(ask("x"))
        assert line(proxy, REPORT) == "GPT-6.1 Sol · high · 14.5k of 1.05M (1%) · 0% cached"
        assert status_line(REPORT, proxy.proxy, 272_000) == "GPT-6.1 Sol · high · 14.5k of 272k (5%) · 0% cached"


def test_the_effort_is_the_one_that_is_sent(backend: FakeBackend, tmp_path: Path) -> None:
    with served(backend, tmp_path) as proxy:
        assert line(proxy, {**REPORT, "model": {"id": "gpt-6-luna"}}).startswith("GPT-6 Luna · low · ")
        assert line(proxy, {**REPORT, "model": {"id": "gpt-5.5-max"}}).startswith("GPT-5.5 · xhigh · ")


def test_the_effort_is_one_that_the_model_takes(backend: FakeBackend, tmp_path: Path) -> None:
    with served(backend, tmp_path) as proxy:
        proxy.proxy.learned["gpt-6.1-sol"] = Capabilities(efforts=("low", "medium"))
        assert line(proxy, REPORT).startswith("GPT-6.1 Sol · medium · ")


def test_the_line_shows_the_quota_of_a_plan_and_when_it_resets(tmp_path: Path) -> None:
    with FakeBackend("chatgpt") as backend:
        backend.script(answer("one"))
        with served(backend, tmp_path) as proxy:
            proxy.events(ask("x"))
            assert re.search(r" · 60% of 7 d left, resets on \w+ \d+ \w+ at \d\d:\d\d$", line(proxy, REPORT))
        backend.check()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (140, r"GPT-6.1 Sol · high · 14.5k of 272k \(5%\) · 0% cached · 60% of 7 d left, resets on .+ at \d\d:\d\d"),
        (80, r"GPT-6.1 Sol · high · 5% of 272k · 0% cached · 60% left till .+"),
        (60, r"GPT-6.1 Sol · high · 5% of 272k · 60% left"),
        (20, r"GPT-6.1 Sol · high · 5% of 272k · 60% left"),
    ],
)
def test_the_line_is_shorter_if_there_is_less_room(tmp_path: Path, columns: int, words: str) -> None:
    with FakeBackend("chatgpt") as backend:
        backend.script(answer("one"))
        with served(backend, tmp_path) as proxy:
            proxy.events(ask("x"))
            said = status_line(REPORT, proxy.proxy, 272_000, columns=columns)
            assert re.fullmatch(words, said)
            assert len(said) <= columns - 4 or columns == 20
        backend.check()


def test_the_short_quota_ends_at_a_time_on_a_day_or_at_a_date() -> None:
    now = time.mktime((2026, 11, 22, 10, 0, 0, 0, 0, -1))
    assert format_short_quota(Window(30, 18_000, now + 3600), now) == "70% left till 11:00"
    assert format_short_quota(Window(30, 604_800, now + 86_400), now) == "70% left till Mon 10:00"
    assert format_short_quota(Window(30, 2_592_000, now + 9 * 86_400), now) == "70% left till 01 Dec"
    assert format_short_quota(Window(30, 18_000, now + 3600)) == format_short_quota(Window(30), now) == "70% left"
    assert format_short_quota(None, now) == ""


def test_a_window_that_resets_today_is_shown_with_the_time() -> None:
    now = time.mktime((2026, 11, 22, 10, 0, 0, 0, 0, -1))
    assert format_quota(Window(30, 18_000, now + 3600), now) == "70% of 5 h left, resets at 11:00"
    assert format_quota(Window(100), now) == "0% left"


def test_a_reset_that_lies_behind_us_is_not_shown() -> None:
    now = time.mktime((2026, 11, 22, 10, 0, 0, 0, 0, -1))
    past = Window(30, 18_000, now - 1)
    assert (format_quota(past, now), format_short_quota(past, now)) == ("70% of 5 h left", "70% left")


ODD_REPORTS: list[dict[str, Any]] = [
    {"model": 5, "effort": [], "context_window": "x"},
    {"model": {"id": ["gpt"]}, "effort": {"level": {}}},
    {"context_window": {"current_usage": {"input_tokens": 10**18}}},
    {"context_window": {"current_usage": {"input_tokens": -5, "cache_read_input_tokens": None}}},
    {"model": {"id": "gpt\x1b]52;c;cm0=\x07\nx\u202ey" + "z" * 100_000}},
]


@pytest.mark.parametrize("report", ODD_REPORTS)
def test_an_odd_report_costs_its_own_part_of_the_line(
    backend: FakeBackend, tmp_path: Path, report: dict[str, Any]
) -> None:
    with served(backend, tmp_path) as proxy:
        shown = line(proxy, report)
        assert shown and shown.isprintable()
        window = "9" * 5000
        answered = proxy.client.post("/status-line", params={"window": window, "columns": "²"}, json=report)
        assert answered.status_code == 200 and len(answered.text.splitlines()) == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b"[" * 100_000, b'{"a": "\\ud83d", "b": ' + b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(backend: FakeBackend, tmp_path: Path, body: bytes) -> None:
    with served(backend, tmp_path) as proxy:
        proxy.error(body, "/status-line")


def run(url: str, report: Any, *args: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "COLUMNS": "", "ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": TOKEN, **more}
    words = [sys.executable, "-I", "-S", program.__file__, *args]
    return subprocess.run(words, input=json.dumps(report).encode(), env=env, capture_output=True, check=False)


def test_the_command_prints_the_line_of_the_proxy(backend: FakeBackend, tmp_path: Path) -> None:
    with served(backend, tmp_path) as proxy:
        ran = run(proxy.url, REPORT)
        narrowed = run(proxy.url, REPORT, CLAUDE_CODE_AUTO_COMPACT_WINDOW="200000")
        narrow = run(proxy.url, REPORT, COLUMNS="40")
    assert (ran.returncode, ran.stdout.decode(), ran.stderr) == (0, "GPT-6.1 Sol · high · 14.5k of 1.05M (1%)\n", b"")
    assert narrowed.stdout.decode() == "GPT-6.1 Sol · high · 14.5k of 200k (7%)\n"
    assert narrow.stdout.decode() == "GPT-6.1 Sol · high · 1% of 1.05M\n"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", ""])
def test_the_command_is_silent_without_a_proxy(url: str) -> None:
    ran = run(url, REPORT)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


# The user's own script.

CLAUDES = {
    **REPORT,
    "cost": {"total_cost_usd": 12.5, "total_lines_added": 3},
    "context_window": {
        "context_window_size": 1_000_000,
        "used_percentage": 14,
        "remaining_percentage": 86,
        "current_usage": {**USAGE, "cache_read_input_tokens": 135_500},
    },
}


def test_the_users_script_gets_the_report_with_our_numbers(backend: FakeBackend, tmp_path: Path) -> None:
    with served(backend, tmp_path) as proxy:
        proxy.proxy.session_usage.windows = (Window(30, 18_000, 1_900_000_000), Window(7, 60, 0))
        report = json.loads(run(proxy.url, CLAUDES, "--run", "cat", CLAUDE_CODE_AUTO_COMPACT_WINDOW="272000").stdout)
    window = report["context_window"]
    assert (window["context_window_size"], window["used_percentage"], window["remaining_percentage"]) == (
        272_000,
        50,
        50,
    )
    assert report["cost"] == {"total_cost_usd": 0.0, "total_lines_added": 3}
    assert report["rate_limits"] == {"five_hour": {"used_percentage": 30, "resets_at": 1_900_000_000}}
    assert (report["model"], report["effort"]) == (CLAUDES["model"], CLAUDES["effort"])


def test_the_users_script_is_run_as_it_is(backend: FakeBackend, tmp_path: Path) -> None:
    with served(backend, tmp_path) as proxy:
        ran = run(proxy.url, REPORT, "--run", "printf 'a\\033[31mb'; echo \"$COLUMNS\" >&2; exit 3", COLUMNS="77")
        large = run(proxy.url, {**REPORT, "x": "y" * 200_000}, "--run", "wc -c")
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, b"a\x1b[31mb", b"77\n")
    assert int(large.stdout) > 200_000


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", ""])
def test_without_a_proxy_the_users_script_gets_the_report_as_it_was(url: str) -> None:
    assert json.loads(run(url, CLAUDES, "--run", "cat").stdout) == CLAUDES


@pytest.mark.parametrize("report", ODD_REPORTS)
def test_an_odd_report_reaches_the_users_script(backend: FakeBackend, tmp_path: Path, report: dict[str, Any]) -> None:
    with served(backend, tmp_path) as proxy:
        assert json.loads(run(proxy.url, report, "--run", "cat").stdout).get("model") == report.get("model")
