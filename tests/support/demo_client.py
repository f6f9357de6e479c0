"""A client of the demo without HTTP: it runs the model's tool calls in an imaginary folder until the model is done.

    done = converse("what is in this folder?", Folder({"a.txt": "one"}))
    done.calls, done.answer, done.folder.files

Every request goes through the rules and every answer through the event stream, so that what one turn says must be fit
to be sent back in the next.
"""

from __future__ import annotations

import fnmatch
import itertools
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from claudegpt_pkg.demo.answer import stream_move
from claudegpt_pkg.demo.conversation import read_conversation
from claudegpt_pkg.demo.model import decide
from claudegpt_pkg.demo.prefix import PrefixCache
from claudegpt_pkg.demo.rules import check

MOST_ROUNDS = 20
PLACE = "/home/user/project"
ENVIRONMENT = f"# Environment\n - Primary working directory: {PLACE}\n - Platform: linux\n"

SCHEMAS: dict[str, dict[str, Any]] = {
    "Bash": {"command": "string", "timeout": "number", "description": "string"},
    "Read": {"file_path": "string", "offset": "integer", "limit": "integer", "pages": "string"},
    "Write": {"file_path": "string", "content": "string"},
    "Glob": {"pattern": "string", "path": "string"},
    "Edit": {"file_path": "string", "old_string": "string", "new_string": "string"},
}
REQUIRED = {"Bash": 1, "Read": 1, "Write": 2, "Glob": 1, "Edit": 3}
USUAL = ("Bash", "Read", "Write")

Run = Callable[[str, Mapping[str, Any]], Any]  # a tool's name and arguments → its output


@dataclass
class Folder:
    """An imaginary folder, and Claude Code's tools in it. Names that end in a slash are folders."""

    files: dict[str, str] = field(default_factory=dict)
    denied: tuple[str, ...] = ()

    def run(self, name: str, arguments: Mapping[str, Any]) -> str:
        if name in self.denied:
            return f"Error: Claude requested permissions to use {name}, but you haven't granted it yet."
        tools: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "Bash": self._bash,
            "Read": self._read,
            "Write": self._write,
            "Glob": self._glob,
            "Edit": self._edit,
        }
        return tools[name](arguments)

    def _bash(self, arguments: Mapping[str, Any]) -> str:
        outputs = [self._command(shlex.split(command)) for command in arguments["command"].split(" && ")]
        return "\n".join(outputs) or "(Bash completed with no output)"

    def _command(self, words: list[str]) -> str:
        commands: dict[str, Callable[[], str]] = {
            "pwd": lambda: PLACE,
            "ls": lambda: "\n".join(sorted(self.files)),
            "wc": lambda: f" 9 99 {words[-1]}",
            "head": lambda: self.files[self._name(words[-1])],
            "echo": lambda: " ".join(words[1:]),
        }
        return commands[words[0]]()

    def _read(self, arguments: Mapping[str, Any]) -> str:
        name = self._name(arguments["file_path"])
        if name not in self.files:
            return "Error: File does not exist."
        lines = self.files[name].splitlines()
        return "\n".join(f"{number:6}→{line}" for number, line in enumerate(lines, 1))

    def _write(self, arguments: Mapping[str, Any]) -> str:
        name = self._name(arguments["file_path"])
        assert name not in self.files, f"{name} was overwritten"
        self.files[name] = arguments["content"]
        return f"File created successfully at: {arguments['file_path']}"

    def _glob(self, arguments: Mapping[str, Any]) -> str:
        found = [f"{PLACE}/{name}" for name in self.files if fnmatch.fnmatch(name, arguments["pattern"])]
        return "\n".join(found) or "No files found"

    def _edit(self, arguments: Mapping[str, Any]) -> str:
        name = self._name(arguments["file_path"])
        self.files[name] = self.files[name].replace(arguments["old_string"], arguments["new_string"])
        return f"The file {arguments['file_path']} has been updated successfully."

    def _name(self, path: str) -> str:
        assert path.startswith(PLACE + "/"), f"{path} is not an absolute path in the folder"
        return path.removeprefix(PLACE + "/")


@dataclass
class Done:
    """A turn that ended: what was called, what came back, what was said last, and the whole conversation."""

    calls: list[tuple[str, dict[str, Any]]]
    outputs: list[Any]
    answer: str
    input: list[dict[str, Any]]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def function(name: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {key: {"type": kind} for key, kind in SCHEMAS.get(name, {}).items()}
    usual = {"type": "object", "properties": properties, "required": list(properties)[: REQUIRED.get(name, 0)]}
    return {"type": "function", "name": name, "parameters": parameters or usual, "strict": False}


def says(role: str, *texts: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text} for text in texts]}


def request(items: list[dict[str, Any]], tools: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    body = {
        "model": "gpt-demo",
        "instructions": "You are a model.",
        "reasoning": {"effort": "medium", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "stream": True,
        "input": items,
        **fields,
    }
    return {**body, "tools": tools} if tools else body


def converse(
    prompt: str | dict[str, Any],
    run: Run | Folder | None = None,
    tools: tuple[str | dict[str, Any], ...] = USUAL,
    *,
    before: list[dict[str, Any]] | None = None,
    **fields: Any,
) -> Done:
    """One turn: the prompt, then as many requests as the model wants."""
    run = Folder().run if run is None else run.run if isinstance(run, Folder) else run
    items = before if before is not None else [says("developer", ENVIRONMENT)]
    items = [*items, says("user", prompt) if isinstance(prompt, str) else prompt]
    declared = [function(tool) if isinstance(tool, str) else tool for tool in tools]
    done = Done([], [], "", items)
    start = len(items)
    numbers = itertools.count()

    def new_id(prefix: str) -> str:  # the turns before began with fewer items: no id comes twice
        return f"{prefix}_{start:06}{next(numbers):06}"

    for _ in range(MOST_ROUNDS):
        output = respond(request(done.input, declared, **fields), new_id)
        done.input += output
        calls = [item for item in output if item["type"] == "function_call"]
        for call in calls:
            arguments = json.loads(call["arguments"])
            done.calls.append((call["name"], arguments))
            done.outputs.append(run(call["name"], arguments))
            done.input.append({"type": "function_call_output", "call_id": call["call_id"], "output": done.outputs[-1]})
        if not calls:
            done.answer = "".join(item["content"][0]["text"] for item in output if item["type"] == "message")
            return done
    raise AssertionError(f"the turn did not end: {done.names}")


def respond(body: dict[str, Any], new_id: Callable[[str], str]) -> list[dict[str, Any]]:
    assert (refusal := check(body)) is None, refusal
    *_, event = stream_move(
        decide(read_conversation(body)), body, PrefixCache().read(body), new_id=new_id, created_at=0
    )
    output: list[dict[str, Any]] = event["response"]["output"]
    return output
