"""Drives `POST /v1/messages` with Claude Code-sized requests and measures what they cost the server.

    measured = await drive(url, pid, token, Load(deltas=2000))

CPU is user and system time of the process tree of `pid` (Linux); memory its resident size, at its greatest.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

TICKS = os.sysconf("SC_CLK_TCK")
MARKS = (
    b'"text_delta"',
    b'"input_json_delta"',
    b'"response.output_text.delta"',
    b'"response.function_call_arguments.delta"',
)
ENDS = (b"event: message_stop", b"event: response.completed")
TOOLS = [f"Tool{number}" for number in range(21)]


@dataclass(frozen=True)
class Load:
    """What is asked for."""

    deltas: int = 2000
    pace: float = 0  # milliseconds between deltas; 0: as fast as they come
    kind: str = "text"
    requests: int = 20
    concurrency: int = 1
    body_kb: int = 75
    warmup: int = 3


@dataclass
class Measured:
    """What it cost; times in milliseconds."""

    first: list[float] = field(default_factory=list)  # until the first delta, each request
    gaps: list[float] = field(default_factory=list)  # between reads that held deltas
    cpu: float = 0.0  # seconds, all requests
    megabytes: float = 0.0
    failed: int = 0

    def cpu_per_delta(self, load: Load) -> float:
        """Microseconds."""
        return 1e6 * self.cpu / load.requests / load.deltas


def quantile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else 0.0


async def drive(url: str, pid: int, token: str, load: Load) -> Measured:
    measured = Measured()
    request = http_request(url, token, body(load))
    for _ in range(load.warmup):
        await one(url, request, Measured())
    before = cpu(pid)
    gate = asyncio.Semaphore(load.concurrency)

    async def go() -> None:
        async with gate:
            await one(url, request, measured)

    watching = asyncio.ensure_future(watch(pid, measured))
    await asyncio.gather(*(go() for _ in range(load.requests)))
    measured.cpu = cpu(pid) - before
    measured.megabytes = max(measured.megabytes, resident(pid))
    watching.cancel()
    return measured


async def one(url: str, request: bytes, measured: Measured) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1 << 24)
    began = time.perf_counter()
    writer.write(request)
    first = last = 0.0
    whole, tail = False, b""
    while data := await reader.read(1 << 16):
        now = time.perf_counter()
        if any(mark in data for mark in MARKS):
            if not first:
                first = now - began
            elif last:
                measured.gaps.append(1000 * (now - last))
            last = now
        whole = whole or any(mark in tail + data for mark in ENDS)
        tail = data[-32:]
        if data.endswith(b"0\r\n\r\n"):
            break
    writer.close()
    measured.first.append(1000 * first)
    measured.failed += not (first and whole)


async def watch(pid: int, measured: Measured) -> None:
    while True:
        measured.megabytes = max(measured.megabytes, resident(pid))
        await asyncio.sleep(0.2)


def http_request(url: str, token: str, content: bytes) -> bytes:
    head = {
        "host": urlsplit(url).netloc,
        "x-api-key": token,
        "anthropic-version": "2023-06-01",
        "x-claude-code-session-id": "00000000-0000-4000-8000-000000000000",
        "user-agent": "claude-cli/2.1.330 (external, sdk-cli)",
        "content-type": "application/json",
        "content-length": str(len(content)),
    }
    lines = ["POST /v1/messages?beta=true HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    return "\r\n".join(lines).encode() + content


def body(load: Load) -> bytes:
    """A request like Claude Code's, of about `body_kb` kilobytes, that says what is to be answered."""
    spec = f"bench-spec:deltas={load.deltas},pace={load.pace:g},kind={load.kind}"
    properties = {"command": {"type": "string", "description": "c " * 40}, "description": {"type": "string"}}
    schema = {"type": "object", "properties": properties, "required": ["command"]}
    tools = [{"name": name, "description": "d " * (load.body_kb * 18), "input_schema": schema} for name in TOOLS]
    user_id = json.dumps({"device_id": "d", "account_uuid": "", "session_id": "s"})
    request = {
        "model": "claude-opus-4-8",
        "max_tokens": 64000,
        "stream": True,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "metadata": {"user_id": user_id},
        "system": [{"type": "text", "text": "You are an agent. " * 300, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": spec}]}],
        "tools": tools,
    }
    return json.dumps(request).encode()


def cpu(pid: int) -> float:
    """Seconds of the process tree."""
    total = 0
    for process in tree(pid):
        if told := looked_at(Path("/proc") / str(process) / "stat"):
            fields = told.rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident(pid: int) -> float:
    """Megabytes of the process tree."""
    told = (looked_at(Path("/proc") / str(process) / "statm").split() for process in tree(pid))
    pages = sum(int(fields[1]) for fields in told if fields)
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def tree(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        process = waiting.pop()
        found.append(process)
        for children in (Path("/proc") / str(process) / "task").glob("*/children"):
            waiting += [int(child) for child in looked_at(children).split()]
    return found


def looked_at(file: Path) -> str:
    """Empty where the thread or process that it tells of has just ended."""
    try:
        return file.read_text()
    except OSError:
        return ""
