"""What a server says went wrong (error_report.py) → one of our errors: the status and type that the client acts on, and
a sentence that the user can act on.

    raise map_error(report, tokens=…, window=…, media=…)

`RULES` is the whole decision, read from the top: a structured code says more than a type, a type more than a status,
and words count where none of them says anything. `may_retry` says which of our errors are worth another attempt before
the client has anything. What a refusal teaches about the backend is read in refusals.py.

How Claude Code reacts is in docs/wires/claude-code.md: it compacts on "prompt is too long", drops a picture or document
on "Could not process image" or "Could not process PDF", and shows a sentence of its own for any 404, which is therefore
kept for what another model would cure.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from ..accounts.quota import explain_reached
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
from ..formats import format_moment, is_moment, printable
from .error_report import NO_REASON, Report, status_phrase
from .wordings import (
    LIMIT,
    NUMBERS,
    OVER_A_MINUTE,
    medium_refused,
    parse_whole_number,
    remove_quotes,
    says_at_capacity,
    says_too_long,
)

LONGEST_WAIT = 10.0  # seconds of retry-after that the proxy waits itself; a longer one is the client's to honour
NEARLY_FULL = 0.9  # of the model's window: a request above that which is refused without a reason is too long
OTHER_MODEL = "Choose another model with /model, or correct the setting."


def map_error(
    report: Report,
    *,
    tokens: int = 0,
    window: int = 0,
    media: Collection[str] = (),
    now: float | None = None,
) -> ClaudegptError:
    """The error to raise.

    `tokens`: the estimate of the refused request; `window`: the most that the model takes; `media`: which of "image"
    and "file" the request held; `now`: seconds of the epoch.
    """
    request = _Request(tokens, window, frozenset(media), time.time() if now is None else now)
    make = next(make for rule in RULES if (make := rule(report, request)))
    return make(report, request)


def may_retry(error: ClaudegptError) -> bool:
    """Whether the same request may succeed in a moment."""
    if error.retry is False or (error.retry_after or 0) > LONGEST_WAIT:
        return False
    if isinstance(error, RateLimited):
        return error.retry_after is not None
    return isinstance(error, Overloaded | UpstreamFailed)


@dataclass(frozen=True)
class _Request:
    """The refused request, and when it was refused."""

    tokens: int
    window: int
    media: frozenset[str]
    now: float


_Maker = Callable[[Report, _Request], ClaudegptError]
_Rule = Callable[[Report, _Request], "_Maker | None"]

# Too long.


def _too_long(report: Report, request: _Request) -> ClaudegptError:
    """With the server's own numbers if it gives them, else with ours if they explain the refusal."""
    stated = LIMIT.search(report.message)
    limit = parse_whole_number(stated[1]) if stated else request.window
    over = [tokens for tokens in map(parse_whole_number, NUMBERS.findall(report.message)) if stated and tokens > limit]
    tokens = max(over, default=request.tokens)
    return PromptTooLong(tokens, limit) if tokens > limit else PromptTooLong()


# Limits of the account.


def _no_credit(report: Report, request: _Request) -> ClaudegptError:
    return UsageLimitReached(
        f"The account has no credit left, or its spending limit is reached{_in_brackets(report)}.",
        "Add credit or raise the limit in the provider's billing settings, then go on.",
    )


def _usage_limit(report: Report, request: _Request) -> ClaudegptError:
    """The plan's window is used up; the sentence says whose limit it is, and until when, in local time."""
    kind = report.details.get("rate_limit_reached_type") or report.headers.get("x-codex-rate-limit-reached-type")
    if explained := explain_reached(kind):
        return UsageLimitReached(*explained)
    name = printable(report.details.get("plan_type"))
    plan = f" ({name})" if name else ""
    moment = _resets_at(report, request.now)
    hint = f"It resets {format_moment(moment, request.now)}." if moment else "Try again later."
    return UsageLimitReached(f"Your ChatGPT plan's usage limit is reached{plan}.", hint)


def _resets_at(report: Report, now: float) -> float | None:
    """When the used-up window begins anew, in seconds of the epoch: as the error says, else as the headers say."""
    seconds = _number(report.details.get("resets_in_seconds"))
    stated = _number(report.details.get("resets_at")) or (seconds and now + seconds)
    used_up = [
        _header_number(report, f"x-codex-{window}-reset-at") or 0
        for window in ("primary", "secondary")
        if (_header_number(report, f"x-codex-{window}-used-percent") or 0) >= 100
    ]
    moment = stated or max(used_up, default=0)
    return moment if is_moment(moment) and moment > now else None


