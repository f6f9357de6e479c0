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
    is_azure_key,
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
    """One setting. `parse` turns the text into the value; its ValueError says what the setting wants."""

    name: str
    parse: Callable[[str], T]
    default: T
    help: str
    shown_default: str = ""  # for the docs, if `default` alone does not tell
    also: tuple[str, ...] = ()  # older or foreign names of the same setting
    also_serving: tuple[str, ...] = ()  # names that count for `claudegpt serve` only
    secret: bool = False

    @property
    def is_address(self) -> bool:
        return self.parse in _ADDRESSES

    def show(self, written: str) -> str:
        """What the user wrote, fit to be shown: *** for a secret, also for an address that holds one."""
        hidden = self.secret or (self.is_address and (credentials_in(written) or is_azure_key(written)))
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

PROVIDER = Option("CLAUDEGPT_PROVIDER", one_of(*PROVIDERS), NO_TEXT, "the account that pays: " + ", ".join(PROVIDERS))
OPENAI_API_KEY = Option("OPENAI_API_KEY", secret, NO_SECRET, "openai: the API key", secret=True)
OPENAI_BASE_URL = Option(
    "OPENAI_BASE_URL",
    responses_url,
    "https://api.openai.com/v1",
    "openai: the address of the Responses API; any compatible server works, such as Ollama or vLLM",
)
OPENAI_ORGANIZATION = Option(
    "OPENAI_ORG_ID", word, NO_TEXT, "openai: the organization that pays, if the key belongs to several"
)
OPENAI_PROJECT = Option("OPENAI_PROJECT", word, NO_TEXT, "openai: the project that pays", also=("OPENAI_PROJECT_ID",))
OPENAI_OPUS = Option("CLAUDEGPT_OPENAI_OPUS", model_name, NO_TEXT, "openai: the model of the opus tier", "newest known")
OPENAI_SONNET = Option(
    "CLAUDEGPT_OPENAI_SONNET", model_name, NO_TEXT, "openai: the model of the sonnet tier", "newest known"
)
OPENAI_HAIKU = Option(
    "CLAUDEGPT_OPENAI_HAIKU", model_name, NO_TEXT, "openai: the model of the haiku tier", "newest known"
)
CODEX_OPUS = Option(
    "CLAUDEGPT_CODEX_OPUS", model_name, NO_TEXT, "chatgpt, codex: the model of the opus tier", "newest it has"
)
CODEX_SONNET = Option(
    "CLAUDEGPT_CODEX_SONNET", model_name, NO_TEXT, "chatgpt, codex: the model of the sonnet tier", "newest it has"
)
CODEX_HAIKU = Option(
    "CLAUDEGPT_CODEX_HAIKU", model_name, NO_TEXT, "chatgpt, codex: the model of the haiku tier", "newest it has"
)
CODEX_AUTH = Option(
    "CLAUDEGPT_CODEX_AUTH", path, NO_PATH, "codex: the file with the Codex CLI's login", "`auth.json` in `CODEX_HOME`"
)
CODEX_HOME = Option("CODEX_HOME", path, NO_PATH, "codex: the Codex CLI's folder", "`~/.codex`")
CODEX_BASE_URL = Option(
    "CODEX_BASE_URL",
    codex_url,
    "https://chatgpt.com/backend-api/codex",
    "chatgpt, codex: the address of the ChatGPT backend; https, or on this machine",
)
CODEX_VERSION = Option(
    "CLAUDEGPT_CODEX_VERSION",
    word,
    NO_TEXT,
    "chatgpt, codex: the Codex CLI version to send, if the backend withholds a new model from requests without one",
)
AUTH_URL = Option(
    "CLAUDEGPT_AUTH_URL",
    account_url,
    "https://auth.openai.com",
    "chatgpt, codex: the address of the login server; https, or on this machine",
)
AZURE_ENDPOINT = Option(
    "AZURE_OPENAI_ENDPOINT", azure_address, NO_TEXT, "azure: the resource's address, in any form that the portal shows"
)
AZURE_API_KEY = Option(
    "AZURE_OPENAI_API_KEY", secret, NO_SECRET, "azure: the resource's key", "Entra ID, with the extra", secret=True
)
AZURE_API_VERSION = Option(
    "AZURE_OPENAI_RESPONSES_API_VERSION",
    api_version,
    NO_TEXT,
    "azure: the `api-version` to send, if the resource needs one",
)
AZURE_OPUS = Option(
    "AZURE_OPENAI_CHAT_DEPLOYMENT_FULL",
    model_name,
    NO_TEXT,
    "azure: the deployment of the opus tier",
    "the sonnet tier's",
)
AZURE_SONNET = Option(
    "AZURE_OPENAI_CHAT_DEPLOYMENT", model_name, NO_TEXT, "azure: the deployment of the sonnet tier", "the opus tier's"
)
AZURE_HAIKU = Option(
    "AZURE_OPENAI_CHAT_DEPLOYMENT_NANO",
    model_name,
    NO_TEXT,
    "azure: the deployment of the haiku tier",
    "the sonnet tier's",
)
DEFAULT_OPUS = Option(
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    model_name,
    NO_TEXT,
    "the model of the opus tier, if the provider's own setting names none; names of Claude models are ignored",
)
DEFAULT_SONNET = Option("ANTHROPIC_DEFAULT_SONNET_MODEL", model_name, NO_TEXT, "the same for the sonnet tier")
DEFAULT_HAIKU = Option("ANTHROPIC_DEFAULT_HAIKU_MODEL", model_name, NO_TEXT, "the same for the haiku tier")
WINDOW = Option(
    "CLAUDEGPT_WINDOW",
    windows,
    NO_WINDOWS,
    "the windows of models in tokens, such as `qwen3:8b=131072,llama4=1m`; they win over what a server states",
    "what the account says",
)
PASSTHROUGH = Option(
    "PASSTHROUGH_MODE",
    flag,
    NO_FLAG,
    "how model names of requests are used; unset: `claude-*` names are mapped to tiers, others are "
    "sent as they are; 1: all are sent as they are; 0: unknown names are mapped to the sonnet tier",
)
EFFORT = Option(
    "CLAUDEGPT_EFFORT",
    effort,
    NO_TEXT,
    "the effort of requests that name none; a session starts with it unless you name an effort to Claude Code",
    also=("PROXY_DEFAULT_EFFORT",),
)
REASONING_OPUS = Option("CLAUDEGPT_REASONING_OPUS", effort, NO_TEXT, "the same for the opus tier only")
REASONING_SONNET = Option("CLAUDEGPT_REASONING_SONNET", effort, NO_TEXT, "the same for the sonnet tier only")
REASONING_HAIKU = Option(
    "CLAUDEGPT_REASONING_HAIKU",
    effort,
    "low",
    "the highest effort that the haiku tier may use",
)
TOOLS_REASONING = Option("CLAUDEGPT_TOOLS_REASONING", effort, NO_TEXT, "the highest effort of turns that declare tools")
IDENTITY = Option(
    "CLAUDEGPT_TRUE_IDENTITY",
    flag,
    True,
    "tell the model its real name where Claude Code's prompt says that it is Claude",
)
BLOCK_MCP = Option("CLAUDEGPT_BLOCK_MCP", flag, False, "leave `mcp__*` tools out of every request")
DROP_TOOLS = Option("CLAUDEGPT_DROP_TOOLS", names, NO_NAMES, "leave these tools out of every request (comma-separated)")
PARALLEL_TOOLS = Option(
    "CLAUDEGPT_PARALLEL_TOOLS",
    one_of("auto", "on", "off"),
    "auto",
    "whether the model may call several tools at once; auto: on for Claude Code, off for other clients with tools "
    "that change things",
)
TOOL_SEARCH = Option(
    "CLAUDEGPT_TOOL_SEARCH", flag, True, "let Claude Code send tool schemas only when the model searches for them"
)
MCP_SERVERS = Option(
    "PROXY_MCP_SERVERS",
    names,
    NO_NAMES,
    "MCP servers of `~/.claude.json`, or `all`: the proxy adds their tools to requests that lack them",
)
MAP_WEB_SEARCH = Option("CLAUDEGPT_MAP_WEB_SEARCH", flag, True, "search the web with the backend's hosted search")
NO_WEB_SEARCH = Option(
    "CLAUDEGPT_NO_WEB_SEARCH",
    names,
    NANO,
    "models without hosted search, by parts of their names (`none`: every model has it); another "
    "tier searches for them",
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
TRACE = Option(
    "CLAUDEGPT_TRACE",
    flag,
    True,
    "store one file a turn with the request, what was sent, and the answer; never a secret",
)
TRACE_DIR = Option("CLAUDEGPT_TRACE_DIR", path, NO_PATH, "the folder of the traces", "the state directory")
TRACE_MAX_MB = Option(
    "CLAUDEGPT_TRACE_MAX_MB", count, 200, "the size of all traces in MB; past it the oldest are deleted"
)
HOST = Option(
    "CLAUDEGPT_HOST",
    text,
    "127.0.0.1",
    "the address on which the proxy listens; if other machines can reach it, it needs CLAUDEGPT_TOKEN",
)
PORT = Option(
    "CLAUDEGPT_PORT",
    port,
    0,
    "the port on which the proxy listens; for `claudegpt serve` PORT counts too",
    "a free one",
    also_serving=("PORT",),
)
JSON_LIMIT = Option("PROXY_JSON_LIMIT", size, 64 * 2**20, "the largest request body", "64mb")
TOKEN = Option(
    "CLAUDEGPT_TOKEN", secret, NO_SECRET, "the token that a client must send", "random at each start", secret=True
)
FIRST_EVENT_TIMEOUT = Option(
    "CLAUDEGPT_STREAM_FIRST_EVENT_TIMEOUT",
    seconds,
    600.0,
    "the seconds of silence allowed before an answer, between its parts and while the model reasons",
)
IDLE_TIMEOUT = Option(
    "CLAUDEGPT_STREAM_IDLE_TIMEOUT", seconds, 120.0, "the seconds of silence allowed within a text that streams"
)
CLAUDE_BIN = Option("CLAUDEGPT_CLAUDE_BIN", path, NO_PATH, "the Claude Code to run", "`claude` on PATH")
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
STATUS_LINE = Option(
    "CLAUDEGPT_STATUS_LINE", flag, True, "show claudegpt's status line in Claude Code, unless you have one of your own"
)
ISOLATE = Option(
    "CLAUDEGPT_GLOBAL_ISOLATE",
    flag,
    False,
    "1: Claude Code gets a private configuration folder, which keeps your CLAUDE.md",
)

OPTIONS: dict[str, Option[Any]] = {value.name: value for value in list(globals().values()) if isinstance(value, Option)}
NAMES: dict[str, Option[Any]] = {name: option for option in OPTIONS.values() for name in (option.name, *option.also)}
OURS = "CLAUDEGPT_"
# Read from the environment only, before there are settings; the last two are notes of a session.
NO_SETTINGS = {f"{OURS}{name}" for name in ("HOME", "CLONE", "DEBUG", "EXPORTED", "STARTED")}


def nearest(name: str) -> str | None:
    """The setting that a misspelt name may mean; None if no name is like it."""
    from difflib import get_close_matches

    by_word = {known.removeprefix(OURS): known for known in NAMES}  # the prefix, which most share, would make all alike
    found = get_close_matches(name.upper().removeprefix(OURS), by_word, 1)
    return by_word[found[0]] if found else None
