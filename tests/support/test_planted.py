"""That the search for planted secrets finds them: small suites of their own, with secrets where none should be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support import planted

ROOT = Path(__file__).parents[2]
RIGHT = """
def test_where_it_belongs(tmp_path):
    (tmp_path / "config.env").touch(mode=0o600)
    (tmp_path / "config.env").write_text("OPENAI_API_KEY=test-key")
"""
WRONG = """
def test_where_it_does_not_belong(tmp_path):
    (tmp_path / "trace.json").touch(mode=0o600)
    (tmp_path / "trace.json").write_text("the test-key")

def test_where_others_may_read_it(tmp_path):
    (tmp_path / "config.env").touch(mode=0o644)
    (tmp_path / "config.env").write_text("OPENAI_API_KEY=test-key")

def test_printed():
    print("rt-planted-1")

def test_printed_and_read(capsys):
    print("rt-planted-1")
    assert capsys.readouterr().out
"""


def run(folder: Path, suite: str, *options: str) -> tuple[int, str]:
    """The exit status of this suite, and what pytest said; nothing of it is left for the search of the real one."""
    with TemporaryDirectory(dir=folder) as place:
        (Path(place) / "test_suite.py").write_text(suite)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.support.planted",
            "-p",
            "no:cacheprovider",
            "-c",
            "/dev/null",
        ]
        done = subprocess.run(
            [*command, "--rootdir", place, "--basetemp", f"{place}/left", *options, "test_suite.py"],
            cwd=place,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
    return done.returncode, done.stdout


def test_a_secret_where_it_belongs_is_no_fault(tmp_path: Path) -> None:
    status, said = run(tmp_path, RIGHT)
    assert status == 0, said


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_anywhere_else_it_fails_the_session_when_all_tests_ran(tmp_path: Path, options: tuple[str, ...]) -> None:
    status, said = run(tmp_path, WRONG, *options)
    assert status == 1
    assert "1 failed, 3 passed" in said and "AssertionError: a secret in what was printed" in said
    assert "test_where_it_does_not_belong0/trace.json holds a secret\n" in said
    assert "test_where_others_may_read_it0/config.env holds a secret, and others may read it (44)\n" in said
    assert "test_suite.py::test_printed printed a secret\n" in said


def test_what_goes_away_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / name).write_text("x")
    read = Path.read_bytes

    def vanishes(file: Path) -> bytes:
        file.unlink(missing_ok=True)
        return read(file)

    monkeypatch.setattr(Path, "read_bytes", vanishes)
    assert list(planted.misplaced(tmp_path)) == []
