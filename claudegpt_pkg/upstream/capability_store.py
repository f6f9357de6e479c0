"""What the proxy learnt of an account's models (lessons.py), kept between sessions so that no refusal is met twice.

One file for each account at each address, in the cache directory; for a week, because accounts and deployments change
too. What belongs to a single conversation is not kept. A file that cannot be read or written costs a refusal, no more.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import files
from ..accounts.providers.base import Provider
from ..capabilities import Capabilities

LASTS = 7 * 86_400.0  # seconds
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


def recall(folder: Path, provider: Provider) -> dict[str, Capabilities]:
    """What is known, by model."""
    saved = read(file_of(folder, provider))
    rows = {model: decode(row) for model, row in saved["models"].items()} if saved else {}
    return {model: known for model, known in rows.items() if known != Capabilities()}


def remember(folder: Path, provider: Provider, lessons: Mapping[str, Capabilities]) -> None:
    """Keep these for the next session, with what other sessions kept of other models; the week is counted from the
    first of them."""
    file = file_of(folder, provider)
    saved = read(file) or {"since": time.time(), "models": {}}
    rows = {**saved["models"], **{model: encode(known) for model, known in lessons.items()}}
    models = {model: row for model, row in rows.items() if row != NOTHING}
    with suppress(OSError):
        files.replace_file(file, json.dumps({**saved, "models": models}, indent=1))


def forget(folder: Path, provider: Provider) -> None:
    with suppress(OSError):
        file_of(folder, provider).unlink()


def read(file: Path) -> dict[str, Any] | None:
    try:
        saved = json.loads(file.read_bytes())
        young = 0 <= time.time() - saved["since"] < LASTS
        for row in saved["models"].values():
            decode(row)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return dict(saved) if young else None


def file_of(folder: Path, provider: Provider) -> Path:
    digest = hashlib.sha256(f"{provider.url}\n{provider.account}".encode()).hexdigest()[:16]
    return folder / f"capabilities-{digest}.json"


def encode(known: Capabilities) -> dict[str, Any]:
    """The fields that say something, without what is about one conversation."""
    return {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name in sorted(known.differing(Capabilities()) & STORED)
        if (value := getattr(known, name)) is not None
    }


def decode(row: Mapping[str, Any]) -> Capabilities:
    kinds: dict[str, Any] = {"efforts": tuple, "refused_fields": frozenset, "refused_includes": frozenset}
    found: dict[str, Any] = {name: kinds.get(name, bool)(value) for name, value in row.items() if name in STORED}
    return Capabilities(**found)


NOTHING = encode(Capabilities())
