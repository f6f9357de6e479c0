"""The name that a client asks for → the tier → the model that serves it. Pure: no settings, no network, no clock.

    tiers = Tiers(opus="gpt-6.1-sol", sonnet="gpt-6.1-terra", haiku="gpt-6-luna")
    choose_model("claude-opus-4-8[1m]", tiers)   → ModelChoice(tier="opus", model="gpt-6.1-sol", effort=None)
    choose_model("gpt-6.1-sol-xhigh", tiers)     → ModelChoice(tier="opus", model="gpt-6.1-sol", effort="xhigh")

The table at the end holds what was known on its date. The account's own list of models beats it, and no model is
refused because the table lacks it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Tier = Literal["opus", "sonnet", "haiku"]
TIERS: tuple[Tier, ...] = ("opus", "sonnet", "haiku")

# The reasoning levels, from least to most.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FAMILY_TIER: dict[str, Tier] = {"opus": "opus", "fable": "opus", "mythos": "opus", "sonnet": "sonnet", "haiku": "haiku"}
# Claude Code's "From gateway" list holds only names that begin with `claude`.
LISTED = "claudegpt/"
ALIASES = {"gpt-5.3": "gpt-5.3-codex"}
# Only OpenAI's names end in an effort level: qwen3-max is a model of another maker.
_EFFORT_SUFFIX = re.compile(rf"((?:.*/)?(?:gpt-|o\d|codex).*)-({'|'.join(EFFORTS)})")

# Names of OpenAI's own models, also as gateways list them (`openai/gpt-6-sol`).
_OPENAI_NAME = re.compile(r"(?:.*/)?(?:gpt-\d|gpt-oss|chatgpt-|codex-|o\d(?:-|$))")


@dataclass(frozen=True)
class Tiers:
    """The model of each tier. `literal`: the user made the names up (deployments), so none ends in an effort level."""

    opus: str
    sonnet: str
    haiku: str
    literal: bool = False

    def model(self, tier: Tier) -> str:
        models: dict[Tier, str] = {"opus": self.opus, "sonnet": self.sonnet, "haiku": self.haiku}
        return models[tier]

    def tier_of(self, model: str) -> Tier | None:
        """The highest tier that `model` serves, or None."""
        return next((tier for tier in TIERS if self.model(tier) == model), None)


@dataclass(frozen=True)
class ModelChoice:
    """The model that serves a request. `tier` is None if the model is of no tier; `effort` is the name's suffix."""

    tier: Tier | None
    model: str
    effort: str | None = None


@dataclass(frozen=True)
class Model:
    """What is known of a model: window in tokens, effort levels from least to most, list price in $ per million."""

    id: str
    window: int
    efforts: tuple[str, ...] = EFFORTS
    price: tuple[float, float, float] | None = None  # input, cached input, output
    cache_retention: str | None = None  # to ask for; without it, models before 5.6 keep a prompt for minutes only

    def cost(self, tokens_in: int, cached: int, tokens_out: int) -> float | None:
        """Dollars of one request at list price, None if that is not known; `cached` is a part of `tokens_in`."""
        if self.price is None:
            return None
        fresh, from_cache, out = self.price
        dearer_in, dearer_out = LONG_PROMPT_FACTORS if tokens_in > LONG_PROMPT else (1.0, 1.0)
        paid_in = ((tokens_in - cached) * fresh + cached * from_cache) * dearer_in
        return (paid_in + tokens_out * out * dearer_out) / 1e6

    @property
    def name(self) -> str:
        """The model as people write it: gpt-6.1-sol → GPT-6.1 Sol."""
        family, _, rest = self.id.partition("-")
        number, _, words = rest.partition("-")
        if family != "gpt" or not number:
            return self.id
        return " ".join([f"GPT-{number}", *(word.capitalize() for word in words.split("-") if word)])

    @property
    def maker(self) -> str | None:
        """Who made it; None if its name does not say: a deployment or a local model may have any name."""
        return "OpenAI" if _OPENAI_NAME.match(self.id) else None


def choose_model(
    requested: str, tiers: Tiers, passthrough: bool | None = None, *, listed: Collection[str] = ()
) -> ModelChoice:
    """The model that serves the name a client asked for. Never refuses one.

    `passthrough` is PASSTHROUGH_MODE: None maps Claude's names and lets others through, True lets all through,
    False gives every unknown name the sonnet tier's model. `listed`: names in the account's own list of models.
    """
    name = bare_name(requested)
    if passthrough is True:
        return ModelChoice(tiers.tier_of(name), name)
    if tier := tiers.tier_of(name) or claude_tier(name):
        return choose_for_tier(tier, tiers, listed=listed)
    model, effort = (name, None) if tiers.literal else split_effort(name, listed)
    model = ALIASES.get(model, model)
    tier = tiers.tier_of(model)
    if tier is None and passthrough is False:
        return choose_for_tier("sonnet", tiers, listed=listed)
    return ModelChoice(tier, model, effort)


