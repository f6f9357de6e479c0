"""Our own commands and our own help, as a Typer app. Loaded only when one is asked for.

`answer` runs one and gives its exit status. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__
from ..claude.arguments import OUR_OPTIONS, CommandLine, checked
from ..errors import BadSetting, ClaudeNotFound
from ..secret import Secret
from ..settings import env_file
from ..settings.options import AZURE_API_VERSION, AZURE_ENDPOINT, HOST, NAMES, OPTIONS, PORT, PROVIDER, Option, nearest
from ..settings.settings import Dirs, Settings, load
from ..terminal.console import from_home, result, result_table, say, tell

ABOUT = """Run Claude Code on GPT.

Everything that is not listed here goes to `claude`, in the order you give it. `claudegpt -- ARGS` sends all of ARGS
to it (so `claudegpt -- --help` is its own help).
"""


class Ours(TyperGroup):
    """A help page that lists the options of the plain form, which Typer does not parse."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        formatter.write_usage("claudegpt", "[OPTIONS] [CLAUDE ARGS]...")
        formatter.write_usage("claudegpt", "COMMAND ...", prefix="       ")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        rows = [(f"{option.name} {option.metavar}".rstrip(), option.help) for option in OUR_OPTIONS.values()]
        with formatter.section("Options"):
            formatter.write_dl([*rows, ("--version, -v", "our version and claude's"), ("--help, -h", "this page")])
        self.format_commands(ctx, formatter)


