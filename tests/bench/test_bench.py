"""The benchmark runs; what it measures is for a quiet machine, not for the suite."""

from __future__ import annotations

import subprocess
import sys

from tests.bench.load import quantile
from tests.real.session import ROOT


def test_a_quick_run_prints_every_row() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--rounds", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    for row in ("CPU a delta, text", "first delta, 1.5 MB", "p99 gap", "memory, a stream"):
        assert row in ran.stdout
    assert "claudegpt" in ran.stdout and "relay" in ran.stdout


def test_quantiles_are_taken_from_the_sorted_values() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([], 0.5) == 0.0
