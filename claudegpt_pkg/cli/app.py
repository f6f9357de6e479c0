"""The commands of claudegpt and the help of each, as a Typer app. It is loaded only if one of them is wanted.

`run_command` runs one and returns its exit status. Results go to stdout, everything else to stderr. A command's work is
in a module of its own, imported when the command runs. The help page of all commands is in help.py.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from ..claude.arguments import CommandLine, check_option_value
from ..errors import BadSetting
from ..secret import Secret
from ..settings.options import AZURE_API_VERSION, AZURE_ENDPOINT, HOST, PORT, PROVIDER
from ..settings.settings import load
from ..terminal.console import tell
from .config import config
from .whole_help import WholeHelp

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(config, name="config", invoke_without_command=True)


class _TraceGroup(WholeHelp):
    """`trace` alone, or with options only, means `trace ls`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        alone = not args or (args[0].startswith("-") and args[0] != "--help")
        return super().parse_args(ctx, ["ls", *args] if alone else args)


trace = typer.Typer(
    cls=_TraceGroup,
    help="Show the stored record of each turn.\n\nWithout a command: the newest turns.",
    epilog="Example: claudegpt trace show 3f2a91 --sent",
    rich_markup_mode=None,
)
app.add_typer(trace, name="trace")


def run_command(line: CommandLine) -> int:
    """Run the command, or show the help, that the command line asks for."""
    words = ["--help"] if line.question else [line.command, *line.theirs]
    try:
        app(words, prog_name="claudegpt", obj=line.ours)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


ProviderOption = Annotated[str | None, typer.Option("--provider", metavar="NAME", help=PROVIDER.help)]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object to stdout")]


def _with_provider(ctx: typer.Context, provider: str | None) -> dict[str, str]:
    """The options before the command, and `--provider` after it, where people put it too."""
    return {**ctx.obj, **({PROVIDER.name: check_option_value("--provider", provider)} if provider else {})}


@app.command(options_metavar="[--yes] [CLAUDE ARGS]...")
def demo() -> None:
    """Try it offline: a built-in script answers.

    No account and no network. If Claude Code is missing, it is installed after a question, or with --yes at once.
    """
    raise AssertionError("cli.main runs the demo, because its words are Claude Code's")


@app.command()
def setup(
    ctx: typer.Context,
    provider: Annotated[str | None, typer.Option(metavar="NAME", help=PROVIDER.help)] = None,
    api_key_stdin: Annotated[bool, typer.Option("--api-key-stdin", help="read the API key from stdin")] = False,
    base_url: Annotated[str | None, typer.Option(metavar="URL", help="openai: the address of another server")] = None,
    endpoint: Annotated[str | None, typer.Option(metavar="URL", help=AZURE_ENDPOINT.help)] = None,
    api_version: Annotated[str | None, typer.Option(metavar="VERSION", help=AZURE_API_VERSION.help)] = None,
    opus: Annotated[str | None, typer.Option(metavar="MODEL", help="the large model (azure: its deployment)")] = None,
    sonnet: Annotated[str | None, typer.Option(metavar="MODEL", help="the middle model")] = None,
    haiku: Annotated[str | None, typer.Option(metavar="MODEL", help="the small, quick model")] = None,
    device: Annotated[bool, typer.Option("--device", help="chatgpt: log in with a code on another device")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="chatgpt: log in without opening a browser")] = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="save without trying the models")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="install Claude Code without asking, if it is missing")] = False,
) -> None:
    """Choose an account and its models, try them, save them.

    On a terminal it asks. Every answer can also be given as an option.
    """
    from ..claude import install
    from ..setup import wizard
    from ..terminal.questions import Nobody, Terminal

    name = provider or ctx.obj.get(PROVIDER.name)
    given = wizard.Given(
        provider=PROVIDER.parse(check_option_value("--provider", name)) if name else None,
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
def use(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help=PROVIDER.help, show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the accounts as a JSON array to stdout")] = False,
) -> None:
    """Switch to another account, or list the accounts.

    Example: claudegpt use chatgpt
    """
    from .use import show_accounts, use_account

    if name is None:
        show_accounts(ctx.obj, as_json=as_json)
    else:
        use_account(ctx.obj, PROVIDER.parse(check_option_value("--provider", name)) or "")


@app.command()
def login(
    ctx: typer.Context,
    device: Annotated[bool, typer.Option("--device", help="log in with a code on any other device")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="show the login page's address only")] = False,
) -> None:
    """Log in to ChatGPT, for provider chatgpt.

    If your browser is on another machine (SSH), use --device, or paste the address at which the browser ends.
    """
    from ..accounts.provider_table import chosen_kind
    from ..setup.login_screen import log_in

    settings = load(ctx.obj)
    log_in(settings, with_device=device, browser=not no_browser)
    kind = chosen_kind(settings)
    if kind is None or not kind.logs_in:
        tell("To use this account from now on:\n\nclaudegpt use chatgpt\n")


@app.command()
def logout(ctx: typer.Context) -> None:
    """Log out of ChatGPT, and delete the saved login."""
    from ..accounts.auth.login import logout

    logout(load(ctx.obj), tell)


@app.command()
def status(ctx: typer.Context, provider: ProviderOption = None, as_json: Json = False) -> None:
    """Show the account, its quota and its models.

    Asks the account's server now, so that a login that no longer works is found.
    """
    from .status import show_status

    raise typer.Exit(show_status(_with_provider(ctx, provider), as_json=as_json))


