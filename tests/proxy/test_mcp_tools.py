"""Tools of the user's MCP servers, declared in requests that lack them; with real servers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.proxy.mcp_tools import PROGRAM, McpTools, expand_variables, find_named_tools, full_name
from tests.support.fakes.backend import wait_until

ROOT = str(Path(__file__).parents[2])
SECONDS = 60.0  # the servers' imports take seconds where the machine is busy


def registers(count: int) -> dict[str, Any]:
    return {"command": sys.executable, "args": ["-m", "tests.real.mcp_server", str(count)], "env": {"PYTHONPATH": ROOT}}


def own(*names: str) -> dict[str, Any]:
    return {"tools": [{"name": name, "input_schema": {"type": "object"}} for name in names]}


def names(request: Mapping[str, Any]) -> list[str]:
    return [tool["name"] for tool in request["tools"]]


def ask(
    servers: Mapping[str, Any],
    *wanted: str,
    request: dict[str, Any] | None = None,
    named: set[str] | None = None,
    seconds: float = SECONDS,
) -> tuple[dict[str, Any], list[str]]:
    """What becomes of a request, and what was said."""
    said: list[str] = []

    async def run() -> dict[str, Any]:
        tools = McpTools(servers, wanted, said.append, seconds=seconds)
        tools.start()
        try:
            return await tools.add_to(request or own("Bash"), named=named)
        finally:
            tools.stop()

    return asyncio.run(run()), sorted(said)


def test_tools_come_behind_the_requests_own_and_say_what_the_server_says() -> None:
    request, said = ask({"registers": registers(2)}, "all")
    assert names(request) == ["Bash", "mcp__registers__look_up_0", "mcp__registers__look_up_1"]
    assert "register 1" in request["tools"][2]["description"]
    assert request["tools"][2]["input_schema"]["required"] == ["key"]
    assert said == ["MCP server registers: 2 tools"]


def test_a_tool_that_is_there_is_not_there_twice() -> None:
    request, _ = ask({"registers": registers(2)}, "all", request=own("mcp__registers__look_up_1", "Bash"))
    assert names(request) == ["mcp__registers__look_up_1", "Bash", "mcp__registers__look_up_0"]


def test_servers_that_fail_cost_a_line_each_and_the_others_stay_in_order() -> None:
    servers = {
        "missing": {"command": "no-such-program"},
        "first": registers(1),
        "gone": {"type": "http", "url": "http://127.0.0.1:9/mcp"},
        "ends": {"command": "false"},
        "old": {"type": "sse", "url": "http://127.0.0.1:9"},
        "empty": {},
        "last": registers(1),
    }
    request, said = ask(servers, "last", "nobody", "all")
    assert names(request) == ["Bash", "mcp__first__look_up_0", "mcp__last__look_up_0"]
    assert [line.partition(": ")[0].removeprefix("MCP server ") for line in said] == sorted(servers)
    assert "MCP server empty: its entry has no command" in said
    assert "MCP server first: 1 tool" in said
    assert "MCP server missing: No such file or directory: no-such-program" in said
    assert all("\n" not in line for line in said)


def test_only_those_named_are_asked() -> None:
    request, said = ask({"one": registers(1), "two": {"command": "false"}}, "one", "three")
    assert names(request) == ["Bash", "mcp__one__look_up_0"]
    assert said == [
        "MCP server one: 1 tool",
        "MCP server three: Claude Code has no server of this name",
    ]


def test_a_server_that_is_silent_is_not_waited_for_longer_than_its_time() -> None:
    request, said = ask({"silent": {"command": "sleep", "args": ["600"]}}, "all", seconds=1.0)
    assert names(request) == ["Bash"]
    assert said == ["MCP server silent: no answer within 1 seconds"]


def test_where_no_program_can_be_started_each_server_has_its_line_and_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = {"one": registers(1), "two": registers(1)}
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    request, said = ask(servers, "all")
    assert names(request) == ["Bash"]
    assert said == [f"MCP server {name}: cannot be asked (No such file or directory)" for name in servers]


NOISE = """
import json, sys, time
names = list(json.loads(sys.stdin.readline())["servers"])
out = sys.stdout.buffer
def say(line):
    out.write(line)
    out.flush()
