"""The tour of a folder: list it, read a file or two, write a note, run a command, report the outputs."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from .conversation import Conversation, Result
from .folder import choose_files, choose_note_name, fence, find_paths, first_lines, join, list_entries, quote_path
from .moves import Call, Move, Results, Script, make_call
from .report import QUOTED_LINES, REAL, SHOWN_NAMES, Findings, list_names, write_report

PLACES = ("/", "./", "../")
READ_LINES = 40  # lines that Read is asked for
NO_WRITING = re.compile(
    r"\b(?:don'?t|do not|without|never|no)\b[^.?!\n]{0,30}\b(?:writ|chang|modif|creat|touch|edit|note|file)|read.?only",
    re.I,
)
CHANGE = re.compile(
    r"\b(?:edit|fix|creat\w*|writ\w*|build|add|refactor\w*|implement\w*|improv\w*|chang\w*|make|updat\w*|delet\w*|"
    r"remov\w*|renam\w*|generat\w*|convert|rewrit\w*|debug\w*|optimi[sz]e|port|translate|commit|install|test|deploy)\b",
    re.IGNORECASE,
)


def _forbids_writing(prompt: str) -> bool:
    return bool(NO_WRITING.search(prompt))


def _asks_for_change(prompt: str) -> bool:
    return bool(CHANGE.search(prompt)) and not _forbids_writing(prompt)


def tour(talk: Conversation) -> Script:
    findings = Findings(talk.folder)
    target = find_place(talk.prompt)
    yield from look(talk, findings, target)
    yield from read_files(talk, findings, _find_wanted_files(findings, find_paths(talk.prompt), target))
    note = yield from _leave_note(talk, findings)
    yield from _run_check(talk, findings, note)
    return Move(
        think="**Putting it together**\n\nI have what the tools returned; I will report it and nothing else.",
        say=write_report(_choose_opening(talk), findings),
    )


def find_place(prompt: str) -> str | None:
    """Return the first word of the prompt that is certainly a path, or None."""
    return next((path for path in find_paths(prompt) if path.endswith("/") or path.startswith(PLACES)), None)


def look(talk: Conversation, findings: Findings, target: str | None) -> Generator[Move, Results, None]:
    """List the folder with the first of the client's tools that can."""
    where = f"`{target}`" if target else "the current folder"
    for call in _make_listing_calls(talk, target):
        think = f"**Looking around**\n\nI start with what is there: {where}, listed with {call.name}."
        (result,) = yield Move(think, "I'll look around first.", (call,))
        if result.failed:
            findings.note_failure(result)
            continue
        lines = result.text.splitlines()
        if findings.folder is None and lines and lines[0].startswith("/"):
            findings.folder = lines[0] if call.name == "Bash" else lines[0].rpartition("/")[0]
            lines = lines[call.name == "Bash" :]
        within = (join(findings.folder, target) if target else None, target, findings.folder)
        findings.names, findings.looked = list_entries("\n".join(lines), within), True
        findings.sections.append(list_names(findings.names, target or findings.folder))
        return


def _make_listing_calls(talk: Conversation, target: str | None) -> Iterator[Call]:
    listing = "ls -Ap" + (f" -- {quote_path(target)}" if target else "")
    if talk.folder is None and target is None:
        listing = f"pwd && {listing}"
    place = {"path": join(talk.folder, target)} if target else {}
    calls = (
        make_call(talk, "Bash", command=listing, description="List what is in this folder"),
        make_call(talk, "Glob", pattern="*", **place),
        make_call(talk, "LS", path=join(talk.folder, target or ".")),
    )
    yield from (call for call in calls if call)


def _find_wanted_files(findings: Findings, named: list[str], target: str | None) -> list[str]:
    """Return the files that the prompt names, or else those to open first in the listed folder."""
    if target and findings.names == (target,):  # `ls` of a file prints its name
        return [target]
    asked = [path for path in named if path != target and not path.endswith("/") and f"{path}/" not in findings.names]
    if asked:
        return asked[:2]
    inside = f"{target.rstrip('/')}/" if target else ""
    return [inside + name for name in choose_files(findings.names, 2)]


