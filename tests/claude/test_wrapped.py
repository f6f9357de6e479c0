"""A program at the front of the command line, and prompts that only look like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from claudegpt_pkg.claude.wrapped import Wrapped, split_wrapped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("claude", "claude-2.1.332", "claude.exe", "claudegpt", "other"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "claude-notes").write_text("no program")
    (tmp_path / "cli.js").write_text("")
    (tmp_path / "node").write_text("#!/bin/sh\n")
    (tmp_path / "node").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("name", ["claude", "claude-2.1.332", "claude.exe"])
def test_the_path_of_a_claude_code_is_taken_off(folder: Path, name: str) -> None:
    wrapped, rest = split_wrapped([str(folder / name), "--model", "opus"])
    assert wrapped == Wrapped(folder / name) and rest == ["--model", "opus"]
    assert wrapped.command == [str(folder / name)]


def test_a_script_is_run_by_its_interpreter(folder: Path) -> None:
    node, script = str(folder / "node"), str(folder / "cli.js")
    wrapped, rest = split_wrapped([node, script, "-p", "hi"])
    assert wrapped is not None and wrapped.command == [node, script] and rest == ["-p", "hi"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-p", "hi"],
        ["claude"],
        ["claude code is slow/why?"],
        ["/nowhere/claude"],
        ["x" * 5_000 + "/claude"],
        ["/tmp/claude\0"],
        ["node", "is it fast?"],
        ["node"],
    ],
)
def test_anything_else_stays_as_it_is(words: list[str]) -> None:
    assert split_wrapped(words) == (None, words)


@pytest.mark.parametrize("name", ["claudegpt", "other", "claude-notes"])
def test_ourselves_other_programs_and_plain_files_are_no_claude_code(folder: Path, name: str) -> None:
    words = [str(folder / name), "x"]
    assert split_wrapped(words) == (None, words)
