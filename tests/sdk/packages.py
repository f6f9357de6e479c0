"""The Agent SDKs, in the versions the suite runs: fetched once, kept beside the real clients, outside the repo.

    python -m tests.sdk.packages        fetch what is missing

Both are fetched without the Claude Code that their packages bring along (200 MB each): the tests give them ours.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.real.clients import cache

PYTHON, PYTHON_VERSION = "claude-agent-sdk", "0.2.189"
NODE, NODE_VERSION = "@anthropic-ai/claude-agent-sdk", "0.3.332"


def python_folder() -> Path:
    """The folder to put on PYTHONPATH."""
    return cache().parent / f"{PYTHON}-{PYTHON_VERSION}"


def node_folder() -> Path:
    """The folder whose `node_modules` has the package."""
    return cache().parent / f"claude-agent-sdk-npm-{NODE_VERSION}"


def fetch_python(target: Path) -> None:
    # From its source: the built packages hold a Claude Code.
    wanted = f"{PYTHON}=={PYTHON_VERSION}"
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", PYTHON, "--target", str(target)]
    subprocess.run([sys.executable, "-I", "-m", "pip", "install", *options, wanted], check=True, stdout=sys.stderr)


def fetch_node(target: Path) -> None:
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional", "--prefix", str(target)]
    subprocess.run(["npm", "install", *options, f"{NODE}@{NODE_VERSION}"], check=True, stdout=sys.stderr)


def fetch(folder: Path, install: Callable[[Path], None]) -> None:
    """Install into `folder`, whole or not at all."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        install(made)
        shutil.move(made, folder)


if __name__ == "__main__":
    fetch(python_folder(), fetch_python)
    fetch(node_folder(), fetch_node)
