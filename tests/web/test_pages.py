"""Pages for a model: shortened, cached, and read by the small model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from claudegpt_pkg.web.addresses import AddressRules, FetchError
from claudegpt_pkg.web.fetch import Fetcher
from claudegpt_pkg.web.pages import EMPTY, KEPT_PAGES, KEPT_SECONDS, Found, Kept, PageReader
from tests.support.web_host import WebHost


@pytest.fixture
def host() -> Iterator[WebHost]:
    pages = {
        "/page": "<title>A page</title><p>Hello \x1b]52;c;x\x07 there.",
        "/long": "<p>" + "word " * 1_000,
    }
    with WebHost(pages) as host:
        yield host


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def read(reader: PageReader, host: WebHost, path: str) -> Found:
    return asyncio.run(reader.read(host.url(path), AddressRules(private_hosts=frozenset({host.name}))))


def test_a_page_has_its_address_title_and_text(host: WebHost) -> None:
    found = read(PageReader(Fetcher(), max_chars=100), host, "/page")
    assert (found.url, found.title, found.text) == (host.url("/page"), "A page", "Hello ]52;c;x there.")
    assert found.retrieved_at.endswith("+00:00")


def test_a_long_page_is_cut_and_says_so(host: WebHost) -> None:
    text = read(PageReader(Fetcher(), max_chars=100), host, "/long").text
    assert text.startswith("word word") and "characters were left out" in text and len(text) < 200


def test_a_page_without_text_says_so(host: WebHost) -> None:
    assert read(PageReader(Fetcher(), max_chars=100), host, "/empty").text == EMPTY


def test_a_page_is_fetched_once_in_a_quarter_of_an_hour(host: WebHost) -> None:
    clock = Clock()
    reader = PageReader(Fetcher(), max_chars=100, now=clock)
    first = read(reader, host, "/page")
    clock.time = KEPT_SECONDS
    assert read(reader, host, "/page") is first and len(host.paths) == 1
    clock.time = KEPT_SECONDS + 1
    assert read(reader, host, "/page") is not first and len(host.paths) == 2


def test_a_failure_is_not_kept(host: WebHost) -> None:
    reader = PageReader(Fetcher(), max_chars=100)
    with pytest.raises(FetchError):
        read(reader, host, "/later")
    host.pages["/later"] = "<p>there now"
    assert read(reader, host, "/later").text == "there now"


def test_a_redirect_to_another_host_says_which_address_to_fetch(host: WebHost) -> None:
    found = read(PageReader(Fetcher(), max_chars=100), host, "/to-elsewhere")
    assert "fetch https://elsewhere.example/page?x=1" in found.text


def test_an_extract_is_asked_for_once_and_cut() -> None:
    prompts: list[str] = []

    async def ask(prompt: str) -> str:
        prompts.append(prompt)
        return "  The answer is 42, " + "x" * 100

    reader = PageReader(Fetcher(), max_chars=1_000)
    for _ in range(2):
        assert asyncio.run(reader.extract("[the page]", "What?", ask, most=20)) == "The answer is 42, xx"
    assert len(prompts) == 1 and "Question: What?" in prompts[0] and "[the page]" in prompts[0]


def test_the_cache_holds_a_limited_number_of_pages() -> None:
    kept: Kept[int] = Kept(Clock())
    for number in range(KEPT_PAGES + 1):
        kept.put(number, number)
    assert kept.get(0) is None and kept.get(1) == 1
