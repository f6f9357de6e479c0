"""Decides the arguments, environment and settings file that Claude Code is started with. Pure.

Claude Code reads its environment from two places: the process, and `env` in its settings files, which beats the process
(an old `ANTHROPIC_BASE_URL` there would redirect the session). `--settings FILE` beats both. So a variable that must
hold goes into the process and into a settings file of ours. A variable that the user may replace goes into the process
only, if the user has not set it. An empty value in our file undoes a value of the user's, an `apiKeyHelper` too (seen
with 2.1.197 and 2.1.330).

Which value may come from which file stands in user_settings.py, what differs between versions in versions.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..accounts.providers.base import Provider
from ..effort import EffortPolicy
from ..models import bare_name, claude_tier
from ..secret import Secret
from .arguments import has_flag, remove_option, replace_option, value_of
from .nesting import STARTED, mark_exports
from .session_models import (
    DEFAULT_NAME,
    LARGE_WINDOW_MARK,
    describe_small_window,
    is_offered,
    names_own_model,
    picker_rows,
    session_models,
    stand_ins,
    tier_variables,
    window_variables,
)
from .user_settings import SILENCED, UserSettings, find_redirects, merge
from .versions import (
    EITHER_UNKNOWN_OR_SMALL,
    Situation,
    Version,
    fold_habits,
    knows_effort,
    newest_known_model,
)

STARTING_TIER = "opus"
MODEL_VARIABLE = "ANTHROPIC_MODEL"
EFFORT_VARIABLE = "CLAUDE_CODE_EFFORT_LEVEL"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True)
class SessionOptions:
    """Our own settings, as far as Claude Code is told about them."""

    tool_search: bool = True
    status_line: str | None = None  # the command that prints our status line
    waits_for_servers: bool = False  # the first request must have the tools of the user's MCP servers
    effort: EffortPolicy = field(default_factory=EffortPolicy)


@dataclass(frozen=True)
class Session:
    """How to start Claude Code: `settings` becomes a file, which `--settings` names in front of `args`."""

    args: list[str]
    env: dict[str, str]
    settings: dict[str, Any]
    set_aside: list[str]  # the names in the settings files that would have redirected the session
    mode: str | None = None  # the permission mode that the user chose
    small_window: str = ""  # a sentence, if the session's model has a larger window than the session


def plan_session(
    args: Sequence[str],
    *,
    provider: Provider,
    url: str,
    token: Secret,
    environ: Mapping[str, str],
    user: UserSettings,
    options: SessionOptions,
    version: Version = (),
) -> Session:
    """`url` and `token` are those of the proxy; `version` is Claude Code's, if it is known."""
    chosen, mode = _choose_model(args, environ, user, provider), _choose_mode(args, user)
    theirs = {**environ, **user.variables}
    args = _add_effort(args, options.effort, chosen, {**environ, **user.all_variables}, user)
    between = version in EITHER_UNKNOWN_OR_SMALL
    mark = LARGE_WINDOW_MARK if between and prints(args) else ""
    chosen += mark if names_own_model(chosen) else ""
    situation = Situation(
        prints=prints(args),
        is_bare=is_bare(args, theirs),
        mode=mode,
        names_effort=value_of("--effort", args) is not None,
        waits_for_servers=options.waits_for_servers,
    )
    habits = fold_habits(version, situation, own=user.own, merged=user.merged)
    ours = {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": token.reveal(),
        **_model_variable(chosen, environ, user),
        "ENABLE_TOOL_SEARCH": "true" if options.tool_search else "false",
        **habits.environment,
        **tier_variables(provider, mark),
        **window_variables(provider, chosen, theirs),
        **_bypass_http_proxy(url, environ, user),
    }
    behaves_as = newest_known_model(version) if not between or prints(args) else None
    settings = {
        "env": {**dict.fromkeys(SILENCED, ""), STARTED: "", **ours},
        # The model stands here and in no variable, because newer versions mention the variable at every pick in /model.
        "model": chosen,
        "modelPicker": {"options": picker_rows(provider, chosen, behaves_as), "replaceBuiltInOptions": True},
        **habits.settings,
        **_mode_settings(args, mode, user),
        **_allowed_models(provider, chosen, user),
        **({"modelOverrides": stand_ins(provider, chosen)} if mark else {}),
        **_status_line(options, user),
    }
    kept = {name: value for name, value in environ.items() if name not in SILENCED}
    return Session(
        args=_rewrite_arguments(_drop_unknown_effort(version, args), chosen),
        env=mark_exports({**habits.defaults, **kept, **ours}, environ),
        settings=merge(user.argument, settings),
        set_aside=find_redirects(user.merged),
        mode=mode,
        small_window=describe_small_window(provider, chosen),
    )


def prints(args: Sequence[str]) -> bool:
    """Whether Claude Code answers and ends, without its interface."""
    return has_flag("-p", args) or has_flag("--print", args)


# What the user chose.


