"""The wizard's choice of a model for each tier: from the account's own list, where it has one.

listed = fetch_list(provider, cache, asker, must_answer=True)
choose_model("opus", now, listed, provider, asker)      # "gpt-6-astra", or None for whichever is the newest
"""

from __future__ import annotations

from pathlib import Path

from ..accounts import model_list
from ..accounts.model_list import Catalog, NoList
from ..accounts.providers.base import Provider
from ..accounts.providers.openai import NEWEST
from ..errors import NotLoggedIn, UpstreamFailed
from ..models import Model, Tier, split_effort
from ..records.spending import short
from ..terminal.console import say
from ..terminal.questions import Asker, Choice, needed

BY_NAME = "?"  # instead of a model's name: one that is typed
FOLLOW = ""  # no setting: the newest model, whichever that is
TIER_NAMES: dict[Tier, str] = {
    "opus": "opus, the large model",
    "sonnet": "sonnet, the middle one",
    "haiku": "haiku, the small and quick one",
}
# How the vendor calls the sizes of its models, which is how their newest is told (catalog.py).
SIZES: dict[Tier, tuple[str, ...]] = {"opus": ("sol",), "sonnet": ("terra",), "haiku": ("luna",)}


def fetch_list(provider: Provider, cache: Path, asker: Asker, *, must_answer: bool) -> Catalog:
    """The list as it is now, as it was last seen where there is none to be had, or an empty one.

    Where its server `must_answer`, raises NotLoggedIn when the account is refused, UpstreamFailed when it cannot be
    reached.
    """
    try:
        with asker.working("Asking for the account's models"), model_list.new_client() as client:
            return model_list.refresh_now(client, provider, cache)
    except (NotLoggedIn, UpstreamFailed) as problem:
        if must_answer and not isinstance(problem, NoList):
            raise
        say(problem.message)
        return model_list.cached(cache, str(provider.models_url), provider.account) or Catalog(())


def choose_model(tier: Tier, now: str | None, listed: Catalog, provider: Provider, asker: Asker) -> str | None:
    """Its name, or None for whichever is the newest: a new one is used when it comes out. `now`: what is set."""
    question, flag = f"Model for {TIER_NAMES[tier]}", f"--{tier}"
    newest = model_list.tiers(listed.offered, NEWEST).model(tier)
    if not listed.offered:
        typed = asker.text(question, default=now or newest, judge=needed, flag=flag)
        return typed if typed != newest else None
    follows = newest == model_list.newest_of(listed.offered, *SIZES[tier])
    choices = [Choice(FOLLOW, f"The newest (now {provider.model(newest).name})")] * follows
    choices += [Choice(model.id, title(model)) for model in listed.offered]
    if now and split_effort(now)[0] not in listed.models:
        now = None  # another account's
    elif now and now not in [choice.value for choice in choices]:
        choices.append(Choice(now, now))
    choices.append(Choice(BY_NAME, "Another, by its name"))
    chosen = asker.choose(question, choices, default=now or (FOLLOW if follows else newest), flag=flag)
    if chosen == BY_NAME:
        chosen = asker.text("Its name", default=now or "", judge=needed, flag=flag)
    return chosen or None


def title(model: Model) -> str:
    return f"{model.name} · {short(model.window)} tokens · {model.efforts[0]} to {model.efforts[-1]}"
