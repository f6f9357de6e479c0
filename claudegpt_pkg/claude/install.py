"""Which Claude Code to run, and getting one where there is none.

Looked for in this order: CLAUDEGPT_CLAUDE_BIN, `claude` on PATH, the copy in our own data folder, the places where
installers put it. A `claude` that is this program under another name is passed over: it would call itself for ever.

Our own copy is installed with npm, beside its place and then renamed: an installation that was cut short leaves
nothing. npm's install scripts are not run. They would only put the native program where `bin/claude.exe` is a stub, and
newer npm blocks them anyway; we run the native program itself, and find it for other people's stubs too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import ClaudeNotFound
from ..settings.options import CLAUDE_BIN
from ..settings.settings import Settings
from ..terminal.console import console, say
from .versions import Version, parse_version

PACKAGE = "@anthropic-ai/claude-code"
OLDEST_TESTED = "2.0.77"
NEWEST_TESTED = "2.1.332"  # the newest that the test suite runs (tests/real/clients.py)
COMMAND = f"npm install -g {PACKAGE}"
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
STUB_BYTES = 4096  # the native program has hundreds of MB, the stub in its place a few lines
NPM_SMALL_PRINT = ("code ", "errno ", "syscall ", "path ", "npm warn", "A complete log")
INSTALL_SECONDS = 900  # a slow line needs minutes for some 100 MB
VERSION_SECONDS = 60


def find_claude(settings: Settings) -> Path:
    """The program to run. Raises ClaudeNotFound with the command that installs it."""
    if chosen := settings[CLAUDE_BIN]:
        return chosen_program(chosen, settings.source(CLAUDE_BIN))
    for candidate in candidates(settings):
        if program := runnable(candidate):
            return program
    raise ClaudeNotFound("Claude Code is not installed.", HINT)


def claude_version(program: Path) -> str:
    """ "2.1.330". Raises ClaudeNotFound if the program does not run."""
    try:
        answer = subprocess.run(
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=VERSION_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise ClaudeNotFound(f"{program} does not run: {reason_of(problem)}.", HINT) from None
    words = answer.stdout.split()
    if answer.returncode != 0 or not words:
        raise ClaudeNotFound(f"{program} does not run: {last_line(answer.stderr) or 'it says nothing'}.", HINT)
    return words[0]


def own_copy_environment(program: Path, settings: Settings) -> dict[str, str]:
    """What our own copy is started with besides: its updater would put another one into the whole system (seen)."""
    return {"DISABLE_AUTOUPDATER": "1"} if program == own_folder(settings) / "claude" else {}


def version_on_disk(program: Path) -> Version:
    """(2, 1, 330), from where the program lies, without running it; () where that does not tell.

    npm's packages say it in their package.json, the native installer and Homebrew in the path.
    """
    real = program.resolve()
    for folder in real.parents[:3]:
        try:
            package = json.loads((folder / "package.json").read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(package, dict) and str(package.get("name")).startswith(PACKAGE):
            return parse_version(str(package.get("version")))
    return next((version for part in reversed(real.parts) if (version := parse_version(part))), ())


def offer_install(settings: Settings, *, yes: bool) -> Path:
    """The program to run; where there is none, it is installed into our data folder.

    Asks first on a terminal, unless `yes`. Raises ClaudeNotFound when refused or when it fails.
    """
    try:
        return find_claude(settings)
    except ClaudeNotFound:
        if settings[CLAUDE_BIN]:  # the user wants that one and no other
            raise
    folder = own_folder(settings)
    say("Claude Code is not installed.")
    npm = find_npm()
    if not yes and on_terminal() and not confirmed(f"Install it with npm into {folder}?"):
        raise ClaudeNotFound("Claude Code is needed.", HINT)
    return install(folder, npm)


def find_npm() -> str:
    if npm := shutil.which("npm"):
        return npm
    raise ClaudeNotFound("There is no npm to install Claude Code with.", f"Install Node.js, then `{COMMAND}`.")


def install(folder: Path, npm: str) -> Path:
    """Install Claude Code into `folder` with npm: whole, or not at all."""
    from tempfile import TemporaryDirectory

    say(f"installing Claude Code with npm into {folder} (some 100 MB) …")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as beside:
            tree = Path(beside) / "tree"
            run_npm(npm, tree)
            version = link_program(tree)
            put_in_place(tree, folder)
    except OSError as problem:
        raise ClaudeNotFound(f"Cannot install Claude Code into {folder}: {reason_of(problem)}.", HINT) from None
    say(f"installed Claude Code {version}.")
    return folder / "claude"


# Looking.


def chosen_program(chosen: Path, source: str) -> Path:
    found = shutil.which(chosen)  # a bare name is looked up on PATH
    program = runnable(Path(found)) if found else None
    if program is None:
        why = "is not a program that can be run" if chosen.exists() else "is not there"
        raise ClaudeNotFound(f"{chosen} {why} ({CLAUDE_BIN.name} from {source}).", "Correct or unset it.")
    return program


def candidates(settings: Settings) -> Iterator[Path]:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if folder and (found := shutil.which("claude", path=folder)):
            yield Path(found)
    yield own_folder(settings) / "claude"
    yield from (Path.home() / place for place in USUAL_PLACES)  # an absolute place stays itself


def runnable(program: Path) -> Path | None:
    """The program, or the native one that its stub stands for; None for what cannot be run or is ourselves."""
    if not (program.is_file() and os.access(program, os.X_OK)) or is_ourselves(program):
        return None
    real = program.resolve()
    if real.name == "claude.exe" and real.stat().st_size < STUB_BYTES:
        package = real.parents[1]
        return next(natives(package.parent), None) or next(natives(package / "node_modules" / "@anthropic-ai"), None)
    return program.absolute()


def is_ourselves(program: Path) -> bool:
    """Whether `program` is claudegpt under another name, or a script that calls it."""
    real = program.resolve()
    started_as = Path(sys.argv[0])  # a relative name tells nothing once its folder is gone
    if real.name == "claudegpt" or (started_as.is_absolute() and real == started_as.resolve()):
        return True
    with real.open("rb") as file:
        return file.read(2) == b"#!" and b"claudegpt" in file.read(STUB_BYTES)


def natives(scope: Path) -> Iterator[Path]:
    """The native programs among the packages of `node_modules/@anthropic-ai`; npm installs those of this machine."""
    yield from (found for found in sorted(scope.glob("claude-code-*/claude")) if os.access(found, os.X_OK))


def own_folder(settings: Settings) -> Path:
    return settings.dirs.data / "claude-code"


# Installing.


def on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirmed(question: str) -> bool:
    """Asks on stderr: stdout is Claude's."""
    import questionary
    from prompt_toolkit.output import create_output

    try:
        answer: bool = questionary.confirm(question, output=create_output(stdout=sys.stderr)).unsafe_ask()
    except EOFError:  # ^D
        raise KeyboardInterrupt from None
    return answer


