"""The tour of a folder: look around, read a file or two, write a note, run a command, tell what came back."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from .conversation import Conversation, Result
from .folder import entries, fenced, first_lines, free_note, join, paths_in, quoted, worth_reading
from .moves import Call, Move, Results, Script, use
from .report import QUOTED_LINES, REAL, SHOWN_NAMES, Findings, listed, report

PLACES = ("/", "./", "../")
READ_LINES = 40  # asked of the Read tool
NO_WRITING = re.compile(
    r"\b(?:don'?t|do not|without|never|no)\b[^.?!\n]{0,30}\b(?:writ|chang|modif|creat|touch|edit|note|file)|read.?only",
    re.I,
)
CHANGE = re.compile(
    r"\b(?:edit|fix|creat\w*|writ\w*|build|add|refactor\w*|implement\w*|improv\w*|chang\w*|make|updat\w*|delet\w*|"
    r"remov\w*|renam\w*|generat\w*|convert|rewrit\w*|debug\w*|optimi[sz]e|port|translate|commit|install|test|deploy)\b",
    re.IGNORECASE,
)


def forbids_writing(prompt: str) -> bool:
    return bool(NO_WRITING.search(prompt))


def asks_for_change(prompt: str) -> bool:
    return bool(CHANGE.search(prompt)) and not forbids_writing(prompt)


def tour(talk: Conversation) -> Script:
    findings = Findings(talk.folder)
    target = named_place(talk.prompt)
    yield from look(talk, findings, target)
    yield from read(talk, findings, wanted_files(findings, paths_in(talk.prompt), target))
    note = yield from leave_note(talk, findings)
    yield from run_check(talk, findings, note)
    return Move(
        think="**Putting it together**\n\nI have what the tools returned; I will report it and nothing else.",
        say=report(opening(talk), findings),
    )


def named_place(prompt: str) -> str | None:
    """The first path in the prompt that is surely meant as one, and perhaps as a folder's."""
    return next((path for path in paths_in(prompt) if path.endswith("/") or path.startswith(PLACES)), None)


def look(talk: Conversation, findings: Findings, target: str | None) -> Generator[Move, Results, None]:
    """List the folder, with whichever of the client's tools can."""
    where = f"`{target}`" if target else "the current folder"
    for call in lookers(talk, target):
        think = f"**Looking around**\n\nI start with what is there: {where}, listed with {call.name}."
        (result,) = yield Move(think, "I'll look around first.", (call,))
        if result.failed:
            findings.failed(result)
            continue
        lines = result.text.splitlines()
        if findings.folder is None and lines and lines[0].startswith("/"):
            findings.folder = lines[0] if call.name == "Bash" else lines[0].rpartition("/")[0]
            lines = lines[call.name == "Bash" :]
        within = (join(findings.folder, target) if target else None, target, findings.folder)
        findings.names, findings.looked = entries("\n".join(lines), within), True
        findings.sections.append(listed(findings.names, target or findings.folder))
        return


def lookers(talk: Conversation, target: str | None) -> Iterator[Call]:
    listing = "ls -Ap" + (f" -- {quoted(target)}" if target else "")
    if talk.folder is None and target is None:
        listing = f"pwd && {listing}"
    place = {"path": join(talk.folder, target)} if target else {}
    calls = (
        use(talk, "Bash", command=listing, description="List what is in this folder"),
        use(talk, "Glob", pattern="*", **place),
        use(talk, "LS", path=join(talk.folder, target or ".")),
    )
    yield from (call for call in calls if call)


def wanted_files(findings: Findings, named: list[str], target: str | None) -> list[str]:
    """The files the prompt names; else those worth reading in the folder that was listed."""
    if target and findings.names == (target,):  # ls says so of a file
        return [target]
    asked = [path for path in named if path != target and not path.endswith("/") and f"{path}/" not in findings.names]
    if asked:
        return asked[:2]
    inside = f"{target.rstrip('/')}/" if target else ""
    return [inside + name for name in worth_reading(findings.names, 2)]


