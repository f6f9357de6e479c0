"""PROXY_MCP_SERVERS: declares the tools of the user's MCP servers in requests that lack them.

    tools = McpTools(servers, wanted, say, refused=refused)    # from claude/mcp_servers.py
    tools.start()                                          # asks the servers in the background (mcp_probe.py)
    request = await tools.add_to(request, named=named)     # waits until the servers answered or their time is over
    tools.stop()

The proxy only declares these tools. The client has the same servers and runs what the model calls, under the same name:
`mcp__server__tool`. Claude Code declares the tools that it can run, or names them if their schemas wait to be searched
for. A tool that it does not name is not added: it could not run it, because it is still connecting, an agent may not
use it, or the user has denied it. The user is told one line about each server.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..formats import format_count, printable, to_one_line

Server = Mapping[str, Any]

ALL = "all"
SECONDS = 15.0  # for a server to start and to list its tools
GRACE = 5.0  # seconds for mcp_probe.py to start, and for its last line to arrive
LONGEST_PROBLEM = 400  # characters of a server's words
LONGEST_LINE = 1 << 24  # bytes: a server may have hundreds of tools
PROGRAM = Path(__file__).with_name("mcp_probe.py")
STDIO, HTTP = (None, "", "stdio"), ("http", "streamable-http", "streamableHttp")
SEARCH_TOOLS = frozenset(["ToolSearch", "MCPSearch"])  # the second until 2.1.1 or later
NAME = re.compile(rb"mcp__[a-zA-Z0-9_-]+")
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def find_named_tools(request: Mapping[str, Any], body: bytes) -> set[str]:
    """The MCP tools that Claude Code can run although it may not declare them; none in a request without ToolSearch."""
    searching = any(tool.get("name") in SEARCH_TOOLS for tool in request.get("tools") or ())
    return {name.decode() for name in NAME.findall(body)} if searching else set()


class McpTools:
    """The tools of the wanted servers.

    `servers` are those that Claude Code connects; `wanted` names some of them, or is `all`. `refused` says why Claude
    Code does not connect others. `say` gets one line for each server, from another thread.
    """

    def __init__(
        self,
        servers: Mapping[str, Server],
        wanted: Sequence[str],
        say: Callable[[str], None],
        *,
        refused: Mapping[str, str] | None = None,
        environ: Mapping[str, str] = os.environ,
        seconds: float = SECONDS,
    ):
        self._wanted = list(servers) if ALL in wanted else list(dict.fromkeys(wanted))
        self._servers = {name: expand_variables(servers[name], environ) for name in self._wanted if name in servers}
        self._refused = refused or {}
        self._say = say
        self._seconds = seconds
        self._found: dict[str, list[dict[str, Any]]] = {}
        self._known = {name: asyncio.Event() for name in self._wanted}
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def start(self) -> None:
        """Call this in the event loop in which `add_to` is called."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=(loop,), name="claudegpt-mcp", daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        if self._process:
            self._process.terminate()

    async def add_to(self, request: dict[str, Any], *, named: Collection[str] | None = None) -> dict[str, Any]:
        """The request with the tools that it lacks behind its own. `named`: only these may be added.

        A request without tools of its own is returned as it is.
        """
        own = request.get("tools") or []
        if not any("input_schema" in tool for tool in own):
            return request
        names = {tool.get("name") for tool in own}
        missing = None if named is None else set(named) - names
        servers = [server for server in self._wanted if missing is None or _has_tool_of(missing, server)]
        for server in servers:
            await self._known[server].wait()
        found = (tool for server in servers for tool in self._found.get(server, ()) if tool["name"] not in names)
        lacking = {tool["name"]: tool for tool in found if missing is None or tool["name"] in missing}
        return {**request, "tools": [*own, *lacking.values()]} if lacking else request

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        def tell(name: str, what: str) -> None:
            if not self._stopped:
                self._say(f"MCP server {name}: {what}")
            with suppress(RuntimeError):  # the event loop is closed
                loop.call_soon_threadsafe(self._known[name].set)

        usable = {}
        for name in self._wanted:
            if problem := self._refused.get(name) or _problem_of(self._servers.get(name)):
                tell(name, problem)
            else:
                usable[name] = self._servers[name]
        if usable:
            self._ask(usable, tell)

    def _ask(self, servers: dict[str, Server], tell: Callable[[str, str], None]) -> None:
        """Run mcp_probe.py until each server has its line. If this process ends, its input ends and it ends itself."""
        command = [sys.executable, "-I", str(PROGRAM)]
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        except OSError as problem:  # too many processes or open files
            for name in servers:
                tell(name, f"cannot be asked ({problem.strerror})")
            return
        self._process = process
        if self._stopped:  # `stop` was called before there was a process to end
            process.terminate()
        assert process.stdin and process.stdout
        late = threading.Timer(self._seconds + GRACE, process.kill)
        late.start()
        silent = dict(servers)
        with suppress(OSError):
            process.stdin.write(json.dumps({"seconds": self._seconds, "servers": servers}).encode() + b"\n")
            process.stdin.flush()
            while silent and (line := process.stdout.readline(LONGEST_LINE)):
                answer = _read_answer(line)
                if answer and silent.pop(answer["server"], None):
                    tell(answer["server"], self._keep(answer["server"], answer))
        late.cancel()
        for name in silent:
            tell(name, f"no answer within {self._seconds:g} seconds")
        threading.Thread(target=self._end, args=(process,), daemon=True).start()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Give mcp_probe.py the time to disconnect from its servers."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(self._seconds)
        process.kill()

    def _keep(self, name: str, answer: Mapping[str, Any]) -> str:
        """Keep the tools of an answer. Returns what the user is told."""
        if "problem" in answer:
            return to_one_line(str(answer["problem"]), LONGEST_PROBLEM)
        tools = [{**tool, "name": full_name(name, tool["name"])} for tool in answer["tools"]]
        self._found[name] = tools
        return format_count(len(tools), "tool")


