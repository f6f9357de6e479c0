"""The account's own list of models: their names, windows and effort levels. It beats every built-in table.

    read_cached(folder, url, account)       # the list as last fetched, from disk; None before the first time
    await refresh(provider, folder)         # fetch it (with the ETag), save it, return it; `refresh_now` blocks

Two shapes are read: the ChatGPT backend's `{"models": [{slug, context_window, supported_reasoning_levels, …}]}` and the
OpenAI API's `{"data": [{id}]}`, which other servers answer too. What an entry does not state, the provider's tables do.
An entry whose name is not printable is left out (untrusted.py). Models are in the order in which they should be
offered: best first.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from .. import files
from ..errors import BadSetting, NotLoggedIn, UpstreamFailed
from ..models import EFFORTS, Model, Tiers, known_model
from ..untrusted import as_list, as_object, read_count, read_json, read_name, read_number
from . import http
from .providers.base import Provider

SECONDS = 15.0  # for the whole answer
FIRST_LOOK_SECONDS = 2.0  # that a session's start may lose to a server never asked before
FRESH = 6 * 3600.0  # seconds for which a list is not fetched again
MOST_MODELS = 5000  # of one list
SMALLEST_WINDOW = 1024  # tokens; a server that states less does not mean the window
# The fields in which servers state a model's window: ChatGPT and Groq, vLLM, OpenRouter and Together, LM Studio,
# Mistral, gateways. llama.cpp has it in `meta.n_ctx`.
WINDOW_FIELDS = (
    "context_window",
    "max_model_len",
    "context_length",
    "loaded_context_length",
    "max_context_length",
    "max_input_tokens",
)
# Most of what an OpenAI key can reach is not for a conversation: other kinds of model, which only their names tell
# apart, models of years ago, and dated copies.
OTHER_KINDS = re.compile(
    r"(?i)embed|minilm|\bbge-|rerank|moderation|whisper|transcribe|\btts\b|audio|realtime|voice|dall-e|image|sora"
    r"|\bsearch\b|research|computer-use"
)
OUTDATED = re.compile(r"(chat)?gpt-[34]|o\d\b|codex-mini|(davinci|babbage)-\d+|(gpt|chat)-.*-\d{4}(-\d\d-\d\d)?$")
VERSION = re.compile(r"gpt-(\d{1,4})(?:\.(\d{1,4}))?")


class NoList(UpstreamFailed):
    """The server answers, but not with a list of models: not every server has one."""


@dataclass(frozen=True)
class ModelList:
    """`offered`: what a user would choose from, best first; `hidden`: what else can be requested by name."""

    offered: tuple[Model, ...]
    hidden: tuple[Model, ...] = ()
    etag: str | None = None

    @property
    def models(self) -> dict[str, Model]:
        return {model.id: model for model in (*self.offered, *self.hidden)}


def newest_tiers(offered: Sequence[Model], built_in: Tiers) -> Tiers:
    """The newest large, middle and small model on offer; `built_in` if nothing is.

    The vendor's sizes are sol, terra and luna, before them mini and nano. If a list has none of these names (a local
    server), its first model serves all tiers.
    """
    if not offered:
        return built_in
    opus = find_newest(offered, "sol") or offered[0].id
    sonnet = find_newest(offered, "terra") or opus
    return Tiers(opus, sonnet, find_newest(offered, "luna") or find_newest(offered, "nano", "mini") or sonnet)


def find_newest(offered: Sequence[Model], *sizes: str) -> str | None:
    """The newest of the models that have one of the sizes in their names."""
    found = [model.id for model in offered if any(size in model.id.split("-") for size in sizes)]
    return max(found, key=_version, default=None)


def _version(model: str) -> tuple[int, int]:
    match = VERSION.match(model)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


# From the account. `provider.models_url` is not None in what follows.


async def refresh(provider: Provider, folder: Path, transport: httpx.AsyncBaseTransport | None = None) -> ModelList:
    """The provider's models as its server lists them now, saved for the next start under `folder`.

    Raises NotLoggedIn when the account is refused, NoList when the server has no list, UpstreamFailed when there is
    no answer within the limits of time and size.
    """
    last = read_cached(folder, str(provider.models_url), provider.account)
    return _receive(await http.ask(_question(provider, last), transport), provider, last, folder)


def refresh_now(provider: Provider, folder: Path, transport: httpx.AsyncBaseTransport | None = None) -> ModelList:
    """`refresh`, for threads in which no event loop runs."""
    last = read_cached(folder, str(provider.models_url), provider.account)
    return _receive(http.ask_now(_question(provider, last), transport), provider, last, folder)


def take_first_look(provider: Provider, folder: Path) -> bool:
    """Fetch a list that was never fetched, but spend only a moment on it; whether there is one now."""
    if read_cached(folder, str(provider.models_url), provider.account):
        return False
    try:
        answer = http.ask_now(_question(provider, None, seconds=FIRST_LOOK_SECONDS))
        _receive(answer, provider, None, folder)
    except (BadSetting, NotLoggedIn, UpstreamFailed):  # the next command that uses the account reports it
        return False
    return True


def _question(provider: Provider, last: ModelList | None, *, seconds: float = SECONDS) -> http.Question:
    headers = {"accept": "application/json", **provider.fixed_headers}
    if last and last.etag:
        headers["if-none-match"] = last.etag
    return http.Question(str(provider.models_url), provider.label, headers=headers, auth=provider.auth, seconds=seconds)


def _receive(answer: http.Answer, provider: Provider, last: ModelList | None, folder: Path) -> ModelList:
    """The list in an answer, saved on disk; if the disk cannot be written, the next start asks again."""
    saved = cache_file(folder, str(provider.models_url), provider.account)
    if answer.status == 304 and last:
        with suppress(OSError):
            os.utime(saved)
        return last
    if answer.status == 401:
        raise NotLoggedIn(
            f"{provider.label}: the server refused the credential (HTTP 401).", "Check the key, or log in again."
        )
    if not answer.is_success:
        raise NoList(f"{provider.label}: the server did not give its list of models (HTTP {answer.status}).")
    found = replace(_read_list(answer.body, provider), etag=read_name(answer.headers.get("etag")))
    with suppress(OSError):
        files.replace_file(saved, _encode(found))
    return found


def _read_list(body: bytes, provider: Provider) -> ModelList:
    try:
        answer = as_object(read_json(body))
    except ValueError:
        answer = {}
    rows = answer.get("models") or answer.get("data")
    if not isinstance(rows, list):
        raise NoList(
            f"{provider.label}: could not read the server's list of models (expected JSON with `models` or `data`)."
        )
    found = [entry for row in rows[:MOST_MODELS] if isinstance(row, dict) and (entry := _read_entry(row, provider))]
    found.sort(key=lambda entry: entry.place)
    offered = tuple(entry.model for entry in found if entry.offered)
    hidden = tuple(entry.model for entry in found if not entry.offered)
    return ModelList(offered, hidden) if offered else ModelList(hidden)


@dataclass(frozen=True)
class _Entry:
    """One model of a list, whether a user would choose it, and its place in the order."""

    model: Model
    offered: bool
    place: tuple[float, float, float]


def _read_entry(row: Mapping[str, Any], provider: Provider) -> _Entry | None:
    name = read_name(row.get("slug") or row.get("id"))
    if name is None:
        return None
    table = provider.model(name)
    model = replace(
        table,
        window=_read_window(row) or table.window,
        efforts=_read_efforts(as_list(row.get("supported_reasoning_levels"))) or table.efforts,
    )
    if "slug" not in row:
        major, minor = _version(name)
        return _Entry(model, _converses(name), (-major, -minor, len(name) if major else 0))
    priority = read_number(row.get("priority"))
    offered = row.get("visibility", "list") == "list"
    return _Entry(model, offered, (float("inf") if priority is None else priority, 0, 0))


def _read_window(row: Mapping[str, Any]) -> int | None:
    """The window that a server states for a model, in tokens."""
    stated = [*(row.get(name) for name in WINDOW_FIELDS), as_object(row.get("meta")).get("n_ctx")]
    counts = (read_count(value) for value in stated)
    return next((count for count in counts if count and count >= SMALLEST_WINDOW), None)


def _converses(name: str) -> bool:
    """Whether a model is one to choose from; by its name any can be used."""
    return not OTHER_KINDS.search(name) and not OUTDATED.match(name)


def _read_efforts(levels: Sequence[Any]) -> tuple[str, ...]:
    """The listed levels that we know, from least to most."""
    named = [level.get("effort") if isinstance(level, dict) else level for level in levels]
    return tuple(effort for effort in EFFORTS if effort in named)


# On disk.


def read_cached(folder: Path, url: str, account: str = "") -> ModelList | None:
    """The list of this account at this address as last fetched; None if there is none that can be read."""
    try:
        saved = read_json(cache_file(folder, url, account).read_bytes())
        offered, hidden = (tuple(map(_decode, saved[kind])) for kind in ("offered", "hidden"))
        return ModelList(offered, hidden, read_name(saved["etag"]))
    except (OSError, ValueError, OverflowError, LookupError, TypeError):
        return None


def is_stale(folder: Path, url: str, account: str = "") -> bool:
    """Whether the list should be fetched again: never fetched, or not for a while."""
    try:
        return time.time() - cache_file(folder, url, account).stat().st_mtime > FRESH
    except OSError:
        return True


def cache_file(folder: Path, url: str, account: str) -> Path:
    """One file for each account at each address, so that none is taken for another's."""
    digest = hashlib.sha256(f"{url}\n{account}".encode()).hexdigest()[:16]
    return folder / f"models-{digest}.json"


def _encode(found: ModelList) -> str:
    def rows(models: Sequence[Model]) -> list[dict[str, Any]]:
        return [{"id": model.id, "window": model.window, "efforts": model.efforts} for model in models]

    saved = {"etag": found.etag, "offered": rows(found.offered), "hidden": rows(found.hidden)}
    return json.dumps(saved, indent=1)


def _decode(row: Mapping[str, Any]) -> Model:
    name, window, efforts = read_name(row["id"]), read_count(row["window"]), _read_efforts(row["efforts"])
    if name is None or window is None or not efforts:
        raise ValueError("a row that this program did not write")
    return Model(name, window, efforts, known_model(name).price)
