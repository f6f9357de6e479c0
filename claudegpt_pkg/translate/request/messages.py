"""The client's messages → the upstream's input items: in order, nothing lost, nothing the upstream would refuse.

A 400 ends a session, so what the upstream refuses is repaired: a call without its result gets one that says so, a
result without its call becomes a user's message, a result that came too early moves behind its call, a reasoning item
that leads to nothing is left out. What was repaired or left out is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...capabilities import Capabilities, media_digest
from .. import reasoning
from ..tools import SEARCH_TOOL, ToolTable, short
from ..wire import openai
from ..wire.json_text import dumps
from . import content
from .content import Block, blocks_of, parts_of
from .system_prompt import Identity, true_identity

Item = openai.Item
Message = Mapping[str, Any]

CALLS = frozenset({"function_call", "tool_search_call"})
OUTPUTS = frozenset({"function_call_output", "tool_search_output"})
NO_RESULT = "[no result: the call was interrupted]"
NO_OUTPUT = "[no output]"


def references(messages: Iterable[Message]) -> list[str]:
    """Names of the tools found so far: in search results, and where the client adds one in mid-conversation."""
    found = []
    for message in messages:
        for block in blocks_of(message.get("content")):
            if block["type"] == "tool_result":
                found += [part["tool_name"] for part in blocks_of(block.get("content")) if is_reference(part)]
            elif block["type"] == "tool_addition" and isinstance(name := tool_changed(block), str):
                found.append(name)
    return found


def added_tools(messages: Iterable[Message]) -> list[Block]:
    """Tools the client defines in mid-conversation (`tool_addition` with a whole definition)."""
    return [
        tool["definition"]
        for message in messages
        if message.get("role") == "system"
        for block in blocks_of(message.get("content"))
        if block["type"] == "tool_addition" and isinstance((tool := block.get("tool") or {}).get("definition"), dict)
    ]


def removed_tools(messages: Iterable[Message]) -> set[str]:
    """Names the client took away in mid-conversation and has not added again since."""
    gone: set[str] = set()
    for message in messages:
        for block in blocks_of(message.get("content")) if message.get("role") == "system" else ():
            name = tool_changed(block)
            if block["type"] == "tool_removal" and name:
                gone.add(name)
            elif block["type"] == "tool_addition" and name:
                gone.discard(name)
    return gone


def tool_changed(block: Block) -> str | None:
    tool = block.get("tool") or {}
    name = tool.get("name") or (tool.get("definition") or {}).get("name")
    return name if isinstance(name, str) else None


def is_reference(part: Block) -> bool:
    return bool(part["type"] == "tool_reference")


def revealed(messages: Iterable[Message]) -> set[str]:
    """Names of the tools that the results of the client's own search show."""
    names: set[str] = set()
    searches: set[str] = set()  # not yet answered
    for message in messages:
        for block in blocks_of(message.get("content")):
            if block["type"] == "tool_use" and block["name"] == SEARCH_TOOL:
                searches.add(block["id"])
            elif block["type"] == "tool_result" and block["tool_use_id"] in searches:
                searches.remove(block["tool_use_id"])
                names.update(part["tool_name"] for part in blocks_of(block.get("content")) if is_reference(part))
    return names


def called_names(messages: Iterable[Message]) -> dict[str, str]:
    """Call id → the tool it calls; the first, where a server numbers its calls anew each turn."""
    names: dict[str, str] = {}
    for message in messages:
        for block in blocks_of(message.get("content")):
            if block["type"] == "tool_use":
                names.setdefault(short(block["id"]), block["name"])
    return names


