"""`claudegpt`: take the command line apart, load the settings, call one function, pick the exit status.

What the user sees of an error is decided here and nowhere else: one line, and the status of its class; a bug of ours is
one line too, with its traceback where CLAUDEGPT_DEBUG is set. Everything that costs time to import is imported late:
the plain start must have Claude Code running in a moment.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import console
from .claude_args import CLAUDE_COMMANDS, CLAUDE_QUESTIONS, CommandLine, grouped, has, separate
from .errors import BadSetting, ClaudegptError
from .files import make_private
from .models import Tier
from .secret import without_secrets
from .settings import (
    EFFORT,
    ISOLATE,
    MCP_SERVERS,
    PROVIDER,
    REASONING_OPUS,
    REASONING_SONNET,
    STATUS_LINE,
    TOOL_SEARCH,
    Settings,
    load,
)
from .translate.effort import told_as

INTERRUPTED = 130


def main() -> None:
    open_standard_streams()
    sys.exit(run(sys.argv[1:]))


def open_standard_streams() -> None:
    """The null device for each that we were started without (`<&-`): Python has none of it then, and the next file
    opened, perhaps our socket, would take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            os.set_inheritable(number, True)  # Claude Code's too
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def run(words: Sequence[str]) -> int:
    """The exit status of `claudegpt WORDS…`; says what went wrong."""
    try:
        return dispatch(words)
    except ClaudegptError as problem:
        console.complain(str(problem))
        return problem.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # our reader has seen enough
        give_up_stdout()
        return 1
    except OSError as problem:
        if not stdout_fails():
            return own_fault(problem)
        give_up_stdout()
        console.complain(f"The output cannot be written: {problem.strerror}.")
        return 1
    except Exception as problem:  # noqa: BLE001  the one boundary: no traceback for the user
        return own_fault(problem)


def own_fault(problem: Exception) -> int:
    """To be called while it is handled."""
    if os.environ.get("CLAUDEGPT_DEBUG"):
        import traceback

        console.tell(without_secrets(traceback.format_exc()))
    console.complain(f"A bug of ours: {type(problem).__name__}: {problem} (CLAUDEGPT_DEBUG=1 shows where)")
    return 1


def stdout_fails() -> bool:
    """Whether what was written there cannot leave: a disk that is full, a terminal that is gone."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def give_up_stdout() -> None:
    """Or Python complains, and takes another exit status, when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def dispatch(words: Sequence[str]) -> int:
    line = separate(words)
    if line.question or line.command not in ("", "demo"):
        from . import commands

        return commands.answer(line)
    if line.command == "demo":
        return demo(line.theirs, line.ours)
    return claude(line.theirs, line.ours)


def demo(words: Sequence[str], flags: Mapping[str, str]) -> int:
    """`claudegpt demo [--yes] [CLAUDE ARGS…]`"""
    from . import install

    line = separate([word for group in grouped(words) if group != ["--yes"] for word in group])
    if line.question in ("-h", "--help"):
        from . import commands

        return commands.answer(CommandLine(command="demo", theirs=["--help"]))
    if line.question:
        return dispatch([line.question])
    flags = {**flags, **line.ours, PROVIDER.name: "demo"}
    install.offer_install(load(flags), yes=has("--yes", words))
    return claude(line.theirs, flags)


def claude(args: list[str], flags: Mapping[str, str]) -> int:
    """Claude Code with `args`, through the proxy; its own exit status."""
    from . import install

    needs_no_model = bool(args) and args[0] in CLAUDE_COMMANDS | CLAUDE_QUESTIONS
    settings, words = told(flags, args)
    if settings[PROVIDER] is None and not needs_no_model:
        from .wizard import first_run

        first_run(flags)
        settings, words = told(flags, args)
    args = words
    program = install.find_claude(settings)
    environ = {**environment(settings), **install.own_copy_environment(program, settings)}
    if needs_no_model:
        os.execve(program, [str(program), *args], environ)
    if has("--bg", args) or has("--background", args):
        raise BadSetting("A background session would outlive its proxy.", "Run `claudegpt` in tmux instead.")

    from . import launcher
    from .chain import connect
    from .isolation import config_folder
    from .notices import announced, notices
    from .picked import Default, picked
    from .proxy.ledger import last_line
    from .session import plan, prints
    from .user_setup import SETTINGS, read_user_setup

    # Where Claude Code has the screen, what there is to say is said there, or waits for its end.
    terminal, later = sys.stdin.isatty() and sys.stdout.isatty(), list[str]()
    interface = terminal and not prints(args)
    chain = connect(settings, later.append if interface else console.say)
    memory, config = settings.dirs.state, config_folder(environ)
    user = read_user_setup(args, config, Path(), picked=picked(config / SETTINGS, memory))
    session = plan(
        args,
        provider=chain.provider,
        url=chain.url,
        token=chain.token,
        environ=environ,
        user=user,
        tool_search=settings[TOOL_SEARCH],
        status_line=status_line() if settings[STATUS_LINE] else None,
        version=install.version_on_disk(program),
        mcp_first=bool(settings[MCP_SERVERS]),
        efforts=efforts(settings),
    )
    said = [f"others can read {file}: run `{make_private(file)}`" for file in settings.exposed()]
    said += list(notices(args, session, chain.provider, program=program, memory=memory, terminal=terminal))
    if interface and (announcing := announced(session, said, user)):
        session = announcing
    else:
        for sentence in said:
            console.say(sentence)
    default = Default(config / SETTINGS, memory, session.settings["model"])
    status = launcher.run(program, session, chain.sites, runs=memory / "run", default=default, ledger=chain.ledger)
    for line in later:
        console.say(line)
    if sys.stderr.isatty() and (line := last_line(chain.ledger, metered=chain.provider.metered)):
        console.say(line)
    return status


def status_line() -> str:
    """The command of our status line: a Python that loads next to nothing (status_line.py)."""
    return shlex.join([sys.executable, "-I", "-S", str(Path(__file__).with_name("status_line.py"))])


def told(flags: Mapping[str, str], args: list[str]) -> tuple[Settings, list[str]]:
    """The settings, checked, and Claude's arguments.

    `--effort` holds for every tier of this run, and is told to Claude Code, which shows it and changes it with
    `/effort`; where it does not know the level, by the name of another (translate/effort.py).
    """
    settings = load(flags)
    settings.check()
    level = settings[EFFORT] if settings.source(EFFORT) == "flag" else None
    return settings, ["--effort", told_as(level), *args] if level else args


def efforts(settings: Settings) -> dict[Tier | None, str | None]:
    """What a session is to think with at first, by its model's tier; None is any other model."""
    general = settings[EFFORT]
    levels: dict[Tier | None, str | None] = {
        "opus": settings[REASONING_OPUS] or general,
        "sonnet": settings[REASONING_SONNET] or general,
        None: general,
    }
    return {tier: level and told_as(level) for tier, level in levels.items()}


def environment(settings: Settings) -> dict[str, str]:
    """Claude Code's environment before we add to it: ours, with its configuration folder where isolation wants it."""
    if not settings[ISOLATE]:
        return dict(os.environ)
    from .isolation import private_config, private_folder

    return {**os.environ, "CLAUDE_CONFIG_DIR": str(private_config(private_folder(settings.dirs), os.environ))}
