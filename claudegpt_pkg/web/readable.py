"""A fetched page as text that a model can read: HTML as Markdown, text as it is, the text of a PDF.

    document = read_page(page)         # Document, or FetchError `unsupported_content_type`

HTML loses what is not content (scripts, navigation, forms) and keeps headings, lists, tables and code blocks whole: on
thirty pages markdownify kept every line of code and every table cell, where trafilatura lost 7 % and 27 %, and
resiliparse lost 5 % of the code (docs/web.md). It is slow on large pages, so call this in a thread.
"""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .addresses import FetchError
from .fetch import Page

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
TEXT_TYPES = re.compile(
    r"text/[\w.+-]+|application/(json|xml|javascript|ecmascript|yaml|x-yaml|toml|x-sh|sql|rtf|ld\+json|x-ndjson"
    r"|[\w.-]+\+(json|xml|yaml))"
)
PDF_TYPES = frozenset({"application/pdf", "application/x-pdf"})
UNTYPED = frozenset({"", "application/octet-stream", "binary/octet-stream"})
NOT_CONTENT = ("title", "script", "style", "template", "svg", "canvas", "iframe", "form")
AROUND_CONTENT = ("nav", "header", "footer", "aside")
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
MAX_HTML = 2_000_000  # characters that are parsed
MAX_PDF_PAGES = 200
# What pypdf raises on broken files besides its own errors.
BROKEN_PDF = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError)
MANY_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")
ENOUGH_TEXT = 200  # characters: a `main` element with less is not the page's content
META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"' ]*([\w-]{2,40})", re.I)


@dataclass(frozen=True)
class Document:
    title: str
    text: str


def read_page(page: Page) -> Document:
    """The page's title and text. Raises FetchError if its type is none that can be read as text."""
    kind = page.content_type
    if kind in UNTYPED:
        kind = _guess_type(page.body)
    if kind in PDF_TYPES:
        return _read_pdf(page.body)
    if kind in HTML_TYPES:
        return _read_html(decode(page.body, page.charset))
    if TEXT_TYPES.fullmatch(kind):
        text = decode(page.body, page.charset)
        return _read_html(text) if _looks_like_html(text) else Document("", text)
    raise FetchError("unsupported_content_type", f"The page is of type {kind[:80] or 'unknown'}, which is not text.")


def _guess_type(body: bytes) -> str:
    """The type of a body that the server did not name, from its first bytes."""
    if body.startswith(b"%PDF-"):
        return "application/pdf"
    head = body[:4_096]
    if b"\x00" in head:
        return "application/octet-stream"
    return "text/html" if _looks_like_html(head.decode("utf-8", "replace")) else "text/plain"


def _looks_like_html(text: str) -> bool:
    start = text[:1_000].lstrip("\ufeff \t\r\n").lower()
    return start.startswith(("<!doctype html", "<html"))


def decode(body: bytes, charset: str) -> str:
    """The text of a body. UTF-8 wins if the body is valid UTF-8, whatever the server says: it rarely is by chance."""
    for bom, name in BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(name, "replace")
    declared = META_CHARSET.search(body[:4_096])
    for name in ("utf-8", charset, declared[1].decode("ascii") if declared else ""):
        try:
            return body.decode(name)
        except (LookupError, ValueError):  # no such charset, or the body is not written in it
            continue
    return body.decode("utf-8", "replace")


def _read_html(text: str) -> Document:
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(text[:MAX_HTML], "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for tag in soup.find_all(NOT_CONTENT + AROUND_CONTENT):
        tag.decompose()
    content = _main_content(soup)
    converter = MarkdownConverter(
        heading_style="ATX", strip=["a", "img"], escape_asterisks=False, escape_underscores=False, escape_misc=False
    )
    try:
        markdown = str(converter.convert_soup(content))
    except RecursionError:  # tags nested a thousand deep
        markdown = content.get_text("\n")
    return Document(_short_title(title), MANY_BLANK_LINES.sub("\n\n", markdown).strip())


def _main_content(soup: BeautifulSoup) -> BeautifulSoup | Tag:
    """The element that holds the page's content: `main` or a single `article` with enough text, else all of it."""
    for found in (soup.find_all("main"), soup.select("[role=main]"), soup.find_all("article")):
        if len(found) == 1 and len(found[0].get_text(strip=True)) >= ENOUGH_TEXT:
            return found[0]
    return soup.body or soup


def _read_pdf(body: bytes) -> Document:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(body))
        pages = [page.extract_text() for page in reader.pages[:MAX_PDF_PAGES]]
        title = str((reader.metadata.title if reader.metadata else "") or "")
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
        OSError,
    ) as problem:
        reason = f"The PDF cannot be read ({type(problem).__name__})."
        raise FetchError("unsupported_content_type", reason) from None
    text = "\n\n".join(page.strip() for page in pages if page.strip())
    if not text:
        raise FetchError("unsupported_content_type", "The PDF holds no text, only pictures.")
    return Document(_short_title(title), text)


def _short_title(text: str) -> str:
    return " ".join(text.split())[:300]