def _choose_model(args: Sequence[str], environ: Mapping[str, str], user: UserSettings, provider: Provider) -> str:
    """The model that the user chose, looked for in Claude Code's order; else the starting tier.

    A Claude model that was saved for plain `claude` becomes its tier. Under its own name Claude Code would show that
    model, with its window and its abilities. A project's files may only name a model that needs nobody's word.
    """
    project = user.project_model if user.project_model and is_offered(provider, user.project_model) else None
    name = value_of("--model", args) or user.variables.get(MODEL_VARIABLE) or environ.get(MODEL_VARIABLE)
    wanted = bare_name(name or project or user.model or DEFAULT_NAME)
    return STARTING_TIER if wanted == DEFAULT_NAME else claude_tier(wanted) or wanted


def _model_variable(chosen: str, environ: Mapping[str, str], user: UserSettings) -> dict[str, str]:
    """The variable beats `model` in our file: if anybody sets it, we set it too."""
    anybody = {**environ, **user.all_variables}
    return {MODEL_VARIABLE: chosen} if anybody.get(MODEL_VARIABLE) else {}


def _choose_mode(args: Sequence[str], user: UserSettings) -> str | None:
    """The permission mode that the user chose."""
    return _mode_argument(args) or user.permission_mode


def _mode_argument(args: Sequence[str]) -> str | None:
    if has_flag("--dangerously-skip-permissions", args):
        return "bypassPermissions"
    return value_of("--permission-mode", args)


def _mode_settings(args: Sequence[str], mode: str | None, user: UserSettings) -> dict[str, Any]:
    """The user's own mode, if a project's file would replace it by one that a project may not choose."""
    if _mode_argument(args) or not user.project_mode_refused:
        return {}
    return {"permissions": {"defaultMode": mode or "default"}}


def is_bare(args: Sequence[str], variables: Mapping[str, str]) -> bool:
    """Whether Claude Code runs without the user's configuration; it then takes no credential but an API key."""
    return has_flag("--bare", args) or variables.get("CLAUDE_CODE_SIMPLE", "").lower() in ("1", "true", "yes", "on")


def _add_effort(
    args: Sequence[str],
    policy: EffortPolicy,
    chosen: str,
    variables: Mapping[str, str],
    user: UserSettings,
) -> Sequence[str]:
    """Add `--effort` with the level of our settings, if the user has not chosen a level for Claude Code."""
    own = value_of("--effort", args) or variables.get(EFFORT_VARIABLE) or user.merged.get("effortLevel")
    level = policy.for_claude_code(claude_tier(bare_name(chosen)), user_chose=bool(own))
    return ["--effort", level, *args] if level else args


# What Claude Code is started with.


def _drop_unknown_effort(version: Version, args: Sequence[str]) -> Sequence[str]:
    """The arguments without an effort that this version would refuse. The proxy applies it to the requests anyway."""
    return args if knows_effort(version, value_of("--effort", args) or "") else remove_option("--effort", args)


def _rewrite_arguments(args: Sequence[str], chosen: str) -> list[str]:
    """The user's arguments, without `--settings`, which our file replaces, and with the model as we name it."""
    words = remove_option("--settings", args)
    return words if value_of("--model", words) in (None, chosen) else replace_option("--model", chosen, words)


def _bypass_http_proxy(url: str, environ: Mapping[str, str], user: UserSettings) -> dict[str, str]:
    """NO_PROXY with our address, if anybody sets an HTTP proxy: Claude Code would send it loopback addresses too."""
    anybody = {**environ, **user.all_variables}
    if not any(anybody.get(name) for name in PROXIES):
        return {}
    own = {**environ, **user.variables}
    hosts = [part for part in (own.get("NO_PROXY") or own.get("no_proxy") or "").split(",") if part.strip()]
    value = ",".join([*hosts, urlsplit(url).hostname or ""])
    return {"NO_PROXY": value, "no_proxy": value}


def _allowed_models(provider: Provider, chosen: str, user: UserSettings) -> dict[str, list[str]]:
    """Our models, if some settings file restricts the models. Claude Code joins the lists of all files."""
    if not isinstance(user.merged.get("availableModels"), list):
        return {}
    given = user.argument.get("availableModels") or []
    return {"availableModels": [*given, *session_models(provider, chosen), *provider.offered]}


def _status_line(options: SessionOptions, user: UserSettings) -> dict[str, Any]:
    """Our status line; or the user's own script, run by ours so that its numbers are right. Not a project's."""
    theirs, own = user.merged.get("statusLine"), user.own.get("statusLine")
    if not options.status_line:
        return {}
    if not theirs:
        return {"statusLine": {"type": "command", "command": options.status_line, "padding": 0}}
    if theirs == own and isinstance(own, dict) and isinstance(own.get("command"), str):
        return {"statusLine": {**own, "command": f"{options.status_line} --run {shlex.quote(own['command'])}"}}
    return {}