def _not_included(report: Report, request: _Request) -> ClaudegptError:
    return UsageLimitReached("This ChatGPT plan does not include Codex usage.", "Use another plan, or an API key.")


def _rate_limited(report: Report, request: _Request) -> ClaudegptError:
    if (over := OVER_A_MINUTE.search(report.message)) and int(over[2]) > int(over[1]):
        return PromptTooLong(int(over[2]), int(over[1]))
    wait = _retry_after(report, request.now)
    return RateLimited(f"The upstream asks to slow down: {_sentence(report)}", retry_after=wait)


def _map_overloaded(report: Report, request: _Request) -> ClaudegptError:
    return Overloaded("The model is overloaded right now.", retry_after=_retry_after(report, request.now))


# Who may do what.


def _not_accepted(report: Report, request: _Request) -> ClaudegptError:
    return NotLoggedIn(
        f"The upstream does not accept the credential{_in_brackets(report)}.",
        "Run `claudegpt setup` to enter another key or log in again; `claudegpt config` shows where a key comes from.",
    )


def _no_role(report: Report, request: _Request) -> ClaudegptError:
    """Azure's 401 to an identity that it knows: another login would change nothing."""
    hint = "Give it the role Cognitive Services OpenAI User on the resource." if "data action" in report.message else ""
    return Forbidden(f"The upstream refuses this identity: {_sentence(report)}", hint)


def _forbidden(report: Report, request: _Request) -> ClaudegptError:
    return Forbidden(f"The upstream refuses this account: {_sentence(report)}")


def _not_verified(report: Report, request: _Request) -> ClaudegptError:
    hint = "Verify the organization in the provider's settings, or choose another model with /model."
    return Forbidden(f"The upstream refuses this account: {_sentence(report)}", hint)


def _no_access(report: Report, request: _Request) -> ClaudegptError:
    hint = "Allow the model in the provider's project settings, or choose another model with /model."
    return Forbidden(f"The upstream refuses this account: {_sentence(report)}", hint)


# Wrong requests.


def _not_found(report: Report, request: _Request) -> ClaudegptError:
    return NotFound(f"The upstream does not know this model, deployment or address: {_sentence(report)}", OTHER_MODEL)


def _no_such_address(report: Report, request: _Request) -> ClaudegptError:
    return InvalidRequest(
        f"The upstream answers {report.status}: {_sentence(report)}",
        "If it has no Responses API, correct its address; a server that has chat completions alone cannot be used.",
    )


def _not_streamed(report: Report, request: _Request) -> ClaudegptError:
    return UpstreamFailed(
        "The upstream answers with JSON, not with a stream of Responses events.",
        "Correct its address; a server that has chat completions alone cannot be used.",
        retry=False,
    )


def _too_large(report: Report, request: _Request) -> ClaudegptError:
    return RequestTooLarge(f"The request is too large for the upstream: {_sentence(report)}")


def _map_filtered(report: Report, request: _Request) -> ClaudegptError:
    return InvalidRequest(
        "The upstream's content filter stopped this request (its jailbreak rule often trips on agents' prompts).",
        "Rephrase, or relax the filter of the deployment.",
    )


def _invalid(report: Report, request: _Request) -> ClaudegptError:
    return InvalidRequest(f"The upstream refuses the request: {_sentence(report)}")


def _image_refused(report: Report, request: _Request) -> ClaudegptError:
    return InvalidRequest(f"Could not process image: {_sentence(report)}")


def _file_refused(report: Report, request: _Request) -> ClaudegptError:
    return InvalidRequest(f"Could not process PDF: {_sentence(report)}")


# Servers that fail.


def _map_broken(report: Report, request: _Request) -> ClaudegptError:
    status = f"HTTP {report.status}: " if report.status else ""
    kind = ServerFault if report.status == 500 or "server_error" in report.codes else UpstreamFailed
    return kind(f"The upstream failed: {status}{_sentence(report)}", retry_after=_retry_after(report, request.now))


def _map_blocked(report: Report, request: _Request) -> ClaudegptError:
    return UpstreamFailed(
        f"A web page came instead of an answer (HTTP {report.status}): something between here and the upstream blocks.",
        "Check the network, VPN and proxy settings.",
    )


