"""Which images and files a request holds, and what their refusal teaches.

    media = media_of(body)                                  where each stands, and its digest
    learned = learn_from_media(report, known, body)         None: the refusal is not about them

A model that takes no images or files at all is told from one that cannot read a single one: that one is remembered by
its digest, for as long as the proxy runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..capabilities import Capabilities, media_digest
from .error_report import Report
from .wordings import is_about_outputs, medium_refused, says_model_lacks_medium

# The fields of Capabilities by which an image or file is replaced by a line of text.
REPLACING = frozenset({"images", "files", "refused_media"})
_URLS = {"image_url": "image", "file_data": "file", "file_url": "file"}
_PLACE = re.compile(r"input\[(\d{1,9})\](?:\.\w+\[(\d{1,9})\])?")


@dataclass(frozen=True)
class Medium:
    """One image or file of a request."""

    kind: str  # "image" or "file"
    digest: str
    item: int  # its item's index in the input
    part: int  # its index in the item's content or output
    in_output: bool


def media_of(body: Mapping[str, Any]) -> list[Medium]:
    """The images and files of a Responses request, in order."""
    return [
        Medium(kind, media_digest(part[key]), at, number, "output" in item)
        for at, item in enumerate(body.get("input") or ())
        for number, part in enumerate(_parts(item))
        for key, kind in _URLS.items()
        if isinstance(part.get(key), str)
    ]


def learn_from_media(report: Report, known: Capabilities, body: Mapping[str, Any]) -> Capabilities | None:
    media = media_of(body)
    kind = medium_refused(report, {medium.kind for medium in media})
    media = [medium for medium in media if medium.kind == kind]
    if not media:
        return None
    if known.media_in_outputs and is_about_outputs(report.message) and any(medium.in_output for medium in media):
        return replace(known, media_in_outputs=False)
    if says_model_lacks_medium(report.message):
        return replace(known, images=False) if kind == "image" else replace(known, files=False)
    named = _at_place(media, report.param) or media
    return replace(known, refused_media=known.refused_media | {medium.digest for medium in named})


def guess_media_behind(report: Report, known: Capabilities, body: Mapping[str, Any]) -> Capabilities | None:
    """For a refusal that names no place. Some servers take only text as a tool's output and say so in words that nobody
    has listed: one request with the images and files behind the outputs is worth it."""
    media = media_of(body)
    if medium_refused(report, {medium.kind for medium in media}) or not any(medium.in_output for medium in media):
        return None
    return replace(known, media_in_outputs=False)


def _at_place(media: list[Medium], param: str) -> list[Medium]:
    match = _PLACE.match(param)
    if not match:
        return []
    item, part = int(match[1]), match[2]
    return [medium for medium in media if medium.item == item and (not part or medium.part == int(part))]


def _parts(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = item.get("output") or item.get("content")
    return parts if isinstance(parts, list) else []
