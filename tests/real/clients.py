"""Fetches the real Claude Code from npm, in each version the suite runs, into a cache outside the repository.

    python -m tests.real.clients        fetch what is missing
    binary("2.1.332")                   its path; AssertionError if that version was never fetched

To test a newer version, change NEWEST_TESTED in claudegpt_pkg/claude/install.py. The tests run the native binary inside
the platform's own package directly: it needs no Node, and npm's install scripts are not needed either.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from claudegpt_pkg.claude.install import NEWEST_TESTED

OLD = "2.1.197"  # npm picks this version on Node 20
MIDDLE = "2.1.330"  # only tests marked `every_version` run it, so that the suite stays fast
NEW = NEWEST_TESTED
VERSIONS = (OLD, MIDDLE, NEW)

CACHE_VARIABLE = "CLAUDEGPT_TESTS_CLAUDE"  # a folder with one folder a version
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def cache(environ: Mapping[str, str] = os.environ) -> Path:
    if chosen := environ.get(CACHE_VARIABLE):
        return Path(chosen)
    root = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "claudegpt-tests" / "claude-code"


def package() -> str:
    """The npm package that holds the native binary for this machine."""
    machine = MACHINES[platform.machine().lower()]
    libc = "-musl" if platform.system() == "Linux" and platform.libc_ver()[0] != "glibc" else ""
    return f"@anthropic-ai/claude-code-{platform.system().lower()}-{machine}{libc}"


def binary(version: str) -> Path:
    found = cache() / version / "node_modules" / package() / "claude"
    assert found.exists(), f"Claude Code {version} is not at {found}: run `python -m tests.real.clients`, or tests/run"
    return found


def fetch(version: str) -> Path:
    """Install one version, whole or not at all. Raises CalledProcessError with npm's own words."""
    target = cache() / version
    if not (target / "node_modules" / package() / "claude").exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            wanted = f"{package()}@{version}"
            command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", scratch, wanted]
            subprocess.run(command, check=True, stdout=sys.stderr)
            shutil.rmtree(target, ignore_errors=True)
            Path(scratch).rename(target)
            Path(scratch).mkdir()  # for the context manager to remove
    return binary(version)


if __name__ == "__main__":
    for each in VERSIONS:
        shown = subprocess.run([fetch(each), "--version"], check=True, capture_output=True, text=True).stdout
        if not shown.startswith(each):
            sys.exit(f"{binary(each)} says it is {shown.strip()}, not {each}")
