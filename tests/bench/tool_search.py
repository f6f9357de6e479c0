"""What tool search saves: python -m tests.bench.tool_search

Runs the real Claude Code (the newest version of the suite) with an MCP server of 5, 50 and 250 tools against the strict
backends, one of whose tools is found and used in the middle of a conversation of five requests; prints the bytes of
each request and how much of it the prompt cache's prefix covers. Three ways: all tools inline; withheld and declared
again once found (any Responses server); the backend's own client-side search (OpenAI, ChatGPT).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.real.clients import NEW
from tests.real.plan import codex_login
from tests.real.session import ROOT, Session
from tests.support.fakes.answers import Answer, answer, call, tool_search
from tests.support.fakes.backend import FakeBackend

COUNTS = (5, 50, 250)
TOOL = "mcp__registers__look_up_1"
SEARCH = {"query": f"select:{TOOL}", "max_results": 5}


def bash(word: str) -> Answer:
    return answer(call("Bash", command=f"echo {word}", description="Say it"))


def measure(way: str, count: int, folder: Path) -> list[tuple[int, float]]:
    """(bytes, share of the input that was cached) of each request of the conversation."""
    searches = {
        "inline": bash("instead of a search"),
        "withheld": answer(call("ToolSearch", **SEARCH)),
        "own search": answer(tool_search(**SEARCH)),
    }
    with FakeBackend("chatgpt" if way == "own search" else "openai") as backend:
        session = Session(NEW, folder, backend)
        if way == "own search":
            codex_login(session, backend)
        backend.script(bash("one"), searches[way], answer(call(TOOL, key="k7")), bash("two"), answer("Done."))
        env: Mapping[str, str] = {"CLAUDEGPT_TOOL_SEARCH": "0"} if way == "inline" else {}
        ran = session.run("Go", "--mcp-config", mcp_config(session, count), "--allowedTools", "Bash", TOOL, env=env)
        assert ran.stdout == "Done.\n", ran
        backend.check()
        cached = [usage(events) for events in session.streams()]
        return [(len(request.raw), share) for request, share in zip(backend.requests, cached, strict=True)]


def usage(events: list[dict[str, object]]) -> float:
    [counts] = [event["usage"] for event in events if event["type"] == "message_delta"]
    assert isinstance(counts, dict)
    whole = sum(counts[name] for name in counts if name.endswith("input_tokens"))
    return float(counts["cache_read_input_tokens"] / whole)


def mcp_config(session: Session, count: int) -> str:
    server = {"command": sys.executable, "args": ["-m", "tests.real.mcp_server", str(count)]}
    file = session.home / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"registers": {**server, "env": {"PYTHONPATH": str(ROOT)}}}}))
    return str(file)


def main() -> None:
    row = "{:>5}  {:<10}  {}"
    print(row.format("tools", "way", "kB of each request (share of its input in the cache)"))  # noqa: T201
    for count in COUNTS:
        for way in ("inline", "withheld", "own search"):
            with tempfile.TemporaryDirectory() as folder:
                shown = [f"{size / 1000:.0f} ({cached:.0%})" for size, cached in measure(way, count, Path(folder))]
            print(row.format(count, way, "  ".join(shown)))  # noqa: T201


if __name__ == "__main__":
    main()
