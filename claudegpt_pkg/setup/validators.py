"""What is wrong with a text that the user typed: each judge returns a short sentence, or None if the text will do.

The terminal shows the sentence in one line below the text and cuts it off, so it has few words.
"""

from __future__ import annotations

import re

from ..accounts.providers.azure import read_endpoint
from ..errors import BadSetting
from ..settings.values import responses_url

ADDRESS = re.compile(r"(?i)\w+://|www\.|localhost\b|[\w-]+(\.[\w-]+)*\.(com|net|org|io|ai|dev|local)([:/]|$)")


def judge_url(text: str) -> str | None:
    try:
        responses_url(text)
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
    if _looks_like_address(key):
        return "That is an address, not a key."
    fine = key.isprintable() and key.isascii() and " " not in key
    return None if fine else "That is not a key: it has odd characters."


def judge_deployment(text: str) -> str | None:
    """Azure's names of deployments have letters, digits, hyphens, dots and underscores."""
    name = text.strip()
    if _looks_like_address(name):
        return "That is an address. Enter the deployment's name."
    if not name:
        return "A deployment's name is needed."
    return None if re.fullmatch(r"[\w.-]+", name) else "A deployment's name has no spaces or slashes."


def judge_model(text: str) -> str | None:
    name = text.strip()
    if _looks_like_address(name):
        return "That is an address. Enter the model's name."
    if not name:
        return "A model's name is needed."
    return None if name.isprintable() and " " not in name else "A model's name has no spaces."


def _looks_like_address(text: str) -> bool:
    return bool(ADDRESS.match(text))


def bare(key: str) -> str:
    """The key without the spaces and quotes that were copied with it."""
    return key.strip().strip("\"'")
