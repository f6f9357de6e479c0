"""One tiny turn through the whole proxy to the real account, so that a setup that is saved is known to work.

    with start_trial(flags) as trial:      # the proxy as a session would have it, on a free loopback port
        play_turn(trial, "opus")           # a streamed turn with a tool call; raises what the user must know
        probe_model(trial, "haiku")        # the same, with everything that the model may lack

The turn is what Claude Code would send, only small: one tool, adaptive thinking, an effort level. The tool is never
run. The proxy learns what the backend refuses, as in a session, and saves it (upstream/capability_store.py). So a probe
needs few turns of its own: one at the highest effort with the hosted search declared, which costs nothing unless it is
used, and whose reasoning must come back whole; then one at the lowest effort.
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
from ..models import EFFORTS, TIERS, Tier, choose_model
from ..server import serving
from ..settings.options import HOST, PORT, REASONING_HAIKU, TOOLS_REASONING, TRACE
from ..settings.settings import load
from ..translate import reasoning
from ..translate.answer.fold import Folder, Message
from ..translate.wire import anthropic
from ..translate.wire.sse import Decoder
from ..upstream.capability_store import forget
from .capability_text import describe_capabilities

LEAST, MOST = EFFORTS[0], EFFORTS[-1]
BELOW_LOW = ("none", "minimal")  # levels that some models lack
# A free port, because a session may use the user's. No trace, because a trial is not the user's work.
QUIET = {HOST.name: "127.0.0.1", PORT.name: "0", TRACE.name: "0"}
LIMITLESS = {
    REASONING_HAIKU.name: MOST,
    TOOLS_REASONING.name: MOST,
}  # the user's limits must not hide what a model can do
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

KINDS: tuple[type[ClaudegptError], ...] = (InvalidRequest, NotLoggedIn, Forbidden, NotFound, RateLimited)


@dataclass(frozen=True)
class Trial:
    """A running proxy, and a client of it."""

    provider: Provider
    client: httpx.Client
    lessons: dict[str, Capabilities]  # by model: what the proxy learns during the trial


@contextmanager
def start_trial(
    flags: Mapping[str, str], *, pending: Mapping[str, str | None] | None = None, anew: bool = False
) -> Iterator[Trial]:
    """Serve the proxy that `flags` and all other settings describe; `pending` as for settings.load.

    `anew`: forget what was learned earlier. Raises ClaudegptError if the proxy cannot start.
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
        # No timeout, because the proxy has its own. No HTTP proxy, because this goes to our own process.
        client = httpx.Client(base_url=chain.url, headers=headers, timeout=None, trust_env=False)
        yield Trial(chain.provider, stack.enter_context(client), apps[0].state.proxy.learned)


def distinct_tiers(provider: Provider) -> list[Tier]:
    """The tiers, without those that have the same model as a higher one."""
    return [tier for tier in TIERS if provider.tiers.tier_of(provider.tiers.model(tier)) == tier]


def try_model(trial: Trial, tier: Tier) -> None:
    """Play a turn; probe a model whose abilities neither the built-in table nor the account's list knows."""
    provider = trial.provider
    unknown = provider.tiers.literal or provider.model(provider.tiers.model(tier)).efforts == EFFORTS
    (_probe_model if unknown else play_turn)(trial, tier)


def _probe_model(trial: Trial, tier: Tier) -> None:
    """Find out whether the model has hosted search and encrypted reasoning, and which effort levels.

    The proxy learns from refusals; this function adds what no refusal says. Raises like `play_turn`.
    """
    message = _play_turn_with_search(trial, tier)
    if not has_whole_reasoning(message):
        _add_finding(trial, tier, encrypted_reasoning=False)
    levels = learned_capabilities(trial, tier).efforts
    if levels is None or levels[0] == LEAST:
        with suppress(UpstreamFailed, RateLimited):  # the model works, as the turn before this one shows
            _play_at_least_effort(trial, tier)


def _play_turn_with_search(trial: Trial, tier: Tier) -> Message:
    """Play the turn with the hosted search declared; without it if that fails. If it fails twice, with a good answer in
    between, the search is the reason and not an outage."""
    for again in (False, True):
        try:
            message = play_turn(trial, tier, effort=MOST, more=(anthropic.web_search_tool(),))
            if not learned_capabilities(trial, tier).silent_search:
                return message
        except NoToolCall:
            return play_turn(trial, tier, effort=MOST)
        except (InvalidRequest, UpstreamFailed) as problem:
            message = play_turn(trial, tier, effort=MOST)
            if again or isinstance(problem, InvalidRequest):
                _add_finding(trial, tier, web_search=False)
                return message
    return message


