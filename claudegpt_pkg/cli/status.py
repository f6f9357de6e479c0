"""`claudegpt status` and `claudegpt models`: show the account, its quota and its models.

A saved login can look valid and be revoked. So these commands ask the account's server: for the plan's quota and for
the list of models if the server has them, else with one tiny turn. If the server does not answer, the output and the
exit status say so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from .. import assembly
from ..accounts import model_list
from ..accounts.auth.oauth import plan_name
from ..accounts.auth.tokens import Tokens
from ..accounts.model_list import NoList
from ..accounts.providers.base import Provider
from ..accounts.quota import Quota, QuotaUnknown, Window, fetch_quota, read_moment
from ..capabilities import Capabilities
from ..errors import BadSetting, ClaudegptError, Forbidden, NotLoggedIn, UpstreamFailed
from ..formats import format_moment, format_number
from ..models import EFFORTS, TIERS, Model, Tier
from ..settings.settings import Settings, load
from ..setup.capability_text import describe_capabilities
from ..terminal.console import from_home, marks, plain, result_json, result_rows, result_table, say
from ..upstream.capability_store import recall

BAR = 20  # characters
SAVED_LIST = "The list below was saved earlier."
BUILT_IN_LIST = "The list below is the one built into claudegpt."


@dataclass(frozen=True)
class AccountReport:
    """What `status` shows. `problem`: the error with which the account's server answered, if any."""

    provider: Provider
    credential: str
    tokens: Tokens | None
    quota: Quota | None
    quota_unknown: QuotaUnknown | None  # why there is no quota although the account has a plan
    lessons: Mapping[str, Capabilities]
    problem: ClaudegptError | None

    @property
    def plan(self) -> str | None:
        return (self.quota and self.quota.plan) or (self.tokens.plan if self.tokens else None)


def show_status(flags: Mapping[str, str], *, as_json: bool) -> int:
    """Print the report and return the exit status. With `as_json`, an error is printed as JSON instead of raised."""
    try:
        report = _ask_account(flags)
    except ClaudegptError as problem:
        if not as_json:
            raise
        result_json({"ok": False, "error": str(problem)})
        return problem.exit_status
    if as_json:
        result_json(_report_object(report))
        return report.problem.exit_status if report.problem else 0
    result_rows(_report_rows(report, time.time()))
    if report.problem:
        raise report.problem
    return 0


def show_models(flags: Mapping[str, str], *, as_json: bool) -> None:
    settings = load(flags)
    provider, _ = assembly.backend(settings)
    listed: Sequence[Model] = ()
    if provider.models_url:
        try:
            listed = model_list.refresh_now(provider, settings.dirs.cache).offered
        except UpstreamFailed as problem:
            seen = model_list.read_cached(settings.dirs.cache, provider.models_url, provider.account)
            say(f"{problem} {SAVED_LIST if seen else BUILT_IN_LIST}")
            listed = seen.offered if seen else list(provider.models.values())
        provider, _ = assembly.backend(settings)
    lessons = recall(settings.dirs.cache, provider)
    ids = dict.fromkeys([*(provider.tiers.model(tier) for tier in TIERS), *(model.id for model in listed)])
    if as_json:
        result_json([_listed_model_object(provider, name, lessons.get(name) or Capabilities()) for name in ids])
        return
    shown = [_model_row(provider, name, lessons.get(name) or Capabilities()) for name in ids]
    result_table(("model", "window", "efforts", "tier", "notes"), shown)
    if any(describe_capabilities(lessons.get(name) or Capabilities()) for name in ids):
        say("claudegpt remembers for a week what a model refused. `claudegpt setup` tests it again.")


# Ask.


def _ask_account(flags: Mapping[str, str]) -> AccountReport:
    """What the account's server answers now. Raises ClaudegptError if no account can be made of the settings."""
    settings = load(flags)
    provider, _ = assembly.backend(settings)
    quota: Quota | None = None
    unknown: QuotaUnknown | None = None
    problem: ClaudegptError | None = None
    try:
        quota, unknown = ask_quota(provider)
        check_account(provider, settings, flags, quota)
        provider, _ = assembly.backend(settings)  # with the list of models as it is now
    except ClaudegptError as failure:
        problem = failure
    return AccountReport(
        provider=provider,
        credential=provider.credential,
        tokens=provider.login.read() if provider.login else None,
        quota=quota,
        quota_unknown=unknown,
        lessons=recall(settings.dirs.cache, provider),
        problem=problem,
    )


def ask_quota(provider: Provider) -> tuple[Quota | None, QuotaUnknown | None]:
    """What is left of the plan, or why that is unknown. Neither for an account without a plan."""
    try:
        return (fetch_quota(provider) if provider.usage_url else None), None
    except QuotaUnknown as problem:
        return None, problem


def check_account(provider: Provider, settings: Settings, flags: Mapping[str, str], quota: Quota | None = None) -> None:
    """Send the cheapest request that proves the account: for its models, else a tiny turn. A known `quota` proves it
    too if the server has no list of models. Raises what the proxy would raise."""
    try:
        if provider.models_url:
            model_list.refresh_now(provider, settings.dirs.cache)
            return
    except NoList:
        if quota:
            return
    from ..setup.trial import play_turn, start_trial

    with start_trial(flags) as trial:
        play_turn(trial, "haiku")


# Show.


