"""Ask which models an account should use: one question, from the account's own list if it has one.

listed = fetch_list(provider, cache, asker, must_answer=True)
ask_models(talk, provider, listed, OPENAI_TIERS)     # adds an answer for each tier

The newest models are preselected, and a new one is then used as soon as it comes out. A server with models of other
names is asked about one model for all tiers. "Choose each" asks for every tier.
"""

from __future__ import annotations

from pathlib import Path

from ..accounts import model_list
from ..accounts.model_list import ModelList, NoList
from ..accounts.provider_table import TierOptions
from ..accounts.providers.base import Provider
from ..accounts.providers.openai import NEWEST
from ..errors import BadSetting, NotLoggedIn, UpstreamFailed
from ..formats import format_number
from ..models import TIERS, Model, Tier, Tiers, split_effort
from ..settings.options import Option
from ..terminal.console import say
from ..terminal.questions import Asker, Choice
from .conversation import Answers, Conversation, shorten_title
from .validators import judge_model

BY_NAME = "?"  # in place of a model's name: the user types one
FOLLOW = ""  # no setting: whichever model is the newest
NOW = "="  # the models that are set now
EACH = "*"  # a question for each tier
QUESTION = "Which model should Claude Code use?"
TIER_NAMES: dict[Tier, str] = {
    "opus": "opus, the large model",
    "sonnet": "sonnet, the middle one",
    "haiku": "haiku, the small and quick one",
}
# The vendor's names of its models' sizes, by which the newest of each size is found (accounts/model_list.py).
SIZES: dict[Tier, tuple[str, ...]] = {"opus": ("sol",), "sonnet": ("terra",), "haiku": ("luna",)}
SMALL_WINDOW = 64_000  # tokens; Claude Code's own instructions and tools take about 20,000 of them


def fetch_list(provider: Provider, cache: Path, asker: Asker, *, must_answer: bool) -> ModelList:
    """The account's list of models as its server has it now; else the saved one; else an empty one.

    With `must_answer`, raises NotLoggedIn if the server refuses the account, UpstreamFailed if it does not answer.
    """
    try:
        with asker.working("Fetching the account's list of models"):
            return model_list.refresh_now(provider, cache)
    except (NotLoggedIn, UpstreamFailed) as problem:
        if must_answer and not isinstance(problem, NoList):
            raise
        say(problem.message)
        return model_list.read_cached(cache, str(provider.models_url), provider.account) or ModelList(())


def ask_models(talk: Conversation, provider: Provider, listed: ModelList, options: TierOptions) -> None:
    """Add an answer for each tier: a model's name, or None for the newest."""
    given = {tier: talk.given.models.get(tier) for tier in options}
    for tier, name in given.items():
        if name and (problem := judge_model(name)):
            raise BadSetting(f"--{tier}: {problem}")
    now: dict[Tier, str | None] = {tier: _current(talk, options[tier], listed) for tier in options}
    newest = model_list.newest_tiers(listed.offered, NEWEST)
    asked = [tier for tier in options if not given[tier]]
    if not asked:
        chosen: dict[Tier, str | None] = given
    elif len(asked) < len(options) or not listed.offered:
        chosen = {
            tier: given[tier] or ask_tier(tier, now[tier], listed, provider, talk.asker, newest) for tier in options
        }
    else:
        chosen = _ask_once(talk, provider, listed, now, newest)
    talk.answers |= {options[tier].name: chosen[tier] for tier in options}
    _warn_about_windows(provider, talk.answers, options, newest)


def _current(talk: Conversation, option: Option[str | None], listed: ModelList) -> str | None:
    """The model that is set for a tier, unless it is another account's."""
    now = talk.settings[option]
    return None if now and listed.offered and split_effort(now, listed.models)[0] not in listed.models else now


