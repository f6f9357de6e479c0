"""Killed in the middle of a write, wherever that is: `arm(n)` ends this process at its n-th call on files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CALLS = ("open", "write", "fsync", "ftruncate", "lseek", "replace", "unlink", "close")


def arm(calls: int) -> None:
    left = calls

    def counting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                if name == "write":
                    real(args[0], args[1][: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **more)

        return call

    for name in CALLS:
        setattr(os, name, counting(name, getattr(os, name)))


def walk(script: str, folder: Path, check: Callable[[], object], *, least: int) -> set[object]:
    """Run `script`, armed, killed at its first call, its second, and so on until it gets through; what `check` saw.

    It finds `arm` defined, and `folder` in sys.argv[1]. It must change files at least `least` times.
    """
    seen = set()
    for calls in range(1, 100):
        armed = f"import sys\nfrom tests.support.killed import arm as armed\narm = lambda: armed({calls})\n{script}"
        command = [sys.executable, "-c", armed, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        seen.add(check())
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.returncode == 0 and calls > least, f"through after {calls}"
    return seen
