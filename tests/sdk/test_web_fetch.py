"""The `anthropic` packages for Python and TypeScript use the server tool `web_fetch` of `claudegpt serve`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.sdk.packages import node_folder
from tests.support.fakes.answers import answer, call
from tests.support.fakes.backend import FakeBackend
from tests.support.grammar import check_message
from tests.support.web_host import WebHost

PROGRAM = Path(__file__).parent / "agents" / "web_fetch.mjs"
TOOL: Any = {"type": "web_fetch_20250910", "name": "web_fetch"}
ASKED: Any = [{"role": "user", "content": "Read three pages."}]
PAIR = ["server_tool_use", "web_fetch_tool_result"]


@pytest.fixture
def host() -> Iterator[WebHost]:
    with WebHost({f"/{number}": f"<title>Page {number}</title><p>Text {number}." for number in range(5)}) as host:
        yield host


@pytest.fixture
def serve_settings(host: WebHost) -> dict[str, str]:
    return {"CLAUDEGPT_WEB_FETCH_HOSTS": host.name}


@pytest.fixture
def script(backend: FakeBackend, host: WebHost) -> None:
    """Three fetches, of which one fails, and a fifth that the limit of four refuses."""
    paths = ("/1", "/missing", "/2", "/3", "/4")
    backend.script(*(answer(call("web_fetch", url=host.url(path))) for path in paths), answer("Done."))


def check(content: list[dict[str, Any]]) -> None:
    assert [block["type"] for block in content] == [*PAIR * 5, "text"]
    results = [block["content"] for block in content if block["type"] == "web_fetch_tool_result"]
    codes = [result.get("error_code") for result in results]
    assert codes == [None, "url_not_accessible", None, None, "max_uses_exceeded"]
    assert results[2]["content"]["source"]["data"] == "Text 2." and content[-1]["text"] == "Done."


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("streaming", [True, False])
def test_python(host: WebHost, client: anthropic.Anthropic, streaming: bool) -> None:
    options: Any = {"model": "claude-opus-4-8", "max_tokens": 1000, "messages": ASKED, "tools": [TOOL]}
    if streaming:
        with client.messages.stream(**options) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(**options)
    found = check_message(json.loads(message.to_json()))
    check(found["content"])
    assert message.usage.server_tool_use and message.usage.server_tool_use.web_fetch_requests == 5


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("streaming", ["stream", "whole"])
def test_typescript(host: WebHost, exports: dict[str, str], streaming: str) -> None:
    env = {"PATH": os.environ["PATH"], "SDK": str(node_folder()), **exports}
    done = subprocess.run(["node", str(PROGRAM), streaming], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    check(json.loads(done.stdout)["content"])