def answer(name):
    say(json.dumps({"server": name, "tools": [{"name": "look", "description": "", "input_schema": {}}]}).encode())
"""
ENDLESS = ("time.sleep(600)", r"while True: say(b'x' * 1000)")  # for these alone it is their time that ends the wait


@pytest.mark.parametrize(
    ("program", "heard"),
    [
        (r"say(b'Warning: a library\n'); answer('one'); say(b'\n'); answer('two')", ["1 tool", "1 tool"]),
        (r"say(b'3\nnull\n[]\n{}\n\xff\xfe\n\n'); answer('one'); say(b'\n'); answer('two')", ["1 tool", "1 tool"]),
        (r"answer('three'); say(b'\n'); answer('two'); say(b'\n'); answer('two'); say(b'\n')", ["no", "1 tool"]),
        (r"""say(b'{"server": ["one"], "tools": []}\n{"server": "one"}\n'); answer('two')""", ["no", "1 tool"]),
        (r"""say(b'{"server": "one", "tools": [{}, 3, {"name": "x"}]}\n'); answer('two')""", ["no", "1 tool"]),
        (
            r"""say(b'{"server":"one","tools":[{"name":"x","description":"","input_schema":3}]}\n'); answer('two')""",
            ["no", "1 tool"],
        ),
        (
            r"""say(b'{"server":"one","tools":[{"name":3,"description":"","input_schema":{}}]}\n'); answer('two')""",
            ["no", "1 tool"],
        ),
        (
            r"""say(b'{"server":"one","problem":"\\u001b[31mred\\nline"}\n'); answer('two')""",
            ["\ufffd[31mred line", "1 tool"],
        ),
        (r"say(b'x' * 10_000_000)", ["no", "no"]),
        ("raise SystemExit('Oh.')", ["no", "no"]),
        *((program, ["no", "no"]) for program in ENDLESS),
    ],
)
def test_whatever_the_program_says_each_server_has_its_line_in_time(
    program: str, heard: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "mcp_list.py"
    stand_in.write_text(NOISE + program + "\n")
    monkeypatch.setattr("claudegpt_pkg.proxy.mcp_tools.PROGRAM", stand_in)
    monkeypatch.setattr("claudegpt_pkg.proxy.mcp_tools.GRACE", 0.5)
    seconds = 1.0 if program in ENDLESS else SECONDS
    request, said = ask({"one": registers(1), "two": registers(1)}, "all", seconds=seconds)
    words = {"no": f"no answer within {seconds:g} seconds"}
    both = list(zip(("one", "two"), heard, strict=True))
    assert said == [f"MCP server {name}: {words.get(what, what)}" for name, what in both]
    assert names(request) == ["Bash", *(f"mcp__{name}__look" for name, what in both if what == "1 tool")]


def test_what_a_library_or_a_server_prints_does_not_come_among_the_answers(tmp_path: Path) -> None:
    """The program's own output is somewhere else than where its answers go."""
    (tmp_path / "mcp.py").write_text(
        "import os; print('loaded'); os.write(1, b'and more')\nraise ImportError('none')\n"
    )
    asked = {"seconds": 5, "servers": {"one": {"command": "true"}}}
    program = (
        "import sys, runpy; "
        f"sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['']; "
        f"runpy.run_path({str(PROGRAM)!r}, run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin and process.stdout
    with process:
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        assert process.stdout.read() == json.dumps({"server": "one", "problem": "none"}) + "\n"


ENDLESS_LIST = """
import json, sys
for line in sys.stdin:
    ask = json.loads(line)
    if "id" not in ask:
        continue
    if ask["method"] == "initialize":
        own = {"capabilities": {"tools": {}}, "serverInfo": {"name": "endless", "version": "1"}}
        result = {"protocolVersion": ask["params"]["protocolVersion"], **own}
    else:
        tool = {"name": "t", "description": "x" * 100, "inputSchema": {"type": "object"}}
        result = {"tools": [tool] * 100, "nextCursor": str(ask["id"])}
    print(json.dumps({"jsonrpc": "2.0", "id": ask["id"], "result": result}), flush=True)
"""


def test_a_server_that_lists_tools_without_end_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS_LIST)
    servers = {"endless": {"command": sys.executable, "args": [str(tmp_path / "endless.py")]}, "one": registers(1)}
    request, said = ask(servers, "all")
    assert names(request) == ["Bash", "mcp__one__look_up_0"]
    assert said[0] == "MCP server endless: it lists more than 2000 tools or 8 MB"