@app.command()
def models(
    ctx: typer.Context,
    provider: ProviderOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON array to stdout")] = False,
) -> None:
    """Show the account's models, and which tier uses which."""
    from .status import show_models

    show_models(_with_provider(ctx, provider), as_json=as_json)


@app.command()
def doctor(ctx: typer.Context, provider: ProviderOption = None, as_json: Json = False) -> None:
    """Check everything between Claude Code and the model.

    Says how to fix what is wrong. Exits with 1 if something is.
    """
    from .doctor import run_checks

    raise typer.Exit(run_checks(_with_provider(ctx, provider), as_json=as_json))


@app.command()
def vscode(
    ctx: typer.Context,
    editor: Annotated[
        str | None, typer.Option(metavar="NAME", help="code, code-insiders, cursor, windsurf or vscodium")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="take the settings back")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="write without asking")] = False,
) -> None:
    """Run the panel of VS Code, Cursor or Windsurf through claudegpt.

    Shows the lines for the editor's settings, asks, and writes them. Without --editor: every editor found.
    """
    from .vscode import configure

    configure(ctx.obj, editor=editor, undo=undo, yes=yes)


@app.command()
def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help=HOST.help)] = None,
    port: Annotated[str | None, typer.Option(metavar="N", help=PORT.help)] = None,
    stable: Annotated[bool, typer.Option("--stable", help="use the same port and the same token each time")] = False,
    provider: ProviderOption = None,
) -> None:
    """Run the proxy alone, for editors and other clients.

    Prints the environment that a client needs, as `claudegpt env` does later in another shell.
    """
    from .serve import run_proxy

    where = {PORT.name: check_option_value("--port", port) if port else None, HOST.name: host}
    given = {name: value for name, value in where.items() if value}
    run_proxy({**_with_provider(ctx, provider), **given}, stable=stable)


@app.command()
def env(
    ctx: typer.Context,
    shell: Annotated[bool, typer.Option("--shell", help="as export lines for a shell (the default)")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="as one JSON object, with the models too")] = False,
    vscode: Annotated[bool, typer.Option("--vscode", help="as settings for VS Code's settings.json")] = False,
    port: Annotated[str | None, typer.Option(metavar="N", help="of the proxy on this port, if several run")] = None,
) -> None:
    """Print what a client of `claudegpt serve` needs.

    Address, token, models, windows, and the switch for auto mode. Example: eval "$(claudegpt env)"
    """
    from .serve import show_env

    forms = [name for name, given in {"shell": shell, "json": as_json, "vscode": vscode}.items() if given]
    if len(forms) > 1:
        raise BadSetting("--shell, --json and --vscode are three forms of the same.", "Give one of them.")
    number = PORT.parse(check_option_value("--port", port)) if port else None
    show_env(load(ctx.obj).dirs, forms[0] if forms else "shell", number)


@app.command()
def usage(ctx: typer.Context, as_json: Json = False) -> None:
    """Show the tokens used and what they cost, by model and account.

    Today, in the last 7 days and in the last 30 days. For a ChatGPT plan also its quota.
    """
    from .usage import show_usage

    show_usage(ctx.obj, as_json=as_json)


# this program itself


@app.command()
def update(ctx: typer.Context) -> None:
    """Update claudegpt by the way it was installed.

    A clone by git, otherwise by uv, pipx or pip. Claude Code has its own updater: claudegpt -- update
    """
    from .update import update_claudegpt

    raise typer.Exit(update_claudegpt(ctx.obj))


@app.command()
def upgrade(ctx: typer.Context) -> None:
    """The same as update."""
    update(ctx)


@app.command()
def uninstall(
    ctx: typer.Context, yes: Annotated[bool, typer.Option("--yes", help="delete without asking")] = False
) -> None:
    """Show what claudegpt keeps on this machine, and delete it.

    Keys, logins, traces of conversations, the installed Claude Code. Then it says how to remove the program.
    """
    from .uninstall import uninstall_claudegpt

    raise typer.Exit(uninstall_claudegpt(ctx.obj, yes=yes))


@app.command()
def completion(shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish")]) -> None:
    """Print a completion script for bash, zsh or fish.

    Example: claudegpt completion bash > ~/.local/share/bash-completion/completions/claudegpt
    """
    from .completion import show_completion

    show_completion(shell)


# trace


@trace.command("ls")
def trace_ls(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="show at most N turns; 0 shows all")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON array to stdout")] = False,
) -> None:
    """List the newest turns, one a line."""
    from .traces import show_traces

    show_traces(load(ctx.obj), limit=limit, as_json=as_json)


@trace.command("show")
def trace_show(
    ctx: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="the id, or the beginning of it, that `trace ls` shows")],
    request: Annotated[bool, typer.Option("--request", help="the request of Claude Code, as JSON")] = False,
    sent: Annotated[bool, typer.Option("--sent", help="the request to the backend, as JSON")] = False,
    answer: Annotated[bool, typer.Option("--answer", help="the answer to Claude Code, as JSON")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the whole trace, as JSON")] = False,
) -> None:
    """Show one turn, as text or as JSON.

    The request, what was sent to the backend and what was changed in it, and the answer.
    """
    from .traces import ALL, show_trace

    wanted = [name for name, given in {"request": request, "sent": sent, "answer": answer}.items() if given]
    if len(wanted) > 1:
        raise BadSetting(
            "--request, --sent and --answer each show one part of the trace.", "Give one of them, or --json for all."
        )
    show_trace(load(ctx.obj), id_, part=wanted[0] if wanted else ALL if as_json else None)
