"""Messages events folded into one Message: the answer to `stream: false`, and what a trace keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..wire.json_text import loads
from ..wire.sse import Event

Message = dict[str, Any]

# Delta type → (the delta's field, the block's field it extends).
TEXT_FIELDS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}


class Folder:
    """Takes a stream's events one by one and keeps only their texts, which need far less memory than the events."""

    def __init__(self) -> None:
        self._message: Message = {}
        self._texts: list[dict[str, list[str]]] = []  # by block: field → its pieces

    def add(self, event: Event) -> None:
        kind = event["type"]
        if kind == "content_block_delta":
            self._extend(event["index"], event["delta"])
        elif kind == "content_block_start":
            self._message["content"].append(dict(event["content_block"]))
            self._texts.append({})
        elif kind == "message_start":
            self._message = {**event["message"], "content": []}
        elif kind == "message_delta":
            self._message |= event["delta"]
            self._message["usage"] = {**self._message["usage"], **event["usage"]}

    def message(self) -> Message:
        """Return the Message so far; an empty one before message_start."""
        if not self._message:
            return {}
        blocks = zip(self._message["content"], self._texts, strict=True)
        return {**self._message, "content": [_add_texts(block, texts) for block, texts in blocks]}

    def _extend(self, index: int, delta: dict[str, Any]) -> None:
        if delta["type"] == "citations_delta":
            self._message["content"][index].setdefault("citations", []).append(delta["citation"])
            return
        source, target = TEXT_FIELDS[delta["type"]]
        self._texts[index].setdefault(target, []).append(delta[source])


def fold(events: Iterable[Event]) -> Message:
    """Return the Message that a whole stream of events describes."""
    folder = Folder()
    for event in events:
        folder.add(event)
    return folder.message()


def _add_texts(block: dict[str, Any], texts: dict[str, list[str]]) -> dict[str, Any]:
    whole: dict[str, Any] = {field: "".join(pieces) for field, pieces in texts.items()}
    if "input" in whole:
        whole["input"] = tool_input(whole["input"])
    return {**block, **whole}


def tool_input(text: str) -> dict[str, Any]:
    """Return a call's arguments as an object; if the length limit cut them off, their text in one."""
    try:
        value = loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"_unparsed_arguments": text}
