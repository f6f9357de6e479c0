"""The usage log: one whole line for each answer, with many sessions, full disks and damaged files."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from claudegpt_pkg.errors import BadSetting
from claudegpt_pkg.records import usage_log
from claudegpt_pkg.records.spending import Spent
from claudegpt_pkg.records.usage_log import (
    UsageEntry,
    UsageLog,
    append_lines,
    encode_entry,
    log_file,
    older_log_file,
    read_entries,
)
from tests.support.fakes.answers import answer, error
from tests.support.fakes.backend import FakeBackend, wait_until
from tests.support.served import ask, chatgpt_plan, served, settings_for

ONE = UsageEntry(1_795_312_614.0, "openai", True, "gpt-6.1-sol", Spent(1, 41_200, 35_844, 1_200, 0.0264))


def test_entries_are_read_as_they_were_written(tmp_path: Path) -> None:
    uses = [
        ONE,
        UsageEntry(1_795_312_615.0, "chatgpt", False, "gpt-6-luna", Spent(0, 10, 0, 1, 0.0000015)),
        UsageEntry(1_795_312_616.0, "azure", True, 'our "große" one\n', Spent(1, 10, 0, 1, None)),
    ]
    append_lines(log_file(tmp_path), b"".join(map(encode_entry, uses)))
    assert list(read_entries(tmp_path)) == uses


def test_a_line_is_small_and_holds_no_more() -> None:
    assert encode_entry(ONE) == b'[1795312614,"openai",1,"gpt-6.1-sol",1,41200,35844,1200,0.0264]\n'


def test_the_log_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        append_lines(log_file(tmp_path / "state"), encode_entry(ONE))
    finally:
        os.umask(before)
    assert log_file(tmp_path / "state").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_entries_are_collected_for_a_moment_and_written_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_log, "DELAY", 0.01)
    writes: list[bytes] = []
    monkeypatch.setattr(usage_log, "append_lines", lambda file, lines: writes.append(lines))

    async def session() -> None:
        log = UsageLog(tmp_path)
        for _ in range(3):
            log.add(ONE)
        assert not writes
        await asyncio.to_thread(wait_until, lambda: bool(writes), "the log")
        log.add(ONE)
        log.flush()

    asyncio.run(session())
    assert writes == [encode_entry(ONE) * 3, encode_entry(ONE)]


def test_answers_are_logged_and_failures_are_not(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer("one"), error(400, "invalid_prompt", "no"), answer("two"))
    with served(backend, tmp_path) as proxy:
        first = proxy.message(ask("x", stream=False, tools=[{"name": "Bash", "input_schema": {"type": "object"}}]))
        proxy.error(ask("x"))
        proxy.events(ask("x", model="haiku"))
    turn, side = read_entries(tmp_path / "claudegpt" / "state")
    assert (turn.provider, turn.metered, turn.model, turn.spent.turns) == ("openai", True, "gpt-6.1-sol", 1)
    counts = first["usage"]
    assert turn.spent.tokens_in == sum(counts[name] for name in counts if name.endswith("input_tokens"))
    assert (turn.spent.tokens_out, side.spent.turns, side.model) == (counts["output_tokens"], 0, "gpt-6-luna")
    assert turn.spent.cost and turn.spent.cost > 0


def test_an_answer_that_a_plan_covers_is_marked(tmp_path: Path) -> None:
    with FakeBackend("chatgpt") as backend:
        backend.script(answer("one"))
        plan = replace(chatgpt_plan(backend.url, settings_for(backend.url, tmp_path)), metered=False)
        with served(backend, tmp_path, provider=plan) as proxy:
            proxy.events(ask("x"))
    (use,) = read_entries(tmp_path / "claudegpt" / "state")
    assert (use.provider, use.metered) == ("chatgpt", False)


# A file among many.

WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from claudegpt_pkg.records import usage_log
from claudegpt_pkg.records.spending import Spent
usage_log.FULL = int(sys.argv[3])
for number in range(200):
    use = usage_log.UsageEntry(float(number), sys.argv[2], True, "gpt-6.1-sol", Spent(1, number, 0, 1, 0.5))
    usage_log.append_lines(usage_log.log_file(Path(sys.argv[1])), usage_log.encode_entry(use))
"""


