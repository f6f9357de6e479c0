"""A reasoning item rides in a signature and comes back as it was."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.reasoning import gather_late_blobs, read_phase, read_signature, replay, sign
from claudegpt_pkg.translate.wire.json_text import dumps

ITEM: dict[str, Any] = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "**Ü**\u2028 🎉"}],
    "encrypted_content": "gAAAAA.dots.and-_=",
}


def test_an_item_comes_back_whole() -> None:
    assert replay(sign(ITEM), {}) == ITEM


def test_the_phase_of_the_message_after_it_is_beside_the_item_not_in_it() -> None:
    signed = sign(ITEM, phase="commentary")
    assert read_phase(signed) == "commentary"
    assert replay(signed, {}) == ITEM


@pytest.mark.parametrize("signature", [None, "foreign", sign(ITEM), sign(ITEM, late=True)])
def test_a_signature_may_know_no_phase(signature: object) -> None:
    assert read_phase(signature) is None


def test_the_same_item_gives_the_same_bytes_each_time() -> None:
    assert sign(ITEM) == sign(dict(ITEM))
    assert dumps(replay(sign(ITEM), {})) == dumps(replay(sign(ITEM), {}))


@pytest.mark.parametrize(
    ("item", "replayed"),
    [
        ({**ITEM, "summary": []}, {**ITEM, "summary": []}),
        ({**ITEM, "status": "completed", "novelty": 1}, ITEM),
        ({**ITEM, "content": None}, ITEM),
        ({**ITEM, "content": [{"type": "reasoning_text", "text": "raw"}]}, None),
        ({**ITEM, "encrypted_content": None}, None),
        ({key: ITEM[key] for key in ("id", "type", "summary")}, None),
        (  # the id is optional, the encrypted content is what counts
            {key: ITEM[key] for key in ("type", "summary", "encrypted_content")},
            {key: ITEM[key] for key in ("type", "summary", "encrypted_content")},
        ),
        ({}, None),
    ],
)
def test_what_may_be_replayed_is_replayed(item: dict[str, Any], replayed: dict[str, Any] | None) -> None:
    expected = item if replayed is None and item.get("content") else replayed
    assert replay(sign(item), {}) == expected


@pytest.mark.parametrize(
    "foreign",
    [
        None,
        "",
        7,
        {},
        "EqQBCgIYAhIM…",
        "claudegpt1.",
        "claudegpt1.!!!.x",
        "claudegpt1.W10.x",
        "claudegpt1.eyJpZCI6N30.x",
    ],
)
def test_a_signature_that_is_not_ours_is_none(foreign: object) -> None:
    assert read_signature(foreign) is None
    assert replay(foreign, {}) is None


def test_a_blob_that_came_late_is_joined_to_its_item() -> None:
    bare = {**ITEM, "encrypted_content": None}
    late = gather_late_blobs([None, "foreign", sign(ITEM), sign(ITEM, late=True)])
    assert late == {"rs_1": ITEM["encrypted_content"]}
    assert replay(sign(bare), late) == ITEM
    assert replay(sign(bare), {"rs_2": "x"}) is None


def test_the_late_signature_alone_is_not_replayed() -> None:
    assert replay(sign(ITEM, late=True), gather_late_blobs([sign(ITEM, late=True)])) is None
