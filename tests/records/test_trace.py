"""The trace directory: private, in order, bounded, and never an obstacle."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.records import trace
from claudegpt_pkg.records.trace import Traces
from claudegpt_pkg.translate.answer.fold import Folder
from claudegpt_pkg.translate.wire import anthropic
from tests.support.fakes.backend import wait_until

MB = 2**20


@pytest.fixture(autouse=True)
def no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traces are written when the test says so."""
    monkeypatch.setattr(trace, "DELAY", 3600)


def keep(traces: Traces, name: str = "one", size: int = 2, record: Any = None, answer: Folder | None = None) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'
    traces.keep(name, record or {"id": name}, {"request": body, "sent": b"{}"}, answer or Folder())
    traces.flush()


def names(folder: Path) -> list[str]:
    """What the traces were kept under, oldest first."""
    return [path.stem.rpartition("-")[2] for path in sorted(folder.glob("*.json"))]


def test_a_trace_is_one_json_object(tmp_path: Path) -> None:
    folder = Folder()
    folder.add(anthropic.message_start(message_id="m", model="x", usage=anthropic.usage(input_tokens=1)))
    traces = Traces(tmp_path / "traces", MB)
    traces.keep("one", {"id": "one", "text": "日本"}, {"request": b'{"a": 1.0}', "sent": b"null"}, folder)
    traces.flush()
    (file,) = (tmp_path / "traces").iterdir()
    found = json.loads(file.read_bytes())
    assert list(found) == ["id", "text", "request", "sent", "answer"]
    assert found["request"] == {"a": 1.0} and found["sent"] is None and found["answer"]["id"] == "m"


def test_files_and_their_directory_are_the_owners_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keep(Traces(tmp_path / "deep" / "traces", MB))
    finally:
        os.umask(before)
    (file,) = (tmp_path / "deep" / "traces").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_their_names_are_in_the_order_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = Traces(tmp_path, MB)
    for number in range(12):
        monkeypatch.setattr("claudegpt_pkg.records.trace.time.time", lambda now=1_795_262_399.5 + number * 0.125: now)
        keep(traces, f"{12 - number:02}")
    assert names(tmp_path) == [f"{12 - number:02}" for number in range(12)]


def test_turns_that_are_written_together_stay_in_their_order(tmp_path: Path) -> None:
    traces = Traces(tmp_path, MB)
    for name in "zyxwvu":
        traces.keep(name, {}, {}, Folder())
    traces.flush()
    assert names(tmp_path) == list("zyxwvu")


def test_a_clock_that_is_set_back_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = Traces(tmp_path, MB)
    for number, name in enumerate("zyx"):
        monkeypatch.setattr("claudegpt_pkg.records.trace.time.time", lambda now=1_795_262_399.5 - number: now)
        keep(traces, name)
    assert names(tmp_path) == list("zyx")


def test_past_the_cap_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = Traces(tmp_path, 10_000)
    for number in range(30):
        monkeypatch.setattr("claudegpt_pkg.records.trace.time.time", lambda now=1_795_262_400.0 + number: now)
        keep(traces, f"{number:02}", 1_000)
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000
    kept = names(tmp_path)
    assert kept == [f"{number:02}" for number in range(30 - len(kept), 30)]
    assert 7 <= len(kept) <= 9


def test_what_other_sessions_add_is_noticed(tmp_path: Path) -> None:
    ours, theirs = Traces(tmp_path, 100_000), Traces(tmp_path, 100_000)
    for number in range(200):
        keep(ours if number % 2 else theirs, f"{number:03}", 2_000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 110_000


def test_other_files_in_the_directory_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x" * 100_000)
    keep(Traces(tmp_path, 10), size=1_000)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_trace_that_another_session_swept_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = Traces(tmp_path, 1_000)
    gone = tmp_path / "20000101-000000-000-gone.json"
    listing = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [gone, *listing(self, pattern)])
    keep(traces)
    assert [path.name[-8:] for path in tmp_path.iterdir()] == ["one.json"]


@pytest.mark.parametrize("kind", ["a file in the way", "a dangling link", "no room"])
def test_a_directory_that_cannot_be_written_costs_only_the_traces(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "traces"
    if kind == "a file in the way":
        where.write_text("")
    elif kind == "a dangling link":
        where.symlink_to(tmp_path / "nowhere")
    else:
        monkeypatch.setattr(trace, "private", full)
    traces = Traces(where, MB)
    for number in range(3):
        keep(traces, str(number))
    assert not traces._waiting


def full(path: str, flags: int) -> int:
    raise OSError(28, "No space left on device")


def test_it_begins_again_when_there_is_a_place_again(tmp_path: Path) -> None:
    where = tmp_path / "traces"
    where.write_text("")
    traces = Traces(where, MB)
    keep(traces, "lost")
    where.unlink()
    keep(traces, "kept")
    assert names(where) == ["kept"]


def test_what_cannot_be_json_is_left_out_and_the_next_is_written(tmp_path: Path) -> None:
    traces = Traces(tmp_path, MB)
    traces.keep("bad", {"id": object()}, {}, Folder())
    keep(traces, "good")
    assert names(tmp_path)[-1] == "good"


def test_a_trace_is_written_by_itself_after_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "DELAY", 0.01)
    traces = Traces(tmp_path, MB)
    for number in range(20):
        traces.keep(f"{number:02}", {}, {}, Folder())
        wait_until(lambda number=number: len(names(tmp_path)) > number, lambda: "the trace")  # type: ignore[misc]


def test_many_turns_at_once_lose_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "DELAY", 0)
    traces = Traces(tmp_path, 100 * MB)

    def some(first: int) -> None:
        for number in range(first, first + 50):
            traces.keep(f"{number:03}", {}, {}, Folder())

    threads = [threading.Thread(target=some, args=(first,)) for first in range(0, 200, 50)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(names(tmp_path)) == 200, lambda: f"200 traces, not {len(names(tmp_path))}")
