"""The declarations of all settings, in the order of docs/configuration.md.

A setting has one name everywhere: the environment variable's. It is declared once, here; `values.py` parses it and
`settings.py` finds it. `python -m tests.support.configuration > docs/configuration.md` prints the page about them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..secret import MASK, Secret
from .values import (
    account_url,
    api_version,
    azure_address,
    claude_release,
    codex_url,
    count,
    credentials_in,
    effort,
    flag,
    model_name,
    names,
    one_of,
    path,
    port,
    responses_url,
    seconds,
    secret,
    size,
    text,
    web_url,
    windows,
    word,
)

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
    also_serving: tuple[str, ...] = ()  # names that count for `claudegpt serve` only
    secret: bool = False

    @property
    def is_address(self) -> bool:
        return self.parse in _ADDRESSES

    def show(self, written: str) -> str:
        """What the user wrote, fit to be shown: *** for a secret, also for an address that holds one."""
        hidden = self.secret or (self.is_address and credentials_in(written))
        return MASK if hidden else written


_ADDRESSES: tuple[Callable[[str], Any], ...] = (account_url, azure_address, codex_url, responses_url, web_url)


PROVIDERS = ("chatgpt", "codex", "openai", "azure", "demo")

NO_TEXT: str | None = None
NO_SECRET: Secret | None = None
NO_FLAG: bool | None = None
NO_NAMES: tuple[str, ...] = ()
NANO: tuple[str, ...] = ("nano",)
NO_PATH: Path | None = None
NO_WINDOWS: Mapping[str, int] = {}

PROVIDER = Option("CLAUDEGPT_PROVIDER", one_of(*PROVIDERS), NO_TEXT, "whose model runs: " + ", ".join(PROVIDERS))
OPENAI_API_KEY = Option("OPENAI_API_KEY", secret, NO_SECRET, "provider openai: the API key", secret=True)
OPENAI_BASE_URL = Option(
    "OPENAI_BASE_URL",
    responses_url,
    "https://api.openai.com/v1",
    "provider openai: where the Responses API is; any compatible server works, Ollama and vLLM among them",
)
OPENAI_ORGANIZATION = Option(
    "OPENAI_ORG_ID", word, NO_TEXT, "provider openai: the organization that pays, if the key belongs to several"
)
OPENAI_PROJECT = Option(
    "OPENAI_PROJECT", word, NO_TEXT, "provider openai: the project that pays", also=("OPENAI_PROJECT_ID",)
)
OPENAI_OPUS = Option("CLAUDEGPT_OPENAI_OPUS", model_name, NO_TEXT, "openai: the opus tier's model", "newest known")
OPENAI_SONNET = Option(
    "CLAUDEGPT_OPENAI_SONNET", model_name, NO_TEXT, "openai: the sonnet tier's model", "newest known"
)
OPENAI_HAIKU = Option("CLAUDEGPT_OPENAI_HAIKU", model_name, NO_TEXT, "openai: the haiku tier's model", "newest known")
CODEX_OPUS = Option(
    "CLAUDEGPT_CODEX_OPUS", model_name, NO_TEXT, "chatgpt, codex: the opus tier's model", "newest it has"
)
CODEX_SONNET = Option(
    "CLAUDEGPT_CODEX_SONNET", model_name, NO_TEXT, "chatgpt, codex: the sonnet tier's model", "newest it has"
)
CODEX_HAIKU = Option(
    "CLAUDEGPT_CODEX_HAIKU", model_name, NO_TEXT, "chatgpt, codex: the haiku tier's model", "newest it has"
)
CODEX_AUTH = Option(
    "CLAUDEGPT_CODEX_AUTH", path, NO_PATH, "codex: the Codex CLI's login", "`auth.json` in `CODEX_HOME`"
)
CODEX_HOME = Option("CODEX_HOME", path, NO_PATH, "codex: the Codex CLI's folder", "`~/.codex`")
CODEX_BASE_URL = Option(
    "CODEX_BASE_URL",
    codex_url,
    "https://chatgpt.com/backend-api/codex",
    "chatgpt, codex: where the ChatGPT backend is; https, or this machine",
)
CODEX_VERSION = Option(
    "CLAUDEGPT_CODEX_VERSION",
    word,
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
    "AZURE_OPENAI_ENDPOINT", azure_address, NO_TEXT, "azure: the resource's address, in any form the portal shows it"
)
AZURE_API_KEY = Option(
    "AZURE_OPENAI_API_KEY", secret, NO_SECRET, "azure: the resource's key", "Entra ID, with the extra", secret=True
)
AZURE_API_VERSION = Option(
    "AZURE_OPENAI_RESPONSES_API_VERSION",
    api_version,
    NO_TEXT,
    "azure: an `api-version` to ask for, where one is needed",
)
AZURE_OPUS = Option(
    "AZURE_OPENAI_CHAT_DEPLOYMENT_FULL", model_name, NO_TEXT, "azure: the opus tier's deployment", "the sonnet tier's"
)
AZURE_SONNET = Option(
    "AZURE_OPENAI_CHAT_DEPLOYMENT", model_name, NO_TEXT, "azure: the sonnet tier's deployment", "the opus tier's"
)
AZURE_HAIKU = Option(
    "AZURE_OPENAI_CHAT_DEPLOYMENT_NANO", model_name, NO_TEXT, "azure: the haiku tier's deployment", "the sonnet tier's"
)
DEFAULT_OPUS = Option(
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    model_name,
    NO_TEXT,
    "the opus tier's model, if the provider's own setting names none; Claude's own names do not count",
)
DEFAULT_SONNET = Option("ANTHROPIC_DEFAULT_SONNET_MODEL", model_name, NO_TEXT, "the same for the sonnet tier")
DEFAULT_HAIKU = Option("ANTHROPIC_DEFAULT_HAIKU_MODEL", model_name, NO_TEXT, "the same for the haiku tier")
WINDOW = Option(
    "CLAUDEGPT_WINDOW",
    windows,
    NO_WINDOWS,
    "windows of models in tokens, `MODEL=TOKENS,…`, such as `qwen3:8b=131072,llama4=1m`; they beat what a server says",
    "what the account says",
)
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
MAP_WEB_FETCH = Option(
    "CLAUDEGPT_MAP_WEB_FETCH",
    one_of("1", "0", "always"),
    "1",
    "1: the proxy runs Anthropic's server tool `web_fetch`; always: Claude Code's own WebFetch too; 0: neither",
)
WEB_FETCH_SUMMARIZER = Option(
    "CLAUDEGPT_WEB_FETCH_SUMMARIZER",
    text,
    "haiku",
    "the tier or model that reads long pages and answers the question about them (`none`: the model reads them itself)",
)
WEB_FETCH_TIMEOUT = Option("CLAUDEGPT_WEB_FETCH_TIMEOUT", seconds, 15.0, "seconds that fetching one page may take")
WEB_FETCH_MAX_CHARS = Option("CLAUDEGPT_WEB_FETCH_MAX_CHARS", count, 50_000, "characters of a page that are read")
WEB_FETCH_SUMMARY_MAX_CHARS = Option(
    "CLAUDEGPT_WEB_FETCH_SUMMARY_MAX_CHARS", count, 4_000, "characters of the small model's answer about a page"
)
WEB_FETCH_MAX_CHAIN = Option("CLAUDEGPT_WEB_FETCH_MAX_CHAIN", count, 4, "pages that one turn may fetch")
WEB_FETCH_HOSTS = Option(
    "CLAUDEGPT_WEB_FETCH_HOSTS",
    names,
    NO_NAMES,
    "hosts in a private network that may be fetched, as `wiki.internal` or `127.0.0.1:8080`",
)
WEB_FETCH_PROXY = Option(
    "CLAUDEGPT_WEB_FETCH_PROXY", web_url, None, "the HTTP proxy for fetching pages; HTTPS_PROXY is not used for them"
)
TRACE = Option("CLAUDEGPT_TRACE", flag, True, "keep one file a turn: what was asked, sent and answered; never a secret")
TRACE_DIR = Option("CLAUDEGPT_TRACE_DIR", path, NO_PATH, "where traces go", "the state directory")
TRACE_MAX_MB = Option("CLAUDEGPT_TRACE_MAX_MB", count, 200, "oldest traces are deleted past this many MB")
HOST = Option("CLAUDEGPT_HOST", text, "127.0.0.1", "the address the proxy listens on; beyond loopback it needs a token")
PORT = Option(
    "CLAUDEGPT_PORT",
    port,
    0,
    "the port on which the proxy listens; for `claudegpt serve` PORT counts too",
    "a free one",
    also_serving=("PORT",),
)
JSON_LIMIT = Option("PROXY_JSON_LIMIT", size, 64 * 2**20, "the largest request body", "64mb")
TOKEN = Option("CLAUDEGPT_TOKEN", secret, NO_SECRET, "what a client must present", "random at each start", secret=True)
FIRST_EVENT_TIMEOUT = Option(
    "CLAUDEGPT_STREAM_FIRST_EVENT_TIMEOUT",
    seconds,
    600.0,
    "seconds of silence allowed before an answer, between its parts and while the model reasons",
)
IDLE_TIMEOUT = Option(
    "CLAUDEGPT_STREAM_IDLE_TIMEOUT", seconds, 120.0, "seconds of silence allowed within a text that streams"
)
CLAUDE_BIN = Option("CLAUDEGPT_CLAUDE_BIN", path, NO_PATH, "which Claude Code to run", "`claude` on PATH")
CLAUDE_VERSION = Option(
    "CLAUDEGPT_CLAUDE_VERSION",
    claude_release,
    NO_TEXT,
    "which Claude Code claudegpt installs if there is none: a version such as 2.1.330, `latest` or `stable`",
    "the newest tested",
)
UPDATE_CHECK = Option(
    "CLAUDEGPT_UPDATE_CHECK",
    flag,
    True,
    "say so, at most once a day, if a newer claudegpt is out (asked by git at the address it was installed from) or "
    "Claude Code is newer than tested",
)
STATUS_LINE = Option("CLAUDEGPT_STATUS_LINE", flag, True, "a status line of ours in Claude Code, if you have none")
ISOLATE = Option(
    "CLAUDEGPT_GLOBAL_ISOLATE", flag, False, "1: a private Claude config directory that keeps your CLAUDE.md"
)

OPTIONS: dict[str, Option[Any]] = {value.name: value for value in list(globals().values()) if isinstance(value, Option)}
NAMES: dict[str, Option[Any]] = {name: option for option in OPTIONS.values() for name in (option.name, *option.also)}
OURS = "CLAUDEGPT_"
# Read from the environment only, before there are settings; the last two are notes of a session.
NO_SETTINGS = {f"{OURS}{name}" for name in ("HOME", "CLONE", "DEBUG", "EXPORTED", "STARTED")}


def nearest(name: str) -> str | None:
    """The setting that may be meant by a name that is none; None where nothing is like it."""
    from difflib import get_close_matches

    by_word = {known.removeprefix(OURS): known for known in NAMES}  # what all have in common makes none alike
    found = get_close_matches(name.upper().removeprefix(OURS), by_word, 1)
    return by_word[found[0]] if found else None