def test_a_request_without_tools_gets_none_and_does_not_wait() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    bare: list[dict[str, Any]] = [{"messages": []}, {"tools": [search]}]
    for request in bare:
        unchanged, _ = ask({"silent": {"command": "sleep", "args": ["600"]}}, "all", request=request)
        assert unchanged is request


def test_nothing_of_it_outlives_us() -> None:
    ask({"registers": registers(1)}, "all")
    wait_until(lambda: not asking(), "the program to end")


@pytest.mark.parametrize("end", ["its time is over", "we stop"])
def test_a_server_that_is_silent_is_ended_with_us(end: str, tmp_path: Path) -> None:
    """Nor does it end when its input does, as a server that listens would."""
    mark = tmp_path / "pid"
    silent = {"command": "sh", "args": ["-c", f"echo $$ >{mark}.new; mv {mark}.new {mark}; exec sleep 600"]}

    async def run() -> None:
        tools = McpTools({"silent": silent}, ["all"], lambda line: None, seconds=10.0)
        tools.start()
        await asyncio.to_thread(wait_until, mark.exists, "the server to start")
        if end == "its time is over":
            await tools.add_to(own("Bash"))
        tools.stop()

    asyncio.run(run())
    wait_until(lambda: not Path(f"/proc/{mark.read_text().strip()}").exists(), "the server to end")


def test_of_what_claude_code_names_the_rest_is_added_and_nothing_else_is_waited_for() -> None:
    servers = {"registers": registers(2), "silent": {"command": "sleep", "args": ["600"]}}
    named = {"mcp__registers__look_up_1", "mcp__registers__look_up_10", "mcp__other__x"}
    request, _ = ask(servers, "all", named=named)
    assert names(request) == ["Bash", "mcp__registers__look_up_1"]
    unnamed = own("Bash")
    assert ask(servers, "all", request=unnamed, named=set())[0] is unnamed


@pytest.mark.parametrize("search", ["ToolSearch", "MCPSearch"])
def test_claude_code_names_what_it_may_search_for(search: str) -> None:
    body = b'"The tools:\\nmcp__a__b\\nmcp__a__b-2, mcp__c_d__e"'
    assert find_named_tools(own("Bash", search), body) == {"mcp__a__b", "mcp__a__b-2", "mcp__c_d__e"}
    assert find_named_tools(own("Bash"), body) == set()


def test_two_servers_of_one_name_declare_a_tool_once() -> None:
    request, _ = ask({"a.b": registers(1), "a b": registers(2)}, "all")
    assert names(request) == ["Bash", "mcp__a_b__look_up_0", "mcp__a_b__look_up_1"]


def asking() -> list[str]:
    """Our own children that list tools."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = [pid for file in children for pid in looked_at(file).split()]
    lines = [looked_at(Path(f"/proc/{pid}/cmdline")) for pid in pids]
    return [line for line in lines if "mcp_list" in line]


def looked_at(file: Path) -> str:
    """Empty where the thread or process that it tells of has just ended."""
    try:
        return file.read_text()
    except OSError:
        return ""


def test_names_are_claudes() -> None:
    assert full_name("my server.io", "look/up") == "mcp__my_server_io__look_up"


@pytest.mark.parametrize(
    ("text", "whole"),
    [("${A}/x", "1/x"), ("${B:-two}", "two"), ("${A:-two}", "1"), ("${B}", "${B}"), ("${B:-}", ""), ("$A", "$A")],
)
def test_variables_are_expanded_as_claude_expands_them(text: str, whole: str) -> None:
    assert expand_variables({"url": text, "args": [text, 1]}, {"A": "1"}) == {"url": whole, "args": [whole, 1]}
