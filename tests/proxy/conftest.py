"""A proxy for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.backend import FakeBackend
from tests.proxy.served import Served, served


@pytest.fixture
def proxy(backend: FakeBackend, tmp_path: Path) -> Iterator[Served]:
    """Before the strict OpenAI backend."""
    with served(backend, tmp_path) as proxy:
        yield proxy
