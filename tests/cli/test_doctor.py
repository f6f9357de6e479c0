"""`claudegpt doctor`: each check, passed and failed, and its advice."""

from __future__ import annotations

import email.utils
import itertools
import json
import shlex
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from claudegpt_pkg.accounts.auth.tokens import own_file
from claudegpt_pkg.claude import user_settings
from claudegpt_pkg.claude.install import NEWEST_TESTED
from claudegpt_pkg.cli import main
from claudegpt_pkg.cli.doctor import Check, check_clock, check_everything, without_password
from claudegpt_pkg.settings.settings import load
from tests.real.clients import VERSIONS
from tests.support.auth_files import write
from tests.support.fakes.answers import answer
from tests.support.fakes.backend import MODELS, FakeBackend
from tests.support.fakes.trial import is_trial, takes_trials, trials

Found = Callable[[], dict[str, list[Check]]]


@pytest.fixture(autouse=True)
def machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which every check passes: a Claude Code, and the demo."""
    claude_code(home, NEWEST_TESTED)
    monkeypatch.setenv("CLAUDEGPT_CLAUDE_BIN", str(home / "claude"))
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "demo")
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def openai(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "openai")
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("OPENAI_BASE_URL", backend.url)
    return takes_trials(backend)


def claude_code(home: Path, version: str) -> None:
    (home / "claude").write_text(f'#!/bin/sh\necho "{version} (Claude Code)"\n')
    (home / "claude").chmod(0o755)


def found() -> dict[str, list[Check]]:
    """Every check, by its name, in order."""
    by_name: dict[str, list[Check]] = {}
    for check in check_everything({}):
        by_name.setdefault(check.name, []).append(check)
    return by_name


def one(name: str) -> Check:
    """The only check of this name; later checks are not run."""
    before_and_it = itertools.takewhile(lambda each: not seen or each.name == name, check_everything({}))
    seen: list[Check] = []
    for check in before_and_it:
        if check.name == name:
            seen.append(check)
    (check,) = seen
    return check


def wrong() -> list[str]:
    return [check.name for group in found().values() for check in group if not check.passed]


def test_every_check_passes_on_a_good_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["doctor"]) == 0
    *lines, count = capsys.readouterr().out.splitlines()
    assert all(line.startswith("✓\t") for line in lines)
    assert count == "12 checks, all passed"
    names = [line.split("\t")[1].strip() for line in lines]
    expected = [
        "Python",
        "Claude Code",
        "settings",
        "folders",
        "secrets",
        "environment",
        "port",
        "HTTP proxy",
        "account",
    ]
    assert names == [*expected, "model", "model", "model"]


def test_a_row_for_a_program_is_one_line_with_its_parts_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "planted-key")
    main.run(["doctor"])
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()[:-1]]
    text = {name: text for _, name, text in rows}
    assert "CLAUDEGPT_PROVIDER=demo (from the environment); CLAUDEGPT_CLAUDE_BIN=" in text["settings"]
    assert "claudegpt ignores it. Plain `claude` still uses it" in text["environment"]


def test_a_missing_account_is_reported_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CLAUDEGPT_PROVIDER")
    assert main.run(["doctor"]) == 1
    *_, last, count = capsys.readouterr().out.splitlines()
    assert last.startswith("✗\taccount") and "Run `claudegpt setup`" in last
    assert count == "8 checks, 1 to fix"


def test_json_has_every_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True and len(found["checks"]) == 12
    assert found["checks"][3] == {
        "name": "folders",
        "ok": True,
        "text": "every folder of claudegpt can be written",
        "advice": None,
    }
    monkeypatch.setenv("CLAUDEGPT_EFFORT", "lots")
    assert main.run(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    bad = next(check for check in found["checks"] if not check["ok"])
    assert (found["ok"], bad["name"], bad["advice"]) == (False, "settings", "Correct it there.")


def test_the_network_the_account_and_each_model_are_checked(openai: FakeBackend) -> None:
    links = found()
    assert all(check.passed for group in links.values() for check in group)
    assert "answers unencrypted in" in links["network"][0].text
    assert links["account"][0].text.endswith("accepted (API key from the environment)")
    assert [check.text.split()[0] for check in links["model"]] == [
        "gpt-6.1-sol",
        "gpt-6.1-terra",
        "gpt-6-luna",
    ]
    assert len(trials(openai)) == 3


def test_an_unencrypted_key_is_a_hint_and_no_failure(openai: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not found()["network"][0].advice
    monkeypatch.setenv("OPENAI_BASE_URL", openai.url.replace("127.0.0.1", "0.0.0.0"))
    monkeypatch.setenv("NO_PROXY", "0.0.0.0")
    network = found()["network"][0]
    assert network.passed and "The key goes to 0.0.0.0:" in network.advice


# Claude Code.


def test_the_newest_tested_version_is_the_newest_of_the_suite() -> None:
    assert VERSIONS[-1] == NEWEST_TESTED


def test_a_newer_claude_code_passes_and_is_called_newer(machine: Path) -> None:
    claude_code(machine, "2.99.1")
    assert one("Claude Code").passed and "2.99.1" in one("Claude Code").text
    assert f"newer than the newest tested version, {NEWEST_TESTED}" in one("Claude Code").text


def test_a_claude_code_older_than_the_oldest_tested_fails(machine: Path) -> None:
    claude_code(machine, "2.0.76")
    assert not one("Claude Code").passed and one("Claude Code").advice == "Run `claude update`."
    claude_code(machine, "2.0.77")
    assert one("Claude Code").passed


def test_a_missing_claude_code_is_reported_with_the_command_that_installs_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLAUDEGPT_CLAUDE_BIN")
    monkeypatch.setenv("PATH", str(machine))
    (machine / "claude").unlink()
    monkeypatch.setattr("claudegpt_pkg.claude.install.USUAL_PLACES", ())
    assert not one("Claude Code").passed and "npm install -g @anthropic-ai/claude-code" in one("Claude Code").advice


# Settings and files.


def test_every_setting_is_shown_with_its_source_and_no_secret(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(load().dirs.config_file, "OPENAI_API_KEY=planted-secret\n")
    text = one("settings").text
    assert "CLAUDEGPT_PROVIDER=demo (from the environment)" in text
    assert f"OPENAI_API_KEY=*** (from {load().dirs.config_file})" in text
    assert "planted-secret" not in text


def test_an_unusable_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_EFFORT", "lots")
    bad = found()["settings"][0]
    assert not bad.passed and bad.text.startswith("CLAUDEGPT_EFFORT is one of")
    assert bad.text.endswith("(from the environment).") and bad.advice == "Correct it there."
    assert "account" not in found()


def test_a_misspelt_name_fails_and_the_other_checks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_EFORT", "low")
    bad = found()["settings"][-1]
    assert not bad.passed and bad.text == "There is no setting CLAUDEGPT_EFORT (in the environment)."
    assert bad.advice == "Did you mean CLAUDEGPT_EFFORT?"
    assert "model" in found()


def test_an_unreadable_file_is_named(machine: Path) -> None:
    load().dirs.config_file.mkdir(parents=True)
    assert not one("settings").passed and "Cannot read" in one("settings").text


def test_a_folder_that_cannot_be_written_fails(machine: Path) -> None:
    state = machine / "claudegpt" / "state"
    state.parent.mkdir()
    state.write_text("a file in its place")
    assert not one("folders").passed and one("folders").text == f"{state} cannot be written: Not a directory."
    assert "set CLAUDEGPT_HOME to a folder that can be written" in one("folders").advice
    state.unlink()
    assert one("folders").passed
    assert not list(state.parent.iterdir())  # the looking leaves nothing


def test_a_secret_that_others_can_read_fails(machine: Path) -> None:
    config, login = load().dirs.config_file, own_file(load().dirs.data).path
    write(config, "OPENAI_API_KEY=planted-secret\n")
    write(login, "{}")
    assert one("secrets").text.splitlines() == [f"only you can read {config}", f"only you can read {login}"]
    config.chmod(0o644)
    assert not one("secrets").passed and one("secrets").advice == f"Run `chmod 600 {config}`."
    config.chmod(0o600)
    assert one("secrets").passed


@pytest.mark.parametrize("folder", [".codex", "my codex"])
@pytest.mark.parametrize(
    "document", [{"auth_mode": "apikey", "OPENAI_API_KEY": "test-key"}, {"tokens": {"access_token": "planted-token"}}]
)
def test_a_codex_login_that_others_can_read_fails(
    machine: Path, monkeypatch: pytest.MonkeyPatch, folder: str, document: object
) -> None:
    if folder != ".codex":
        monkeypatch.setenv("CODEX_HOME", str(machine / folder))
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "codex")
    monkeypatch.setenv("CODEX_BASE_URL", "http://127.0.0.1:9/backend-api/codex")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    file = machine / folder / "auth.json"
    write(file, document)
    file.chmod(0o644)
    exposed = one("secrets")
    file.chmod(0o600)
    assert not exposed.passed and exposed.advice == f"Run `chmod 600 {shlex.quote(str(file))}`."


def test_a_file_without_secrets_may_be_readable_by_all(machine: Path) -> None:
    write(load().dirs.config_file, "CLAUDEGPT_PROVIDER=demo\n")
    load().dirs.config_file.chmod(0o644)
    assert one("secrets").passed


# Leftovers.


@pytest.mark.parametrize("name", ["ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "CLAUDE_CODE_USE_BEDROCK"])
def test_an_exported_variable_that_claudegpt_ignores_is_a_hint(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "planted-secret")
    assert one("environment").passed and one("environment").text == f"{name} is exported: claudegpt ignores it"
    assert "Plain `claude` still uses it" in one("environment").advice


@pytest.mark.parametrize("place", [".claude/settings.json", ".claude/settings.local.json", ".claude.json"])
def test_a_redirect_in_a_settings_file_is_a_hint(machine: Path, place: str) -> None:
    write(machine / place, {"env": {"ANTHROPIC_BASE_URL": "http://old"}, "apiKeyHelper": "echo", "model": "opus"})
    found = one("environment")
    assert found.passed and found.text.startswith(
        f"{machine / place} sets ANTHROPIC_BASE_URL, apiKeyHelper: claudegpt ignores it"
    )


@pytest.mark.parametrize("place", ["managed-settings.json", "managed-settings.d/10-cloud.json"])
def test_a_redirect_by_an_administrator_fails(machine: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    write(machine / "managed" / place, {"env": {"CLAUDE_CODE_USE_VERTEX": "1"}})
    monkeypatch.setattr(user_settings, "MANAGED", (machine / "managed",))
    assert not one("environment").passed and "wins over every other setting" in one("environment").text


# The way there.


def test_a_port_in_use_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setenv("CLAUDEGPT_PORT", str(number))
        assert not one("port").passed and f"port {number}" in one("port").text
        assert "model" in found()  # which needs no port of the user's


def use_far_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that would be reached through a proxy and over TLS; nothing is sent."""
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "openai")
    monkeypatch.setenv("OPENAI_API_KEY", "test-key-of-an-account")


