"""The traces: private, in the order of time, bounded, and never an obstacle for a session."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.records import trace
from claudegpt_pkg.records.trace import Traces, find_traces
from claudegpt_pkg.translate.answer.fold import Folder
from claudegpt_pkg.translate.wire import anthropic
from tests.support.fakes.backend import wait_until

MB = 2**20


@pytest.fixture(autouse=True)
def no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traces are written only when a test flushes them."""
    monkeypatch.setattr(trace, "DELAY", 3600)


def keep(traces: Traces, name: str = "one", size: int = 2, record: Any = None, answer: Folder | None = None) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'
    traces.keep(name, record or {"id": name}, {"request": body, "sent": b"{}"}, answer or Folder())
    traces.flush()


def names(folder: Path) -> list[str]:
    """The turn ids of the traces, the oldest first."""
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


def test_a_trace_and_its_folder_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keep(Traces(tmp_path / "deep" / "traces", MB))
    finally:
        os.umask(before)
    (file,) = (tmp_path / "deep" / "traces").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_the_names_of_traces_are_in_the_order_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_oldest_traces_are_deleted_above_the_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = Traces(tmp_path, 10_000)
    for number in range(30):
        monkeypatch.setattr("claudegpt_pkg.records.trace.time.time", lambda now=1_795_262_400.0 + number: now)
        keep(traces, f"{number:02}", 1_000)
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000
    kept = names(tmp_path)
    assert kept == [f"{number:02}" for number in range(30 - len(kept), 30)]
    assert 7 <= len(kept) <= 9


def test_the_traces_of_other_sessions_count_too(tmp_path: Path) -> None:
    ours, theirs = Traces(tmp_path, 100_000), Traces(tmp_path, 100_000)
    for number in range(200):
        keep(ours if number % 2 else theirs, f"{number:03}", 2_000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 110_000


THEIRS = ("notes.txt", "package.json", "2026-11-27.json", "20261127-120000-000000.json", "20261127-120000-abc-x.json")


def test_other_files_in_the_folder_are_neither_counted_nor_deleted(tmp_path: Path) -> None:
    for name in THEIRS:
        (tmp_path / name).write_text("x" * 100_000)
    (tmp_path / "20261127-120000-000000-folder.json").mkdir()
    (tmp_path / "20261127-120000-000000-link.json").symlink_to(tmp_path / "notes.txt")
    before = sorted(path.name for path in tmp_path.iterdir())
    traces = Traces(tmp_path, 5_000)
    for _ in range(10):
        keep(traces, size=1_000)
    assert len(find_traces(tmp_path)) >= 3
    assert [
        name for name in sorted(path.name for path in tmp_path.iterdir()) if not name.endswith("one.json")
    ] == before


def test_a_file_of_another_user_is_neither_counted_nor_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "20200101-000000-000000-theirs.json"
    theirs.write_text("x" * 100_000)
    owned = theirs.stat().st_ino
    monkeypatch.setattr(trace, "is_own", lambda status: status.st_ino != owned)
    keep(Traces(tmp_path, 5_000), size=1_000)
    assert theirs.exists() and [file.id for file in find_traces(tmp_path)] == ["one"]


def test_a_users_own_folder_keeps_its_permissions(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    folder.chmod(0o755)
    keep(Traces(folder, MB))
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_trace_that_another_session_deleted_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = Traces(tmp_path, 1_000)
    gone = trace.TraceFile(tmp_path / "20000101-000000-000000-gone.json", "gone", 5_000)
    monkeypatch.setattr(trace, "find_traces", lambda folder: [*find_traces(folder), gone])
    keep(traces)
    assert [path.name[-8:] for path in tmp_path.iterdir()] == ["one.json"]


def test_a_link_in_the_place_of_a_trace_is_not_written_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs").write_text("theirs")
    monkeypatch.setattr(Traces, "_time_stamp", lambda self: "20261127-120000-000000")
    (tmp_path / "20261127-120000-000000-one.json").symlink_to(tmp_path / "theirs")
    keep(Traces(tmp_path, MB))
    assert (tmp_path / "theirs").read_text() == "theirs"


@pytest.mark.parametrize("kind", ["a file in the way", "a dangling link", "no room"])
def test_a_folder_that_cannot_be_written_costs_only_the_traces(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "traces"
    if kind == "a file in the way":
        where.write_text("")
    elif kind == "a dangling link":
        where.symlink_to(tmp_path / "nowhere")
    else:
        monkeypatch.setattr(trace, "_open_private", full)
    traces = Traces(where, MB)
    for number in range(3):
        keep(traces, str(number))
    assert not traces._waiting


def full(path: str, flags: int) -> int:
    raise OSError(28, "No space left on device")


def test_traces_are_written_again_when_the_folder_can_be(tmp_path: Path) -> None:
    where = tmp_path / "traces"
    where.write_text("")
    traces = Traces(where, MB)
    keep(traces, "lost")
    where.unlink()
    keep(traces, "kept")
    assert names(where) == ["kept"]


def test_a_record_that_is_no_json_is_skipped(tmp_path: Path) -> None:
    traces = Traces(tmp_path, MB)
    traces.keep("bad", {"id": object()}, {}, Folder())
    keep(traces, "good")
    assert names(tmp_path)[-1] == "good"


def test_a_trace_is_written_after_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
