"""`claudegpt serve` runs the proxy alone; `claudegpt env` prints what a client of a running one needs.

A running `serve` keeps a private file in the state folder with its address, token and variables, named for its process.
`env` reads the newest one whose proxy answers. With `serve --stable` the port and the token are saved in the data
folder and are the same each time; a port or a token in the settings wins.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..assembly import Chain, connect
from ..claude import launcher
from ..claude.session import PROXIES, SessionOptions, plan_session
from ..claude.user_settings import SILENCED, UserSettings
from ..errors import BadSetting, ClaudegptError
from ..files import UNWRITABLE_HINT, replace_file
from ..formats import format_number
from ..models import TIERS
from ..secret import register_secret
from ..server import bind
from ..settings.options import PORT, TOKEN
from ..settings.settings import Dirs, Settings, load
from ..terminal.console import result, result_json, say, say_soon

STABLE = "serve.json"  # in the data folder: {"port": 8787, "token": "…"}
RUNNING = "serve"  # in the state folder: a folder with one file for each running `serve`
CONNECT_SECONDS = 0.5
ONLY_OURS = ("CLAUDE_CODE_RESUME_HINT_COMMAND",)  # right only for the sessions that claudegpt starts


class NotRunning(ClaudegptError):
    """There is no running `serve` to ask about."""


@dataclass(frozen=True)
class Running:
    """One running `serve`. `models`: {tier: {"id", "name", "window"}}. `variables`: the environment of a client."""

    pid: int
    started: float  # seconds since 1970
    url: str
    token: str
    provider: str
    label: str
    models: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, str]


# serve


def run_proxy(flags: Mapping[str, str], *, stable: bool) -> None:
    """Serve until somebody ends the process. Prints the variables of a client to stdout, the rest to stderr."""
    settings = load(flags, serving=True)
    settings.check()
    if stable:
        settings = load({**flags, **_stable_flags(settings)}, serving=True)
    chain = connect(settings, log=say_soon)
    running = _describe(chain)
    with _listing(settings.dirs, running) as add:

        def ready() -> None:
            add()
            for line in shell_lines(running.variables, {}):
                result(line)
            for sentence in _explain(running):
                say(sentence)

        launcher.serve(chain.sites, ready=ready)


def _describe(chain: Chain) -> Running:
    provider = chain.provider
    models = {tier: provider.model(provider.split_effort(provider.tiers.model(tier))[0]) for tier in TIERS}
    return Running(
        pid=os.getpid(),
        started=time.time(),
        url=chain.url,
        token=chain.token.reveal(),
        provider=provider.name,
        label=provider.label,
        models={tier: {"id": each.id, "name": each.name, "window": each.window} for tier, each in models.items()},
        variables=_client_variables(chain, os.environ),
    )


def _client_variables(chain: Chain, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with which a plain `claude` uses this proxy as a session of claudegpt does: address, token,
    models, windows, and the switch that has auto mode ask a model instead of Anthropic's servers."""
    proxies = {name: environ[name] for name in (*PROXIES, "NO_PROXY", "no_proxy") if environ.get(name)}
    session = plan_session(
        (),
        provider=chain.provider,
        url=chain.url,
        token=chain.token,
        environ=proxies,
        user=UserSettings(),
        options=SessionOptions(),
    )
    variables = {name: value for name, value in session.settings["env"].items() if value and name not in ONLY_OURS}
    return {**variables, "ANTHROPIC_MODEL": session.settings["model"]}


def _explain(running: Running) -> Iterator[str]:
    models = ", ".join(
        f"{tier} {each['name']} ({format_number(each['window'])})" for tier, each in running.models.items()
    )
    yield f"The proxy is running at {running.url} on {running.label}. Ctrl-C ends it."
    yield f"Models: {models}."
    yield 'In another shell, run eval "$(claudegpt env)", then claude. For VS Code, see `claudegpt env --vscode`.'


def _stable_flags(settings: Settings) -> dict[str, str]:
    """The port and the token of the last `--stable`, or new ones, saved; only those that the settings leave open."""
    file = settings.dirs.data / STABLE
    saved = _read_object(file)
    port, token = saved.get("port"), saved.get("token")
    if not (isinstance(port, int) and 0 < port < 65_536 and isinstance(token, str) and token.isascii() and token):
        listener = bind("127.0.0.1", 0)
        port, token = listener.getsockname()[1], secrets.token_urlsafe(32)
        listener.close()
        try:
            replace_file(file, json.dumps({"port": port, "token": token}))
        except OSError as problem:
            raise BadSetting(f"Cannot write {file}: {problem.strerror}.", UNWRITABLE_HINT) from None
    written = {PORT.name: settings.written_text(PORT), TOKEN.name: settings.written_text(TOKEN)}
    return {name: value for name, value in {PORT.name: str(port), TOKEN.name: token}.items() if not written[name]}


@contextmanager
def _listing(dirs: Dirs, running: Running) -> Iterator[Any]:
    """Yields a function that adds this process to the list of running ones; the entry is removed on leaving."""
    file = dirs.state / RUNNING / f"{running.pid}.json"

    def add() -> None:
        with suppress(OSError):  # without the entry, `env` does not find this proxy; it serves all the same
            replace_file(file, json.dumps(asdict(running)))

    try:
        yield add
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


# env


def show_env(dirs: Dirs, form: str, port: int | None) -> None:
    """Print the variables of a client in `form`: "shell", "json" or "vscode". Raises NotRunning."""
    running = _find_running(dirs, port)
    register_secret(running.token)
    if form == "json":
        result_json(asdict(running))
    elif form == "vscode":
        result_json(
            {
                "claudeCode.environmentVariables": [
                    {"name": name, "value": value} for name, value in running.variables.items()
                ],
                "claudeCode.disableLoginPrompt": True,
            }
        )
    else:
        for line in shell_lines(running.variables, os.environ):
            result(line)


def shell_lines(variables: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    """Lines for a POSIX shell. What `environ` has that would send Claude Code elsewhere is unset."""
    for name, value in variables.items():
        yield f"export {name}={shlex.quote(value)}"
    for name in SILENCED:
        if environ.get(name):
            yield f"unset {name}"


def _find_running(dirs: Dirs, port: int | None = None) -> Running:
    """The newest running `serve` whose proxy answers, on this port if one is given. Raises NotRunning."""
    for running in sorted(_read_running(dirs), key=lambda each: -each.started):
        if port in (None, urlsplit(running.url).port):
            return running
    where = f" on port {port}" if port else ""
    raise NotRunning(f"No `claudegpt serve` is running{where}.", "Run it in another terminal first.")


def _read_running(dirs: Dirs) -> Iterator[Running]:
    folder = dirs.state / RUNNING
    try:
        files = list(folder.glob("*.json"))
    except OSError:
        return
    for file in files:
        found = _read_object(file)
        try:
            running = Running(**found)
        except TypeError:  # of another version of claudegpt, or not whole
            continue
        if _answers(running.url):
            yield running
        elif not _is_alive(running.pid):
            with suppress(OSError):
                file.unlink()


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _read_object(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
