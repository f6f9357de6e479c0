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
from .refusals import Lessons

LASTS = 7 * 86_400.0  # seconds


def recall(folder: Path, provider: Provider) -> dict[str, Lessons]:
    """What is known, by model."""
    saved = read(file_of(folder, provider))
    return {model: decode(row) for model, row in saved["models"].items()} if saved else {}


def remember(folder: Path, provider: Provider, lessons: Mapping[str, Lessons]) -> None:
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
    return folder / f"lessons-{digest}.json"


def encode(known: Lessons) -> dict[str, Any]:
    """Without what is about one conversation."""
    return {
        "parameters": sorted(known.parameters),
        "efforts": list(known.efforts or ()),
        "summary": known.summary,
        "tool_search": known.tool_search,
        "web_search": known.web_search,
        "media_in_outputs": known.media_in_outputs,
        "phases": known.phases,
        "includes": sorted(known.includes),
        "encrypted_reasoning": known.encrypted_reasoning,
        "silent_search": known.silent_search,
    }


def decode(row: Mapping[str, Any]) -> Lessons:
    return Lessons(
        parameters=frozenset(row["parameters"]),
        efforts=tuple(row["efforts"]) if row["efforts"] else None,
        summary=row["summary"],
        tool_search=row["tool_search"],
        web_search=row["web_search"],
        media_in_outputs=row["media_in_outputs"],
        phases=row["phases"],
        includes=frozenset(row["includes"]),
        encrypted_reasoning=row["encrypted_reasoning"],
        silent_search=row["silent_search"],
    )


NOTHING = encode(Lessons())
