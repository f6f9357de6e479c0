"""`claudegpt completion SHELL`: a completion script for bash, zsh or fish.

The script is made from the tables of commands and options, so that a press of Tab starts no Python. It completes
claudegpt's commands, their options and the fixed values (providers, efforts, names of settings), and file names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..claude.arguments import OUR_OPTIONS
from ..errors import BadSetting
from ..models import EFFORTS
from ..settings.options import OPTIONS, PROVIDERS
from ..terminal.console import result
from .help import SUMMARIES

# What to put where, by shell.
PLACES = {
    "bash": "claudegpt completion bash > ~/.local/share/bash-completion/completions/claudegpt",
    "zsh": "claudegpt completion zsh > ~/.zfunc/_claudegpt   # with ~/.zfunc in fpath before compinit",
    "fish": "claudegpt completion fish > ~/.config/fish/completions/claudegpt.fish",
}
VALUES = {"--provider": PROVIDERS, "--effort": tuple(EFFORTS)}
_SETTING_COMMANDS = ("get", "set", "unset")

Words = Mapping[str, tuple[str, ...]]  # a command → what may follow it


def show_completion(shell: str) -> None:
    """Print the script. Raises BadSetting for an unknown shell."""
    maker = _MAKERS.get(shell)
    if maker is None:
        raise BadSetting(f"There is no completion for {shell}.", f"Choose one of {', '.join(_MAKERS)}.")
    for line in maker(_find_words()).splitlines():
        result(line)


def _find_words() -> Words:
    """The words that may follow each command, and under "" those that may follow `claudegpt` itself."""
    import typer.main

    from .app import app

    root: Any = typer.main.get_command(app)
    words = {"": (*SUMMARIES, *OUR_OPTIONS, "--help", "--version")}
    for name, command in root.commands.items():
        words[name] = (*getattr(command, "commands", {}), *_options(command), "--help")
    words["use"] = (*PROVIDERS, *words["use"])
    words["help"] = tuple(SUMMARIES)
    words["completion"] = tuple(_MAKERS)
    return words


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (option for option in parameter.opts if option.startswith("--") and option != "--help")


def _bash(words: Words) -> str:
    cases = "\n".join(f'        {name}) words="{" ".join(follow)}" ;;' for name, follow in words.items() if name)
    values = "\n".join(f'        {option}) words="{" ".join(follow)}" ;;' for option, follow in VALUES.items())
    return f"""# {PLACES["bash"]}
_claudegpt() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words
    case ${{COMP_WORDS[1]}} in
{cases}
        *) words="{" ".join(words[""])}" ;;
    esac
    [ "$COMP_CWORD" = 1 ] && words="{" ".join(words[""])}"
    case "${{COMP_WORDS[1]}} $before" in
        {"|".join(f'"config {each}"' for each in _SETTING_COMMANDS)}) words="{" ".join(OPTIONS)}" ;;
    esac
    case $before in
{values}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -o bashdefault -F _claudegpt claudegpt
"""


def _zsh(words: Words) -> str:
    commands = "\n".join(f"        '{name}:{_quote(text)}'" for name, text in SUMMARIES.items())
    cases = "\n".join(f"        {name}) compadd -- {' '.join(follow)} ;;" for name, follow in words.items() if name)
    values = "\n".join(f"        {name}) compadd -- {' '.join(follow)}; return ;;" for name, follow in VALUES.items())
    options = " ".join((*OUR_OPTIONS, "--help", "--version"))
    return f"""#compdef claudegpt
# {PLACES["zsh"]}
_claudegpt() {{
    local -a commands
    commands=(
{commands}
    )
    case $words[CURRENT-1] in
{values}
    esac
    if (( CURRENT == 2 )); then
        _describe command commands
        compadd -- {options}
        return
    fi
    if [[ $words[2] == config && $words[3] == ({"|".join(_SETTING_COMMANDS)}) ]] && (( CURRENT == 4 )); then
        compadd -- {" ".join(OPTIONS)}
        return
    fi
    case $words[2] in
{cases}
        *) _files ;;
    esac
}}
if [[ $funcstack[1] == _claudegpt ]]; then _claudegpt "$@"; else compdef _claudegpt claudegpt; fi
"""


def _fish(words: Words) -> str:
    lines = [f"# {PLACES['fish']}"]
    for name, text in SUMMARIES.items():
        lines.append(f"complete -c claudegpt -n __fish_use_subcommand -f -a {name} -d '{_quote(text)}'")
    for option in OUR_OPTIONS.values():
        values = f" -x -a '{' '.join(VALUES[option.name])}'" if option.name in VALUES else ""
        help_ = _quote(option.help)
        lines.append(f"complete -c claudegpt -n __fish_use_subcommand -l {option.name[2:]}{values} -d '{help_}'")
    for name in SUMMARIES:
        seen = f"'__fish_seen_subcommand_from {name}'"
        follow = words.get(name, ())
        lines += [f"complete -c claudegpt -n {seen} -l {word[2:]}" for word in follow if word.startswith("--")]
        if others := [word for word in follow if not word.startswith("--")]:
            lines.append(f"complete -c claudegpt -n {seen} -f -a '{' '.join(others)}'")
    seen = f"'__fish_seen_subcommand_from {' '.join(_SETTING_COMMANDS)}'"
    lines.append(f"complete -c claudegpt -n {seen} -f -a '{' '.join(OPTIONS)}'")
    return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    """For single quotes in each of the shells."""
    return text.replace("'", "").replace(":", "\\:")


_MAKERS: dict[str, Callable[[Words], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
