"""Planted secrets, and the search for them in everything that the tests leave behind; a plugin of pytest's.

Whatever the tests use as a secret bears one of MARKS: a key of a fake backend, each token of a fake login server, the
token of the local door. When all tests have run, the session fails if one of them stands in a file that is not there to
hold secrets, or that others may read, or in what a test printed. With pytest-xdist the search is the controller's: its
workers' folders are below its own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

MARKS = ("test-key", "planted-")
DOOR = "planted-door-token-0123456789abcdef"
# The files that may hold secrets, if they are their owner's alone: settings and logins, and while they are written.
HOLDERS = {"config.env", ".env", "chatgpt.json", "auth.json"}
DRAFT = ".claudegpt-draft"
LARGEST = 50 * 2**20  # bytes: programs are larger

found: list[str] = []


def look_at(printed: str, where: str) -> None:
    """What was printed. AssertionError for a secret in it."""
    assert not marked(printed.encode()), f"a secret in {where}:\n{printed}"


def marked(data: bytes) -> bool:
    return any(mark.encode() in data for mark in MARKS)


def misplaced(folder: Path) -> Iterator[str]:
    """Where below the folder a secret stands and should not. What goes away meanwhile is passed over: programs that a
    test has ended may still be cleaning up."""
    for place, _, names in os.walk(folder):
        for file in (Path(place, name) for name in names):
            with suppress(FileNotFoundError):
                if (wrong := fault_of(file)) is not None:
                    yield f"{file} holds a secret{wrong}"


def fault_of(file: Path) -> str | None:
    """What is wrong with a secret in this file; None where there is none, or its owner alone may read it."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST or not marked(file.read_bytes()):
        return None
    if file.name not in HOLDERS and not file.name.endswith(DRAFT):
        return ""
    mode = stat.S_IMODE(file.stat().st_mode) & 0o077
    return f", and others may read it ({mode:o})" if mode else None


@pytest.fixture
def capsys(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """What a test reads of its output is looked at too."""
    read = capsys.readouterr

    def readouterr() -> object:
        printed = read()
        look_at(printed.out + printed.err, "what was printed")
        return printed

    capsys.readouterr = readouterr  # type: ignore[assignment, method-assign]
    return capsys


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.passed and marked((report.capstdout + report.capstderr + report.caplog).encode()):
        found.append(f"{report.nodeid} printed a secret")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return
    factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
    found.extend(misplaced(factory.getbasetemp()))
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if found:
        terminalreporter.section("planted secrets turned up", red=True)
        for place in found:
            terminalreporter.line(place)
