"""What another version of Claude Code sends: `python -m tests.real.drift OLD NEW` prints what differs.

It fetches both versions from npm, runs each in a fresh home against a scripted Messages server on loopback, and
compares the requests (headers, fields, tools and their schemas), the command line's options, and the settings keys and
environment variables that the program names. An update of Claude Code can then be read before users meet it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rich.console import Console

from claudegpt_pkg.translate.wire.sse import Event, encode
from tests.real.clients import fetch

VARIABLE = re.compile(rb"\b(?:CLAUDE|ANTHROPIC|DISABLE|ENABLE|MCP|API|BASH|MAX|USE)_[A-Z0-9_]{3,60}\b")
# How the program declares a settings key: `name:()=>….describe(` (newer) or `name:x.y().optional().describe(` (older).
SETTING = re.compile(rb"\b([a-z][a-zA-Z]{3,40}):(?:\(\)=>)?[A-Za-z_$][\w$]{0,4}[.(][^\"'`{}]{0,160}?\.describe\([\"'`]")
OPTION = re.compile(r"^\s+(?:-\w, )?(--[a-z][a-z-]+)", re.M)
CHANGING = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\d|/tmp/\S+")
SCHEMA = json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}})
OF_THE_RUN = ("content-length", "host")  # headers that differ between any two runs
CHUNK = 1 << 24  # bytes of the program that are searched at once
OVERLAP = 1 << 10


@dataclass
class Seen:
    """What one version showed of itself, as sets of lines that can be compared."""

    parts: dict[str, set[str]] = field(default_factory=dict)

    def add(self, part: str, lines: Iterable[str]) -> None:
        self.parts.setdefault(part, set()).update(lines)


def look_at(version: str) -> Seen:
    """Everything that is compared of one version."""
    program, seen = fetch(version), Seen()
    for requests in (record(program, "hello"), record(program, "hello", "--effort", "low", "--json-schema", SCHEMA)):
        for request in requests:
            seen.add("headers", (f"{name}: {value}" for name, value in request.headers.items()))
            seen.add("fields", shape(request.body))
            seen.add("tools", map(tool_line, request.body.get("tools") or ()))
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    seen.add("options", OPTION.findall(shown))
    for chunk in chunks(program):
        seen.add("environment variables", (name.decode() for name in VARIABLE.findall(chunk)))
        seen.add("settings", (name.decode() for name in SETTING.findall(chunk)))
    return seen


@dataclass(frozen=True)
class Recorded:
    headers: Mapping[str, str]
    body: Mapping[str, Any]


def record(program: Path, prompt: str, *words: str) -> list[Recorded]:
    """The requests of one `claude -p`, in which the model calls Bash once and then answers."""
    requests: list[Recorded] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path.startswith("/v1/messages?"):
                headers = {name.lower(): CHANGING.sub("…", value) for name, value in self.headers.items()}
                for name in OF_THE_RUN:
                    headers.pop(name, None)
                requests.append(Recorded(headers, body))
            self._send(b"".join(map(encode, answer(first=len(requests) == 1))))

        def do_HEAD(self) -> None:
            self._send(b"")

        do_GET = do_HEAD

        def _send(self, data: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as home:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.server_port}",
            "ANTHROPIC_AUTH_TOKEN": "not-a-real-token",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        }
        command = [str(program), "-p", prompt, "--allowedTools", "Bash", *words]
        subprocess.run(
            command, env=env, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
        )
    server.shutdown()
    server.server_close()
    return requests


def answer(*, first: bool) -> Iterator[Event]:
    """A stream with one call of Bash, or with a word of text."""
    usage = {"input_tokens": 10, "output_tokens": 5}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    yield {"type": "message_start", "message": message}
    if first:
        block: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps({"command": "true", "description": "nothing"})}
    else:
        block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": "Done."}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    reason = "tool_use" if first else "end_turn"
    yield {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}
    yield {"type": "message_stop"}


def shape(value: Any, path: str = "") -> Iterator[str]:
    """A line for each field, with its type or its short fixed value; the tools' schemas are compared by `tool_line`."""
    if path == "tools":
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from shape(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from shape(inner, f"{path}[]")
    elif isinstance(value, str) and (len(value) > 40 or CHANGING.search(value) or path.endswith("id")):
        yield f"{path}: text"
    else:
        yield f"{path}: {json.dumps(value)}"


def tool_line(tool: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(tool, sort_keys=True).encode()).hexdigest()[:8]
    names = ", ".join(sorted((tool.get("input_schema") or {}).get("properties") or {}))
    return f"{tool.get('name')}({names}) {digest}"


def chunks(program: Path) -> Iterator[bytes]:
    """The program's bytes in pieces that overlap, so that no name is cut."""
    with program.open("rb") as file:
        tail = b""
        while piece := file.read(CHUNK):
            yield tail + piece
            tail = piece[-OVERLAP:]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.real.drift", description=__doc__)
    parser.add_argument("old")
    parser.add_argument("new")
    words = parser.parse_args()
    old, new = look_at(words.old), look_at(words.new)
    console = Console(width=160, highlight=False)
    for part in old.parts:
        gone, added = old.parts[part] - new.parts[part], new.parts[part] - old.parts[part]
        console.print(f"\n{part}: {len(gone)} gone, {len(added)} new", style="bold", markup=False)
        for sign, lines in (("-", gone), ("+", added)):
            for line in sorted(lines):
                console.print(f"  {sign} {line}", markup=False, overflow="fold")


if __name__ == "__main__":
    main()
