"""The proxy, served on loopback before a strict backend, and a client that holds all it reads against the grammar.

with served(backend, tmp_path) as proxy:
    proxy.events(ask("hello"))                    # a stream that came to its end, checked
    proxy.message(ask("hello", stream=False))     # one Message, checked
    proxy.error(ask("hello"))                     # (response, error), an Anthropic error body, checked
    proxy.post(ask("hello"))                      # whatever it is
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from claudegpt_pkg.accounts.providers import azure, chatgpt
from claudegpt_pkg.accounts.providers.base import Provider
from claudegpt_pkg.accounts.providers.openai import ApiKey, openai
from claudegpt_pkg.models import Tiers
from claudegpt_pkg.proxy.app import create_app
from claudegpt_pkg.proxy.context import Patience, Proxy
from claudegpt_pkg.secret import Secret
from claudegpt_pkg.server import bind, serving
from claudegpt_pkg.settings.settings import Settings, load
from tests.support import grammar, planted
from tests.support.fakes.backend import DEADLINE, FakeBackend, wait_until

TOKEN = planted.DOOR
KEY = "test-key"  # what the strict backend takes
QUICK = Patience(hold=60, ping=60, retry=0.01)  # nothing but real events, and no time lost between attempts
Body = dict[str, Any]


def ask(words: str = "hello", **fields: Any) -> Body:
    """A Messages request; a field given as None is left out."""
    body = {
        "model": "claude-opus-4-8",
        "max_tokens": 1024,
        "stream": True,
        "messages": [{"role": "user", "content": words}],
        **fields,
    }
    return {name: value for name, value in body.items() if value is not None}


class Served:
    """A running proxy, and a client of it."""

    def __init__(self, url: str, proxy: Proxy, traces: Path, loop: asyncio.AbstractEventLoop | None):
        self.url = url
        self.loop = loop  # of the server's thread, to look at
        self.proxy = proxy
        self.traces = traces
        self.client = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=DEADLINE, trust_env=False
        )

    def post(self, body: Any, path: str = "/v1/messages?beta=true", **options: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=content, **options)

    def events(self, body: Body, **options: Any) -> list[grammar.Event]:
        """Every event but pings of a whole stream."""
        response = self.post(body, **options)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/event-stream")
        return grammar.check(response.content)

    def message(self, body: Body, **options: Any) -> dict[str, Any]:
        response = self.post(body, **options)
        assert response.status_code == 200, response.text
        return grammar.check_message(response.json())

    def error(self, body: Any, path: str = "/v1/messages", **options: Any) -> tuple[httpx.Response, dict[str, Any]]:
        response = self.post(body, path, **options)
        assert response.status_code >= 400, response.text
        return response, grammar.check_error(response.json())

    def streamed_error(self, body: Body) -> dict[str, Any]:
        """The error event that ends a stream which had begun."""
        last = self.events(body)[-1]
        assert last["type"] == "error", last
        return grammar.check_error(last)

    @contextmanager
    def reading(self, body: Body) -> Iterator[Reading]:
        """The stream while it comes."""
        with self.client.stream("POST", "/v1/messages", content=json.dumps(body).encode()) as response:
            assert response.status_code == 200, response.read()
            yield Reading(response)

    def trace(self) -> dict[str, Any]:
        """The one trace so far, once its turn has ended."""
        wait_until(lambda: bool(self.traces_written()), "the turn's end")
        (file,) = self.traces_written()
        return dict(json.loads(file.read_bytes()))

    def traces_written(self) -> list[Path]:
        """Of every turn that has ended, also where that was only now."""
        assert self.proxy.traces is not None
        self.proxy.traces.flush()
        return list(self.traces.glob("*.json"))


class Reading:
    """A stream, event by event."""

    def __init__(self, response: httpx.Response):
        self.response = response
        self.events: list[grammar.Event] = []
        self._lines = response.iter_lines()

    def until(self, kind: str) -> grammar.Event:
        """Read on until an event of this type has come."""
        for line in self._lines:
            if line.startswith("data: "):
                self.events.append(json.loads(line.removeprefix("data: ")))
                if self.events[-1]["type"] == kind:
                    return self.events[-1]
        raise AssertionError(f"no {kind} in {[event['type'] for event in self.events]}")

    def to_the_end(self) -> list[grammar.Event]:
        """All events, checked; pings left out."""
        for line in self._lines:
            if line.startswith("data: "):
                self.events.append(json.loads(line.removeprefix("data: ")))
        return grammar.check(self.events)


@contextmanager
def served(
    backend: FakeBackend | str,
    folder: Path,
    *,
    patience: Patience = QUICK,
    provider: Provider | None = None,
    **flags: Any,
) -> Iterator[Served]:
    """A proxy before `backend` (or the address of one); `flags` are settings."""
    url = backend if isinstance(backend, str) else backend.url
    settings = settings_for(url, folder, **flags)
    provider = provider or (openai(settings) if isinstance(backend, str) else provider_of(backend, settings))
    provider = replace(provider, models_url=None)  # the list of models is the model list's
    app = create_app(settings, provider, token=Secret(TOKEN), patience=patience)
    with serving(lambda: app, bind("127.0.0.1", 0)) as server:
        server.ready()
        proxy = Served(server.url, app.state.proxy, settings.trace_dir, server._loop)
        with proxy.client:
            yield proxy
    server._thread.join(DEADLINE)  # what it leaves it may write at its very end, and nobody else waits that long for it


def settings_for(url: str, folder: Path, **flags: Any) -> Settings:
    own = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY, **{name: str(value) for name, value in flags.items()}}
    return load(flags=own, environ={"CLAUDEGPT_HOME": str(folder / "claudegpt"), "HOME": str(folder)})


def provider_of(backend: FakeBackend, settings: Settings) -> Provider:
    return PROVIDERS[backend.kind](backend.url, settings)


def chatgpt_plan(url: str, settings: Settings) -> Provider:
    """The ChatGPT plan's, with a token that needs no renewal."""
    return Provider(
        name="chatgpt",
        label="ChatGPT Plus",
        url=f"{url}/responses",
        tiers=Tiers("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna"),
        capabilities=chatgpt.CAPABILITIES,
        auth=ApiKey(Secret(KEY)),
        fixed_headers={**chatgpt.codex_headers(None), "chatgpt-account-id": "test-account"},
        session_header="session-id",
        models=chatgpt.OFFLINE,
    )


def azure_resource(url: str, settings: Settings) -> Provider:
    """An Azure resource, its key in Azure's own header; the deployments are named as the models that they are."""
    key = azure.AzureKey(Secret(KEY))
    return replace(openai(settings), name="azure", url=f"{url}/responses", capabilities=azure.CAPABILITIES, auth=key)


PROVIDERS = {"openai": lambda url, settings: openai(settings), "chatgpt": chatgpt_plan, "azure": azure_resource}
Headers = Mapping[str, str]
