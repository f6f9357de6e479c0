"""What an upstream said went wrong (report.py) → one of our errors: the status the client acts on, a sentence the user
can act on.

    raise ours(report, tokens=…, window=…)

`may_retry` says which of our errors are worth another attempt before anything was sent; what a refusal teaches about
the backend is read in lessons.py. Facts: backends.md §2–5.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

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
    ServerFault,
    UpstreamFailed,
    UsageLimitReached,
)
from ..formats import format_moment, is_moment
from .error_report import NO_REASON, Report, own_words

LONGEST_WAIT = 10.0  # seconds of retry-after we sit out ourselves; a longer one is the client's to honour


def ours(report: Report, *, tokens: int = 0, window: int = 0, now: float | None = None) -> ClaudegptError:
    """The error to raise. `tokens` and `window`: what the request was estimated at and may at most be."""
    return maker(report)(report, Request(tokens, window, time.time() if now is None else now))


def maker(report: Report) -> Maker:
    """What makes our error of a report: known by its code, its words, its kind of code, its status."""
    for code in report.codes:
        if make := BY_CODE.get(code):
            return make
    if says_too_long(report.message):
        return too_long
    if report.status in (None, 400, 422):
        for pattern, make in BY_KIND_OF_CODE:
            if any(map(pattern.search, report.codes)):
                return make
    status = report.status or 0
    if status == 404 and A_MODEL.search(report.message):
        return not_found
    if status == 200 and report.message == NO_REASON:
        return not_streamed
    if status in BY_STATUS and not (report.html and status in (403, 404)):
        return BY_STATUS[status]
    if report.html and status < 500:
        return blocked
    if 300 <= status < 400:
        return redirected
    return invalid if 400 <= status < 500 else broken


def may_retry(error: ClaudegptError) -> bool:
    """Whether the same request may succeed in a moment."""
    if error.retry is False or (error.retry_after or 0) > LONGEST_WAIT:
        return False
    if isinstance(error, RateLimited):
        return error.retry_after is not None
    return isinstance(error, Overloaded | UpstreamFailed)


@dataclass(frozen=True)
class Request:
    """What the failed request was, and when it failed."""

    tokens: int
    window: int
    now: float


Maker = Callable[[Report, Request], ClaudegptError]
# The words of OpenAI, Azure, vLLM, SGLang, llama.cpp, xAI, Gemini and LiteLLM, in this order.
TOO_LONG = re.compile(
    r"(?i)context window|context_length_exceeded|maximum context length|tokens? exceeds? the configured limit"
    r"|^invalid ?: string too long. expected a string with maximum length \d{7}"  # QUOTED is not in it any more
    r"|longer than the (?:maximum )?model(?:'s context)? length|available context size|maximum prompt length"
    r"|exceeds the maximum number of tokens|(?:prompt|input) is too long"
)
# Somebody's words, whole or cut off by TEXT_LIMIT; not "the model's".
QUOTED = re.compile(r"(?<!\w)(['\"`]).*?(?:\1(?!\w)|$)")
NUMBERS = re.compile(r"\d[\d,]{3,}")
LIMIT = re.compile(
    r"(?i)(?:configured limit of|(?:context|prompt) length (?:is|of)|context length \(|model length of"
    r"|tokens allowed \(|tokens >)\s*(\d[\d,]{3,})"
)
# OpenAI: one request over what the account may send in a minute will never pass, however long one waits.
OVER_A_MINUTE = re.compile(r"(?i)request too large.* limit:? (\d+), requested:? (\d+)")
# What OpenAI's API, Azure, vLLM, Ollama and LM Studio name where it is not the address that is wrong.
A_MODEL = re.compile(r"(?i)\b(model|deployment)\b")
WAIT = re.compile(r"(?i)(?:try again in|retry after)((?:\s*[\d.]+\s*[a-z]+)+)")
DURATION = re.compile(r"([\d.]+)\s*(ms|milli|[smh])")
UNITS = {"ms": 0.001, "milli": 0.001, "s": 1, "m": 60, "h": 3600}


def says_too_long(message: str) -> bool:
    """In its own words, not in those it quotes; or LiteLLM, which knows many a vendor's, has recognized it."""
    words = own_words(message)
    return "ContextWindowExceeded" in message.removesuffix(words) or bool(TOO_LONG.search(QUOTED.sub("", words)))


