"""What a refusal teaches about a backend or model that lacks what others have.

    learned = learn_from(report, known, body)  what is known now; None: nothing new, so sending again would not help

The request is then sent again at once, without what was refused. What is given up is never the conversation itself: a
field, a summary, an effort level, reasoning that the backend cannot read, an image, a tool's schema.

A refusal says by its code, by its `param` or by the beginning of its sentence where the fault is (`_places`). The table
LEFT_OUT says what can be left out at such a place. Words inside quotation marks and in later sentences count only for
images and files: servers quote what they were sent, and a conversation may be about anything, these very sentences too.

    trial = Trial()
    trial.learn(report, known, body)           the same, for all refusals of one turn
    trial.applied(known)                       what to go without in this turn
    trial.helped(known)                        what to go without from now on, once the request without it was answered
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from ..capabilities import Capabilities, media_digest, merge
from ..models import EFFORTS
from ..translate.request.messages import reasoning_key
from ..translate.request.output import INCLUDE_REASONING
from .error_report import Report, own_words
from .wordings import (
    LIMIT,
    OVER_A_MINUTE,
    is_about_outputs,
    medium_refused,
    says_model_lacks_medium,
    says_too_long,
    unquoted,
    whole_number,
)


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
    def tool_names(self) -> list[str]:
        """The tools that a path names: of the request, or of a search's output."""
        path = self.report.param or self.place
        match = re.match(r"(?:input\[(\d{1,9})\]\.)?tools(?:\[(\d{1,9})\]|\.(\d{1,9}))", path)
        if not match:
            return []
        holder: Mapping[str, Any] = self.body
        if match[1]:
            holder = next(iter(self.body["input"][int(match[1]) :]), {})
        found = (holder.get("tools") or [])[int(match[2] or match[3]) :][:1]
        return [tool["name"] for tool in found if kind_of(tool) == "function"]

    @property
    def items(self) -> Sequence[Mapping[str, Any]]:
        """The items of the input that it may be about."""
        items: list[Mapping[str, Any]] = self.body["input"]
        if match := re.match(r"input\[(\d{1,9})\]", self.place):
            return items[int(match[1]) :][:1]
        return items if OF_NO_SHAPE.match(self.words) else ()


# Places that no path leads to.
BLOBS, FOREIGN, SEARCH, TOOL_SEARCH = "(encrypted content)", "(foreign item)", "(web search)", "(tool search)"
SCHEMA = "(a tool's schema)"
TOO_MUCH, TOGETHER = "(longest answer)", "(input and longest answer)"
# Where a `param` of these names no more than the list: which of it, the sentence may say.
LISTS = frozenset({"tools", "input"})
HINTS = frozenset({"stream_options", "service_tier", "prompt_cache_key", "prompt_cache_retention", "max_tool_calls"})
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

BLOB_WORDS = re.compile(r"(?i)encrypted[_ ](?:content|reasoning)|\bdecrypt")
NAMED_TOOL = re.compile(r"(?i)\b(?:function|tool) ['\"`]?([\w-]{1,64})")
# Codes that say what is wrong, so that no guess is worth a request.
SPECIFIC_CODE = re.compile(
    r"unsupported|unknown|unrecog|missing|policy|filter|prompt|safety|moderation|quota|key|model"
)
# llama.cpp says under 500 that it lacks something.
LACKING = re.compile(r"(?i)not supported|schema conversion failed|failed to (?:parse|convert|compile)")