def write_together(folder: Path, full: int) -> None:
    """Four processes, 200 lines each."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    words = [sys.executable, "-P", "-c", WRITER, str(folder)]
    writers = [subprocess.Popen([*words, f"p{number}", str(full)], env=env) for number in range(4)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]


def test_sessions_that_write_at_once_lose_no_line(tmp_path: Path) -> None:
    write_together(tmp_path, usage_log.FULL)
    uses = list(read_entries(tmp_path))
    assert len(uses) == 800
    for name in ("p0", "p1", "p2", "p3"):
        assert [use.at for use in uses if use.provider == name] == list(range(200))


def test_sessions_that_see_a_full_log_at_once_keep_the_newest_entries(tmp_path: Path) -> None:
    """If the second session renamed the new file too, it would replace the full one and lose its entries."""
    full = 300 * len(encode_entry(UsageEntry(100.0, "p0", True, "gpt-6.1-sol", Spent(1, 100, 0, 1, 0.5))))
    write_together(tmp_path, full)
    assert {path.name for path in tmp_path.iterdir()} <= {"usage.jsonl", "usage-old.jsonl"}
    assert full <= older_log_file(tmp_path).stat().st_size < full + 500
    uses = list(read_entries(tmp_path))
    assert len(uses) >= 300 and all(use.spent.tokens_in == use.at for use in uses)
    assert max(use.at for use in uses) == 199


# Damaged files.


def test_a_damaged_line_is_passed_over(tmp_path: Path) -> None:
    broken = [
        b"",
        b"[1795312614,",
        b"null",
        b"{}",
        b"[]",
        b'["a","b",1,"c",1,2,3,4,5]',
        b"\xff",
        b"[1,2,3,4,5,6,7,8,{}]",
        b'[1e300,"",1,"",1,2,3,4,5]',
    ]
    append_lines(log_file(tmp_path), b"\n".join([*broken, encode_entry(ONE)]))
    assert list(read_entries(tmp_path)) == [ONE]


def test_a_field_of_a_later_version_is_ignored(tmp_path: Path) -> None:
    append_lines(log_file(tmp_path), encode_entry(ONE).replace(b"]", b',"more"]'))
    assert list(read_entries(tmp_path)) == [ONE]


def test_a_missing_log_is_an_empty_one(tmp_path: Path) -> None:
    assert list(read_entries(tmp_path / "nowhere")) == []


HOSTILE_LINES = {
    "nested": b"[" * 100_000 + b"]" * 100_000,
    "an endless number": b'[1,"a",1,"b",1,' + b"9" * 5_000 + b",0,0,0]",
    "a number beyond all": b'[1,"a",1,"b",1,1e400,0,0,0]',
    "a negative count": b'[1,"a",1,"b",1,-5,0,0,0]',
    "not UTF-8": b'[1,"a",1,"\xff",1,5,0,0,0]',
    "half a character": b'[1,"a",1,"\\ud83d",1,5,0,0,0]',
    "no number": b'[1,"a",1,"b",1,NaN,0,0,0]',
    "a far moment": b'[1e12,"a",1,"b",1,5,0,0,0]',
}


@pytest.mark.parametrize("kind", HOSTILE_LINES)
def test_a_hostile_line_is_passed_over(tmp_path: Path, kind: str) -> None:
    append_lines(log_file(tmp_path), HOSTILE_LINES[kind] + b"\n" + encode_entry(ONE))
    assert list(read_entries(tmp_path)) == [ONE]


def test_the_log_of_another_user_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append_lines(log_file(tmp_path), encode_entry(ONE))
    monkeypatch.setattr(usage_log, "is_own", lambda status: False)
    assert list(read_entries(tmp_path)) == []


def test_a_log_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    log_file(tmp_path).mkdir()
    with pytest.raises(BadSetting, match=r"Cannot read .*usage\.jsonl: Is a directory\."):
        list(read_entries(tmp_path))


@pytest.mark.parametrize("kind", ["a file in the way", "a folder in the way", "no room"])
def test_a_full_disk_does_not_fail_a_turn(
    backend: FakeBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    state = tmp_path / "claudegpt" / "state"
    if kind == "a file in the way":
        state.parent.mkdir()
        state.write_text("")
    elif kind == "a folder in the way":
        log_file(state).mkdir(parents=True)
    else:
        state.mkdir(parents=True)
        log_file(state).symlink_to("/dev/full")
    monkeypatch.setattr(usage_log, "DELAY", 0)
    backend.script(answer("a"), answer("b"))
    with served(backend, tmp_path, CLAUDEGPT_TRACE=0) as proxy:
        for _ in range(2):
            proxy.events(ask("x"))
            wait_until(lambda: not proxy.proxy.usage_log._waiting, "the log")  # type: ignore[union-attr]
