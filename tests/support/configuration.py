"""docs/configuration.md, from the declarations: run python -m tests.support.configuration > docs/configuration.md"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from claudegpt_pkg.settings.options import OPTIONS, Option

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"

OPENING = """# Configuration

Each setting has one name, which is also the name of its environment variable. claudegpt looks for its value in these
places and takes the first that has one:

1. an option of the command line, such as `--provider`
2. the environment
3. `config.env` in your configuration folder (`claudegpt config path` prints where; only you can read the file)
4. `~/.claude/.env`
5. `.env` beside the clone's `claudegpt` script
6. the default

claudegpt never reads a `.env` in the current folder, because a cloned repository could otherwise redirect your key. An
empty value counts as not set.

    claudegpt config                      show every setting, its value, and where the value comes from
    claudegpt config set NAME VALUE       save a value in config.env
    claudegpt config get NAME             print a value
    claudegpt config unset NAME           remove a value from config.env

`claudegpt config` and `claudegpt doctor` report a misspelt `CLAUDEGPT_…` name. `CLAUDEGPT_HOME` moves configuration,
data, state and cache under one folder. An address with a user name, a password or a key in it is refused and never
shown; set the key with its own setting. This page is printed from the declarations in
`claudegpt_pkg/settings/options.py`.

| setting | default | meaning |
|---|---|---|
"""


def page() -> str:
    return OPENING + "".join(f"| {name(option)} | {default(option)} | {option.help} |\n" for option in OPTIONS.values())


def name(option: Option[Any]) -> str:
    also = "".join(f" (also `{other}`)" for other in option.also)
    return f"`{option.name}`{also}"


def default(option: Option[Any]) -> str:
    if option.shown_default:
        return option.shown_default
    value = option.default
    if value is None or value == ():
        return "–"
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  the page is its output