BY_CODE = {"invalid_encrypted_content": BLOBS, "invalid_function_parameters": SCHEMA}
# How a sentence begins → the place it is about: the one it names, or else the one beside it.
BY_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"(?is){words}"), place)
    for words, place in (
        (r"the encrypted content\b.* could not be", BLOBS),
        (r"item '\w+' of type 'reasoning' was provided without its required following item", BLOBS),
        (r"item (?:with id )?['\"`]?[\w.-]+['\"`]? (?:was )?not found", FOREIGN),
        (r"encrypted content is not supported", "include"),
        (r"invalid schema for (?:function|tool)\b", SCHEMA),
        (
            r"(?:json )?schema conversion failed|failed to (?:parse|convert|compile) (?:the )?(?:grammar|json schema)",
            SCHEMA,
        ),
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


def learn_from(
    report: Report, known: Capabilities, body: Mapping[str, Any], *, replace_media: bool = True
) -> Capabilities | None:
    """What is known after a refusal, if that is more than before; None: sending the request again would not help.

    `replace_media`: an image or file that is refused may be replaced by a line of text.
    """
    if not _is_refusal(report):
        return None
    for place in _places(report, body):
        for pattern, learners in LEFT_OUT:
            for learn in learners if pattern.fullmatch(place) else ():
                learned = learn(Fault(place, report, body), known)
                if learned is not None and learned != known:
                    return learned
    for guess in (_media, _media_behind):
        learned = guess(report, known, body)
        if learned is not None and learned != known and (replace_media or not known.differing(learned) & MEDIA):
            return learned
    return None


def _is_refusal(report: Report) -> bool:
    """Whether the server refuses the request, rather than the caller, or fails by itself."""
    if report.status in REFUSING or OVER_A_MINUTE.match(own_words(report.message)):
        return True
    return report.status == 500 and bool(LACKING.search(unquoted(report.message)))


def _places(report: Report, body: Mapping[str, Any]) -> Iterator[str]:
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
    if BLOB_WORDS.search(unquoted(report.message).split(". ")[0]):
        yield BLOBS


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


def foreign(fault: Fault, known: Capabilities) -> Capabilities | None:
    """All reasoning, if one item of it is refused: after a change of server every item of the other one will be."""
    if fault.place != FOREIGN and not any(kind_of(item) == "reasoning" for item in fault.items):
        return None
    ids = {reasoning_key(item) for item in fault.body["input"] if item.get("type") == "reasoning"}
    return replace(known, refused_reasoning=known.refused_reasoning | ids)


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
    return too_much(fault, known) if shares and limit and int(shares[1]) < whole_number(limit[1]) else None


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


def blocked_domains(fault: Fault, known: Capabilities) -> Capabilities | None:
    sent = any("blocked_domains" in (tool.get("filters") or {}) for tool in fault.body.get("tools") or ())
    return replace(known, blocked_domains=False) if sent else None


def schemas(fault: Fault, known: Capabilities) -> Capabilities | None:
    """The tool that is named, by its place or in words; if none is, those of the user's MCP servers."""
    named = NAMED_TOOL.search(fault.words)
    names = {tool["name"] for tool in functions(fault.body)}
    refused = set(fault.tool_names) or ({named[1]} & names if named else set())
    refused = refused or {name for name in names if name.startswith("mcp__")}
    return replace(known, open_schemas=known.open_schemas | refused)


def functions(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The function tools of a request: those that are declared, and those that a search has found."""
    yield from (tool for tool in body.get("tools") or () if kind_of(tool) == "function")
    for item in body["input"]:
        yield from (tool for tool in item.get("tools") or () if kind_of(tool) == "function")


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
        (re.escape(FOREIGN), (foreign,)),
        (r"input\[\d+\](\..*)?", (foreign,)),
        (re.escape(SCHEMA), (schemas,)),
        (r"(input\[\d+\]\.)?tools(\[\d+\]|\.\d+)\.(parameters|function|input_schema)\b.*", (schemas,)),
        (r"(.*\.)?blocked_domains|tools\[\d+\]\.filters", (blocked_domains,)),
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


# Images and files.

MEDIA = frozenset({"images", "files", "refused_media"})
URLS = {"image_url": "image", "file_data": "file", "file_url": "file"}


@dataclass(frozen=True)
class Medium:
    """One image or file of a request, and where it stands in the input."""

    kind: str  # image or file
    digest: str
    item: int
    part: int
    in_output: bool


def media_of(body: Mapping[str, Any]) -> list[Medium]:
    """The images and files of a request, in order."""
    return [
        Medium(kind, media_digest(part[key]), at, number, "output" in item)
        for at, item in enumerate(body.get("input") or ())
        for number, part in enumerate(_parts(item))
        for key, kind in URLS.items()
        if isinstance(part.get(key), str)
    ]


def _parts(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = item.get("output") or item.get("content")
    return parts if isinstance(parts, list) else []


def _media(report: Report, known: Capabilities, body: Mapping[str, Any]) -> Capabilities | None:
    """What a refusal of images or files teaches: of all, if the model takes none; else of those it names."""
    media = media_of(body)
    kind = medium_refused(report, {medium.kind for medium in media})
    media = [medium for medium in media if medium.kind == kind]
    if not media or kind is None:
        return None
    if known.media_in_outputs and is_about_outputs(report.message) and any(medium.in_output for medium in media):
        return replace(known, media_in_outputs=False)
    if says_model_lacks_medium(report.message):
        return replace(known, images=False) if kind == "image" else replace(known, files=False)
    match = re.match(r"input\[(\d{1,9})\](?:\.\w+\[(\d{1,9})\])?", report.param)
    named = [
        medium
        for medium in media
        if match and medium.item == int(match[1]) and (not match[2] or medium.part == int(match[2]))
    ]
    return replace(known, refused_media=known.refused_media | {medium.digest for medium in named or media})


def _media_behind(report: Report, known: Capabilities, body: Mapping[str, Any]) -> Capabilities | None:
    """Some servers take only text as a tool's output and say so in words that nobody has listed: if a refusal names no
    place, one request with the images and files behind the outputs is worth it."""
    says_more = report.param or SPECIFIC_CODE.search(report.code) or says_too_long(report.message)
    if report.status not in (None, 400, 422) or says_more or any(_places(report, body)):
        return None
    media = media_of(body)
    if medium_refused(report, {medium.kind for medium in media}) or not any(medium.in_output for medium in media):
        return None
    return replace(known, media_in_outputs=False)


@dataclass
class Trial:
    """What one turn goes without, on one model."""

    steps: list[tuple[str, frozenset[str]]] = field(default_factory=list)  # a refusal's words, what it changed
    now: Capabilities | None = None

    def learn(
        self, report: Report, known: Capabilities, body: Mapping[str, Any], *, replace_media: bool = True
    ) -> bool:
        """Whether there is something to be left out, so that the request is worth sending again."""
        learned = learn_from(report, known, body, replace_media=replace_media)
        if learned is None:
            return False
        self.steps.append((report.message, known.differing(learned)))
        self.now = learned
        return True

    def applied(self, known: Capabilities) -> Capabilities:
        """`known`, less all that was learned."""
        return self._beside(known, frozenset().union(*(names for _, names in self.steps)))

    def helped(self, known: Capabilities) -> Capabilities:
        """`known`, less what was learned and helped: if the same refusal came again, leaving that out was in vain."""
        vain = {
            name
            for (words, names), (again, others) in pairwise(self.steps)
            for name in names - others
            if words == again
        }
        return self._beside(known, {name for _, names in self.steps for name in names - vain})

    def _beside(self, known: Capabilities, names: Collection[str]) -> Capabilities:
        return replace(known, **{name: merge(name, known, self.now) for name in names}) if self.now else known
