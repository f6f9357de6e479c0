"""Asks MCP servers for their tools, all at once: a program of its own, which mcp_tools.py runs and reads.

It is a program because the `mcp` package takes a second to load and 50 MB to hold and is needed for a moment only, and
because whatever a server starts, prints or breaks then stays outside the proxy.

    stdin     {"seconds": 10, "servers": {name: configuration}}
    stdout    one JSON line for each server when it answers: {"server": name, "tools": […]} or
              {"server": name, "problem": "…"}

What a library or a server prints goes to stderr. The program disconnects from each server as the protocol wants it,
also when it is told to end (SIGTERM) or its parent is gone. A server may list MOST_TOOLS tools of together
MOST_CHARACTERS.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, TextIO

Server = dict[str, Any]
MOST_TOOLS = 2_000  # of one server
MOST_CHARACTERS = 8 << 20  # of their names, descriptions and schemas


def main() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the parent holds signals back; the servers must not
    asked = json.loads(sys.stdin.readline())
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        asyncio.run(_ask_all(asked["servers"], asked["seconds"], answers))


def _end_with_parent() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


async def _ask_all(servers: dict[str, Server], seconds: float, answers: TextIO) -> None:
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    ending = asyncio.create_task(end.wait())
    await asyncio.gather(*(_report(name, server, seconds, ending, answers) for name, server in servers.items()))


async def _report(name: str, server: Server, seconds: float, ending: asyncio.Task[Any], answers: TextIO) -> None:
    """Write a server's line in time, however long it then takes to disconnect from the server."""
    listing = asyncio.create_task(_list_tools(server))
    done, _ = await asyncio.wait({listing, ending}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if ending not in done:
        answer = _answer_of(listing) if listing in done else {"problem": f"no answer within {seconds:g} seconds"}
        with suppress(BrokenPipeError):
            answers.write(json.dumps({"server": name, **answer}) + "\n")
            answers.flush()
    listing.cancel()
    await asyncio.wait({listing})


def _answer_of(listing: asyncio.Task[list[dict[str, Any]]]) -> dict[str, Any]:
    problem = listing.exception()
    if problem is None:
        return {"tools": listing.result()}
    return {"problem": " ".join(_words_of(_innermost(problem)).split()) or type(problem).__name__}


def _innermost(problem: BaseException) -> BaseException:
    """The first error inside a group of errors."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


def _words_of(problem: BaseException) -> str:
    """The error's own words, without the number that begins an error of the operating system."""
    if isinstance(problem, OSError) and problem.strerror and problem.filename:
        return f"{problem.strerror}: {problem.filename}"
    return str(problem)


async def _list_tools(server: Server) -> list[dict[str, Any]]:
    from mcp import Client

    tools: list[dict[str, Any]] = []
    async with Client(_transport(server)) as client:
        cursor: str | None = None
        size = 0
        while True:
            page = await client.list_tools(cursor=cursor)
            tools += [
                {"name": tool.name, "description": tool.description or "", "input_schema": tool.input_schema}
                for tool in page.tools
            ]
            size += sum(len(json.dumps(tool)) for tool in tools[-len(page.tools) :]) if page.tools else 0
            if len(tools) > MOST_TOOLS or size > MOST_CHARACTERS:
                raise ValueError(f"it lists more than {MOST_TOOLS} tools or {MOST_CHARACTERS >> 20} MB")
            if not page.next_cursor or page.next_cursor == cursor:
                return tools
            cursor = page.next_cursor


def _transport(server: Server) -> Any:
    """The transport that the client connects through."""
    from mcp import StdioServerParameters
    from mcp.client import streamable_http

    if "url" in server:
        # the package's own client, which it does not export: with the time limits and redirects its transport wants
        client = streamable_http.create_mcp_http_client(headers=server.get("headers"))  # type: ignore[attr-defined]
        return streamable_http.streamable_http_client(server["url"], http_client=client)
    env = {**os.environ, **(server.get("env") or {})}
    return StdioServerParameters(command=server["command"], args=server.get("args") or [], env=env)


if __name__ == "__main__":
    main()
