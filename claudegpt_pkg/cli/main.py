"""`claudegpt`: take the command line apart, load the settings, call one function, pick the exit status.

What the user sees of an error is decided here and nowhere else: one line, and the status of its class; a bug of ours is
one line too, with its traceback where CLAUDEGPT_DEBUG is set. Everything that costs time to import is imported late:
the plain start must have Claude Code running in a moment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from ..claude.arguments import CLAUDE_COMMANDS, CLAUDE_QUESTIONS, CommandLine, grouped, has, resumed, separate
from ..errors import BadSetting, ClaudegptError
from ..secret import without_secrets
from ..settings.options import ISOLATE, PROVIDER
from ..settings.settings import Settings, load
from ..terminal import console

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
        from . import app

        return app.answer(line)
    if line.command == "demo":
        return demo(line.theirs, line.ours)
    return claude(line.theirs, line.ours)


def demo(words: Sequence[str], flags: Mapping[str, str]) -> int:
    """`claudegpt demo [--yes] [CLAUDE ARGS…]`"""
    from ..claude import install

    line = separate([word for group in grouped(words) if group != ["--yes"] for word in group])
    if line.question in ("-h", "--help"):
        from . import app

        return app.answer(CommandLine(command="demo", theirs=["--help"]))
    if line.question:
        return dispatch([line.question])
    flags = {**flags, **line.ours, PROVIDER.name: "demo"}
    install.offer_install(load(flags), yes=has("--yes", words))
    return claude(line.theirs, flags)


def claude(args: list[str], flags: Mapping[str, str]) -> int:
    """Claude Code with `args`, through the proxy; its own exit status."""
    from ..claude import install

    needs_no_model = bool(args) and args[0] in CLAUDE_COMMANDS | CLAUDE_QUESTIONS
    settings = load_checked(flags)
    if settings[PROVIDER] is None and not needs_no_model:
        from ..setup.wizard import first_run

        first_run(flags)
        settings = load_checked(flags)
    program = install.find_claude(settings)
    environ = {**environment(settings, args), **install.own_copy_environment(program, settings)}
    if needs_no_model:
        os.execve(program, [str(program), *args], environ)
    if has("--bg", args) or has("--background", args):
        raise BadSetting("A background session would outlive its proxy.", "Run `claudegpt` in tmux instead.")

    from .run import run_claude

    return run_claude(program, args, settings, environ)


def load_checked(flags: Mapping[str, str]) -> Settings:
    """Raises BadSetting for the first value that cannot be used."""
    settings = load(flags)
    settings.check()
    return settings


def environment(settings: Settings, words: Sequence[str]) -> dict[str, str]:
    """Claude Code's environment before we add to it: ours, with its configuration folder where isolation wants it."""
    if not settings[ISOLATE] and not was_isolated(settings, resumed(words)):
        return dict(os.environ)
    from ..claude.config_folder import private_config, private_folder

    return {**os.environ, "CLAUDE_CONFIG_DIR": str(private_config(private_folder(settings.dirs), os.environ))}


def was_isolated(settings: Settings, conversation: str | None) -> bool:
    """Whether a conversation is one of the private configuration's: what Claude Code says at a session's end, to go on
    with it, cannot name an option of ours."""
    if conversation is None or settings.source(ISOLATE) == "flag":
        return False
    from ..claude.config_folder import config_folder, holds, private_folder

    return holds(private_folder(settings.dirs), conversation) and not holds(config_folder(os.environ), conversation)
