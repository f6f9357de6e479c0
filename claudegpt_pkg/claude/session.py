"""What Claude Code is started with so that it talks to us, whatever the user's own setup says. Pure.

It reads its environment from two places: the process, and `env` in its settings files, which beats the process (an old
`ANTHROPIC_BASE_URL` there would hijack the session). `--settings FILE` beats both. So what must hold goes into the
process and into a settings file of ours; what the user may overrule goes into the process only, where theirs is absent.
Seen with 2.1.197 and 2.1.330: an empty value in our file undoes a set one in the user's, `apiKeyHelper` too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..accounts.providers.base import Provider
from ..effort import EffortPolicy
from ..models import TIERS, Model, claude_tier, plain, split_effort
from ..records.spending import short
from ..secret import Secret
from .arguments import has, replaced, value_of, without
from .user_settings import SILENCED, UserSetup, merged, redirecting
from .versions import EITHER_UNKNOWN_OR_SMALL, OLDER_INTERFACE, Version, knows_effort

FIXED = {
    # What auto mode may do, newer versions have judged by Anthropic's servers; with this they ask a model, as before.
    "CLAUDE_CODE_AUTO_MODE_SERVER": "0",
    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",  # a changing first line of the system prompt: ruins the prompt cache
    # It hands sessions to a daemon that outlives our proxy, with our address and token, and that plain Claude Code
    # would then use for its own.
    "CLAUDE_CODE_DISABLE_AGENT_VIEW": "1",
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",  # else tools can run twice after a partial stream
    # Newer versions tell a model after every result of a tool how many of 15,000,000 tokens are left: nobody's limit.
    "CLAUDE_CODE_TOTAL_TOKENS_REMINDER": "off",
    "CLAUDE_CODE_RESUME_HINT_COMMAND": "claudegpt",  # else newer versions name our settings file, gone by then
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
}
# For OLDER_INTERFACE.
OLDER = {
    "CLAUDE_CODE_DISABLE_1M_CONTEXT": "1",  # else "Default" in /model is the opus tier's model with a window of 1M
    "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",  # lists the account's other models in /model
}
# For EITHER_UNKNOWN_OR_SMALL, with `-p`: each model stands for a known one and has the mark of a large window. The
# interface, which warns nobody and would show both, has neither.
MARK = "[1m]"
KNOWN_ONES = ("claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6", "claude-sonnet-4-6")
# An hour: the proxy's own limits on silence end a request that hangs, long before.
UNLESS_CHOSEN = {"API_TIMEOUT_MS": "3600000"}
# `-p` waits for its servers then, five seconds at most; the interface never does.
MCP_FIRST = {"MCP_CONNECTION_NONBLOCKING": "0"}
STARTING_TIER = "opus"
EFFORT_VARIABLE = "CLAUDE_CODE_EFFORT_LEVEL"

DEFAULT = "default"  # for `--model`; saved as a model, it would be taken for a model's own name
MODEL_ALIASES = {DEFAULT, "best", "opusplan"}  # names of no model, beside the tiers'
# A `modelPicker` row (2.1.287+) names a known model whose client-side handling applies; this one has every feature.
BEHAVES_AS = "claude-opus-4-8"
# Bare, Claude Code takes an API key only; in the environment it would ask whether to use it, and advise against it.
KEY_HELPER = "printenv ANTHROPIC_AUTH_TOKEN"

# 2.1.310 writes a warning to stderr where it is larger.
LARGEST_COMPACTION_WINDOW = 1_000_000
SIZE = re.compile(r"(\d+(?:\.\d+)?)([km]?)")
UNITS = {"": 1, "k": 1_000, "m": 1_000_000}

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True)
class Wishes:
    """Our settings, as far as Claude Code hears of them."""

    tool_search: bool = True
    status_line: str | None = None  # the command of ours
    mcp_first: bool = False  # whether the first request is to have the tools of the user's MCP servers
    effort: EffortPolicy = field(default_factory=EffortPolicy)


@dataclass(frozen=True)
class Session:
    """How to start Claude Code: `settings` is to be a file, named in front of `args` by `--settings`."""

    args: list[str]
    env: dict[str, str]
    settings: dict[str, Any]
    set_aside: list[str]
    mode: str | None = None  # the permission mode the user asked for
    narrowed: str = ""  # says so where the session's model has a larger window than the session


def plan(
    args: Sequence[str],
    *,
    provider: Provider,
    url: str,
    token: Secret,
    environ: Mapping[str, str],
    user: UserSetup,
    wishes: Wishes,
    version: Version = (),
) -> Session:
    """`version`: Claude Code's, where known."""
    chosen, mode = chosen_model(args, environ, user), chosen_mode(args, user)
    theirs = {**environ, **user.env}
    args = add_effort(args, wishes.effort, chosen, theirs, user)
    between = version in EITHER_UNKNOWN_OR_SMALL
    mark = MARK if between and prints(args) else ""
    chosen += mark if is_own(chosen) else ""
    ours = {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": token.reveal(),
        **({"ANTHROPIC_MODEL": chosen} if theirs.get("ANTHROPIC_MODEL") else {}),  # it beats `model` in our file
        "ENABLE_TOOL_SEARCH": "true" if wishes.tool_search else "false",
        **FIXED,
        **(OLDER if version in OLDER_INTERFACE and not prints(args) else {}),
        **tier_variables(provider, mark),
        **window_variables(provider, chosen, theirs),
        **direct(url, theirs),
        **({EFFORT_VARIABLE: ""} if value_of("--effort", args) else {}),  # else that would win
    }
    kept = {name: value for name, value in environ.items() if name not in SILENCED}
    return Session(
        args=arguments(knowing(version, args), chosen),
        env={**UNLESS_CHOSEN, **(MCP_FIRST if wishes.mcp_first else {}), **kept, **ours},
        settings=merged(
            user.argument,
            {
                **settings_file(ours, provider, chosen, mode=mode, known=not between or prints(args)),
                **allowed(provider, chosen, user),
                **({"apiKeyHelper": KEY_HELPER} if is_bare(args, theirs) else {}),
                **({"modelOverrides": overrides(provider, chosen)} if mark else {}),
                **status_line(wishes, user),
                **unless_chosen(user, mode),
            },
        ),
        set_aside=redirecting(user.settings),
        mode=mode,
        narrowed=narrowed(provider, chosen),
    )


