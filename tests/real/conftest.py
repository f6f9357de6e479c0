"""A session of each version of Claude Code that users have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.clients import MIDDLE, VERSIONS
from tests.real.session import Session
from tests.support.fakes.backend import FakeBackend


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on the oldest and the newest client; on the one between if the test is marked `every_version`."""
    if "version" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("every_version")
        metafunc.parametrize("version", [each for each in VERSIONS if marked or each != MIDDLE], indirect=True)


@pytest.fixture
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def session(version: str, tmp_path: Path, backend: FakeBackend) -> Iterator[Session]:
    session = Session(version, tmp_path, backend)
    yield session
    session.check()


@pytest.fixture
def plan() -> Iterator[FakeBackend]:
    """A strict backend of a ChatGPT plan."""
    with FakeBackend("chatgpt") as backend:
        yield backend
        backend.check()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.real)
