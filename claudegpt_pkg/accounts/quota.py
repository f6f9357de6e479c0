"""What is left of a ChatGPT plan: its windows, its credits, and whose limit was reached.

    fetch_quota(provider)       # from GET …/wham/usage; QuotaUnknown if the server does not tell
    read_headers(headers)       # the windows, from the x-codex-… headers of any answer
    explain_reached(kind)       # "workspace_member_usage_limit_reached" → whose limit it is, and whom to ask

The facts about the wire are in docs/wires/responses.md. Numbers may be written as text; percents are clamped to 0…100;
what cannot be a number is left out. A window's `resets_at` may lie in the past, because the quota may be an old one:
`next_reset` is None then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UpstreamFailed
from ..untrusted import as_list, as_object, read_json, read_name, read_number
from . import http
from .providers.base import Provider

DAY, HOUR, MINUTE = 86_400, 3600, 60
LAST_MOMENT = 1e11  # seconds since 1970, the year 5138; larger numbers are milliseconds
MOST_LIMITS = 20  # additional limits that are shown
# The values of `x-codex-rate-limit-reached-type`, and of the same field in a body: whose limit it is, whom to ask.
REACHED = {
    "workspace_owner_credits_depleted": (
        "Your workspace has no credits left.",
        "You own the workspace: add credits in its billing settings.",
    ),
    "workspace_member_credits_depleted": (
        "Your workspace has no credits left.",
        "Ask the workspace's owner to add credits.",
    ),
    "workspace_owner_usage_limit_reached": (
        "Your workspace's usage limit is reached.",
        "You own the workspace: raise the limit in its settings, or wait until it resets.",
    ),
    "workspace_member_usage_limit_reached": (
        "The usage limit that your workspace sets for you is reached.",
        "Ask the workspace's owner to raise it, or wait until it resets.",
    ),
}


class QuotaUnknown(UpstreamFailed):
    """The server does not tell what is left. That says nothing about whether the account is accepted."""


@dataclass(frozen=True)
class Window:
    """One limit of a plan: its length in seconds, how much of it is used, when it resets (seconds since 1970)."""

    used_percent: float
    seconds: float | None = None
    resets_at: float | None = None
    label: str = ""  # of a limit that does not count all use, "" for the plan's own windows

    @property
    def left(self) -> int:
        """Percent."""
        return max(0, round(100 - self.used_percent))

    @property
    def name(self) -> str:
        """ "5 hours", "1 week"; with its label for a limit of its own."""
        return ", ".join(part for part in (self.label, self._length) if part) or "limit"

    @property
    def _length(self) -> str:
        if not self.seconds:
            return ""
        for unit, word in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
            if self.seconds % unit == 0 and self.seconds >= unit:
                count = int(self.seconds // unit)
                return "1 week" if (count, word) == (7, "day") else f"{count} {word}{'s' * (count > 1)}"
        return f"{self.seconds:g} seconds"

    @property
    def short_name(self) -> str:
        """ "5 h", "7 d"; empty if the length is not known."""
        if not self.seconds:
            return ""
        return f"{self.seconds / DAY:g} d" if self.seconds >= DAY else f"{self.seconds / HOUR:g} h"

    def next_reset(self, now: float) -> float | None:
        """When the window resets; None if that is not known or lies behind us."""
        return self.resets_at if self.resets_at and self.resets_at > now else None


@dataclass(frozen=True)
class Quota:
    """What is left of a plan. `credits` is in words; None if the plan has no credits."""

    plan: str | None = None
    windows: tuple[Window, ...] = ()
    credits: str | None = None


def fetch_quota(provider: Provider) -> Quota:
    """Ask the account's server, whose `usage_url` is not None. Raises QuotaUnknown if it does not tell, and what the
    account's login raises."""
    headers = {"accept": "application/json", **provider.fixed_headers}
    question = http.Question(str(provider.usage_url), provider.label, headers=headers, auth=provider.auth)
    try:
        answer = http.ask_now(question)
    except http.NoAnswer as problem:
        raise QuotaUnknown(problem.message, problem.hint) from None
    if not answer.is_success:
        raise QuotaUnknown(f"The server does not tell what is left of the plan (HTTP {answer.status}).")
    try:
        return read_quota(read_json(answer.body))
    except ValueError:
        raise QuotaUnknown("The server's answer about what is left of the plan is not a JSON object.") from None


def read_quota(answer: Any) -> Quota:
    """The body of GET …/wham/usage. Raises ValueError if it is no object."""
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    windows = [*_read_pair(answer.get("rate_limit"), "")]
    for limit in as_list(answer.get("additional_rate_limits"))[:MOST_LIMITS]:
        label = read_name(as_object(limit).get("limit_name"), 60)
        if label:
            windows += _read_pair(as_object(limit).get("rate_limit"), label)
    spending = as_object(as_object(answer.get("spend_control")).get("individual_limit"))
    if window := _read_window(spending, "your spending limit"):
        windows.append(window)
    return Quota(read_name(answer.get("plan_type"), 60), tuple(windows), _read_credits(answer.get("credits")))


def _read_pair(limit: object, label: str) -> Iterator[Window]:
    for name in ("primary_window", "secondary_window"):
        if window := _read_window(as_object(as_object(limit).get(name)), label):
            yield window


def _read_window(found: Mapping[str, Any], label: str) -> Window | None:
    used = read_number(found.get("used_percent"))
    if used is None:
        return None
    return Window(
        _clamp(used), _read_length(found.get("limit_window_seconds")), read_moment(found.get("reset_at")), label
    )


def read_headers(headers: Mapping[str, str]) -> tuple[Window, ...]:
    """The plan's windows in the headers of an answer; none if it has no such headers."""
    found = (_read_header_window(headers, f"x-codex-{name}") for name in ("primary", "secondary"))
    return tuple(window for window in found if window)


def _read_header_window(headers: Mapping[str, str], prefix: str) -> Window | None:
    used = read_number(headers.get(f"{prefix}-used-percent"))
    if used is None:
        return None
    minutes = _read_length(headers.get(f"{prefix}-window-minutes"))
    return Window(_clamp(used), minutes and minutes * MINUTE, read_moment(headers.get(f"{prefix}-reset-at")))


def read_moment(value: object) -> float | None:
    """Seconds since 1970 that a calendar can show, also from milliseconds; None for anything else."""
    moment = read_number(value)
    if moment is not None and moment >= LAST_MOMENT:
        moment /= 1000
    return moment if moment is not None and 0 < moment < LAST_MOMENT else None


def explain_reached(kind: object) -> tuple[str, str] | None:
    """What happened and whom to ask, for a value of `x-codex-rate-limit-reached-type`; None for one not known."""
    return REACHED.get(kind) if isinstance(kind, str) else None


def _read_length(value: object) -> float | None:
    length = read_number(value)
    return length if length and length > 0 else None


def _clamp(percent: float) -> float:
    return min(100.0, max(0.0, percent))


def _read_credits(value: object) -> str | None:
    if not isinstance(value, dict):
        return None
    if value.get("unlimited") is True:
        return "unlimited"
    balance = read_number(value.get("balance"))
    if balance is not None and balance < 0:
        return f"{balance:g} (below zero)"
    if not value.get("has_credits"):
        return "none"
    return f"{balance:g}" if balance is not None else "some"
