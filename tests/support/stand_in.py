"""A stand-in for Claude Code: does what its words say, and notes in $NOTES what happens to it, a JSON object a line.

exit N · die N (by signal N) · cat · get PATH · stream PATH (then exit at once) · wait · stubborn · suspend group|self
pick FILE MODEL (into the user's settings, then wait)
`wait` ends with 0 at the first INT, TERM, HUP or QUIT; `stubborn` notes signals and never ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
NOTED = (*ENDING, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCONT)


def note(**what: Any) -> None:
    with Path(os.environ["NOTES"]).open("a", encoding="utf-8") as notes:
        notes.write(json.dumps(what) + "\n")


def fetch(path: str) -> Any:
    note(asks=path)
    return urllib.request.urlopen(os.environ["ANTHROPIC_BASE_URL"] + path)


def wait_for_signals(ending: tuple[signal.Signals, ...]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, NOTED)
    note(ready=True)
    while (number := signal.sigwait(NOTED)) not in ending:
        note(signal=signal.Signals(number).name)
    note(signal=signal.Signals(number).name)


def suspend(whom: str) -> None:
    note(ready=True)
    os.kill(os.getpid() if whom == "self" else 0, signal.SIGSTOP if whom == "self" else signal.SIGTSTP)
    note(continued=True)


def pick(file: str, model: str) -> None:
    Path(file).write_text(json.dumps({"model": model}), encoding="utf-8")
    wait_for_signals(ENDING)


ACTIONS: dict[str, Callable[..., object]] = {
    "exit": lambda status: sys.exit(int(status)),
    "die": lambda number: os.kill(os.getpid(), int(number)),
    "cat": lambda: shutil.copyfileobj(sys.stdin, sys.stdout),
    "get": lambda path: sys.stdout.write(fetch(path).read().decode()),
    "stream": lambda path: fetch(path).read(1),
    "wait": lambda: wait_for_signals(ENDING),
    "stubborn": lambda: wait_for_signals(()),
    "suspend": suspend,
    "pick": pick,
}


def main(settings_option: str, settings_file: str, action: str, *words: str) -> None:
    file = Path(settings_file)
    note(
        pid=os.getpid(),
        argv=sys.argv,
        settings=json.loads(file.read_text(encoding="utf-8")),
        settings_file=settings_file,
        modes=[oct(path.stat().st_mode & 0o777) for path in (file, file.parent)],
    )
    ACTIONS[action](*words)


if __name__ == "__main__":
    main(*sys.argv[1:])
