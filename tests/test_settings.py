"""Where a value comes from, what it may be, and a config.env that is changed without being hurt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from claudegpt_pkg import settings as module
from claudegpt_pkg.errors import BadSetting
from claudegpt_pkg.settings import (
    EFFORT,
    JSON_LIMIT,
    OPENAI_API_KEY,
    OPTIONS,
    PORT,
    PROVIDER,
    TRACE,
    Dirs,
    Secret,
    load,
    write_config,
)


@pytest.fixture
def dirs(tmp_path: Path) -> Dirs:
    return Dirs.find({"CLAUDEGPT_HOME": str(tmp_path / "ours")})


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "CLAUDEGPT_HOME": str(tmp_path / "ours"), "CLAUDEGPT_CLONE": str(tmp_path / "clone")}


def put(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_flag_beats_environment_beats_files_beats_default(environ: dict[str, str], tmp_path: Path) -> None:
    clone = put(tmp_path / "clone" / ".env", "CLAUDEGPT_EFFORT=low")
    user = put(tmp_path / ".claude" / ".env", "CLAUDEGPT_EFFORT=medium")
    ours = put(tmp_path / "ours" / "config" / "config.env", "CLAUDEGPT_EFFORT=high")
    flags = {"CLAUDEGPT_EFFORT": "max"}
    environ["CLAUDEGPT_EFFORT"] = "xhigh"

    def seen() -> tuple[str | None, str]:
        settings = load(flags, environ)
        return settings[EFFORT], settings.source(EFFORT)

    assert seen() == ("max", "flag")
    flags.clear()
    assert seen() == ("xhigh", "the environment")
    del environ["CLAUDEGPT_EFFORT"]
    assert seen() == ("high", str(ours))
    ours.unlink()
    assert seen() == ("medium", str(user))
    user.unlink()
    assert seen() == ("low", str(clone))
    clone.unlink()
    assert seen() == (None, "default")


def test_a_file_in_the_current_directory_is_never_read(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "project" / ".env", "CLAUDEGPT_PROVIDER=demo")
    monkeypatch.chdir(tmp_path / "project")
    assert load({}, environ)[PROVIDER] is None


def test_an_empty_value_counts_as_not_set(environ: dict[str, str]) -> None:
    assert load({}, {**environ, "CLAUDEGPT_PORT": "", "PORT": "81"})[PORT] == 81


def test_a_bad_value_names_the_setting_its_source_and_what_it_wants(environ: dict[str, str]) -> None:
    settings = load({}, {**environ, "CLAUDEGPT_TRACE": "maybe"})
    with pytest.raises(BadSetting, match=r"CLAUDEGPT_TRACE is 1 or 0, not 'maybe' \(from the environment\)\."):
        settings.check()
    assert settings.written(TRACE) == "maybe"


def test_a_password_in_an_address_is_refused_and_not_shown(environ: dict[str, str]) -> None:
    environ["OPENAI_BASE_URL"] = "https://me:s3cr3t@api.test/v1"
    with pytest.raises(BadSetting, match="without a user name or password") as caught:
        load(environ=environ)[module.OPENAI_BASE_URL]
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CLAUDEGPT_PROVIDR", "CLAUDEGPT_PROVIDER"),
        ("claudegpt_effort", "CLAUDEGPT_EFFORT"),
        ("CLAUDEGPT_TRACES", "CLAUDEGPT_TRACE"),
        ("CLAUDEGPT_ISOLATE", "CLAUDEGPT_GLOBAL_ISOLATE"),
        ("CLAUDEGPT_OPENAI_API_KEY", "OPENAI_API_KEY"),
        ("OPENAI_KEY", "OPENAI_API_KEY"),
        ("CLAUDEGPT_MY_OWN", None),
        ("CLAUDEGPT_TESTS_CLAUDE", None),
    ],
)
def test_a_name_that_is_none_may_mean_the_one_most_like_it(name: str, meant: str | None) -> None:
    assert module.nearest(name) == meant


def test_misspelt_names_are_found_wherever_they_stand_and_others_are_nobodys_affair(
    environ: dict[str, str], tmp_path: Path
) -> None:
    ours = put(
        tmp_path / "ours" / "config" / "config.env", "CLAUDEGPT_PROVIDR=demo\nOPENAI_KEY=1\nCLAUDEGPT_EFFORT=low\n"
    )
    environ |= {"CLAUDEGPT_TRACES": "0", "CLAUDEGPT_DEBUG": "1", "CLAUDEGPT_MY_OWN": "1", "PORT": "81"}
    assert load({}, environ).misspelt() == [
        ("CLAUDEGPT_TRACES", "the environment", "CLAUDEGPT_TRACE"),
        ("CLAUDEGPT_PROVIDR", str(ours), "CLAUDEGPT_PROVIDER"),
    ]


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "api..test", ".test"])
def test_an_address_that_no_server_can_have_is_refused(host: str, environ: dict[str, str]) -> None:
    environ["OPENAI_BASE_URL"] = f"https://{host}/v1"
    with pytest.raises(BadSetting, match="is an address with a host name that can exist"):
        load(environ=environ)[module.OPENAI_BASE_URL]


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_every_default_is_what_no_one_wrote(option: module.Option[object], environ: dict[str, str]) -> None:
    settings = load({}, environ)
    assert settings[option] == option.default
    assert settings.written(option) is None


def test_sizes_are_read_in_the_usual_units(environ: dict[str, str]) -> None:
    assert load({"PROXY_JSON_LIMIT": "2 MB"}, environ)[JSON_LIMIT] == 2 * 2**20


def test_a_key_is_read_without_what_its_file_has_around_it(environ: dict[str, str]) -> None:
    assert load({}, {**environ, "OPENAI_API_KEY": " sk-1\n"})[module.OPENAI_API_KEY] == module.Secret("sk-1")


@pytest.mark.parametrize("value", ["sk 1", "sk-ü", "sk-1\r\nx: y"])
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(value: str, environ: dict[str, str]) -> None:
    with pytest.raises(BadSetting, match="OPENAI_API_KEY is one word of ASCII") as caught:
        load({}, {**environ, "OPENAI_API_KEY": value})[module.OPENAI_API_KEY]
    assert value not in str(caught.value)


def test_a_secret_does_not_print_itself(environ: dict[str, str]) -> None:
    secret = load({}, {**environ, "OPENAI_API_KEY": "sk-hidden"})[OPENAI_API_KEY]
    assert secret == Secret("sk-hidden") and secret.reveal() == "sk-hidden"
    assert "hidden" not in f"{secret} {secret!r}"


@pytest.mark.parametrize("bad", [b"\xff\xfe", None], ids=["not text", "a folder"])
def test_a_file_that_cannot_be_read_is_named(environ: dict[str, str], dirs: Dirs, bad: bytes | None) -> None:
    dirs.config.mkdir(parents=True)
    dirs.config_file.write_bytes(bad) if bad else dirs.config_file.mkdir()
    with pytest.raises(BadSetting, match=r"Cannot read .*config\.env"):
        load({}, environ)


def test_a_line_of_config_env_that_is_cut_off_is_named(
    dirs: Dirs, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    put(dirs.config_file, "CLAUDEGPT_PORT=1\nOPENAI_API_KEY='sk-cut-off\n")
    with pytest.raises(BadSetting, match=r"config\.env, line 2, is not NAME=value\. Correct it, or move the file away"):
        load({}, environ)
    assert "".join(capsys.readouterr()) == ""


def test_such_a_line_in_another_file_is_passed_over_in_silence(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    put(Path(environ["HOME"]) / ".claude" / ".env", "what is this\nCLAUDEGPT_PORT=4000\n")
    assert load({}, environ)[PORT] == 4000
    assert "".join(capsys.readouterr()) == ""


# Writing.

KEPT = """# my notes
export OTHER=1

