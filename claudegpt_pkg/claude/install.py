"""Find the Claude Code program to run, and install a copy of Claude Code if there is none.

The search order is: CLAUDEGPT_CLAUDE_BIN, `claude` on PATH, claudegpt's own copy in its data folder, the places that
installers use. A `claude` that is claudegpt under another name is skipped, because it would call itself for ever.

The own copy is installed with npm, in a temporary folder that is renamed when it is complete: an interrupted
installation leaves nothing. Its version is the newest tested one unless CLAUDEGPT_CLAUDE_VERSION names another. npm's
install scripts are not run. Their only job is to put the native program in the place of the stub `bin/claude.exe`, and
newer npm versions block them anyway; claudegpt runs the native program itself, also for stubs that others installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import files
from ..errors import ClaudeNotFound
from ..settings.options import CLAUDE_BIN, CLAUDE_VERSION
from ..settings.settings import Settings
from ..terminal.console import console, say
from .nesting import mark_started, started_programs
from .programs import find_program, run_program, search_folders
from .versions import Version, parse_version

PACKAGE = "@anthropic-ai/claude-code"
OLDEST_TESTED = "2.0.77"
NEWEST_TESTED = "2.1.332"  # the newest that the test suite runs (tests/real/clients.py)
INSTALLED_MB = 385  # the size on disk of NEWEST_TESTED (2.1.197 had 235)
COMMAND = f"npm install -g {PACKAGE}@{NEWEST_TESTED}"
HINT = f"Install it with `{COMMAND}`."
USUAL_PLACES: tuple[str, ...] = (
    ".local/bin/claude",
    ".claude/local/claude",
    ".claude/local/node_modules/.bin/claude",
    ".npm-global/bin/claude",
    ".bun/bin/claude",
    "/opt/homebrew/bin/claude",
    "/usr/local/bin/claude",
)
_STUB_BYTES = 4096  # the native program has hundreds of MB, the stub in its place a few lines
_NPM_SMALL_PRINT = ("code ", "errno ", "syscall ", "path ", "npm warn", "A complete log")
_INSTALL_SECONDS = 900  # a slow connection needs minutes for the download
_VERSION_SECONDS = 60


def find_claude(settings: Settings) -> Path:
    """The program to run. Raises ClaudeNotFound with the command that installs it."""
    if chosen := settings[CLAUDE_BIN]:
        return _chosen_program(chosen, settings.source(CLAUDE_BIN))
    for candidate in _candidate_paths(settings):
        if program := _runnable_program(candidate):
            return program
    if started := started_programs(os.environ):
        names = ", ".join(map(str, sorted(started)))
        raise ClaudeNotFound(f"Claude Code is not installed: {names} leads back to claudegpt.", HINT)
    raise ClaudeNotFound("Claude Code is not installed.", HINT)


def claude_version(program: Path) -> str:
    """Run `program --version` and return "2.1.330". Raises ClaudeNotFound if the program does not run."""
    try:
        answer = run_program([program, "--version"], timeout=_VERSION_SECONDS, env=mark_started(os.environ, program))
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise ClaudeNotFound(f"{program} does not run: {_reason(problem)}.", HINT) from None
    words = answer.stdout.split()
    if answer.returncode != 0 or not words:
        reason = _last_line(answer.stderr) or "it prints no version"
        raise ClaudeNotFound(f"{program} does not run: {reason}.", HINT)
    return words[0]


def own_copy_environment(program: Path, settings: Settings) -> dict[str, str]:
    """The variables for the own copy. Its updater would install a second Claude Code for the whole system."""
    return {"DISABLE_AUTOUPDATER": "1"} if program == own_copy_folder(settings) / "claude" else {}


def own_copy_folder(settings: Settings) -> Path:
    """Where claudegpt's own copy of Claude Code is, or would be."""
    return settings.dirs.data / "claude-code"


