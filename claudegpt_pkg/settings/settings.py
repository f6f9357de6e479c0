"""Every setting, declared once; and one reading of them all: flag > environment > files > default.

The name is the environment variable's, everywhere. Files, first wins: `config.env` in the user's config directory,
`~/.claude/.env`, `.env` beside the clone's `claudegpt` script. A `.env` in the current directory is never read: a
cloned repo must not be able to redirect a key. An empty value counts as not set.

    settings = load(flags={"CLAUDEGPT_PROVIDER": "demo"})
    settings[PROVIDER]          # typed, parsed; BadSetting if what the user wrote cannot be
    settings.source(PROVIDER)   # "flag", "the environment", a file's path, or "default"
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import unquote, urlsplit

import platformdirs

from .. import files
from ..errors import BadSetting
from ..secret import Secret as Secret  # settings are where most of them come from
from ..secret import hold
from . import env_file

T = TypeVar("T")


@dataclass(frozen=True)
class Option(Generic[T]):
    """One setting: `parse` turns the text into the value and raises ValueError saying what it wants."""

    name: str
    parse: Callable[[str], T]
    default: T
    help: str
    shown_default: str = ""  # what the docs say when `default` alone does not say it
    also: tuple[str, ...] = ()  # older or foreign names of the same setting
    secret: bool = False


# How values are written.


def text(value: str) -> str:
    return value


def flag(value: str) -> bool:
    word = value.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError("is 1 or 0")


def one_of(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        word = value.strip().lower()
        if word in words:
            return word
        raise ValueError("is one of " + ", ".join(words))

    return parse


def names(value: str) -> tuple[str, ...]:
    if value.strip().lower() == "none":
        return ()
    return tuple(part.strip() for part in value.split(",") if part.strip())


def seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise ValueError("is a number of seconds") from None
    if not 0 < number < 86_400:
        raise ValueError("is a number of seconds above 0 and under a day")
    return number


def count(value: str) -> int:
    if not value.strip().isdigit():
        raise ValueError("is a whole number")
    return int(value)


def port(value: str) -> int:
    number = count(value)
    if number > 65_535:
        raise ValueError("is a port number, 0 to 65535")
    return number


def size(value: str) -> int:
    """Bytes, from "64mb", "500kb", "1gb" or a plain number."""
    match = re.fullmatch(r"(\d+)\s*(b|kb|mb|gb)?", value.strip().lower())
    if not match:
        raise ValueError("is a size such as 64mb")
    return int(match[1]) * {None: 1, "b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}[match[2]]


def web_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+\S*", value.strip()):
        raise ValueError("is an address that begins with https:// or http://")
    if "@" in urlsplit(value.strip()).netloc:
        raise ValueError("is an address without a user name or password")
    try:
        (urlsplit(value.strip()).hostname or "").encode("idna")  # as every library does it, later
    except UnicodeError:
        raise ValueError("is an address with a host name that can exist") from None
    return value.strip().rstrip("/")


def account_url(value: str) -> str:
    """An address that a login or a key may be sent to."""
    parts = urlsplit(web_url(value))
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("is an address that begins with https:// (http:// only on this machine)")
    return parts.geturl()


def secret(value: str) -> Secret:
    """A key as it can stand in a header; what a file it was read from has around it does not count."""
    if not re.fullmatch(r"[!-~]+", value.strip()):
        raise ValueError("is one word of ASCII characters")
    return Secret(value.strip())


def path(value: str) -> Path:
    return Path(value).expanduser()


def is_loopback(host: str) -> bool:
    """Whether a host name, with or without brackets or a dot at its end, is this machine's own."""
    name = host.strip("[]").lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


PROVIDERS = ("chatgpt", "codex", "openai", "azure", "demo")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
effort = one_of(*EFFORTS)

# The declarations, in the order of docs/configuration.md.

NO_TEXT: str | None = None
NO_SECRET: Secret | None = None
NO_FLAG: bool | None = None
NO_NAMES: tuple[str, ...] = ()
NANO: tuple[str, ...] = ("nano",)
NO_PATH: Path | None = None

