"""A real MCP server with as many tools as asked for: python -m tests.real.mcp_server COUNT [DESCRIPTOR]

Over stdio, or over streamable HTTP on the listening socket that it inherits. Each tool says which it is and what it was
given.

    with over_http(3) as url: …
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from mcp.server.mcpserver import MCPServer

from claudegpt_pkg.proxy.server import bind, url_of
from tests.fakes.backend import DEADLINE

ROOT = Path(__file__).parents[2]
DESCRIPTION = "Looks a key up in register {0}: give it as it stands in the register, the answer is one line of text. "


def numbered(number: int) -> Callable[[str], str]:
    def look_up(key: str) -> str:
        return f"register {number} has {key}"

    return look_up


def server(count: int) -> MCPServer:
    made = MCPServer("registers", log_level="ERROR")
    for number in range(count):
        made.tool(name=f"look_up_{number}", description=DESCRIPTION.format(number) * 4)(numbered(number))
    return made


@contextmanager
def over_http(count: int) -> Iterator[str]:
    """The address of a server of so many tools. Its port is held from here on: nobody else can have it meanwhile."""
    with bind("127.0.0.1", 0) as listener:
        url, number = f"{url_of(listener)}/mcp", listener.fileno()
        command = [sys.executable, "-m", "tests.real.mcp_server", str(count), str(number)]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, pass_fds=[number]) as process:
            try:
                httpx.get(url, timeout=DEADLINE, trust_env=False)  # whatever it says: it answers
                yield url
            finally:
                process.terminate()


if __name__ == "__main__":
    count = int(sys.argv[1])
    if len(sys.argv) > 2:
        import uvicorn

        uvicorn.run(server(count).streamable_http_app(), fd=int(sys.argv[2]), log_level="error")
    else:
        server(count).run("stdio")
