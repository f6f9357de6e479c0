"""What all turns of one proxy share: the account, the user's rules, the HTTP client, and what was learned.

`Proxy` is made once, by `create_app`; a turn reads it and never copies it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

from ..accounts.providers.base import Provider
from ..capabilities import Capabilities
from ..effort import EffortPolicy, SessionEfforts
from ..models import TIERS
from ..records.session_usage import SessionUsage
from ..records.trace import Traces
from ..records.usage_log import UsageLog
from ..settings.effort import effort_policy
from ..settings.options import (
    BLOCK_MCP,
    DROP_TOOLS,
    FIRST_EVENT_TIMEOUT,
    IDENTITY,
    IDLE_TIMEOUT,
    MAP_WEB_FETCH,
    MAP_WEB_SEARCH,
    NO_WEB_SEARCH,
    PARALLEL_TOOLS,
    PASSTHROUGH,
    WEB_FETCH_HOSTS,
    WEB_FETCH_MAX_CHAIN,
    WEB_FETCH_MAX_CHARS,
    WEB_FETCH_PROXY,
    WEB_FETCH_SUMMARIZER,
    WEB_FETCH_SUMMARY_MAX_CHARS,
    WEB_FETCH_TIMEOUT,
)
from ..settings.settings import Settings
from ..translate.tools import ToolRules
from ..upstream.stream import Limits
from ..web.fetch import Fetcher, FetchLimits
from ..web.pages import PageReader
from .mcp_tools import McpTools


@dataclass(frozen=True)
class Rules:
    """The user's settings, as far as a turn needs them."""

    passthrough: bool | None
    identity: bool
    tools: ToolRules
    effort: EffortPolicy
    limits: Limits
    no_web_search: tuple[str, ...] = ()  # parts of the names of models that get none

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        dropped: tuple[str, ...] = settings[DROP_TOOLS]
        return cls(
            passthrough=settings[PASSTHROUGH],
            identity=settings[IDENTITY],
            tools=ToolRules(
                drop=frozenset(dropped),
                block_mcp=settings[BLOCK_MCP],
                parallel=settings[PARALLEL_TOOLS],
                web_search=settings[MAP_WEB_SEARCH],
            ),
            effort=effort_policy(settings),
            limits=Limits(settings[FIRST_EVENT_TIMEOUT], settings[IDLE_TIMEOUT]),
            no_web_search=settings[NO_WEB_SEARCH],
        )


@dataclass(frozen=True)
class Patience:
    """How long the proxy waits before it does something by itself; seconds."""

    hold: float = 3.0  # the handshake waits so long for the first real event
    ping: float = 10.0  # the client gets a ping after so much silence
    retry: float = 0.5  # before the second attempt; doubled each time, with jitter
    again: float = 60.0  # no further attempt begins after this: the user has waited long enough for an answer


@dataclass(frozen=True)
class WebFetch:
    """The user's settings about fetching web pages, and what reads the pages."""

    reader: PageReader
    most: int  # fetches in one turn
    summarizer: str | None  # the model that reads long pages; None: the model gets the page itself
    summary_chars: int
    private_hosts: frozenset[str] = frozenset()
    client_tool: bool = False  # the proxy also runs Claude Code's own WebFetch

    @classmethod
    def of(cls, settings: Settings) -> WebFetch | None:
        """None if the user turned fetching off."""
        if settings[MAP_WEB_FETCH] == "0":
            return None
        limits = FetchLimits(seconds=settings[WEB_FETCH_TIMEOUT])
        fetcher = Fetcher(limits, proxy=settings[WEB_FETCH_PROXY])
        summarizer = settings[WEB_FETCH_SUMMARIZER]
        hosts: tuple[str, ...] = settings[WEB_FETCH_HOSTS]
        return cls(
            reader=PageReader(fetcher, max_chars=settings[WEB_FETCH_MAX_CHARS]),
            most=settings[WEB_FETCH_MAX_CHAIN],
            summarizer=None if summarizer == "none" else f"claude-{summarizer}" if summarizer in TIERS else summarizer,
            summary_chars=settings[WEB_FETCH_SUMMARY_MAX_CHARS],
            private_hosts=frozenset(hosts),
            client_tool=settings[MAP_WEB_FETCH] == "always",
        )


@dataclass
class Proxy:
    """What all turns share: the account, the rules, one HTTP client, and what the backend was seen not to take."""

    provider: Provider
    rules: Rules
    client: httpx.AsyncClient
    traces: Traces | None = None
    patience: Patience = field(default_factory=Patience)
    learned: dict[str, Capabilities] = field(default_factory=dict)  # by model: less than what the provider states
    session_usage: SessionUsage = field(default_factory=SessionUsage)
    usage_log: UsageLog | None = None
    mcp: McpTools | None = None
    web: WebFetch | None = None
    reported_media: set[str] = field(default_factory=set)  # digests of images and files that a client was to drop
    session_efforts: SessionEfforts = field(init=False)

    def __post_init__(self) -> None:
        self.session_efforts = SessionEfforts(self.rules.effort)

    def learned_about(self, model: str) -> Capabilities:
        """What was learned of a model, without what the provider states."""
        return self.learned.get(model) or Capabilities()

    def capabilities(self, model: str) -> Capabilities:
        """What a model takes: what the provider states, less what was learned."""
        return self.provider.capabilities.without(self.learned_about(model))
