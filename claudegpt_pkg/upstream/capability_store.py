"""Keeps what was learned about an account's models between sessions, so that no refusal is met twice.

    learned = recall(folder, provider)                by model: what was learned, without what the provider states
    remember(folder, provider, {"gpt-6-luna": …})     beside what other sessions have kept
    forget(folder, provider)

There is one file for each account at each address, in the cache directory. It lasts a week, because accounts and
deployments change. Only the fields in STORED are kept: the images, reasoning and schemas of one conversation are not.
A file that cannot be read or written costs one more refusal and nothing else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from .. import files
from ..accounts.providers.base import Provider
from ..capabilities import Capabilities

LASTS = 7 * 86_400.0  # seconds, from the first refusal in the file
# What a refusal may teach about a model for longer than a session.
STORED = frozenset(
    {
        "refused_fields",
        "refused_includes",
        "efforts",
        "summary",
        "phases",
        "tool_search",
        "web_search",
        "blocked_domains",
        "media_in_outputs",
        "images",
        "files",
        "encrypted_reasoning",
        "silent_search",
    }
)


class _Saved(msgspec.Struct):
    """The content of a file."""

    since: float  # seconds since 1970
    models: dict[str, Capabilities]


def recall(folder: Path, provider: Provider) -> dict[str, Capabilities]:
    """What was learned, by model. A model without anything learned is left out."""
    saved = _read(capability_file(folder, provider))
    return saved.models if saved else {}


def remember(folder: Path, provider: Provider, learned: Mapping[str, Capabilities]) -> None:
    """Keep this for the next session, beside what other sessions have kept of other models."""
    file = capability_file(folder, provider)
    saved = _read(file) or _Saved(time.time(), {})
    models = _of_stored_fields({**saved.models, **learned})
    rows = {model: _difference(known) for model, known in models.items()}
    data = msgspec.json.encode({"since": saved.since, "models": rows}, order="sorted")
    with suppress(OSError):
        files.replace_file(file, msgspec.json.format(data, indent=1).decode())


def forget(folder: Path, provider: Provider) -> None:
    with suppress(OSError):
        capability_file(folder, provider).unlink()


def capability_file(folder: Path, provider: Provider) -> Path:
    digest = hashlib.sha256(f"{provider.url}\n{provider.account}".encode()).hexdigest()[:16]
    return folder / f"capabilities-{digest}.json"


def _read(file: Path) -> _Saved | None:
    """None if there is no file, it is too old, or it holds anything else than this version writes."""
    try:
        saved = msgspec.json.decode(file.read_bytes(), type=_Saved)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None
    saved.models = _of_stored_fields(saved.models)
    return saved if 0 <= time.time() - saved.since < LASTS else None


def _of_stored_fields(models: Mapping[str, Capabilities]) -> dict[str, Capabilities]:
    """Keep the models with something to store, and of each only what is stored."""
    nothing = Capabilities()
    stored = {
        model: replace(nothing, **{name: getattr(known, name) for name in STORED}) for model, known in models.items()
    }
    return {model: known for model, known in stored.items() if known != nothing}


def _difference(known: Capabilities) -> dict[str, Any]:
    return {name: getattr(known, name) for name in known.differing(Capabilities())}
