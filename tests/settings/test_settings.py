"""Where a value comes from, and what it may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from claudegpt_pkg.errors import BadSetting
from claudegpt_pkg.secret import Secret, mask_secrets
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
    environ |= {"CLAUDEGPT_EFFORT": "", "PROXY_DEFAULT_EFFORT": "low"}
    assert load({}, environ)[EFFORT] == "low"


@pytest.mark.parametrize("value", ["3000", "http", "-1"])
def test_the_port_of_another_program_counts_for_serve_only(environ: dict[str, str], value: str) -> None:
    environ["PORT"] = value
    settings = load({}, environ)
    settings.check()
    assert (settings[PORT], settings.source(PORT)) == (0, "default")


def test_serve_takes_port_unless_its_own_setting_names_one(environ: dict[str, str]) -> None:
    environ["PORT"] = "3000"
    assert load({}, environ, serving=True)[PORT] == 3000
    assert load({}, {**environ, "CLAUDEGPT_PORT": "81"}, serving=True)[PORT] == 81
    environ["PORT"] = "http"
    with pytest.raises(BadSetting, match=r"^PORT is a whole number, not 'http' \(from the environment\)"):
        load({}, environ, serving=True).check()


def test_a_bad_value_names_the_setting_its_source_and_what_it_wants(environ: dict[str, str]) -> None:
    settings = load({}, {**environ, "CLAUDEGPT_TRACE": "maybe"})
    with pytest.raises(BadSetting, match=r"CLAUDEGPT_TRACE is 1 or 0, not 'maybe' \(from the environment\)\."):
        settings.check()
    assert settings.written_text(TRACE) == "maybe"


ADDRESSES = ["OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "CODEX_BASE_URL", "CLAUDEGPT_AUTH_URL"]
HIDDEN = "s3cr3t-of-the-user"


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize(
    "address",
    [
        f"https://ann:{HIDDEN}@api.test/v1",
        f"https://{HIDDEN}@api.test/v1",
        f"ann:{HIDDEN}@api.test",
        f"https://ann:{HIDDEN}/x@api.test/v1",
        f"https://api.test/v1?api-key={HIDDEN}",
        f"https://api.test/v1?a=b&subscription-key={HIDDEN}",
        f"https://api.test/v1?x=1;token={HIDDEN}",
        f"https://api.test/v1?SIG={HIDDEN}",
        f"https://api.test/v1?%61pi%2Dkey={HIDDEN}",
        f"https://api.test/v1#access_token={HIDDEN}",
        f"https://api.test/v1?code={HIDDEN}",
        f"https://api.test/v1?x=sk-{HIDDEN}",
        f"https://api.test/v1?{HIDDEN}{HIDDEN}",
        f"https://api.test/v1#{HIDDEN}{HIDDEN}",
    ],
)
def test_a_secret_in_an_address_is_refused_and_never_shown(environ: dict[str, str], name: str, address: str) -> None:
    settings = load(environ={**environ, name: address})
    option = OPTIONS[name]
    with pytest.raises(BadSetting, match=f"{name} .*its value") as caught:
        settings[option]
    assert HIDDEN not in str(caught.value) and settings.show_value(option) == "***"
    assert HIDDEN not in mask_secrets(f"somebody quotes {address}") or "/x@" in address


@pytest.mark.parametrize("key", ["0123456789abcdef0123456789ABCDEF", "a1" * 42])
def test_a_key_that_was_pasted_in_place_of_an_address_is_not_shown(environ: dict[str, str], key: str) -> None:
    settings = load(environ={**environ, "AZURE_OPENAI_ENDPOINT": key})
    assert settings.show_value(module.AZURE_ENDPOINT) == "***"
    assert (
        load(environ={**environ, "AZURE_OPENAI_ENDPOINT": "my-resource"}).show_value(module.AZURE_ENDPOINT)
        == "my-resource"
    )


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("HTTPS://API.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("HTTP://h:8000/v1", "http://h:8000/v1"),
        ("http://h/v1/responses", "http://h/v1"),
        ("http://h/v1/chat/completions/", "http://h/v1"),
        ("http://h/v1?api-version=2026-10-01", "http://h/v1?api-version=2026-10-01"),
        ("http://h/v1/responses?api-version=X#top", "http://h/v1?api-version=X"),
        ("http://h/models", "http://h/models"),
    ],
)
def test_the_base_of_an_api_is_found_in_what_is_pasted(environ: dict[str, str], address: str, base: str) -> None:
    assert load(environ={**environ, "OPENAI_BASE_URL": address})[module.OPENAI_BASE_URL] == base


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("https://chatgpt.com/backend-api", "https://chatgpt.com/backend-api/codex"),
        ("https://chatgpt.com/backend-api/", "https://chatgpt.com/backend-api/codex"),
        ("https://chatgpt.com/backend-api/codex", "https://chatgpt.com/backend-api/codex"),
        ("https://chatgpt.com/backend-api/codex/responses", "https://chatgpt.com/backend-api/codex"),
        ("http://127.0.0.1:8080/other", "http://127.0.0.1:8080/other"),
    ],
)
def test_the_chatgpt_backend_is_found_with_and_without_codex(environ: dict[str, str], address: str, base: str) -> None:
    assert load(environ={**environ, "CODEX_BASE_URL": address})[module.CODEX_BASE_URL] == base


@pytest.mark.parametrize(
    "address",
    ["http://[", "https://[::1/v1", "https://h:port/v1", "https://h:99999/v1", "ftp://h/v1", "h/v1", "https://"],
)
def test_what_is_no_address_is_refused_with_words(environ: dict[str, str], address: str) -> None:
    with pytest.raises(BadSetting, match="OPENAI_BASE_URL is an address "):
        load(environ={**environ, "OPENAI_BASE_URL": address})[module.OPENAI_BASE_URL]


def test_windows_are_stated_by_model(environ: dict[str, str]) -> None:
    text = " qwen3:8b=131072, org/llama4=1m ,a=b=32.5K,, "
    found = load(environ={**environ, "CLAUDEGPT_WINDOW": text})[module.WINDOW]
    assert found == {"qwen3:8b": 131_072, "org/llama4": 1_000_000, "a=b": 32_500}


@pytest.mark.parametrize("text", ["131072", "qwen3:8b", "=131072", "a=many", "a=", "a=1,b", "a=-5", "a=1e9", "a=0x10"])
def test_what_states_no_window_is_refused(environ: dict[str, str], text: str) -> None:
    with pytest.raises(BadSetting, match=r"CLAUDEGPT_WINDOW (is MODEL=TOKENS for each model|has windows from 1,024)"):
        load(environ={**environ, "CLAUDEGPT_WINDOW": text})[module.WINDOW]


@pytest.mark.parametrize(
    "name", ["CLAUDEGPT_OPENAI_OPUS", "ANTHROPIC_DEFAULT_HAIKU_MODEL", "AZURE_OPENAI_CHAT_DEPLOYMENT"]
)
@pytest.mark.parametrize("value", ["a\nb", "a\x1b[2J", "a\u202eb", "x" * 300])
def test_a_models_name_is_one_printable_line(environ: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(BadSetting, match="is a name on one line"):
        load(environ={**environ, name: value})[OPTIONS[name]]


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
    with pytest.raises(BadSetting, match="is an address with a host name and a port that can exist"):
        load(environ=environ)[module.OPENAI_BASE_URL]


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_every_default_is_what_no_one_wrote(option: module.Option[object], environ: dict[str, str]) -> None:
    settings = load({}, environ)
    assert settings[option] == option.default
    assert settings.written_text(option) is None


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
