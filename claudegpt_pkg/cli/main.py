"""`claudegpt`: read the command line, load the settings, run one command, return the exit status.

The user sees an error as one line, with the exit status of its class; only this module decides that. A bug of
claudegpt is one line too, with its traceback if CLAUDEGPT_DEBUG is set. Modules that are slow to import are imported
only where they are used, so that a plain `claudegpt` starts Claude Code at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..claude.arguments import (
    CLAUDE_COMMANDS,
    CLAUDE_QUESTIONS,
    CommandLine,
    check_option_value,
    find_resumed_conversation,
    group_words,
    has_flag,
    separate,
)
from ..claude.nesting import mark_started, restore_environment, started_programs
from ..claude.wrapped import Wrapped, split_wrapped
from ..errors import BadSetting, ClaudegptError
from ..secret import mask_secrets
from ..settings.options import ISOLATE, PROVIDER
from ..settings.settings import Settings, load
from ..terminal import console

INTERRUPTED = 130
HELP = ("-h", "--help")
VERSION = ("-v", "--version")
WRAPPER_LOG = "wrapper.log"  # what an editor that starts us does not show


def main() -> None:
    _skip_httpx_command()
    _open_standard_streams()
    sys.exit(run(sys.argv[1:]))


def _skip_httpx_command() -> None:
    """Keep `import httpx` from importing its own command line with Click, Rich and Pygments, a third of its time. httpx
    works without that module, because it may be installed without those packages."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]


def _open_standard_streams() -> None:
    """Open the null device for each standard stream that is closed (`<&-`). Python has no object for a closed one, and
    the next file opened, perhaps our socket, would take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            os.set_inheritable(number, True)  # for Claude Code too
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def run(words: Sequence[str]) -> int:
    """Run `claudegpt WORDS…`, report an error to the user, and return the exit status."""
    try:
        return _dispatch(words)
    except ClaudegptError as problem:
        console.complain(str(problem))
        return problem.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the program that reads our output has ended
        _discard_stdout()
        return 1
    except OSError as problem:
        if not _is_stdout_broken():
            return _report_bug(problem)
        _discard_stdout()
        console.complain(f"The output cannot be written: {problem.strerror}.")
        return 1
    except Exception as problem:  # noqa: BLE001  the one boundary: no traceback for the user
        return _report_bug(problem)


def _report_bug(problem: Exception) -> int:
    """Call this while `problem` is being handled."""
    if os.environ.get("CLAUDEGPT_DEBUG"):
        import traceback

        console.tell(mask_secrets(traceback.format_exc()))
    what = f"{type(problem).__name__}: {problem}"
    console.complain(f"This is a bug in claudegpt: {what} (set CLAUDEGPT_DEBUG=1 to see where)")
    return 1


def _is_stdout_broken() -> bool:
    """Whether output can no longer be written: the disk is full, or the terminal is closed."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def _discard_stdout() -> None:
    """Without this, Python complains and changes the exit status when it flushes stdout at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _dispatch(words: Sequence[str]) -> int:
    if started_programs(os.environ) and not separate(words).command:
        return _run_next_program(separate(words))
    _use_environment(restore_environment(os.environ))
    wrapped, words = split_wrapped(words)
    if wrapped:
        return _run_wrapped(wrapped, words)
    line = separate(words)
    if line.theirs and not line.command:
        from .suggestions import resolve_command

        line = resolve_command(line, words)
    if line.question in VERSION or line.command == "version":
        from .version import show_version

        return show_version(line.ours)
    if line.question in HELP or line.command == "help":
        from .help import show_command_help

        return show_command_help([] if line.question else line.theirs)
    if line.command == "demo":
        return _run_demo(line.theirs, line.ours)
    if line.command == "status" and (quick := _read_status_options(line)):
        from .status import show_status

        return show_status(quick.flags, as_json=quick.as_json)
    if line.command:
        from . import app

        return app.run_command(line)
    return run_claude_code(line.theirs, line.ours)


@dataclass(frozen=True)
class StatusOptions:
    """The options of `claudegpt status`."""

    flags: Mapping[str, str]
    as_json: bool


def _read_status_options(line: CommandLine) -> StatusOptions | None:
    """The options of `status`, read without Typer, whose import takes as long as all the rest; None for what only Typer
    can read or refuse."""
    words = list(line.theirs)
    as_json = "--json" in words
    words = [word for word in words if word != "--json"]
    if not words:
        return StatusOptions(line.ours, as_json)
    if len(words) == 2 and words[0] == "--provider":
        return StatusOptions({**line.ours, PROVIDER.name: check_option_value("--provider", words[1])}, as_json)
    return None


def _run_next_program(line: CommandLine) -> int:
    """Run the next program that may be Claude Code, with the words and the environment that a session of ours has
    prepared: the one it started is a wrapper that leads back here."""
    from ..claude import install

    program = install.find_claude(load(line.ours))
    words = [*line.theirs, *([line.question] if line.question else [])]
    os.execve(program, [str(program), *words], mark_started(os.environ, program))


def _use_environment(environ: Mapping[str, str]) -> None:
    """Make `environ` this process's environment."""
    for name in set(os.environ) - set(environ):
        del os.environ[name]
    os.environ.update({name: value for name, value in environ.items() if os.environ.get(name) != value})


