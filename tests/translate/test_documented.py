"""docs/translation.md names what the code's tables hold: nothing more, nothing less, and in the same words."""

from __future__ import annotations

import re
from pathlib import Path

from claudegpt_pkg.translate.answer.items import KINDS
from claudegpt_pkg.translate.answer.repair import HANDLERS
from claudegpt_pkg.translate.request.content import _PARTS as PARTS
from claudegpt_pkg.translate.request.messages import ASSISTANT_BLOCKS
from claudegpt_pkg.translate.request.translate import DROPPED, READ
from claudegpt_pkg.translate.request.unread_fields import BLOCKS, DROPPED_WITHIN

PAGE = (Path(__file__).parents[2] / "docs" / "translation.md").read_text()
ROW = re.compile(r"^\| (.+?) \| (.*?) \|(?: (.*?) \|)?$", re.MULTILINE)


def rows(heading: str) -> dict[str, tuple[str, str]]:
    """The table under a heading: what each name in the first column is said to become. A row may hold several names."""
    section = re.split(r"^#+ ", PAGE.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    found = {}
    for names, how, why in ROW.findall(section):
        found.update(dict.fromkeys(re.findall(r"`([^`]+)`", names), (how, why)))
    return found


def test_every_field_of_a_request_is_on_the_page() -> None:
    assert rows("Fields").keys() == READ | DROPPED.keys()


def test_the_page_says_of_dropped_fields_what_the_trace_says() -> None:
    table = rows("Fields")
    for field, note in DROPPED.items():
        how, why = table[field]
        assert f"{how}: {why}" == note or f"{how} {why}" == note


def test_the_page_says_of_dropped_inner_fields_what_the_trace_says() -> None:
    table = rows("Content blocks") | rows("Tools")
    for field, note in DROPPED_WITHIN.items():
        assert f"{table[field][0]}: {table[field][1]}" == note if field != "display" else note.split(": ")[1] in PAGE


def test_every_field_that_is_read_is_translated_or_emulated() -> None:
    table = rows("Fields")
    assert {table[field][0] for field in READ} == {"translated", "emulated"}


def test_every_known_block_is_on_the_page() -> None:
    assert {*PARTS, *ASSISTANT_BLOCKS, *BLOCKS} <= rows("Content blocks").keys()


def test_every_event_and_item_is_on_the_page() -> None:
    assert rows("Events").keys() == HANDLERS.keys() - {""}
    assert rows("Items").keys() == KINDS.keys()
