"""Which addresses the proxy may fetch for a model. Pure: nothing is resolved or sent here.

    target = check_url("https://docs.example/page", rules)     # Target, or FetchError with one of Anthropic's codes
    is_public("203.0.113.9")                                   # False: a range for documentation

A model chooses the address, and a web page may have told it which one. So a fetch must never reach this machine, the
local network or a cloud's metadata service, in whatever notation the address is written. `fetch.py` checks every
address that a name resolves to with `is_public`, at every redirect, and connects to the checked address.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from yarl import URL

MAX_URL = 2_000  # characters
# Ports of other services, which a line of HTTP could harm: a part of the Fetch standard's list, and databases.
BAD_PORTS = frozenset({0, 1, 7, 9, 19, 21, 22, 23, 25, 53, 110, 111, 119, 135, 139, 143, 179, 389, 445, 465})
BAD_PORTS |= {
    512,
    513,
    514,
    515,
    543,
    544,
    548,
    554,
    587,
    631,
    636,
    993,
    995,
    2049,
    3306,
    5432,
    6000,
    6379,
    6667,
    11211,
}
SCHEMES = frozenset({"http", "https"})

# IPv6 ranges that carry an IPv4 address: the prefix, and how many bits stand behind the embedded address.
EMBEDDED_IPV4 = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),  # IPv4-translated
    (ipaddress.IPv6Network("::/96"), 0),  # IPv4-compatible, out of use
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4
)
# Ranges that Python's `is_global` calls global, or did in some versions, and that are no public web server.
NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; some clouds serve metadata there
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; the metadata service of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "64:ff9b:1::/48",  # NAT64 inside a network of one's own
        "100::/64",
        "2001::/23",  # Teredo and other protocol assignments
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)


class FetchError(Exception):
    """A page that cannot be had. `code` is one of `web_fetch_tool_result_error`; the message is for the model."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class AddressRules:
    """What the request and the user's settings allow."""

    allowed_domains: tuple[str, ...] = ()  # if there are any, no other domain is fetched
    blocked_domains: tuple[str, ...] = ()
    private_hosts: frozenset[str] = frozenset()  # `host` or `host:port`: fetched although their address is private


@dataclass(frozen=True)
class Target:
    """One address that passed the checks that need no resolver."""

    url: URL
    host: str
    may_be_private: bool


def check_url(text: Any, rules: AddressRules) -> Target:
    """Read an address and check all that needs no resolver. Raises FetchError."""
    if not isinstance(text, str) or not text.strip():
        raise FetchError("invalid_tool_input", "The address is missing.")
    text = text.strip()
    if any(character <= " " or character == "\x7f" for character in text):
        raise FetchError("invalid_tool_input", "The address holds a space or a control character.")
    if len(text) > MAX_URL:
        raise FetchError("url_too_long", f"The address has more than {MAX_URL} characters.")
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        raise FetchError("invalid_tool_input", "The address cannot be read.") from None
    if url.scheme not in SCHEMES:
        raise FetchError("url_not_allowed", "Only http and https addresses can be fetched.")
    if not host or not url.is_absolute():
        raise FetchError("invalid_tool_input", "The address names no host.")
    if url.user is not None or url.password is not None:
        raise FetchError("url_not_allowed", "An address with a user name or password is not fetched.")
    host = host.rstrip(".").lower()
    if not host:
        raise FetchError("invalid_tool_input", "The address names no host.")
    if not is_domain_allowed(host, url.path, rules):
        raise FetchError("url_not_allowed", f"The request does not allow pages of {host}.")
    private = host in rules.private_hosts or f"{host}:{port}" in rules.private_hosts
    if port in BAD_PORTS and not private:
        raise FetchError("url_not_allowed", f"Port {port} is not a web server's.")
    if is_address(host) and not private and not is_public(host):
        raise FetchError("url_not_allowed", f"{host} is not a public address.")
    return Target(url.with_fragment(None), host, private)


def is_domain_allowed(host: str, path: str, rules: AddressRules) -> bool:
    """Whether the request's lists let this page be fetched. An entry is `host` or `host/path`; subdomains count."""
    if rules.allowed_domains and not any(_covers(entry, host, path) for entry in rules.allowed_domains):
        return False
    return not any(_covers(entry, host, path) for entry in rules.blocked_domains)


def _covers(entry: str, host: str, path: str) -> bool:
    """Whether an entry of a domain list names this host or a domain above it, and the beginning of this path."""
    text = entry.lower().strip()
    text = text.partition("://")[2] if "://" in text else text
    domain, slash, folder = text.partition("/")
    domain = domain.removeprefix("*.").strip(".")
    try:
        domain = URL(f"http://{domain}").host or domain
    except ValueError:
        return False
    if not domain or (host != domain and not host.endswith(f".{domain}")):
        return False
    if not slash or not folder.rstrip("*"):
        return True
    wanted = f"/{folder.rstrip('*').rstrip('/')}"
    return path.lower() == wanted or path.lower().startswith(f"{wanted}/")


def is_address(host: str) -> bool:
    """Whether a host is written as an IP address. Other notations (`127.1`, `0x7f000001`) are left to the resolver."""
    return parse(host) is not None


def is_public(address: str) -> bool:
    """Whether an IP address is a public one; so must be an IPv4 address inside an IPv6 one."""
    parsed = parse(address)
    if parsed is None:
        return False
    if any(parsed in network for network in NOT_PUBLIC if network.version == parsed.version):
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = _embedded_ipv4(parsed)
        if inner is not None:
            return is_public(str(inner))
    return parsed.is_global


def _embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    for network, shift in EMBEDDED_IPV4:
        if address in network:
            return ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return None


def parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IP address without its zone (`fe80::1%eth0`) and brackets; None if the text is no address."""
    try:
        return ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None


def is_same_site(one: str, other: str) -> bool:
    """Whether two hosts are one site for a redirect: equal, or with and without `www.`."""
    return one.removeprefix("www.") == other.removeprefix("www.")
