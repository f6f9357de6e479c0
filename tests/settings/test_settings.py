"""Where a value comes from, and what it may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from claudegpt_pkg.errors import BadSetting
from claudegpt_pkg.secret import Secret
from claudegpt_pkg.settings import options as module
from claudegpt_pkg.settings.options import EFFORT, JSON_LIMIT, OPENAI_API_KEY, OPTIONS, PORT, PROVIDER, TRACE
from claudegpt_pkg.settings.settings import Dirs, load


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
    assert load({}, {**environ, "OPENAI_API_KEY": " sk-1\n"})[module.OPENAI_API_KEY] == Secret("sk-1")


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
    with pytest.raises(BadSetting, match=r"Cannot use line 2 of .*config\.env: it is not NAME=value\."):
        load({}, environ)
    assert "".join(capsys.readouterr()) == ""


def test_such_a_line_in_another_file_is_passed_over_in_silence(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    put(Path(environ["HOME"]) / ".claude" / ".env", "what is this\nCLAUDEGPT_PORT=4000\n")
    assert load({}, environ)[PORT] == 4000
    assert "".join(capsys.readouterr()) == ""
