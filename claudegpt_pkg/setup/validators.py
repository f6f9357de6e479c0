"""Whether a text that somebody types will do: a judge says what is wrong with it, or None.

What it says stands in one line below the text, which the terminal cuts off: a sentence of few words.
"""

from __future__ import annotations

from ..accounts.providers.azure import read_endpoint
from ..errors import BadSetting
from ..settings.values import web_url


def judge_url(text: str) -> str | None:
    try:
        web_url(text)
    except ValueError as problem:
        return f"An address {str(problem).removeprefix('is an address ')}."
    return None


def judge_endpoint(text: str) -> str | None:
    try:
        read_endpoint(text)
    except BadSetting:
        return "Give the address as the portal shows it: https://…"
    return None


def judge_key(text: str) -> str | None:
    return judge_optional_key(text) if bare(text) else "A key is needed."


def judge_optional_key(text: str) -> str | None:
    key = bare(text)
    fine = key.isprintable() and key.isascii() and " " not in key
    return None if fine else "That is not a key: it has odd characters."


def bare(key: str) -> str:
    """Without what comes along when it is copied from a file or a shell."""
    return key.strip().strip("\"'")
