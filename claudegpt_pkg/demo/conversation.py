"""Reads a Responses request into what the demo's scripts need. Pure.

A turn begins with the user's newest words. `results` are the tool calls made since then, with what they returned.
Claude Code puts its own texts into the user's messages, inside tags; those texts are not the user's words.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from .pictures import describe_picture

Body = Mapping[str, Any]
Item = Mapping[str, Any]

# Sections that the client adds to user messages and tool results.
CLIENT_TAGS = "system-reminder|local-command-\\w+|command-\\w+|bash-\\w+|ide_\\w+|user-memory-input"
CLIENT_SECTION = re.compile(rf"<({CLIENT_TAGS})>.*?</\1>", re.DOTALL)
INTERRUPTED = re.compile(r"^\[Request interrupted by user[^\]]*\]$")
WORKING_DIRECTORY = re.compile(r"working directory:[ \t]*(\S[^\n]*)", re.IGNORECASE)
PLAN_MODE = re.compile(r"plan mode (?:is|still) active", re.IGNORECASE)
# How the output of a failed tool begins. The Responses API has no `is_error`, so only the text tells.
FAILED = re.compile(r"\s*(?:error[: \n]|<tool_use_error>|exit code [1-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Result:
    """One tool call of the turn, and what it returned."""

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
    folder: str | None = None  # the working directory, if the client names it
    planning: bool = False  # plan mode: the model may change nothing
    system: str = ""  # the texts of the client, not of the user
    schema: Mapping[str, Any] | None = None  # the answer must be JSON of this schema


def read_conversation(body: Body) -> Conversation:
    """Read the conversation from a request that `rules.check` has accepted."""
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    prompts = [(at, words) for at, item in enumerate(items) if (words := _find_user_words(item))]
    start, prompt = prompts[-1] if prompts else (0, "")
    choice, tools = _read_tool_choice(body)
    said = "\n".join([body.get("instructions") or "", *(text for item in items for text in _find_client_words(item))])
    folders = WORKING_DIRECTORY.findall(said)
    return Conversation(
        prompt=prompt,
        results=tuple(_read_results(items[start:])),
        attachments=tuple(_describe_attachments(items[start].get("content"))) if items else (),
        earlier=tuple(words for _, words in prompts[:-1]),
        calls_before=tuple(item["name"] for item in items if item.get("type") == "function_call"),
        tools=tools,
        choice=choice,
        parallel=body.get("parallel_tool_calls") is not False,
        folder=folders[-1].strip() if folders else None,
        planning=bool(PLAN_MODE.search(said)),
        system=said,
        schema=_find_wanted_schema(body),
    )


def _find_user_words(item: Item) -> str:
    """Return the last text of a user message that the client did not add; "" for any other item."""
    if item.get("role") != "user":
        return ""
    spoken = [words for text in _read_texts(item.get("content")) if (words := _remove_client_sections(text))]
    return spoken[-1] if spoken else ""


def _find_client_words(item: Item) -> Iterator[str]:
    if item.get("role") in ("developer", "system"):
        yield from _read_texts(item.get("content"))
    elif item.get("role") == "user":
        for text in _read_texts(item.get("content")):
            yield from (match[0] for match in CLIENT_SECTION.finditer(text))


def _remove_client_sections(text: str) -> str:
    words = CLIENT_SECTION.sub("", text).strip()
    return "" if INTERRUPTED.match(words) else words


def _read_texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or () if isinstance(part.get("text"), str)]


def _describe_attachments(content: Any) -> Iterator[str]:
    for part in content if isinstance(content, list) else ():
        source = part.get("image_url") or part.get("file_data") or part.get("file_url")
        if source:
            yield _describe_source(source, part.get("filename"))


def _describe_source(source: str, filename: str | None) -> str:
    head, _, coded = source.partition(";base64,")
    if not coded:
        return f"something at {source[:200]}"
    try:
        return describe_picture(base64.b64decode(coded), head.removeprefix("data:"), filename)
    except binascii.Error:
        return f"unreadable {head.removeprefix('data:')} data"


def _read_results(items: list[Item]) -> Iterator[Result]:
    """Yield the calls among `items` that have an output, in their order.

    Images and files in a following message without text belong to the outputs before it (2.1.197 sends a PDF so).
    """
    outputs: dict[str, Any] = {}
    shown: dict[str, list[str]] = {}
    newest = ""
    for item in items:
        if item.get("type") == "function_call_output":
            newest = item["call_id"]
            outputs[newest], shown[newest] = item["output"], list(_describe_attachments(item["output"]))
        elif newest and item.get("role") == "user":
            shown[newest] += _describe_attachments(item["content"])
    for item in items:
        if item.get("type") == "function_call" and item["call_id"] in outputs:
            text = _remove_client_sections("\n".join(_read_texts(outputs[item["call_id"]])))
            yield Result(
                name=item["name"],
                arguments=_read_arguments(item["arguments"]),
                text=text,
                attachments=tuple(shown[item["call_id"]]),
                failed=bool(FAILED.match(text)),
            )


def _read_arguments(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _read_tool_choice(body: Body) -> tuple[str, dict[str, Mapping[str, Any]]]:
    """Return the choice (auto, none, required or a name) and the functions that may be called."""
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


def _find_wanted_schema(body: Body) -> Mapping[str, Any] | None:
    wanted = (body.get("text") or {}).get("format") or {}
    kinds: dict[str, Mapping[str, Any]] = {"json_schema": wanted.get("schema") or {}, "json_object": {}}
    return kinds.get(wanted.get("type", "text"))
