"""What a request asks of the model: the parts of a Responses body that the demo's script looks at. Pure.

A *turn* begins with the user's newest words; `results` are the tool calls made since then, with what they returned.
Claude Code wraps much of what it says itself in tags inside the user's messages; those are not the user's words.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from .pictures import describe

Body = Mapping[str, Any]
Item = Mapping[str, Any]

# Sections the client puts into user messages and tool results by itself.
CLIENT_TAGS = "system-reminder|local-command-\\w+|command-\\w+|bash-\\w+|ide_\\w+|user-memory-input"
CLIENT_SECTION = re.compile(rf"<({CLIENT_TAGS})>.*?</\1>", re.DOTALL)
INTERRUPTED = re.compile(r"^\[Request interrupted by user[^\]]*\]$")
WORKING_DIRECTORY = re.compile(r"working directory:[ \t]*(\S[^\n]*)", re.IGNORECASE)
PLAN_MODE = re.compile(r"plan mode (?:is|still) active", re.IGNORECASE)
# How a tool's failure begins: this wire has no `is_error`, so the text says it.
FAILED = re.compile(r"\s*(?:error[: \n]|<tool_use_error>|exit code [1-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Result:
    """One tool call of the turn and what came back."""

    name: str
    arguments: Mapping[str, Any]
    text: str
    attachments: tuple[str, ...] = ()  # images and files, described
    failed: bool = False


@dataclass(frozen=True)
class Conversation:
    prompt: str
    results: tuple[Result, ...] = ()
    attachments: tuple[str, ...] = ()  # of the prompt, described: "a PNG image of 640×480 (12 kB)"
    earlier: tuple[str, ...] = ()  # the user's words before the prompt
    calls_before: tuple[str, ...] = ()  # names of the tools called in the whole conversation
    tools: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # name → parameters
    choice: str = "auto"  # auto, none, required, or the name of the tool to call
    parallel: bool = True
    folder: str | None = None  # the working directory, where the client says it
    planning: bool = False  # nothing may be changed
    system: str = ""  # what the client, not the user, says
    schema: Mapping[str, Any] | None = None  # the answer must be JSON of this schema


def read(body: Body) -> Conversation:
    """The conversation in a request that `rules.check` has passed."""
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    prompts = [(at, words) for at, item in enumerate(items) if (words := users_words(item))]
    start, prompt = prompts[-1] if prompts else (0, "")
    choice, tools = chosen(body)
    said = "\n".join([body.get("instructions") or "", *(text for item in items for text in clients_words(item))])
    folders = WORKING_DIRECTORY.findall(said)
    return Conversation(
        prompt=prompt,
        results=tuple(results(items[start:])),
        attachments=tuple(attachments(items[start].get("content"))) if items else (),
        earlier=tuple(words for _, words in prompts[:-1]),
        calls_before=tuple(item["name"] for item in items if item.get("type") == "function_call"),
        tools=tools,
        choice=choice,
        parallel=body.get("parallel_tool_calls") is not False,
        folder=folders[-1].strip() if folders else None,
        planning=bool(PLAN_MODE.search(said)),
        system=said,
        schema=wanted_schema(body),
    )


def users_words(item: Item) -> str:
    """What the user said in this item: the last text of a user's message that is not the client's own."""
    if item.get("role") != "user":
        return ""
    spoken = [words for text in texts(item.get("content")) if (words := without_client(text))]
    return spoken[-1] if spoken else ""


def clients_words(item: Item) -> Iterator[str]:
    if item.get("role") in ("developer", "system"):
        yield from texts(item.get("content"))
    elif item.get("role") == "user":
        for text in texts(item.get("content")):
            yield from (match[0] for match in CLIENT_SECTION.finditer(text))


def without_client(text: str) -> str:
    words = CLIENT_SECTION.sub("", text).strip()
    return "" if INTERRUPTED.match(words) else words


def texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or () if isinstance(part.get("text"), str)]


def attachments(content: Any) -> Iterator[str]:
    for part in content if isinstance(content, list) else ():
        source = part.get("image_url") or part.get("file_data") or part.get("file_url")
        if source:
            yield describe_source(source, part.get("filename"))


def describe_source(source: str, filename: str | None) -> str:
    head, _, coded = source.partition(";base64,")
    if not coded:
        return f"something at {source[:200]}"
    try:
        return describe(base64.b64decode(coded), head.removeprefix("data:"), filename)
    except binascii.Error:
        return f"unreadable {head.removeprefix('data:')} data"


def results(items: list[Item]) -> Iterator[Result]:
    """The calls among `items` that have an output, in the order they were made.

    Images and files that follow in a message without words belong to the outputs before them (a PDF, in 2.1.197).
    """
    outputs: dict[str, Any] = {}
    shown: dict[str, list[str]] = {}
    newest = ""
    for item in items:
        if item.get("type") == "function_call_output":
            newest = item["call_id"]
            outputs[newest], shown[newest] = item["output"], list(attachments(item["output"]))
        elif newest and item.get("role") == "user":
            shown[newest] += attachments(item["content"])
    for item in items:
        if item.get("type") == "function_call" and item["call_id"] in outputs:
            text = without_client("\n".join(texts(outputs[item["call_id"]])))
            yield Result(
                name=item["name"],
                arguments=arguments(item["arguments"]),
                text=text,
                attachments=tuple(shown[item["call_id"]]),
                failed=bool(FAILED.match(text)),
            )


def arguments(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def chosen(body: Body) -> tuple[str, dict[str, Mapping[str, Any]]]:
    """Whether a tool must be called, and the functions that may be."""
    declared = body.get("tools") or []
    functions = {tool["name"]: tool.get("parameters") or {} for tool in declared if tool["type"] == "function"}
    choice = body.get("tool_choice") or "auto"
    if isinstance(choice, str):
        return choice, {} if choice == "none" else functions
    if choice["type"] == "function":
        return choice["name"], functions
    if choice["type"] == "allowed_tools":
        allowed = {tool.get("name") for tool in choice["tools"]}
        return choice["mode"], {name: schema for name, schema in functions.items() if name in allowed}
    return "auto", functions


def wanted_schema(body: Body) -> Mapping[str, Any] | None:
    wanted = (body.get("text") or {}).get("format") or {}
    kinds: dict[str, Mapping[str, Any]] = {"json_schema": wanted.get("schema") or {}, "json_object": {}}
    return kinds.get(wanted.get("type", "text"))