def _ask_once(
    talk: Conversation, provider: Provider, listed: ModelList, now: dict[Tier, str | None], newest: Tiers
) -> dict[Tier, str | None]:
    """One question for all tiers, with "choose each" as the way to three."""
    choices = []
    follows = {tier: newest.model(tier) == model_list.find_newest(listed.offered, *SIZES[tier]) for tier in TIERS}
    usual: dict[Tier, str | None] = {tier: None if follows[tier] else newest.model(tier) for tier in TIERS}
    changed = any(now.values()) and now != usual
    if changed:
        names = _join_names(provider, [now[tier] or newest.model(tier) for tier in TIERS])
        choices.append(Choice(NOW, shorten_title(f"As now: {names}")))
    if any(follows.values()):
        names = _join_names(provider, [newest.model(tier) for tier in TIERS])
        choices.append(Choice(FOLLOW, shorten_title(f"The newest: {names}")))
    else:  # models of other names: one of them for all tiers
        choices += [Choice(model.id, describe_model(provider, model)) for model in listed.offered]
        choices.append(Choice(BY_NAME, "Another, by its name"))
    choices.append(Choice(EACH, "Choose each: opus, sonnet and haiku"))
    default = NOW if changed else choices[0].value
    chosen = talk.asker.choose(QUESTION, choices, default=default, flag="--opus, --sonnet and --haiku")
    if chosen == NOW:
        return now
    if chosen == FOLLOW:
        return usual
    if chosen == EACH:
        return {tier: ask_tier(tier, now[tier], listed, provider, talk.asker, newest) for tier in TIERS}
    if chosen == BY_NAME:
        chosen = talk.asker.text("The model's name", judge=judge_model, flag="--opus")
    return dict.fromkeys(TIERS, chosen)


def ask_tier(
    tier: Tier, now: str | None, listed: ModelList, provider: Provider, asker: Asker, newest: Tiers
) -> str | None:
    """The name of one tier's model, or None for the newest. `now`: the one that is set."""
    question, flag = f"Model for {TIER_NAMES[tier]}", f"--{tier}"
    if not listed.offered:
        typed = asker.text(question, default=now or newest.model(tier), judge=judge_model, flag=flag)
        return typed if typed != newest.model(tier) else None
    follows = newest.model(tier) == model_list.find_newest(listed.offered, *SIZES[tier])
    choices = [Choice(FOLLOW, f"The newest (now {provider.model(newest.model(tier)).name})")] * follows
    choices += [Choice(model.id, describe_model(provider, model)) for model in listed.offered]
    if now and now not in [choice.value for choice in choices]:
        choices.append(Choice(now, now))
    choices.append(Choice(BY_NAME, "Another, by its name"))
    usual = FOLLOW if follows else newest.model(tier)
    chosen = asker.choose(question, choices, default=now or usual, flag=flag)
    if chosen == BY_NAME:
        chosen = asker.text("The model's name", default=now or "", judge=judge_model, flag=flag)
    return chosen or None


def describe_model(provider: Provider, model: Model) -> str:
    """GPT-6.1 Sol · 272k tokens · efforts low to max; "(assumed)" if nobody has told."""
    facts = f"{format_number(model.window)} tokens"
    if provider.is_assumed(model):
        return shorten_title(f"{model.name} · {facts} (assumed)")
    return shorten_title(f"{model.name} · {facts} · efforts {model.efforts[0]} to {model.efforts[-1]}")


def _warn_about_windows(provider: Provider, answers: Answers, options: TierOptions, newest: Tiers) -> None:
    """Say which of the chosen models have too small a window for Claude Code."""
    names = dict.fromkeys(answers.get(options[tier].name) or newest.model(tier) for tier in options)
    for name in names:
        model = provider.model(split_effort(name)[0])
        if model.window < SMALL_WINDOW:
            say(
                f"{model.name} has a window of {format_number(model.window)} tokens. Claude Code works badly below "
                f"{format_number(SMALL_WINDOW)}: conversations are compacted all the time. Choose a larger one if you "
                "can."
            )
        elif provider.is_assumed(model) and not provider.tiers.literal:
            say(
                f"The window of {model.name} is not known; {format_number(model.window)} tokens are assumed. If it is "
                f"another, run `claudegpt config set window {name}=TOKENS`."
            )


def _join_names(provider: Provider, names: list[str]) -> str:
    return ", ".join(dict.fromkeys(provider.model(name).name for name in names))