def too_long(report: Report, request: Request) -> ClaudegptError:
    """With the upstream's own numbers where it gives them, else with ours where they explain the refusal."""
    said = LIMIT.search(report.message)
    limit = whole(said[1]) if said else request.window
    over = [tokens for tokens in map(whole, NUMBERS.findall(report.message)) if said and tokens > limit]
    tokens = max(over, default=request.tokens)
    return PromptTooLong(tokens, limit) if tokens > limit else PromptTooLong()


def whole(number: str) -> int:
    return int(number.replace(",", ""))


def no_credit(report: Report, request: Request) -> ClaudegptError:
    return UsageLimitReached(
        f"The account has no credit left, or its spending limit is reached{in_brackets(report)}.",
        "Add credit or raise the limit in the provider's billing settings, then go on.",
    )


def usage_limit(report: Report, request: Request) -> ClaudegptError:
    """The plan's window is used up; the sentence says until when, in local time."""
    plan = f" ({report.details['plan_type']})" if report.details.get("plan_type") else ""
    moment = resets_at(report, request.now)
    hint = f"It resets {format_moment(moment, request.now)}." if moment else "Try again later."
    return UsageLimitReached(f"Your ChatGPT plan's usage limit is reached{plan}.", hint)


def resets_at(report: Report, now: float) -> float | None:
    """When the window that is used up begins anew, in seconds of the epoch: the error says so, or the headers do."""
    seconds = number(report.details.get("resets_in_seconds"))
    said = number(report.details.get("resets_at")) or (seconds and now + seconds)
    used_up = [
        header_number(report, f"x-codex-{window}-reset-at") or 0
        for window in ("primary", "secondary")
        if (header_number(report, f"x-codex-{window}-used-percent") or 0) >= 100
    ]
    moment = said or max(used_up, default=0)
    return moment if is_moment(moment) else None


def not_included(report: Report, request: Request) -> ClaudegptError:
    return UsageLimitReached("This ChatGPT plan does not include Codex usage.", "Use another plan, or an API key.")


def rate_limited(report: Report, request: Request) -> ClaudegptError:
    if (over := OVER_A_MINUTE.search(report.message)) and int(over[2]) > int(over[1]):
        return PromptTooLong(int(over[2]), int(over[1]))
    return RateLimited(f"The upstream asks to slow down: {sentence(report)}", retry_after=retry_after(report))


def retry_after(report: Report) -> float | None:
    """Seconds, from the headers or from words such as "try again in 1.2s", "in 6m0s", "after 20 seconds"."""
    milliseconds = header_number(report, "retry-after-ms")
    if milliseconds is not None:
        return milliseconds / 1000
    if (seconds := header_number(report, "retry-after")) is not None:
        return seconds
    if match := WAIT.search(report.message):
        parts = DURATION.findall(match[1].lower())
        return sum((number(count) or 0) * UNITS[unit] for count, unit in parts) if parts else None
    return None


def header_number(report: Report, name: str) -> float | None:
    return number(report.headers.get(name))


def number(value: object) -> float | None:
    """A number above or at 0, whether or not it was sent as text; None for anything else."""
    try:
        found = float(value)  # type: ignore[arg-type]  # the except says what is done about that
    except (TypeError, ValueError, OverflowError):
        return None
    return found if 0 <= found < math.inf else None


def sentence(report: Report) -> str:
    """The upstream's words, with an end."""
    return report.message if report.message.endswith((".", "!", "?", "…")) else report.message + "."


def in_brackets(report: Report) -> str:
    return f" ({report.message.rstrip('.')})"


