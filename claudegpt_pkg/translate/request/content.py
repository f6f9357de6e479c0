"""Content blocks → parts of the upstream's messages and outputs. Every text and every image comes out, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..wire import anthropic, openai
from ..wire.json_text import dumps

Block = Mapping[str, Any]
Part = openai.Part

_EMPTY = "it is empty"


def blocks_of(content: str | Iterable[Block] | None) -> list[Block]:
    """Content as a list of blocks: the client writes the same message now as a string, now as a list."""
    if isinstance(content, str):
        return [anthropic.text_block(content)]
    return list(content or ())


def parts_of(block: Block) -> list[Part] | None:
    """One block's parts, without the blocks within it (`inner_blocks`); None for a type that is not known here."""
    make = _PARTS.get(block["type"])
    return make(block) if make else None


def inner_blocks(block: Block) -> list[Block]:
    """The blocks within a document whose source is `content`; their parts follow the document's own."""
    if block["type"] != "document" or block["source"].get("type") != "content":
        return []
    return blocks_of(block["source"].get("content"))


def why_not_shown(block: Block) -> str | None:
    """Why an image or a document cannot be sent; None for every block that can."""
    known = _SOURCES.get(block["type"])
    if known is None:
        return None
    source = block["source"]
    kind = source.get("type")
    if kind not in known:
        return f"source {kind}"
    needed = {"base64": "data", "url": "url"}.get(str(kind))
    return _EMPTY if needed and not source.get(needed) else None


def not_shown(what: str, why: str) -> Part:
    """A line of text that stands for an image or a document."""
    return openai.input_text(f"[{what} that cannot be shown here: {why}]")


def plain_output(parts: list[Part]) -> str | list[Part]:
    """A tool's output as a plain string if it is only text: every Responses server takes that."""
    if any(part["type"] != "input_text" for part in parts):
        return parts
    return "\n".join(part["text"] for part in parts)


def media_bytes(parts: Iterable[Part]) -> int:
    """Bytes of base64 in parts: these are not text and must not be counted as text."""
    return sum(len(part.get("image_url") or "") + len(part.get("file_data") or "") for part in parts)


# One block.


def _text_parts(block: Block) -> list[Part]:
    return [openai.input_text(block["text"])] if block["text"] else []


def _image_parts(block: Block) -> list[Part]:
    if why := why_not_shown(block):
        return [not_shown("an image", why)]
    source = block["source"]
    return [openai.input_image(_IMAGES[source["type"]](source))]


def _document_parts(block: Block) -> list[Part]:
    """A document with its title and context, which the upstream has no fields for, as a line before it."""
    source, title = block["source"], block.get("title")
    heading = [openai.input_text(text) for text in _document_heading(title, block.get("context"))]
    if why := why_not_shown(block):
        return [*heading, not_shown("a document", why)]
    return [*heading, *_DOCUMENTS[source["type"]](source, title)]


def _document_heading(title: str | None, context: str | None) -> list[str]:
    lines = [f"Document: {title}" if title else "", f"Context: {context}" if context else ""]
    text = "\n".join(line for line in lines if line)
    return [text] if text else []


def _pdf(source: Block, title: str | None) -> list[Part]:
    name = title or "document"
    if not name.lower().endswith(".pdf"):
        name += ".pdf"  # the upstream tells the kind of a file by its name
    return [openai.input_file(filename=name, data_url=_data_url(source, "application/pdf"))]


def _plain_text(source: Block, title: str | None) -> list[Part]:
    return [openai.input_text(source["data"])] if source.get("data") else []


def _linked_file(source: Block, title: str | None) -> list[Part]:
    return [openai.input_file_url(source["url"])]


def _search_result_parts(block: Block) -> list[Part]:
    heading = f"Search result: {block.get('title') or ''}\nSource: {block.get('source') or ''}"
    texts = [inner["text"] for inner in blocks_of(block.get("content")) if inner["type"] == "text"]
    return [openai.input_text("\n".join([heading, *texts]))]


def _data_url(source: Block, default_type: str) -> str:
    data = source["data"]
    if "\n" in data or " " in data:  # `base64` wraps its output; the upstream takes one line only
        data = "".join(data.split())
    return f"data:{source.get('media_type') or default_type};base64,{data}"


# What a server tool did in an earlier turn, as text in the assistant's own voice.


def server_call_text(block: Block) -> str:
    return f"[{block.get('name')}: {dumps(block.get('input') or {})}]"


def server_result_text(block: Block) -> str:
    """Titles, addresses and texts of a `*_tool_result` block; what is encrypted for Anthropic means nothing here."""
    content = block.get("content")
    results = [content] if isinstance(content, dict) else blocks_of(content)
    lines = [line for result in results if isinstance(result, dict) for line in _result_lines(result)]
    return "\n".join(lines) or (dumps(content) if content else "[no results]")


def _result_lines(result: Block) -> list[str]:
    if code := result.get("error_code"):
        return [f"[error: {code}]"]
    lines = [" ".join(str(result[key]) for key in ("title", "url") if result.get(key))]
    lines += [str(result[key]) for key in ("text", "stdout", "stderr") if result.get(key)]
    inner = result.get("content")
    if isinstance(inner, str):
        lines.append(inner)
    elif isinstance(inner, dict):
        source = inner.get("source")
        is_text = isinstance(source, dict) and source.get("type") == "text" and source.get("data")
        lines += [str(source["data"])] if is_text and isinstance(source, dict) else []
    elif isinstance(inner, list):
        lines += [line for part in inner if isinstance(part, dict) for line in _result_lines(part)]
    return [line for line in lines if line]


_PARTS: dict[str, Callable[[Block], list[Part]]] = {
    "text": _text_parts,
    "image": _image_parts,
    "document": _document_parts,
    "search_result": _search_result_parts,
}
_IMAGES: dict[Any, Callable[[Block], str]] = {
    "base64": lambda source: _data_url(source, "image/png"),
    "url": lambda source: str(source["url"]),
}
_DOCUMENTS: dict[Any, Callable[[Block, str | None], list[Part]]] = {
    "base64": _pdf,
    "text": _plain_text,
    "url": _linked_file,
    "content": lambda source, title: [],
}
_SOURCES: dict[str, frozenset[Any]] = {"image": frozenset(_IMAGES), "document": frozenset(_DOCUMENTS)}
