"""The Codex CLI as far as `auth.json` goes, as seen with strace on 0.169.0: what it locks, and how it writes.

It takes no lock while it asks for new tokens; it reads the file again before; it writes under `auth.lock` and
`auth.json.lock`, beside and renamed. Older ones write in place, without a lock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from filelock import FileLock

from .login import CLIENT


@contextmanager
def writing(path: Path) -> Iterator[None]:
    with FileLock(path.with_name("auth.lock")), FileLock(path.with_name("auth.json.lock")):
        yield


def rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], *, in_place: bool) -> None:
    """Change the file, under its locks."""
    with writing(path):
        text = json.dumps(change(json.loads(path.read_bytes())), indent=2)
        write_in_place(path, text) if in_place else write_beside(path, text)


def write_beside(path: Path, text: str) -> None:
    beside = path.with_name(".auth-codex")
    beside.touch(mode=0o600)
    beside.write_text(text)
    beside.rename(path)


def write_in_place(path: Path, text: str) -> None:
    """As older ones do; a reader can meet any part of it."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    half = len(text) // 2
    os.write(handle, text[:half].encode())
    os.write(handle, text[half:].encode())
    os.close(handle)


def ask(server: str, refresh: str) -> dict[str, Any]:
    """The tokens the server gives for `refresh`. Raises httpx.HTTPStatusError."""
    body = {"client_id": CLIENT, "grant_type": "refresh_token", "refresh_token": refresh}
    answer = httpx.post(
        f"{server}/oauth/token", json=body, headers={"user-agent": "claudegpt/codex"}
    ).raise_for_status()
    given: dict[str, Any] = answer.json()
    return given


def save(path: Path, given: dict[str, Any], *, in_place: bool = False) -> None:
    def change(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "tokens": {**document["tokens"], **given}, "last_refresh": "2026-11-21T00:00:00Z"}

    rewrite(path, change, in_place=in_place)
