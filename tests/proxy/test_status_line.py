"""The status line: what Claude Code tells, what the session used, one line; and the small program between them."""

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

from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.claude import status_line_command as program
from claudegpt_pkg.proxy.status_line import left, limit, status_line
from claudegpt_pkg.records.session_usage import QuotaWindow
from tests.support.fakes.answers import answer
from tests.support.fakes.backend import FakeBackend
from tests.support.served import TOKEN, Served, ask, served

USAGE = {
    "input_tokens": 100,
    "output_tokens": 50,
    "cache_creation_input_tokens": 400,
    "cache_read_input_tokens": 14_000,
}
TOLD = {
    "model": {"id": "gpt-6.1-sol", "display_name": "GPT-6.1 Sol"},
    "effort": {"level": "high"},
    "context_window": {"context_window_size": 200_000, "current_usage": USAGE},
}


def line(proxy: Served, told: Mapping[str, Any]) -> str:
    return status_line(told, proxy.proxy)


def test_the_line_before_the_first_turn(backend: FakeBackend, tmp_path: Path) -> None:
    with served(backend, tmp_path) as proxy:
        first = {"model": {"id": "gpt-6.1-sol[1m]"}, "context_window": {"current_usage": None}}
        assert line(proxy, first) == "GPT-6.1 Sol"
        assert line(proxy, {}) == "GPT-6.1 Sol"


def test_the_line_says_model_effort_context_and_cache(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer("one"))
    with served(backend, tmp_path) as proxy:
        proxy.events(ask("x"))
        assert line(proxy, TOLD) == "GPT-6.1 Sol · high · 14.5k of 1.05M (1%) · 0% cached"
        assert status_line(TOLD, proxy.proxy, 272_000) == "GPT-6.1 Sol · high · 14.5k of 272k (5%) · 0% cached"


def test_the_effort_is_the_one_that_is_sent(backend: FakeBackend, tmp_path: Path) -> None:
    with served(backend, tmp_path) as proxy:
        assert line(proxy, {**TOLD, "model": {"id": "gpt-6-luna"}}).startswith("GPT-6 Luna · low · ")
        assert line(proxy, {**TOLD, "model": {"id": "gpt-5.5-max"}}).startswith("GPT-5.5 · xhigh · ")


def test_the_effort_is_one_that_the_model_was_seen_to_take(backend: FakeBackend, tmp_path: Path) -> None:
    with served(backend, tmp_path) as proxy:
        proxy.proxy.learned["gpt-6.1-sol"] = Capabilities(efforts=("low", "medium"))
        assert line(proxy, TOLD).startswith("GPT-6.1 Sol · medium · ")


def test_of_a_plan_the_line_says_what_is_left_and_until_when(tmp_path: Path) -> None:
    with FakeBackend("chatgpt") as backend:
        backend.script(answer("one"))
        with served(backend, tmp_path) as proxy:
            proxy.events(ask("x"))
            assert re.search(r" · 60% of 7 d left, resets on \w+ \d+ \w+ at \d\d:\d\d$", line(proxy, TOLD))
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
def test_where_there_is_less_room_the_line_is_shorter(tmp_path: Path, columns: int, words: str) -> None:
    with FakeBackend("chatgpt") as backend:
        backend.script(answer("one"))
        with served(backend, tmp_path) as proxy:
            proxy.events(ask("x"))
            said = status_line(TOLD, proxy.proxy, 272_000, columns=columns)
            assert re.fullmatch(words, said)
            assert len(said) <= columns - 4 or columns == 20
        backend.check()


def test_in_few_words_a_limit_ends_at_a_time_on_a_day_or_at_a_date() -> None:
    now = time.mktime((2026, 11, 22, 10, 0, 0, 0, 0, -1))
    assert left(QuotaWindow(30, 300, now + 3600), now) == "70% left till 11:00"
    assert left(QuotaWindow(30, 10080, now + 86_400), now) == "70% left till Mon 10:00"
    assert left(QuotaWindow(30, 43200, now + 9 * 86_400), now) == "70% left till 01 Dec"
    assert left(QuotaWindow(30, 300, now + 3600)) == left(QuotaWindow(30), now) == "70% left"
    assert left(None, now) == ""


def test_a_limit_that_ends_today_is_told_by_the_clock() -> None:
    now = time.mktime((2026, 11, 22, 10, 0, 0, 0, 0, -1))
    assert limit(QuotaWindow(30, 300, now + 3600), now) == "70% of 5 h left, resets at 11:00"
    assert limit(QuotaWindow(130), now) == "0% left"


@pytest.mark.parametrize("body", [b"{", b"[]", b""])
def test_what_is_no_object_is_refused(backend: FakeBackend, tmp_path: Path, body: bytes) -> None:
    with served(backend, tmp_path) as proxy:
        proxy.error(body, "/status-line")


def run(url: str, told: Any, **more: str) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "COLUMNS": "", "ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": TOKEN, **more}
    words = [sys.executable, "-I", "-S", program.__file__]
    return subprocess.run(words, input=json.dumps(told).encode(), env=env, capture_output=True, check=False)


def test_the_program_prints_what_the_proxy_says(backend: FakeBackend, tmp_path: Path) -> None:
    with served(backend, tmp_path) as proxy:
        ran = run(proxy.url, TOLD)
        narrowed = run(proxy.url, TOLD, CLAUDE_CODE_AUTO_COMPACT_WINDOW="200000")
        narrow = run(proxy.url, TOLD, COLUMNS="40")
    assert (ran.returncode, ran.stdout.decode(), ran.stderr) == (0, "GPT-6.1 Sol · high · 14.5k of 1.05M (1%)\n", b"")
    assert narrowed.stdout.decode() == "GPT-6.1 Sol · high · 14.5k of 200k (7%)\n"
    assert narrow.stdout.decode() == "GPT-6.1 Sol · high · 1% of 1.05M\n"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", ""])
def test_without_a_proxy_it_is_silent(url: str) -> None:
    ran = run(url, TOLD)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
