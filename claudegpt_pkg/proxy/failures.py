"""What an upstream said went wrong → one of our errors: the status the client acts on, a sentence the user can act on.

    report = read_report(429, headers, body)     # from an HTTP answer
    report = Report.of_event(error)              # from an error inside a stream
    raise ours(report, tokens=…, window=…)

`may_retry` says which of our errors are worth another attempt before anything was sent; `lesson` reads from a 400 what
the backend does not take, so that the request can be sent once more without it. Facts: backends.md §2–5.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import (
    ClaudegptError,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotLoggedIn,
    Overloaded,
    PromptTooLong,
    RateLimited,
    RequestTooLarge,
    UpstreamFailed,
    UsageLimitReached,
)
from ..models import EFFORTS
from ..translate.jsontext import loads

LONGEST_WAIT = 10.0  # seconds of retry-after we sit out ourselves; a longer one is the client's to honour
TEXT_LIMIT = 400  # characters of an upstream's own words that we pass on


@dataclass(frozen=True)
class Report:
    """An upstream's account of a failure, in one shape for all backends."""

    status: int | None = None  # None: it came inside a stream
    code: str = ""
    kind: str = ""
    message: str = ""
    param: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)  # the whole error object
    headers: Mapping[str, str] = field(default_factory=dict)
    html: bool = False

    @classmethod
    def of_event(cls, error: Mapping[str, Any]) -> Report:
        return cls(
            code=str(error.get("code") or ""),
            kind=str(error.get("type") or ""),
            message=str(error.get("message") or error.get("code") or "no reason given")[:TEXT_LIMIT],
            param=str(error.get("param") or ""),
            details=error,
        )

    @property
    def codes(self) -> tuple[str, str]:
        return self.code, self.kind


def read_report(status: int, headers: Mapping[str, str], body: bytes) -> Report:
    """An HTTP answer that is not a success, whatever its body holds."""
    error, html = parse_error(body)
    report = Report.of_event(error)
    message = report.message if error else f"HTTP {status}"
    return Report(status, report.code, report.kind, message, report.param, error, headers, html)


def parse_error(body: bytes) -> tuple[dict[str, Any], bool]:
    """The error object in a body: {"error": {…}}, {"detail": …} or plain text; and whether it is a web page."""
    text = body.decode("utf-8", "replace").strip()
    if text[:1] == "<":
        return {}, True
    try:
        answer = loads(body)
    except ValueError:
        return ({"message": text[:TEXT_LIMIT]} if text else {}), False
    if isinstance(answer, list) and answer:
        answer = answer[0]
    found = answer.get("error") or answer.get("detail") or answer if isinstance(answer, dict) else answer
    return (found if isinstance(found, dict) else {"message": str(found)[:TEXT_LIMIT]}), False


def ours(report: Report, *, tokens: int = 0, window: int = 0) -> ClaudegptError:
    """The error to raise. `tokens` and `window`: what the request was estimated at and may at most be."""
    for code in report.codes:
        if make := BY_CODE.get(code):
            return make(report, Request(tokens, window))
    if TOO_LONG.search(report.message):
        return too_long(report, Request(tokens, window))
    if code_ends(report, "_spend_limit_exceeded"):
        return no_credit(report, Request(tokens, window))
    if report.html:
        return blocked(report, Request(tokens, window))
    make = BY_STATUS.get(report.status or 0, broken)
    return make(report, Request(tokens, window))


def may_retry(error: ClaudegptError) -> bool:
    """Whether the same request may succeed in a moment."""
    if error.retry is False:
        return False
    if isinstance(error, RateLimited):
        return error.retry_after is not None and error.retry_after <= LONGEST_WAIT
    return isinstance(error, Overloaded | UpstreamFailed)


@dataclass(frozen=True)
class Request:
    """What the failed request was."""

    tokens: int
    window: int


Maker = Callable[[Report, Request], ClaudegptError]
TOO_LONG = re.compile(r"(?i)context window|maximum context length|context_length_exceeded|input is too long")
NUMBERS = re.compile(r"(\d[\d,]{3,}) tokens")
TRY_AGAIN = re.compile(r"(?i)try again in ([\d.]+)\s*(ms|s|m)\b")


def code_ends(report: Report, ending: str) -> bool:
    return any(code.endswith(ending) for code in report.codes)


