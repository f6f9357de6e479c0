"""The script that looks for missing wheels, without the package index."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.wheels import REQUIREMENTS, find_missing, read_pins


def test_the_pins_are_read_without_their_hashes() -> None:
    one = "a==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11"
    two = "b==2 ; sys_platform == 'win32' \\\n    --hash=x"
    text = f"# comment\n{one}\n{two}\n"
    assert read_pins(text) == ["a==1", "b==2 ; sys_platform == 'win32'"]


def test_the_pins_of_this_repository_can_be_read() -> None:
    assert any(pin.startswith("splintr-rs==") for pin in read_pins(REQUIREMENTS.read_text()))


@pytest.mark.parametrize("missing", [set(), {"a"}, {"c", "e"}, {"a", "b", "c", "d", "e"}])
def test_every_missing_wheel_is_named(missing: set[str]) -> None:
    def have_wheels(pins: Sequence[str]) -> bool:
        return not missing & set(pins)

    assert find_missing(["a", "b", "c", "d", "e"], have_wheels) == sorted(missing)
