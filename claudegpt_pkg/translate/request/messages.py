"""The client's messages → the upstream's input items: in order, nothing lost, nothing that a backend would refuse.

A 400 would end the session, so what a backend refuses is repaired: calls and results are paired (pairing.py), reasoning
that leads to nothing is left out, and an image or file that the backend does not take is replaced by a line of text.
What is repaired or left out is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...capabilities import Capabilities, media_digest
from .. import reasoning
from ..tools import SEARCH_TOOL, ToolTable, shorten_name
from ..wire import openai
from ..wire.json_text import dumps
from . import content
from .content import Block, blocks_of, parts_of
from .conversation_facts import ConversationFacts
from .draft import Note
from .pairing import NO_OUTPUT, pair_calls
from .system_prompt import Identity, correct_identity
from .unread_fields import NO_COUNTERPART

Item = openai.Item
Message = Mapping[str, Any]

MEDIA_FOLLOW = "[what this tool returned is shown in the next message]"
MEDIA_NAMES = {"input_image": ("image", "an image"), "input_file": ("document", "a document")}


class InputBuilder:
    """Translates the messages in one pass. `notes` says what became of everything that could not simply be sent."""

    def __init__(
        self,
        table: ToolTable,
        facts: ConversationFacts,
        identity: Identity | None = None,
        capabilities: Capabilities = Capabilities(),  # noqa: B008  a frozen value
    ):
        self.notes: list[Note] = []
        self.media_bytes = 0
        self._items: list[Item] = []
        self._table = table
        self._facts = facts
        self._identity = identity
        self._capabilities = capabilities
        self._called = dict(facts.called) if table.searching else {}  # short call id → the tool that it calls
        # Keys of reasoning items that may not be sent (again): a backend refuses an item that comes twice.
        self._replayed = set(capabilities.refused_reasoning)
        self._phase: str | None = None  # of the next text

    def build(self, messages: Sequence[Message]) -> list[Item]:
        for at, message in enumerate(messages):
            if message["role"] == "assistant":
                self._add_assistant(message)
                continue
            self._end_turn()
            if message["role"] == "system":
                self._add_system(message, answered=at < self._facts.last_user)
            else:
                self._add_user(message)
        self._end_turn()
        items, notes = pair_calls(self._items)
        self.notes += notes
        return items

    # One message.

    def _add_system(self, message: Message, *, answered: bool) -> None:
        if message.get("clear_at") == "next_user_message" and answered:
            self.notes.append(("messages.system", "left out: shown only until the next user message"))
            return
        blocks = blocks_of(message.get("content"))
        texts = [block["text"] for block in blocks if block["type"] == "text" and block["text"]]
        self._note_unknown(block for block in blocks if block["type"] not in SYSTEM_BLOCKS)
        parts = [openai.input_text(correct_identity(text, self._identity, self.notes)) for text in texts]
        if parts:
            self._items.append(openai.message("developer", parts))

    def _add_user(self, message: Message) -> None:
        blocks = blocks_of(message["content"])
        results = [block for block in blocks if block["type"] == "tool_result"]
        followers = [part for block in results for part in self._add_result(block)]
        spoken = [part for block in blocks if block["type"] != "tool_result" for part in self._build_parts(block)]
        if parts := [*followers, *spoken]:
            self._items.append(openai.message("user", parts))

    def _add_assistant(self, message: Message) -> None:
        for block in blocks_of(message["content"]):
            if block["type"] != "text":
                self._phase = None
            make = ASSISTANT_BLOCKS.get(block["type"])
            if make:
                make(self, block)
            elif block["type"].endswith("_tool_result"):
                self._insert_aside(content.server_result_text(block))
            else:
                self._note_unknown([block])

    def _end_turn(self) -> None:
        """Leave out reasoning that led to nothing, else: 400 "without its required following item"."""
        self._phase = None
        while self._items and self._items[-1]["type"] == "reasoning":
            self._items.pop()
            self.notes.append(("messages.thinking", "dropped: nothing that it led to follows"))

    # Parts.

    def _build_parts(self, block: Block) -> list[openai.Part]:
        parts = parts_of(block)
        if parts is None:
            self._note_unknown([block])
            return []
        if why := content.why_not_shown(block):
            self.notes.append((f"messages.{block['type']}", f"replaced by a line of text: {why}"))
        parts = [self._show_or_replace(part) for part in parts]
        self.media_bytes += content.media_bytes(parts)
        return [*parts, *(part for inner in content.inner_blocks(block) for part in self._build_parts(inner))]

    def _show_or_replace(self, part: openai.Part) -> openai.Part:
        """The part, or a line of text instead of an image or file that the backend does not take."""
        if part["type"] not in MEDIA_NAMES:
            return part
        taken, is_image = self._capabilities, part["type"] == "input_image"
        name, words = MEDIA_NAMES[part["type"]]
        url = part.get("image_url") or part.get("file_data") or part.get("file_url") or ""
        if not (taken.images if is_image else taken.files):
            why = f"this model takes no {'images' if is_image else 'files'}"
        elif taken.refused_media and media_digest(url) in taken.refused_media:
            why = "the backend could not read it"
        else:
            return part
        self.notes.append((f"messages.{name}", f"replaced by a line of text: {why}"))
        return content.not_shown(words, why)

    def _note_unknown(self, blocks: Any) -> None:
        for block in blocks:
            self.notes.append((f"messages.{block['type']}", NO_COUNTERPART))

    # Blocks of the assistant's.

    def _add_text(self, block: Block) -> None:
        if block["text"]:
            self._items.append(openai.assistant_message(block["text"], phase=self._phase))

    def _add_reasoning(self, block: Block) -> None:
        signature = block.get("data") if block["type"] == "redacted_thinking" else block.get("signature")
        item = reasoning.replay(signature, self._facts.late_blobs)
        if self._capabilities.phases:
            self._phase = reasoning.read_phase(signature)
        if item is None:
            if not (reasoning.read_signature(signature) or {}).get("late"):
                self.notes.append((f"messages.{block['type']}", "dropped: not signed by this proxy"))
            return
        key = reasoning_key(item)
        if key in self._replayed:
            self.notes.append((f"messages.{block['type']}", "dropped: it came before, or the backend refuses it"))
            return
        self._replayed.add(key)
        self._items.append(item)

    def _add_call(self, block: Block) -> None:
        call_id = shorten_name(block["id"])
        if self._table.searching:
            self._called[call_id] = block["name"]
        if self._is_search(call_id):
            self._items.append(openai.tool_search_call(call_id, block["input"]))
        else:
            self._items.append(openai.function_call(call_id, shorten_name(block["name"]), dumps(block["input"])))

    def _is_search(self, call_id: str) -> bool:
        return self._table.searching and self._called.get(call_id) == SEARCH_TOOL

    def _add_server_call(self, block: Block) -> None:
        self._insert_aside(content.server_call_text(block))

    def _add_compaction(self, block: Block) -> None:
        if block.get("content"):  # null: it failed, and everything that it was to replace is still there
            self._items.append(openai.assistant_message(block["content"]))

    def _insert_aside(self, text: str) -> None:
        """Say what a server tool did, before the reasoning around it: that must be followed by what it led to."""
        at = len(self._items)
        while at and self._items[at - 1]["type"] == "reasoning":
            at -= 1
        self._items.insert(at, openai.assistant_message(text))

    # A tool's result.

    def _add_result(self, block: Block) -> list[openai.Part]:
        """Append the result's item; returns the parts that must follow in a user message instead."""
        call_id, given = shorten_name(block["tool_use_id"]), block.get("content")
        if isinstance(given, str) and not block.get("is_error") and not self._is_search(call_id):
            self._items.append(openai.function_call_output(call_id, given or NO_OUTPUT))
            return []
        blocks = blocks_of(given)
        names = list(dict.fromkeys(part["tool_name"] for part in blocks if part["type"] == "tool_reference"))
        parts = [part for inner in blocks if inner["type"] != "tool_reference" for part in self._build_parts(inner)]
        if self._is_search(call_id):
            tools = [self._table.found[name] for name in names if name in self._table.found]
            self._items.append(openai.tool_search_output(call_id, tools))
            return parts
        parts += [openai.input_text(sentence) for sentence in self._name_found_tools(names)]
        if block.get("is_error"):
            parts = _mark_as_error(parts)
        followers: list[openai.Part] = []
        if not self._capabilities.media_in_outputs:
            followers = [part for part in parts if part["type"] != "input_text"]
            parts = [part for part in parts if part["type"] == "input_text"]
            if followers:
                parts.append(openai.input_text(MEDIA_FOLLOW))
                self.notes.append(("messages.tool_result", "moved: images and files follow in a user message"))
        self._items.append(openai.function_call_output(call_id, content.plain_output(parts) or NO_OUTPUT))
        return followers

    def _name_found_tools(self, names: list[str]) -> Iterator[str]:
        """What a search has found. The client does not know which tools the settings leave out."""
        for left_out, sentence in ((False, "These tools can be called now"), (True, "These tools are turned off")):
            if those := [shorten_name(name) for name in names if (name in self._table.left_out) == left_out]:
                yield f"{sentence}: {', '.join(those)}"


def reasoning_key(item: Mapping[str, Any]) -> str:
    """What tells a reasoning item from others: its id or, on servers that give none, its encrypted content."""
    return str(item.get("id") or media_digest(item.get("encrypted_content") or ""))


def _mark_as_error(parts: list[openai.Part]) -> list[openai.Part]:
    """The upstream has no `is_error`: the word stands in front, unless the text says so itself."""
    text = next((part["text"] for part in parts if part["type"] == "input_text"), "")
    if text.lstrip().lower().startswith(("error", "<tool_use_error>")):
        return parts
    return [openai.input_text("Error:"), *parts]


SYSTEM_BLOCKS = frozenset({"text", "tool_addition", "tool_removal"})
ASSISTANT_BLOCKS: dict[str, Callable[[InputBuilder, Block], None]] = {
    "text": InputBuilder._add_text,
    "thinking": InputBuilder._add_reasoning,
    "redacted_thinking": InputBuilder._add_reasoning,
    "tool_use": InputBuilder._add_call,
    "server_tool_use": InputBuilder._add_server_call,
    "mcp_tool_use": InputBuilder._add_server_call,
    "compaction": InputBuilder._add_compaction,
}
