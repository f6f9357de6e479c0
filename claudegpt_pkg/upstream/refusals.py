"""What a refusal teaches about a backend or model that lacks what others have.

    learned = learn_from(report, known, body)  what is known now; None: nothing new, so sending again would not help

The request is then sent again at once, without what was refused. What is given up is never the conversation itself: a
field, a summary, an effort level, reasoning that the backend cannot read, an image, a tool's schema.

fault_places.py reads where the fault is; the table LEFT_OUT says what can be left out at such a place. To handle a new
refusal, add the words to fault_places.py if they name the place in a new way, and a learner to LEFT_OUT if something
new is left out.

    changes = TurnChanges()
    changes.learn(report, known, body)         the same, for all refusals of one turn
    changes.apply_to(known)                    what to go without in this turn
    changes.keep_helpful(known)                what to go without from now on, once the changed request was answered
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from ..capabilities import Capabilities, merge_field
from ..models import EFFORTS
from ..translate.request.messages import reasoning_key
from ..translate.request.output import INCLUDE_REASONING
from .error_report import Report, own_words
from .fault_places import (
    BLOBS,
    FOREIGN,
    SCHEMA,
    SEARCH,
    TOGETHER,
    TOO_MUCH,
    TOOL_SEARCH,
    VALUE,
    Fault,
    find_places,
    top_level_field,
    type_of,
)
from .refused_media import REPLACING, guess_media_behind, learn_from_media
from .wordings import LIMIT, OVER_A_MINUTE, parse_whole_number, remove_quotes, says_too_long

# Fields of a request that a turn can do without.
HINTS = frozenset({"stream_options", "service_tier", "prompt_cache_key", "prompt_cache_retention", "max_tool_calls"})
SHAPING = frozenset({"max_output_tokens", "temperature", "top_p", "parallel_tool_calls", "tool_choice", "text"})
OPTIONAL = HINTS | SHAPING | {"reasoning"}
# None: in a stream; 200: some gateways; 501: vLLM, of a `tool_choice` that it lacks.
REFUSING = frozenset({None, 200, 400, 404, 415, 422, 501})
# Codes that say what is wrong, so that no guess is worth a request.
SPECIFIC_CODE = re.compile(
    r"unsupported|unknown|unrecog|missing|policy|filter|prompt|safety|moderation|quota|key|model"
)
# llama.cpp says under 500 that it lacks something.
LACKING = re.compile(r"(?i)not supported|schema conversion failed|failed to (?:parse|convert|compile)")
NAMED_TOOL = re.compile(r"(?i)\b(?:function|tool) ['\"`]?([\w-]{1,64})")
LEVEL = re.compile(rf"\b({'|'.join(EFFORTS)})\b")
OFFERED = re.compile(r"(?i)(?:supported values|valid levels|supported levels|must be|should be|one of)\b(.*)")
# vLLM and SGLang: "(6000 in the messages, 64000 in the completion)"
SHARES = re.compile(
    r"(?i)(\d+)(?: tokens)? (?:in|from) the (?:input )?messages\D+\d+(?: tokens)? (?:in|for) the completion"
)


def learn_from(
    report: Report, known: Capabilities, body: Mapping[str, Any], *, replace_media: bool = True
) -> Capabilities | None:
    """What is known after a refusal of `body`, if that is less than `known`; None: sending it again would not help.

    `replace_media`: an image or file that is refused may be replaced by a line of text.
    """
    if not _is_refusal(report):
        return None
    places = list(find_places(report, body))
    learned = (learn(Fault(place, report, body), known) for place in places for learn in _learners_at(place))
    found = next((each for each in learned if each is not None and each != known), None)
    if found is None:
        found = learn_from_media(report, known, body)
    if found is None and not any(places) and _may_guess(report):
        found = guess_media_behind(report, known, body)
    if found is None or found == known or (not replace_media and known.differing(found) & REPLACING):
        return None
    return found


def _learners_at(place: str) -> Iterator[Learner]:
    return (learn for pattern, learners in LEFT_OUT if pattern.fullmatch(place) for learn in learners)


def _is_refusal(report: Report) -> bool:
    """Whether the server refuses the request, rather than refuse the caller or fail by itself."""
    if report.status in REFUSING or OVER_A_MINUTE.match(own_words(report.message)):
        return True
    return report.status == 500 and bool(LACKING.search(remove_quotes(report.message)))


def _may_guess(report: Report) -> bool:
    """Whether the refusal says so little that a guess is worth one request."""
    if report.status not in (None, 200, 400, 422) or SPECIFIC_CODE.search(report.code):
        return False
    return not says_too_long(report.message)


# What is left out.


def _drop_reasoning(fault: Fault, known: Capabilities) -> Capabilities:
    """The reasoning items that are named, else all: the backend cannot read them, or the item that they led to is gone
    (2.1.10 forgets all parallel calls but one when it resumes a session)."""
    ids = {reasoning_key(item) for item in fault.body["input"] if item.get("type") == "reasoning"}
    named = {each for each in ids if each in fault.words}
    return replace(known, refused_reasoning=known.refused_reasoning | (named or ids))


def _drop_foreign_reasoning(fault: Fault, known: Capabilities) -> Capabilities | None:
    """All reasoning items, if one is refused: after a change of server, every item of the other server will be."""
    if fault.place != FOREIGN and not any(type_of(item) == "reasoning" for item in fault.items):
        return None
    ids = {reasoning_key(item) for item in fault.body["input"] if item.get("type") == "reasoning"}
    return replace(known, refused_reasoning=known.refused_reasoning | ids)


def _drop_includes(fault: Fault, known: Capabilities) -> Capabilities | None:
    """The value that is named, else all; without `reasoning.encrypted_content` no reasoning can be sent back."""
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


def _drop_summary(fault: Fault, known: Capabilities) -> Capabilities:
    return replace(known, summary=False)


def _change_efforts(fault: Fault, known: Capabilities) -> Capabilities | None:
    """The levels that the refusal lists, else all except the one refused. If none is left, or the backend does not know
    the field, no reasoning level is sent."""
    sent = (fault.body.get("reasoning") or {}).get("effort")
    if not sent:
        return None
    listed = OFFERED.search(fault.words)
    offered = set(LEVEL.findall(listed[1])) - {sent} if listed else set()
    levels = [level for level in EFFORTS if level in offered] or [
        each for each in known.efforts or EFFORTS if each != sent
    ]
    if fault.is_unknown or not levels:
        return replace(known, refused_fields=known.refused_fields | {"reasoning"})
    return replace(known, efforts=tuple(levels))


def _drop_longest_answer(fault: Fault, known: Capabilities) -> Capabilities | None:
    """Claude Code asks for 64,000 tokens of output; smaller models have less, and small accounts may ask for less."""
    if "max_output_tokens" not in fault.body:
        return None
    return replace(known, refused_fields=known.refused_fields | {"max_output_tokens"})


def _drop_longest_answer_if_input_fits(fault: Fault, known: Capabilities) -> Capabilities | None:
    """Only if the input alone would fit."""
    shares, limit = SHARES.search(fault.words), LIMIT.search(fault.words)
    return (
        _drop_longest_answer(fault, known)
        if shares and limit and int(shares[1]) < parse_whole_number(limit[1])
        else None
    )


def _drop_longest_answer_if_too_long(fault: Fault, known: Capabilities) -> Capabilities | None:
    over = "integer_above_max_value" in fault.report.codes
    return _drop_longest_answer(fault, known) if over or fault.is_unknown else None


def _drop_web_search(fault: Fault, known: Capabilities) -> Capabilities | None:
    """ "Hosted tool 'web_search' is not supported with gpt-5.4-nano.", or the resource's owner has switched it off."""
    declared = any(tool.get("type") == "web_search" for tool in fault.body.get("tools") or ())
    return replace(known, web_search=False) if declared else None