def _map_redirected(report: Report, request: _Request) -> ClaudegptError:
    where = report.headers.get("location") or "another address"
    return UpstreamFailed(
        f"The upstream redirects to {where}.", "If that is right, set it as the address.", retry=False
    )


# Which of them: tables and rules.

BY_CODE: dict[str, _Maker] = {
    "context_length_exceeded": _too_long,
    "model_context_window_exceeded": _too_long,
    "insufficient_quota": _no_credit,
    "credit_balance_exhausted": _no_credit,
    "billing_hard_limit_reached": _no_credit,
    "usage_limit_reached": _usage_limit,
    "usage_not_included": _not_included,
    "rate_limit_exceeded": _rate_limited,
    "server_is_overloaded": _map_overloaded,
    "slow_down": _map_overloaded,
    "invalid_api_key": _not_accepted,
    "token_expired": _not_accepted,
    "PermissionDenied": _no_role,
    "model_not_found": _not_found,
    "DeploymentNotFound": _not_found,
    "content_filter": _map_filtered,
    # Types, of those that say something; `server_error`, `api_error` and `invalid_request_error` do not.
    "authentication_error": _not_accepted,
    "permission_error": _forbidden,
    "billing_error": _no_credit,
    "not_found_error": _not_found,
    "rate_limit_error": _rate_limited,
    "overloaded_error": _map_overloaded,
    "request_too_large": _too_large,
}
# Codes that come in families.
BY_KIND_OF_CODE: tuple[tuple[re.Pattern[str], _Maker], ...] = (
    (re.compile("_spend_limit_exceeded$"), _no_credit),
    (re.compile("context_size|context_length"), _too_long),
    (re.compile("_policy(_violation)?$"), _invalid),
)
# Codes that name a fault of the request, so that no word of the message may say that it is too long.
NAMES_A_FAULT = re.compile(
    r"^(?:unsupported|unknown|unrecognized|missing|extra)_|^invalid_(?:type|value|function|json|schema|encrypted|prompt)"
)
BY_STATUS: dict[int, _Maker] = {
    401: _not_accepted,
    402: _no_credit,
    403: _forbidden,
    404: _no_such_address,
    405: _no_such_address,
    408: _map_broken,
    409: _map_broken,
    413: _too_large,
    425: _map_broken,
    429: _rate_limited,
    501: _invalid,
    503: _map_overloaded,
    529: _map_overloaded,
}
NOT_VERIFIED = re.compile(r"(?i)\bmust be verified\b")
NO_ACCESS = re.compile(
    r"(?i)^(?!.*does not exist).*\b(?:project|organi[sz]ation|account|team|workspace|key|user|you)\b.*"
    r"\b(?:not have|no|without|lacks?|not (?:allowed|permitted|authorized))\b.*\baccess\b.*\b(?:model|deployment)"
)
# What OpenAI's API, Azure, vLLM, Ollama and LM Studio name if it is not the address that is wrong.
A_MODEL = re.compile(r"(?i)\b(model|deployment)\b")
BAD_CREDENTIAL = re.compile(
    r"(?i)\b(?:invalid|incorrect|wrong|expired|missing)\b.*\b(?:api[ _-]?key|(?:access|auth|bearer) token|credential)"
    r"|\bapi[ _-]?key\b.*\b(?:not valid|invalid|incorrect|expired|missing)\b"
)
OUT_OF_CREDIT = re.compile(
    r"(?i)\bexceeded your current quota\b|\binsufficient (?:credits?|balance|funds|quota)\b"
    r"|\b(?:credit )?balance (?:is )?too low\b|\bout of credits?\b"
)


def _by_permission(report: Report, request: _Request) -> _Maker | None:
    """An account that may not use the model, under whatever status and code: another model is not the only cure."""
    words = remove_quotes(report.message)
    if NOT_VERIFIED.search(words):
        return _not_verified
    return _no_access if NO_ACCESS.search(words) and report.status in (None, 400, 401, 403, 404) else None


def _by_code(report: Report, request: _Request) -> _Maker | None:
    for code in report.codes:
        if code == "not_found_error" and report.status:
            continue  # some gateways call a wrong address so
        if make := BY_CODE.get(code):
            return make
        for pattern, make in BY_KIND_OF_CODE:
            if pattern.search(code):
                return make
    return None


def _by_capacity(report: Report, request: _Request) -> _Maker | None:
    return _map_overloaded if says_at_capacity(report.message) else None


