"""The demo's model: the conversation in, the next move out. Pure, and the same conversation always gives the same move.

`decide` picks the script for the user's newest words and runs it from its beginning, handing it the results that the
conversation already holds; where they end is the move to make now. So nothing is remembered between requests, a
conversation goes on after a restart, and a turn ends: each request brings another result, and scripts are short.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice

import orjson

from .conversation import Conversation, Result
from .folder import is_file_name, paths_in
from .moves import Call, Move, Script, sampled
from .sample import Sampler
from .scripts import (
    REPLACE,
    chat,
    command_in,
    create_file,
    delegate,
    echo,
    edit_file,
    forced_call,
    greet,
    judge,
    named_tool,
    read_file,
    recall,
    run_command,
    suggest,
    summarise,
    told_to_say,
    use_named_tool,
)
from .tour import CHANGE, named_place, tour

MOST_FORCED_CALLS = 8  # of one turn, where `tool_choice` demands a call each time
STRUCTURED = "StructuredOutput"  # how the client hands over a --json-schema

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

# What kind of prompt it is: the first that applies says which script answers.
Kind = tuple[Callable[[Conversation], object], Callable[[Conversation], Script]]
KINDS: tuple[Kind, ...] = (
    (lambda talk: COMPACTION in talk.prompt, summarise),
    (lambda talk: talk.prompt.startswith("[SUGGESTION MODE"), suggest),
    (lambda talk: "<block>" in talk.system and not talk.tools, judge),
    (lambda talk: told_to_say(talk.prompt), echo),
    (lambda talk: command_in(talk.prompt), run_command),
    (lambda talk: named_tool(talk), use_named_tool),
    (lambda talk: RECALL.search(talk.prompt), recall),
    (lambda talk: "Agent" in talk.tools and SUBAGENT.search(talk.prompt), delegate),
    (lambda talk: REPLACE.search(talk.prompt) and names_file(REPLACE.sub("", talk.prompt)), edit_file),
    (lambda talk: CREATE.search(talk.prompt) and names_file(talk.prompt), create_file),
    (lambda talk: READ.search(talk.prompt) and names_file(talk.prompt), read_file),
    (lambda talk: talk.attachments, chat),
    (lambda talk: LOOK.search(talk.prompt) or CHANGE.search(talk.prompt) or named_place(talk.prompt), tour),
    (lambda talk: GREETING.fullmatch(talk.prompt), greet),
    (lambda talk: True, chat),
)


def decide(talk: Conversation) -> Move:
    """The next move of the conversation."""
    if talk.schema is not None:
        return Move(say=orjson.dumps(Sampler(talk.schema, talk.prompt).value()).decode())
    script = next(script for applies, script in KINDS if applies(talk))
    move = replay(with_structured_output(talk, script(talk)), talk.results)
    must_call = talk.choice not in ("auto", "none") and len(talk.results) < MOST_FORCED_CALLS
    if must_call and not any(talk.choice in ("required", call.name) for call in move.calls):
        call = forced_call(talk)
        return Move(move.think, calls=(call,)) if call else move
    return move


def replay(script: Script, results: tuple[Result, ...]) -> Move:
    """Run a script as far as the results go."""
    known = iter(results)
    move = next_move(script, None)
    while move.calls:
        taken = tuple(islice(known, len(move.calls)))
        if len(taken) < len(move.calls):
            return move
        move = next_move(script, taken)
    return move


def next_move(script: Script, results: tuple[Result, ...] | None) -> Move:
    try:
        return next(script) if results is None else script.send(results)
    except StopIteration as end:
        answer: Move = end.value
        return answer


def with_structured_output(talk: Conversation, script: Script) -> Script:
    """The script, and after it the call that hands over the JSON a client wants so."""
    answer = yield from script
    if STRUCTURED in talk.tools:
        yield Move(answer.think, calls=(Call(STRUCTURED, sampled(talk, STRUCTURED)),))
    return answer


def names_file(prompt: str) -> bool:
    """Whether the first path in the prompt is a file's, as far as a name can tell."""
    return any(is_file_name(path) for path in paths_in(prompt)[:1])
