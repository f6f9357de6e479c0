"""How long the commands take that people type often: `python -m tests.bench.commands [RUNS]`.

Prints the median wall time and the median CPU time of each in milliseconds, beside the time to aim for. `status` asks a
local fake. On a busy machine only the CPU time says something.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.fakes.backend import FakeBackend

ROOT = Path(__file__).parents[2]
AIMS = {"--version": 100, "--help": 120, "status": 300}  # milliseconds of wall time
RUNS = 11


def measure(words: Sequence[str], env: dict[str, str]) -> tuple[float, float]:
    """Wall and CPU milliseconds of one run."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-P", "-m", "claudegpt_pkg", *words],
        env=env,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1000, cpu * 1000


def main(runs: int) -> None:
    with TemporaryDirectory() as folder, FakeBackend("openai") as backend:
        claude = Path(folder) / "2.1.330" / "claude"  # the version is read from the path
        claude.parent.mkdir()
        claude.write_text("#!/bin/sh\n")
        claude.chmod(0o755)
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HOME": folder,
            "CLAUDEGPT_HOME": f"{folder}/claudegpt",
            "CLAUDEGPT_CLAUDE_BIN": str(claude),
            "CLAUDEGPT_PROVIDER": "openai",
            "OPENAI_API_KEY": "test-key",
            "OPENAI_BASE_URL": backend.url,
        }
        print(f"{'':12}{'wall':>8}{'CPU':>8}{'aim':>8}")  # noqa: T201
        for words, aim in AIMS.items():
            walls, cpus = zip(*(measure(words.split(), env) for _ in range(runs)), strict=True)
            row = f"{words:12}{statistics.median(walls):8.0f}{statistics.median(cpus):8.0f}{aim:8}"
            print(row)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
