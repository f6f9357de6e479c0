"""The tools that a client declares → the tools that are declared to the backend.

Tools are built by allow-list: a field that the client invents tomorrow never reaches the backend. Their order is part
of the prompt cache's prefix, so tools that were found by search stand behind all others in the order in which they were
found, wherever the client puts them (Claude Code 2.1.330 puts found built-in tools in the middle).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ...capabilities import Capabilities
from ...errors import InvalidRequest
from ..tools import SEARCH_TOOL, ToolParam, ToolRules, ToolTable, host_of, is_web_search, shorten_name
from ..wire import openai
from ..wire.json_text import dumps
from .client_tools import as_function_tool, is_client_tool
from .draft import Note
from .schemas import function_parameters

OPEN_SCHEMA: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": True}
SCHEMA_IN_WORDS = "Its input is one JSON object, valid against this JSON Schema: "
MOST_SEARCHES = 1_000  # a larger limit limits nothing
MOST_DOMAINS = 100  # of one list of the hosted search (docs/wires/responses.md)


def build_tool_table(
    tools: Iterable[ToolParam],
    found: Iterable[str],
    rules: ToolRules,
    taken: Capabilities = Capabilities(),  # noqa: B008  a frozen value
    *,
    revealed: Collection[str] = (),
    forced: str | None = None,
) -> ToolTable:
    """Sort and build a request's tools. `found`: names of tools that were found so far, in the order they were found.

    `revealed`: those of them that stand in the result of the client's own search; a backend that searches is told of
    them only there. `forced`: the tool that `tool_choice` names, which is declared even if nobody has found it.
    Raises InvalidRequest for a server tool that nothing here can stand in for, or a tool without a name.
    """
    return _Builder(list(dict.fromkeys(found)), rules, taken, revealed, forced).table(tools)


class _Builder:
    def __init__(
        self, found: list[str], rules: ToolRules, taken: Capabilities, revealed: Collection[str], forced: str | None
    ) -> None:
        self._order = {name: position for position, name in enumerate(found)}
        self._rules = rules
        self._taken = taken
        self._revealed = revealed
        self._forced = forced
        self._notes: list[Note] = []
        self._search: ToolParam | None = None  # the hosted web search
        self._blocked: frozenset[str] = frozenset()  # hosts that the backend cannot leave out of a search

    def table(self, tools: Iterable[ToolParam]) -> ToolTable:
        plain, found, forced = self._sort_tools(tools)
        known = [*plain, *found, *forced]
        searching = self._taken.tool_search and any(tool["name"] == SEARCH_TOOL for tool in plain)
        functions = {tool["name"]: self._function(tool) for tool in known}
        told = {tool["name"]: functions[tool["name"]] for tool in found if searching and tool["name"] in self._revealed}
        declared = [
            self._search_tool(tool) if searching and tool["name"] == SEARCH_TOOL else functions[tool["name"]]
            for tool in known
            if tool["name"] not in told
        ]
        can_search = self._rules.web_search and self._taken.web_search
        hosted = self._search["name"] if self._search else None
        most_searches = None
        if self._search and can_search:
            declared.append({**self._web_search(self._search), **self._taken.search_fields})
            most_searches = self._most_searches(self._search)
        elif self._search:
            self._note(hosted, "dropped: this model has no hosted search, and is told so")
        return ToolTable(
            declared=declared,
            found=told,
            left_out=frozenset(filter(self._rules.leave_out, self._order)),
            originals={function["name"]: name for name, function in functions.items() if function["name"] != name},
            schemas={tool["name"]: tool.get("input_schema") or {} for tool in known},
            searching=searching,
            web_search=hosted if can_search else None,
            search_left_out=None if can_search else hosted,
            most_searches=most_searches,
            blocked_hosts=self._blocked,
            notes=tuple(self._notes),
        )

    def _note(self, name: Any, outcome: str) -> None:
        self._notes.append((f"tools.{name}", outcome))

    def _sort_tools(self, tools: Iterable[ToolParam]) -> tuple[list[ToolParam], list[ToolParam], list[ToolParam]]:
        """Tools that are declared, tools that were found by search, and a forced tool that was not found."""
        plain: list[ToolParam] = []
        found: list[ToolParam] = []
        forced: list[ToolParam] = []
        names: set[str] = set()
        for tool in tools:
            name = _checked_name(tool)
            if name in names:  # a backend refuses it, and a client may take the same tool from two places
                self._note(name, "dropped: a second tool of that name")
                continue
            names.add(name)
            if is_client_tool(tool):
                self._note(name, f"translated: {tool['type']} is declared as a function, which the client runs")
                tool = as_function_tool(tool)
            if self._rules.leave_out(name):
                self._note(name, "dropped: the settings leave it out")
            elif is_web_search(tool):
                self._search = tool
            elif name in self._order:
                found.append(tool)
            elif not tool.get("defer_loading"):
                plain.append(tool)
            elif name == self._forced:
                forced.append(tool)
                self._note(name, "declared before a search found it: `tool_choice` forces it")
            else:
                self._note(name, "withheld until it is found by search")
        found.sort(key=lambda tool: self._order[tool["name"]])
        return plain, found, forced

    def _function(self, tool: ToolParam) -> openai.Tool:
        name = shorten_name(tool["name"])
        description, schema = tool.get("description") or "", tool.get("input_schema") or {}
        if name != tool["name"]:
            self._note(tool["name"], f"renamed: the backend knows it as {name}")
        if name in self._taken.open_schemas:
            self._note(tool["name"], "declared with an open schema: the backend refuses its own")
            words = dumps(function_parameters(schema).schema)
            description = f"{description}\n\n{SCHEMA_IN_WORDS}{words}".lstrip()
            return openai.function_tool(name, description, OPEN_SCHEMA)
        return openai.function_tool(name, description, self._parameters(tool["name"], schema))

    def _parameters(self, name: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        parameters = function_parameters(schema)
        if parameters.changed:
            changed = ", ".join(parameters.changed)
            self._note(f"{name}.input_schema", f"changed, because backends refuse it as it is: {changed}")
        return parameters.schema

    def _search_tool(self, tool: ToolParam) -> openai.Tool:
        """Claude Code's ToolSearch as the backend's own `tool_search`, which the client runs."""
        parameters = function_parameters(tool.get("input_schema") or {}).schema
        return openai.tool_search_tool(tool.get("description") or "", parameters)

    def _web_search(self, tool: ToolParam) -> openai.Tool:
        allowed = self._hosts(tool, "allowed_domains")
        blocked = self._hosts(tool, "blocked_domains")
        if blocked and not self._taken.blocked_domains:
            self._note(f"{tool['name']}.blocked_domains", "emulated: results from there are left out of the answer")
            self._blocked, blocked = frozenset(blocked), []
        declared = openai.web_search_tool(allowed_domains=allowed, location=tool.get("user_location"))
        if blocked:
            declared["filters"] = {**declared.get("filters", {}), "blocked_domains": blocked}
        return declared

    def _hosts(self, tool: ToolParam, field: str) -> list[str]:
        """The hosts of a list of domains. Anthropic's search takes paths (`example.com/blog`), OpenAI's does not."""
        given = [domain for domain in tool.get(field) or () if isinstance(domain, str)]
        hosts = list(dict.fromkeys(filter(None, map(host_of, given))))
        if hosts[:MOST_DOMAINS] != given:
            kept = f"the first {MOST_DOMAINS} hosts" if len(hosts) > MOST_DOMAINS else "hosts only"
            self._note(f"{tool['name']}.{field}", f"changed: {kept}, as the backend takes them")
        return hosts[:MOST_DOMAINS]

    def _most_searches(self, tool: ToolParam) -> int | None:
        most = tool.get("max_uses")
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            return None
        if self._taken.takes("max_tool_calls"):
            return min(most, MOST_SEARCHES)
        self._note(f"{tool['name']}.max_uses", "dropped: the backend has no such limit")
        return None


def _checked_name(tool: ToolParam) -> str:
    """The tool's name. Raises InvalidRequest if it has none, or is a server tool that nothing here can stand in for."""
    name, kind = tool.get("name"), tool.get("type") or "custom"
    if kind != "custom" and not is_web_search(tool) and not is_client_tool(tool):
        name = name or tool.get("mcp_server_name") or "?"
        raise InvalidRequest(f"tools.{name}: Anthropic's own tool {kind} has no counterpart on this backend.")
    if not isinstance(name, str) or not name:
        raise InvalidRequest("tools: every tool needs a name.")
    return name
