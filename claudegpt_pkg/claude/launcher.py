"""Runs Claude Code in the foreground and the proxy beside it, in this process. When one ends, so does the other.

The order: the sockets are bound, Claude Code is started, and only then the proxy is loaded, while Claude Code boots.
Its first requests wait in the socket's backlog.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from ..errors import BadSetting, ClaudegptError
from ..files import UNWRITABLE_HINT
from ..records.session_usage import SessionUsage
from ..server import Server, Site, serving
from .foreground import WAKE, end, hold_signals, spawn, wait
from .guardian import SECRETS, run_folder
from .saved_model import NOTE, DefaultModel, make_note, note_switch, restore_default
from .session import Session


def run_session(
    claude: Path,
    session: Session,
    sites: Sequence[Site],
    *,
    runs: Path,
    default: DefaultModel,
    session_usage: SessionUsage,
    interpreter: Sequence[str] = (),
) -> int:
    """Run Claude Code and return its exit status.

    This run's private folder is made in `runs`. `default` is restored afterwards. `interpreter` runs `claude` if
    that is a script. If a site fails, Claude Code is ended and the site's error is raised.
    """
    with run_folder(runs, default.settings_file) as (folder, guardian), ExitStack() as stack:
        settings_file = private_file(folder / SECRETS, json.dumps(session.settings))
        private_file(folder / NOTE, make_note(default, runs).decode())
        session_usage.on_switch = lambda: note_switch(folder)
        stack.callback(lambda: restore_default(folder, default.settings_file))
        held = hold_signals()
        program, *script = [*interpreter, str(claude)]
        child = spawn(Path(program), [*script, "--settings", str(settings_file), *session.args], session.env, held)
        try:
            guardian.watch(child)
            servers = [stack.enter_context(serving(site.make_app, site.listener, died=_wake)) for site in sites]
        except BaseException:
            end(child)
            raise
        status = wait(child, held, broken=lambda: _failure(servers))
        if failure := _failure(servers):
            raise failure
        return status


def private_file(path: Path, text: str) -> Path:
    """Write a new file that only this user can read. Raises BadSetting if that fails."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        raise BadSetting(f"Cannot write in {path.parent}: {problem.strerror}.", UNWRITABLE_HINT) from None
    return path


def serve(sites: Sequence[Site], *, ready: Callable[[], None]) -> None:
    """Serve the sites without Claude Code, until a signal ends this process. Raises the error of a site that fails."""
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    waited = {number for number in ending if signal.getsignal(number) is not signal.SIG_IGN}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    try:
        with ExitStack() as stack:
            servers = [stack.enter_context(serving(site.make_app, site.listener, died=_end_us)) for site in sites]
            for server in servers:
                server.ready()
            ready()
            signal.sigwait(waited)
            if failure := _failure(servers):
                raise failure
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _failure(servers: Sequence[Server]) -> ClaudegptError | None:
    return next((server.failure for server in servers if server.failure), None)


def _wake() -> None:
    os.kill(os.getpid(), WAKE)


def _end_us() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