def _report_rows(report: AccountReport, now: float) -> Iterator[tuple[str, str]]:
    provider, tokens = report.provider, report.tokens
    yield "provider", plain(f"{provider.name}: {provider.label}")
    if tokens:
        yield "account", plain(tokens.email or tokens.account_id or "unknown")
    if report.plan:
        yield "plan", plain(plan_name(report.plan))
    yield "credential", plain(from_home(report.credential))
    if tokens and (end := read_moment(tokens.expires_at)):
        renewed = "" if isinstance(report.problem, NotLoggedIn) else "; renewed automatically"
        yield "token", f"{'expired' if end <= now else 'expires'} {format_moment(end, now)}{renewed}"
    yield "server", f"{plain(urlsplit(provider.url).netloc)} {_describe_answer(report.problem)}"
    for tier in TIERS:
        model = _tier_model(provider, tier)
        yield tier, plain(f"{model.name}, {_format_window(provider, model)} tokens{_format_notes(report, model)}")
    if report.quota:
        yield from quota_rows(report.quota, now)
    elif report.quota_unknown:
        yield "quota", f"unknown: {plain(report.quota_unknown.message)}"


def quota_rows(quota: Quota, now: float) -> Iterator[tuple[str, str]]:
    for window in quota.windows:
        yield plain(window.name), bar(window, now)
    if quota.credits:
        yield "credits", plain(quota.credits)


def _describe_answer(problem: ClaudegptError | None) -> str:
    if problem is None:
        return "[green]answers[/green]"
    if isinstance(problem, BadSetting):
        return "[red]was not contacted[/red]"
    refused = isinstance(problem, NotLoggedIn | Forbidden)
    return f"[red]{'refuses this account' if refused else 'does not answer correctly'}[/red]"


def bar(window: Window, now: float) -> str:
    """█████░░░░░ 40% used, resets on Tue 24 Nov at 14:05. Rich markup."""
    signs = marks(sys.stdout)
    full = min(BAR, round(BAR * window.used_percent / 100))
    colour = "green" if window.used_percent < 70 else "yellow" if window.used_percent < 90 else "red"
    reset = window.next_reset(now)
    resets = f", resets {format_moment(reset, now)}" if reset else ""
    return f"[{colour}]{signs.full * full}[/{colour}]{signs.empty * (BAR - full)} {window.used_percent:g}% used{resets}"


def _tier_model(provider: Provider, tier: Tier) -> Model:
    return provider.model(provider.split_effort(provider.tiers.model(tier))[0])


def _format_window(provider: Provider, model: Model) -> str:
    shown = format_number(model.window)
    return f"{shown} (assumed)" if provider.is_assumed(model) else shown


def _format_notes(report: AccountReport, model: Model) -> str:
    return "".join(f"; {words}" for words in describe_capabilities(report.lessons.get(model.id) or Capabilities()))


def _model_row(provider: Provider, name: str, learnt: Capabilities) -> tuple[str, str, str, str, str]:
    model = provider.model(provider.split_effort(name)[0])
    levels = learnt.efforts or model.efforts
    efforts = "" if levels == EFFORTS else " ".join(levels)
    tiers = [tier for tier in TIERS if provider.tiers.model(tier) == name]
    notes = describe_capabilities(replace(learnt, efforts=None))
    return name, _format_window(provider, model), efforts, " ".join(tiers), "; ".join(notes)


def _listed_model_object(provider: Provider, name: str, learnt: Capabilities) -> dict[str, Any]:
    model = provider.model(provider.split_effort(name)[0])
    return {
        "id": name,
        "name": model.name,
        "window": model.window,
        "window_assumed": provider.is_assumed(model),
        "efforts": list(learnt.efforts or model.efforts),
        "tiers": [tier for tier in TIERS if provider.tiers.model(tier) == name],
        "notes": describe_capabilities(replace(learnt, efforts=None)),
    }


def _report_object(report: AccountReport) -> dict[str, Any]:
    provider, tokens = report.provider, report.tokens
    return {
        "ok": report.problem is None,
        "error": str(report.problem) if report.problem else None,
        "provider": provider.name,
        "label": provider.label,
        "url": provider.url,
        "account": {"email": tokens.email, "id": tokens.account_id} if tokens else None,
        "plan": report.plan,
        "credential": report.credential,
        "expires_at": _format_iso(read_moment(tokens.expires_at)) if tokens else None,
        "models": {tier: _model_object(report, _tier_model(provider, tier)) for tier in TIERS},
        **quota_object(report.quota),
        "quota_unknown": report.quota_unknown.message if report.quota_unknown else None,
    }


def _model_object(report: AccountReport, model: Model) -> dict[str, Any]:
    learnt = report.lessons.get(model.id) or Capabilities()
    return {
        "id": model.id,
        "name": model.name,
        "window": model.window,
        "efforts": list(learnt.efforts or model.efforts),
        "encrypted_reasoning": learnt.encrypted_reasoning,
        "web_search": learnt.web_search,
    }


def quota_object(quota: Quota | None) -> dict[str, Any]:
    limits = [
        {
            "name": window.name,
            "seconds": window.seconds,
            "used_percent": window.used_percent,
            "resets_at": _format_iso(window.resets_at),
        }
        for window in (quota.windows if quota else ())
    ]
    return {"limits": limits, "credits": quota.credits if quota else None}


def _format_iso(seconds: float | None) -> str | None:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds is not None else None
