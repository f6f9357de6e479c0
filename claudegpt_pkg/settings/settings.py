"""One reading of all settings: flag > environment > files > default.

Files, first wins: `config.env` in the user's config directory, `~/.claude/.env`, `.env` beside the clone's `claudegpt`
script. A `.env` in the current directory is never read: a cloned repository must not be able to redirect a key. An
empty value counts as not set.

    settings = load(flags={"CLAUDEGPT_PROVIDER": "demo"})
    settings[PROVIDER]          # typed and parsed; BadSetting if the text cannot be parsed
    settings.source(PROVIDER)   # "flag", "the environment", a file's path, or "default"
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import platformdirs

from .. import files
from ..errors import BadSetting
from ..secret import register_secret
from . import env_file
from .options import NAMES, NO_SETTINGS, OPTIONS, OURS, TRACE_DIR, Option, nearest
from .values import credentials_in, is_loopback

T = TypeVar("T")


@dataclass(frozen=True)
class Dirs:
    """The folders of claudegpt's own files; `CLAUDEGPT_HOME` moves them all under one folder."""

    config: Path
    data: Path
    state: Path
    cache: Path

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> Dirs:
        if home := environ.get("CLAUDEGPT_HOME"):
            root = Path(home).expanduser().absolute()
            return cls(root / "config", root / "data", root / "state", root / "cache")
        where = platformdirs.PlatformDirs("claudegpt", appauthor=False)
        return cls(where.user_config_path, where.user_data_path, where.user_state_path, where.user_cache_path)

    @property
    def config_file(self) -> Path:
        return self.config / "config.env"


@dataclass(frozen=True)
class Layer:
    """One place of values: its name for the user, and the values."""

    source: str
    values: Mapping[str, str]


class Settings:
    """All settings as one reading found them. Immutable. A value is parsed each time it is looked up."""

    def __init__(self, layers: list[Layer], dirs: Dirs, *, serving: bool = False):
        self._layers = layers
        self._serving = serving
        self.dirs = dirs

    def __getitem__(self, option: Option[T]) -> T:
        """The option's value. Raises BadSetting naming the setting, its source and what it wants."""
        found = self._find(option)
        if found is None:
            return option.default
        raw, source, name = found
        try:
            return option.parse(raw)
        except ValueError as problem:
            shown = f", not {raw!r}" if option.show(raw) == raw else "; its value is hidden"
            raise BadSetting(f"{name} {problem}{shown} (from {source}).", "Correct it there.") from None

    def source(self, option: Option[Any]) -> str:
        found = self._find(option)
        return found[1] if found else "default"

    def written_text(self, option: Option[Any]) -> str | None:
        """What the user wrote, usable or not; None if the default holds."""
        found = self._find(option)
        return found[0] if found else None

    def find_overruled(self, changes: Mapping[str, str | None]) -> list[str]:
        """A sentence for each change of `config.env` that has no effect, because another place wins."""
        return [
            f"{name} is also set in {self.source(OPTIONS[name])}, which wins."
            for name, value in changes.items()
            if (self.written_text(OPTIONS[name]) or None) != (value or None)
        ]

    def check(self) -> None:
        """Raises BadSetting for the first value that cannot be used."""
        for option in OPTIONS.values():
            self[option]

    def misspelt(self) -> list[tuple[str, str, str]]:
        """Names that begin like ours but are no setting: each with its source and the name that it may mean."""
        return [
            (name, layer.source, near)
            for layer in self._layers
            for name in layer.values
            if name.startswith(OURS) and name not in NAMES.keys() | NO_SETTINGS and (near := nearest(name))
        ]

    def find_exposed_files(self) -> list[Path]:
        """The files that hold a secret in use and that other users can read."""
        sources = {self.source(option) for option in OPTIONS.values() if option.secret}
        found = (Path(layer.source) for layer in self._layers if layer.source in sources)
        return [file for file in found if file.is_absolute() and files.is_exposed(file)]

    @cached_property
    def trace_dir(self) -> Path:
        return self[TRACE_DIR] or self.dirs.state / "traces"

    def show_value(self, option: Option[Any]) -> str | None:
        """What the user wrote, with *** for a secret; None if the default holds."""
        written = self.written_text(option)
        return None if written is None else option.show(written)

    def _find(self, option: Option[Any]) -> tuple[str, str, str] | None:
        """The text, its source, and the name under which it stands there."""
        names = (option.name, *option.also, *(option.also_serving if self._serving else ()))
        for layer in self._layers:
            for name in names:
                if value := layer.values.get(name):
                    return value, layer.source, name
        return None


def load(
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    pending: Mapping[str, str | None] | None = None,
    serving: bool = False,
) -> Settings:
    """Read every layer. `flags` maps setting names to values; `environ` defaults to the process's; `pending` are
    changes to `config.env` that are not written yet. `serving`: for `claudegpt serve`, for which PORT counts too.

    Raises BadSetting when a settings file is there but cannot be read.
    """
    environ = os.environ if environ is None else environ
    _hold_proxy_logins(environ)
    dirs = Dirs.find(environ)
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    others = [home / ".claude" / ".env"]
    if clone := environ.get("CLAUDEGPT_CLONE"):  # set by the clone's `claudegpt` script
        others.append(Path(clone) / ".env")
    config = {**env_file.read(dirs.config_file, strict=True), **(pending or {})}
    layers = [
        Layer("flag", flags or {}),
        Layer("the environment", environ),
        Layer(str(dirs.config_file), {name: value for name, value in config.items() if value}),
        *(Layer(str(file), env_file.read(file)) for file in others),
    ]
    _hold_address_credentials(layers)
    return Settings(layers, dirs, serving=serving)


def _hold_proxy_logins(environ: Mapping[str, str]) -> None:
    """Treat the user's login at an HTTP proxy as a secret: as it is written, and as it is sent."""
    for name, address in environ.items():
        if name.lower().endswith("_proxy") and "@" in address:
            login = address.rpartition("@")[0].rpartition("://")[2]
            for written in (login, unquote(login)):
                register_secret(written)
                register_secret(written.partition(":")[2])
            register_secret(base64.b64encode(unquote(login).encode()).decode())


def _hold_address_credentials(layers: Iterable[Layer]) -> None:
    """A secret in an address is refused; until it is, no message must show it."""
    for option in OPTIONS.values():
        if option.is_address:
            for layer in layers:
                for credential in credentials_in(layer.values.get(option.name, "")):
                    if not is_loopback(credential):  # http://127.0.0.1@elsewhere: every message names that host
                        register_secret(credential)
