"""A file of NAME=value lines that is changed without being hurt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from claudegpt_pkg.errors import BadSetting
from claudegpt_pkg.settings.env_file import change, make_sure, read


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ours" / "config.env"


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


KEPT = """# my notes
export OTHER=1

QUOTED="two
lines"
 broken line
"""


def test_what_we_do_not_own_stays_as_it_stands(file: Path) -> None:
    put(file, f"{KEPT}CLAUDEGPT_PORT=1\n# end")
    change(file, {"CLAUDEGPT_PORT": "2", "CLAUDEGPT_EFFORT": "low"})
    assert file.read_text() == f"{KEPT}CLAUDEGPT_PORT=2\n# end\nCLAUDEGPT_EFFORT=low\n"


def test_a_name_is_taken_out_wherever_it_stands(file: Path) -> None:
    put(file, "A=1\nCLAUDEGPT_PORT=1\nB=2\n\nexport CLAUDEGPT_PORT=3\n# end\n")
    change(file, {"CLAUDEGPT_PORT": None})
    assert file.read_text() == "A=1\nB=2\n\n# end\n"


def test_a_name_set_twice_is_set_once(file: Path) -> None:
    put(file, "A=1\nB=1\nA=2\n")
    change(file, {"A": "3"})
    assert file.read_text() == "A=3\nB=1\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A=1\nCLAUDEGPT_PROVIDER", "Cannot use line 2 of {file}: CLAUDEGPT_PROVIDER has no value."),
        ("A=1\n\n\nCLAUDEGPT_PROV\nB=2\n", "Cannot use line 4 of {file}: CLAUDEGPT_PROV has no value."),
        ("export CLAUDEGPT_PROVIDER\n", "Cannot use line 1 of {file}: CLAUDEGPT_PROVIDER has no value."),
        ("A=1\nKEY='cut o", "Cannot use line 2 of {file}: it is not NAME=value."),
    ],
)
def test_a_line_that_is_cut_off_is_named(file: Path, text: str, words: str) -> None:
    put(file, text)
    with pytest.raises(BadSetting) as raised:
        read(file, strict=True)
    assert raised.value.message == words.format(file=file)
    assert raised.value.hint == "Correct it with `claudegpt config edit`."
    assert read(file) == ({"A": "1", "B": "2"} if "B=2" in text else {"A": "1"} if "A=1" in text else {})


def test_a_line_that_is_cut_off_is_repaired_by_a_change(file: Path) -> None:
    put(file, "A=1\nCLAUDEGPT_PROVIDER")
    change(file, {"CLAUDEGPT_PROVIDER": "demo"})
    assert file.read_text() == "A=1\nCLAUDEGPT_PROVIDER=demo\n"


def test_the_file_is_private_from_the_first_and_after_a_change(file: Path) -> None:
    change(file, {"A": "1"})
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    change(file, {"A": "2"})
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in file.parent.iterdir()) == [".config.env.lock", "config.env"]


@given(value=st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs"))).filter(str.isprintable))
def test_any_printable_value_reads_as_it_was_written(value: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("config") / "config.env"
    change(file, {"A": value, "B": "after"})
    expected = {"A": value, "B": "after"} if value else {"B": "after"}
    assert dict(dotenv_values(file, interpolate=False)) == expected


def test_a_value_with_a_line_break_is_refused(file: Path) -> None:
    with pytest.raises(BadSetting, match="line break"):
        change(file, {"A": "1\nB=2"})
    assert not file.exists()


def test_a_file_that_is_no_text_is_left_alone(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"\xff")
    with pytest.raises(BadSetting, match="Cannot read"):
        change(file, {"A": "1"})
    assert file.read_bytes() == b"\xff"


def test_a_place_that_cannot_be_written_is_said(file: Path) -> None:
    put(file.parent, "a file where the folder should be")
    with pytest.raises(BadSetting, match="Cannot write"):
        change(file, {"A": "1"})
    with pytest.raises(BadSetting, match=r"Cannot write .*config\.env: Not a directory\."):
        make_sure(file)


def test_making_sure_leaves_nothing(file: Path) -> None:
    make_sure(file)
    assert not file.parent.exists()


def test_a_link_into_a_place_that_cannot_be_written_is_found_out_too(file: Path, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    file.parent.mkdir()
    file.symlink_to(tmp_path / "store" / "config.env")
    with pytest.raises(BadSetting, match="Cannot write"):
        make_sure(file)


def test_two_writers_lose_nothing(file: Path) -> None:
    script = """
import sys
from pathlib import Path
from claudegpt_pkg.settings.env_file import change
for number in range(20):
    change(Path(sys.argv[1]), {f"{sys.argv[2]}{number}": "1"})
"""
    root = Path(__file__).parents[2]
    writers = [subprocess.Popen([sys.executable, "-c", script, str(file), name], cwd=root) for name in "AB"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(dotenv_values(file)) == 40
