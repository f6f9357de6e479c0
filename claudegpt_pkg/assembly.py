"""Puts the settings, the account, the sockets and the proxy together: the chain from Claude Code to a model.

The sockets are bound at once. The proxy's app is imported and built later, in the thread that serves it, while Claude
Code starts.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import files
from .accounts.provider_table import chosen_kind
from .accounts.providers.base import Provider
from .errors import BadSetting
from .records.session_usage import SessionUsage
from .secret import Secret
from .server import Site, bind, url_of
from .settings.options import (
    HOST,
    ISOLATE,
    MCP_SERVERS,
    PORT,
    TOKEN,
)
from .settings.settings import Dirs, Settings
from .settings.values import is_loopback
from .terminal import console

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from .proxy.mcp_tools import McpTools

LEAST_TOKEN = 16  # characters that the token must have if other machines can try to guess it


@dataclass(frozen=True)
class Chain:
    """`sites[0]` is the proxy, at `url`; the others are servers that it needs. It counts in `session_usage`."""

    provider: Provider
    url: str
    token: Secret
    sites: list[Site]
    session_usage: SessionUsage


def connect(
    settings: Settings,
    say: Callable[[str], None] = console.say,
    *,
    args: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    log: Callable[[str], None] | None = None,
) -> Chain:
    """Bind the sockets of the proxy and of what it needs. `say` is called with what the user must know while it serves.

    `args` and `environ` are Claude Code's. `log` takes a line for each request. Raises BadSetting, or what the provider
    raises.
    """
    host, token = settings[HOST], settings[TOKEN]
    if not is_loopback(host):
        _check_token(host, token)
    close_folders(settings.dirs, say)
    provider, sites = backend(settings)
    token = token or Secret(secrets.token_urlsafe(32))
    listener, session_usage = bind(host, settings[PORT]), SessionUsage()

    def proxy() -> Starlette:
        from .proxy.app import create_app

        mcp = mcp_tools(settings, say, args, environ)
        return create_app(settings, provider, token=token, session_usage=session_usage, mcp=mcp, log=log)

    return Chain(provider, url_of(listener), token, [Site(proxy, listener), *sites], session_usage)


def close_folders(dirs: Dirs, say: Callable[[str], None]) -> None:
    """Close claudegpt's own folders to other users of the machine, as new ones are from the start; say which cannot be.

    The folder that CLAUDEGPT_HOME names is the user's own choice: others may read it, but not write in it.
    """
    closing = dict.fromkeys((dirs.config, dirs.data, dirs.state, dirs.cache), files.FOR_OTHERS)
    parents = {folder.parent for folder in closing}
    if len(parents) == 1:
        closing[parents.pop()] = files.WRITABLE_FOR_OTHERS
    for folder, permissions in closing.items():
        if problem := files.close_to_others(folder, permissions):
            say(f"{folder} is open to other users of this machine, and that cannot be changed: {problem.strerror}.")


def _check_token(host: str, token: Secret | None) -> None:
    """Raises BadSetting unless the token keeps strangers out of a proxy that the network can reach."""
    hint = f'Make one: export {TOKEN.name}="$(openssl rand -hex 24)".'
    if token is None:
        raise BadSetting(f"Other machines can reach {host}, so the proxy needs a token there.", hint)
    if len(token.reveal()) < LEAST_TOKEN:
        raise BadSetting(
            f"Other machines can reach {host}, so {TOKEN.name} must have {LEAST_TOKEN} characters or more.",
            hint,
        )


def mcp_tools(
    settings: Settings, say: Callable[[str], None], args: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> McpTools | None:
    """The tools of the servers that PROXY_MCP_SERVERS names, of those that Claude Code connects in this folder."""
    wanted: tuple[str, ...] = settings[MCP_SERVERS]
    if not wanted:
        return None
    from .claude.config_folder import config_folder, private_folder, read_state
    from .claude.mcp_servers import find_mcp_servers
    from .claude.session import is_bare
    from .claude.user_settings import read_user_settings
    from .proxy.mcp_tools import McpTools

    if environ is None:
        isolated = {"CLAUDE_CONFIG_DIR": str(private_folder(settings.dirs))} if settings[ISOLATE] else {}
        environ = {**os.environ, **isolated}
    folder = Path.cwd()
    user = read_user_settings(args, config_folder(environ), folder)
    bare = is_bare(args, {**environ, **user.variables})
    found = find_mcp_servers(args, read_state(environ), folder, user, bare=bare)
    return McpTools(found.servers, wanted, say, refused=found.refused)


def backend(settings: Settings) -> tuple[Provider, list[Site]]:
    """The provider that the settings name, and the servers that it needs."""
    from .accounts import model_list

    kind = chosen_kind(settings)
    if kind is None:
        raise no_account()
    if kind.make is None:
        return _connect_demo(settings)
    provider = kind.make(settings)
    if kind.wants_list(settings) and model_list.take_first_look(provider, settings.dirs.cache):
        provider = kind.make(settings)
    return provider, []


def no_account() -> BadSetting:
    return BadSetting(
        "No account is set up.",
        "Run `claudegpt setup` (without a terminal `claudegpt setup --provider openai --api-key-stdin <FILE`, or "
        "chatgpt, codex, azure, demo), or try `claudegpt demo`.",
    )


def _connect_demo(settings: Settings) -> tuple[Provider, list[Site]]:
    from .accounts.providers.demo import demo

    key = Secret(secrets.token_urlsafe(32))

    def server() -> Starlette:
        from .demo.server import create_app

        return create_app(key=key.reveal())

    listener = bind("127.0.0.1", 0)
    return demo(url_of(listener), key), [Site(server, listener)]
