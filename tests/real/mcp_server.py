"""A real MCP server with as many tools as asked for: python -m tests.real.mcp_server COUNT [DESCRIPTOR]

Over stdio, or over streamable HTTP on the listening socket that it inherits. Each tool says which it is and what it was
given.
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
        import uvicorn

        uvicorn.run(server(count).streamable_http_app(), fd=int(sys.argv[2]), log_level="error")
    else:
        server(count).run("stdio")
