"""The three ways to install claudegpt, each tried in an empty home; needs git, uv and the package index.

    python -m tests.installs                 a clone, uv, pipx; status 1 if one fails
    python -m tests.installs --way clone     one of them

Each way installs this repository as it is committed, prints the version, lists the commands, updates itself, and
uninstalls. Nothing outside a temporary folder is touched.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ("PATH", "LANG", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY")


class Machine:
    """A home with nothing in it, and a copy of the repository to install from."""

    def __init__(self, folder: Path):
        self.home = folder / "home"
        self.bin = self.home / ".local" / "bin"
        self.bin.mkdir(parents=True)
        (self.bin / "uv").symlink_to(find_uv())
        self.origin = folder / "origin"
        inherited = {name: os.environ[name] for name in os.environ if name in KEPT or name.startswith("PIP_")}
        self.env: Mapping[str, str] = inherited | {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "UV_CACHE_DIR": str(folder / "cache"),
        }
        self.run("git", "clone", "--quiet", str(ROOT), str(self.origin))

    def run(self, *words: str) -> str:
        """Run a command and return what it printed, on both streams. Raises CalledProcessError."""
        done = subprocess.run(
            words, cwd="/", env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, words, done.stdout)
        return done.stdout


def install_clone(machine: Machine) -> str:
    clone = machine.home / "claudegpt"
    machine.run("git", "clone", "--quiet", str(machine.origin), str(clone))
    return str(clone / "claudegpt")


def install_uv(machine: Machine) -> str:
    machine.run("uv", "tool", "install", "--quiet", f"git+{machine.origin.as_uri()}")
    return str(machine.bin / "claudegpt")


def install_pipx(machine: Machine) -> str:
    machine.run("uv", "tool", "install", "--quiet", "pipx")
    machine.run("pipx", "install", f"git+{machine.origin.as_uri()}")
    return str(machine.bin / "claudegpt")


WAYS: dict[str, Callable[[Machine], str]] = {"clone": install_clone, "uv": install_uv, "pipx": install_pipx}


def try_way(way: str) -> None:
    """Raises CalledProcessError or AssertionError."""
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder))
        program = WAYS[way](machine)
        assert "claudegpt " in machine.run(program, "--version")
        assert "Commands" in machine.run(program, "config", "--help")
        assert "is up to date" in (text := machine.run(program, "update")), text
        assert "keeps nothing on this machine" in (text := machine.run(program, "uninstall", "--yes")), text


def find_uv() -> str:
    import uv

    return uv.find_uv_bin()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--way", choices=tuple(WAYS), action="append")
    failures = 0
    for way in parser.parse_args().way or WAYS:
        start = time.monotonic()
        try:
            try_way(way)
            outcome = "works"
        except subprocess.CalledProcessError as problem:
            outcome, failures = f"{problem}\n{problem.output}", failures + 1
        except AssertionError as problem:
            outcome, failures = f"failed: {problem}", failures + 1
        print(f"{way}: {outcome} ({time.monotonic() - start:.0f} s)", flush=True)  # noqa: T201
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
