"""The texts of the demo's answers, in Markdown. They say that no GPT is behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .conversation import Result

DEMO = "This is claudegpt's built-in demo: **there is no GPT behind it.**"
REAL = f"{DEMO} A small script chose the steps; the tools are real, and this is what they returned."
NEXT = "To put a real model here, run `claudegpt setup`."
ABILITIES = """\
- ask **what is in this folder?**: I list it, read a file or two, write a note and run a command
- **read README.md**, or any other file
- **create hello.txt containing "Hello!"**
- **run ls -la**, or another harmless command"""
SHOWN_NAMES = 25
QUOTED_LINES = 8  # shown in the answer


@dataclass
class Findings:
    """What a script has found so far: the sections of its answer, and facts for its later steps."""

    folder: str | None
    names: tuple[str, ...] = ()
    looked: bool = False
    sections: list[str] = field(default_factory=list)
    quotes: list[str] = field(default_factory=list)

    def note_failure(self, result: Result) -> None:
        reason = re.sub(r"</?tool_use_error>|^\s*error:\s*", " ", result.text, flags=re.IGNORECASE)
        self.sections.append(f"`{result.name}` did not work, so I went on without it: {shorten_line(reason)}")


def write_report(first: str, findings: Findings) -> str:
    found = findings.sections or ["No tool was there to look around with, so I can only talk."]
    return "\n\n".join([first, *found, NEXT])


def list_names(names: tuple[str, ...], place: str | None) -> str:
    where = f"In `{place}`" if place else "In this folder"
    if not names:
        return f"{where} there is nothing."
    shown = "\n".join(f"- `{name}`" for name in names[:SHOWN_NAMES])
    more = f"\n- and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return f"{where}:\n\n{shown}{more}"


def shorten_line(words: str) -> str:
    """Put any text on one short line."""
    line = " ".join(words.split())
    return line if len(line) <= 160 else line[:159] + "…"
