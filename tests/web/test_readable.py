"""Pages as text: what stays of HTML, which types are text, which charset wins."""

from __future__ import annotations

import io

import pytest

from claudegpt_pkg.web.addresses import FetchError
from claudegpt_pkg.web.fetch import Page
from claudegpt_pkg.web.readable import read_page

ARTICLE = """<!doctype html><html><head><title> How to  install </title><style>p{}</style></head><body>
<header>Site</header><nav><a href="/">Home</a></nav><main><h1>Install</h1><p>Run <code>pip_install *now*</code>, then
<a href="/next">go on</a>.</p><pre><code>def f(x):
    if x:
        return {"a": 1}
</code></pre><table><tr><th>flag</th><th>meaning</th></tr><tr><td>-v</td><td>verbose</td></tr></table>
<ul><li>one</li><li>two</li></ul><p>WORDS</p></main><script>alert("no")</script><footer>Imprint</footer></body></html>
"""


def page(body: bytes | str, kind: str = "text/html", charset: str = "") -> Page:
    return Page("https://h.example/", kind, charset, body.encode() if isinstance(body, str) else body)


def test_html_keeps_headings_code_tables_and_lists() -> None:
    document = read_page(page(ARTICLE.replace("WORDS", "Enough words to be content. " * 10)))
    assert document.title == "How to install"
    assert '    if x:\n        return {"a": 1}' in document.text
    assert "| -v | verbose |" in document.text and "# Install" in document.text and "* one" in document.text
    assert "`pip_install *now*`" in document.text and "go on" in document.text


def test_html_loses_what_is_not_content() -> None:
    text = read_page(page(ARTICLE.replace("WORDS", "Enough words to be content. " * 10))).text
    assert not any(word in text for word in ("alert", "Home", "Imprint", "Site", "p{}", "<"))


def test_a_main_element_without_text_does_not_hide_the_page() -> None:
    assert "Outside" in read_page(page("<main></main><p>Outside of it.</p>")).text


def test_tags_nested_ten_thousand_deep_are_read() -> None:
    assert "deep" in read_page(page("<div>" * 10_000 + "deep")).text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/plain", "a < b"),
        ("application/json", '{"a": 1}'),
        ("application/vnd.api+json", "{}"),
        ("application/xml", "<a>1</a>"),
        ("text/x-rust", "fn main() {}"),
        ("", "plain words"),
    ],
)
def test_text_stays_as_it_is(kind: str, text: str) -> None:
    assert read_page(page(text, kind)).text == text


@pytest.mark.parametrize("kind", ["image/png", "video/mp4", "application/zip", "application/wasm", "font/woff2"])
def test_another_type_is_refused_by_name(kind: str) -> None:
    with pytest.raises(FetchError, match=kind) as refused:
        read_page(page(b"\x00\x01", kind))
    assert refused.value.code == "unsupported_content_type"


def test_bytes_without_a_type_are_known_by_their_beginning() -> None:
    assert read_page(page("<!DOCTYPE html><p>x", "")).text == "x"
    assert read_page(page("<html><p>x", "text/plain")).text == "x"
    with pytest.raises(FetchError):
        read_page(page(b"\x7fELF\x00\x00", "application/octet-stream"))


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ("한국어".encode(), "iso-8859-1", "한국어"),
        ("Grüße".encode("latin-1"), "iso-8859-1", "Grüße"),
        ("한국어".encode("euc-kr"), "euc-kr", "한국어"),
        (b"<meta charset='euc-kr'>" + "한국어".encode("euc-kr"), "", "한국어"),
        ("Grüße".encode("utf-16"), "", "Grüße"),
        (b"\xef\xbb\xbfBOM", "", "BOM"),
        (b"caf\xe9", "x-nonsense", "caf\ufffd"),
        (b"caf\xe9", "hex", "caf\ufffd"),
    ],
)
def test_the_charset_is_found_whatever_the_server_says(body: bytes, charset: str, text: str) -> None:
    assert read_page(page(body, charset=charset)).text == text


def test_the_text_of_a_pdf_is_read() -> None:
    assert "Hello PDF" in read_page(page(pdf("Hello PDF"), "application/pdf")).text


def test_a_broken_pdf_and_one_without_text_are_refused() -> None:
    for body in (b"%PDF-1.7 broken", pdf("")):
        with pytest.raises(FetchError, match="PDF"):
            read_page(page(body, "application/pdf"))


def pdf(text: str) -> bytes:
    """The smallest PDF with one line of text."""
    stream = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET".encode() if text else b""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, content in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj%s endobj\n" % (number, content))
    table = out.tell()
    out.write(b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % table)
    return out.getvalue()
