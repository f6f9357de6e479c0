"""The short scripts: one for each kind of prompt that needs no tour."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from .conversation import Conversation
from .folder import fence, find_paths, first_lines, join
from .moves import Call, Move, Script, make_arguments, make_call
from .report import ABILITIES, DEMO, NEXT, QUOTED_LINES, REAL, Findings, shorten_line, write_report
from .sample import QUOTED
from .tour import look, read_files


def read_file(talk: Conversation) -> Script:
    findings = Findings(talk.folder)
    yield from read_files(talk, findings, find_paths(talk.prompt)[:2])
    return Move("**Answering**\n\nI show what came back.", write_report(REAL, findings))


CONTENT = re.compile(
    r"\b(?:contain(?:s|ing)?|with(?: the)?(?: text| content| contents)?|saying|says)\b[:\s]+(.+)", re.S
)


def create_file(talk: Conversation) -> Script:
    """Write the file that the prompt names, unless it exists."""
    findings = Findings(talk.folder)
    name = find_paths(talk.prompt)[0]
    if not talk.planning:
        yield from look(talk, findings, f"{name.rpartition('/')[0]}/" if "/" in name else None)
    findings.sections.clear()
    content = _find_content(talk.prompt)
    call = make_call(talk, "Write", file_path=join(findings.folder, name), content=content)
    if name.rpartition("/")[2] in findings.names:
        findings.sections.append(f"`{name}` is there already, and I replace nothing.")
    elif call is None or talk.planning or not findings.looked:
        findings.sections.append(f"I did not write `{name}`: {_explain_unwritten(talk, call)}.")
    else:
        think = f"**Writing a file**\n\n`{name}` is not there yet; I write what the user asked for."
        (result,) = yield Move(think, "", (call,))
        if result.failed:
            findings.note_failure(result)
        else:
            findings.sections.append(f"I wrote **`{name}`**:\n\n{fence(first_lines(content, QUOTED_LINES))}")
    return Move("**Answering**\n\nI say what became of it.", write_report(REAL, findings))


def _explain_unwritten(talk: Conversation, call: Call | None) -> str:
    if talk.planning:
        return "plan mode is on"
    return "I could not see whether it is there already" if call else "there is no Write tool"


REPLACE = re.compile(
    r"\b(?:replace|change)\s+[\"'`](?P<old>[^\"'`\n]+)[\"'`]\s+(?:with|to|by|into)\s+[\"'`](?P<new>[^\"'`\n]*)[\"'`]",
    re.I,
)


def edit_file(talk: Conversation) -> Script:
    """Replace a text in the file that the prompt names. Claude Code requires that the file was read before."""
    findings = Findings(talk.folder)
    name, wanted = find_paths(REPLACE.sub("", talk.prompt))[0], REPLACE.search(talk.prompt)
    old, new = (wanted["old"], wanted["new"]) if wanted else ("", "")
    path = join(talk.folder, name)
    call = make_call(talk, "Edit", file_path=path, old_string=old, new_string=new)
    if call is None or talk.planning:
        findings.sections.append(f"I did not edit `{name}`: {'plan mode is on' if call else 'there is no Edit tool'}.")
        return Move("**Answering**\n\nI say why nothing happened.", write_report(REAL, findings))
    yield from read_files(talk, findings, [name])
    think = f"**Editing**\n\nThe user gave both texts, so this needs no judgement: `{old}` becomes `{new}`."
    (result,) = yield Move(think, "", (call,))
    if result.failed:
        findings.note_failure(result)
    else:
        findings.sections.append(f"In **`{name}`** I replaced `{old}` by `{new}`.")
    return Move("**Answering**\n\nI say what became of it.", write_report(REAL, findings))


# What Claude Code adds around a subagent's answer.
HAND_BACK = re.compile(
    r"^<tools-used[^\n]*|^\[Subagent hand-back\][^\n]*|^agentId:[^\n]*|<usage>.*?</usage>", re.M | re.S
)


def delegate(talk: Conversation) -> Script:
    """Start a subagent that looks around, and repeat its answer."""
    findings = Findings(talk.folder)
    call = make_call(
        talk,
        "Agent",
        description="Look around",
        prompt="What is in this folder? Look only, do not write anything.",
        subagent_type="Explore",
        run_in_background=False,
    )
    if call is None:
        return Move("**Answering**\n\nThere is no one to ask.", write_report(REAL, findings))
    (result,) = yield Move("**Delegating**\n\nThe user wants a subagent; it shall look around.", "", (call,))
    if result.failed:
        findings.note_failure(result)
    else:
        said = textwrap.dedent(HAND_BACK.sub("", result.text)).strip()
        findings.sections.append(f"The subagent answered:\n\n{fence(first_lines(said, 40))}")
    return Move("**Answering**\n\nI pass on what the subagent said.", write_report(REAL, findings))


def _find_content(prompt: str) -> str:
    """Return the content that the prompt wants in the file."""
    match = CONTENT.search(prompt)
    said = match[1].strip() if match else ""
    quote = QUOTED.search(said or prompt)
    text = quote[1] if quote else said or "Written by the claudegpt demo."
    return text.rstrip("\n") + "\n"


RUN = re.compile(r"\s*(?:please )?(?:run|execute)\b(?: the)?(?: command)?[:\s]*(.+)", re.IGNORECASE | re.DOTALL)
NO_COMMAND = re.compile(r"(?:the|an?|my|your|all|it|this|that|these|some|every\w*|tests?)\b", re.IGNORECASE)
HARMLESS = re.compile(
    r"(?:ls|echo|cat|head|tail|wc|whoami|uname|pwd)(?: [\w ./:=,@%+'\"-]*)?|date|git (?:status|log|diff)"
)


def find_shell_command(prompt: str) -> str | None:
    """Return the command of a "run …" prompt, or None."""
    match = RUN.fullmatch(prompt)
    if not match or NO_COMMAND.match(match[1]):
        return None
    quote = re.search(r"`([^`\n]+)`", match[1])
    return (quote[1] if quote else match[1]).strip()


def run_shell_command(talk: Conversation) -> Script:
    findings = Findings(talk.folder)
    command = find_shell_command(talk.prompt) or ""
    call = make_call(talk, "Bash", command=command, description="Run the command the user asked for")
    if not HARMLESS.fullmatch(command):
        findings.sections.append("I only run a few harmless commands, such as `ls`, `cat`, `wc` or `git status`.")
    elif call is None:
        findings.sections.append("There is no Bash tool to run it with.")
    else:
        (result,) = yield Move(f"**Running a command**\n\nThe user asked for `{command}`.", "", (call,))
        if result.failed:
            findings.note_failure(result)
        else:
            findings.sections.append(f"`{command}` printed:\n\n{fence(first_lines(result.text, 40))}")
    return Move("**Answering**\n\nI show what came back.", write_report(REAL, findings))


def use_named_tool(talk: Conversation) -> Script:
    """Call the tool that the prompt is about, with arguments made from its words, and repeat the output."""
    name = find_named_tool(talk)
    findings = Findings(talk.folder)
    if name:
        call = Call(name, make_arguments(talk, name))
        (result,) = yield Move(f"**Using a tool**\n\n`{name}` seems to be what this is about.", "", (call,))
        if result.failed:
            findings.note_failure(result)
        else:
            answer = " and ".join(
                [*([fence(first_lines(result.text, 40))] if result.text else []), *result.attachments]
            )
            findings.sections.append(f"`{name}` returned:\n\n{answer or 'nothing'}")
    return Move("**Answering**\n\nI show what came back.", write_report(REAL, findings))


RISKY = re.compile(r"delete|remove|drop|kill|send|publish|deploy|write|update|create|push|merge|pay|buy|post", re.I)
CLAUDE_CODES_OWN = ("Bash", "Read", "Agent", "Task")


def find_named_tool(talk: Conversation) -> str | None:
    """Find a tool, not one of Claude Code's own, that looks harmless and whose name is in the prompt."""
    own = any(name in talk.tools for name in CLAUDE_CODES_OWN)
    said = set(re.findall(r"[a-z]+", talk.prompt.lower()))
    for name in talk.tools:
        if (own and not name.startswith("mcp__")) or RISKY.search(name):
            continue
        words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}", name.rpartition("__")[2])}
        if words - FILLERS and words - FILLERS <= said:
            return name
    return None


