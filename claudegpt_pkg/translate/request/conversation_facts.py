"""One pass over a request's messages: everything that must be known before they are translated.

What is read here: which tools were found, added and removed in mid-conversation, which tool each call calls, reasoning
that came late, the newest effort level, whether the request asks for a summary of the conversation, and which fields of
messages and blocks are read by nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import reasoning
from ..tools import SEARCH_TOOL, shorten_name
from . import unread_fields
from .content import Block
from .draft import Note

Message = Mapping[str, Any]

# How Claude Code's request to summarise the conversation begins (docs/wires/claude-code.md).
COMPACTION = "CRITICAL: Respond with TEXT ONLY"


@dataclass
class ConversationFacts:
    """Names are the client's own; sets and dicts are in the order of the conversation."""

    found: dict[str, None] = field(default_factory=dict)  # names of tools found by search, or added
    revealed: set[str] = field(default_factory=set)  # those that stand in a result of the client's own search
    added: list[Block] = field(default_factory=list)  # definitions of tools that the client added
    removed: set[str] = field(default_factory=set)  # names of tools that the client removed and did not add again
    called: dict[str, str] = field(default_factory=dict)  # short call id → the tool that it calls (the first)
    late_blobs: dict[str, str] = field(default_factory=dict)  # reasoning item id → its blob
    last_user: int = -1  # the position of the newest user message
    effort: Any = None  # the level of the newest system message that has one
    is_compaction: bool = False
    notes: list[Note] = field(default_factory=list)


def read_facts(messages: Iterable[Message]) -> ConversationFacts:
    """`messages` of a valid request (validate.check_request)."""
    reader = _Reader()
    for at, message in enumerate(messages):
        reader.read_message(at, message)
    return reader.facts()


class _Reader:
    def __init__(self) -> None:
        self._facts = ConversationFacts()
        self._open_searches: set[str] = set()  # call ids that have no result yet
        self._late: list[object] = []  # signatures that may hold reasoning that came late
        self._last_user_text: Any = None
        self._notes: dict[Note, None] = {}

    def facts(self) -> ConversationFacts:
        facts, text = self._facts, self._last_user_text
        facts.is_compaction = isinstance(text, str) and text.startswith(COMPACTION)
        facts.late_blobs = reasoning.gather_late_blobs(self._late)
        facts.notes = list(self._notes)
        return facts

    def read_message(self, at: int, message: Message) -> None:
        self._note(message, unread_fields.MESSAGE, "messages")
        role, content = message["role"], message.get("content")
        if config := message.get("output_config"):
            self._note(config, unread_fields.EFFORT, "messages.output_config")
            if role == "system" and config.get("effort"):
                self._facts.effort = config["effort"]
        if role == "user":
            self._facts.last_user = at
            self._last_user_text = content if isinstance(content, str) else None
        if isinstance(content, str) or not content:
            return
        for block in content:
            self._note_block(block)
            if read := _READERS.get((role, block["type"])):
                read(self, block)
        if role == "user":
            self._last_user_text = content[-1].get("text")

    def _note(self, holder: Mapping[str, Any], read: frozenset[str], name: str) -> None:
        if not holder.keys() <= read:
            self._notes |= dict.fromkeys(unread_fields.notes_on(holder, read, name))

    def _note_block(self, block: Block) -> None:
        for holder in unread_fields.holders_in_block(block, "messages"):
            self._note(*holder)

    def _read_call(self, block: Block) -> None:
        self._facts.called.setdefault(shorten_name(block["id"]), block["name"])
        if block["name"] == SEARCH_TOOL:
            self._open_searches.add(block["id"])

    def _read_result(self, block: Block) -> None:
        if not isinstance(content := block.get("content"), list):
            return
        names = [part["tool_name"] for part in content if part["type"] == "tool_reference"]
        self._facts.found |= dict.fromkeys(names)
        if block["tool_use_id"] in self._open_searches:
            self._open_searches.remove(block["tool_use_id"])
            self._facts.revealed.update(names)

    def _read_redacted(self, block: Block) -> None:
        self._late.append(block.get("data"))

    def _read_addition(self, block: Block) -> None:
        definition = block["tool"].get("definition")
        if isinstance(definition, dict):
            self._facts.added.append(definition)
        if name := _name_of_changed_tool(block):
            self._facts.found[name] = None
            self._facts.removed.discard(name)

    def _read_removal(self, block: Block) -> None:
        if name := _name_of_changed_tool(block):
            self._facts.removed.add(name)


_READERS = {
    ("assistant", "tool_use"): _Reader._read_call,
    ("assistant", "redacted_thinking"): _Reader._read_redacted,
    ("user", "tool_result"): _Reader._read_result,
    ("system", "tool_addition"): _Reader._read_addition,
    ("system", "tool_removal"): _Reader._read_removal,
}


def _name_of_changed_tool(block: Block) -> str | None:
    """The name of the tool that a block adds or removes."""
    tool = block["tool"]
    name = tool.get("name") or (tool.get("definition") or {}).get("name")
    return name if isinstance(name, str) else None
