"""An Ollama is found on this machine, and looked for nowhere else."""

from __future__ import annotations

import pytest

from claudegpt_pkg.setup.local_servers import Ollama, find_ollama, ollama_address
from tests.support.fakes.backend import FakeBackend


@pytest.fixture
def server(backend: FakeBackend) -> FakeBackend:
    """A server that needs no key."""
    backend.credentials.add("")
    return backend


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("localhost", "http://localhost:11434"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("gpu.example:11434", None),
        ("http://10.0.0.5:11434", None),
        ("localhost:port", None),
        ("http://[", None),
    ],
)
def test_every_way_to_write_its_address_is_understood(host: str, address: str | None) -> None:
    assert ollama_address(host) == address


def test_its_models_are_listed(server: FakeBackend) -> None:
    server.page("GET", "/api/tags", 200, {"models": [{"name": "qwen3:8b", "size": 5}, {"name": "llama4:70b"}]})
    found = find_ollama({"OLLAMA_HOST": f"127.0.0.1:{server.port}"})
    assert found == Ollama(server.url, ("qwen3:8b", "llama4:70b"))


@pytest.mark.parametrize("page", [[], {"models": "x"}, {"models": [{}]}, {}, "text"])
def test_another_server_on_its_port_is_not_taken_for_it(server: FakeBackend, page: object) -> None:
    server.page("GET", "/api/tags", 200, page)
    assert find_ollama({"OLLAMA_HOST": f"127.0.0.1:{server.port}"}) is None


def test_none_is_found_where_nothing_listens() -> None:
    assert find_ollama({"OLLAMA_HOST": "127.0.0.1:9"}) is None