def too_long(report: Report, request: Request) -> ClaudegptError:
    """The client compacts on these words, whatever the numbers; the upstream's own are used where it gives them."""
    numbers = sorted(int(number.replace(",", "")) for number in NUMBERS.findall(report.message))
    if len(numbers) >= 2 and numbers[-1] > numbers[0]:
        return PromptTooLong(numbers[-1], numbers[0])
    window = numbers[0] if numbers else request.window
    return PromptTooLong(max(request.tokens, window + 1), window)


def no_credit(report: Report, request: Request) -> ClaudegptError:
    return UsageLimitReached(
        f"The account has no credit left, or its spending limit is reached ({report.message})",
        "Add credit or raise the limit in the provider's billing settings, then go on.",
    )


def usage_limit(report: Report, request: Request) -> ClaudegptError:
    """The plan's window is used up; the sentence says until when, in local time."""
    details = report.details
    plan = f" ({details['plan_type']})" if details.get("plan_type") else ""
    resets_at = details.get("resets_at") or header_number(report, "x-codex-primary-reset-at")
    if not resets_at and details.get("resets_in_seconds"):
        resets_at = time.time() + float(details["resets_in_seconds"])
    if not resets_at:
        return UsageLimitReached(f"Your ChatGPT plan's usage limit is reached{plan}.", "Try again later.")
    return UsageLimitReached(
        f"Your ChatGPT plan's usage limit is reached{plan}.", f"It resets {local_time(float(resets_at))}."
    )


def local_time(moment: float) -> str:
    """ "at 14:05" today, else "on Tue 24 Nov at 14:05"; local time."""
    then, now = time.localtime(moment), time.localtime()
    day = "" if then[:3] == now[:3] else time.strftime("on %a %d %b ", then)
    return day + time.strftime("at %H:%M", then)


def not_included(report: Report, request: Request) -> ClaudegptError:
    return UsageLimitReached("This ChatGPT plan does not include Codex usage.", "Use another plan, or an API key.")


def rate_limited(report: Report, request: Request) -> ClaudegptError:
    return RateLimited(f"The upstream asks to slow down: {report.message}", retry_after=retry_after(report))


def retry_after(report: Report) -> float | None:
    """Seconds, from the headers or from the words "try again in 1.2s"."""
    milliseconds = header_number(report, "retry-after-ms")
    if milliseconds is not None:
        return milliseconds / 1000
    if (seconds := header_number(report, "retry-after")) is not None:
        return seconds
    if match := TRY_AGAIN.search(report.message):
        return float(match[1]) * {"ms": 0.001, "s": 1, "m": 60}[match[2].lower()]
    return None


def header_number(report: Report, name: str) -> float | None:
    try:
        return float(report.headers.get(name) or "")
    except ValueError:
        return None


def overloaded(report: Report, request: Request) -> ClaudegptError:
    return Overloaded("The model is overloaded right now.", retry_after=retry_after(report))


def not_accepted(report: Report, request: Request) -> ClaudegptError:
    return NotLoggedIn(
        f"The upstream does not accept the credential ({report.message})", "Check it with `claudegpt config list`."
    )


def forbidden(report: Report, request: Request) -> ClaudegptError:
    return Forbidden(f"The upstream refuses this account: {report.message}")


def blocked(report: Report, request: Request) -> ClaudegptError:
    return UpstreamFailed(
        f"A web page came instead of an answer (HTTP {report.status}): something between here and the upstream blocks.",
        "Check the network, VPN and proxy settings.",
    )


def not_found(report: Report, request: Request) -> ClaudegptError:
    return NotFound(f"The upstream does not know this model, deployment or address: {report.message}")


def too_large(report: Report, request: Request) -> ClaudegptError:
    return RequestTooLarge(f"The request is too large for the upstream: {report.message}")


def filtered(report: Report, request: Request) -> ClaudegptError:
    return InvalidRequest(
        "The upstream's content filter stopped this request (its jailbreak rule often trips on agents' prompts).",
        "Rephrase, or relax the filter of the deployment.",
    )


def invalid(report: Report, request: Request) -> ClaudegptError:
    return InvalidRequest(f"The upstream refuses the request: {report.message}")


def broken(report: Report, request: Request) -> ClaudegptError:
    status = f"HTTP {report.status}: " if report.status else ""
    return UpstreamFailed(f"The upstream failed ({status}{report.message}).", retry_after=retry_after(report))