def version_on_disk(program: Path) -> Version:
    """(2, 1, 330), read from the program's place without running it; () if the place does not show the version.

    npm's packages have it in their package.json, the native installer and Homebrew in the path.
    """
    real = program.resolve()
    for folder in real.parents[:3]:
        try:
            package = json.loads((folder / "package.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(package, dict) and str(package.get("name")).startswith(PACKAGE):
            return parse_version(str(package.get("version")))
    return next((version for part in reversed(real.parts) if (version := parse_version(part))), ())


def offer_install(settings: Settings, *, yes: bool) -> Path:
    """The program to run. If there is none, Claude Code is installed into claudegpt's data folder.

    On a terminal the user is asked first, unless `yes`. Raises ClaudeNotFound if the user declines or npm fails.
    """
    try:
        return find_claude(settings)
    except ClaudeNotFound:
        if settings[CLAUDE_BIN]:  # the user wants that program and no other
            raise
    folder = own_copy_folder(settings)
    say("Claude Code is not installed.")
    _find_npm()  # asks nothing if the answer could not be carried out
    question = f"Install it with npm into {folder} ({INSTALLED_MB} MB on disk)?"
    if not yes and on_terminal() and not confirm(question):
        raise ClaudeNotFound("Claude Code is needed.", HINT)
    return install_copy(settings)


def on_terminal() -> bool:
    """Whether the user can read a question and type the answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str) -> bool:
    """Ask on stderr, because stdout is Claude Code's. Raises KeyboardInterrupt for ^C and ^D."""
    import questionary
    from prompt_toolkit.output import create_output

    try:
        answer: bool = questionary.confirm(question, output=create_output(stdout=sys.stderr)).unsafe_ask()
    except EOFError:  # ^D
        raise KeyboardInterrupt from None
    return answer


# Finding.


def _chosen_program(chosen: Path, source: str) -> Path:
    found = find_program(str(chosen))
    program = _runnable_program(found) if found else None
    if program is None:
        problem = "is not a program that can be run" if chosen.exists() else "does not exist"
        if found and is_claudegpt(found):
            problem = "leads back to claudegpt"
        raise ClaudeNotFound(f"{chosen} {problem} ({CLAUDE_BIN.name} from {source}).", "Correct or unset it.")
    return program


def _candidate_paths(settings: Settings) -> Iterator[Path]:
    for folder in search_folders():
        if found := shutil.which("claude", path=folder):
            yield Path(found)
    yield own_copy_folder(settings) / "claude"
    yield from (Path.home() / place for place in USUAL_PLACES)  # joining keeps an absolute place as it is


def _runnable_program(program: Path) -> Path | None:
    """The program, or the native program behind a stub. None if it cannot be run or is claudegpt itself."""
    if not (program.is_file() and os.access(program, os.X_OK)) or is_claudegpt(program):
        return None
    real = program.resolve()
    if real.name == "claude.exe" and real.stat().st_size < _STUB_BYTES:
        package = real.parents[1]
        inner = package / "node_modules" / "@anthropic-ai"
        return next(_native_programs(package.parent), None) or next(_native_programs(inner), None)
    return program.absolute()


def is_claudegpt(program: Path) -> bool:
    """Whether `program` is claudegpt under another name, or leads back to it (nesting.py)."""
    real = program.resolve()
    started_as = Path(sys.argv[0])  # a relative name says nothing once its folder is gone
    if real.name == "claudegpt" or (started_as.is_absolute() and real == started_as.resolve()):
        return True
    return real in started_programs(os.environ)


def _native_programs(scope: Path) -> Iterator[Path]:
    """The native programs among the packages of `node_modules/@anthropic-ai`; npm installs those of this machine."""
    yield from (found for found in sorted(scope.glob("claude-code-*/claude")) if os.access(found, os.X_OK))


# Installing.


def _find_npm() -> Path:
    if npm := find_program("npm"):
        return npm
    raise ClaudeNotFound("There is no npm to install Claude Code with.", f"Install Node.js, then `{COMMAND}`.")


def install_copy(settings: Settings) -> Path:
    """Install claudegpt's own copy with npm, completely or not at all, and return the program."""
    from tempfile import TemporaryDirectory

    folder, npm = own_copy_folder(settings), _find_npm()
    version = settings[CLAUDE_VERSION] or NEWEST_TESTED
    say(f"installing Claude Code {version} with npm into {folder} ({INSTALLED_MB} MB on disk) …")
    try:
        files.make_missing_folders(folder.parent)
        with TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as temporary:
            tree = Path(temporary) / "tree"
            _run_npm(npm, tree, f"{PACKAGE}@{version}")
            installed = _link_program(tree)
            _put_in_place(tree, folder)
    except OSError as problem:
        raise ClaudeNotFound(f"Cannot install Claude Code into {folder}: {_reason(problem)}.", HINT) from None
    say(f"installed Claude Code {installed}.")
    return folder / "claude"


def _run_npm(npm: Path, tree: Path, package: str) -> None:
    tree.mkdir()
    # Without --prefix npm would look for a package.json and an .npmrc above the folder it runs in.
    command = [str(npm), "install", "--prefix", str(tree), "--ignore-scripts", "--no-audit", "--no-fund", package]
    with console().status("npm is downloading and unpacking"):
        try:
            finished = run_program(command, cwd=tree, timeout=_INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise ClaudeNotFound(f"npm did not finish within {_INSTALL_SECONDS // 60} minutes.", HINT) from None
    if finished.returncode != 0:
        reason = _npm_error(finished.stderr)
        raise ClaudeNotFound(f"npm could not install Claude Code: {reason}.", f"Try `{COMMAND}`.")


def _link_program(tree: Path) -> str:
    """Link `tree/claude` to the first installed program that runs, and return its version."""
    problem = ClaudeNotFound("npm installed Claude Code without a program for this machine.", HINT)
    for program in (*_native_programs(tree / "node_modules" / "@anthropic-ai"), tree / "node_modules/.bin/claude"):
        if not program.exists():
            continue
        try:
            version = claude_version(program)
        except ClaudeNotFound as failure:
            problem = failure
            continue
        (tree / "claude").symlink_to(program.relative_to(tree))
        return version
    raise problem


def _put_in_place(tree: Path, folder: Path) -> None:
    if folder.exists():  # a copy that find_claude could not use
        shutil.rmtree(folder)
    tree.rename(folder)


def _npm_error(output: str) -> str:
    """npm's own sentence about what went wrong, without its codes and the path of its log."""
    lines = [line.removeprefix("npm error").removeprefix("npm ERR!").strip() for line in output.splitlines()]
    sentences = [line for line in lines if line and not line.startswith(_NPM_SMALL_PRINT)]
    return (sentences[0] if sentences else "it gives no reason").rstrip(".")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""


def _reason(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem)
