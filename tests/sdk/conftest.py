"""`claudegpt serve` as a user starts it, and the `anthropic` package as a client that knows nothing of us."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anthropic
import pytest

from tests.real.session import COMMAND, ROOT
from tests.real.tapped import WHOLE
from tests.support import grammar
from tests.support.fakes.backend import DEADLINE, FakeBackend


@pytest.fixture
def serve_settings() -> dict[str, str]:
    """Settings of `serve` besides the backend's; a test module may have others."""
    return {}


@pytest.fixture
def exports(tmp_path: Path, backend: FakeBackend, serve_settings: dict[str, str]) -> Iterator[dict[str, str]]:
    """The address and the token that `serve` prints first. Every stream is held against the grammar at the end."""
    taps = tmp_path / "taps"
    taps.mkdir()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "TAP_FOLDER": str(taps),
        "CLAUDEGPT_HOME": str(tmp_path / "claudegpt"),
        "CLAUDEGPT_PROVIDER": "openai",
        "OPENAI_API_KEY": "test-key",
        "OPENAI_BASE_URL": backend.url,
        **serve_settings,
    }
    with subprocess.Popen([*COMMAND, "serve"], env=env, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as server:
        assert server.stdout
        lines = [server.stdout.readline() for _ in range(2)]
        found = [re.fullmatch(r"export (\w+)=(\S+)\n", line) for line in lines]
        assert all(found), lines
        yield {match[1]: match[2] for match in found if match}
        server.send_signal(signal.SIGINT)
        assert server.wait(DEADLINE) in (0, 130)
        rest = server.stdout.read().splitlines()  # more variables, for Claude Code as a client
        assert all(line.startswith("export ") for line in rest), rest
    for path in taps.iterdir():
        grammar.check(path.read_bytes(), whole=path.suffix == WHOLE)


@pytest.fixture
def client(exports: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[anthropic.Anthropic]:
    """The client as it configures itself from those variables."""
    for name, value in exports.items():
        monkeypatch.setenv(name, value)
    with anthropic.Anthropic(max_retries=0) as client:
        yield client
