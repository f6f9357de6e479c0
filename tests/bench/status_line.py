"""What the status line costs: python -m tests.bench.status_line

Runs the program Claude Code runs for it, against a served proxy, and prints the median and the best of 50 runs; at most
50 ms is the target. A bare `python -I -S -c pass` in the same run is the floor.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from claudegpt_pkg.claude import status_line_command
from tests.support.fakes.backend import FakeBackend
from tests.support.served import TOKEN, served

RUNS = 50
TOLD = {"model": {"id": "gpt-6.1-sol"}, "effort": {"level": "high"}, "context_window": {}, "session_id": "s"}


def milliseconds(words: Sequence[str], env: Mapping[str, str]) -> list[float]:
    spent = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        subprocess.run(words, input=json.dumps(TOLD).encode(), env=env, capture_output=True, check=True)
        spent.append((time.perf_counter() - begun) * 1000)
    return spent


def main() -> None:
    python = [sys.executable, "-I", "-S"]
    with (
        FakeBackend("openai") as backend,
        tempfile.TemporaryDirectory() as folder,
        served(backend, Path(folder)) as proxy,
    ):
        env = {**os.environ, "ANTHROPIC_BASE_URL": proxy.url, "ANTHROPIC_AUTH_TOKEN": TOKEN}
        for name, words in (
            ("python alone", [*python, "-c", "pass"]),
            ("status line", [*python, status_line_command.__file__]),
        ):
            spent = milliseconds(words, env)
            print(f"{name:<14} median {statistics.median(spent):5.1f} ms   best {min(spent):5.1f} ms")  # noqa: T201


if __name__ == "__main__":
    main()
