"""The completion scripts, tried in the shells that are installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from claudegpt_pkg.claude.arguments import OUR_COMMANDS, OUR_OPTIONS
from tests.conftest import Run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_names_every_command_and_option(run: Run, shell: str) -> None:
    status, out, err = run("completion", shell)
    assert (status, err) == (0, "")
    assert all(name in out for name in OUR_COMMANDS)
    assert all(option.lstrip("-") in out for option in OUR_OPTIONS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_read_its_script(run: Run, tmp_path: Path, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(run("completion", shell)[1])
    checked = subprocess.run([shell, "--no-execute" if shell == "fish" else "-n", str(script)], capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["upd"], ["update"]),
        (["--prov"], ["--provider"]),
        (["--provider", "az"], ["azure"]),
        (["use", "chat"], ["chatgpt"]),
        (["config", "s"], ["set"]),
        (["config", "set", "CLAUDEGPT_EFF"], ["CLAUDEGPT_EFFORT"]),
        (["serve", "--st"], ["--stable"]),
        (["completion", "z"], ["zsh"]),
        (["no-such-command", "xyz"], []),
    ],
)
def test_bash_completes(run: Run, words: list[str], wanted: list[str]) -> None:
    script = run("completion", "bash")[1]
    typed = " ".join(f"'{word}'" for word in ["claudegpt", *words])
    call = f'COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _claudegpt; printf "%s\\n" "${{COMPREPLY[@]}}"'
    shown = subprocess.run(["bash", "-c", f"{script}\n{call}"], capture_output=True, text=True)
    assert shown.stderr == ""
    assert shown.stdout.split() == wanted


def test_an_unknown_shell_is_refused(run: Run) -> None:
    status, out, err = run("completion", "tcsh")
    assert (status, out) == (2, "")
    assert "Choose one of bash, zsh, fish." in err
