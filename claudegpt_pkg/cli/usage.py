"""`claudegpt usage`: the tokens used and their cost today, in the last 7 and the last 30 days, by model and account.

The numbers come from the usage log of this machine (records/usage_log.py). Days begin at local midnight; today is one
of the 7 and one of the 30. For a ChatGPT plan the quota is shown too, from the account's server, as `status` shows it.
If that server does not answer, an error line says so, and the usage is shown all the same.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import ClaudegptError
from ..formats import format_dollars, format_number
from ..records.spending import Spent
from ..records.usage_log import read_entries
from ..settings.settings import Settings, load
from ..terminal.console import result, result_json, result_rows, result_table, say

if TYPE_CHECKING:
    from ..accounts.quota import Quota

PERIODS = {"today": 1, "last 7 days": 7, "last 30 days": 30}
COLUMNS = ("", "model", "account", "turns", "tokens in", "cached", "out", "list price")
NUMBERS = ("turns", "tokens in", "cached", "out", "list price")
SPARE = ("cached", "turns", "out")  # left out, in this order, if the terminal is too narrow


@dataclass(frozen=True)
class Source:
    """A model of an account. `metered`: tokens are paid for; otherwise a plan includes them."""

    provider: str
    metered: bool
    model: str


Sums = dict[Source, Spent]


def show_usage(flags: Mapping[str, str], *, as_json: bool) -> None:
    """Raises BadSetting if the log cannot be read."""
    settings, today = load(flags), date.today()
    days = _usage_by_day(settings)
    firsts = {name: today - timedelta(count - 1) for name, count in PERIODS.items()}
    sums = {name: _usage_since(days, first) for name, first in firsts.items()}
    plan = _fetch_plan_quota(settings)
    if as_json:
        result_json(_usage_object(sums, min(days, default=None), plan))
        return
    if days:
        result_table(
            COLUMNS,
            [row for name, each in sums.items() for row in _period_rows(name, each)],
            numbers=NUMBERS,
            spare=SPARE,
        )
    if not days:
        say("No usage yet. Each answer is counted from now on.")
    elif min(days) > min(firsts.values()) and sys.stdout.isatty():
        say(f"Counting began on {min(days):%a %d %b %Y}.")
    if plan:
        _show_quota(plan)


# Add up.


def _usage_by_day(settings: Settings) -> dict[date, Sums]:
    """The usage of each day in the log."""
    days: dict[date, Sums] = {}
    for use in read_entries(settings.dirs.state):
        _add_usage(
            days.setdefault(date.fromtimestamp(use.at), {}), Source(use.provider, use.metered, use.model), use.spent
        )
    return days


def _usage_since(days: Mapping[date, Sums], first: date) -> Sums:
    """The usage from the morning of `first` on, the source with most tokens first."""
    sums: Sums = {}
    for day, each in days.items():
        if day >= first:
            for source, spent in each.items():
                _add_usage(sums, source, spent)
    return dict(sorted(sums.items(), key=lambda entry: -entry[1].tokens_in))


def _add_usage(sums: Sums, source: Source, spent: Spent) -> None:
    sums[source] = sums.get(source, Spent()) + spent


def _paid_for(sums: Sums) -> Spent:
    """The usage that is paid for by the token."""
    return sum((spent for source, spent in sums.items() if source.metered), Spent())


# Quota.


def _fetch_plan_quota(settings: Settings) -> Quota | None:
    from .. import assembly
    from ..accounts.provider_table import chosen_kind
    from ..accounts.quota import fetch_quota

    kind = chosen_kind(settings)
    if kind is None or not kind.has_quota:
        return None
    try:
        provider, _ = assembly.backend(settings)
        return fetch_quota(provider) if provider.usage_url else None
    except ClaudegptError as problem:
        say(str(problem))
        return None


def _show_quota(plan: Quota) -> None:
    from .status import quota_rows

    if sys.stdout.isatty():
        result("")
    result_rows(quota_rows(plan, time.time()))


# Show.


def _period_rows(period: str, sums: Sums) -> Iterator[tuple[str, ...]]:
    """A row for each source, then one for all unless there is only one. For a program no number is shortened."""
    person = sys.stdout.isatty()
    for source, spent in sums.items():
        yield (
            period,
            source.model,
            source.provider,
            *_format_counts(spent, person),
            _format_cost({source: spent}, person),
        )
        period = "" if person else period
    if len(sums) != 1:
        yield period, "all", "", *_format_counts(sum(sums.values(), Spent()), person), _format_cost(sums, person)


def _format_counts(spent: Spent, person: bool) -> tuple[str, str, str, str]:
    if not person:
        return str(spent.turns), str(spent.tokens_in), f"{spent.hit_rate:.2f}", str(spent.tokens_out)
    return str(spent.turns), format_number(spent.tokens_in), f"{spent.hit_rate:.0%}", format_number(spent.tokens_out)


def _format_cost(sums: Sums, person: bool) -> str:
    """$0.42, "on your plan", "$0.42 + plan", or "unknown" if one of the prices is unknown."""
    paid = _paid_for(sums).cost
    price = "unknown" if paid is None else format_dollars(paid) if person else f"{paid:.6f}"
    metered = {source.metered for source in sums}
    if False not in metered:
        return price
    return f"{price} + plan" if True in metered else "on your plan"


def _usage_object(sums: Mapping[str, Sums], since: date | None, plan: Quota | None) -> dict[str, Any]:
    from .status import quota_object

    periods = {name.replace(" ", "_"): _period_object(each) for name, each in sums.items()}
    return {"since": since.isoformat() if since else None, **periods, **quota_object(plan)}


def _period_object(sums: Sums) -> dict[str, Any]:
    """`cost`: dollars at list price of what is not included in a plan; null if a price is unknown."""
    models = [
        {**asdict(source), **asdict(spent), "cost": _paid_for({source: spent}).cost} for source, spent in sums.items()
    ]
    return {**asdict(sum(sums.values(), Spent())), "cost": _paid_for(sums).cost, "models": models}