class Conversation:
    """One pass over the messages; `items` is the result, `notes` what became of what could not simply be sent."""

    def __init__(
        self,
        table: ToolTable,
        identity: Identity | None,
        capabilities: Capabilities = Capabilities(),  # noqa: B008  a frozen value
    ):
        self.items: list[Item] = []
        self.notes: list[tuple[str, str]] = []
        self.media_bytes = 0
        self._table = table
        self._identity = identity
        self._capabilities = capabilities
        self._late_blobs: dict[str, str] = {}
        self._called: dict[str, str] = {}  # call id → the tool it calls, where some of them search
        # Ids of reasoning items not to send (again): the upstream refuses an item that comes twice.
        self._replayed = set(capabilities.refused_reasoning)
        self._phase: str | None = None  # of the text that comes next

    def read(self, messages: Sequence[Message]) -> list[Item]:
        signatures = (block.get("data") for message in messages for block in blocks_of(message.get("content")))
        self._late_blobs = reasoning.gather(signatures)
        if self._table.searching:
            self._called = called_names(messages)
        last_user = max((at for at, message in enumerate(messages) if message["role"] == "user"), default=-1)
        for at, message in enumerate(messages):
            if message["role"] == "assistant":
                self._assistant(message)
                continue
            self._end_turn()
            if message["role"] == "system":
                self._system(message, answered=at < last_user)
            else:
                self._user(message)
        self._end_turn()
        self.items = list(self._paired(self.items))
        return self.items

    # One message.

    def _system(self, message: Message, *, answered: bool) -> None:
        if message.get("clear_at") == "next_user_message" and answered:
            self.notes.append(("messages.system", "left out: shown only until the next user message"))
            return
        texts = [block["text"] for block in blocks_of(message.get("content")) if block.get("text")]
        parts = [openai.input_text(true_identity(text, self._identity)) for text in texts]
        if parts:
            self.items.append(openai.message("developer", parts))

    def _user(self, message: Message) -> None:
        blocks = blocks_of(message["content"])
        results = [block for block in blocks if block["type"] == "tool_result"]
        followers = [part for block in results for part in self._result(block)]
        said = [part for block in blocks if block["type"] != "tool_result" for part in self._parts(block)]
        if parts := [*followers, *said]:
            self.items.append(openai.message("user", parts))

    def _assistant(self, message: Message) -> None:
        for block in blocks_of(message["content"]):
            if block["type"] != "text":
                self._phase = None
            make = ASSISTANT.get(block["type"])
            if make:
                make(self, block)
            elif block["type"].endswith("_tool_result"):
                self._aside(content.server_result_text(block))
            else:
                self._unknown(block)

    def _parts(self, block: Block) -> list[openai.Part]:
        parts = parts_of(block)
        if parts is None:
            self._unknown(block)
            return []
        parts = [self._shown(part) for part in parts]
        self.media_bytes += content.media_bytes(parts)
        return parts

    def _shown(self, part: openai.Part) -> openai.Part:
        """The part, or a line of text instead of an image or file that the backend does not take."""
        url = part.get("image_url") or part.get("file_data") or part.get("file_url")
        if not url:
            return part
        is_image, taken = part["type"] == "input_image", self._capabilities
        noun, plural = ("image", "images") if is_image else ("document", "files")
        if not (taken.images if is_image else taken.files):
            why = f"this model takes no {plural}"
        elif taken.refused_media and media_digest(url) in taken.refused_media:
            why = "the backend could not read it"
        else:
            return part
        self.notes.append((f"messages.{noun}", f"replaced by a line of text: {why}"))
        return content.not_shown("an image" if is_image else "a document", why)[0]

    def _unknown(self, block: Block) -> None:
        self.notes.append((f"messages.{block['type']}", "dropped: a block with no counterpart upstream"))

    # Blocks of the assistant's.

    def _text(self, block: Block) -> None:
        if block["text"]:
            self.items.append(openai.assistant_message(block["text"], phase=self._phase))

    def _thinking(self, block: Block) -> None:
        signature = block.get("data") if block["type"] == "redacted_thinking" else block.get("signature")
        item = reasoning.replay(signature, self._late_blobs)
        if self._capabilities.phases:
            self._phase = reasoning.phase(signature)
        if item is None:
            if not (reasoning.read(signature) or {}).get("late"):
                self.notes.append((f"messages.{block['type']}", "dropped: not signed by this proxy"))
        elif item["id"] not in self._replayed:
            self._replayed.add(item["id"])
            self.items.append(item)

    def _tool_use(self, block: Block) -> None:
        call_id = short(block["id"])
        if self._table.searching:
            self._called[call_id] = block["name"]
        if self._is_search(call_id):
            self.items.append(openai.tool_search_call(call_id, block["input"]))
        else:
            self.items.append(openai.function_call(call_id, short(block["name"]), dumps(block["input"])))

    def _is_search(self, call_id: str) -> bool:
        return self._table.searching and self._called.get(call_id) == SEARCH_TOOL

    def _server_tool_use(self, block: Block) -> None:
        self._aside(content.server_call_text(block))

    def _compaction(self, block: Block) -> None:
        if block.get("content"):  # null: it failed, and everything it was to replace is still there
            self.items.append(openai.assistant_message(block["content"]))

    def _end_turn(self) -> None:
        """Leave out reasoning that led to nothing: 400 "without its required following item" otherwise."""
        self._phase = None
        while self.items and self.items[-1]["type"] == "reasoning":
            self.items.pop()
            self.notes.append(("messages.thinking", "dropped: nothing it led to follows"))

    def _aside(self, text: str) -> None:
        """What a server tool did, before the reasoning around it: that must be followed by the item it led to."""
        at = len(self.items)
        while at and self.items[at - 1]["type"] == "reasoning":
            at -= 1
        self.items.insert(at, openai.assistant_message(text))

    # A tool's result.

    def _result(self, block: Block) -> list[openai.Part]:
        """Append the result's item; gives back the parts that must follow in a user message instead."""
        call_id = short(block["tool_use_id"])
        blocks = blocks_of(block.get("content"))
        names = [part["tool_name"] for part in blocks if is_reference(part)]
        parts = [part for inner in blocks if not is_reference(inner) for part in self._parts(inner)]
        if self._is_search(call_id):
            tools = [self._table.found[name] for name in names if name in self._table.found]
            self.items.append(openai.tool_search_output(call_id, tools))
            return parts
        parts += [openai.input_text(sentence) for sentence in self._found(names)]
        if block.get("is_error"):
            parts = mark_error(parts)
        followers = []
        if not self._capabilities.media_in_outputs:
            followers = [part for part in parts if part["type"] != "input_text"]
            parts = [part for part in parts if part["type"] == "input_text"]
            if followers:
                parts.append(openai.input_text("[what this tool returned is shown in the next message]"))
        self.items.append(openai.function_call_output(call_id, content.plain_output(parts) or NO_OUTPUT))
        return followers

    def _found(self, names: list[str]) -> Iterator[str]:
        """What a search has found; of what the settings leave out, the client knows nothing."""
        for left_out, sentence in ((False, "These tools can be called now"), (True, "These tools are turned off")):
            if those := [short(name) for name in names if (name in self._table.left_out) == left_out]:
                yield f"{sentence}: {', '.join(those)}"

    # Repairs, each over all items.

    def _paired(self, items: list[Item]) -> Iterator[Item]:
        """Every call followed by exactly one output, every output preceded by its call, every id used once."""
        places = places_by_id(items, CALLS)
        answers = answer_places(places, places_by_id(items, OUTPUTS), len(items))
        calls = {output: call for call, output in answers.items()}
        ids = self._new_ids(places)
        for at, item in enumerate(items):
            if item["type"] in CALLS:
                call = {**item, "call_id": ids[at]} if at in ids else item
                yield call
                if at not in answers:
                    self.notes.append(("messages.tool_use", f"repaired: no result for {item['call_id']}"))
                    yield missing_output(call)
                elif answers[at] < at:
                    yield items[answers[at]]
            elif item["type"] not in OUTPUTS:
                yield item
            elif at not in calls:
                self.notes.append(("messages.tool_result", f"repaired: no call for {item['call_id']}"))
                yield orphan(item)
            elif calls[at] < at:
                yield {**item, "call_id": ids[calls[at]]} if calls[at] in ids else item

    def _new_ids(self, calls: Mapping[str, list[int]]) -> dict[int, str]:
        """Where a call stands whose id an earlier one has → its own; some servers number their calls anew each turn."""
        ids: dict[int, str] = {}
        for call_id, places in calls.items():
            if len(places) > 1:
                ids |= {at: short(f"{call_id}#{number}") for number, at in enumerate(places) if number}
                self.notes.append(("messages.tool_use", f"repaired: {len(places)} calls have the id {call_id}"))
        return ids