def test_proxies_are_shown_without_their_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:planted-secret@proxy.test:3128")
    assert one("HTTP proxy").passed and one("HTTP proxy").text == "HTTPS_PROXY=http://***@proxy.test:3128"
    assert without_password("me:planted-secret@proxy.test:3128") == "***@proxy.test:3128"
    assert without_password("proxy:1") == "proxy:1"


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:1080", "ftp://proxy.test", "http://proxy.test:port"])
def test_an_unusable_http_proxy_ends_the_checks(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    use_far_account(monkeypatch)
    assert "HTTPS_PROXY" in one("HTTP proxy").advice and wrong() == ["HTTP proxy"]
    assert "account" not in found()


def test_missing_certificates_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    use_far_account(monkeypatch)
    assert not one("HTTP proxy").passed and one("HTTP proxy").advice == "Correct SSL_CERT_FILE."


def test_unused_proxies_and_certificates_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setenv("NO_PROXY", "[::1],fe80::/10,")
    assert one("HTTP proxy").passed and not wrong()


def test_an_unreachable_server_ends_the_checks(openai: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    links = found()
    assert links["network"][0].text == "127.0.0.1:9 cannot be reached: Connection refused."
    assert "account" not in links and wrong() == ["network"]


def test_a_wrong_clock_fails() -> None:
    now = time.time()
    assert check_clock(email.utils.formatdate(now), now).passed
    ahead = check_clock(email.utils.formatdate(now - 3600), now)
    assert not ahead.passed and ahead.text == "This machine's clock is 60 minutes ahead of the server's."
    assert "15 minutes behind" in check_clock(email.utils.formatdate(now + 900), now).text
    assert "36 hours behind" in check_clock(email.utils.formatdate(now + 36 * 3600), now).text
    assert "30 days ahead" in check_clock(email.utils.formatdate(now - 30 * 86_400), now).text
    assert check_clock("", now).passed and check_clock("yesterday", now).passed


# The account.


def test_a_refused_key_fails(openai: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-secret")
    bad = found()["account"][0]
    assert not bad.passed and "refused the credential" in bad.text and bad.advice
    assert "planted-secret" not in str(found())
    openai.faults.clear()


def test_a_missing_login_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "chatgpt")
    assert one("account").advice == "Run `claudegpt login`."


def test_a_failing_model_does_not_keep_the_others_from_being_tried(openai: FakeBackend) -> None:
    openai.route(lambda it: is_trial(it) and it.body["model"] == "gpt-6.1-terra", lambda it: answer("No."))
    links = found()["model"]
    assert [link.passed for link in links] == [True, False, True]
    assert links[1].text.startswith("gpt-6.1-terra answered, but did not call the tool")
    assert links[1].advice == "Claude Code needs a model that calls tools."


def test_a_wrong_clock_does_not_stop_the_other_checks(openai: FakeBackend) -> None:
    yesterday = email.utils.formatdate(time.time() - 86_400)
    openai.page("GET", "/v1/models", 200, MODELS, {"date": yesterday})
    assert wrong() == ["clock"] and "model" in found()


def test_one_failed_check_makes_the_exit_status_1(openai: FakeBackend, capsys: pytest.CaptureFixture[str]) -> None:
    file = load().dirs.config_file
    write(file, "CLAUDEGPT_TOKEN=planted-token\n")
    file.chmod(0o640)
    assert main.run(["doctor"]) == 1
    file.chmod(0o600)
    lines = capsys.readouterr().out.splitlines()
    short = "~/claudegpt/config/config.env"
    words = f"{short} can be read by other users of this machine. Run `chmod 600 {short}`."
    assert [line for line in lines if line.startswith("✗")] == [f"✗\tsecrets\t{words}"]