def overloaded(report: Report, request: Request) -> ClaudegptError:
    return Overloaded("The model is overloaded right now.", retry_after=retry_after(report))


def not_accepted(report: Report, request: Request) -> ClaudegptError:
    return NotLoggedIn(
        f"The upstream does not accept the credential{in_brackets(report)}.",
        "Run `claudegpt setup` to enter another key or log in again; `claudegpt config` shows where a key comes from.",
    )


def no_role(report: Report, request: Request) -> ClaudegptError:
    """Azure's 401 to an identity that it knows: another login would change nothing."""
    hint = "Give it the role Cognitive Services OpenAI User on the resource." if "data action" in report.message else ""
    return Forbidden(f"The upstream refuses this identity: {sentence(report)}", hint)


def forbidden(report: Report, request: Request) -> ClaudegptError:
    return Forbidden(f"The upstream refuses this account: {sentence(report)}")


def blocked(report: Report, request: Request) -> ClaudegptError:
    return UpstreamFailed(
        f"A web page came instead of an answer (HTTP {report.status}): something between here and the upstream blocks.",
        "Check the network, VPN and proxy settings.",
    )


def redirected(report: Report, request: Request) -> ClaudegptError:
    where = report.headers.get("location") or "another address"
    return UpstreamFailed(
        f"The upstream sends us on to {where}.", "Set that as its address, if it is right.", retry=False
    )


def not_found(report: Report, request: Request) -> ClaudegptError:
    return NotFound(
        f"The upstream does not know this model, deployment or address: {sentence(report)}",
        "Choose another model with /model, or correct the setting.",
    )


def no_such_address(report: Report, request: Request) -> ClaudegptError:
    """Not as a 404: the client would say that the model is missing, and nothing of this."""
    return InvalidRequest(
        f"The upstream answers {report.status} to a Responses request: {sentence(report)}",
        "Correct its address; a server that has chat completions alone cannot be used.",
    )


def not_streamed(report: Report, request: Request) -> ClaudegptError:
    return UpstreamFailed(
        "The upstream answers with JSON, not with a stream of Responses events.",
        "Correct its address; a server that has chat completions alone cannot be used.",
        retry=False,
    )


def too_large(report: Report, request: Request) -> ClaudegptError:
    return RequestTooLarge(f"The request is too large for the upstream: {sentence(report)}")


def filtered(report: Report, request: Request) -> ClaudegptError:
    return InvalidRequest(
        "The upstream's content filter stopped this request (its jailbreak rule often trips on agents' prompts).",
        "Rephrase, or relax the filter of the deployment.",
    )


def invalid(report: Report, request: Request) -> ClaudegptError:
    return InvalidRequest(f"The upstream refuses the request: {sentence(report)}")


def broken(report: Report, request: Request) -> ClaudegptError:
    status = f"HTTP {report.status}: " if report.status else ""
    kind = ServerFault if report.status == 500 or "server_error" in report.codes else UpstreamFailed
    return kind(f"The upstream failed: {status}{sentence(report)}", retry_after=retry_after(report))


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
    "PermissionDenied": no_role,
    "model_not_found": not_found,
    "DeploymentNotFound": not_found,
    "content_filter": filtered,
    "server_error": broken,
}
# Codes that come in families, for what is the request's own fault.
BY_KIND_OF_CODE: tuple[tuple[re.Pattern[str], Maker], ...] = (
    (re.compile("_spend_limit_exceeded$"), no_credit),
    (re.compile("context_size|context_length"), too_long),
    (re.compile("image|_policy(_violation)?$|^invalid_"), invalid),
)
BY_STATUS: dict[int, Maker] = {
    401: not_accepted,
    402: no_credit,
    403: forbidden,
    404: no_such_address,
    405: no_such_address,
    408: broken,
    409: broken,
    413: too_large,
    425: broken,
    429: rate_limited,
    501: invalid,
    503: overloaded,
    529: overloaded,
}
