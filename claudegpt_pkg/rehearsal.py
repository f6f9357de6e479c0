"""One tiny turn through the whole proxy to the real account, so that nobody is told "ready" who is not.

    with stage(flags) as on_stage:     # the proxy as a session would have it, on a free loopback port
        play(on_stage, "opus")         # a streamed turn with a tool call; raises what a user must know
        probe(on_stage, "haiku")       # the same, asking for everything that the model may lack

It is what Claude Code would send, only small: a tool, adaptive thinking, a level of effort. The tool is never run.
What the backend refuses on the way is learnt by the proxy as in a session, and remembered (proxy/remembered.py): so a
probe needs no questions of its own. It declares the hosted search, which costs nothing unless it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from .chain import connect
from .errors import (
    ClaudegptError,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotLoggedIn,
    RateLimited,
    UpstreamFailed,
    UsageLimitReached,
)
from .models import EFFORTS, TIERS, Tier, choose
from .providers.base import Provider
from .proxy.lessons import Lessons
from .proxy.remembered import forget
from .proxy.server import serving
from .settings import HOST, PORT, TRACE, load
from .translate import anthropic
from .translate.message import Folder
from .translate.sse import Decoder

# Not the user's port: a session may be using it. No trace: this is nobody's work.
QUIET = {HOST.name: "127.0.0.1", PORT.name: "0", TRACE.name: "0"}
TOOL = {
    "name": "Bash",
    "description": "Runs a shell command and returns its output.",
    "input_schema": {
        "type": "object",
        "properties": {"command": {"type": "string"}, "description": {"type": "string"}},
        "required": ["command"],
        "additionalProperties": False,
    },
}
PROMPT = "This is a connection test. Run `echo ready` with the Bash tool, and say nothing."
EFFORT = "low"
MOST_TOKENS = 4096

KINDS: tuple[type[ClaudegptError], ...] = (InvalidRequest, NotLoggedIn, Forbidden, NotFound, RateLimited)


@dataclass(frozen=True)
class Stage:
    """A proxy that is up, and a client of it."""

    provider: Provider
    client: httpx.Client
    lessons: dict[str, Lessons]  # what the proxy learns meanwhile, by model


@contextmanager
def stage(
    flags: Mapping[str, str], *, pending: Mapping[str, str | None] | None = None, anew: bool = False
) -> Iterator[Stage]:
    """The chain that `flags` and all other settings describe, served; `pending` as for settings.load.

    `anew`: nothing that was learnt earlier counts. Raises what keeps it from standing.
    """
    settings = load({**flags, **QUIET}, pending=pending)
    chain = connect(settings)
    if anew:
        forget(settings.dirs.cache, chain.provider)
    with ExitStack() as stack:
        apps = []
        for site in chain.sites:
            apps.append(site.make_app())
            stack.enter_context(serving(lambda: apps[-1], site.listener)).ready()
        headers = {"authorization": f"Bearer {chain.token.reveal()}", "user-agent": "claudegpt"}
        # No limit of time: the proxy has its own. No HTTP proxy of the user's: this goes to ourselves.
        client = httpx.Client(base_url=chain.url, headers=headers, timeout=None, trust_env=False)
        yield Stage(chain.provider, stack.enter_context(client), apps[0].state.proxy.lessons)


def distinct(provider: Provider) -> list[Tier]:
    """The tiers, without those whose model serves a higher one."""
    return [tier for tier in TIERS if provider.tiers.tier_of(provider.tiers.model(tier)) == tier]


def try_out(on_stage: Stage, tier: Tier) -> None:
    """A turn; for a model of which no table and no list knows what it can do, one that finds it out."""
    unknown = on_stage.provider.model(on_stage.provider.tiers.model(tier)).efforts == EFFORTS
    (probe if unknown else play)(on_stage, tier)


def probe(on_stage: Stage, tier: Tier) -> None:
    """A turn that asks for the most effort and declares the search, so that refusals teach what there is.

    Some deployments refuse nothing and answer nothing when the search is declared.
    """
    try:
        play(on_stage, tier, effort=EFFORTS[-1], more=(anthropic.web_search_tool(),))
    except (InvalidRequest, UpstreamFailed):
        play(on_stage, tier, effort=EFFORTS[-1])
        model = choose(tier, on_stage.provider.tiers).model
        on_stage.lessons[model] = replace(on_stage.lessons.get(model) or Lessons(), web_search=False)


def shortcomings(on_stage: Stage, tier: Tier) -> list[str]:
    """What was learnt that the tier's model has not, in a few words each."""
    known = on_stage.lessons.get(choose(tier, on_stage.provider.tiers).model) or Lessons()
    return described(known)


def described(known: Lessons) -> list[str]:
    words = ["no reasoning"] * ("reasoning" in known.parameters)
    if known.efforts and not words:
        words.append(f"efforts {', '.join(known.efforts)}")
    return words + ["no web search"] * (not known.web_search)


def play(on_stage: Stage, tier: Tier, *, effort: str = EFFORT, more: Sequence[Mapping[str, Any]] = ()) -> None:
    """The turn. Raises NotLoggedIn, NotFound, … as a session would tell it, UpstreamFailed when no tool is called."""
    message = ask(
        on_stage,
        {
            "model": tier,
            "max_tokens": MOST_TOKENS,
            "thinking": anthropic.adaptive_thinking(),
            "output_config": {"effort": effort},
            "tools": [TOOL, *more],
            "messages": [{"role": "user", "content": PROMPT}],
        },
    )
    if not any(block.get("name") == TOOL["name"] for block in message["content"]):
        raise UpstreamFailed(
            f"{on_stage.provider.tiers.model(tier)} answered, but did not use the tool it was told to use.",
            "Claude Code needs a model that calls tools.",
        )


def ask(on_stage: Stage, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The whole answer, streamed. Raises the error that the proxy tells, before or within the stream."""
    folder, decoder = Folder(), Decoder()
    model = on_stage.provider.tiers.model(request["model"])
    with on_stage.client.stream("POST", "/v1/messages", json={**request, "stream": True}) as response:
        if response.status_code != 200:
            response.read()
            raise told(response.json()["error"], model, response.headers)
        for chunk in response.iter_bytes():
            for event in decoder.feed(chunk):
                if "error" in event:
                    raise told(event["error"], model, {})
                folder.add(event)
    return folder.message()


def told(error: Mapping[str, str], model: str, headers: Mapping[str, str]) -> ClaudegptError:
    """The proxy's error again as one of ours, for its exit status; its message holds the hint."""
    message = f"{model}: {error['message']}"
    if error["type"] == RateLimited.kind and headers.get("x-should-retry") == "false":
        return UsageLimitReached(message)
    made = next((kind for kind in KINDS if kind.kind == error["type"]), UpstreamFailed)
    return made(message)
