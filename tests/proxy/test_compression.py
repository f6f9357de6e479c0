"""Large bodies to the ChatGPT backend, which drops plain ones."""

from __future__ import annotations

from pathlib import Path

from tests.support.fakes.answers import answer
from tests.support.fakes.backend import FakeBackend
from tests.support.served import ask, served

LONG = "all work and no play " * 60_000  # 1.26 MB


def test_on_the_plan_a_large_body_goes_compressed_and_a_small_one_plain(tmp_path: Path) -> None:
    with FakeBackend("chatgpt") as backend:
        with served(backend, tmp_path) as proxy:
            backend.script(answer("Read."), answer("Read."))
            proxy.events(ask(LONG))
            proxy.events(ask("short"))
        backend.check()
    large, small = backend.requests
    assert large.headers["content-encoding"] == "gzip" and LONG in large.items[-1]["content"][0]["text"]
    assert "content-encoding" not in small.headers


def test_elsewhere_every_body_goes_plain(tmp_path: Path, backend: FakeBackend) -> None:
    with served(backend, tmp_path) as proxy:
        backend.script(answer("Read."))
        proxy.events(ask(LONG))
    assert "content-encoding" not in backend.requests[0].headers