app = typer.Typer(cls=Ours, help=ABOUT, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
config = typer.Typer(help="Every setting, its value, and where that comes from.", rich_markup_mode=None)
app.add_typer(config, name="config", invoke_without_command=True)


class Traces(TyperGroup):
    """`trace` alone, or with options only, is `trace ls`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        alone = not args or (args[0].startswith("-") and args[0] != "--help")
        return super().parse_args(ctx, ["ls", *args] if alone else args)


TRACES = """What was asked, sent and answered, turn by turn.

Without a command: the newest turns.
"""
trace = typer.Typer(cls=Traces, help=TRACES, rich_markup_mode=None)
app.add_typer(trace, name="trace")


def answer(line: CommandLine) -> int:
    """Run the command, or answer the question, that the command line has."""
    if line.question in ("-v", "--version"):
        return version(line.ours)
    words = ["--help"] if line.question else [line.command, *line.theirs]
    try:
        app(words, prog_name="claudegpt", obj=line.ours)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def version(flags: dict[str, str]) -> int:
    from ..claude import install

    result(f"claudegpt {__version__}")
    try:
        claude = install.find_claude(load(flags))
    except ClaudeNotFound as problem:
        say(str(problem))
        return 0
    return subprocess.run([claude, "--version"], check=False).returncode


Whose = Annotated[str | None, typer.Option("--provider", metavar="NAME", help=PROVIDER.help)]


def flags(ctx: typer.Context, provider: str | None) -> dict[str, str]:
    """Those before the command, and `--provider` behind it, where people put it too."""
    return {**ctx.obj, **({PROVIDER.name: checked("--provider", provider)} if provider else {})}


@app.command(options_metavar="[--yes] [CLAUDE ARGS]...")
def demo() -> None:
    """Try it with a built-in model: no account, no network.

    Installs Claude Code if it is missing, after asking; with --yes, without.
    """
    raise AssertionError("cli runs it: its words are Claude's")


@app.command()
def setup(
    ctx: typer.Context,
    provider: Annotated[str | None, typer.Option(metavar="NAME", help=PROVIDER.help)] = None,
    api_key_stdin: Annotated[bool, typer.Option("--api-key-stdin", help="read the API key from stdin")] = False,
    base_url: Annotated[str | None, typer.Option(metavar="URL", help="openai: a server of your own")] = None,
    endpoint: Annotated[str | None, typer.Option(metavar="URL", help=AZURE_ENDPOINT.help)] = None,
    api_version: Annotated[str | None, typer.Option(metavar="VERSION", help=AZURE_API_VERSION.help)] = None,
    opus: Annotated[str | None, typer.Option(metavar="MODEL", help="the large model; azure: its deployment")] = None,
    sonnet: Annotated[str | None, typer.Option(metavar="MODEL", help="the middle one")] = None,
    haiku: Annotated[str | None, typer.Option(metavar="MODEL", help="the small and quick one")] = None,
    device: Annotated[bool, typer.Option("--device", help="chatgpt: log in with a code, on another device")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="chatgpt: log in, opening no browser")] = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="save without trying it")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="install Claude Code if it is missing, without asking")] = False,
) -> None:
    """Choose an account and models, try them, keep them.

    Asks on a terminal; every answer can also be given as an option.
    """
    from ..claude import install
    from ..setup import wizard
    from ..terminal.questions import Nobody, Terminal

    name = provider or ctx.obj.get(PROVIDER.name)
    given = wizard.Given(
        provider=PROVIDER.parse(checked("--provider", name)) if name else None,
        key=Secret(sys.stdin.readline().strip()) if api_key_stdin and not sys.stdin.isatty() else None,
        base_url=base_url,
        endpoint=endpoint,
        api_version=api_version,
        login="device" if device else "address" if no_browser else None,
        models={"opus": opus, "sonnet": sonnet, "haiku": haiku},
        check=not no_check,
        yes=yes,
    )
    wizard.set_up(Terminal() if install.on_terminal() else Nobody(), given, ctx.obj)


@app.command()
def login(
    ctx: typer.Context,
    device: Annotated[bool, typer.Option("--device", help="with a code that you enter on any other device")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="open no browser here, only show the page")] = False,
) -> None:
    """Log in to ChatGPT with your browser, for provider chatgpt.

    Where the browser is on another machine (SSH), paste the address it ends at, or use --device.
    """
    from ..accounts.auth.login import login

    settings = load(ctx.obj)
    typed = sys.stdin if sys.stdin.isatty() else None
    login(settings, tell, with_device=device, browser=not no_browser, typed=typed)
    if settings[PROVIDER] != "chatgpt":
        tell("Use it with `claudegpt --provider chatgpt`, or always:")
        tell(f"\nclaudegpt config set {PROVIDER.name} chatgpt\n")


@app.command()
def logout(ctx: typer.Context) -> None:
    """End the login of `claudegpt login`, at ChatGPT and here."""
    from ..accounts.auth.login import logout

    logout(load(ctx.obj), tell)


@app.command()
def status(
    ctx: typer.Context,
    provider: Whose = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object, on stdout")] = False,
) -> None:
    """The account, its plan and what is left of it, its models: asked of its server now."""
    from .status import show_status

    raise typer.Exit(show_status(flags(ctx, provider), as_json=as_json))


@app.command()
def models(ctx: typer.Context, provider: Whose = None) -> None:
    """What the account can use, and which tier uses which."""
    from .status import show_models

    show_models(flags(ctx, provider))


@app.command()
def doctor(ctx: typer.Context, provider: Whose = None) -> None:
    """Check every link between Claude Code and the model.

    Says what to do about each that fails; status 1 if one does.
    """
    from .doctor import examine

    raise typer.Exit(examine(flags(ctx, provider)))


@app.command()
def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help=HOST.help)] = None,
    port: Annotated[str | None, typer.Option(metavar="N", help=PORT.help)] = None,
    provider: Whose = None,
) -> None:
    """The proxy alone, for editors and other clients.

    Prints the two `export` lines that point a client at it.
    """
    from ..assembly import connect
    from ..claude.launcher import serve

    where = {PORT.name: checked("--port", port) if port else None, HOST.name: host}
    settings = load({**flags(ctx, provider), **{name: value for name, value in where.items() if value}})
    settings.check()
    chain = connect(settings)

    def ready() -> None:
        result(f"export ANTHROPIC_BASE_URL={chain.url}")
        result(f"export ANTHROPIC_AUTH_TOKEN={chain.token.reveal()}")
        say(f"serving {chain.provider.label}; ^C ends it")

    serve(chain.sites, ready=ready)


@app.command()
def usage(
    ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="one JSON object, on stdout")] = False
) -> None:
    """What was spent, by model and account.

    Today, in the last 7 and the last 30 days; and what is left of a ChatGPT plan.
    """
    from .usage import show_usage

    show_usage(ctx.obj, as_json=as_json)


# trace


@trace.command("ls")
def trace_ls(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="at most N turns; all of them with 0")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="a JSON array, on stdout")] = False,
) -> None:
    """The newest turns, a line each."""
    from .traces import show_traces

    show_traces(load(ctx.obj), limit=limit, as_json=as_json)


@trace.command("show")
def trace_show(
    ctx: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="as `trace ls` shows it, or more of it")],
    request: Annotated[bool, typer.Option("--request", help="what Claude Code asked, as JSON")] = False,
    sent: Annotated[bool, typer.Option("--sent", help="what was sent upstream, as JSON")] = False,
    answer: Annotated[bool, typer.Option("--answer", help="what Claude Code was answered, as JSON")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="all of it as JSON")] = False,
) -> None:
    """One turn, in words or as JSON.

    What was asked, what was sent and what became of it on the way, what came back.
    """
    from .traces import ALL, show_trace

    wanted = [name for name, given in {"request": request, "sent": sent, "answer": answer}.items() if given]
    if len(wanted) > 1:
        raise BadSetting("--request, --sent and --answer are one trace's parts: ask for one,", "or for --json.")
    show_trace(load(ctx.obj), id_, part=wanted[0] if wanted else ALL if as_json else None)


# config


@config.callback()
def config_callback(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        list_(ctx)


@config.command("list")
def list_(ctx: typer.Context) -> None:
    """Every setting."""
    settings = load(ctx.obj)
    rows = []
    for option in OPTIONS.values():
        default = option.shown_default if settings.written(option) is None else ""
        rows.append((option.name, default or shown(settings, option), source(settings, option)))
    result_table(("setting", "value", "from"), rows)
    for name, where, near in settings.misspelt():
        say(f"{name} (from {where}) is no setting. Did you mean {near}?")


@config.command("get")
def get(ctx: typer.Context, name: str) -> None:
    """The value of one setting (a secret as ***); nothing, and status 1, if it has none."""
    value = shown(load(ctx.obj), declared(name))
    if not value:
        raise typer.Exit(1)
    result(value)


@config.command("set")
def set_(ctx: typer.Context, name: str, value: Annotated[str | None, typer.Argument()] = None) -> None:
    """Write one setting to config.env. Without VALUE it is read from stdin, so that a secret is in no process list."""
    option = declared(name)
    text = read_value(option) if value is None else value
    try:
        option.parse(text)
    except ValueError as problem:
        raise BadSetting(f"{option.name} {problem}, not {'that' if option.secret else repr(text)}.") from None
    write(option, text)


@config.command("unset")
def unset(ctx: typer.Context, name: str) -> None:
    """Take one setting out of config.env."""
    option = declared(name)
    write(option, None)


@config.command("path")
def path() -> None:
    """Where config.env is."""
    result(str(Dirs.find(os.environ).config_file))


def declared(name: str) -> Option[Any]:
    """The setting of this name. Raises BadSetting with the nearest one."""
    if option := NAMES.get(name.upper()):
        return option
    near = nearest(name)
    raise BadSetting(f"There is no setting {name}.", f"Did you mean {near}?" if near else "See `claudegpt config`.")


def shown(settings: Settings, option: Option[Any]) -> str:
    """A value as the user wrote it, or would write the default; a secret as ***; empty for none."""
    written = settings.written(option)
    if written is not None:
        return "***" if option.secret else written
    default = int(option.default) if isinstance(option.default, bool) else option.default
    return "" if default in (None, ()) else f"{default:g}" if isinstance(default, float) else str(default)


def source(settings: Settings, option: Option[Any]) -> str:
    """Where the value comes from, and whether it can be used."""
    where = from_home(settings.source(option))
    try:
        settings[option]
    except BadSetting:
        return f"{where} (unusable)"
    return where


def read_value(option: Option[Any]) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    value: str = typer.prompt(option.name, hide_input=option.secret, err=True)
    return value


def write(option: Option[Any], value: str | None) -> None:
    """Into config.env, under its own name; and say so when another place decides, whatever config.env says."""
    env_file.change(load().dirs.config_file, {**dict.fromkeys(option.also), option.name: value})
    for note in load().overruled({option.name: value}):
        say(note)
