"""What a refusal teaches: some backends and models lack what others have.

    learned = lesson(report, known, body)      None: nothing, so that sending the request again would not help

The request is then sent at once without what was refused, and so are the next ones to this model. What is given up for
it is never the conversation itself: a parameter, a summary, a level of effort, reasoning the backend cannot read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..models import EFFORTS
from ..translate.request import INCLUDE_REASONING
from .failures import LIMIT, OVER_A_MINUTE, Report, whole


@dataclass(frozen=True)
class Lessons:
    """What a backend was seen not to take, for one model; the next request is made without it."""

    parameters: frozenset[str] = frozenset()  # top-level ones
    efforts: tuple[str, ...] | None = None  # the levels it has; None: not known
    summary: bool = True
    tool_search: bool = True
    web_search: bool = True
    media_in_outputs: bool = True
    phases: bool = True
    includes: frozenset[str] = frozenset()  # values of `include` it refuses
    encrypted_reasoning: bool = True  # its reasoning comes with what it takes to send it back
    refused_reasoning: frozenset[str] = frozenset()  # ids of items whose blob it could not read


# Of these nothing but speed and price depends: whatever is wrong with one, it is left out.
HINTS = frozenset({"stream_options", "service_tier", "prompt_cache_key", "prompt_cache_retention"})
SHAPING = frozenset({"max_output_tokens", "temperature", "top_p", "parallel_tool_calls", "tool_choice", "text"})
OPTIONAL = HINTS | SHAPING | {"reasoning"}
# "Unsupported parameter: 'include'", and Azure's "prompt_cache_retention is not supported on this model"
NAMED_PARAMETER = re.compile(
    r"(?i)(?:unsupported|unknown|unrecognized) (?:request )?(?:parameter|field|argument)s?(?: supplied)?:? *"
    r"['\"`]?([\w.]+)"
    r"|\b(\w+_\w+)['\"`]? is not supported (?:on|with|for|by) this model"
)
TOO_MANY_OUTPUT_TOKENS = re.compile(r"(?i)max_(?:output_|completion_)?tokens\b.*\b(?:too large|at most|exceeds)")
# vLLM and SGLang: "(6000 in the messages, 64000 in the completion)"
SHARES = re.compile(
    r"(?i)(\d+)(?: tokens)? (?:in|from) the (?:input )?messages\D+\d+(?: tokens)? (?:in|for) the completion"
)
UNSUPPORTED_VALUE = re.compile(
    r"(?i)unsupported value|(?:is|are) not supported|cannot be used with|invalid value|not a valid|supported values"
)
NOT_SUPPORTED = re.compile(r"(?i)\bnot supported (?:on|with|for|by) th(?:is|e '[^']+') (?:model|deployment)\b")
ENCRYPTED = re.compile(r"(?i)encrypted content")
# A hosted search that the resource's owner has switched off is as good as none.
NO_SEARCH = re.compile(r"(?i)not (?:supported|enabled|available)|unsupported|disabled|unavailable")
SEARCH = re.compile(r"(?i)web[_ -]?search")
CHOICE = re.compile(r"(?i)\btool[_ ]choice\b")
QUOTED = re.compile(r"['\"`](none|minimal|low|medium|high|xhigh|max)['\"`]")


def lesson(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """What a refused request teaches beyond what is known; None: nothing, so sending again would not help."""
    if report.status not in (None, 400, 404, 422) and not OVER_A_MINUTE.search(report.message):
        return None
    for learn in LEARNERS:
        learned = learn(report, known, body)
        if learned is not None and learned != known:
            return learned
    return None


def about_blobs(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    if "invalid_encrypted_content" not in report.codes and not ENCRYPTED.search(report.message):
        return None
    return replace(known, refused_reasoning=known.refused_reasoning | reasoning_ids(body))


def about_include(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """Which of the values asked for; without `reasoning.encrypted_content` no reasoning can be sent back."""
    asked: list[str] = body.get("include") or []
    by_name = "include" in (named_parameter(report), report.param.partition("[")[0])
    refused = [value for value in asked if value in report.message.partition("upported values")[0]]
    if not refused and ENCRYPTED.search(report.message) and (by_name or NOT_SUPPORTED.search(report.message)):
        refused = [INCLUDE_REASONING]
    elif not refused and by_name:
        refused = asked
    if not asked or not refused:
        return None
    return replace(
        known,
        includes=known.includes | set(refused),
        encrypted_reasoning=known.encrypted_reasoning and INCLUDE_REASONING not in refused,
    )


def about_what_followed(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """Reasoning that has lost what it led to: 2.1.10 forgets all parallel calls but one when it resumes a session."""
    if "without its required following item" not in report.message:
        return None
    ids = reasoning_ids(body)
    named = {each for each in ids if each in report.message}
    return replace(known, refused_reasoning=known.refused_reasoning | (named or ids))


def reasoning_ids(body: Mapping[str, Any]) -> set[str]:
    return {item["id"] for item in body["input"] if item.get("type") == "reasoning"}


def about_summary(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    words = f"{report.param} {report.message}".lower()
    if "reasoning.summary" in words or "organization must be verified" in words:
        return replace(known, summary=False)
    return None


def about_effort(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """Which levels there are, where the refusal says so; else all but the one refused. With none left, reasoning is
    nothing to ask this model for."""
    words = f"{report.param} {report.message}"
    sent = (body.get("reasoning") or {}).get("effort")
    if not sent or "effort" not in words or not UNSUPPORTED_VALUE.search(words) or named_parameter(report):
        return None
    offered = [level for level in QUOTED.findall(report.message) if level != sent]
    levels = [level for level in EFFORTS if level in offered] or [
        each for each in known.efforts or EFFORTS if each != sent
    ]
    if not levels:
        return replace(known, parameters=known.parameters | {"reasoning"})
    return replace(known, efforts=tuple(levels))


def about_length(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """The client asks for 64,000 tokens of output, which smaller models do not have and small accounts may not ask."""
    if "max_output_tokens" not in body:
        return None
    shares, limit = SHARES.search(report.message), LIMIT.search(report.message)
    only_output = bool(shares and limit and int(shares[1]) < whole(limit[1]))
    if only_output or TOO_MANY_OUTPUT_TOKENS.search(report.message) or OVER_A_MINUTE.search(report.message):
        return replace(known, parameters=known.parameters | {"max_output_tokens"})
    return None


def about_tool_search(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    return replace(known, tool_search=False) if "tool_search" in f"{report.param} {report.message}" else None


def about_web_search(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """ "Hosted tool 'web_search' is not supported with gpt-5.4-nano." """
    said = f"{report.param} {report.message}"
    declared = any(tool.get("type") == "web_search" for tool in body.get("tools") or ())
    if declared and SEARCH.search(said) and (NO_SEARCH.search(said) or UNSUPPORTED_VALUE.search(said)):
        return replace(known, web_search=False)
    return None


def about_choice(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """vLLM: "Only 'auto' tool_choice is supported in response API with Harmony"."""
    said = f"{report.param} {report.message}"
    if body.get("tool_choice", "auto") != "auto" and CHOICE.search(said) and "upported" in said:
        return replace(known, parameters=known.parameters | {"tool_choice"})
    return None


def about_outputs(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """Some servers take a tool's output as a string only."""
    match = re.search(r"input\[(\d+)\]", f"{report.param} {report.message}")
    at = int(match[1]) if match else -1
    if 0 <= at < len(body["input"]) and isinstance(body["input"][at].get("output"), list):
        return replace(known, media_in_outputs=False)
    if "function_call_output" in report.message and any(isinstance(item.get("output"), list) for item in body["input"]):
        return replace(known, media_in_outputs=False)
    return None


def about_phases(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """A model behind a gateway may be another from turn to turn; one that names phases, one that refuses them."""
    said = f"{report.param} {report.message}"
    sent = any("phase" in item for item in body["input"])
    return replace(known, phases=False) if sent and re.search(r"\bphase\b", said) else None


def about_parameters(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    named = report.param.split(".")[0]
    sure = NOT_SUPPORTED.search(report.message) or named in HINTS
    name = named_parameter(report) or (named if sure else "")
    if name in OPTIONAL and name in body:
        return replace(known, parameters=known.parameters | {name})
    return None


def named_parameter(report: Report) -> str:
    """The top-level parameter that a refusal says is not one; empty where it does not."""
    match = NAMED_PARAMETER.search(report.message)
    return (match[1] or match[2]).split(".")[0] if match else ""


LEARNERS = (
    about_include,
    about_blobs,
    about_what_followed,
    about_summary,
    about_length,
    about_effort,
    about_tool_search,
    about_web_search,
    about_choice,
    about_outputs,
    about_phases,
    about_parameters,
)
