"""Parsers of setting values: each turns the text that a user wrote into a value.

    size("64mb")    → 67108864
    flag("maybe")   → ValueError("is 1 or 0")

A parser raises ValueError with words that follow the setting's name: "PORT is a port number, 0 to 65535".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from ..models import EFFORTS
from ..secret import Secret


def text(value: str) -> str:
    return value


def flag(value: str) -> bool:
    word = value.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError("is 1 or 0")


def one_of(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        word = value.strip().lower()
        if word in words:
            return word
        raise ValueError("is one of " + ", ".join(words))

    return parse


def names(value: str) -> tuple[str, ...]:
    if value.strip().lower() == "none":
        return ()
    return tuple(part.strip() for part in value.split(",") if part.strip())


def seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise ValueError("is a number of seconds") from None
    if not 0 < number < 86_400:
        raise ValueError("is a number of seconds above 0 and under a day")
    return number


def count(value: str) -> int:
    if not value.strip().isdigit():
        raise ValueError("is a whole number")
    return int(value)


def port(value: str) -> int:
    number = count(value)
    if number > 65_535:
        raise ValueError("is a port number, 0 to 65535")
    return number


def claude_release(value: str) -> str:
    """A version of Claude Code or a release channel. npm would also accept an address or the path of a file."""
    release = value.strip().lower()
    if not re.fullmatch(r"\d+\.\d+\.\d+|latest|stable", release):
        raise ValueError("is a version such as 2.1.330, or latest, or stable")
    return release


def size(value: str) -> int:
    """Bytes, from "64mb", "500kb", "1gb" or a plain number."""
    match = re.fullmatch(r"(\d+)\s*(b|kb|mb|gb)?", value.strip().lower())
    if not match:
        raise ValueError("is a size such as 64mb")
    return int(match[1]) * {None: 1, "b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}[match[2]]


def web_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+\S*", value.strip()):
        raise ValueError("is an address that begins with https:// or http://")
    if "@" in urlsplit(value.strip()).netloc:
        raise ValueError("is an address without a user name or password")
    try:
        (urlsplit(value.strip()).hostname or "").encode("idna")  # as every library does it, later
    except UnicodeError:
        raise ValueError("is an address with a host name that can exist") from None
    return value.strip().rstrip("/")


def account_url(value: str) -> str:
    """An address that a login or a key may be sent to."""
    parts = urlsplit(web_url(value))
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("is an address that begins with https:// (http:// only on this machine)")
    return parts.geturl()


def secret(value: str) -> Secret:
    """A key as it can stand in a header; what a file it was read from has around it does not count."""
    if not re.fullmatch(r"[!-~]+", value.strip()):
        raise ValueError("is one word of ASCII characters")
    return Secret(value.strip())


def path(value: str) -> Path:
    return Path(value).expanduser()


def is_loopback(host: str) -> bool:
    """Whether a host name, with or without brackets or a dot at its end, is this machine's own.

    That is `localhost` and names below it, 127.0.0.0/8, ::1, and IPv4 addresses of those mapped into IPv6. 0.0.0.0 is
    not: who listens there is reached from outside.
    """
    name = host.strip("[]").lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


effort = one_of(*EFFORTS)
