"""The clone's `claudegpt` script, with stand-ins for uv and Python: nothing is fetched."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.fakes.backend import DEADLINE, wait_until

ROOT = Path(__file__).parent.parent
# Both make a .venv whose python installs in silence, and otherwise prints the words it is called with.
MADE = """#!/bin/sh
case "$*" in "-m pip "*) ;; *) echo "ran $*" "$CLAUDEGPT_CLONE" ;; esac
"""
MAKE = """mkdir -p "$new/bin" && printf %s "$MADE" >"$new/bin/python" && chmod +x "$new/bin/python" """
UV = f"""#!/bin/sh
echo "uv $*" >>"$LOG"
for word; do new=$word; done
if [ "$1" = venv ]; then {MAKE}; exit; fi
echo "to stdout"
while [ -e "$WAIT" ]; do sleep 0.01; done
[ ! -e "$FAIL" ]
"""
PYTHON = f"""#!/bin/sh
echo "python $*" >>"$LOG"
case $1 in
    -c) exit "$OLD" ;;
    --version) echo "Python 3.9.9" ;;
    -m) new=$3; {MAKE} ;;
esac
"""
SYSTEM = ("sh", "dash", "cat", "chmod", "cmp", "cp", "mkdir", "mv", "printf", "readlink", "rm", "sleep", "touch")


class Clone:
    """A copy of what the script needs, and a PATH with nothing else than what a test puts there."""

    def __init__(self, folder: Path):
        self.folder = folder / "clone"
        self.bin = folder / "bin"
        self.log = folder / "log"
        (self.folder / ".ci").mkdir(parents=True)
        self.bin.mkdir()
        for name in ("claudegpt", "pyproject.toml"):
            shutil.copy(ROOT / name, self.folder / name)
        (self.folder / ".ci" / "constraints.txt").write_text("a==1\n")
        for name in SYSTEM:
            if found := shutil.which(name):
                (self.bin / name).symlink_to(found)
        self.wait, self.fail = folder / "wait", folder / "fail"
        self.env = {"PATH": str(self.bin), "LOG": str(self.log), "OLD": "0", "MADE": MADE}
        self.env |= {"WAIT": str(self.wait), "FAIL": str(self.fail)}
        self.age(60)

    def add(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def start(self, *words: str, script: Path | None = None) -> subprocess.Popen[str]:
        command = ["dash", str(script or self.folder / "claudegpt"), *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, env=self.env, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )

    def run(self, *words: str, script: Path | None = None) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, script=script)
        stdout, stderr = process.communicate("for claude\n", timeout=DEADLINE)
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)

    def calls(self) -> list[str]:
        """What uv and Python were asked to do since the last look."""
        text = self.log.read_text() if self.log.exists() else ""
        self.log.write_text("")
        return text.splitlines()

    def age(self, seconds: float) -> None:
        """Let the ingredients be this much older than now."""
        then = time.time() - seconds
        for name in ("pyproject.toml", ".ci/constraints.txt"):
            os.utime(self.folder / name, (then, then))

    def environments(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob(".venv*"))


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone(tmp_path)
    clone.add("uv", UV)
    return clone


def test_the_first_run_sets_up_and_runs_in_one_go(clone: Clone) -> None:
    ran = clone.run("-p", "two words")
    assert ran.stdout == f"ran -I -m claudegpt_pkg -p two words {clone.folder}\n"
    assert ran.stderr.splitlines()[0].startswith(f"claudegpt: setting up {clone.folder}/.venv")
    assert ran.returncode == 0
    assert clone.environments() == [".venv"]
    assert clone.calls()[-1].endswith(f"--constraint {clone.folder}/.ci/constraints.txt --editable {clone.folder}")


def test_afterwards_it_says_and_does_nothing_more(clone: Clone) -> None:
    clone.run()
    clone.calls()
    ran = clone.run("x")
    assert (ran.stdout, ran.stderr, clone.calls()) == (f"ran -I -m claudegpt_pkg x {clone.folder}\n", "", [])


def test_what_the_installer_prints_never_reaches_stdout(clone: Clone) -> None:
    assert "to stdout" not in clone.run().stdout


def test_it_finds_its_clone_through_links(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(clone.folder / "claudegpt")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "two").symlink_to("../one")
    assert clone.run(script=tmp_path / "far" / "two").stdout.endswith(f" {clone.folder}\n")


def test_without_uv_python_makes_it(clone: Clone) -> None:
    (clone.bin / "uv").unlink()
    clone.add("python3.12", PYTHON)
    ran = clone.run()
    assert ran.returncode == 0, ran.stderr
    assert any(call.startswith("python -m venv") for call in clone.calls())


def test_a_python_that_is_too_old_is_passed_over(clone: Clone) -> None:
    (clone.bin / "uv").unlink()
    clone.add("python3.13", PYTHON.replace('"$OLD"', "1"))
    clone.add("python3", PYTHON)
    assert clone.run().returncode == 0


def test_no_python_is_one_clear_line(clone: Clone) -> None:
    (clone.bin / "uv").unlink()
    clone.add("python3", PYTHON)
    clone.env["OLD"] = "1"
    ran = clone.run()
    assert ran.stderr == "claudegpt: needs Python 3.11 or newer (here: Python 3.9.9). Install it, or uv.\n"
    assert (ran.stdout, ran.returncode, clone.environments()) == ("", 1, [])


@pytest.mark.parametrize("name", ["pyproject.toml", ".ci/constraints.txt"])
def test_it_is_made_anew_when_an_ingredient_changed(clone: Clone, name: str) -> None:
    clone.run()
    clone.calls()
    with (clone.folder / name).open("a") as file:
        file.write("# changed\n")
    os.utime(clone.folder / name, (time.time() + 60, time.time() + 60))
    assert clone.run().returncode == 0
    assert len(clone.calls()) == 2
    assert clone.environments() == [".venv"]


def test_it_is_kept_when_an_ingredient_was_only_touched(clone: Clone) -> None:
    clone.run()
    clone.calls()
    clone.age(-1)
    assert (clone.run().stderr, clone.calls()) == ("", [])


def test_it_is_made_anew_when_the_clone_moved(clone: Clone, tmp_path: Path) -> None:
    clone.run()
    clone.calls()
    clone.folder = clone.folder.rename(tmp_path / "moved")
    assert clone.run().stdout.endswith(f" {clone.folder}\n")
    assert len(clone.calls()) == 2


def test_it_is_made_anew_when_its_python_is_gone(clone: Clone) -> None:
    clone.run()
    (clone.folder / ".venv" / "bin" / "python").unlink()
    assert clone.run().returncode == 0


def test_a_failed_first_run_is_not_taken_for_done(clone: Clone) -> None:
    clone.fail.touch()
    ran = clone.run()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.splitlines()[-1].startswith("claudegpt: could not set up")
    assert clone.environments() == []
    clone.fail.unlink()
    assert clone.run().returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_first_run_is_not_taken_for_done(clone: Clone, number: signal.Signals) -> None:
    clone.wait.touch()
    process = clone.start()
    wait_until(lambda: "uv pip" in (clone.log.read_text() if clone.log.exists() else ""), "the installation to begin")
    os.killpg(process.pid, number)
    process.communicate(timeout=DEADLINE)
    assert process.returncode != 0
    assert ".venv" not in clone.environments()
    clone.wait.unlink()
    assert clone.run().returncode == 0
    assert clone.environments() == [".venv"]


def test_a_failed_renewal_leaves_the_old_one_in_place(clone: Clone) -> None:
    clone.run()
    with (clone.folder / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    os.utime(clone.folder / "pyproject.toml", (time.time() + 60, time.time() + 60))
    clone.fail.touch()
    assert clone.run().returncode == 1
    assert (clone.folder / ".venv" / "bin" / "python").exists()


def test_two_first_runs_at_once_both_succeed(clone: Clone) -> None:
    clone.wait.touch()
    both = [clone.start("a"), clone.start("b")]
    wait_until(lambda: clone.log.exists() and clone.log.read_text().count("uv pip") == 2, "both to install")
    clone.wait.unlink()
    outputs = [process.communicate(timeout=DEADLINE)[0] for process in both]
    assert outputs == [f"ran -I -m claudegpt_pkg {word} {clone.folder}\n" for word in "ab"]
    assert clone.environments() == [".venv"]
    assert not list((clone.folder / ".venv").glob(".venv.*"))