def _play_at_least_effort(trial: Trial, tier: Tier) -> None:
    """Play a turn without thinking, as for a session's title: at the lowest effort that the model has."""
    request = {
        "model": tier,
        "max_tokens": FEW_TOKENS,
        "thinking": anthropic.disabled_thinking(),
        "messages": [{"role": "user", "content": PROMPT_FOR_WORDS}],
    }
    try:
        _send_request(trial, request)
    except InvalidRequest:  # the refusal does not name the levels
        levels = learned_capabilities(trial, tier).efforts or EFFORTS
        _add_finding(trial, tier, efforts=tuple(level for level in levels if level not in BELOW_LOW) or levels)
        _send_request(trial, request)


def has_whole_reasoning(message: Message) -> bool:
    """Whether all reasoning in an answer can be sent back. An answer without reasoning counts as whole."""
    signatures = [block.get("signature") or block.get("data") for block in message["content"]]
    late = reasoning.gather_late_blobs(signatures)
    thoughts = [
        item for signature in signatures if (item := reasoning.read_signature(signature)) and not item.get("late")
    ]
    return all(item["encrypted_content"] or late.get(item.get("id", "")) for item in thoughts)


def learned_capabilities(trial: Trial, tier: Tier) -> Capabilities:
    return trial.lessons.get(_model_of(trial, tier)) or Capabilities()


def _model_of(trial: Trial, tier: Tier) -> str:
    return choose_model(tier, trial.provider.tiers, listed=trial.provider.models).model


def _add_finding(trial: Trial, tier: Tier, **learned: Any) -> None:
    trial.lessons[_model_of(trial, tier)] = replace(learned_capabilities(trial, tier), **learned)


def describe_shortcomings(trial: Trial, tier: Tier) -> list[str]:
    """What the tier's model lacks, as far as the proxy learned, in a few words each."""
    return describe_capabilities(learned_capabilities(trial, tier))


class NoToolCall(UpstreamFailed):
    """The model answered without calling a tool."""


def play_turn(trial: Trial, tier: Tier, *, effort: str = EFFORT, more: Sequence[Mapping[str, Any]] = ()) -> Message:
    """Play the turn. Raises NotLoggedIn, NotFound, … as a session would, NoToolCall if no tool is called."""
    message = _send_request(
        trial,
        {
            "model": tier,
            "max_tokens": MOST_TOKENS,
            "thinking": anthropic.adaptive_thinking(),
            "output_config": {"effort": effort},
            "tools": [TOOL, *more],
            "tool_choice": anthropic.any_tool_choice(),  # forced, because an able model may decide not to
            "messages": [{"role": "user", "content": PROMPT}],
        },
    )
    if not any(block.get("name") == TOOL["name"] for block in message["content"]):
        raise NoToolCall(
            f"{trial.provider.tiers.model(tier)} answered, but did not call the tool that the test requires.",
            "Claude Code needs a model that calls tools.",
        )
    return message


def _send_request(trial: Trial, request: Mapping[str, Any]) -> Message:
    """Send a request and return its whole answer. Raises the error that the proxy answers, also within the stream."""
    folder, decoder = Folder(), Decoder()
    model = trial.provider.tiers.model(request["model"])
    with trial.client.stream("POST", "/v1/messages", json={**request, "stream": True}) as response:
        if response.status_code != 200:
            response.read()
            raise _read_error(response.json()["error"], model, response.headers)
        for chunk in response.iter_bytes():
            for event in decoder.feed(chunk):
                if "error" in event:
                    raise _read_error(event["error"], model, {})
                folder.add(event)
    return folder.message()


def _read_error(error: Mapping[str, str], model: str, headers: Mapping[str, str]) -> ClaudegptError:
    """The error body of the proxy as an exception again, for its exit status. Its message includes the hint."""
    message = f"{model}: {error['message']}"
    if error["type"] == RateLimited.kind and headers.get("x-should-retry") == "false":
        return UsageLimitReached(message)
    made = next((kind for kind in KINDS if kind.kind == error["type"]), UpstreamFailed)
    return made(message)
