"""What every test has: an empty home, an environment with nothing of the user's in it, a strict backend."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from claudegpt_pkg.claude import launcher
from claudegpt_pkg.claude.session import Session
from claudegpt_pkg.cli import main
from claudegpt_pkg.server import Site
from tests.real import clients
from tests.support.fakes.backend import FakeBackend
from tests.support.planted import (  # noqa: F401
    capsys,
    pytest_runtest_logreport,
    pytest_sessionfinish,
    pytest_terminal_summary,
)
from tests.support.served import Served, served

# How long property tests search: the same examples everywhere and each time, or with `--hypothesis-profile=deep` many.
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("quick", max_examples=120, deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("deep", max_examples=5_000, deadline=None, database=None, suppress_health_check=SLOW)
settings.register_profile("brief", max_examples=15, deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.load_profile("quick")

# Whoever runs the suite in the background has it ignore these, and what it starts would never end by them.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGQUIT, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)

Run = Callable[..., tuple[int, str, str]]
KEPT = ("PATH", "LANG", "LC_ALL", "TERM", "TMPDIR", "SYSTEMROOT", clients.CACHE_VARIABLE)
MEASURED = ("COVERAGE", "COV_")  # by these the Python programs that tests start are measured too


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the real home, a setting, a credential or a proxy of the user's."""
    before = dict(os.environ)
    home = tmp_path_factory.mktemp("home")
    os.environ[clients.CACHE_VARIABLE] = str(clients.cache(before))
    for name in set(os.environ) - set(KEPT):
        if not name.startswith(("PYTEST", *MEASURED)):
            del os.environ[name]
    os.environ |= {"HOME": str(home), "CLAUDEGPT_HOME": str(home / "claudegpt"), "NO_PROXY": "127.0.0.1,localhost"}
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own."""
    where = tmp_path / "home"
    where.mkdir()
    monkeypatch.setenv("HOME", str(where))
    monkeypatch.setenv("CLAUDEGPT_HOME", str(where / "claudegpt"))
    return where


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:  # noqa: F811  the fixture imported above
    """A command: its exit status, what it wrote to stdout, and to stderr."""

    def ran(*words: str) -> tuple[int, str, str]:
        return (main.run(words), *capsys.readouterr())

    return ran


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    """The sessions that would have been launched."""
    sessions: list[Session] = []

    def launch(claude: Path, session: Session, sites: list[Site], **where: object) -> int:
        for site in sites:
            site.listener.close()
        sessions.append(session)
        return 0

    monkeypatch.setattr(launcher, "run_session", launch)
    return sessions


@pytest.fixture
def backend() -> Iterator[FakeBackend]:
    """A strict OpenAI backend; the test fails if it was asked something it refused or did not expect."""
    with FakeBackend("openai") as backend:
        yield backend
        backend.check()


@pytest.fixture
def proxy(backend: FakeBackend, tmp_path: Path) -> Iterator[Served]:
    """A proxy in front of the strict OpenAI backend."""
    with served(backend, tmp_path) as proxy:
        yield proxy
