"""Fetching against a real server on loopback: what arrives, what is refused, and that forbidden hosts hear nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from claudegpt_pkg.web.addresses import AddressRules, FetchError
from claudegpt_pkg.web.fetch import MB, Fetcher, FetchLimits, Page, Redirected
from tests.support.web_host import WebHost

# Notations of 127.0.0.1 and of this machine that only a resolver understands.
ODD_NOTATIONS = ("127.1", "127.0.1", "0x7f.1", "0177.0.0.1", "2130706433", "0x7f000001", "017700000001", "localhost")


@pytest.fixture
def host() -> Iterator[WebHost]:
    with WebHost({"/page": "<title>A page</title><p>Hello."}) as host:
        yield host


def rules(host: WebHost) -> AddressRules:
    return AddressRules(private_hosts=frozenset({host.name, f"docs.example:{host.port}"}))


def fetch(host: WebHost, path: str, fetcher: Fetcher | None = None) -> Page | Redirected:
    return asyncio.run((fetcher or Fetcher()).fetch(host.url(path), rules(host)))


def refusal(host: WebHost, path: str, fetcher: Fetcher | None = None) -> FetchError:
    with pytest.raises(FetchError) as refused:
        fetch(host, path, fetcher)
    return refused.value


def test_a_page_arrives_with_its_type_and_charset(host: WebHost) -> None:
    page = fetch(host, "/page?q=1#part")
    assert page == Page(host.url("/page?q=1"), "text/html", "utf-8", b"<title>A page</title><p>Hello.")


def test_no_cookie_no_credential_and_an_honest_name_are_sent(host: WebHost) -> None:
    fetch(host, "/page")
    assert "claudegpt" in host.headers[0]["user-agent"]
    assert not {"cookie", "authorization", "referer"} & host.headers[0].keys()


@pytest.mark.parametrize("path", ["/zipped", "/deflated", "/raw-deflated"])
def test_a_packed_page_is_unpacked(host: WebHost, path: str) -> None:
    page = fetch(host, path)
    assert isinstance(page, Page) and page.body == b"<p>packed</p>"


def test_redirects_within_a_host_are_followed(host: WebHost) -> None:
    page = fetch(host, "/hop/1")
    assert isinstance(page, Page) and page.url == host.url("/hop/3")
    assert host.paths == ["/hop/1", "/hop/2", "/hop/3"]


def test_a_redirect_to_another_host_is_told_and_not_followed(host: WebHost) -> None:
    answer = fetch(host, "/to-elsewhere")
    assert answer == Redirected(host.url("/to-elsewhere"), "https://elsewhere.example/page?x=1", 302)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/missing", "url_not_accessible"),
        ("/busy", "too_many_requests"),
        ("/loop", "url_not_accessible"),
        ("/to-metadata", "url_not_allowed"),
        ("/to-file", "url_not_allowed"),
        ("/broken-zip", "url_not_accessible"),
        ("/strange-coding", "unsupported_content_type"),
        ("/endless-head", "url_not_accessible"),
    ],
)
def test_a_page_that_cannot_be_had_is_an_error_with_a_code(host: WebHost, path: str, code: str) -> None:
    assert refusal(host, path).code == code


@pytest.mark.parametrize("path", ["/endless", "/bomb"])
def test_a_page_without_end_stops_at_the_limit(host: WebHost, path: str) -> None:
    error = refusal(host, path, Fetcher(FetchLimits(bytes=2 * MB)))
    assert error.code == "content_too_large" and "2 MB" in str(error)


def test_a_page_that_drips_ends_with_the_time(host: WebHost) -> None:
    error = refusal(host, "/drip", Fetcher(FetchLimits(seconds=0.4)))
    assert error.code == "url_not_accessible" and "0.4 seconds" in str(error)


def test_a_loop_of_redirects_makes_a_limited_number_of_requests(host: WebHost) -> None:
    refusal(host, "/loop")
    assert len(host.paths) == FetchLimits().redirects + 1


@pytest.mark.parametrize("name", ODD_NOTATIONS)
def test_this_machine_is_not_reached_in_any_notation(host: WebHost, name: str) -> None:
    with pytest.raises(FetchError):
        asyncio.run(Fetcher().fetch(f"http://{name}:{host.port}/page", AddressRules()))
    assert host.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.7", "169.254.169.254", "::ffff:127.0.0.1"])
def test_a_name_with_a_private_address_is_not_connected_to(host: WebHost, address: str) -> None:
    async def resolve(name: str, port: int) -> Sequence[str]:
        return ["93.184.215.14", address]

    with pytest.raises(FetchError, match=r"inside\.example has an address that is not public"):
        asyncio.run(Fetcher(resolve=resolve).fetch(f"http://inside.example:{host.port}/page", AddressRules()))
    assert host.connections == 0


def test_a_name_that_changes_its_address_between_two_hops_is_checked_again(host: WebHost) -> None:
    """The first answer is allowed, the second one is private: rebinding."""
    answers = iter([["127.0.0.1"], ["127.0.0.1"], ["10.0.0.7"]])

    async def resolve(name: str, port: int) -> Sequence[str]:
        return next(answers)

    named = AddressRules(private_hosts=frozenset({f"docs.example:{host.port}"}))
    url = f"http://docs.example:{host.port}/page"
    assert isinstance(asyncio.run(Fetcher(resolve=resolve).fetch(url, named)), Page)
    with pytest.raises(FetchError, match="not public"):
        asyncio.run(Fetcher(resolve=resolve).fetch(url, AddressRules()))


def test_the_connection_goes_to_the_address_that_was_checked(host: WebHost) -> None:
    """The name is resolved once for a request: no second answer is ever used."""
    asked: list[str] = []

    async def resolve(name: str, port: int) -> Sequence[str]:
        asked.append(name)
        return ["127.0.0.1"]

    page = asyncio.run(Fetcher(resolve=resolve).fetch(f"http://docs.example:{host.port}/page", rules(host)))
    assert isinstance(page, Page) and asked == ["docs.example"]
    assert host.headers[0]["host"] == f"docs.example:{host.port}"


def test_a_name_that_does_not_exist_is_said(host: WebHost) -> None:
    async def resolve(name: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    with pytest.raises(FetchError, match=r"nowhere\.example cannot be resolved"):
        asyncio.run(Fetcher(resolve=resolve).fetch("http://nowhere.example/", AddressRules()))


def test_a_closed_port_is_said(host: WebHost) -> None:
    free = AddressRules(private_hosts=frozenset({"127.0.0.1:9999"}))
    with pytest.raises(FetchError, match=r"Cannot connect to 127\.0\.0\.1"):
        asyncio.run(Fetcher().fetch("http://127.0.0.1:9999/", free))


def test_the_environments_proxy_is_not_used(host: WebHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert isinstance(fetch(host, "/page"), Page)


def test_a_proxy_that_was_named_is_used_and_private_names_stay_refused(host: WebHost) -> None:
    fetcher = Fetcher(proxy=host.url("/"))
    host.pages["http://docs.example/page"] = "<p>through the proxy"
    page = asyncio.run(fetcher.fetch("http://docs.example/page", AddressRules()))
    assert isinstance(page, Page) and page.body == b"<p>through the proxy"
    with pytest.raises(FetchError, match="not public"):
        asyncio.run(fetcher.fetch("http://localhost/page", AddressRules()))