# Words in a tool's name that say little about the tool.
_FILLERS = "get the fetch find lookup look up read list show tool query search run"
FILLERS = frozenset(_FILLERS.split())


def echo(talk: Conversation) -> Script:
    yield from ()
    return Move(
        "**Repeating**\n\nThe user told me what to say.", f"{find_words_to_say(talk.prompt)}\n\n*(the claudegpt demo)*"
    )


SAY = re.compile(
    r"(?:please )?(?:just )?(?:say|reply|respond|answer|output|print|repeat)\b(?: back)?"
    r"(?:\s+(?:with|only|just|exactly|the (?:single |exact )?words?|the text|this))*[:\s]+(?P<words>.+)",
    re.IGNORECASE | re.DOTALL,
)
NOT_LITERAL = re.compile(
    r"(?:what|who|how|why|where|when|which|whether|if|me|us|to|in|about|my|your|the) ", re.IGNORECASE
)


def find_words_to_say(prompt: str) -> str | None:
    """Return the words of a "say …" prompt, or None."""
    match = SAY.fullmatch(prompt) if len(prompt) < 200 else None
    if not match or NOT_LITERAL.match(match["words"]):
        return None
    return match["words"].strip().strip("\"'`.“”") or None


def greet(talk: Conversation) -> Script:
    yield from ()
    return Move(
        "**Greeting**\n\nA friendly word, and what can be done here.", f"Hello! {DEMO} You can\n\n{ABILITIES}\n\n{NEXT}"
    )


