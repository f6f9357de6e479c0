"""Login files for tests."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from claudegpt_pkg.accounts.auth.tokens import TokenFile, codex_file, own_file


def write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(document if isinstance(document, str) else json.dumps(document))


def own(folder: Path, document: Any) -> TokenFile:
    file = own_file(folder)
    write(file.path, document)
    return file


def codex(folder: Path, document: Any) -> TokenFile:
    file = codex_file(folder / "auth.json")
    write(file.path, document)
    return file


def content(file: TokenFile) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.path.read_text())
    return found


@contextmanager
def disk_with(left: int) -> Iterator[None]:
    """No file can grow beyond this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
