"""What a run leaves when it, and its guardian, were cut off; the living are left alone. The rest: test_launcher."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from claudegpt_pkg.claude.guardian import STALE_AFTER, run_folder, sweep
from claudegpt_pkg.errors import BadSetting


def aged(folder: Path) -> Path:
    then = time.time() - STALE_AFTER - 1
    os.utime(folder, (then, then))
    return folder


def test_the_folder_of_a_dead_run_is_swept(tmp_path: Path) -> None:
    (tmp_path / "dead").mkdir()
    (tmp_path / "dead" / "settings.json").write_text("{}")
    aged(tmp_path / "dead")
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_living_run_and_a_new_one_stay(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with run_folder(tmp_path) as (living, _):
        aged(living)
        sweep(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"new", living.name}


def test_the_folder_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with run_folder(tmp_path / "run") as (folder, _):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "run").iterdir()) == []


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSetting, match="Cannot write"), run_folder(tmp_path / "file" / "run"):
        pass
