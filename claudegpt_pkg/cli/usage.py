"""`claudegpt usage`: what was spent today, in the last 7 and the last 30 days, by model and account.

It is counted here, answer by answer, as the usage log has it (usage_log.py); days begin at local midnight, and today is
one of the 7 and of the 30. What is left of a ChatGPT plan only its server knows: it is asked, as `status` does. If it
does not answer that is said, and what was counted is shown all the same.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import ClaudegptError
from ..records.spending import Spent, dollars, short
from ..records.usage_log import read
from ..settings.options import PROVIDER
from ..settings.settings import Settings, load
from ..terminal.console import result, result_json, result_rows, result_table, say

if TYPE_CHECKING:
    from .status import Usage

PERIODS = {"today": 1, "last 7 days": 7, "last 30 days": 30}
PLANS = ("chatgpt", "codex")  # their server may say what is left
COLUMNS = ("", "model", "account", "turns", "tokens in", "cached", "out", "list price")
NUMBERS = ("turns", "tokens in", "cached", "out", "list price")


@dataclass(frozen=True)
class Source:
    """A model of an account; `metered` where each token has its price, else a plan covers them."""

    provider: str
    metered: bool
    model: str


Sums = dict[Source, Spent]


def show_usage(flags: Mapping[str, str], *, as_json: bool) -> None:
    """Raises BadSetting where the log cannot be read."""
    settings, today = load(flags), date.today()
    days = by_day(settings)
    firsts = {name: today - timedelta(count - 1) for name, count in PERIODS.items()}
    sums = {name: since(days, first) for name, first in firsts.items()}
    plan = left_of_plan(settings)
    if as_json:
        result_json(as_object(sums, min(days, default=None), plan))
        return
    if days:
        result_table(COLUMNS, [row for name, each in sums.items() for row in rows(name, each)], numbers=NUMBERS)
    if not days:
        say("Nothing is counted yet: each answer will be.")
    elif min(days) > min(firsts.values()) and sys.stdout.isatty():
        say(f"Counted since {min(days):%a %d %b %Y}.")
    if plan:
        show_plan(plan)


# Adding up.


def by_day(settings: Settings) -> dict[date, Sums]:
    """What was used on each day of which the log still knows something."""
    days: dict[date, Sums] = {}
    for use in read(settings.dirs.state):
        add(days.setdefault(date.fromtimestamp(use.at), {}), Source(use.provider, use.metered, use.model), use.spent)
    return days


def since(days: Mapping[date, Sums], first: date) -> Sums:
    """What was used from the morning of `first` on; what took most tokens comes first."""
    sums: Sums = {}
    for day, each in days.items():
        if day >= first:
            for source, spent in each.items():
                add(sums, source, spent)
    return dict(sorted(sums.items(), key=lambda entry: -entry[1].tokens_in))


def add(sums: Sums, source: Source, spent: Spent) -> None:
    sums[source] = sums.get(source, Spent()) + spent


def priced(sums: Sums) -> Spent:
    """What has to be paid for by the token."""
    return sum((spent for source, spent in sums.items() if source.metered), Spent())


# What is left.


def left_of_plan(settings: Settings) -> Usage | None:
    if settings[PROVIDER] not in PLANS:
        return None
    from .. import assembly
    from ..accounts import model_list
    from .status import ask_usage

    try:
        provider, _ = assembly.backend(settings)
        with model_list.new_client() as client:
            return ask_usage(client, provider) if provider.usage_url else None
    except ClaudegptError as problem:
        say(str(problem))
        return None


def show_plan(plan: Usage) -> None:
    from .status import left_rows

    if sys.stdout.isatty():
        result("")
    result_rows(left_rows(plan, time.time()))


# Showing.


def rows(period: str, sums: Sums) -> Iterator[tuple[str, ...]]:
    """One of each source, and one of all unless there is just one. For a program nothing is shortened."""
    person = sys.stdout.isatty()
    for source, spent in sums.items():
        yield period, source.model, source.provider, *counts(spent, person), cost({source: spent}, person)
        period = "" if person else period
    if len(sums) != 1:
        yield period, "all", "", *counts(sum(sums.values(), Spent()), person), cost(sums, person)


def counts(spent: Spent, person: bool) -> tuple[str, str, str, str]:
    if not person:
        return str(spent.turns), str(spent.tokens_in), f"{spent.hit_rate:.2f}", str(spent.tokens_out)
    return str(spent.turns), short(spent.tokens_in), f"{spent.hit_rate:.0%}", short(spent.tokens_out)


def cost(sums: Sums, person: bool) -> str:
    """$0.42; on your plan; $0.42 + plan; not known, where one of the prices is not."""
    paid = priced(sums).cost
    told = "not known" if paid is None else dollars(paid) if person else f"{paid:.6f}"
    metered = {source.metered for source in sums}
    if False not in metered:
        return told
    return f"{told} + plan" if True in metered else "on your plan"


def as_object(sums: Mapping[str, Sums], since: date | None, plan: Usage | None) -> dict[str, Any]:
    from .status import left_object

    periods = {name.replace(" ", "_"): period_object(each) for name, each in sums.items()}
    return {"since": since.isoformat() if since else None, **periods, **left_object(plan)}


def period_object(sums: Sums) -> dict[str, Any]:
    """`cost`: dollars at list price of what no plan covers, null where a price is not known."""
    models = [
        {**asdict(source), **asdict(spent), "cost": priced({source: spent}).cost} for source, spent in sums.items()
    ]
    return {**asdict(sum(sums.values(), Spent())), "cost": priced(sums).cost, "models": models}
