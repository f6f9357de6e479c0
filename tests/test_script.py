"""The clone's `claudegpt` script, with stand-ins for uv and Python, and attacked with the real ones. No downloads."""

from __future__ import annotations

import hashlib
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.fakes.backend import DEADLINE, wait_until
from tests.support.hostile import MARK, make_hostile_folder

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / ".ci" / "requirements.txt"
# Both stand-ins make a .venv whose python installs silently, and otherwise prints the words it is called with.
MADE = """#!/bin/sh
case "$*" in
    "-I -m pip "*) echo "pip in $PWD: $*" >>"$LOG" ;;
    *) echo "ran $*" "$CLAUDEGPT_CLONE" ;;
esac
"""
MAKE = """mkdir -p "$new/bin" "$new/lib/python3.11/site-packages" &&
    printf %s "$MADE" >"$new/bin/python" && chmod +x "$new/bin/python" """
UV = f"""#!/bin/sh
echo "uv in $PWD: $*" >>"$LOG"
for word; do new=$word; done
if [ "$1" = venv ]; then {MAKE}; exit; fi
echo "to stdout"
while [ -e "$WAIT" ]; do sleep 0.01; done
[ ! -e "$FAIL" ]
"""
PYTHON = f"""#!/bin/sh
echo "python in $PWD: $*" >>"$LOG"
[ "$1" = -I ] || exit 9
case $2 in
    -c) exit "$OLD" ;;
    --version) echo "Python 3.9.9" ;;
    -m) new=$4; {MAKE} ;;
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
        shutil.copy(ROOT / "claudegpt", self.folder / "claudegpt")
        self.requirements = self.folder / ".ci" / "requirements.txt"
        self.requirements.write_text("a==1\n")
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

    def start(self, *words: str, script: Path | None = None, cwd: Path | None = None) -> subprocess.Popen[str]:
        command = ["dash", str(script or self.folder / "claudegpt"), *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, env=self.env, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True, cwd=cwd
        )

    def run(self, *words: str, script: Path | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, script=script, cwd=cwd)
        stdout, stderr = process.communicate("for claude\n", timeout=DEADLINE)
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)

    def calls(self) -> list[str]:
        """The calls of uv and Python since the last look: "uv in FOLDER: WORDS"."""
        text = self.log.read_text() if self.log.exists() else ""
        self.log.write_text("")
        return text.splitlines()

    def age(self, seconds: float) -> None:
        """Make the requirements this much older than now."""
        then = time.time() - seconds
        os.utime(self.requirements, (then, then))

    def change_requirements(self) -> None:
        with self.requirements.open("a") as file:
            file.write("# changed\n")
        self.age(-60)

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
    wanted = f"--require-hashes --only-binary :all: --requirement {clone.requirements}"
    assert clone.calls()[-1].endswith(wanted)
    assert (clone.folder / ".venv/lib/python3.11/site-packages/claudegpt.pth").read_text() == f"{clone.folder}\n"


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
    calls = clone.calls()
    assert any(call.startswith("python in /: -I -m venv") for call in calls)
    assert calls[-1].endswith(f"--require-hashes --only-binary :all: --requirement {clone.requirements}")


@pytest.mark.parametrize("tool", ["uv", "python3.12"])
def test_each_step_is_named_with_the_time_it_takes(clone: Clone, tool: str) -> None:
    (clone.bin / "uv").unlink()
    clone.add(tool, UV if tool == "uv" else PYTHON)
    steps = [line for line in clone.run().stderr.splitlines() if "/2: " in line]
    assert [line.split(":")[1] for line in steps] == [" 1/2", " 2/2"]
    assert "4 s" in steps[1]


def test_on_a_terminal_the_seconds_are_counted_in_one_line(clone: Clone) -> None:
    ours, theirs = pty.openpty()
    clone.wait.touch()
    command = ["dash", str(clone.folder / "claudegpt"), "x"]
    process = subprocess.Popen(command, env=clone.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"1 s" not in shown.rpartition(b"2/2")[2]:
        shown += os.read(ours, 4096)
    clone.wait.unlink()
    assert process.wait(DEADLINE) == 0
    os.close(ours)
    lines = re.split(rb"\r\x1b\[K|\r\n", shown)
    assert max(len(line.decode()) for line in lines if b"/2: " in line) <= 60
    assert process.stdout
    process.stdout.close()


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
    assert (
        ran.stderr
        == "claudegpt: needs Python 3.11 or newer (found: Python 3.9.9). Install Python, or uv, which brings its own.\n"
    )
    assert (ran.stdout, ran.returncode, clone.environments()) == ("", 1, [])


def test_it_is_made_again_when_the_requirements_changed(clone: Clone) -> None:
    clone.run()
    clone.calls()
    clone.change_requirements()
    assert clone.run().returncode == 0
    assert len(clone.calls()) == 2
    assert clone.environments() == [".venv"]


def test_it_is_kept_when_the_requirements_were_only_touched(clone: Clone) -> None:
    clone.run()
    clone.calls()
    clone.age(-1)
    assert (clone.run().stderr, clone.calls()) == ("", [])


def test_it_is_made_again_when_the_clone_moved(clone: Clone, tmp_path: Path) -> None:
    clone.run()
    clone.calls()
    clone.folder = clone.folder.rename(tmp_path / "moved")
    assert clone.run().stdout.endswith(f" {clone.folder}\n")
    assert len(clone.calls()) == 2


def test_it_is_made_again_when_its_python_is_gone(clone: Clone) -> None:
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
    wait_until(
        lambda: "uv in /: pip" in (clone.log.read_text() if clone.log.exists() else ""), "the installation to begin"
    )
    os.killpg(process.pid, number)
    process.communicate(timeout=DEADLINE)
    assert process.returncode != 0
    assert ".venv" not in clone.environments()
    clone.wait.unlink()
    assert clone.run().returncode == 0
    assert clone.environments() == [".venv"]


def test_a_failed_renewal_leaves_the_old_one_in_place(clone: Clone) -> None:
    clone.run()
    clone.change_requirements()
    clone.fail.touch()
    assert clone.run().returncode == 1
    assert (clone.folder / ".venv" / "bin" / "python").exists()


def test_two_first_runs_at_once_both_succeed(clone: Clone) -> None:
    clone.wait.touch()
    both = [clone.start("a"), clone.start("b")]
    wait_until(lambda: clone.log.exists() and clone.log.read_text().count("uv in /: pip") == 2, "both to install")
    clone.wait.unlink()
    outputs = [process.communicate(timeout=DEADLINE)[0] for process in both]
    assert outputs == [f"ran -I -m claudegpt_pkg {word} {clone.folder}\n" for word in "ab"]
    assert clone.environments() == [".venv"]
    assert not list((clone.folder / ".venv").glob(".venv.*"))


# Attacks: the user stands in a folder that somebody else wrote, and a package is not what the requirements name.


@pytest.fixture
def hostile_folder(tmp_path: Path) -> Path:
    return make_hostile_folder(tmp_path / "hostile" / "repository")


@pytest.mark.parametrize("tool", ["uv", "python3.12"])
def test_every_tool_runs_in_the_root_folder(clone: Clone, hostile_folder: Path, tool: str) -> None:
    (clone.bin / "uv").unlink()
    clone.add(tool, UV if tool == "uv" else PYTHON)
    ran = clone.run("x", cwd=hostile_folder)
    assert ran.stdout == f"ran -I -m claudegpt_pkg x {clone.folder}\n", ran.stderr
    calls = clone.calls()
    assert len(calls) >= 2
    assert all(" in /: " in call for call in calls)
    assert all(": -I " in call for call in calls if not call.startswith("uv "))


def test_the_refusal_of_an_old_python_asks_it_in_the_root_folder_too(clone: Clone, hostile_folder: Path) -> None:
    (clone.bin / "uv").unlink()
    clone.add("python3", PYTHON)
    clone.env["OLD"] = "1"
    clone.run(cwd=hostile_folder)
    assert all(call.startswith("python in /: -I ") for call in clone.calls())


class RealTools:
    """A clone whose requirements are one small package in a folder, installed by the real pip or the real uv."""

    def __init__(self, folder: Path, hostile_folder: Path, uv: Path | None):
        self.clone = Clone(folder)
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        self.marker = folder / "marker"
        self.hostile_folder = hostile_folder
        package = self.clone.folder / "claudegpt_pkg"
        package.mkdir()
        (package / "__main__.py").write_text("import small, os, sys; print('ran', small.VALUE, os.getcwd())")
        (self.clone.bin / "python3.11").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
        for name in ("sh", "ld", "uname"):
            if (found := shutil.which(name)) and not (self.clone.bin / name).exists():
                (self.clone.bin / name).symlink_to(found)
        if uv:
            (self.clone.bin / "uv").symlink_to(uv)
        home = folder / "home"
        home.mkdir()
        self.clone.env |= {
            "HOME": str(home),
            "MARKER": str(self.marker),
            "UV_OFFLINE": "1",
            "PIP_CONFIG_FILE": os.devnull,
        }
        self.clone.env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)}
        self.clone.env |= {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(self.wheels), "UV_PYTHON_DOWNLOADS": "never"}
        self.require(self.wheel())

    def wheel(self, value: str = "good") -> Path:
        file = self.wheels / "small-1.0-py3-none-any.whl"
        info = "small-1.0.dist-info"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("small.py", f"VALUE = {value!r}\n")
            archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", f"small.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
        return file

    def source(self) -> Path:
        """A source archive whose build would run code."""
        folder = self.wheels / "small-1.0"
        folder.mkdir()
        (folder / "setup.py").write_text(f"__file__ = 'setup.py'\n{MARK}\n")
        (folder / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
        file = self.wheels / "small-1.0.tar.gz"
        with tarfile.open(file, "w:gz") as archive:
            archive.add(folder, "small-1.0")
        shutil.rmtree(folder)
        return file

    def require(self, file: Path) -> None:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.clone.requirements.write_text(f"small==1.0 \\\n    --hash=sha256:{digest}\n")

    def run(self, **more: str) -> subprocess.CompletedProcess[str]:
        self.clone.env |= more
        return self.clone.run(cwd=self.hostile_folder)

    def ran_hostile_code(self) -> str:
        return self.marker.read_text() if self.marker.exists() else ""


def real_uv() -> Path | None:
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    return Path(found) if found else None


@pytest.fixture(params=["pip", "uv"])
def real(request: pytest.FixtureRequest, tmp_path: Path, hostile_folder: Path) -> RealTools:
    uv = real_uv()
    if request.param == "uv" and uv is None:
        pytest.skip("uv is not installed")
    return RealTools(tmp_path, hostile_folder, uv if request.param == "uv" else None)


@pytest.mark.parametrize("path", ["{bin}", ".:{bin}", ":{bin}", "{bin}:"])
def test_nothing_of_a_hostile_folder_is_run_or_obeyed(real: RealTools, path: str) -> None:
    ran = real.run(PATH=path.format(bin=real.clone.bin), PYTHONPATH=":")
    assert real.ran_hostile_code() == ""
    assert ran.stdout == f"ran good {real.hostile_folder}\n", ran.stderr


def test_what_is_started_has_the_users_own_path(clone: Clone) -> None:
    clone.env |= {"PATH": f".:{clone.bin}::/usr/bin:", "MADE": '#!/bin/sh\necho "$PATH"\n'}
    assert clone.run().stdout == f".:{clone.bin}::/usr/bin:\n"


def test_a_package_with_another_hash_is_refused(real: RealTools) -> None:
    real.wheel("evil")
    ran = real.run()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "hash" in ran.stderr.lower()
    assert real.clone.environments() == []


def test_a_requirement_without_a_hash_is_refused(real: RealTools) -> None:
    real.clone.requirements.write_text("small==1.0\n")
    assert real.run().returncode == 1


def test_a_package_without_a_wheel_is_not_built(real: RealTools) -> None:
    source = real.source()
    (real.wheels / "small-1.0-py3-none-any.whl").unlink()
    real.require(source)
    ran = real.run()
    assert ran.returncode == 1
    assert real.ran_hostile_code() == ""
    assert "docs/dependencies.md lists the supported" in ran.stderr


# The requirements themselves.


def locked(file: Path) -> Mapping[str, list[str]]:
    """{"rich==15.0.0": [hash, …]}"""
    text = re.sub(r"#.*", "", file.read_text())
    entries = [entry for entry in re.split(r"\n(?=\S)", text.strip()) if entry]
    return {entry.split()[0]: re.findall(r"--hash=(\S+)", entry) for entry in entries}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-tests.txt"])
def test_every_requirement_is_exact_and_has_hashes(name: str) -> None:
    for pin, hashes in locked(ROOT / ".ci" / name).items():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin), pin
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), pin


def test_the_tests_run_with_what_users_get() -> None:
    tested = locked(ROOT / ".ci" / "requirements-tests.txt")
    assert {pin: tested.get(pin) for pin in locked(REQUIREMENTS)} == locked(REQUIREMENTS)


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {pin.partition("==")[0] for pin in locked(REQUIREMENTS)}
    extras = project["project"]["optional-dependencies"]
    wanted = (*project["project"]["dependencies"], *extras["azure"])
    assert {re.split(r"[\[<>=;]", each)[0] for each in wanted} <= names
    names = {pin.partition("==")[0] for pin in locked(ROOT / ".ci" / "requirements-tests.txt")}
    built_with = project["build-system"]["requires"]
    assert {re.split(r"[\[<>=;]", each)[0] for each in (*wanted, *extras["dev"], *built_with)} <= names


def test_no_file_of_the_installation_names_a_host() -> None:
    for file in (ROOT / "claudegpt", ROOT / "tests" / "run", *sorted((ROOT / ".ci").iterdir())):
        text = file.read_text()
        assert not re.search(r"https?://|--(extra-)?index-url[ =]|--find-links[ =]|trusted-host", text), file
