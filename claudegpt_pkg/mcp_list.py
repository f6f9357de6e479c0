"""Asks MCP servers for their tools, all at once: a program of its own, which mcp.py runs and reads.

Apart, because the `mcp` package takes a second to load and 50 MB to hold, and is needed for a moment only; and because
what servers start, print and break then stays here. In: `{"seconds": 10, "servers": {name: configuration}}`. Out, a
JSON line a server as its answer comes: `{"server": name, "tools": […]}` or `{"server": name, "problem": "…"}`.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from typing import Any

Server = dict[str, Any]


def main() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # our parent holds signals back; what we start must not
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    asyncio.run(ask_all(asked["servers"], asked["seconds"]))


def end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


async def ask_all(servers: dict[str, Server], seconds: float) -> None:
    await asyncio.gather(*(report(name, server, seconds) for name, server in servers.items()))


async def report(name: str, server: Server, seconds: float) -> None:
    said: dict[str, Any] = {"server": name}
    try:
        async with asyncio.timeout(seconds):
            said["tools"] = await tools_of(server)
    except TimeoutError:
        said["problem"] = f"no answer within {seconds:g} seconds"
    except Exception as problem:  # noqa: BLE001  whatever a server does, it costs its line
        said["problem"] = " ".join(str(reason(problem)).split()) or type(problem).__name__
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def reason(problem: BaseException) -> BaseException:
    """What is at the bottom of a group of errors."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


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
