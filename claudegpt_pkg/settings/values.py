"""Parsers of setting values: each turns the text that a user wrote into a value.

    size("64mb")    → 67108864
    flag("maybe")   → ValueError("is 1 or 0")

A parser raises ValueError with words that follow the setting's name: "PORT is a port number, 0 to 65535".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..formats import printable
from ..models import EFFORTS
from ..secret import Secret

LEAST_WINDOW, MOST_WINDOW = 1024, 100_000_000  # tokens
# What a parameter of an address is called, or looks like, that is a credential.
_CREDENTIAL_NAME = re.compile(r"(?i)key|token|secret|sig|pass|pwd|auth|cred|code|session|jwt|bearer|sas$")
_CREDENTIAL_VALUE = re.compile(r"sk-|eyJ|[A-Za-z0-9+/=_.-]{32}")


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


def credentials_in(address: str) -> list[str]:
    """The secrets that an address holds: a user name and password, or a query or fragment that looks like a key.

    Such an address is refused and never shown, because addresses stand in messages, in `claudegpt config`, in traces.
    """
    rest = address.partition("://")[2] or address
    authority = re.split(r"[/?#]", rest)[0]
    found = [part for part in authority.rpartition("@")[0].split(":", 1) if part]
    if "@" in rest and not found:
        found.append("@")  # a password may have a slash in it; which part it is, nobody can tell
    for piece in re.split(r"[?#&;]", rest)[1:]:
        name, equals, value = (unquote(part) for part in piece.partition("="))
        if not equals:
            name, value = "", name
        if value and (_CREDENTIAL_NAME.search(name) or _CREDENTIAL_VALUE.match(value)):
            found += [value, piece.partition("=")[2] or piece]
    return found


def web_url(value: str) -> str:
    """An address of a server, its scheme and host in lower case, without a fragment and without a slash at its end."""
    text = value.strip()
    if not re.match(r"(?i)https?://[^\s/]+\S*$", text):
        raise ValueError("is an address that begins with https:// or http://")
    if credentials_in(text):
        raise ValueError("must not hold a user name, password or key")
    try:
        parts = urlsplit(text)
        (parts.hostname or "").encode("idna")  # as every library does it, later
        if not parts.hostname or parts.port == 0:
            raise ValueError
    except ValueError:  # UnicodeError is one
        raise ValueError("is an address with a host name and a port that can exist") from None
    return parts._replace(netloc=parts.netloc.lower(), path=parts.path.rstrip("/"), fragment="").geturl()


def secure_url(value: str) -> str:
    """An address that a login or a key may be sent to."""
    parts = urlsplit(web_url(value))
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("is an address that begins with https:// (http:// only on this machine)")
    return parts.geturl()


def account_url(value: str) -> str:
    """The same, to which paths are added."""
    url = secure_url(value)
    if urlsplit(url).query:
        raise ValueError("is an address without a query (?…)")
    return url


def responses_url(value: str) -> str:
    """The base of a Responses API: /responses is added to its path. A query, such as an API version, stays behind it.
    The whole address of /responses or /chat/completions, as other programs want it, is cut."""
    parts = urlsplit(web_url(value))
    path = re.sub(r"/+(responses|chat/completions)$", "", parts.path)
    if parts.hostname == "api.openai.com" and not path:
        path = "/v1"
    return parts._replace(path=path).geturl()


def codex_url(value: str) -> str:
    """The base of the ChatGPT backend; other programs want it without /codex at its end."""
    parts = urlsplit(account_url(value))
    path = re.sub(r"/+responses$", "", parts.path)
    if path.endswith("/backend-api"):
        path += "/codex"
    return parts._replace(path=path).geturl()


def is_azure_key(text: str) -> bool:
    """Whether a text is an Azure key, pasted in place of an address. Both generations of keys: longer than a label of a
    host name may be, or 32 hexadecimal digits."""
    return bool(re.fullmatch(r"(?i)[a-z0-9]{64,}|[0-9a-f]{32}", text.strip()))


def azure_address(value: str) -> str:
    """An address of a resource, in any form that the portal shows (accounts/providers/azure.py reads it)."""
    if credentials_in(value):
        raise ValueError("must not hold a user name, password or key")
    return value


def add_path(base: str, path: str) -> str:
    """https://host/v1?api-version=1 and "responses" → https://host/v1/responses?api-version=1"""
    parts = urlsplit(base)
    return parts._replace(path=f"{parts.path}/{path}").geturl()


def word(value: str) -> str:
    """A name as it can stand in a header."""
    if not re.fullmatch(r"[!-~]+", value.strip()):
        raise ValueError("is one word of ASCII characters")
    return value.strip()


def api_version(value: str) -> str:
    if not re.fullmatch(r"[\w.-]+", value.strip(), re.ASCII):
        raise ValueError("is a version such as preview or 2026-10-01-preview")
    return value.strip()


def model_name(value: str) -> str:
    name = printable(value.strip())
    if name is None:
        raise ValueError("is a name on one line, without control characters")
    return name


def windows(value: str) -> Mapping[str, int]:
    """Tokens by model, from "qwen3:8b=131072,llama4=1m"; k is a thousand, m a million."""
    found = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, equals, tokens = part.rpartition("=")
        size = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([km]?)", tokens.strip().lower())
        if not (equals and name.strip() and size):
            raise ValueError("is MODEL=TOKENS for each model, such as qwen3:8b=131072,llama4=1m")
        count = int(float(size[1]) * {"": 1, "k": 1000, "m": 1_000_000}[size[2]])
        if not LEAST_WINDOW <= count <= MOST_WINDOW:
            raise ValueError(f"has windows from {LEAST_WINDOW:,} to {MOST_WINDOW:,} tokens")
        found[name.strip()] = count
    return found


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