def _run_wrapped(wrapped: Wrapped, words: Sequence[str]) -> int:
    """`claudegpt /path/to/claude ARGS…`: run that program. Its own questions and commands are answered by it."""
    line = separate(words)
    if line.question or line.command:
        os.execv(wrapped.command[0], [*wrapped.command, *words])
    console.keep_log(load(line.ours).dirs.state / WRAPPER_LOG)
    return run_claude_code(line.theirs, line.ours, wrapped)


def _run_demo(words: Sequence[str], flags: Mapping[str, str]) -> int:
    """`claudegpt demo [--yes] [CLAUDE ARGS…]`"""
    from ..claude import install

    line = separate([word for group in group_words(words) if group != ["--yes"] for word in group])
    if line.question in HELP:
        from . import app

        return app.run_command(CommandLine(command="demo", theirs=["--help"]))
    if line.question:
        return _dispatch([line.question])
    flags = {**flags, **line.ours, PROVIDER.name: "demo"}
    install.offer_install(load(flags), yes=has_flag("--yes", words))
    return run_claude_code(line.theirs, flags)


def run_claude_code(args: list[str], flags: Mapping[str, str], wrapped: Wrapped | None = None) -> int:
    """Run Claude Code with `args` through the proxy; return its exit status."""
    from ..claude import install

    needs_no_model = bool(args) and args[0] in CLAUDE_COMMANDS | CLAUDE_QUESTIONS
    settings = _load_checked(flags)
    if settings[PROVIDER] is None and not needs_no_model:
        from ..setup.wizard import first_run

        first_run(flags)
        settings = _load_checked(flags)
    program = wrapped.path if wrapped else install.find_claude(settings)
    interpreter = wrapped.interpreter if wrapped else ()
    environ = {**_claude_environment(settings, args), **install.own_copy_environment(program, settings)}
    environ = mark_started(environ, program)
    if needs_no_model:
        command = [*interpreter, str(program), *args]
        os.execve(command[0], command, environ)
    if has_flag("--bg", args) or has_flag("--background", args):
        raise BadSetting(
            "A background session cannot run here: it would outlive the proxy.", "Run `claudegpt` in tmux instead."
        )
    if has_flag("--tmux", args) or any(word.startswith("--tmux=") for word in args):
        raise BadSetting(
            "`--tmux` cannot be used here: its tmux session would outlive the proxy.",
            "Start tmux first, then run `claudegpt --worktree NAME` in it.",
        )

    from .run import run_claude

    return run_claude(program, args, settings, environ, interpreter=interpreter)


def _load_checked(flags: Mapping[str, str]) -> Settings:
    """The settings. Raises BadSetting for the first value that cannot be used."""
    settings = load(flags)
    settings.check()
    return settings


def _claude_environment(settings: Settings, words: Sequence[str]) -> dict[str, str]:
    """The environment for Claude Code before a session adds to it: ours, with the private configuration folder if the
    session is isolated."""
    if not settings[ISOLATE] and not _resumes_isolated_session(settings, find_resumed_conversation(words)):
        return dict(os.environ)
    from ..claude.config_folder import prepare_private_config, private_folder

    return {**os.environ, "CLAUDE_CONFIG_DIR": str(prepare_private_config(private_folder(settings.dirs), os.environ))}


def _resumes_isolated_session(settings: Settings, conversation: str | None) -> bool:
    """Whether a conversation was held with the private configuration. The resume command that Claude Code prints at the
    end of a session does not name `--isolate`."""
    if conversation is None or settings.source(ISOLATE) == "flag":
        return False
    from ..claude.config_folder import config_folder, has_conversation, private_folder

    return has_conversation(private_folder(settings.dirs), conversation) and not has_conversation(
        config_folder(os.environ), conversation
    )
