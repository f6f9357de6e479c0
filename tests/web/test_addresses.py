"""Which addresses may be fetched: a table of notations, and the lists of a request."""

from __future__ import annotations

import pytest

from claudegpt_pkg.web.addresses import MAX_URL, AddressRules, FetchError, check_url, is_domain_allowed, is_public

PRIVATE = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.254 127.0.0.1 127.255.255.254
169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1
198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::2 ::127.0.0.1
::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1
64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:7f00:1::
2002:a00:1::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1
"""
PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.1.1.1 128.0.0.1 172.15.0.1 172.32.0.1
192.167.1.1 2606:4700::1111 2a00:1450:4001::1 64:ff9b::8.8.8.8 2002:808:808::1 ::ffff:8.8.8.8
"""
# Address, and the code that refuses it.
REFUSED = {
    "": "invalid_tool_input",
    "page": "url_not_allowed",
    "//host.example/page": "url_not_allowed",
    "http://": "invalid_tool_input",
    "http:///path": "invalid_tool_input",
    "http://./": "invalid_tool_input",
    "http://host.example:port/": "invalid_tool_input",
    "http://host.example:99999/": "invalid_tool_input",
    "http://[::1/": "invalid_tool_input",
    "http://[": "invalid_tool_input",
    "http://host.example/\r\nx: y": "invalid_tool_input",
    "http://host .example/": "invalid_tool_input",
    "http://host\x00.example/": "invalid_tool_input",
    "file:///etc/passwd": "url_not_allowed",
    "ftp://host.example/": "url_not_allowed",
    "gopher://127.0.0.1:6379/_x": "url_not_allowed",
    "data:text/html,x": "url_not_allowed",
    "javascript:alert(1)": "url_not_allowed",
    "http://ann:secret@host.example/": "url_not_allowed",
    "http://ann@host.example/": "url_not_allowed",
    "http://host.example:22/": "url_not_allowed",
    "http://host.example:6379/": "url_not_allowed",
    "http://127.0.0.1/": "url_not_allowed",
    "http://127.0.0.1:8080/": "url_not_allowed",
    "https://[::1]/": "url_not_allowed",
    "http://[::ffff:127.0.0.1]/": "url_not_allowed",
    "http://[fe80::1%25eth0]/": "url_not_allowed",
    "http://①②⑦.⓪.⓪.①/": "url_not_allowed",
    "http://169.254.169.254/latest/meta-data/": "url_not_allowed",
    "http://[fd00:ec2::254]/": "url_not_allowed",
    "http://100.100.100.200/": "url_not_allowed",
    "http://h/" + "x" * MAX_URL: "url_too_long",
}


@pytest.mark.parametrize("address", PRIVATE.split())
def test_a_private_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("name", ["localhost", "", "host.example", "127.1", "0x7f000001", "2130706433"])
def test_what_is_no_address_in_the_usual_notation_is_not_called_public(name: str) -> None:
    assert not is_public(name)


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_is_refused_with_its_code(url: str) -> None:
    with pytest.raises(FetchError) as refused:
        check_url(url, AddressRules())
    assert refused.value.code == REFUSED[url]


@pytest.mark.parametrize("url", [None, 7, ["http://host.example/"], {}])
def test_an_address_that_is_no_text_is_refused(url: object) -> None:
    with pytest.raises(FetchError, match="missing"):
        check_url(url, AddressRules())


def test_an_address_keeps_its_path_and_query_and_loses_its_fragment() -> None:
    target = check_url(" https://Docs.Example./한국?q=a%20b#part ", AddressRules())

    assert target.url.fragment == "" and target.host == "docs.example"


def test_a_private_host_that_the_settings_name_may_be_fetched() -> None:
    rules = AddressRules(private_hosts=frozenset({"127.0.0.1:8080", "wiki.internal"}))
    assert check_url("http://127.0.0.1:8080/x", rules).may_be_private
    assert check_url("https://wiki.internal/x", rules).may_be_private
    with pytest.raises(FetchError):
        check_url("http://127.0.0.1:8081/x", rules)


@pytest.mark.parametrize(
    ("host", "path", "allowed"),
    [
        ("example.com", "/docs", True),
        ("example.com", "/docs/page", True),
        ("www.example.com", "/docs", True),
        ("example.com", "/docs-other", False),
        ("example.com", "/", False),
        ("notexample.com", "/docs", False),
        ("example.com.evil.test", "/docs", False),
        ("a.wild.test", "/", True),
        ("xn--fsq.test", "/", False),
    ],
)
def test_allowed_domains_name_hosts_and_folders(host: str, path: str, allowed: bool) -> None:
    rules = AddressRules(allowed_domains=("https://Example.com/docs/*", "*.wild.test"))
    assert is_domain_allowed(host, path, rules) is allowed


def test_blocked_domains_win_over_allowed_ones() -> None:
    rules = AddressRules(
        allowed_domains=("example.com",), blocked_domains=("private.example.com", "example.com/secret")
    )
    assert is_domain_allowed("example.com", "/open", rules)
    assert not is_domain_allowed("private.example.com", "/open", rules)
    assert not is_domain_allowed("example.com", "/secret/x", rules)
