"""Recorded streams, broken at random: whatever a server sends, the client gets a stream that obeys the grammar.

    python -m tests.translate.fuzz [--cases 200000] [--seed 0]

Each case takes the events of one fixture and drops, repeats, swaps, retypes, renumbers or splices some of them, by a
seed of its own, so a case that fails can be tried again by its number. A case holds if

- nothing is raised except what says that the upstream failed;
- all that went out obeys the grammar, with an error event at its end if the answer failed;
- every tool's input is a JSON object, unless the length limit cut the answer off;
- it takes less than SECONDS.
"""

from __future__ import annotations

import argparse
import copy
import random
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from claudegpt_pkg.errors import UpstreamFailed
from claudegpt_pkg.translate.answer.blocks import Reply
from claudegpt_pkg.translate.answer.fold import fold
from claudegpt_pkg.translate.answer.stream import MessageStream, ResponseFailed
from claudegpt_pkg.translate.request.tool_table import build_tool_table
from claudegpt_pkg.translate.tools import ToolRules
from claudegpt_pkg.translate.wire.anthropic import error
from claudegpt_pkg.translate.wire.sse import Decoder
from tests.support.grammar import check, stop_reason
from tests.support.replay import arriving, names, whole

Event = dict[str, Any]
Mutation = Callable[[random.Random, list[Event]], None]

SECONDS = 10  # of processor time; a case takes a millisecond
READ = {"type": "object", "properties": {"pages": {"type": "string", "minLength": 1}, "limit": {"type": "integer"}}}
TOOLS: list[dict[str, Any]] = [
    {"name": "Bash", "input_schema": {"type": "object"}},
    {"name": "Read", "input_schema": READ},
    {"type": "web_search_20250305", "name": "web_search"},
]
REPLIES: tuple[dict[str, Any], ...] = (
    {},
    {"show_thinking": False},
    {"stop_sequences": ("STOP", "e")},
    {"titles_first": True},
)
VALUES: tuple[Any, ...] = (
    *(None, "", "x", '{"a":1}', '{"a":', '"{}"', "null", 0, 1, 7, -1, True, 1.5, 10**30, float("inf")),
    *([], {}, [None], {"type": "message"}, ["error"], {"a": {"b": [1]}}, "\u2028", "\x00\n", "e STOP e"),
    *("message", "reasoning", "function_call", "web_search_call", "output_text", "reasoning_text", "completed"),
    *("multi_tool_use.parallel", '{"tool_uses":[{"recipient_name":"functions.Bash","parameters":{"command":"ls"}}]}'),
)
NUMBERS = ("output_index", "item_id", "content_index", "summary_index", "sequence_number")


def drop(rng: random.Random, events: list[Event]) -> None:
    del events[rng.randrange(len(events))]


def repeat(rng: random.Random, events: list[Event]) -> None:
    events.insert(rng.randrange(len(events) + 1), copy.deepcopy(rng.choice(events)))


def swap(rng: random.Random, events: list[Event]) -> None:
    one, other = rng.randrange(len(events)), rng.randrange(len(events))
    events[one], events[other] = events[other], events[one]


def splice(rng: random.Random, events: list[Event]) -> None:
    other = RECORDED[rng.choice(NAMES)]
    start = rng.randrange(len(other))
    at = rng.randrange(len(events) + 1)
    events[at:at] = copy.deepcopy(other[start : start + rng.randint(1, 6)])


def retype(rng: random.Random, events: list[Event]) -> None:
    """Put another value at some place of an event, or take the field out."""
    holder: Any = rng.choice(events)
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.8:
            holder = holder[key]
        elif isinstance(holder, dict) and rng.random() < 0.3:
            del holder[key]
            return
        else:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
            return


def renumber(rng: random.Random, events: list[Event]) -> None:
    """Number all events the same, differently, or not at all."""
    name, how = rng.choice(NUMBERS), rng.choice(["gone", "same", "counted", "random"])
    for at, event in enumerate(events):
        if how == "gone":
            event.pop(name, None)
        elif name in event:
            event[name] = {"same": 0, "counted": at, "random": rng.randrange(3)}[how]


MUTATIONS: tuple[Mutation, ...] = (drop, repeat, swap, splice, retype, retype, renumber)


def recorded(name: str) -> list[Event]:
    decoder = Decoder()
    events = [event for chunk in arriving(name, whole) for event in decoder.feed(chunk)]
    return [*events, *decoder.flush()]


NAMES = names()
RECORDED = {name: recorded(name) for name in NAMES}
NAMES = [name for name in NAMES if RECORDED[name]]


def mutated(rng: random.Random) -> list[Event]:
    events = copy.deepcopy(RECORDED[rng.choice(NAMES)])
    for _ in range(rng.randint(1, 5)):
        if events:
            rng.choice(MUTATIONS)(rng, events)
    return events


def try_case(seed: int) -> None:
    """Raises AssertionError if what the client gets breaks a rule, and whatever the translation should not raise."""
    rng = random.Random(seed)
    events = mutated(rng)
    table = build_tool_table(TOOLS, [], ToolRules())
    stream = MessageStream(Reply("msg_1", "m", 5, table, **rng.choice(REPLIES)))
    out: list[Event] = []
    try:
        for event in events:
            out += copy.deepcopy(stream.receive(event))
        stream.finish()
    except (ResponseFailed, UpstreamFailed):
        check([*out, *stream.break_off(), error("api_error", "It broke.")])
        return
    cut = stop_reason(check(out)) == "max_tokens"
    for block in fold(out)["content"]:
        if block["type"] == "tool_use" and not cut:
            assert isinstance(block["input"], dict), f"an input that is no object: {block}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    options = parser.parse_args()
    began, failed = time.monotonic(), 0
    signal.signal(signal.SIGPROF, _too_slow)
    for seed in range(options.seed, options.seed + options.cases):
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            try_case(seed)
        except Exception as fault:  # noqa: BLE001  every fault is reported, with its seed
            failed += 1
            sys.stdout.write(f"case {seed}: {type(fault).__name__}: {str(fault)[:400]}\n")
        if failed >= 20:
            break
    seconds = time.monotonic() - began
    sys.stdout.write(f"{seed + 1 - options.seed:,} cases in {seconds:.0f} s, {failed} failed\n")
    return 1 if failed else 0


def _too_slow(_: int, __: FrameType | None) -> None:
    raise AssertionError(f"a case took more than {SECONDS} seconds")


if __name__ == "__main__":
    sys.exit(main())