QUOTED="two
lines"
 broken line
"""


def test_what_we_do_not_own_stays_as_it_stands(dirs: Dirs) -> None:
    put(dirs.config_file, f"{KEPT}CLAUDEGPT_PORT=1\n# end")
    write_config(dirs, {"CLAUDEGPT_PORT": "2", "CLAUDEGPT_EFFORT": "low"})
    assert dirs.config_file.read_text() == f"{KEPT}CLAUDEGPT_PORT=2\n# end\nCLAUDEGPT_EFFORT=low\n"


def test_a_name_is_taken_out_wherever_it_stands(dirs: Dirs) -> None:
    put(dirs.config_file, "A=1\nCLAUDEGPT_PORT=1\nB=2\n\nexport CLAUDEGPT_PORT=3\n# end\n")
    write_config(dirs, {"CLAUDEGPT_PORT": None})
    assert dirs.config_file.read_text() == "A=1\nB=2\n\n# end\n"


def test_a_name_set_twice_is_set_once(dirs: Dirs) -> None:
    put(dirs.config_file, "A=1\nB=1\nA=2\n")
    write_config(dirs, {"A": "3"})
    assert dirs.config_file.read_text() == "A=3\nB=1\n"


def test_the_file_is_private_from_the_first_and_after_a_change(dirs: Dirs) -> None:
    write_config(dirs, {"A": "1"})
    assert dirs.config_file.stat().st_mode & 0o777 == 0o600
    dirs.config_file.chmod(0o644)
    write_config(dirs, {"A": "2"})
    assert dirs.config_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in dirs.config.iterdir()] == ["config.env"]


@given(value=st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs"))).filter(str.isprintable))
def test_any_printable_value_reads_as_it_was_written(value: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    dirs = Dirs.find({"CLAUDEGPT_HOME": str(tmp_path_factory.mktemp("config"))})
    write_config(dirs, {"A": value, "B": "after"})
    expected = {"A": value, "B": "after"} if value else {"B": "after"}
    assert dict(dotenv_values(dirs.config_file, interpolate=False)) == expected


def test_a_value_with_a_line_break_is_refused(dirs: Dirs) -> None:
    with pytest.raises(BadSetting, match="line break"):
        write_config(dirs, {"A": "1\nB=2"})
    assert not dirs.config_file.exists()


def test_a_file_that_is_no_text_is_left_alone(dirs: Dirs) -> None:
    dirs.config.mkdir(parents=True)
    dirs.config_file.write_bytes(b"\xff")
    with pytest.raises(BadSetting, match="Cannot read"):
        write_config(dirs, {"A": "1"})
    assert dirs.config_file.read_bytes() == b"\xff"


def test_a_place_that_cannot_be_written_is_said(dirs: Dirs) -> None:
    put(dirs.config.parent, "a file where the folder should be")
    with pytest.raises(BadSetting, match="Cannot write"):
        write_config(dirs, {"A": "1"})


def test_two_writers_lose_nothing(dirs: Dirs) -> None:
    script = """
import sys
from pathlib import Path
from claudegpt_pkg.settings import Dirs, write_config
dirs = Dirs.find({"CLAUDEGPT_HOME": sys.argv[1]})
for number in range(20):
    write_config(dirs, {f"{sys.argv[2]}{number}": "1"})
"""
    root = Path(__file__).parent.parent
    home = str(dirs.config.parent)
    writers = [subprocess.Popen([sys.executable, "-c", script, home, name], cwd=root) for name in "AB"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(dotenv_values(dirs.config_file)) == 40
