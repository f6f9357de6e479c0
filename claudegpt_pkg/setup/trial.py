"""One tiny turn through the whole proxy to the real account, so that nobody is told "ready" who is not.

    with stage(flags) as on_stage:     # the proxy as a session would have it, on a free loopback port
        play(on_stage, "opus")         # a streamed turn with a tool call; raises what a user must know
        probe(on_stage, "haiku")       # the same, asking for everything that the model may lack

It is what Claude Code would send, only small: a tool, adaptive thinking, a level of effort. The tool is never run.
What the backend refuses on the way is learnt by the proxy as in a session, and remembered (proxy/remembered.py): so a
probe needs few questions of its own. It asks for the most effort with the hosted search declared, which costs nothing
unless it is used, and looks whether the reasoning came with what it takes to send it back; then for the least effort.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import httpx

from ..accounts.providers.base import Provider
from ..assembly import connect
from ..capabilities import Capabilities
from ..errors import (
    ClaudegptError,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotLoggedIn,
    RateLimited,
    UpstreamFailed,
    UsageLimitReached,
)
from ..models import EFFORTS, TIERS, Tier, choose
from ..server import serving
from ..settings.options import HOST, PORT, REASONING_HAIKU, TOOLS_REASONING, TRACE
from ..settings.settings import load
from ..translate import reasoning
from ..translate.answer.fold import Folder, Message
from ..translate.request.output import INCLUDE_REASONING
from ..translate.wire import anthropic
from ..translate.wire.sse import Decoder
from ..upstream.capability_store import forget

LEAST, MOST = EFFORTS[0], EFFORTS[-1]
BELOW_LOW = ("none", "minimal")  # levels that not every model has
# Not the user's port: a session may be using it. No trace: this is nobody's work.
QUIET = {HOST.name: "127.0.0.1", PORT.name: "0", TRACE.name: "0"}
LIMITLESS = {REASONING_HAIKU.name: MOST, TOOLS_REASONING.name: MOST}  # what there is does not depend on the user's
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
PROMPT_FOR_WORDS = "This is a connection test. Say: ready"
EFFORT = "low"
MOST_TOKENS = 4096
FEW_TOKENS = 64

LACKING = (
    ("encrypted_reasoning", "encrypted reasoning"),
    ("summary", "summaries of its reasoning"),
    ("web_search", "web search"),
    ("tool_search", "tool search"),
    ("media_in_outputs", "pictures in tools' outputs"),
    ("phases", "phases"),
    ("images", "images"),
    ("files", "files"),
    ("blocked_domains", "blocked domains in web searches"),
)

KINDS: tuple[type[ClaudegptError], ...] = (InvalidRequest, NotLoggedIn, Forbidden, NotFound, RateLimited)


@dataclass(frozen=True)
class Stage:
    """A proxy that is up, and a client of it."""

    provider: Provider
    client: httpx.Client
    lessons: dict[str, Capabilities]  # what the proxy learns meanwhile, by model


@contextmanager
def stage(
    flags: Mapping[str, str], *, pending: Mapping[str, str | None] | None = None, anew: bool = False
) -> Iterator[Stage]:
    """The chain that `flags` and all other settings describe, served; `pending` as for settings.load.

    `anew`: nothing that was learnt earlier counts. Raises what keeps it from standing.
    """
    settings = load({**flags, **QUIET, **LIMITLESS}, pending=pending)
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
        yield Stage(chain.provider, stack.enter_context(client), apps[0].state.proxy.learned)


def distinct(provider: Provider) -> list[Tier]:
    """The tiers, without those whose model serves a higher one."""
    return [tier for tier in TIERS if provider.tiers.tier_of(provider.tiers.model(tier)) == tier]


def try_out(on_stage: Stage, tier: Tier) -> None:
    """A turn; for a model of which no table and no list knows what it can do, one that finds it out."""
    provider = on_stage.provider
    unknown = provider.tiers.literal or provider.model(provider.tiers.model(tier)).efforts == EFFORTS
    (probe if unknown else play)(on_stage, tier)


def probe(on_stage: Stage, tier: Tier) -> None:
    """Turns that find out whether there is a hosted search, encrypted reasoning, and which levels of effort.

    Refusals teach the proxy; what is concluded here is what no refusal says. Raises like `play`.
    """
    message = play_with_search(on_stage, tier)
    if not carries_reasoning(message):
        conclude(on_stage, tier, encrypted_reasoning=False)
    levels = learnt(on_stage, tier).efforts
    if levels is None or levels[0] == LEAST:
        with suppress(UpstreamFailed, RateLimited):  # it is able, as was seen just now
            say_least(on_stage, tier)


def play_with_search(on_stage: Stage, tier: Tier) -> Message:
    """The turn with the hosted search declared, or without it where that fails. What fails again, after an answer
    without it, was no outage."""
    for again in (False, True):
        try:
            message = play(on_stage, tier, effort=MOST, more=(anthropic.web_search_tool(),))
            if not learnt(on_stage, tier).silent_search:
                return message
        except NoCall:
            return play(on_stage, tier, effort=MOST)
        except (InvalidRequest, UpstreamFailed) as problem:
            message = play(on_stage, tier, effort=MOST)
            if again or isinstance(problem, InvalidRequest):
                conclude(on_stage, tier, web_search=False)
                return message
    return message


def say_least(on_stage: Stage, tier: Tier) -> None:
    """A turn of the kind that wants no thinking, as for a session's title: at the lowest level there is."""
    request = {
        "model": tier,
        "max_tokens": FEW_TOKENS,
        "thinking": anthropic.disabled_thinking(),
        "messages": [{"role": "user", "content": PROMPT_FOR_WORDS}],
    }
    try:
        ask(on_stage, request)
    except InvalidRequest:  # in words that say nothing
        levels = learnt(on_stage, tier).efforts or EFFORTS
        conclude(on_stage, tier, efforts=tuple(level for level in levels if level not in BELOW_LOW) or levels)
        ask(on_stage, request)