def _read_answer(line: bytes) -> dict[str, Any] | None:
    """One line of mcp_probe.py; None if it is not an answer, because a library may print there too."""
    try:
        answer = json.loads(line)
        if isinstance(answer["server"], str) and ("problem" in answer or all(map(_is_tool, answer["tools"]))):
            return dict(answer)
    except (ValueError, LookupError, TypeError):
        return None
    return None


def _is_tool(found: Any) -> bool:
    if not isinstance(found, dict) or not printable(found.get("name")):
        return False
    return isinstance(found.get("description"), str) and isinstance(found.get("input_schema"), dict)


def _has_tool_of(names: Collection[str], server: str) -> bool:
    return any(name.startswith(full_name(server, "")) for name in names)


def _problem_of(server: Server | None) -> str:
    """Why a server cannot be asked; empty if it can."""
    if server is None:
        return "Claude Code has no server of this name"
    kind = server.get("type")
    if kind not in STDIO + HTTP:
        return f"it speaks {kind}, which is not supported here; stdio and http are"
    needs = "url" if kind in HTTP else "command"
    return "" if isinstance(server.get(needs), str) else f"its entry has no {needs}"


def full_name(server: str, tool: str) -> str:
    """The name of a tool in Claude Code."""
    return "__".join(["mcp", *(re.sub(r"[^a-zA-Z0-9_-]", "_", part) for part in (server, tool))])


def expand_variables(value: Any, environ: Mapping[str, str]) -> Any:
    """Expand `${NAME}` and `${NAME:-default}` in all texts, as Claude Code does; a variable that is not set stays."""
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: environ.get(match[1]) or (match[0] if match[2] is None else match[2]), value)
    if isinstance(value, list):
        return [expand_variables(part, environ) for part in value]
    if isinstance(value, dict):
        return {key: expand_variables(part, environ) for key, part in value.items()}
    return value