def _drop_tool_search(fault: Fault, known: Capabilities) -> Capabilities | None:
    declared = any(tool.get("type") == "tool_search" for tool in fault.body.get("tools") or ())
    return replace(known, tool_search=False) if declared else None


def _drop_blocked_domains(fault: Fault, known: Capabilities) -> Capabilities | None:
    sent = any("blocked_domains" in (tool.get("filters") or {}) for tool in fault.body.get("tools") or ())
    return replace(known, blocked_domains=False) if sent else None


def _open_schemas(fault: Fault, known: Capabilities) -> Capabilities | None:
    """The tool that is named by its place or in words; if none is named, those of the user's MCP servers."""
    named = NAMED_TOOL.search(fault.words)
    names = {tool["name"] for tool in _function_tools(fault.body)}
    refused = set(fault.tool_names) or ({named[1]} & names if named else set())
    refused = refused or {name for name in names if name.startswith("mcp__")}
    return replace(known, open_schemas=known.open_schemas | refused)


def _function_tools(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The function tools of a request: those that are declared, and those that a search found."""
    yield from (tool for tool in body.get("tools") or () if type_of(tool) == "function")
    for item in body["input"]:
        yield from (tool for tool in item.get("tools") or () if type_of(tool) == "function")


def _drop_hosted_tool(fault: Fault, known: Capabilities) -> Capabilities | None:
    """`tools[3].type`: the hosted tool at that place."""
    match = re.match(r"tools\[(\d{1,9})\]", fault.place)
    declared = fault.body.get("tools") or []
    kind = type_of(declared[int(match[1])]) if match and int(match[1]) < len(declared) else ""
    learn = {"web_search": _drop_web_search, "tool_search": _drop_tool_search}.get(kind)
    return learn(fault, known) if learn else None


def _drop_tool_choice(fault: Fault, known: Capabilities) -> Capabilities | None:
    if fault.body.get("tool_choice", "auto") == "auto":
        return None
    return replace(known, refused_fields=known.refused_fields | {"tool_choice"})


def _move_media_behind(fault: Fault, known: Capabilities) -> Capabilities | None:
    """Some servers take a tool's output as a string only."""
    lists = any(isinstance(item.get("output"), list) for item in fault.items)
    return replace(known, media_in_outputs=False) if lists else None


def _drop_tool_search_items(fault: Fault, known: Capabilities) -> Capabilities | None:
    there = any(type_of(item).startswith("tool_search") for item in fault.items)
    return replace(known, tool_search=False) if there else None


def _drop_phases(fault: Fault, known: Capabilities) -> Capabilities | None:
    """Behind a gateway the model may change from turn to turn: one gives phases, another refuses them."""
    sent = any("phase" in item for item in fault.items)
    return replace(known, phases=False) if sent else None


def _drop_field(fault: Fault, known: Capabilities) -> Capabilities | None:
    """A field that a turn can do without. On HINTS only speed and price depend, so any refusal of one will do."""
    name = top_level_field(fault.place)
    sure = fault.is_unknown or name in HINTS or "unsupported_value" in fault.report.codes
    if name in OPTIONAL and name in fault.body and sure:
        return replace(known, refused_fields=known.refused_fields | {name})
    return None


Learner = Callable[[Fault, Capabilities], "Capabilities | None"]
# Place → what may be left out there, in this order.
LEFT_OUT: tuple[tuple[re.Pattern[str], tuple[Learner, ...]], ...] = tuple(
    (re.compile(place), learners)
    for place, learners in (
        (re.escape(BLOBS), (_drop_reasoning,)),
        (re.escape(FOREIGN), (_drop_foreign_reasoning,)),
        (r"input\[\d+\](\..*)?", (_drop_foreign_reasoning,)),
        (re.escape(SCHEMA), (_open_schemas,)),
        (r"(input\[\d+\]\.)?tools(\[\d+\]|\.\d+)\.(parameters|function|input_schema)\b.*", (_open_schemas,)),
        (r"(.*\.)?blocked_domains|tools\[\d+\]\.filters", (_drop_blocked_domains,)),
        (re.escape(SEARCH), (_drop_web_search,)),
        (re.escape(TOOL_SEARCH), (_drop_tool_search,)),
        (r"include(\[\d+\])?", (_drop_includes,)),
        (r"reasoning\.summary", (_drop_summary,)),
        (r"reasoning[._]effort", (_change_efforts,)),
        (re.escape(TOO_MUCH), (_drop_longest_answer,)),
        (re.escape(TOGETHER), (_drop_longest_answer_if_input_fits,)),
        (r"max_output_tokens", (_drop_longest_answer_if_too_long,)),
        (r"tools\[\d+\](\.type)?", (_drop_hosted_tool,)),
        (r"tool_choice(\..*)?", (_drop_tool_choice,)),
        (r"input\[\d+\]\.phase", (_drop_phases,)),
        # A deeper path names an image that the backend cannot read: refused_media.py.
        (r"input\[\d+\](\.type|\.output(\[\d+\](\.type)?)?)?", (_move_media_behind, _drop_tool_search_items)),
        (r"input(\.\w+)?", (_move_media_behind, _drop_tool_search_items, _drop_phases)),
        (r"\w+(\..*)?", (_drop_field,)),
    )
)


@dataclass
class TurnChanges:
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

    def apply_to(self, known: Capabilities) -> Capabilities:
        """`known`, less all that was learned."""
        return self._beside(known, frozenset().union(*(names for _, names in self.steps)))

    def keep_helpful(self, known: Capabilities) -> Capabilities:
        """`known`, less what was learned and helped. What did not end the refusal is not kept."""
        vain = {
            name
            for (words, names), (again, others) in pairwise(self.steps)
            for name in names - others
            if words == again
        }
        return self._beside(known, {name for _, names in self.steps for name in names - vain})

    def _beside(self, known: Capabilities, names: Collection[str]) -> Capabilities:
        return replace(known, **{name: merge_field(name, known, self.now) for name in names}) if self.now else known
