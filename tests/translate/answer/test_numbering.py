"""Which item an event belongs to: by its ids, its number, or because its item was announced last."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.errors import UpstreamFailed
from claudegpt_pkg.translate.answer.items import Kind
from claudegpt_pkg.translate.answer.numbering import MAX_ITEMS, Numbering, number_or_none, text_or_none

CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1"}


def test_an_item_id_is_the_id_or_the_call_id() -> None:
    items = Numbering()
    first = items.add(Kind.CALL, None, CALL)
    items.add(Kind.CALL, None, {**CALL, "id": "fc_2", "call_id": "c2"})
    for name in ("fc_1", "c1"):
        assert items.for_delta(Kind.CALL, {"item_id": name}) is first
    assert items.for_delta(Kind.TEXT, {"item_id": "c1"}) is None


def test_a_number_names_the_last_item_of_a_kind_under_it() -> None:
    items = Numbering()
    text, call = items.add(Kind.TEXT, 0, {}), items.add(Kind.CALL, 0, {})
    later = items.add(Kind.TEXT, 1, {})
    assert items.for_delta(Kind.TEXT, {"output_index": 0, "item_id": "made up"}) is text
    assert items.for_delta(Kind.CALL, {"output_index": 0}) is call
    assert items.for_delta(Kind.TEXT, {"output_index": 1}) is later
    assert items.for_delta(Kind.TEXT, {"output_index": 2}) is None
    assert items.for_delta(Kind.TEXT, {}) is later


def test_an_item_announced_without_a_number_takes_what_has_one() -> None:
    items = Numbering()
    text = items.add(Kind.TEXT, None, {})
    assert items.for_delta(Kind.TEXT, {"output_index": 3}) is text
    text.is_open = False
    assert items.for_delta(Kind.TEXT, {"output_index": 3}) is None
    assert items.for_delta(Kind.TEXT, {}) is text


def test_another_item_under_the_same_number_is_noticed() -> None:
    items = Numbering()
    first, second, other = items.add(Kind.TEXT, 0, {}), items.add(Kind.CALL, 0, {}), items.add(Kind.CALL, 1, {})
    assert items.note_active(first) is None and items.note_active(first) is None
    assert items.note_active(other) is None
    assert items.note_active(second) is first
    second.is_open = False
    assert items.note_active(first) is None


def test_what_an_announcement_leaves_out_stays() -> None:
    record = Numbering().add(Kind.CALL, 0, {**CALL, "name": "Bash"})
    record.identify({"name": None, "id": 7, "call_id": None})
    record.identify({"name": 8})
    assert (record.fields["name"], record.id, record.call_id) == ("Bash", "7", "c1")


def test_there_are_no_more_items_than_real_answers_have() -> None:
    items = Numbering()
    for _ in range(MAX_ITEMS):
        items.count()
    with pytest.raises(UpstreamFailed, match="more than 4,096"):
        items.add(Kind.TEXT, 0, {})
    assert items.spare_index() != items.spare_index()


@pytest.mark.parametrize("value", [None, "", True, 1.5, [], {}])
def test_ids_and_numbers_of_other_types_are_none(value: Any) -> None:
    assert text_or_none(value) is None
    assert number_or_none(value) is None
