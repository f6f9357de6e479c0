"""Asks MCP servers for their tools, all at once: a program of its own, which mcp.py runs and reads.

Apart, because the `mcp` package takes a second to load and 50 MB to hold, and is needed for a moment only; and because
what servers start, print and break then stays here. In: `{"seconds": 10, "servers": {name: configuration}}`. Out, a
JSON line a server as its answer comes: `{"server": name, "tools": […]}` or `{"server": name, "problem": "…"}`; what
a library or a server prints meanwhile goes to stderr. It takes leave of each server as the protocol wants it, also when
it is told to end (SIGTERM) or its parent is gone.
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


def main() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # our parent holds signals back; what we start must not
    asked = json.loads(sys.stdin.readline())
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        asyncio.run(ask_all(asked["servers"], asked["seconds"], answers))


def end_with_parent() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


async def ask_all(servers: dict[str, Server], seconds: float, answers: TextIO) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    threading.Thread(target=end_with_parent, daemon=True).start()
    told_to_end = asyncio.create_task(told.wait())
    await asyncio.gather(*(report(name, server, seconds, told_to_end, answers) for name, server in servers.items()))


async def report(name: str, server: Server, seconds: float, told_to_end: asyncio.Task[Any], answers: TextIO) -> None:
    """Says it in time, however long it then takes to part from the server."""
    asked = asyncio.create_task(tools_of(server))
    done, _ = await asyncio.wait({asked, told_to_end}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if told_to_end not in done:
        said = answer(asked) if asked in done else {"problem": f"no answer within {seconds:g} seconds"}
        with suppress(BrokenPipeError):
            answers.write(json.dumps({"server": name, **said}) + "\n")
            answers.flush()
    asked.cancel()
    await asyncio.wait({asked})


def answer(asked: asyncio.Task[list[dict[str, Any]]]) -> dict[str, Any]:
    problem = asked.exception()
    if problem is None:
        return {"tools": asked.result()}
    return {"problem": " ".join(words(reason(problem)).split()) or type(problem).__name__}


def reason(problem: BaseException) -> BaseException:
    """What is at the bottom of a group of errors."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


def words(problem: BaseException) -> str:
    """Its own, without the number that an error of the system's begins with."""
    if isinstance(problem, OSError) and problem.strerror and problem.filename:
        return f"{problem.strerror}: {problem.filename}"
    return str(problem)


async def tools_of(server: Server) -> list[dict[str, Any]]:
    from mcp import Client

    tools: list[dict[str, Any]] = []
    async with Client(transport(server)) as client:
        cursor: str | None = None
        while True:
            page = await client.list_tools(cursor=cursor)
            tools += [
                {"name": tool.name, "description": tool.description or "", "input_schema": tool.input_schema}
                for tool in page.tools
            ]
            cursor = page.next_cursor
            if not cursor:
                return tools


def transport(server: Server) -> Any:
    """What the client connects through."""
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