def add_effort(
    args: Sequence[str],
    policy: EffortPolicy,
    chosen: str,
    theirs: Mapping[str, str],
    user: UserSetup,
) -> Sequence[str]:
    """Add `--effort` with the level of our settings, if the user has not chosen a level for Claude Code."""
    own = value_of("--effort", args) or theirs.get(EFFORT_VARIABLE) or user.settings.get("effortLevel")
    level = policy.for_claude_code(claude_tier(plain(chosen)), user_chose=bool(own))
    return ["--effort", level, *args] if level else args


def knowing(version: Version, args: Sequence[str]) -> Sequence[str]:
    """The arguments without an effort that this version would refuse; it holds for its requests all the same."""
    return args if knows_effort(version, value_of("--effort", args) or "") else without("--effort", args)


def chosen_model(args: Sequence[str], environ: Mapping[str, str], user: UserSetup) -> str:
    """The model the user asks for, in the order Claude Code looks for it; else the starting tier's.

    A Claude model saved for plain `claude` becomes its tier: by its own name the client would show that, with that
    model's window and abilities.
    """
    name = "ANTHROPIC_MODEL"
    asked = plain(value_of("--model", args) or user.env.get(name) or environ.get(name) or user.model or DEFAULT)
    return STARTING_TIER if asked == DEFAULT else claude_tier(asked) or asked


def arguments(args: Sequence[str], chosen: str) -> list[str]:
    """The user's words, without what is in our settings file, and with the model as we have it."""
    words = without("--settings", args)
    return words if value_of("--model", words) in (None, chosen) else replaced("--model", chosen, words)


def chosen_mode(args: Sequence[str], user: UserSetup) -> str | None:
    """The permission mode the user asks for."""
    if has("--dangerously-skip-permissions", args):
        return "bypassPermissions"
    return value_of("--permission-mode", args) or user.permission_mode


def prints(args: Sequence[str]) -> bool:
    """Whether Claude Code is to answer and end, without its interface."""
    return has("-p", args) or has("--print", args)


def is_bare(args: Sequence[str], theirs: Mapping[str, str]) -> bool:
    """Whether Claude Code runs without the user's setup; then it knows of no other credential than an API key."""
    return has("--bare", args) or theirs.get("CLAUDE_CODE_SIMPLE", "").lower() in ("1", "true", "yes", "on")


def tier_variables(provider: Provider, mark: str) -> dict[str, str]:
    """Each tier's model, and what `/model` says of it."""
    variables = {}
    for tier in TIERS:
        variable = f"ANTHROPIC_DEFAULT_{tier.upper()}_MODEL"
        variables[variable] = provider.tiers.model(tier) + mark
        variables[f"{variable}_NAME"] = label(provider, provider.tiers.model(tier))
        variables[f"{variable}_DESCRIPTION"] = description(provider, tier)
    return variables


def window_variables(provider: Provider, chosen: str, theirs: Mapping[str, str]) -> dict[str, str]:
    """The smallest window that a model of this session has, so that none overflows; or one the user made smaller.

    Alone, the first does not make `-p` compact, and the second is cut to 200,000.
    """
    window = min(model.window for model in session_models(provider, chosen).values())
    wanted = tokens(theirs.get("CLAUDE_CODE_AUTO_COMPACT_WINDOW", ""))
    compact = min(window, wanted or window, LARGEST_COMPACTION_WINDOW)
    return {"CLAUDE_CODE_MAX_CONTEXT_TOKENS": str(window), "CLAUDE_CODE_AUTO_COMPACT_WINDOW": str(compact)}


