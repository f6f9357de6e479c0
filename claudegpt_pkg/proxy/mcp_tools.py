"""PROXY_MCP_SERVERS: tools of the user's MCP servers, declared in requests that lack them.

    tools = McpTools(servers, wanted, say, refused=refused)    # from claude/mcp_servers.py
    tools.start()                                          # asks the servers, in the background (mcp_list.py)
    request = await tools.added_to(request, named=named)   # waits until they have answered or their time is over
    tools.stop()

They are declared only. The client, which has the same servers, runs what the model calls, under the same name:
`mcp__server__tool`. Claude Code itself declares what it can run, or names it where its schemas wait to be searched for:
what it does not name it could not run (it is still connecting, an agent may not use it, the user has denied it), and
is not added. A server costs one line of ours, whatever it does.
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

from ..formats import format_count

Server = Mapping[str, Any]

ALL = "all"
SECONDS = 15.0  # for a server to start and to list its tools
GRACE = 5.0  # seconds for the program to start, and for what it said to reach us
LONGEST_LINE = 1 << 24  # bytes: a server may have hundreds of tools
PROGRAM = Path(__file__).with_name("mcp_probe.py")
STDIO, HTTP = (None, "", "stdio"), ("http", "streamable-http", "streamableHttp")
SEARCH_TOOLS = frozenset(["ToolSearch", "MCPSearch"])  # the second until 2.1.1 or later
NAME = re.compile(rb"mcp__[a-zA-Z0-9_-]+")
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def named_in(request: Mapping[str, Any], body: bytes) -> set[str]:
    """The MCP tools that Claude Code could run but may not declare: none in a request that cannot search."""
    searching = any(tool.get("name") in SEARCH_TOOLS for tool in request.get("tools") or ())
    return {name.decode() for name in NAME.findall(body)} if searching else set()


class McpTools:
    """The tools of the wanted servers. `say` is handed one line a server, from another thread.

    `servers` are those that Claude Code connects; `all` wants these. `refused` says why it does not connect others.
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
        self._servers = {name: expanded(servers[name], environ) for name in self._wanted if name in servers}
        self._refused = refused or {}
        self._say = say
        self._seconds = seconds
        self._found: dict[str, list[dict[str, Any]]] = {}
        self._known = {name: asyncio.Event() for name in self._wanted}
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def start(self) -> None:
        """In the event loop that `added_to` is called in."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=(loop,), name="claudegpt-mcp", daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        if self._process:
            self._process.terminate()

    async def added_to(self, request: dict[str, Any], *, named: Collection[str] | None = None) -> dict[str, Any]:
        """The request with the tools it lacks, behind its own, each once; of `named` only, where that is known.

        One that has no tools of its own gets none.
        """
        own = request.get("tools") or []
        if not any("input_schema" in tool for tool in own):
            return request
        names = {tool.get("name") for tool in own}
        missing = None if named is None else set(named) - names
        servers = [server for server in self._wanted if missing is None or has_one_of(missing, server)]
        for server in servers:
            await self._known[server].wait()
        found = (tool for server in servers for tool in self._found.get(server, ()) if tool["name"] not in names)
        lacking = {tool["name"]: tool for tool in found if missing is None or tool["name"] in missing}
        return {**request, "tools": [*own, *lacking.values()]} if lacking else request

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        def tell(name: str, what: str) -> None:
            if not self._stopped:
                self._say(f"MCP server {name}: {what}")
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._known[name].set)

        asked = {}
        for name in self._wanted:
            if problem := self._refused.get(name) or unusable(self._servers.get(name)):
                tell(name, problem)
            else:
                asked[name] = self._servers[name]
        if asked:
            self._ask(asked, tell)

    def _ask(self, servers: dict[str, Server], tell: Callable[[str, str], None]) -> None:
        """Run the program until each server has its line. It ends itself when we are gone: then its input ends."""
        command = [sys.executable, "-I", str(PROGRAM)]
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        except OSError as problem:  # too many programs, or files
            for name in servers:
                tell(name, f"cannot be asked ({problem.strerror})")
            return
        self._process = process
        if self._stopped:  # before there was anything to kill
            process.terminate()
        assert process.stdin and process.stdout
        late = threading.Timer(self._seconds + GRACE, process.kill)
        late.start()
        silent = dict(servers)
        with suppress(OSError):
            process.stdin.write(json.dumps({"seconds": self._seconds, "servers": servers}).encode() + b"\n")
            process.stdin.flush()
            while silent and (line := process.stdout.readline(LONGEST_LINE)):
                answer = read_answer(line)
                if answer and silent.pop(answer["server"], None):
                    tell(answer["server"], self._heard(answer["server"], answer))
        late.cancel()
        for name in silent:
            tell(name, f"no answer within {self._seconds:g} seconds")
        threading.Thread(target=self._end, args=(process,), daemon=True).start()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Let it take leave of its servers, for as long as that may take."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(self._seconds)
        process.kill()

    def _heard(self, name: str, answer: Mapping[str, Any]) -> str:
        """What there is to say of it."""
        if "problem" in answer:
            return str(answer["problem"])
        tools = [{**tool, "name": full_name(name, tool["name"])} for tool in answer["tools"]]
        self._found[name] = tools
        return format_count(len(tools), "tool")


def read_answer(line: bytes) -> dict[str, Any] | None:
    """A line of the program's; None for one that is no answer, whoever has printed it there."""
    try:
        answer = json.loads(line)
        if isinstance(answer["server"], str) and ("problem" in answer or all(map(is_tool, answer["tools"]))):
            return dict(answer)
    except (ValueError, LookupError, TypeError):
        return None
    return None


def is_tool(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("name"), str)


def has_one_of(names: Collection[str], server: str) -> bool:
    return any(name.startswith(full_name(server, "")) for name in names)


def unusable(server: Server | None) -> str:
    """Why a server cannot be asked; empty if it can."""
    if server is None:
        return "Claude Code has no server of this name"
    kind = server.get("type")
    if kind not in STDIO + HTTP:
        return f"it speaks {kind}, which is not supported here; stdio and http are"
    needs = "url" if kind in HTTP else "command"
    return "" if isinstance(server.get(needs), str) else f"its entry has no {needs}"


def full_name(server: str, tool: str) -> str:
    """A tool's name as Claude Code has it."""
    return "__".join(["mcp", *(re.sub(r"[^a-zA-Z0-9_-]", "_", part) for part in (server, tool))])


def expanded(value: Any, environ: Mapping[str, str]) -> Any:
    """`${NAME}` and `${NAME:-default}` in all texts, as Claude Code expands them; one that is not set stays."""
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: environ.get(match[1]) or (match[0] if match[2] is None else match[2]), value)
    if isinstance(value, list):
        return [expanded(part, environ) for part in value]
    if isinstance(value, dict):
        return {key: expanded(part, environ) for key, part in value.items()}
    return value
