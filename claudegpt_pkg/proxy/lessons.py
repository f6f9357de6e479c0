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
    refused_reasoning: frozenset[str] = frozenset()  # ids of items whose blob it could not read


OPTIONAL = frozenset(
    {"stream_options", "max_output_tokens", "temperature", "top_p", "service_tier", "prompt_cache_key", "include"}
    | {"parallel_tool_calls", "tool_choice", "text", "reasoning", "prompt_cache_retention"}
)
NAMED_PARAMETER = re.compile(
    r"(?i)(?:unsupported|unknown|unrecognized) (?:parameter|field|argument)s?:? *['\"`]?([\w.]+)"
)
TOO_MANY_OUTPUT_TOKENS = re.compile(r"(?i)max_(?:output_|completion_)?tokens\b.*\b(?:too large|at most|exceeds)")
# vLLM and SGLang: "(6000 in the messages, 64000 in the completion)"
SHARES = re.compile(
    r"(?i)(\d+)(?: tokens)? (?:in|from) the (?:input )?messages\D+\d+(?: tokens)? (?:in|for) the completion"
)
UNSUPPORTED_VALUE = re.compile(r"(?i)unsupported value|is not supported|invalid value|not a valid|supported values")
NOT_SUPPORTED = re.compile(r"(?i)\bnot supported with this model\b")
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
    if "invalid_encrypted_content" not in report.codes and "encrypted content" not in report.message.lower():
        return None
    return replace(known, refused_reasoning=known.refused_reasoning | reasoning_ids(body))


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
    if not sent or "effort" not in words or not UNSUPPORTED_VALUE.search(words) or NAMED_PARAMETER.search(words):
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
    if declared and "web_search" in said and UNSUPPORTED_VALUE.search(said) and "include" not in report.param:
        return replace(known, web_search=False)
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
    match = NAMED_PARAMETER.search(report.message)
    name = (match[1] if match else report.param if NOT_SUPPORTED.search(report.message) else "").split(".")[0]
    if name in OPTIONAL and name in body:
        return replace(known, parameters=known.parameters | {name})
    return None


LEARNERS = (
    about_blobs,
    about_what_followed,
    about_summary,
    about_length,
    about_effort,
    about_tool_search,
    about_web_search,
    about_outputs,
    about_phases,
    about_parameters,
)
