"""`claudegpt use`: list the accounts that are set up on this machine, and choose the one that sessions run on.

An account is ready if its credential is there; whether the server accepts it, `claudegpt status` finds out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..accounts.provider_table import PROVIDER_TABLE
from ..errors import ClaudegptError
from ..settings import env_file
from ..settings.options import PROVIDER, PROVIDERS
from ..settings.settings import Settings, load
from ..terminal.console import from_home, marks, plain, result_json, result_rows, say

DEMO = "built-in demo"


@dataclass(frozen=True)
class Account:
    """One provider on this machine. `label` is None, and `problem` the reason, if it cannot be used."""

    name: str
    label: str | None
    problem: ClaudegptError | None = None


def use_account(flags: Mapping[str, str], name: str) -> None:
    """Make `name` the account of every session from now on. Raises ClaudegptError if it is not set up."""
    account = _find_account(load({**flags, PROVIDER.name: name}), name)
    if account.problem:
        raise type(account.problem)(account.problem.message, f"Run `claudegpt setup --provider {name}`.")
    env_file.change(load(flags).dirs.config_file, {PROVIDER.name: name})
    say(f"Sessions now run on {name}: {account.label}. `claudegpt status` shows whether it works.")
    for note in load(flags).find_overruled({PROVIDER.name: name}):
        say(note)


def show_accounts(flags: Mapping[str, str], *, as_json: bool) -> None:
    settings = load(flags)
    accounts = [_find_account(settings, name) for name in PROVIDERS]
    current = settings.written_text(PROVIDER)
    if as_json:
        rows = [
            {
                "name": each.name,
                "current": each.name == current,
                "ready": each.problem is None,
                "label": each.label,
                "problem": str(each.problem) if each.problem else None,
            }
            for each in accounts
        ]
        result_json(rows)
        return
    result_rows(_account_rows(accounts, current))
    say("`claudegpt use NAME` switches; `claudegpt setup` sets one up.")


def _find_account(settings: Settings, name: str) -> Account:
    """Whether the account can be used as far as this machine knows. No server is contacted."""
    make = PROVIDER_TABLE[name].make
    if make is None:
        return Account(name, DEMO)
    try:
        return Account(name, make(settings).label)
    except ClaudegptError as problem:
        return Account(name, None, problem)


def _account_rows(accounts: list[Account], current: str | None) -> Iterator[tuple[str, str, str]]:
    """Rich markup: a mark for the account in use, its name, and what it is or what it lacks."""
    signs = marks(sys.stdout)
    for each in accounts:
        mark = f"[green]{signs.right}[/green]" if each.name == current else " "
        problem = f"[dim]not set up: {plain(from_home(each.problem.message))}[/dim]" if each.problem else ""
        yield mark, plain(each.name), plain(each.label) if each.label else problem