def narrowed(provider: Provider, chosen: str) -> str:
    """What there is to say of the windows, where the model of the session could have more."""
    least = min(session_models(provider, chosen).items(), key=lambda item: item[1].window)
    tier = claude_tier(plain(chosen))
    name = provider.tiers.model(tier) if tier else plain(chosen)
    window = provider.model(split_effort(name)[0]).window
    if name in MODEL_ALIASES or window <= least[1].window:
        return ""
    least_name, least_window = label(provider, least[0]), short(least[1].window)
    return (
        f"conversations are compacted before {least_window} tokens, the window of {least_name}, so that every tier "
        f"can go on with them; {label(provider, name)} alone has {short(window)}."
    )


def tokens(size: str) -> int:
    """A size as newer versions take it, 200000, 200k or 1m; 0 for anything else."""
    read = SIZE.fullmatch(size.strip().lower())
    return int(float(read[1]) * UNITS[read[2]]) if read else 0


def direct(url: str, theirs: Mapping[str, str]) -> dict[str, str]:
    """Where the user has an HTTP proxy: never through it to us. Both versions would send it loopback addresses."""
    if not any(theirs.get(name) for name in PROXIES):
        return {}
    host = urlsplit(url).hostname or ""
    hosts = [part for part in (theirs.get("NO_PROXY") or theirs.get("no_proxy") or "").split(",") if part.strip()]
    value = ",".join([*hosts, host])
    return {"NO_PROXY": value, "no_proxy": value}


def settings_file(
    ours: Mapping[str, str], provider: Provider, chosen: str, *, mode: str | None, known: bool
) -> dict[str, Any]:
    """Our settings file. The model stands there and in no variable, which the newest would mention at every pick in
    `/model`. Without a mode of the user's, it is `default`: newer versions start in `auto`, where actions
    are not asked about but judged, at Anthropic by a model made for it."""
    return {
        "env": {**dict.fromkeys(SILENCED, ""), **ours},
        "apiKeyHelper": "",
        "model": chosen,
        "modelPicker": {"options": picker_rows(provider, chosen, known), "replaceBuiltInOptions": True},
        **({} if mode else {"permissions": {"defaultMode": "default"}}),
    }


def unless_chosen(user: UserSetup, mode: str | None) -> dict[str, bool]:
    """Settings of ours where the user has none. WebFetch would ask claude.ai about each domain first, and fail for
    whoever cannot reach that; plan mode would have newer versions' actions judged, as auto mode does, not asked about.
    """
    ours = {"skipWebFetchPreflight": True, **({} if mode == "auto" else {"useAutoModeDuringPlan": False})}
    return {name: value for name, value in ours.items() if name not in user.settings}


def status_line(wishes: Wishes, user: UserSetup) -> dict[str, Any]:
    """The setting for ours, where the user has none."""
    if not wishes.status_line or user.settings.get("statusLine"):
        return {}
    return {"statusLine": {"type": "command", "command": wishes.status_line, "padding": 0}}


def picker_rows(provider: Provider, chosen: str, known: bool) -> list[dict[str, str]]:
    """A row for each model, which also makes it `known` to newer versions and so ends their warnings. The account's own
    list comes after the tiers'."""
    behaves = {"behavesAs": BEHAVES_AS} if known else {}
    return [
        {"model": name, "label": label(provider, name), "description": text, **behaves}
        for name, text in {
            **dict.fromkeys([*session_models(provider, chosen), *provider.offered], provider.label),
            **{provider.tiers.model(tier): description(provider, tier) for tier in reversed(TIERS)},
        }.items()
    ]


def allowed(provider: Provider, chosen: str, user: UserSetup) -> dict[str, list[str]]:
    """Our models beside those that the user's settings allow; Claude Code puts the lists of all files together."""
    if not isinstance(user.settings.get("availableModels"), list):
        return {}
    given = user.argument.get("availableModels") or []
    return {"availableModels": [*given, *session_models(provider, chosen), *provider.offered]}


def overrides(provider: Provider, chosen: str) -> dict[str, str]:
    """A Claude model for each of this session's to stand for."""
    return dict(zip(KNOWN_ONES, session_models(provider, chosen), strict=False))


def session_models(provider: Provider, chosen: str) -> dict[str, Model]:
    """The models of this session by the name the client uses: the tiers', and one the user named."""
    names = [provider.tiers.model(tier) for tier in TIERS]
    if is_own(chosen):
        names.append(plain(chosen))
    return {name: provider.model(split_effort(name)[0]) for name in names}


def is_own(chosen: str) -> bool:
    """Whether the user named one of the account's models, not a tier or a name of Claude Code's own."""
    return not claude_tier(plain(chosen)) and plain(chosen) not in MODEL_ALIASES


def label(provider: Provider, name: str) -> str:
    """gpt-6.1-sol-xhigh → GPT-6.1 Sol (xhigh)"""
    model, effort = split_effort(name)
    shown = provider.model(model).name
    return f"{shown} ({effort})" if effort else shown


def description(provider: Provider, tier: str) -> str:
    return f"{tier} tier · {provider.label}"
