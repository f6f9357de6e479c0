"""Content blocks → parts of the upstream's messages and outputs. Every text and every image comes out, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..wire import anthropic, openai
from ..wire.json_text import dumps

Block = Mapping[str, Any]
Part = openai.Part

EMPTY = "it is empty"


def blocks_of(content: str | Iterable[Block] | None) -> list[Block]:
    """Content as a list of blocks: the client writes the same message now as a string, now as a list."""
    if isinstance(content, str):
        return [anthropic.text_block(content)]
    return list(content or ())


def parts_of(block: Block) -> list[Part] | None:
    """One block's parts; None for a type not known here."""
    make = PARTS.get(block["type"])
    return make(block) if make else None


def text_parts(block: Block) -> list[Part]:
    return [openai.input_text(block["text"])] if block["text"] else []


def image_parts(block: Block) -> list[Part]:
    source = block["source"]
    make = IMAGES.get(source.get("type"))
    if make is None:
        return not_shown("an image", f"source {source.get('type')}")
    return make(source)


def embedded(source: Block) -> list[Part]:
    return [openai.input_image(data_url(source, "image/png"))] if source.get("data") else not_shown("an image", EMPTY)


def remote(source: Block) -> list[Part]:
    return [openai.input_image(source["url"])] if source.get("url") else not_shown("an image", EMPTY)


def not_shown(what: str, why: str) -> list[Part]:
    return [openai.input_text(f"[{what} that cannot be shown here: {why}]")]


def document_parts(block: Block) -> list[Part]:
    """A document with its title and context, which the upstream has no fields for, as a line before it."""
    source, title = block["source"], block.get("title")
    heading = [openai.input_text(text) for text in document_heading(title, block.get("context"))]
    make = DOCUMENTS.get(source.get("type"))
    if make is None:
        return [*heading, *not_shown("a document", f"source {source.get('type')}")]
    return [*heading, *make(source, title)]


def document_heading(title: str | None, context: str | None) -> list[str]:
    lines = [f"Document: {title}" if title else "", f"Context: {context}" if context else ""]
    text = "\n".join(line for line in lines if line)
    return [text] if text else []


def pdf(source: Block, title: str | None) -> list[Part]:
    if not source.get("data"):
        return not_shown("a document", EMPTY)
    name = title or "document"
    if not name.lower().endswith(".pdf"):
        name += ".pdf"  # the upstream tells the kind of file by its name
    return [openai.input_file(filename=name, data_url=data_url(source, "application/pdf"))]


def plain_text(source: Block, title: str | None) -> list[Part]:
    return [openai.input_text(source["data"])] if source.get("data") else []


def linked(source: Block, title: str | None) -> list[Part]:
    return [openai.input_file_url(source["url"])] if source.get("url") else not_shown("a document", EMPTY)


def nested(source: Block, title: str | None) -> list[Part]:
    return [part for block in blocks_of(source.get("content")) for part in parts_of(block) or ()]


def search_result_parts(block: Block) -> list[Part]:
    heading = f"Search result: {block.get('title') or ''}\nSource: {block.get('source') or ''}"
    texts = [inner.get("text") or "" for inner in blocks_of(block.get("content"))]
    return [openai.input_text("\n".join([heading, *texts]))]


def data_url(source: Block, default_type: str) -> str:
    data = source["data"]
    if "\n" in data or " " in data:  # as `base64` wraps it; the upstream takes it in one line only
        data = "".join(data.split())
    return f"data:{source.get('media_type') or default_type};base64,{data}"


def plain_output(parts: list[Part]) -> str | list[Part]:
    """A tool's output as a plain string where it is only text: every Responses server takes that."""
    if any(part["type"] != "input_text" for part in parts):
        return parts
    return "\n".join(part["text"] for part in parts)


def media_bytes(parts: Iterable[Part]) -> int:
    """Bytes of base64 in parts: they are not text and must not be counted as such."""
    return sum(len(part.get("image_url") or "") + len(part.get("file_data") or "") for part in parts)


# What a server tool did in an earlier turn, told as text in the assistant's own voice.


def server_call_text(block: Block) -> str:
    return f"[{block.get('name')}: {dumps(block.get('input') or {})}]"


def server_result_text(block: Block) -> str:
    """Titles, addresses and texts of a `*_tool_result` block; what is encrypted for Anthropic means nothing here."""
    content = block.get("content")
    results = [content] if isinstance(content, dict) else blocks_of(content)
    lines = [line for result in results if isinstance(result, dict) for line in result_lines(result)]
    return "\n".join(lines) or (dumps(content) if content else "[no results]")


def result_lines(result: Block) -> list[str]:
    if code := result.get("error_code"):
        return [f"[error: {code}]"]
    lines = [" ".join(str(result[key]) for key in ("title", "url") if result.get(key))]
    lines += [str(result[key]) for key in ("text", "stdout", "stderr") if result.get(key)]
    inner = result.get("content")
    if isinstance(inner, str):
        lines.append(inner)
    elif isinstance(inner, dict):
        source = inner.get("source") or {}
        lines += [str(source["data"])] if source.get("type") == "text" and source.get("data") else []
    elif isinstance(inner, list):
        lines += [line for part in inner if isinstance(part, dict) for line in result_lines(part)]
    return [line for line in lines if line]


PARTS: dict[str, Callable[[Block], list[Part]]] = {
    "text": text_parts,
    "image": image_parts,
    "document": document_parts,
    "search_result": search_result_parts,
}
IMAGES: dict[Any, Callable[[Block], list[Part]]] = {"base64": embedded, "url": remote}
DOCUMENTS: dict[Any, Callable[[Block, str | None], list[Part]]] = {
    "base64": pdf,
    "text": plain_text,
    "url": linked,
    "content": nested,
}
