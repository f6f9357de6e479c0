"""The search for planted secrets finds them, whatever else is in the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import planted

KEY = planted.MARKS[0]


@pytest.mark.parametrize(
    ("name", "mode", "why"),
    [
        ("notes.txt", 0o600, " holds a secret"),
        ("config.env", 0o600, None),
        ("config.env", 0o644, " holds a secret, and others may read it (44)"),
        ("auth.json.claudegpt-draft", 0o600, None),
    ],
)
def test_a_secret_is_found_where_it_should_not_be(tmp_path: Path, name: str, mode: int, why: str | None) -> None:
    place = tmp_path / "deep" / "in"
    place.mkdir(parents=True)
    (place / "gone").symlink_to(place / "nowhere")
    (place / "harmless").write_text("nothing")
    (place / name).write_text(f"KEY={KEY}")
    (place / name).chmod(mode)
    found = list(planted.misplaced(tmp_path))
    (place / name).unlink()  # the search after all tests would find it too
    assert found == ([f"{place / name}{why}"] if why else [])


def test_what_goes_away_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / name).write_text("x")
    read = Path.read_bytes

    def vanishes(file: Path) -> bytes:
        file.unlink(missing_ok=True)
        return read(file)

    monkeypatch.setattr(Path, "read_bytes", vanishes)
    assert list(planted.misplaced(tmp_path)) == []