BY_CODE: dict[str, Maker] = {
    "context_length_exceeded": too_long,
    "insufficient_quota": no_credit,
    "credit_balance_exhausted": no_credit,
    "billing_hard_limit_reached": no_credit,
    "usage_limit_reached": usage_limit,
    "usage_not_included": not_included,
    "rate_limit_exceeded": rate_limited,
    "server_is_overloaded": overloaded,
    "slow_down": overloaded,
    "overloaded_error": overloaded,
    "invalid_api_key": not_accepted,
    "token_expired": not_accepted,
    "model_not_found": not_found,
    "DeploymentNotFound": not_found,
    "content_filter": filtered,
    "invalid_prompt": invalid,
    "bio_policy": invalid,
    "misalignment_policy_violation": invalid,
}
BY_STATUS: dict[int, Maker] = {
    400: invalid,
    401: not_accepted,
    403: forbidden,
    404: not_found,
    413: too_large,
    422: invalid,
    429: rate_limited,
    503: overloaded,
    529: overloaded,
}


# What a refusal teaches: some backends and models lack what others have.


@dataclass(frozen=True)
class Lessons:
    """What a backend was seen not to take, for one model; the next request is made without it."""

    parameters: frozenset[str] = frozenset()  # top-level ones
    efforts: tuple[str, ...] | None = None  # the levels it has; None: not known
    summary: bool = True
    tool_search: bool = True
    media_in_outputs: bool = True
    refused_reasoning: frozenset[str] = frozenset()  # ids of items whose blob it could not read


OPTIONAL = frozenset(
    {"stream_options", "max_output_tokens", "temperature", "top_p", "service_tier", "prompt_cache_key", "include"}
    | {"parallel_tool_calls", "tool_choice", "text", "reasoning"}
)
NAMED_PARAMETER = re.compile(
    r"(?i)(?:unsupported|unknown|unrecognized) (?:parameter|field|argument)s?:? *['\"`]?([\w.]+)"
)
UNSUPPORTED_VALUE = re.compile(r"(?i)unsupported value|is not supported|invalid value|not a valid|supported values")
QUOTED = re.compile(r"['\"`](none|minimal|low|medium|high|xhigh|max)['\"`]")


def lesson(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """What a refused request teaches beyond what is known; None: nothing, so sending again would not help."""
    if report.status not in (None, 400, 404, 422):
        return None
    for learn in LEARNERS:
        learned = learn(report, known, body)
        if learned is not None and learned != known:
            return learned
    return None


def about_blobs(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    if "invalid_encrypted_content" not in report.codes and "encrypted content" not in report.message.lower():
        return None
    ids = {item["id"] for item in body["input"] if item.get("type") == "reasoning"}
    return replace(known, refused_reasoning=known.refused_reasoning | ids)


def about_summary(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    words = f"{report.param} {report.message}".lower()
    if "reasoning.summary" in words or "organization must be verified" in words:
        return replace(known, summary=False)
    return None


def about_effort(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """Which levels there are, where the refusal says so; else all but the one refused."""
    words = f"{report.param} {report.message}"
    sent = (body.get("reasoning") or {}).get("effort")
    if not sent or "effort" not in words or not UNSUPPORTED_VALUE.search(words):
        return None
    offered = [level for level in QUOTED.findall(report.message) if level != sent]
    levels = known.efforts or EFFORTS
    return replace(
        known, efforts=tuple(level for level in levels if level in offered or (not offered and level != sent))
    )


def about_tool_search(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    return replace(known, tool_search=False) if "tool_search" in f"{report.param} {report.message}" else None


def about_outputs(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    """Some servers take a tool's output as a string only."""
    match = re.search(r"input\[(\d+)\]", f"{report.param} {report.message}")
    at = int(match[1]) if match else -1
    if 0 <= at < len(body["input"]) and isinstance(body["input"][at].get("output"), list):
        return replace(known, media_in_outputs=False)
    if "function_call_output" in report.message and any(isinstance(item.get("output"), list) for item in body["input"]):
        return replace(known, media_in_outputs=False)
    return None


def about_parameters(report: Report, known: Lessons, body: Mapping[str, Any]) -> Lessons | None:
    match = NAMED_PARAMETER.search(report.message)
    name = (match[1] if match else "").split(".")[0]
    if name in OPTIONAL and name in body:
        return replace(known, parameters=known.parameters | {name})
    return None


LEARNERS = (about_blobs, about_summary, about_effort, about_tool_search, about_outputs, about_parameters)