def answer_places(calls: Mapping[str, list[int]], outputs: Mapping[str, list[int]], end: int) -> dict[int, int]:
    """Where each call stands → where its output does: the first before the next call with its id; else an early one.

    `calls` and `outputs`: call_id → where they stand, before `end`.
    """
    answers: dict[int, int] = {}
    for call_id, places in calls.items():
        given = outputs.get(call_id, ())
        for at, until in zip(places, [*places[1:], end], strict=True):
            if own := [output for output in given if at < output < until]:
                answers[at] = own[0]
        if places[0] not in answers and given and given[0] < places[0]:
            answers[places[0]] = given[0]
    return answers


def places_by_id(items: list[Item], kinds: Iterable[str]) -> dict[str, list[int]]:
    """call_id → where the items of those kinds with it stand."""
    places: dict[str, list[int]] = {}
    for at, item in enumerate(items):
        if item["type"] in kinds:
            places.setdefault(item["call_id"], []).append(at)
    return places


def mark_error(parts: list[openai.Part]) -> list[openai.Part]:
    """The upstream has no `is_error`: it is said in front, where the text does not say so itself."""
    text = next((part["text"] for part in parts if part["type"] == "input_text"), "")
    if text.lstrip().lower().startswith(("error", "<tool_use_error>")):
        return parts
    return [openai.input_text("Error:"), *parts]


def missing_output(call: Item) -> Item:
    if call["type"] == "tool_search_call":
        return openai.tool_search_output(call["call_id"], [])
    return openai.function_call_output(call["call_id"], NO_RESULT)


def orphan(output: Item) -> Item:
    """A result whose call is not in the conversation, as what the user says."""
    result = output.get("output") or NO_OUTPUT
    parts = [openai.input_text(result)] if isinstance(result, str) else result
    return openai.message("user", [openai.input_text("[result of an earlier tool call]"), *parts])


ASSISTANT: dict[str, Callable[[Conversation, Block], None]] = {
    "text": Conversation._text,
    "thinking": Conversation._thinking,
    "redacted_thinking": Conversation._thinking,
    "tool_use": Conversation._tool_use,
    "server_tool_use": Conversation._server_tool_use,
    "mcp_tool_use": Conversation._server_tool_use,
    "compaction": Conversation._compaction,
}