def read_files(talk: Conversation, findings: Findings, files: list[str]) -> Generator[Move, Results, None]:
    """Read the files, all at once if the client allows parallel calls."""
    together = [files] if talk.parallel else [[name] for name in files]
    for group in together:
        calls = tuple(call for name in group if (call := _make_read_call(talk, findings.folder, name)))
        if not calls:
            continue
        shown = " and ".join(f"`{name}`" for name in group)
        think = f"**Reading**\n\nOf what is there, {shown} should say most about it."
        for result, name in zip((yield Move(think, "", calls)), group, strict=False):
            _note_result(findings, result, name)


def _make_read_call(talk: Conversation, folder: str | None, name: str) -> Call | None:
    path = join(folder, name)
    return make_call(talk, "Read", file_path=path, limit=READ_LINES) or make_call(
        talk, "Bash", command=f"head -n {READ_LINES} -- {quote_path(path)}", description="Show the beginning of a file"
    )


def _note_result(findings: Findings, result: Result, name: str) -> None:
    if result.failed:
        findings.note_failure(result)
        return
    if result.attachments:
        findings.sections.append(f"**`{name}`** is {' and '.join(result.attachments)}.")
        return
    quote = first_lines(result.text, QUOTED_LINES)
    findings.quotes.append(f"`{name}` begins:\n\n{fence(quote)}")
    findings.sections.append(f"**`{name}`** begins:\n\n{fence(quote)}")


def _leave_note(talk: Conversation, findings: Findings) -> Generator[Move, Results, str | None]:
    """Write the findings into a new file. Returns its name; None if that was not possible or not wanted."""
    if talk.planning:
        findings.sections.append("Plan mode is on, so I changed nothing.")
        return None
    note = choose_note_name(findings.names) if findings.looked and not _forbids_writing(talk.prompt) else None
    path = join(findings.folder, note or "")
    call = make_call(talk, "Write", file_path=path, content=_note_text(findings)) if note else None
    if call is None:
        return None
    think = f"**Writing a note**\n\nI keep what I found in a new file, `{note}`; it replaces nothing."
    (result,) = yield Move(think, "I'll keep what I found in a note.", (call,))
    if result.failed:
        findings.note_failure(result)
        return None
    findings.sections.append(f"I wrote **`{note}`**, a note with these findings. Delete it whenever you like.")
    return note


def _note_text(findings: Findings) -> str:
    names = "\n".join(f"- `{name}`" for name in findings.names[:SHOWN_NAMES]) or "- nothing"
    more = f"\n- and {len(findings.names) - SHOWN_NAMES} more" if len(findings.names) > SHOWN_NAMES else ""
    quotes = "".join(f"\n{quote}\n" for quote in findings.quotes)
    return (
        "# A note by the claudegpt demo\n\n"
        "Written by a script, through Claude Code's own tools; no GPT was involved. You can delete it.\n\n"
        f"In this folder:\n\n{names}{more}\n{quotes}"
    )


def _run_check(talk: Conversation, findings: Findings, note: str | None) -> Generator[Move, Results, None]:
    """Run a harmless command, about the note if there is one."""
    if talk.planning or not findings.looked:
        return
    command, purpose = (
        (f"wc -l -c {quote_path(join(findings.folder, note))}", "Count the lines and bytes of the note")
        if note
        else ("ls -A | wc -l", "Count what is in this folder")
    )
    call = make_call(talk, "Bash", command=command, description=purpose)
    if call is None:
        return
    (result,) = yield Move(f"**Checking**\n\nA command shows whether the result is there: `{command}`.", "", (call,))
    if result.failed:
        findings.note_failure(result)
        return
    findings.sections.append(f"`{command}` printed:\n\n{fence(first_lines(result.text, QUOTED_LINES))}")


def _choose_opening(talk: Conversation) -> str:
    if _asks_for_change(talk.prompt):
        return f"{REAL} What you ask needs a real model; instead I looked at what is here."
    return REAL