def carries_reasoning(message: Message) -> bool:
    """Whether all reasoning in an answer can be sent back; an answer without any says nothing against it."""
    signatures = [block.get("signature") or block.get("data") for block in message["content"]]
    late = reasoning.gather(signatures)
    thoughts = [item for signature in signatures if (item := reasoning.read(signature)) and not item.get("late")]
    return all(item["encrypted_content"] or late.get(item["id"]) for item in thoughts)


def learnt(on_stage: Stage, tier: Tier) -> Capabilities:
    return on_stage.lessons.get(choose(tier, on_stage.provider.tiers).model) or Capabilities()


def conclude(on_stage: Stage, tier: Tier, **learned: Any) -> None:
    on_stage.lessons[choose(tier, on_stage.provider.tiers).model] = replace(learnt(on_stage, tier), **learned)


def shortcomings(on_stage: Stage, tier: Tier) -> list[str]:
    """What was learnt that the tier's model has not, in a few words each."""
    return described(learnt(on_stage, tier))


def described(known: Capabilities) -> list[str]:
    words = ["no reasoning"] * ("reasoning" in known.refused_fields)
    if known.efforts and not words:
        words.append(f"efforts {span(known.efforts)}")
    words += [f"no {what}" for has, what in LACKING if not getattr(known, has)]
    left_out = sorted(known.refused_fields - {"reasoning"} | known.refused_includes - {INCLUDE_REASONING})
    return words + [f"without {', '.join(left_out)}"] * bool(left_out)


def span(levels: tuple[str, ...]) -> str:
    """low to max; low, high where there is a gap."""
    first, last = EFFORTS.index(levels[0]), EFFORTS.index(levels[-1])
    return f"{levels[0]} to {levels[-1]}" if 2 < len(levels) == last - first + 1 else ", ".join(levels)


class NoCall(UpstreamFailed):
    """There is an answer, and no tool is called in it."""


def play(on_stage: Stage, tier: Tier, *, effort: str = EFFORT, more: Sequence[Mapping[str, Any]] = ()) -> Message:
    """The turn. Raises NotLoggedIn, NotFound, … as a session would tell it, NoCall when no tool is called."""
    message = ask(
        on_stage,
        {
            "model": tier,
            "max_tokens": MOST_TOKENS,
            "thinking": anthropic.adaptive_thinking(),
            "output_config": {"effort": effort},
            "tools": [TOOL, *more],
            "tool_choice": anthropic.any_tool_choice(),  # able is who can, not who feels like it
            "messages": [{"role": "user", "content": PROMPT}],
        },
    )
    if not any(block.get("name") == TOOL["name"] for block in message["content"]):
        raise NoCall(
            f"{on_stage.provider.tiers.model(tier)} answered, but did not use the tool it was told to use.",
            "Claude Code needs a model that calls tools.",
        )
    return message


def ask(on_stage: Stage, request: Mapping[str, Any]) -> Message:
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