def read(talk: Conversation, findings: Findings, files: list[str]) -> Generator[Move, Results, None]:
    """Read the files, at once if the client allows it."""
    together = [files] if talk.parallel else [[name] for name in files]
    for group in together:
        calls = tuple(call for name in group if (call := reader(talk, findings.folder, name)))
        if not calls:
            continue
        shown = " and ".join(f"`{name}`" for name in group)
        think = f"**Reading**\n\nOf what is there, {shown} should say most about it."
        for result, name in zip((yield Move(think, "", calls)), group, strict=False):
            take_in(findings, result, name)


def reader(talk: Conversation, folder: str | None, name: str) -> Call | None:
    path = join(folder, name)
    return use(talk, "Read", file_path=path, limit=READ_LINES) or use(
        talk, "Bash", command=f"head -n {READ_LINES} -- {quoted(path)}", description="Show the beginning of a file"
    )


def take_in(findings: Findings, result: Result, name: str) -> None:
    if result.failed:
        findings.failed(result)
        return
    if result.attachments:
        findings.sections.append(f"**`{name}`** is {' and '.join(result.attachments)}.")
        return
    quote = first_lines(result.text, QUOTED_LINES)
    findings.quotes.append(f"`{name}` begins:\n\n{fenced(quote)}")
    findings.sections.append(f"**`{name}`** begins:\n\n{fenced(quote)}")


def leave_note(talk: Conversation, findings: Findings) -> Generator[Move, Results, str | None]:
    """Write what was found into a new file; its name, or None where that was not possible or not wanted."""
    if talk.planning:
        findings.sections.append("Plan mode is on, so I changed nothing.")
        return None
    note = free_note(findings.names) if findings.looked and not forbids_writing(talk.prompt) else None
    path = join(findings.folder, note or "")
    call = use(talk, "Write", file_path=path, content=note_text(findings)) if note else None
    if call is None:
        return None
    think = f"**Writing a note**\n\nI keep what I found in a new file, `{note}`; it replaces nothing."
    (result,) = yield Move(think, "I'll keep what I found in a note.", (call,))
    if result.failed:
        findings.failed(result)
        return None
    findings.sections.append(f"I wrote **`{note}`**, a note with these findings. Delete it whenever you like.")
    return note


def note_text(findings: Findings) -> str:
    names = "\n".join(f"- `{name}`" for name in findings.names[:SHOWN_NAMES]) or "- nothing"
    more = f"\n- and {len(findings.names) - SHOWN_NAMES} more" if len(findings.names) > SHOWN_NAMES else ""
    quotes = "".join(f"\n{quote}\n" for quote in findings.quotes)
    return (
        "# A note by the claudegpt demo\n\n"
        "Written by a script, through Claude Code's own tools; no GPT was involved. You can delete it.\n\n"
        f"In this folder:\n\n{names}{more}\n{quotes}"
    )


def run_check(talk: Conversation, findings: Findings, note: str | None) -> Generator[Move, Results, None]:
    """Run a harmless command: about the note if there is one."""
    if talk.planning or not findings.looked:
        return
    command, purpose = (
        (f"wc -l -c {quoted(join(findings.folder, note))}", "Count the lines and bytes of the note")
        if note
        else ("ls -A | wc -l", "Count what is in this folder")
    )
    call = use(talk, "Bash", command=command, description=purpose)
    if call is None:
        return
    (result,) = yield Move(f"**Checking**\n\nA command shows whether the result is there: `{command}`.", "", (call,))
    if result.failed:
        findings.failed(result)
        return
    findings.sections.append(f"`{command}` printed:\n\n{fenced(first_lines(result.text, QUOTED_LINES))}")


def opening(talk: Conversation) -> str:
    if asks_for_change(talk.prompt):
        return f"{REAL} What you ask needs a real model; instead I looked at what is here."
    return REAL
