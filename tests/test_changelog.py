"""docs/changelog.md has the form of Keep a Changelog, and its newest version is the package's."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from claudegpt_pkg import __version__

TEXT = (Path(__file__).parents[1] / "docs" / "changelog.md").read_text(encoding="utf-8")
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
HEADINGS = re.findall(r"^## (.*)$", TEXT, re.M)


def test_it_begins_with_what_is_not_released_yet() -> None:
    assert TEXT.startswith("# Changelog\n")
    assert HEADINGS[0] == "[Unreleased]"


def test_every_version_has_its_date_and_the_newest_comes_first() -> None:
    versions = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\S+)", heading) for heading in HEADINGS[1:]]
    assert versions and all(versions)
    released = [(tuple(map(int, found.groups()[:3])), date.fromisoformat(found[4])) for found in versions if found]
    assert released == sorted(released, reverse=True)


def test_its_newest_version_is_the_packages() -> None:
    assert HEADINGS[1].startswith(f"[{__version__}] ")


def test_every_section_is_one_of_the_six_and_stands_once() -> None:
    for part in re.split(r"^## ", TEXT, flags=re.M)[1:]:
        sections = re.findall(r"^### (.*)$", part, re.M)
        assert set(sections) <= SECTIONS
        assert len(sections) == len(set(sections)), part.splitlines()[0]


def test_every_entry_is_a_list_item_of_a_section() -> None:
    for part in re.split(r"^### .*$", TEXT, flags=re.M)[1:]:
        entries = re.split(r"^## ", part, flags=re.M)[0].strip().splitlines()
        assert [line for line in entries if line and not line.startswith(("- ", "  "))] == []
