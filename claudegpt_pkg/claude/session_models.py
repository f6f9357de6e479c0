"""Which models a session has, and how Claude Code hears about them: variables, windows, rows of the model picker. Pure.

tier_variables(provider)                     # {"ANTHROPIC_DEFAULT_OPUS_MODEL": "gpt-6.1-sol", …}
window_variables(provider, chosen, variables)    # the window that conversations are compacted before
picker_rows(provider, chosen, behaves_as)    # the rows of `/model`
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..accounts.providers.base import Provider
from ..formats import format_number
from ..models import TIERS, Model, bare_name, claude_tier

# Names that Claude Code knows for no model of its own, besides the tiers.
DEFAULT_NAME = "default"  # `--model default`. A settings file must not hold it: Claude Code takes it for a model's name
MODEL_ALIASES = {DEFAULT_NAME, "best", "opusplan"}
# For versions in EITHER_UNKNOWN_OR_SMALL with `-p`: each model stands for one of these, and its name ends in the mark.
LARGE_WINDOW_MARK = "[1m]"
_STAND_INS = ("claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6", "claude-sonnet-4-6")
# 2.1.310 writes a warning to stderr if the window is larger.
LARGEST_COMPACTION_WINDOW = 1_000_000
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([km]?)")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}


def session_models(provider: Provider, chosen: str) -> dict[str, Model]:
    """The models of this session by the name that Claude Code uses: each tier's, and one that the user named."""
    names = [provider.tiers.model(tier) for tier in TIERS]
    if names_own_model(chosen):
        names.append(bare_name(chosen))
    return {name: provider.model(provider.split_effort(name)[0]) for name in names}


def names_own_model(chosen: str) -> bool:
    """Whether the user named a model of the account, and not a tier or one of Claude Code's own names."""
    return not claude_tier(bare_name(chosen)) and bare_name(chosen) not in MODEL_ALIASES


def is_offered(provider: Provider, name: str) -> bool:
    """Whether a name needs nobody's word: it is a tier, a Claude model, or a model that the account lists."""
    own = {*provider.offered, *(provider.tiers.model(tier) for tier in TIERS)}
    return not names_own_model(name) or bare_name(name) in own or provider.split_effort(bare_name(name))[0] in own


def tier_variables(provider: Provider, mark: str = "") -> dict[str, str]:
    """The variables that name each tier's model, and what `/model` shows for it."""
    variables = {}
    for tier in TIERS:
        variable = f"ANTHROPIC_DEFAULT_{tier.upper()}_MODEL"
        variables[variable] = provider.tiers.model(tier) + mark
        variables[f"{variable}_NAME"] = model_label(provider, provider.tiers.model(tier))
        variables[f"{variable}_DESCRIPTION"] = _tier_description(provider, tier)
    return variables


def window_variables(provider: Provider, chosen: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The smallest window among the session's models, so that none overflows; or a smaller one of the user's.

    `variables` are the user's. Both variables are needed: MAX_CONTEXT_TOKENS alone does not trigger compaction under
    `-p`, and AUTO_COMPACT_WINDOW alone is capped at 200,000.
    """
    window = min(model.window for model in session_models(provider, chosen).values())
    wanted = _parse_tokens(variables.get("CLAUDE_CODE_AUTO_COMPACT_WINDOW", ""))
    compact = min(window, wanted or window, LARGEST_COMPACTION_WINDOW)
    return {"CLAUDE_CODE_MAX_CONTEXT_TOKENS": str(window), "CLAUDE_CODE_AUTO_COMPACT_WINDOW": str(compact)}


def describe_small_window(provider: Provider, chosen: str) -> str:
    """A sentence for the user if the session's model has a larger window than the session; else nothing."""
    smallest = min(session_models(provider, chosen).items(), key=lambda item: item[1].window)
    tier = claude_tier(bare_name(chosen))
    name = provider.tiers.model(tier) if tier else bare_name(chosen)
    window = provider.model(provider.split_effort(name)[0]).window
    if name in MODEL_ALIASES or window <= smallest[1].window:
        return ""
    smallest_name, smallest_window = model_label(provider, smallest[0]), format_number(smallest[1].window)
    return (
        f"Conversations are compacted before {smallest_window} tokens, the window of {smallest_name}, so that every "
        f"tier can go on with them. {model_label(provider, name)} alone has {format_number(window)}."
    )


def picker_rows(provider: Provider, chosen: str, behaves_as: str | None) -> list[dict[str, str]]:
    """A row for each model: the tiers' first, then the account's others.

    A row also makes its model known to newer versions, which ends their warnings.
    """
    known = {"behavesAs": behaves_as} if behaves_as else {}
    return [
        {"model": name, "label": model_label(provider, name), "description": text, **known}
        for name, text in {
            **dict.fromkeys([*session_models(provider, chosen), *provider.offered], provider.label),
            **{provider.tiers.model(tier): _tier_description(provider, tier) for tier in reversed(TIERS)},
        }.items()
    ]


def stand_ins(provider: Provider, chosen: str) -> dict[str, str]:
    """A Claude model for each of the session's models to stand for (`modelOverrides`)."""
    return dict(zip(_STAND_INS, session_models(provider, chosen), strict=False))


def model_label(provider: Provider, name: str) -> str:
    """gpt-6.1-sol-xhigh → GPT-6.1 Sol (xhigh)"""
    model, effort = provider.split_effort(name)
    shown = provider.model(model).name
    return f"{shown} ({effort})" if effort else shown


def _tier_description(provider: Provider, tier: str) -> str:
    return f"{tier} tier · {provider.label}"


def _parse_tokens(size: str) -> int:
    """A size as newer versions take it: 200000, 200k or 1m. 0 for anything else."""
    match = _SIZE.fullmatch(size.strip().lower())
    return int(float(match[1]) * _UNITS[match[2]]) if match else 0
