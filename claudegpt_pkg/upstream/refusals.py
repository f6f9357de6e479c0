"""What a refusal teaches: some backends and models lack what others have.

    learned = lesson(report, known, body)      None: nothing, so that sending the request again would not help

The request is then sent at once without what was refused. What is given up for it is never the conversation itself: a
parameter, a summary, a level of effort, reasoning the backend cannot read.

Where the fault is, a refusal says by its code, by its `param`, or by how its sentence begins (`places`); what can be
left out there says one table (LEFT_OUT). Nothing is read out of the middle of a sentence: servers quote what they were
sent, and a conversation may be about anything, these very sentences too.

    trial = Trial()
    trial.learn(report, known, body)           the same, for all that one turn meets
    trial.applied(known)                       what to go without in this turn
    trial.helped(known)                        and from now on, once the request without it was answered
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from ..capabilities import Capabilities, merge
from ..models import EFFORTS
from ..translate.request.messages import reasoning_key
from ..translate.request.output import INCLUDE_REASONING
from .error_mapping import LIMIT, OVER_A_MINUTE, whole
from .error_report import Report, own_words


@dataclass(frozen=True)
class Fault:
    """One reading of a refusal: where in which request something is wrong."""

    place: str  # a path in the request, or one of the names below
    report: Report
    body: Mapping[str, Any]

    @property
    def words(self) -> str:
        return own_words(self.report.message)

    @property
    def unknown(self) -> bool:
        """Whether there is no such thing, rather than that it has a wrong value."""
        return bool(UNKNOWN.intersection(self.report.codes) or NO_SUCH.match(self.words))

    @property
    def items(self) -> Sequence[Mapping[str, Any]]:
        """The items of the input that it may be about."""
        items: list[Mapping[str, Any]] = self.body["input"]
        if match := re.match(r"input\[(\d{1,9})\]", self.place):
            return items[int(match[1]) :][:1]
        return items if OF_NO_SHAPE.match(self.words) else ()


# Places that no path leads to.
BLOBS, SEARCH, TOOL_SEARCH = "(encrypted content)", "(web search)", "(tool search)"
TOO_MUCH, TOGETHER = "(longest answer)", "(input and longest answer)"
# Where a `param` of these names no more than the list: which of it, the sentence may say.
LISTS = frozenset({"tools", "input"})
HINTS = frozenset({"stream_options", "service_tier", "prompt_cache_key", "prompt_cache_retention"})
SHAPING = frozenset({"max_output_tokens", "temperature", "top_p", "parallel_tool_calls", "tool_choice", "text"})
OPTIONAL = HINTS | SHAPING | {"reasoning"}
REFUSING = frozenset({None, 400, 404, 422, 501})  # None: in a stream; 501: vLLM, of a choice it has not

UNKNOWN = frozenset(
    {
        "unsupported_parameter",
        "unknown_parameter",
        "unrecognized_request_argument",
        "unrecognized_keys",
        "extra_forbidden",  # FastAPI
    }
)
NO_THINKING = r"['\"]?[^\s'\"]+['\"]? does not support thinking"  # Ollama
NAME = r"['\"`]?(?P<place>\w+(?:\.\w+|\[\d+\])*)['\"`]?"
# "Unsupported parameter: 'include'", and Azure's "prompt_cache_retention is not supported on this model"
NO_SUCH = re.compile(
    r"(?i)(?:unsupported|unknown|unrecognized) (?:request )?(?:parameter|field|argument)s?(?: supplied)?:? *"
    rf"{NAME}"
    r"|(?:['\"`](?P<quoted>\w+_\w+)['\"`]|(?P<plain>\w+_\w+)) is not supported (?:on|with|for|by) this model"
    rf"|\S+ does not support parameters: \['(?P<first>\w+)'|{NO_THINKING}"
)
VALUE = re.compile(r"(?i)(?:invalid|unsupported) value: ['\"`](?P<value>[\w.]+)['\"`]")
NO_SEARCH = r"(?:not (?:supported|enabled|available)|disabled|unavailable)"
WEB_SEARCH = r"['\"`]?web[ _-]?search['\"`]?"
LENGTH = r"['\"`]?max_(?:output_|completion_)?tokens['\"`]?"
# LM Studio, Command Code, and vLLM as read in report.py say no more of whatever item they do not know.
OF_NO_SHAPE = re.compile(r"(?i)invalid type for 'input'|invalid input\W*$|(?:input\.\w+: )?input should be")
LEVEL = re.compile(rf"\b({'|'.join(EFFORTS)})\b")
OFFERED = re.compile(r"(?i)(?:supported values|valid levels|supported levels|must be|should be|one of)\b(.*)")
# vLLM and SGLang: "(6000 in the messages, 64000 in the completion)"
SHARES = re.compile(
    r"(?i)(\d+)(?: tokens)? (?:in|from) the (?:input )?messages\D+\d+(?: tokens)? (?:in|for) the completion"
)

BY_CODE = {"invalid_encrypted_content": BLOBS}
# How a sentence begins → the place it is about: the one it names, or else the one beside it.
BY_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"(?is){words}"), place)
    for words, place in (
        (r"the encrypted content\b.* could not be", BLOBS),
        (r"item '\w+' of type 'reasoning' was provided without its required following item", BLOBS),
        (r"encrypted content is not supported", "include"),
        (r"your organization must be verified to generate reasoning summaries", "reasoning.summary"),
        (r"the following tools cannot be used with reasoning\.effort", "reasoning.effort"),
        (r"invalid reasoning value|think value|level \"\w+\" not supported", "reasoning.effort"),  # Ollama; CLIProxyAPI
        (NO_THINKING, "reasoning"),
        (rf"(?:the )?{LENGTH}(?: or {LENGTH})?[^.]*\b(?:too large|at most|exceeds)\b", TOO_MUCH),
        (rf"(?:<400> [\w.]+: )?(?:invalid {LENGTH} value|range of {LENGTH} should)", TOO_MUCH),
        (r"this model's maximum context length|requested token count exceeds", TOGETHER),
        (OVER_A_MINUTE.pattern.removeprefix("(?i)"), TOO_MUCH),
        (rf"(?:hosted )?tool {WEB_SEARCH} is {NO_SEARCH}", SEARCH),
        (rf"(?:the )?{WEB_SEARCH}(?: tool)? is {NO_SEARCH}", SEARCH),
        (rf"the following tools are {NO_SEARCH}[\w ]*: {WEB_SEARCH}", SEARCH),
        (rf"the model '[^']*' cannot be used with the following tools: {WEB_SEARCH}", SEARCH),
        (r"(?:tools[.\[]\d+\]?: )?tool (?:type )?['\"`]?tool_search['\"`]? is not supported", TOOL_SEARCH),
        (r"only 'auto'(?: or 'none')? tool_choice is supported", "tool_choice"),  # vLLM
        (r"(?:value error, )?`?tool[ _]choice`? (?:must|'\w+' not supported)", "tool_choice"),
        (rf"(?:unsupported|invalid) (?:value|type)(?: for)?:? {NAME}(?= does not support|[:.])", ""),
        (rf"invalid {NAME}:", ""),
        (NO_SUCH.pattern.removeprefix("(?i)"), ""),
    )
)


def lesson(report: Report, known: Capabilities, body: Mapping[str, Any]) -> Capabilities | None:
    """What a refused request teaches beyond what is known; None: nothing, so sending again would not help."""
    if report.status not in REFUSING and not OVER_A_MINUTE.match(own_words(report.message)):
        return None
    for place in places(report, body):
        for pattern, learners in LEFT_OUT:
            for learn in learners if pattern.fullmatch(place) else ():
                learned = learn(Fault(place, report, body), known)
                if learned is not None and learned != known:
                    return learned
    return None


def places(report: Report, body: Mapping[str, Any]) -> Iterator[str]:
    """Where the fault may be, the surest first."""
    yield from (BY_CODE[code] for code in report.codes if code in BY_CODE)
    yield report.param
    if report.param not in LISTS and top(report.param) in body:
        return
    words = own_words(report.message)
    for pattern, place in BY_WORDS:
        if match := pattern.match(words):
            yield place or next((name for name in match.groupdict().values() if name), "")
    if match := VALUE.match(words):
        yield where(match["value"], body)


def top(place: str) -> str:
    """The top-level parameter."""
    return re.split(r"[.\[]", place)[0]


def where(value: str, body: Mapping[str, Any]) -> str:
    """The place at which a value that can only stand at one was sent."""
    if value in (body.get("include") or ()):
        return "include"
    if value == (body.get("reasoning") or {}).get("effort"):
        return "reasoning.effort"
    return {"web_search": SEARCH, "tool_search": TOOL_SEARCH}.get(value, "")


# What is left out.


def blobs(fault: Fault, known: Capabilities) -> Capabilities:
    """The reasoning that is named, or all of it: what cannot be read, or has lost what it led to (2.1.10 forgets all
    parallel calls but one when it resumes a session)."""
    ids = {reasoning_key(item) for item in fault.body["input"] if item.get("type") == "reasoning"}
    named = {each for each in ids if each in fault.words}
    return replace(known, refused_reasoning=known.refused_reasoning | (named or ids))


def includes(fault: Fault, known: Capabilities) -> Capabilities | None:
    """Which of the values asked for; without `reasoning.encrypted_content` no reasoning can be sent back."""
    asked: list[str] = fault.body.get("include") or []
    match = VALUE.match(fault.words)
    encrypted = fault.words.lower().startswith("encrypted content")
    refused = [match["value"]] if match else [INCLUDE_REASONING] if encrypted else asked
    if not set(refused) & set(asked):
        return None
    return replace(
        known,
        refused_includes=known.refused_includes | set(refused),
        encrypted_reasoning=known.encrypted_reasoning and INCLUDE_REASONING not in refused,
    )


def summary(fault: Fault, known: Capabilities) -> Capabilities:
    return replace(known, summary=False)


def effort(fault: Fault, known: Capabilities) -> Capabilities | None:
    """Which levels there are, where the refusal says so; else all but the one refused. With none left, or no such
    thing, reasoning is nothing to ask this model for."""
    sent = (fault.body.get("reasoning") or {}).get("effort")
    if not sent:
        return None
    told = OFFERED.search(fault.words)
    offered = set(LEVEL.findall(told[1])) - {sent} if told else set()
    levels = [level for level in EFFORTS if level in offered] or [
        each for each in known.efforts or EFFORTS if each != sent
    ]
    if fault.unknown or not levels:
        return replace(known, refused_fields=known.refused_fields | {"reasoning"})
    return replace(known, efforts=tuple(levels))


def too_much(fault: Fault, known: Capabilities) -> Capabilities | None:
    """The client asks for 64,000 tokens of output, which smaller models do not have and small accounts may not ask."""
    if "max_output_tokens" not in fault.body:
        return None
    return replace(known, refused_fields=known.refused_fields | {"max_output_tokens"})


def together(fault: Fault, known: Capabilities) -> Capabilities | None:
    """The input alone would have had room."""
    shares, limit = SHARES.search(fault.words), LIMIT.search(fault.words)
    return too_much(fault, known) if shares and limit and int(shares[1]) < whole(limit[1]) else None


def length(fault: Fault, known: Capabilities) -> Capabilities | None:
    over = "integer_above_max_value" in fault.report.codes
    return too_much(fault, known) if over or fault.unknown else None


def web_search(fault: Fault, known: Capabilities) -> Capabilities | None:
    """ "Hosted tool 'web_search' is not supported with gpt-5.4-nano." A search that the resource's owner has switched
    off is as good as none."""
    declared = any(tool.get("type") == "web_search" for tool in fault.body.get("tools") or ())
    return replace(known, web_search=False) if declared else None


def tool_search(fault: Fault, known: Capabilities) -> Capabilities | None:
    declared = any(tool.get("type") == "tool_search" for tool in fault.body.get("tools") or ())
    return replace(known, tool_search=False) if declared else None


def tools(fault: Fault, known: Capabilities) -> Capabilities | None:
    """`tools[3].type`: whichever that is."""
    match = re.match(r"tools\[(\d{1,9})\]", fault.place)
    declared = fault.body.get("tools") or []
    kind = kind_of(declared[int(match[1])]) if match and int(match[1]) < len(declared) else ""
    learn = {"web_search": web_search, "tool_search": tool_search}.get(kind)
    return learn(fault, known) if learn else None


def choice(fault: Fault, known: Capabilities) -> Capabilities | None:
    if fault.body.get("tool_choice", "auto") == "auto":
        return None
    return replace(known, refused_fields=known.refused_fields | {"tool_choice"})


def outputs(fault: Fault, known: Capabilities) -> Capabilities | None:
    """Some servers take a tool's output as a string only."""
    lists = any(isinstance(item.get("output"), list) for item in fault.items)
    return replace(known, media_in_outputs=False) if lists else None


