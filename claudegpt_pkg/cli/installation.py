"""How claudegpt was installed on this machine: what updates it, what removes it, and where it came from.

    find_installation()   # Installation(kind="uv", place=…, update=("uv", "tool", "upgrade", "claudegpt"), …)

Each installer leaves a note that tells: the clone's script sets CLAUDEGPT_CLONE, uv and pipx put a receipt into the
environment, and pip, uv and pipx write `direct_url.json` beside the package's metadata (PEP 610).
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

NAME = "claudegpt"


@dataclass(frozen=True)
class Installation:
    """`update` and `remove` are commands for a shell; `update` is empty if no command updates this installation."""

    kind: str  # as a user would say it: "a clone", "uv", "pipx", "pip"
    place: Path
    update: tuple[str, ...]
    remove: tuple[str, ...]
    source: str = ""  # the git address that it came from; empty if unknown

    @property
    def is_clone(self) -> bool:
        return self.kind == "a clone"


def find_installation(environ: Mapping[str, str] = os.environ, prefix: Path | None = None) -> Installation:
    """`prefix`: the folder of the Python environment, normally the one that runs this."""
    prefix = prefix or Path(sys.prefix)
    package = Path(__file__).parents[1]
    if (clone := environ.get("CLAUDEGPT_CLONE")) and (Path(clone) / package.name).resolve() == package.resolve():
        return _clone(Path(clone))
    record = _direct_url()
    source = _git_address(record)
    if (prefix / "uv-receipt.toml").exists():
        return Installation("uv", prefix, ("uv", "tool", "upgrade", NAME), ("uv", "tool", "uninstall", NAME), source)
    if (prefix / "pipx_metadata.json").exists():
        return Installation("pipx", prefix, ("pipx", "upgrade", NAME), ("pipx", "uninstall", NAME), source)
    if record is not None and (folder := _editable_folder(record)):
        return _clone(folder)
    pip = (sys.executable, "-I", "-m", "pip")
    wanted = f"{NAME} @ git+{source}" if source else NAME
    updatable = source or record == {}  # a file or an address that is no repository has nothing newer
    update = (*pip, "install", "--upgrade", wanted) if updatable else ()
    return Installation("pip", prefix, update, (*pip, "uninstall", NAME), source)


def show_command(command: tuple[str, ...]) -> str:
    """The command as it is typed into a shell."""
    return shlex.join(command)


def _clone(folder: Path) -> Installation:
    is_repository = (folder / ".git").exists()
    update = ("git", "-C", str(folder), "pull", "--ff-only") if is_repository else ()
    return Installation("a clone", folder, update, ("rm", "-r", str(folder)))


def _direct_url() -> dict[str, Any] | None:
    """What direct_url.json says; {} if the package came from an index by its name; None if it is not installed."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        text = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    try:
        record = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _git_address(record: Mapping[str, Any] | None) -> str:
    origin = (record or {}).get("vcs_info")
    url = (record or {}).get("url")
    is_git = isinstance(origin, dict) and origin.get("vcs") == "git" and isinstance(url, str)
    return str(url) if is_git else ""


def _editable_folder(record: Mapping[str, Any]) -> Path | None:
    folder = record.get("dir_info")
    if isinstance(folder, dict) and folder.get("editable"):
        return Path(unquote(urlsplit(str(record.get("url"))).path))
    return None
