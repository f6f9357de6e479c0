"""Messages events folded into one Message: what `stream: false` answers. One path for both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .jsontext import loads
from .sse import Event

Message = dict[str, Any]

# Delta type → (the delta's field, the block's field it extends).
TEXT_FIELDS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
}


def fold(events: Iterable[Event]) -> Message:
    """The Message that a whole stream of events tells. Raises KeyError if it does not begin with message_start."""
    message: Message = {}
    texts: list[list[str]] = []  # of tool input, by block
    for event in events:
        kind = event["type"]
        if kind == "message_start":
            message = {**event["message"], "content": []}
        elif kind == "content_block_start":
            message["content"].append(dict(event["content_block"]))
            texts.append([])
        elif kind == "content_block_delta":
            extend(message["content"][event["index"]], texts[event["index"]], event["delta"])
        elif kind == "message_delta":
            message |= event["delta"]
            message["usage"] = {**message["usage"], **event["usage"]}
    for block, pieces in zip(message["content"], texts, strict=True):
        if pieces:
            block["input"] = tool_input("".join(pieces))
    return message


def extend(block: dict[str, Any], pieces: list[str], delta: dict[str, Any]) -> None:
    if delta["type"] == "input_json_delta":
        pieces.append(delta["partial_json"])
    elif delta["type"] == "citations_delta":
        block.setdefault("citations", []).append(delta["citation"])
    else:
        source, target = TEXT_FIELDS[delta["type"]]
        block[target] += delta[source]


def tool_input(text: str) -> Any:
    """A call's arguments as an object; where the model's JSON is broken, its text, so that nothing is lost."""
    try:
        return loads(text)
    except ValueError:
        return {"_unparsed_arguments": text}
