"""Run Claude Code through the proxy, from the settings to the last line on the terminal.

    run_claude(program, args, settings, environ)     # returns Claude Code's own exit status

While Claude Code's interface has the screen, notices are shown within it, or after it ends.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..assembly import connect
from ..claude import install, launcher
from ..claude.announcements import Notice, add_announcement, find_notices, remember_shown, select_unshown
from ..claude.arguments import value_of
from ..claude.config_folder import config_folder
from ..claude.saved_model import DefaultModel, read_saved_model, saved_model_file
from ..claude.session import SessionOptions, plan_session, prints
from ..claude.user_settings import SETTINGS, read_user_settings
from ..files import chmod_command
from ..records.session_usage import last_line
from ..settings.effort import effort_policy
from ..settings.options import MCP_SERVERS, STATUS_LINE, TOOL_SEARCH
from ..settings.settings import Settings
from ..terminal import console
from .update_check import find_update_notices, start_update_check
from .welcome import welcome_notices

JSON_FORMATS = ("json", "stream-json")  # what Claude Code prints then has Claude's prices and windows in it


def run_claude(
    program: Path,
    args: Sequence[str],
    settings: Settings,
    environ: Mapping[str, str],
    *,
    interpreter: Sequence[str] = (),
) -> int:
    """Raises ClaudegptError if the session cannot start. `interpreter` runs `program` if that is a script."""
    terminal, later = sys.stdin.isatty() and sys.stdout.isatty(), list[str]()
    interface = terminal and not prints(args)
    chain = connect(settings, later.append if interface else console.say, args=args, environ=environ)
    memory, config = settings.dirs.state, config_folder(environ)
    picks = saved_model_file(memory, chain.provider)
    user = read_user_settings(args, config, Path(), saved_model=read_saved_model(config / SETTINGS, picks))
    session = plan_session(
        args,
        provider=chain.provider,
        url=chain.url,
        token=chain.token,
        environ=environ,
        user=user,
        options=session_options(settings),
        version=install.version_on_disk(program),
    )
    exposed = [
        Notice(f"Others can read {file}. Run `{chmod_command(file)}`.") for file in settings.find_exposed_files()
    ]
    found = [
        *(welcome_notices(chain.provider, session) if interface else ()),
        *exposed,
        *(Notice(warning) for warning in chain.provider.warnings),
        *find_notices(args, session, chain.provider, program=program, terminal=terminal),
        *(find_update_notices(settings, program) if interface else ()),
    ]
    shown = select_unshown(found, memory)
    announcing = add_announcement(session, shown, user) if interface else None
    if not announcing:
        _say_each(notice.sentence for notice in shown)
    default = DefaultModel(config / SETTINGS, picks, session.settings["model"])
    status = launcher.run_session(
        program,
        announcing or session,
        chain.sites,
        runs=memory / "run",
        default=default,
        session_usage=chain.session_usage,
        interpreter=interpreter,
    )
    # A session without a model ended at the trust question, before the notices were shown.
    if chain.session_usage.models_seen or not announcing:
        remember_shown(shown, memory)
    if interface:
        start_update_check(settings, chain.provider.url, environ)
    _say_each(later)
    line = last_line(chain.session_usage, metered=chain.provider.metered)
    if line and prints(args) and value_of("--output-format", args) in JSON_FORMATS:
        console.say(f"total_cost_usd and contextWindow in the JSON are Claude Code's guesses. This run: {line}")
    elif line and sys.stderr.isatty():
        console.say(line)
    return status


def session_options(settings: Settings) -> SessionOptions:
    """What Claude Code is told of our settings."""
    return SessionOptions(
        tool_search=settings[TOOL_SEARCH],
        status_line=status_line_command() if settings[STATUS_LINE] else None,
        waits_for_servers=bool(settings[MCP_SERVERS]),
        effort=effort_policy(settings),
    )


def status_line_command() -> str:
    """The command that prints our status line: a Python that imports almost nothing, so that it starts quickly."""
    program = Path(__file__).parents[1] / "claude" / "status_line_command.py"
    return shlex.join([sys.executable, "-I", "-S", str(program)])


def _say_each(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        console.say(sentence)
