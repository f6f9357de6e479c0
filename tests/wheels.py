"""Which packages lack a ready-made file (a wheel) for which Python and system; needs the package index and uv.

    python -m tests.wheels                    every supported Python and system; status 1 if a wheel is missing
    python -m tests.wheels --python 3.15      one Python

It asks for the exact versions of .ci/requirements.txt, the packages that claudegpt runs with. Nothing is installed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / ".ci" / "requirements.txt"
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
SYSTEMS = {  # uv's name of each
    "Linux x86_64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "Linux x86_64, musl": "x86_64-unknown-linux-musl",
    "Linux aarch64, musl": "aarch64-unknown-linux-musl",
    "macOS arm64": "aarch64-apple-darwin",
    "macOS x86_64": "x86_64-apple-darwin",
}


def read_pins(requirements: str) -> list[str]:
    """The lines "name==version ; marker" of a requirements file with hashes."""
    lines = [re.sub(r"\s*\\$", "", line) for line in requirements.splitlines()]
    return [line for line in lines if line and not line.startswith((" ", "#"))]


def find_missing(pins: Sequence[str], have_wheels: Callable[[Sequence[str]], bool]) -> list[str]:
    """The pins without a wheel. Asks about all of them first, and about halves only if one is missing."""
    if not pins or have_wheels(pins):
        return []
    if len(pins) == 1:
        return list(pins)
    middle = len(pins) // 2
    return find_missing(pins[:middle], have_wheels) + find_missing(pins[middle:], have_wheels)


def ask_index(python: str, system: str) -> Callable[[Sequence[str]], bool]:
    """A function that asks the package index whether all the pins have a wheel for this Python and system."""
    options = ["--no-deps", "--only-binary", ":all:", "--python-version", python, "--python-platform", system]

    def have_wheels(pins: Sequence[str]) -> bool:
        command = [sys.executable, "-I", "-m", "uv", "pip", "compile", "--quiet", "--no-header", *options, "-"]
        finished = subprocess.run(command, input="\n".join(pins), capture_output=True, text=True, cwd="/")
        if finished.returncode and "wheels" not in finished.stderr:
            sys.exit(f"uv could not ask the package index:\n{finished.stderr}")
        return finished.returncode == 0

    return have_wheels


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", metavar="VERSION", help="such as 3.14; may be repeated")
    pythons = parser.parse_args().python or PYTHONS
    pins, gaps = read_pins(REQUIREMENTS.read_text()), 0
    for python in pythons:
        for name, system in SYSTEMS.items():
            missing = find_missing(pins, ask_index(python, system))
            gaps += len(missing)
            print(f"Python {python}, {name}: {', '.join(missing) or 'complete'}", flush=True)  # noqa: T201
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())
