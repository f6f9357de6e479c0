"""`claudegpt config`: show the settings, and change them in config.env.

On a terminal the settings that are set come first, then all others in groups with an example each. For a program each
setting is one line: name, value, source, with tabs between them; or one JSON object with `--json`.

A name may be short: `effort` means CLAUDEGPT_EFFORT. A secret is shown as ***.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from ..errors import BadSetting
from ..settings import env_file
from ..settings import options as declared
from ..settings.options import NAMES, OPTIONS, OURS, Option, nearest
from ..settings.settings import Dirs, Settings, load
from ..terminal.console import from_home, plain, result, result_json, result_rows, result_table, say
from .whole_help import WholeHelp

SECRET = "***"
UNSET = "(unset)"  # a setting without a value, on a terminal
EDITORS = ("VISUAL", "EDITOR")
USUAL_EDITOR = "vi"
Json = Annotated[bool, typer.Option("--json", help="print one JSON object to stdout")]


@dataclass(frozen=True)
class Group:
    """Some settings that belong together, and a command line that sets one of them."""

    title: str
    example: str
    options: tuple[Option[Any], ...]


GROUPS = (
    Group(
        "Account: who pays",
        "claudegpt config set provider chatgpt",
        (
            declared.PROVIDER,
            declared.OPENAI_API_KEY,
            declared.OPENAI_BASE_URL,
            declared.CODEX_AUTH,
            declared.CODEX_HOME,
            declared.CODEX_BASE_URL,
            declared.CODEX_VERSION,
            declared.AUTH_URL,
            declared.AZURE_ENDPOINT,
            declared.AZURE_API_KEY,
            declared.AZURE_API_VERSION,
        ),
    ),
    Group(
        "Models: which model serves which tier",
        "claudegpt config set openai_opus gpt-6.1-sol",
        (
            declared.OPENAI_OPUS,
            declared.OPENAI_SONNET,
            declared.OPENAI_HAIKU,
            declared.CODEX_OPUS,
            declared.CODEX_SONNET,
            declared.CODEX_HAIKU,
            declared.AZURE_OPUS,
            declared.AZURE_SONNET,
            declared.AZURE_HAIKU,
            declared.DEFAULT_OPUS,
            declared.DEFAULT_SONNET,
            declared.DEFAULT_HAIKU,
            declared.PASSTHROUGH,
            declared.WINDOW,
        ),
    ),
    Group(
        "Effort: how hard the models think",
        "claudegpt config set effort high",
        (
            declared.EFFORT,
            declared.REASONING_OPUS,
            declared.REASONING_SONNET,
            declared.REASONING_HAIKU,
            declared.TOOLS_REASONING,
        ),
    ),
    Group(
        "Web: search and fetch",
        "claudegpt config set map_web_search 0",
        (
            declared.MAP_WEB_SEARCH,
            declared.NO_WEB_SEARCH,
            *(option for name, option in OPTIONS.items() if "_WEB_FETCH" in name),
        ),
    ),
    Group(
        "Traces: the stored record of each turn",
        "claudegpt config set trace 0",
        (declared.TRACE, declared.TRACE_DIR, declared.TRACE_MAX_MB),
    ),
    Group(
        "Proxy: where it listens, how long it waits",
        "claudegpt config set port 8787",
        (
            declared.HOST,
            declared.PORT,
            declared.TOKEN,
            declared.JSON_LIMIT,
            declared.FIRST_EVENT_TIMEOUT,
            declared.IDLE_TIMEOUT,
        ),
    ),
    Group(
        "Claude Code: which one runs, and how it looks",
        "claudegpt config set status_line 0",
        (declared.CLAUDE_BIN, declared.CLAUDE_VERSION, declared.UPDATE_CHECK, declared.STATUS_LINE, declared.ISOLATE),
    ),
)
OTHERS = "Requests: what is sent to the model"
OTHERS_EXAMPLE = "claudegpt config set drop_tools NotebookEdit,WebFetch"

config = typer.Typer(
    cls=WholeHelp,
    help="Show the settings, or change them.",
    epilog="NAME may be short: `effort` means CLAUDEGPT_EFFORT. Example: claudegpt config set effort high",
    rich_markup_mode=None,
)


@config.callback(invoke_without_command=True)
def show_by_default(ctx: typer.Context, as_json: Json = False) -> None:
    if ctx.invoked_subcommand is None:
        _show_settings(load(ctx.obj), as_json=as_json)


@config.command("list")
def list_settings(ctx: typer.Context, as_json: Json = False) -> None:
    """Show every setting, its value, and where the value comes from."""
    _show_settings(load(ctx.obj), as_json=as_json)


@config.command("get")
def get_setting(ctx: typer.Context, name: str) -> None:
    """Print the value of one setting; print nothing and exit with 1 if it has none."""
    value = _shown_value(load(ctx.obj), find_option(name))
    if not value:
        raise typer.Exit(1)
    result(value)


@config.command("set")
def set_setting(ctx: typer.Context, name: str, value: Annotated[str | None, typer.Argument()] = None) -> None:
    """Save one setting in config.env.

    Without VALUE it is read from stdin, so that a secret shows up in no list of processes.
    """
    option = find_option(name)
    text = _ask_value(option) if value is None else value
    try:
        option.parse(text)
    except ValueError as problem:
        raise BadSetting(
            f"{option.name} {problem}, not {repr(text) if option.show(text) == text else 'that'}."
        ) from None
    file = _write_setting(option, text)
    say(f"Saved {option.name}={SECRET if option.secret else text} in {file}.")
    _report_overruled(option, text)


@config.command("unset")
def unset_setting(ctx: typer.Context, name: str) -> None:
    """Remove one setting from config.env."""
    option = find_option(name)
    before = env_file.read(Dirs.find(os.environ).config_file)
    file = _write_setting(option, None)
    if any(before.get(each) for each in (option.name, *option.also)):
        say(f"Removed {option.name} from {file}.")
    else:
        say(f"{option.name} was not set in {file}; nothing is changed.")
    _report_overruled(option, None)


@config.command("edit")
def edit_settings() -> None:
    """Open config.env in your editor ($VISUAL, $EDITOR, or vi), then check it."""
    file = Dirs.find(os.environ).config_file
    env_file.change(file, {})  # creates an absent file, for this user's eyes only
    editor = next((os.environ[name] for name in EDITORS if os.environ.get(name)), USUAL_EDITOR)
    try:
        status = subprocess.run([*shlex.split(editor), str(file)], cwd=file.parent, check=False).returncode
    except (OSError, ValueError) as problem:
        raise BadSetting(f"Cannot start the editor {editor!r}: {problem}.", "Set EDITOR to another one.") from None
    if status:
        raise BadSetting(f"The editor ended with status {status}.", f"The file is {file}.")
    settings = load()
    settings.check()
    _report_misspelt(settings)
    say(f"{file} can be used as it is.")


@config.command("path")
def show_path() -> None:
    """Print where config.env is."""
    result(str(Dirs.find(os.environ).config_file))


# Show.


def _show_settings(settings: Settings, *, as_json: bool) -> None:
    if as_json:
        result_json(_settings_object(settings))
        return
    if sys.stdout.isatty():
        _show_groups(settings)
    else:
        result_table(("setting", "value", "source"), [_setting_row(settings, each) for each in OPTIONS.values()])
    _report_misspelt(settings)


def _show_groups(settings: Settings) -> None:
    """What is set first, then the other settings in groups."""
    chosen = [option for option in OPTIONS.values() if settings.written_text(option) is not None]
    result_rows([("[bold]Set by you[/bold]",)])
    for option in chosen:
        _show_setting(settings, option)
    if not chosen:
        result("  nothing: every setting has its default")
    for group in groups():
        result("")
        result_rows([(f"[bold]{plain(group.title)}[/bold]",), (f"Example: {plain(group.example)}",)])
        for option in group.options:
            if option not in chosen:
                _show_setting(settings, option)


def groups() -> Iterator[Group]:
    """Every setting in exactly one group; those that the table does not name are in the last."""
    yield from GROUPS
    named = {option.name for group in GROUPS for option in group.options}
    rest = tuple(option for option in OPTIONS.values() if option.name not in named)
    yield Group(OTHERS, OTHERS_EXAMPLE, rest)


def _show_setting(settings: Settings, option: Option[Any]) -> None:
    """The name with the value, and below it, indented, what it means."""
    _, value, source = _setting_row(settings, option)
    where = f" [dim]({plain(source)})[/dim]" if source != "default" else ""
    result_rows([("", f"{plain(option.name)} = {plain(value) or UNSET}{where}")])
    result_rows([("  ", f"[dim]{plain(option.help)}[/dim]")])


def _setting_row(settings: Settings, option: Option[Any]) -> tuple[str, str, str]:
    default = option.shown_default if settings.written_text(option) is None else ""
    return option.name, default or _shown_value(settings, option), _shown_source(settings, option)


def _settings_object(settings: Settings) -> dict[str, Any]:
    """{"file": …, "settings": {name: {"value", "source", "usable"}}}; a value is a string or null."""
    return {
        "file": str(settings.dirs.config_file),
        "settings": {
            option.name: {
                "value": _shown_value(settings, option) or None,
                "source": settings.source(option),
                "usable": _is_usable(settings, option),
            }
            for option in OPTIONS.values()
        },
    }


def _shown_value(settings: Settings, option: Option[Any]) -> str:
    """A value as the user wrote it, else the default as the user would write it; "" for none."""
    written = settings.written_text(option)
    if written is None:
        return _default_text(option)
    return option.show(written)


def _default_text(option: Option[Any]) -> str:
    default = int(option.default) if isinstance(option.default, bool) else option.default
    if default is None or default == ():
        return ""
    if isinstance(default, tuple):
        return ",".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)


def _shown_source(settings: Settings, option: Option[Any]) -> str:
    where = from_home(settings.source(option))
    return where if _is_usable(settings, option) else f"{where} (unusable)"


def _is_usable(settings: Settings, option: Option[Any]) -> bool:
    try:
        settings[option]
    except BadSetting:
        return False
    return True


def _report_misspelt(settings: Settings) -> None:
    for name, where, near in settings.misspelt():
        say(f"There is no setting {name} (in {where}). Did you mean {near}?")


# Change.


def find_option(name: str) -> Option[Any]:
    """The setting of this name, which may lack its CLAUDEGPT_. Raises BadSetting with the nearest name."""
    word = name.upper().replace("-", "_")
    if option := NAMES.get(word) or NAMES.get(OURS + word):
        return option
    near = nearest(word)
    raise BadSetting(f"There is no setting {name}.", f"Did you mean {near}?" if near else "See `claudegpt config`.")


def _ask_value(option: Option[Any]) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    value: str = typer.prompt(option.name, hide_input=option.secret, err=True)
    return value


def _write_setting(option: Option[Any], value: str | None) -> str:
    """Write one setting under its own name, its older names removed. Return the path of config.env."""
    file = Dirs.find(os.environ).config_file
    env_file.change(file, {**dict.fromkeys(option.also), option.name: value})
    return str(file)


def _report_overruled(option: Option[Any], value: str | None) -> None:
    """Say so if another place decides, whatever config.env says."""
    changes: Mapping[str, str | None] = {option.name: value}
    for note in load().find_overruled(changes):
        say(note)