def _by_length(report: Report, request: _Request) -> _Maker | None:
    if any(map(NAMES_A_FAULT.search, report.codes)):
        return None
    return _too_long if says_too_long(report.message) else None


def _by_medium(report: Report, request: _Request) -> _Maker | None:
    if report.status not in (None, 400, 404, 415, 422, 500, 501):
        return None
    if report.status == 500 and "not support" not in report.message:  # llama.cpp says so under 500
        return None
    medium = medium_refused(report, request.media)
    return {"image": _image_refused, "file": _file_refused}.get(medium or "")


def _by_status(report: Report, request: _Request) -> _Maker | None:
    status = report.status or 0
    blames_request = any(code.startswith("invalid_") or "image" in code for code in report.codes)
    if not status and blames_request and report.code != "server_error":  # an error in a stream that names no status
        return _invalid
    if status == 404 and A_MODEL.search(report.message):
        return _not_found
    if status == 200 and not report.html and report.message in (NO_REASON, status_phrase(200)):
        return _not_streamed
    if report.html and status < 500 and status not in (401, 413, 429):
        return _map_redirected if 300 <= status < 400 else _map_blocked
    return BY_STATUS.get(status)


def _by_words(report: Report, request: _Request) -> _Maker | None:
    """A cause that the status does not suggest."""
    words = remove_quotes(report.message)
    if report.status in (400, 403, 422, 429, 500) and OUT_OF_CREDIT.search(words):
        return _no_credit
    if report.status in (400, 403, 422, 500) and BAD_CREDENTIAL.search(words):
        return _not_accepted
    return None


def _by_size(report: Report, request: _Request) -> _Maker | None:
    """Words are a list that never ends: a 400 that names no field, to a request that nearly fills the window."""
    names_a_field = report.param or any(map(NAMES_A_FAULT.search, report.codes))
    full = 0 < NEARLY_FULL * request.window < request.tokens
    return _too_long if report.status in (400, 422) and full and not names_a_field else None


def _otherwise(report: Report, request: _Request) -> _Maker:
    status = report.status or 0
    if 300 <= status < 400:
        return _map_redirected
    return _invalid if 400 <= status < 500 else _map_broken


RULES: tuple[_Rule, ...] = (
    _by_permission,
    _by_code,
    _by_capacity,
    _by_length,
    _by_medium,
    _by_words,
    _by_status,
    _by_size,
    _otherwise,
)

# Numbers and sentences.

# "try again in 1.2s", "retry in 34.07s", "in 6m0s", "after 20 seconds"
WAIT = re.compile(r"(?i)(?:(?:try again|retry) (?:in|after)|wait(?: for)?)((?:\s*[\d.]+\s*[a-z]+)+)")
DURATION = re.compile(r"([\d.]+)\s*(ms|milli|[smh])")
UNITS = {"ms": 0.001, "milli": 0.001, "s": 1, "m": 60, "h": 3600}


def _retry_after(report: Report, now: float) -> float | None:
    """Seconds: from the headers, the error's own fields, or its words."""
    milliseconds = _header_number(report, "retry-after-ms")
    if milliseconds is not None:
        return milliseconds / 1000
    header = report.headers.get("retry-after")
    if (seconds := _number(header)) is not None:
        return seconds
    if (moment := _http_date(header)) is not None:
        return max(0.0, moment - now)
    for name in ("retry_after_seconds", "retry_after", "resets_in_seconds"):
        if (seconds := _number(report.details.get(name))) is not None:
            return seconds
    if match := WAIT.search(report.message):
        parts = DURATION.findall(match[1].lower())
        return sum((_number(count) or 0) * UNITS[unit] for count, unit in parts) if parts else None
    return None


def _http_date(header: str | None) -> float | None:
    """Seconds of the epoch."""
    try:
        return parsedate_to_datetime(header or "").timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _header_number(report: Report, name: str) -> float | None:
    return _number(report.headers.get(name))


def _number(value: object) -> float | None:
    """A number that is not negative, whether or not it was sent as text; None for anything else."""
    try:
        found = float(value)  # type: ignore[arg-type]  # the except says what is done about that
    except (TypeError, ValueError, OverflowError):
        return None
    return found if 0 <= found < math.inf and not isinstance(value, bool) else None


def _sentence(report: Report) -> str:
    """The server's words, with an end."""
    return report.message if report.message.endswith((".", "!", "?", "…")) else report.message + "."


def _in_brackets(report: Report) -> str:
    return f" ({report.message.rstrip('.')})"