PROVIDER = Option("CLAUDEGPT_PROVIDER", one_of(*PROVIDERS), NO_TEXT, "whose model runs: " + ", ".join(PROVIDERS))
OPENAI_API_KEY = Option("OPENAI_API_KEY", secret, NO_SECRET, "provider openai: the API key", secret=True)
OPENAI_BASE_URL = Option(
    "OPENAI_BASE_URL",
    web_url,
    "https://api.openai.com/v1",
    "provider openai: where the Responses API is; any compatible server works, Ollama and vLLM among them",
)
OPENAI_OPUS = Option("CLAUDEGPT_OPENAI_OPUS", text, NO_TEXT, "openai: the opus tier's model", "newest known")
OPENAI_SONNET = Option("CLAUDEGPT_OPENAI_SONNET", text, NO_TEXT, "openai: the sonnet tier's model", "newest known")
OPENAI_HAIKU = Option("CLAUDEGPT_OPENAI_HAIKU", text, NO_TEXT, "openai: the haiku tier's model", "newest known")
CODEX_OPUS = Option("CLAUDEGPT_CODEX_OPUS", text, NO_TEXT, "chatgpt, codex: the opus tier's model", "newest it has")
CODEX_SONNET = Option(
    "CLAUDEGPT_CODEX_SONNET", text, NO_TEXT, "chatgpt, codex: the sonnet tier's model", "newest it has"
)
CODEX_HAIKU = Option("CLAUDEGPT_CODEX_HAIKU", text, NO_TEXT, "chatgpt, codex: the haiku tier's model", "newest it has")
CODEX_AUTH = Option(
    "CLAUDEGPT_CODEX_AUTH", path, NO_PATH, "codex: the Codex CLI's login", "`auth.json` in `CODEX_HOME`"
)
CODEX_HOME = Option("CODEX_HOME", path, NO_PATH, "codex: the Codex CLI's folder", "`~/.codex`")
CODEX_BASE_URL = Option(
    "CODEX_BASE_URL",
    account_url,
    "https://chatgpt.com/backend-api/codex",
    "chatgpt, codex: where the ChatGPT backend is; https, or this machine",
)
CODEX_VERSION = Option(
    "CLAUDEGPT_CODEX_VERSION",
    text,
    NO_TEXT,
    "chatgpt, codex: a Codex CLI version to name as the newest we know, should a new model be withheld without one",
)
AUTH_URL = Option(
    "CLAUDEGPT_AUTH_URL",
    account_url,
    "https://auth.openai.com",
    "chatgpt, codex: where the login server is; https, or this machine",
)
AZURE_ENDPOINT = Option(
    "AZURE_OPENAI_ENDPOINT", text, NO_TEXT, "azure: the resource's address, in any form the portal shows it"
)
AZURE_API_KEY = Option(
    "AZURE_OPENAI_API_KEY", secret, NO_SECRET, "azure: the resource's key", "Entra ID, with the extra", secret=True
)
AZURE_API_VERSION = Option(
    "AZURE_OPENAI_RESPONSES_API_VERSION", text, NO_TEXT, "azure: an `api-version` to ask for, where one is needed"
)
AZURE_OPUS = Option(
    "AZURE_OPENAI_CHAT_DEPLOYMENT_FULL", text, NO_TEXT, "azure: the opus tier's deployment", "the sonnet tier's"
)
AZURE_SONNET = Option(
    "AZURE_OPENAI_CHAT_DEPLOYMENT", text, NO_TEXT, "azure: the sonnet tier's deployment", "the opus tier's"
)
AZURE_HAIKU = Option(
    "AZURE_OPENAI_CHAT_DEPLOYMENT_NANO", text, NO_TEXT, "azure: the haiku tier's deployment", "the sonnet tier's"
)
DEFAULT_OPUS = Option("ANTHROPIC_DEFAULT_OPUS_MODEL", text, NO_TEXT, "if you export it, it is the opus tier's model")
DEFAULT_SONNET = Option("ANTHROPIC_DEFAULT_SONNET_MODEL", text, NO_TEXT, "the same for the sonnet tier")
DEFAULT_HAIKU = Option("ANTHROPIC_DEFAULT_HAIKU_MODEL", text, NO_TEXT, "the same for the haiku tier")
PASSTHROUGH = Option(
    "PASSTHROUGH_MODE",
    flag,
    NO_FLAG,
    "unset: `claude-*` names are mapped, others go as they are; 1: all as they are; 0: unknown names map to sonnet",
)
EFFORT = Option(
    "CLAUDEGPT_EFFORT",
    effort,
    NO_TEXT,
    "effort where a request names none, and with which a session begins unless you named one to Claude Code",
    also=("PROXY_DEFAULT_EFFORT",),
)
REASONING_OPUS = Option("CLAUDEGPT_REASONING_OPUS", effort, NO_TEXT, "opus: the same for this tier")
REASONING_SONNET = Option("CLAUDEGPT_REASONING_SONNET", effort, NO_TEXT, "sonnet: the same for this tier")
REASONING_HAIKU = Option("CLAUDEGPT_REASONING_HAIKU", effort, "low", "haiku: the most effort it may use")
TOOLS_REASONING = Option(
    "CLAUDEGPT_TOOLS_REASONING", effort, NO_TEXT, "the most effort a turn that declares tools may use"
)
IDENTITY = Option(
    "CLAUDEGPT_TRUE_IDENTITY", flag, True, "say the real model's name where the prompt says 'you are Claude'"
)
BLOCK_MCP = Option("CLAUDEGPT_BLOCK_MCP", flag, False, "leave `mcp__*` tools out of every request")
DROP_TOOLS = Option("CLAUDEGPT_DROP_TOOLS", names, NO_NAMES, "leave these tools out of every request (comma-separated)")
PARALLEL_TOOLS = Option(
    "CLAUDEGPT_PARALLEL_TOOLS",
    one_of("auto", "on", "off"),
    "auto",
    "parallel tool calls; auto: on for Claude Code, off for other clients with tools that change things",
)
TOOL_SEARCH = Option("CLAUDEGPT_TOOL_SEARCH", flag, True, "let Claude Code hold back tool schemas until needed")
MCP_SERVERS = Option(
    "PROXY_MCP_SERVERS",
    names,
    NO_NAMES,
    "servers of `~/.claude.json` (or `all`) whose tools are added to requests that lack them",
)
MAP_WEB_SEARCH = Option("CLAUDEGPT_MAP_WEB_SEARCH", flag, True, "search the web with the backend's own hosted search")
NO_WEB_SEARCH = Option(
    "CLAUDEGPT_NO_WEB_SEARCH",
    names,
    NANO,
    "models that get no hosted search, by parts of their names (`none`: all get it); another tier's searches instead",
    "nano",
)
TRACE = Option("CLAUDEGPT_TRACE", flag, True, "keep one file a turn: what was asked, sent and answered; never a secret")
TRACE_DIR = Option("CLAUDEGPT_TRACE_DIR", path, NO_PATH, "where traces go", "the state directory")
TRACE_MAX_MB = Option("CLAUDEGPT_TRACE_MAX_MB", count, 200, "oldest traces are deleted past this many MB")
HOST = Option("CLAUDEGPT_HOST", text, "127.0.0.1", "the address the proxy listens on; beyond loopback it needs a token")
PORT = Option("CLAUDEGPT_PORT", port, 0, "the port the proxy listens on", "a free one", also=("PORT",))
JSON_LIMIT = Option("PROXY_JSON_LIMIT", size, 64 * 2**20, "the largest request body", "64mb")
TOKEN = Option("CLAUDEGPT_TOKEN", secret, NO_SECRET, "what a client must present", "random at each start", secret=True)
FIRST_EVENT_TIMEOUT = Option(
    "CLAUDEGPT_STREAM_FIRST_EVENT_TIMEOUT", seconds, 300.0, "seconds the upstream may take to begin an answer"
)
IDLE_TIMEOUT = Option("CLAUDEGPT_STREAM_IDLE_TIMEOUT", seconds, 120.0, "seconds of silence allowed within an answer")
CLAUDE_BIN = Option("CLAUDEGPT_CLAUDE_BIN", path, NO_PATH, "which Claude Code to run", "`claude` on PATH")
STATUS_LINE = Option("CLAUDEGPT_STATUS_LINE", flag, True, "a status line of ours in Claude Code, if you have none")
ISOLATE = Option(
    "CLAUDEGPT_GLOBAL_ISOLATE", flag, False, "1: a private Claude config directory that keeps your CLAUDE.md"
)

