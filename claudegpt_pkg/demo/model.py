"""The demo's model: it takes a conversation and returns the next move. Pure: the same conversation, the same move.

`decide` picks the script for the user's newest words and runs it from its beginning with the results that the
conversation already holds. The move after the last result is the next one. So nothing is stored between requests, and a
conversation goes on after a restart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice

import orjson

from .conversation import Conversation, Result
from .folder import find_paths, is_file_name
from .moves import Call, Move, Script, make_arguments
from .sample import Sampler
from .scripts import (
    REPLACE,
    chat,
    create_file,
    delegate,
    echo,
    edit_file,
    find_named_tool,
    find_shell_command,
    find_words_to_say,
    greet,
    judge,
    make_forced_call,
    read_file,
    repeat_earlier_words,
    run_shell_command,
    suggest,
    summarise,
    use_named_tool,
)
from .tour import CHANGE, find_place, tour

MOST_FORCED_CALLS = 8  # in one turn, if `tool_choice` demands a call each time
STRUCTURED = "StructuredOutput"  # the tool that Claude Code declares for --json-schema

COMPACTION = "CRITICAL: Respond with TEXT ONLY"
GREETING = re.compile(r"(?:hi|hello|hey|good (?:morning|day|evening)|hallo|hola|bonjour|salut|servus)\b.{0,30}", re.I)
RECALL = re.compile(
    r"what did I\b|\bmy (?:first|last|previous|earlier)\b|\bdo you (?:still )?remember\b|\bso far\b", re.I
)
READ = re.compile(
    r"\b(?:read|show|open|print|cat|display|summari[sz]e|explain|describe|look at|says?|what(?:'s| is))\b", re.I
)
CREATE = re.compile(r"\b(?:create|write|make|add|save)\b", re.I)
SUBAGENT = re.compile(r"\bsub-?agents?\b|\b(?:explore|plan|general-purpose) agent\b", re.I)
LOOK = re.compile(
    r"\b(?:folders?|director(?:y|ies)|files?|projects?|repo(?:sitory)?|code(?:base)?|here|list|ls|tree|readme|"
    r"look|explore|show|demo|tools?|what can you do|analy[sz]e|review|explain|summari[sz]e)\b",
    re.IGNORECASE,
)

# Condition, and the script that answers. The first condition that holds decides.
Kind = tuple[Callable[[Conversation], object], Callable[[Conversation], Script]]
KINDS: tuple[Kind, ...] = (
    (lambda talk: COMPACTION in talk.prompt, summarise),
    (lambda talk: talk.prompt.startswith("[SUGGESTION MODE"), suggest),
    (lambda talk: "<block>" in talk.system and not talk.tools, judge),
    (lambda talk: find_words_to_say(talk.prompt), echo),
    (lambda talk: find_shell_command(talk.prompt), run_shell_command),
    (lambda talk: find_named_tool(talk), use_named_tool),
    (lambda talk: RECALL.search(talk.prompt), repeat_earlier_words),
    (lambda talk: "Agent" in talk.tools and SUBAGENT.search(talk.prompt), delegate),
    (lambda talk: REPLACE.search(talk.prompt) and _names_file(REPLACE.sub("", talk.prompt)), edit_file),
    (lambda talk: CREATE.search(talk.prompt) and _names_file(talk.prompt), create_file),
    (lambda talk: READ.search(talk.prompt) and _names_file(talk.prompt), read_file),
    (lambda talk: talk.attachments, chat),
    (lambda talk: LOOK.search(talk.prompt) or CHANGE.search(talk.prompt) or find_place(talk.prompt), tour),
    (lambda talk: GREETING.fullmatch(talk.prompt), greet),
    (lambda talk: True, chat),
)


def decide(talk: Conversation) -> Move:
    """Return the next move of the conversation."""
    if talk.schema is not None:
        return Move(say=orjson.dumps(Sampler(talk.schema, talk.prompt).value()).decode())
    script = next(script for applies, script in KINDS if applies(talk))
    move = _replay_script(_with_structured_output(talk, script(talk)), talk.results)
    must_call = talk.choice not in ("auto", "none") and len(talk.results) < MOST_FORCED_CALLS
    if must_call and not any(talk.choice in ("required", call.name) for call in move.calls):
        call = make_forced_call(talk)
        return Move(move.think, calls=(call,)) if call else move
    return move


def _replay_script(script: Script, results: tuple[Result, ...]) -> Move:
    """Run a script with the results that are known; return the move after the last one."""
    known = iter(results)
    move = _next_move(script, None)
    while move.calls:
        taken = tuple(islice(known, len(move.calls)))
        if len(taken) < len(move.calls):
            return move
        move = _next_move(script, taken)
    return move


def _next_move(script: Script, results: tuple[Result, ...] | None) -> Move:
    try:
        return next(script) if results is None else script.send(results)
    except StopIteration as end:
        answer: Move = end.value
        return answer


def _with_structured_output(talk: Conversation, script: Script) -> Script:
    """The script, followed by a call of StructuredOutput if the client declares it."""
    answer = yield from script
    if STRUCTURED in talk.tools:
        yield Move(answer.think, calls=(Call(STRUCTURED, make_arguments(talk, STRUCTURED)),))
    return answer


def _names_file(prompt: str) -> bool:
    """Whether the first path in the prompt looks like a file."""
    return any(is_file_name(path) for path in find_paths(prompt)[:1])