def run_npm(npm: str, tree: Path) -> None:
    tree.mkdir()
    command = [npm, "install", "--prefix", str(tree), "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE]
    with console().status("npm is at work"):
        try:
            done = subprocess.run(
                command, cwd=tree, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise ClaudeNotFound(f"npm was not done after {INSTALL_SECONDS // 60} minutes.", HINT) from None
    if done.returncode != 0:
        raise ClaudeNotFound(f"npm could not install Claude Code: {npm_error(done.stderr)}.", f"Try `{COMMAND}`.")


def link_program(tree: Path) -> str:
    """Link `tree/claude` to the first of the installed programs that runs; its version."""
    problem = ClaudeNotFound("npm installed Claude Code without a program for this machine.", HINT)
    for program in (*natives(tree / "node_modules" / "@anthropic-ai"), tree / "node_modules" / ".bin" / "claude"):
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


def put_in_place(tree: Path, folder: Path) -> None:
    if folder.exists():  # what find_claude could not use
        shutil.rmtree(folder)
    tree.rename(folder)


def npm_error(output: str) -> str:
    """What npm says went wrong, without its codes and the path of its log."""
    lines = [line.removeprefix("npm error").removeprefix("npm ERR!").strip() for line in output.splitlines()]
    telling = [line for line in lines if line and not line.startswith(NPM_SMALL_PRINT)]
    return (telling[0] if telling else "it does not say why").rstrip(".")


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""


def reason_of(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem)
