"""Where in a request a refusal says that the fault is.

    for place in find_places(report, body):
        fault = Fault(place, report, body)

A place is a path in the request, as `param` has it, or one of the names below. A refusal says it by its code, by its
`param`, or by how its sentence begins. Nothing is read out of the middle of a sentence, because servers quote what they
were sent: only encrypted content is looked for in the whole first sentence, outside quotation marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .error_report import Report, own_words
from .wordings import OVER_A_MINUTE, remove_quotes


def type_of(part: Mapping[str, Any]) -> str:
    return str(part.get("type") or "")


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
    def is_unknown(self) -> bool:
        """Whether the backend does not know the thing at all, rather than refuse its value."""
        return bool(_UNKNOWN.intersection(self.report.codes) or _NO_SUCH.match(self.words))

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
        return [tool["name"] for tool in found if type_of(tool) == "function"]

    @property
    def items(self) -> Sequence[Mapping[str, Any]]:
        """The items of the input that the fault may be in."""
        items: list[Mapping[str, Any]] = self.body["input"]
        if match := re.match(r"input\[(\d{1,9})\]", self.place):
            return items[int(match[1]) :][:1]
        return items if _OF_NO_SHAPE.match(self.words) else ()


# Places that no path leads to.
BLOBS, FOREIGN, SEARCH, TOOL_SEARCH = "(encrypted content)", "(foreign item)", "(web search)", "(tool search)"
SCHEMA = "(a tool's schema)"
TOO_MUCH, TOGETHER = "(longest answer)", "(input and longest answer)"
# A `param` of these names only the list; the sentence may say which entry.
_LISTS = frozenset({"tools", "input"})

_UNKNOWN = frozenset(
    {
        "unsupported_parameter",
        "unknown_parameter",
        "unrecognized_request_argument",
        "unrecognized_keys",
        "extra_forbidden",  # FastAPI
    }
)
_NO_THINKING = r"['\"]?[^\s'\"]+['\"]? does not support thinking"  # Ollama
_NAME = r"['\"`]?(?P<place>\w+(?:\.\w+|\[\d+\])*)['\"`]?"
# "Unsupported parameter: 'include'", and Azure's "prompt_cache_retention is not supported on this model"
_NO_SUCH = re.compile(
    r"(?i)(?:unsupported|unknown|unrecognized) (?:request )?(?:parameter|field|argument)s?(?: supplied)?:? *"
    rf"{_NAME}"
    r"|(?:['\"`](?P<quoted>\w+_\w+)['\"`]|(?P<plain>\w+_\w+)) is not supported (?:on|with|for|by) this model"
    rf"|\S+ does not support parameters: \['(?P<first>\w+)'|{_NO_THINKING}"
)
VALUE = re.compile(r"(?i)(?:invalid|unsupported) value: ['\"`](?P<value>[\w.]+)['\"`]")
_MISSING = r"(?:not (?:supported|enabled|available)|disabled|unavailable)"
_WEB_SEARCH = r"['\"`]?web[ _-]?search['\"`]?"
_LENGTH = r"['\"`]?max_(?:output_|completion_)?tokens['\"`]?"
# All that LM Studio, Command Code and vLLM (as error_report.py reads it) say about an item that they do not know.
_OF_NO_SHAPE = re.compile(r"(?i)invalid type for 'input'|invalid input\W*$|(?:input\.\w+: )?input should be")
_BLOB_WORDS = re.compile(r"(?i)encrypted[_ ](?:content|reasoning)|\bdecrypt")
_BY_CODE = {"invalid_encrypted_content": BLOBS, "invalid_function_parameters": SCHEMA}
# How a sentence begins → the place it is about: the one it names, or else the one beside it.
_BY_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
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
        (_NO_THINKING, "reasoning"),
        (rf"(?:the )?{_LENGTH}(?: or {_LENGTH})?[^.]*\b(?:too large|at most|exceeds)\b", TOO_MUCH),
        (rf"(?:<400> [\w.]+: )?(?:invalid {_LENGTH} value|range of {_LENGTH} should)", TOO_MUCH),
        (r"this model's maximum context length|requested token count exceeds", TOGETHER),
        (OVER_A_MINUTE.pattern.removeprefix("(?i)"), TOO_MUCH),
        (rf"(?:hosted )?tool {_WEB_SEARCH} is {_MISSING}", SEARCH),
        (rf"(?:the )?{_WEB_SEARCH}(?: tool)? is {_MISSING}", SEARCH),
        (rf"the following tools are {_MISSING}[\w ]*: {_WEB_SEARCH}", SEARCH),
        (rf"the model '[^']*' cannot be used with the following tools: {_WEB_SEARCH}", SEARCH),
        (r"(?:tools[.\[]\d+\]?: )?tool (?:type )?['\"`]?tool_search['\"`]? is not supported", TOOL_SEARCH),
        (r"only 'auto'(?: or 'none')? tool_choice is supported", "tool_choice"),  # vLLM
        (r"(?:value error, )?`?tool[ _]choice`? (?:must|'\w+' not supported)", "tool_choice"),
        (rf"(?:unsupported|invalid) (?:value|type)(?: for)?:? {_NAME}(?= does not support|[:.])", ""),
        (rf"invalid {_NAME}:", ""),
        (_NO_SUCH.pattern.removeprefix("(?i)"), ""),
    )
)


def find_places(report: Report, body: Mapping[str, Any]) -> Iterator[str]:
    """Where a refusal says that the fault is, the surest place first."""
    yield from (_BY_CODE[code] for code in report.codes if code in _BY_CODE)
    yield report.param
    if report.param not in _LISTS and top_level_field(report.param) in body:
        return
    words = own_words(report.message)
    for pattern, place in _BY_WORDS:
        if match := pattern.match(words):
            yield place or next((name for name in match.groupdict().values() if name), "")
    if match := VALUE.match(words):
        yield _place_of_value(match["value"], body)
    if _BLOB_WORDS.search(remove_quotes(report.message).split(". ")[0]):
        yield BLOBS


def top_level_field(place: str) -> str:
    """`text.format` → text"""
    return re.split(r"[.\[]", place)[0]


def _place_of_value(value: str, body: Mapping[str, Any]) -> str:
    """The place of a value that can stand at one place only."""
    if value in (body.get("include") or ()):
        return "include"
    if value == (body.get("reasoning") or {}).get("effort"):
        return "reasoning.effort"
    return {"web_search": SEARCH, "tool_search": TOOL_SEARCH}.get(value, "")
