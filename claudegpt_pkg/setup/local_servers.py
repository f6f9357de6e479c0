"""Find an Ollama on this machine, so that the setup can offer it by name.

Only a loopback address is contacted, and only for a moment. `OLLAMA_HOST`, Ollama's own variable, may name another
port. The list is `GET /api/tags` → {"models": [{"name": "qwen3:8b"}, …]} (Ollama's API).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from ..settings.values import is_loopback

USUAL = "127.0.0.1:11434"
EVERYWHERE = ("0.0.0.0", "::", "")  # addresses at which a server listens, not ones to connect to
MOMENT = 0.3  # seconds


@dataclass(frozen=True)
class Ollama:
    """A running one: where its Responses API is, and the models it has."""

    url: str
    models: tuple[str, ...]


def find_ollama(environ: Mapping[str, str]) -> Ollama | None:
    base = ollama_address(environ.get("OLLAMA_HOST") or USUAL)
    if base is None:
        return None
    try:
        with httpx.Client(trust_env=False, timeout=MOMENT) as client:
            answer = client.get(f"{base}/api/tags")
        found = answer.json()["models"] if answer.is_success else None
        models = tuple(str(each["name"]) for each in found or ())
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None
    return Ollama(f"{base}/v1", models) if found is not None else None


def ollama_address(host: str) -> str | None:
    """http://127.0.0.1:11434 for any way in which OLLAMA_HOST is written; None for another machine."""
    try:
        parts = urlsplit(host if "://" in host else f"http://{host}")
        name, port = parts.hostname or "", parts.port or 11434
    except ValueError:
        return None
    name = "127.0.0.1" if name in EVERYWHERE else name
    if not is_loopback(name) or parts.scheme not in ("http", "https"):
        return None
    return f"{parts.scheme}://[{name}]:{port}" if ":" in name else f"{parts.scheme}://{name}:{port}"