def searched(fault: Fault, known: Capabilities) -> Capabilities | None:
    there = any(kind_of(item).startswith("tool_search") for item in fault.items)
    return replace(known, tool_search=False) if there else None


def phases(fault: Fault, known: Capabilities) -> Capabilities | None:
    """A model behind a gateway may be another from turn to turn; one that names phases, one that refuses them."""
    sent = any("phase" in item for item in fault.items)
    return replace(known, phases=False) if sent else None


def parameter(fault: Fault, known: Capabilities) -> Capabilities | None:
    """On hints nothing but speed and price depends: whatever is wrong with one, it is left out."""
    name = top(fault.place)
    sure = fault.unknown or name in HINTS or "unsupported_value" in fault.report.codes
    if name in OPTIONAL and name in fault.body and sure:
        return replace(known, refused_fields=known.refused_fields | {name})
    return None


def kind_of(part: Mapping[str, Any]) -> str:
    return str(part.get("type") or "")


Learner = Callable[[Fault, Capabilities], "Capabilities | None"]
# Place → what may be left out there, in this order.
LEFT_OUT: tuple[tuple[re.Pattern[str], tuple[Learner, ...]], ...] = tuple(
    (re.compile(place), learners)
    for place, learners in (
        (re.escape(BLOBS), (blobs,)),
        (re.escape(SEARCH), (web_search,)),
        (re.escape(TOOL_SEARCH), (tool_search,)),
        (r"include(\[\d+\])?", (includes,)),
        (r"reasoning\.summary", (summary,)),
        (r"reasoning[._]effort", (effort,)),
        (re.escape(TOO_MUCH), (too_much,)),
        (re.escape(TOGETHER), (together,)),
        (r"max_output_tokens", (length,)),
        (r"tools\[\d+\](\.type)?", (tools,)),
        (r"tool_choice(\..*)?", (choice,)),
        (r"input\[\d+\]\.phase", (phases,)),
        (r"input\[\d+\](\.type|\.output(\[\d+\](\.type)?)?)?", (outputs, searched)),  # deeper: a picture of no use
        (r"input(\.\w+)?", (outputs, searched, phases)),
        (r"\w+(\..*)?", (parameter,)),
    )
)


@dataclass
class Trial:
    """What one turn is tried without, on one model."""

    steps: list[tuple[str, frozenset[str]]] = field(default_factory=list)  # a refusal's words, what it changed
    now: Capabilities | None = None

    def learn(self, report: Report, known: Capabilities, body: Mapping[str, Any]) -> bool:
        """Whether there is something to be left out, so that the request is worth sending again."""
        learned = lesson(report, known, body)
        if learned is None:
            return False
        self.steps.append((report.message, known.differing(learned)))
        self.now = learned
        return True

    def applied(self, known: Capabilities) -> Capabilities:
        """`known`, and all that was learnt."""
        return self._beside(known, frozenset().union(*(names for _, names in self.steps)))

    def helped(self, known: Capabilities) -> Capabilities:
        """`known`, and what was learnt but in vain: the same refusal came again, until something else was left out."""
        vain = {
            name
            for (words, names), (again, others) in pairwise(self.steps)
            for name in names - others
            if words == again
        }
        return self._beside(known, {name for _, names in self.steps for name in names - vain})

    def _beside(self, known: Capabilities, names: Collection[str]) -> Capabilities:
        return replace(known, **{name: merge(name, known, self.now) for name in names}) if self.now else known
