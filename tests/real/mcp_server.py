"""A real MCP server with as many tools as asked for: python -m tests.real.mcp_server COUNT [PORT]

Over stdio, or over streamable HTTP on a loopback port. Each tool says which it is and what it was given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from mcp.server.mcpserver import MCPServer

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


if __name__ == "__main__":
    count = int(sys.argv[1])
    if len(sys.argv) > 2:
        server(count).run("streamable-http", port=int(sys.argv[2]))
    else:
        server(count).run("stdio")