def repeat_earlier_words(talk: Conversation) -> Script:
    """Repeat what the user said earlier in the conversation. The demo has no other memory."""
    yield from ()
    said = "\n".join(f"{number}. {shorten_line(words)}" for number, words in enumerate(talk.earlier[-20:], 1))
    used = ", ".join(f"`{name}`" for name in dict.fromkeys(talk.calls_before)) or "none"
    before = f"Before this you said:\n\n{said}" if said else "Before this you have said nothing."
    return Move(
        "**Remembering**\n\nI read the conversation again.", f"{before}\n\nTools used so far: {used}.\n\n{DEMO}"
    )


def chat(talk: Conversation) -> Script:
    yield from ()
    brought = f"Your message brings {' and '.join(talk.attachments)}. " if talk.attachments else ""
    say = f"{brought}{DEMO} So I cannot really answer that, but you can\n\n{ABILITIES}\n\n{NEXT}"
    return Move("**Answering**\n\nNothing here needs a tool, and a script knows no answer to it.", say)


def summarise(talk: Conversation) -> Script:
    """Write the summary that Claude Code requests when it compacts a conversation."""
    yield from ()
    said = "\n".join(f"   - {shorten_line(words)}" for words in talk.earlier[-40:]) or "   - nothing yet"
    used = ", ".join(dict.fromkeys(talk.calls_before)) or "none"
    return Move(
        say="<analysis>\nThis is a conversation with the claudegpt demo, a script without a GPT.\n</analysis>\n\n"
        f"<summary>\n1. Primary Request and Intent: the user said, in order:\n{said}\n"
        f"2. Tools used: {used}; {len(talk.calls_before)} calls in all.\n"
        "3. Pending Tasks: none.\n4. Current Work: answering as the demo does.\n</summary>"
    )


def suggest(talk: Conversation) -> Script:
    """Suggest what the user might type next, for Claude Code's input line."""
    yield from ()
    asked = any("in this folder" in words.lower() for words in talk.earlier)
    return Move(say="run `git status`" if asked else "what is in this folder?")


def judge(talk: Conversation) -> Script:
    """Answer the auto mode classifier: block. A script cannot know whether an action is safe."""
    yield from ()
    return Move(say="<block>yes</block><reason>The claudegpt demo is a script and cannot judge an action.</reason>")


# A call that `tool_choice` demands.


def make_forced_call(talk: Conversation) -> Call | None:
    """Make the call that `tool_choice` demands; a harmless one if the tool is known."""
    name = talk.choice if talk.choice in talk.tools else find_named_tool(talk) or next(iter(talk.tools), None)
    if name is None:
        return None
    return make_call(talk, name, **HARMLESS_ARGUMENTS.get(name, {})) or Call(name, make_arguments(talk, name))


HARMLESS_ARGUMENTS: dict[str, dict[str, Any]] = {
    "Bash": {"command": "ls -Ap", "description": "List what is in this folder"},
    "Glob": {"pattern": "*"},
}