OPTIONS: dict[str, Option[Any]] = {value.name: value for value in list(globals().values()) if isinstance(value, Option)}
NAMES: dict[str, Option[Any]] = {name: option for option in OPTIONS.values() for name in (option.name, *option.also)}
OURS = "CLAUDEGPT_"
NO_SETTINGS = {f"{OURS}HOME", f"{OURS}CLONE", f"{OURS}DEBUG"}  # read from the environment only, before there are any


def nearest(name: str) -> str | None:
    """The setting that may be meant by a name that is none; None where nothing is like it."""
    from difflib import get_close_matches

    by_word = {known.removeprefix(OURS): known for known in NAMES}  # what all have in common makes none alike
    found = get_close_matches(name.upper().removeprefix(OURS), by_word, 1)
    return by_word[found[0]] if found else None


@dataclass(frozen=True)
class Dirs:
    """Where our own files live; `CLAUDEGPT_HOME` moves them all under one folder."""

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
    """One place values come from: its name for the user, and what stands there."""

    source: str
    values: Mapping[str, str]


class Settings:
    """All settings as one reading found them. Immutable; a value is parsed when it is asked for."""

    def __init__(self, layers: list[Layer], dirs: Dirs):
        self._layers = layers
        self.dirs = dirs

    def __getitem__(self, option: Option[T]) -> T:
        """The option's value. Raises BadSetting naming the setting, its source and what it wants."""
        found = self._find(option)
        if found is None:
            return option.default
        raw, source = found
        try:
            return option.parse(raw)
        except ValueError as problem:
            shown = "its value" if option.secret or "@" in raw else repr(raw)
            raise BadSetting(f"{option.name} {problem}, not {shown} (from {source}).", "Correct it there.") from None

    def source(self, option: Option[Any]) -> str:
        found = self._find(option)
        return found[1] if found else "default"

    def written(self, option: Option[Any]) -> str | None:
        """What the user wrote, usable or not; None where the default holds."""
        found = self._find(option)
        return found[0] if found else None

    def overruled(self, changes: Mapping[str, str | None]) -> list[str]:
        """What was written to `config.env` in vain, because another place decides."""
        return [
            f"{name} is also set in {self.source(OPTIONS[name])}, which wins."
            for name, value in changes.items()
            if (self.written(OPTIONS[name]) or None) != (value or None)
        ]

    def check(self) -> None:
        """Raises BadSetting for the first value that cannot be used."""
        for option in OPTIONS.values():
            self[option]

    def misspelt(self) -> list[tuple[str, str, str]]:
        """Names like ours that are none: each with its source, and what may be meant. Nothing goes by them."""
        return [
            (name, layer.source, near)
            for layer in self._layers
            for name in layer.values
            if name.startswith(OURS) and name not in NAMES.keys() | NO_SETTINGS and (near := nearest(name))
        ]

    def exposed(self) -> list[Path]:
        """The files that a secret comes from though others may read them."""
        sources = {self.source(option) for option in OPTIONS.values() if option.secret}
        found = (Path(layer.source) for layer in self._layers if layer.source in sources)
        return [file for file in found if file.is_absolute() and files.exposed(file)]

    @cached_property
    def trace_dir(self) -> Path:
        return self[TRACE_DIR] or self.dirs.state / "traces"

    def _find(self, option: Option[Any]) -> tuple[str, str] | None:
        for layer in self._layers:
            for name in (option.name, *option.also):
                if value := layer.values.get(name):
                    return value, layer.source
        return None


def load(
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    pending: Mapping[str, str | None] | None = None,
) -> Settings:
    """Read every layer. `flags` maps setting names to values; `environ` defaults to the process's; `pending` are
    changes to `config.env` that are not written yet.

    Raises BadSetting when a settings file is there but cannot be read.
    """
    environ = os.environ if environ is None else environ
    hold_proxy_logins(environ)
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
    return Settings(layers, dirs)


def hold_proxy_logins(environ: Mapping[str, str]) -> None:
    """The user's login at an HTTP proxy is a secret too: as it is written, and as it is sent."""
    for name, address in environ.items():
        if name.lower().endswith("_proxy") and "@" in address:
            login = address.rpartition("@")[0].rpartition("://")[2]
            for written in (login, unquote(login)):
                hold(written)
                hold(written.partition(":")[2])
            hold(base64.b64encode(unquote(login).encode()).decode())
