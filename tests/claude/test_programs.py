"""Other programs are found and run without the current folder."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from claudegpt_pkg.claude.programs import find_program, run_program

PACKAGE = Path(__file__).parents[2] / "claudegpt_pkg"
# Modules that start a program in the user's folder, and why.
IN_THE_USERS_FOLDER = {
    "proxy/mcp_tools.py": "the user's MCP servers start where Claude Code would start them; Python itself runs with -I",
}


@pytest.fixture
def hostile_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "npm").write_text("#!/bin/sh\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("path", ["", ".", ":/nonexistent", "/nonexistent:", "./:/nonexistent", "../hostile"])
def test_a_program_in_the_current_folder_is_not_found(
    hostile_folder: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("PATH", path)
    assert find_program("npm") is None


def test_a_program_in_an_absolute_folder_of_path_is_found(
    hostile_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f".:{hostile_folder}")
    assert find_program("npm") == hostile_folder / "npm"


def test_a_program_runs_outside_the_current_folder_and_without_input(hostile_folder: Path) -> None:
    finished = run_program(["/bin/sh", "-c", "pwd; cat"], env={"PATH": os.defpath})
    assert (finished.stdout, finished.returncode) == ("/\n", 0)


def test_every_program_that_the_package_starts_has_its_folder_chosen() -> None:
    starters = {"run", "Popen", "check_call", "check_output", "call"}
    for file in sorted(PACKAGE.rglob("*.py")):
        if (name := file.relative_to(PACKAGE).as_posix()) in IN_THE_USERS_FOLDER:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            module, function = ast.unparse(node.func.value), node.func.attr
            if module == "subprocess" and function in starters:
                assert "cwd" in {word.arg for word in node.keywords}, f"{name}:{node.lineno} starts a program anywhere"
            assert (module, function) != ("shutil", "which") or "path" in {word.arg for word in node.keywords}, (
                f"{name}:{node.lineno} searches PATH with the current folder in it: use find_program"
            )


def test_every_python_that_the_package_starts_is_isolated() -> None:
    """-I keeps the current folder, PYTHONPATH and the user's packages out; -P keeps the current folder out."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.List) and "sys.executable" in (words := [ast.unparse(word) for word in node.elts]):
                following = words[words.index("sys.executable") + 1]
                script = "SCRIPT" in words  # the guardian's shell script, which passes -P
                assert following == "'-I'" or script, f"{file}:{node.lineno}"
    assert '"$3" -P -m' in (PACKAGE / "claude" / "guardian.py").read_text()
