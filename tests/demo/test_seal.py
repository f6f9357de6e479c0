from __future__ import annotations

import pytest

from claudegpt_pkg.demo.seal import seal, unseal

STATE = {"item": "rs_1", "thought": "Größe, 思考"}


def test_a_token_opens_to_what_was_sealed() -> None:
    assert unseal(seal(STATE)) == STATE


def test_a_token_shows_nothing_of_its_content() -> None:
    assert "thought" not in seal(STATE)


def test_a_token_changed_in_any_place_does_not_open() -> None:
    token = seal(STATE)

    for at, char in enumerate(token):
        changed = token[:at] + ("A" if char != "A" else "B") + token[at + 1 :]
        assert unseal(changed) is None or changed.rstrip("=") == token.rstrip("="), at
        assert unseal(token[:at]) is None


@pytest.mark.parametrize("token", [None, 5, "", "gAAAA", "ünïcode", "!!!!", "A" * 400, {"a": 1}])
def test_what_is_no_token_does_not_open(token: object) -> None:
    assert unseal(token) is None
