"""The account's own list of models: which there are, their windows, the efforts they know. It beats every table.

    cached(folder, url, account)              # what was last seen, from disk; None before the first time
    await refresh(client, provider, folder)   # ask (with the ETag), save, return; `refresh_now` is the same, blocking

Two shapes are read: the ChatGPT backend's `{"models": [{slug, context_window, supported_reasoning_levels, …}]}` and the
OpenAI API's `{"data": [{id}]}`, which other servers answer too. What an entry does not say, the provider's tables do.
Models appear in the order in which they should be offered: best first.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.request import getproxies

import httpx

from .. import files
from ..errors import BadSetting, NotLoggedIn, UpstreamFailed
from ..models import EFFORTS, Model, Tiers, known_model
from .auth.login_server import cause
from .providers.base import Provider

TIMEOUT = 15.0
GLANCE = 2.0  # seconds that a session's start may lose to a server never asked before
DIRECT = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}  # never through an HTTP proxy
FRESH = 6 * 3600.0  # seconds for which a list needs no second look
# What an OpenAI key can reach is mostly not for choosing: other kinds of model, which no list tells apart but by name,
# models of years ago, and dated copies of the same.
OTHER_KINDS = re.compile(
    r"(?i)embed|minilm|\bbge-|rerank|moderation|whisper|transcribe|\btts\b|audio|realtime|voice|dall-e|image|sora"
    r"|\bsearch\b|research|computer-use"
)
OUTDATED = re.compile(r"(chat)?gpt-[34]|o\d\b|codex-mini|(davinci|babbage)-\d+|(gpt|chat)-.*-\d{4}(-\d\d-\d\d)?$")
VERSION = re.compile(r"gpt-(\d+)(?:\.(\d+))?")


class NoList(UpstreamFailed):
    """The server answers, but not with a list of models: not every one has such a list."""


@dataclass(frozen=True)
class Catalog:
    """`offered`: what a user would choose from, best first; `hidden`: what else can be asked for by name."""

    offered: tuple[Model, ...]
    hidden: tuple[Model, ...] = ()
    etag: str | None = None

    @property
    def models(self) -> dict[str, Model]:
        return {model.id: model for model in (*self.offered, *self.hidden)}


def tiers(offered: Sequence[Model], newest: Tiers) -> Tiers:
    """The newest large, middle and small model on offer; `newest`, the built-in answer, where nothing is.

    The vendor's sizes are sol, terra and luna, before them mini and nano; where a list has none of these names (a
    local server), its first model serves all.
    """
    if not offered:
        return newest
    opus = newest_of(offered, "sol") or offered[0].id
    sonnet = newest_of(offered, "terra") or opus
    return Tiers(opus, sonnet, newest_of(offered, "luna") or newest_of(offered, "nano", "mini") or sonnet)


def newest_of(offered: Sequence[Model], *sizes: str) -> str | None:
    found = [model.id for model in offered if any(size in model.id.split("-") for size in sizes)]
    return max(found, key=version, default=None)


def version(model: str) -> tuple[int, int]:
    match = VERSION.match(model)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


# From the account. `provider.models_url` is not None in what follows.


async def refresh(client: httpx.AsyncClient, provider: Provider, folder: Path) -> Catalog:
    """The provider's models as its server lists them now, saved for the next start under `folder`.

    Raises NotLoggedIn when the account is refused, UpstreamFailed when there is no list to be had.
    """
    last = cached(folder, str(provider.models_url), provider.account)
    try:
        answer = await client.send(question(client, provider, last), auth=provider.auth)
    except httpx.RequestError as problem:
        raise unreachable(provider, problem) from None
    return keep(answer, provider, last, folder)


def refresh_now(client: httpx.Client, provider: Provider, folder: Path) -> Catalog:
    """`refresh`, for where no event loop runs."""
    last = cached(folder, str(provider.models_url), provider.account)
    try:
        answer = client.send(question(client, provider, last), auth=provider.auth)
    except httpx.RequestError as problem:
        raise unreachable(provider, problem) from None
    return keep(answer, provider, last, folder)


def first_look(provider: Provider, folder: Path) -> bool:
    """Ask for a list that was never seen, but not for long; whether there is one now."""
    if cached(folder, str(provider.models_url), provider.account):
        return False
    # Certificates take longer to load than a near server to answer.
    encrypted = str(provider.models_url).startswith("https:")
    try:
        with new_client(verify=encrypted) as client:
            asked = question(client, provider, None, timeout=GLANCE)
            keep(client.send(asked, auth=provider.auth), provider, None, folder)
    except (httpx.RequestError, NotLoggedIn, UpstreamFailed):
        return False
    return True


def new_client(*, verify: bool = True) -> httpx.Client:
    """For a question outside an event loop: with the environment's proxies and certificates, as the proxy's own client.

    Raises BadSetting for a proxy that cannot be used, or certificates that cannot be read.
    """
    if verify:
        refuse_socks()
    try:
        return httpx.Client(timeout=TIMEOUT, mounts=DIRECT, verify=verify)
    except (ValueError, httpx.InvalidURL) as problem:
        raise BadSetting(f"{problem}.", "Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY in the environment.") from None
    except OSError as problem:
        raise BadSetting(
            f"Cannot read the certificates: {problem.strerror or problem}.", "Correct SSL_CERT_FILE or SSL_CERT_DIR."
        ) from None


def refuse_socks() -> None:
    """Raises BadSetting where the environment leads encrypted connections through a proxy that the upstream side's
    transport cannot use. An HTTP proxy for them goes before a SOCKS proxy for all."""
    proxies = getproxies()
    if proxies.get("https", proxies.get("all", "")).startswith("socks"):
        raise BadSetting("SOCKS proxies are not supported.", "Set HTTPS_PROXY to an HTTP proxy.")


def question(
    client: httpx.Client | httpx.AsyncClient, provider: Provider, last: Catalog | None, *, timeout: float = TIMEOUT
) -> httpx.Request:
    # Asked once: the connection is not kept, for a small server that can hold but one.
    headers = {"accept": "application/json", "connection": "close", **provider.fixed_headers}
    if last and last.etag:
        headers["if-none-match"] = last.etag
    return client.build_request("GET", str(provider.models_url), headers=headers, timeout=timeout)


def keep(answer: httpx.Response, provider: Provider, last: Catalog | None, folder: Path) -> Catalog:
    """What the answer says, on disk too; a disk that cannot be written costs a question at the next start."""
    if answer.status_code == 304 and last:
        with suppress(OSError):
            os.utime(cache_file(folder, str(provider.models_url), provider.account))
        return last
    if answer.status_code == 401:
        raise NotLoggedIn(
            f"{provider.label}: the credential was refused (HTTP 401).", "Check the key, or log in again."
        )
    if not answer.is_success:
        raise NoList(f"{provider.label}: the list of models could not be had (HTTP {answer.status_code}).")
    found = read_list(answer.content, provider)
    catalog = replace(found, etag=answer.headers.get("etag"))
    with suppress(OSError):
        files.replace_file(cache_file(folder, str(provider.models_url), provider.account), encode(catalog))
    return catalog


def unreachable(provider: Provider, problem: httpx.RequestError) -> UpstreamFailed:
    through = ", and HTTPS_PROXY" if str(provider.models_url).startswith("https:") and "https" in getproxies() else ""
    return UpstreamFailed(
        f"{provider.models_url} cannot be reached ({cause(problem)}).", f"Check the address and the network{through}."
    )


def read_list(body: bytes, provider: Provider) -> Catalog:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    rows = answer.get("models") or answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise NoList(f"{provider.label}: the list of models is not one.")
    entries = [entry for row in rows if isinstance(row, dict) and (entry := read_entry(row, provider))]
    entries.sort(key=lambda entry: entry.place)
    offered = tuple(entry.model for entry in entries if entry.offered)
    hidden = tuple(entry.model for entry in entries if not entry.offered)
    return Catalog(offered, hidden) if offered else Catalog(hidden)


@dataclass(frozen=True)
class Entry:
    """One model of a list: whether it is for choosing from, and where it stands."""

    model: Model
    offered: bool
    place: tuple[float, float, float]


def read_entry(row: dict[str, Any], provider: Provider) -> Entry | None:
    name = row.get("slug") or row.get("id")
    if not isinstance(name, str) or not name:
        return None
    table = provider.model(name)
    window = row.get("context_window")
    levels = row.get("supported_reasoning_levels")
    model = replace(
        table,
        window=window if isinstance(window, int) and window > 0 else table.window,
        efforts=efforts_in(levels if isinstance(levels, list) else []) or table.efforts,
    )
    if "slug" not in row:
        major, minor = version(name)
        return Entry(model, converses(name), (-major, -minor, len(name) if major else 0))
    priority = row.get("priority")
    offered = row.get("visibility", "list") == "list"
    return Entry(model, offered, (float(priority) if isinstance(priority, (int, float)) else float("inf"), 0, 0))


def converses(name: str) -> bool:
    """Whether a model is one to choose from; by its name any can be used."""
    return not OTHER_KINDS.search(name) and not OUTDATED.match(name)


def efforts_in(levels: list[Any]) -> tuple[str, ...]:
    """The levels we know of those listed, from least to most."""
    named = {level.get("effort") if isinstance(level, dict) else level for level in levels}
    return tuple(effort for effort in EFFORTS if effort in named)


# On disk.


def cached(folder: Path, url: str, account: str = "") -> Catalog | None:
    """The list of this account at this address as last seen; None if there is none that can be read."""
    try:
        saved = json.loads(cache_file(folder, url, account).read_bytes())
        offered, hidden = (tuple(map(decode, saved[kind])) for kind in ("offered", "hidden"))
        return Catalog(offered, hidden, saved["etag"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def stale(folder: Path, url: str, account: str = "") -> bool:
    """Whether the list is worth another look: never seen, or not for a while."""
    try:
        return time.time() - cache_file(folder, url, account).stat().st_mtime > FRESH
    except OSError:
        return True


def cache_file(folder: Path, url: str, account: str) -> Path:
    """One file for each account at each address, so that none is taken for another's."""
    digest = hashlib.sha256(f"{url}\n{account}".encode()).hexdigest()[:16]
    return folder / f"models-{digest}.json"


def encode(catalog: Catalog) -> str:
    def rows(models: Sequence[Model]) -> list[dict[str, Any]]:
        return [{"id": model.id, "window": model.window, "efforts": model.efforts} for model in models]

    saved = {"etag": catalog.etag, "offered": rows(catalog.offered), "hidden": rows(catalog.hidden)}
    return json.dumps(saved, indent=1)


def decode(row: dict[str, Any]) -> Model:
    return Model(row["id"], int(row["window"]), tuple(row["efforts"]), known_model(row["id"]).price)