def choose_for_tier(tier: Tier, tiers: Tiers, *, listed: Collection[str] = ()) -> ModelChoice:
    """A tier's model. Its name may end in an effort level too."""
    if tiers.literal:
        return ModelChoice(tier, tiers.model(tier))
    model, effort = split_effort(tiers.model(tier), listed)
    return ModelChoice(tier, ALIASES.get(model, model), effort)


def bare_name(name: str) -> str:
    """A model's name without the marks that only the client needs."""
    return name.removesuffix("[1m]").removeprefix(LISTED)


def claude_tier(name: str) -> Tier | None:
    """The tier of one of Claude's names or bare families; sonnet for an unknown `claude-*`; None for other names."""
    lower = name.lower()
    words = re.split(r"[^a-z]+", lower)
    if not (lower in FAMILY_TIER or "claude" in words):
        return None
    return next((FAMILY_TIER[word] for word in words if word in FAMILY_TIER), "sonnet")


def split_effort(model: str, listed: Collection[str] = ()) -> tuple[str, str | None]:
    """gpt-6-sol-high → (gpt-6-sol, high). A name that the account lists, or a model is called by, stays whole."""
    match = _EFFORT_SUFFIX.fullmatch(model)
    if not match or model in listed or model in KNOWN or model.endswith("-codex-max"):
        return model, None
    return match[1], match[2]


def nearest_effort(wanted: str, available: tuple[str, ...]) -> str:
    """The level itself, else the nearest one below it that the model has, else the model's lowest."""
    rank = EFFORTS.index(wanted)
    below = [level for level in available if EFFORTS.index(level) <= rank]
    return below[-1] if below else available[0]


def lower_effort(first: str, second: str) -> str:
    return min(first, second, key=EFFORTS.index)


def known_model(model: str) -> Model:
    """The built-in table's entry; for a model that it lacks, what is true of most models: all efforts, 272k."""
    return KNOWN.get(model) or Model(model, UNKNOWN_WINDOW)


# Recorded November 2026: windows and prices of the OpenAI API, effort levels of the Codex CLI 0.169.0's bundled list.
UNKNOWN_WINDOW = 272_000
API_WINDOW = 1_050_000
LONG_PROMPT = 272_000  # input tokens of one request above which all of it costs more
LONG_PROMPT_FACTORS = (2.0, 1.5)  # input, output
LOW_TO_MAX = ("low", "medium", "high", "xhigh", "max")
LOW_TO_XHIGH = ("low", "medium", "high", "xhigh")
NONE_TO_XHIGH = ("none", "low", "medium", "high", "xhigh")
A_DAY = "24h"
KNOWN: dict[str, Model] = {
    model.id: model
    for model in (
        Model("gpt-6.1-sol", API_WINDOW, LOW_TO_MAX, (2, 0.10, 10)),
        Model("gpt-6.1-terra", API_WINDOW, LOW_TO_MAX, (1, 0.05, 5)),
        Model("gpt-6-astra", API_WINDOW, LOW_TO_MAX, (10, 1, 50)),
        Model("gpt-6-sol", API_WINDOW, LOW_TO_MAX, (2, 0.20, 10)),
        Model("gpt-6-luna", API_WINDOW, LOW_TO_MAX, (0.10, 0.01, 0.50)),
        Model("gpt-5.6-sol", API_WINDOW, LOW_TO_MAX, (4, 0.4, 20)),
        Model("gpt-5.6-terra", API_WINDOW, LOW_TO_MAX, (2, 0.2, 12)),
        Model("gpt-5.6-luna", API_WINDOW, LOW_TO_MAX, (0.2, 0.02, 1.2)),
        Model("gpt-5.5", API_WINDOW, LOW_TO_XHIGH, (5, 0.5, 30), A_DAY),
        Model("gpt-5.4", API_WINDOW, NONE_TO_XHIGH, (2.5, 0.25, 15), A_DAY),
        Model("gpt-5.4-mini", 400_000, NONE_TO_XHIGH, (0.75, 0.075, 4.5), A_DAY),
        Model("gpt-5.4-nano", 400_000, NONE_TO_XHIGH, (0.2, 0.02, 1.25), A_DAY),
    )
}
