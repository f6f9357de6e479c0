"""What the proxy costs, against relays that translate nothing, all in one run:

    python -m tests.bench [--rounds 3] [--quick]

Each load is driven at each server in turn, several rounds, and the median counts: machines are noisy, so nothing is
compared across runs. The targets are those of docs/architecture.md; a row says whether it meets its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench.load import Load, Measured, drive, quantile, resident

TOKEN = "bench-token"
ROOT = Path(__file__).parent.parent.parent
PLAIN, FAST, OURS = "relay (httpx)", "relay (aiohttp)", "claudegpt"


@dataclass(frozen=True)
class Server:
    """One that answers POST /v1/messages."""

    name: str
    url: str
    pid: int
    idle: float  # megabytes


@dataclass(frozen=True)
class Row:
    """One load, what is read off it, and what claudegpt may have at most, given each relay's figure."""

    title: str
    unit: str
    load: Load
    read: Callable[[Measured, Load], float]
    target: Callable[[Mapping[str, float]], float]


def first(measured: Measured, load: Load) -> float:
    return quantile(measured.first, 0.5)


def gap(measured: Measured, load: Load) -> float:
    return quantile(measured.gaps, 0.99)


def cpu(measured: Measured, load: Load) -> float:
    return measured.cpu_per_delta(load)


FLOOD = Load()
SMALL = Load(deltas=20, requests=40)
BIG = Load(deltas=20, requests=20, body_kb=1500)
CROWD = Load(deltas=100, pace=20, requests=200, concurrency=200, warmup=1)
ROWS = (
    Row("CPU a delta, text", "µs", FLOOD, cpu, lambda floor: min(floor[PLAIN] / 2, floor[FAST] * 2.5)),
    Row(
        "CPU a delta, tool",
        "µs",
        replace(FLOOD, kind="tool"),
        cpu,
        lambda floor: min(floor[PLAIN] / 2, floor[FAST] * 2.5),
    ),
    Row("first delta, 75 kB", "ms", SMALL, first, lambda floor: floor[FAST] + 1),
    Row("first delta, 1.5 MB", "ms", BIG, first, lambda floor: floor[FAST] * 1.3),
    Row("p99 gap, 200 streams", "ms", CROWD, gap, lambda floor: floor[FAST] * 1.2),
)
IDLE_TARGET, STREAM_TARGET = 64.0, 0.25  # megabytes


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.bench")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--quick", action="store_true", help="a tenth of the requests: to see that it works")
    chosen = options.parse_args()
    with servers() as running:
        table = Table("", *(server.name for server in running), "at most", "")
        for row in ROWS:
            load = lighter(row.load) if chosen.quick else row.load
            add_row(table, replace(row, load=load), asyncio.run(rounds(running, load, chosen.rounds)))
        add_memory(table, running, CROWD.concurrency)
    Console(width=100).print(table)


def lighter(load: Load) -> Load:
    return replace(load, requests=max(2, load.requests // 10), concurrency=max(1, load.concurrency // 10), warmup=1)


async def rounds(running: list[Server], load: Load, times: int) -> dict[str, list[Measured]]:
    """Each server in turn, `times` over."""
    results: dict[str, list[Measured]] = {server.name: [] for server in running}
    for _ in range(times):
        for server in running:
            measured = await drive(server.url, server.pid, TOKEN, load)
            assert not measured.failed, f"{measured.failed} requests to {server.name} failed"
            results[server.name].append(measured)
    return results


def add_row(table: Table, row: Row, results: Mapping[str, list[Measured]]) -> None:
    figures = {name: median(row.read(one, row.load) for one in measured) for name, measured in results.items()}
    allowed = row.target(figures)
    shown = [f"{figure:.1f} {row.unit}" for figure in figures.values()]
    table.add_row(row.title, *shown, f"{allowed:.1f} {row.unit}", verdict(figures[OURS] <= allowed))


def add_memory(table: Table, running: list[Server], streams: int) -> None:
    """Resident memory before any request, and what a stream of the crowd added to it."""
    idle = [f"{server.idle:.0f} MB" for server in running]
    more = {server.name: (resident(server.pid) - server.idle) / streams for server in running}
    ours = next(server for server in running if server.name == OURS)
    table.add_row("memory, idle", *idle, f"{IDLE_TARGET:.0f} MB", verdict(ours.idle <= IDLE_TARGET))
    shown = [f"{figure:.2f} MB" for figure in more.values()]
    table.add_row("memory, a stream", *shown, f"{STREAM_TARGET:.2f} MB", verdict(more[OURS] <= STREAM_TARGET))


def verdict(met: bool) -> str:
    return "✓" if met else "✗"


# The servers.


@contextmanager
def servers() -> Iterator[list[Server]]:
    """The two relays and claudegpt, before one upstream."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = free_port()
        stack.enter_context(started(home, "tests.bench.upstream", str(upstream), port=upstream))
        origin = f"http://127.0.0.1:{upstream}"

        def server(name: str, module: str, *words: str) -> Server:
            port = free_port()
            given = [word.replace("PORT", str(port)) for word in words]
            process = stack.enter_context(started(home, module, *given, port=port, upstream=origin))
            return Server(name, f"http://127.0.0.1:{port}", process.pid, resident(process.pid))

        yield [
            server(PLAIN, "tests.bench.relay", "PORT", origin),
            server(FAST, "tests.bench.relay", "PORT", origin, "aiohttp"),
            server(OURS, "claudegpt_pkg", "serve", "--port", "PORT"),
        ]


@contextmanager
def started(home: Path, module: str, *words: str, port: int, upstream: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A module running as a server, from when it listens until the end of the block."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "CLAUDEGPT_HOME": str(home / "claudegpt"),
        "CLAUDEGPT_PROVIDER": "openai",
        "CLAUDEGPT_TOKEN": TOKEN,
        "OPENAI_API_KEY": "bench",
        "OPENAI_BASE_URL": f"{upstream}/v1",
    }
    command = [sys.executable, "-m", module, *words]
    with subprocess.Popen(command, env=env, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            asyncio.run(answering(port))
            yield process
        finally:
            process.terminate()


async def answering(port: int) -> None:
    """Until it answers: that it listens says nothing of claudegpt, which loads what answers only then."""
    async with asyncio.timeout(60):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.write(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
                await reader.readline()
                writer.close()
                return


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
