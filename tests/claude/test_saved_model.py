"""A model picked in a session is kept for the next, and does not keep plain Claude Code from starting."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.accounts.providers.base import Provider
from claudegpt_pkg.claude.guardian import sweep
from claudegpt_pkg.claude.launcher import private_file
from claudegpt_pkg.claude.saved_model import (
    NOTE,
    DefaultModel,
    SavedModelFile,
    make_note,
    note_switch,
    read_saved_model,
    restore_default,
    saved_model_file,
)
from claudegpt_pkg.models import Tiers
from tests.claude.test_guardian import aged


class Home:
    """A user's settings file, and our memory."""

    def __init__(self, folder: Path):
        self.file = folder / "settings.json"
        self.saved = SavedModelFile(folder / "state", "openai", "https://here")
        self.runs = folder / "state" / "run"

    def begin(self, name: str = "one", model: str = "opus") -> Path:
        """A session's start; its folder."""
        run = self.runs / name
        run.mkdir(parents=True, mode=0o700)
        private_file(run / NOTE, make_note(DefaultModel(self.file, self.saved, model), self.runs).decode())
        return run

    def write(self, text: str) -> None:
        """As Claude Code writes the user's settings, whether or not that changes them."""
        self.file.write_text(text)
        os.utime(self.file, ns=(0, self.file.stat().st_mtime_ns + 1))

    def session(self, text: str | None, *, model: str = "opus", went_over: bool = False) -> None:
        """A session in which Claude Code writes this as the user's settings; None leaves them alone."""
        run = self.begin(model=model)
        if text is not None:
            self.write(text)
        self.end(run, went_over=went_over)

    def end(self, run: Path, *, went_over: bool = False) -> None:
        if went_over:
            note_switch(run)
        restore_default(run, self.file)
        shutil.rmtree(run)

    def save(self, **settings: Any) -> None:
        """As Claude Code does."""
        self.session(json.dumps(settings, indent=2) + "\n")

    @property
    def next(self) -> str | None:
        return read_saved_model(self.file, self.saved)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_our_models_name_is_taken_out_and_remembered(home: Home) -> None:
    before = '{"model":"sonnet",   "theme": "dark"}'
    home.file.write_text(before)
    home.file.chmod(0o644)
    home.save(theme="dark", model="gpt-6-astra")
    assert home.file.read_text() == before
    assert home.file.stat().st_mode & 0o777 == 0o644
    assert home.next == "gpt-6-astra"


def test_a_file_that_was_not_there_is_gone_again(home: Home) -> None:
    home.save(model="claudegpt/gpt-6-astra")
    assert not home.file.exists()
    assert home.next == "gpt-6-astra"


def test_what_else_changed_stays(home: Home) -> None:
    home.file.write_text('{"model": "opus", "note": "ü"}')
    home.save(note="ü", effortLevel="low", model="gpt-6-astra")
    assert json.loads(home.file.read_text()) == {"note": "ü", "effortLevel": "low", "model": "opus"}
    assert "ü" in home.file.read_text()
    assert home.next == "gpt-6-astra"


KNOWN_TO_CLAUDE = ("haiku", "claude-opus-4-8", "opusplan", "sonnet[1m]", "default", None)


@pytest.mark.parametrize("model", KNOWN_TO_CLAUDE)
@pytest.mark.parametrize("before", ['{"model":  "fable"}', '{"model": "claude-sonnet-4-5",\n"theme":"dark"}'])
def test_a_tier_or_the_default_picked_in_a_session_is_ours_too(home: Home, before: str, model: str | None) -> None:
    home.file.write_text(before)
    after = {"model": model, **{name: value for name, value in json.loads(before).items() if name != "model"}}
    home.session(json.dumps({name: value for name, value in after.items() if value}), went_over=True)
    assert home.file.read_text() == before
    assert home.next == (model or "default").removesuffix("[1m]")


@pytest.mark.parametrize("model", KNOWN_TO_CLAUDE)
def test_what_plain_claude_saved_meanwhile_stays(home: Home, model: str | None) -> None:
    home.file.write_text('{"model": "fable"}')
    home.session('{"model": "gpt-6-astra"}')
    after = json.dumps({"model": model} if model else {})
    home.session(after, model="gpt-6-astra")
    assert home.file.read_text() == after
    assert home.next is None


def test_a_session_in_which_nothing_is_picked_changes_nothing(home: Home) -> None:
    home.file.write_text('{"model": "gpt-of-the-users-own"}')
    home.session(None)
    home.save(model="gpt-of-the-users-own", theme="light")
    assert json.loads(home.file.read_text()) == {"model": "gpt-of-the-users-own", "theme": "light"}
    assert home.next is None


def test_the_default_picked_again_is_no_pick(home: Home) -> None:
    home.file.write_text('{"model": "sonnet"}')
    home.save(model="gpt-6-astra")
    home.save()
    assert home.next is None


def test_a_pick_holds_until_the_users_default_is_another(home: Home) -> None:
    home.save(model="gpt-6-astra")
    home.session(None)
    assert home.next == "gpt-6-astra"
    home.file.write_text('{"model": "haiku"}')
    assert home.next is None


def test_another_server_does_not_get_the_name_of_a_model_it_may_not_have(home: Home) -> None:
    home.save(model="qwen3:32b")
    assert read_saved_model(home.file, replace(home.saved, server="https://elsewhere")) is None
    assert home.next == "qwen3:32b"


def test_each_account_remembers_its_own_pick(tmp_path: Path) -> None:
    files = set()
    for name in ("openai", "demo"):
        provider = Provider(name=name, label=name, url="https://here", tiers=Tiers("a", "b", "c"))
        files.add(saved_model_file(tmp_path, provider).path)
    assert len(files) == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"model": 3}'])
def test_a_file_of_another_shape_is_left_alone(home: Home, text: str) -> None:
    home.file.write_text('{"model": "opus"}')
    home.session(text, went_over=True)
    assert home.file.read_text() == text
    assert home.next is None


def test_a_linked_file_stays_linked(home: Home) -> None:
    real = home.file.with_name("dotfiles.json")
    real.write_text('{"model": "sonnet"}')
    home.file.symlink_to(real)
    home.save(model="gpt-6-astra")
    assert home.file.is_symlink() and real.read_text() == '{"model": "sonnet"}'


def test_a_file_that_is_gone_stays_gone(home: Home) -> None:
    home.file.write_text('{"model": "opus"}')
    run = home.begin()
    home.file.unlink()
    home.end(run, went_over=True)
    assert not home.file.exists()


def test_the_default_picked_again_over_a_remembered_pick_is_known_by_what_was_shown(home: Home) -> None:
    home.file.write_text('{"model": "opus"}')
    home.session('{"model": "gpt-6-astra"}')
    home.session('{"model": "opus"}', model="gpt-6-astra", went_over=True)
    assert home.next is None


@pytest.mark.parametrize(
    ("text", "model", "went_over"),
    [
        ('{"model": "opus", "theme": "light"}', "gpt-6-astra", False),  # another setting was changed
        (None, "gpt-6-astra", True),  # picked for the session only
        ('{"model": "opus", "theme": "light"}', "haiku", True),  # started with --model, went over for the session only
    ],
)
def test_else_the_remembered_pick_stays(home: Home, text: str | None, model: str, went_over: bool) -> None:
    home.file.write_text('{"model": "opus"}')
    home.session('{"model": "gpt-6-astra"}')
    home.session(text, model=model, went_over=went_over)
    assert home.next == "gpt-6-astra"


def test_what_a_dead_run_left_the_next_start_puts_back(home: Home) -> None:
    home.file.write_text('{"model":  "opus"}')
    aged(home.begin())
    home.write('{"model": "gpt-6-astra"}')
    sweep(home.runs, home.file)
    assert home.file.read_text() == '{"model":  "opus"}'
    assert home.next == "gpt-6-astra"


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_sessions_at_once_the_last_pick_is_remembered(home: Home, first: int) -> None:
    home.file.write_text('{"model":  "opus"}')
    runs = [home.begin("one"), home.begin("two")]
    home.write('{"model": "gpt-6-astra"}')
    home.write('{"model": "gpt-5.5"}')
    home.end(runs[first], went_over=True)
    home.end(runs[1 - first], went_over=True)
    assert home.file.read_text() == '{"model":  "opus"}'
    assert home.next == "gpt-5.5"


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("again", ["gpt-5.5", "haiku", None])
@pytest.mark.parametrize("model", ["gpt-6-astra", "sonnet"])
def test_what_another_session_has_picked_is_not_what_stood_there(
    home: Home, first: int, again: str | None, model: str
) -> None:
    home.file.write_text('{"model":  "opus"}')
    runs = [home.begin("one")]
    home.write(json.dumps({"model": model}))
    runs.append(home.begin("two"))
    if again:
        home.write(json.dumps({"model": again}))
    picks = (True, bool(again))
    home.end(runs[first], went_over=picks[first])
    home.end(runs[1 - first], went_over=picks[1 - first])
    assert home.file.read_text() == '{"model":  "opus"}'
    assert home.next == (again or model)


def test_picked_after_the_other_session_has_put_it_back_it_is_put_back_too(home: Home) -> None:
    home.file.write_text('{"model":  "opus"}')
    one = home.begin("one")
    home.write('{"model": "gpt-6-astra"}')
    two = home.begin("two")
    home.end(one)
    home.write('{"model": "gpt-5.5"}')
    home.end(two)
    assert home.file.read_text() == '{"model":  "opus"}'
    assert home.next == "gpt-5.5"


def test_a_run_killed_before_its_note_was_whole_has_changed_nothing(home: Home) -> None:
    home.file.write_text('{"model": "opus"}')
    run = home.begin()
    (run / NOTE).write_text((run / NOTE).read_text()[:20])
    restore_default(run, home.file)
    assert home.file.read_text() == '{"model": "opus"}'


# What other users of the machine, or other versions, may have put there.


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"file": "x", "memory": "y", "server": "z"}', '{"type": "claudegpt-run-9"}']
)
def test_a_note_that_another_version_wrote_is_no_note(home: Home, text: str) -> None:
    home.file.write_text('{"model": "gpt-6-astra"}')
    run = home.begin()
    (run / NOTE).write_text(text)
    assert restore_default(run, home.file)
    assert home.file.read_text() == '{"model": "gpt-6-astra"}'


def test_a_note_does_not_say_where_to_write(home: Home) -> None:
    """Neither the settings file nor, through the name of the account, the file for saved models."""
    home.file.write_text('{"model": "opus"}')
    run = home.begin()
    home.write('{"model": "gpt-6-astra"}')
    other = home.file.with_name("other.json")
    other.write_text('{"model": "gpt-6-astra"}')
    assert not restore_default(run, other)
    assert other.read_text() == '{"model": "gpt-6-astra"}'
    note = (run / NOTE).read_text()
    (run / NOTE).write_text(note.replace('"openai"', '"/../../evil"'))
    assert restore_default(run, home.file)
    assert home.file.read_text() == '{"model": "gpt-6-astra"}'
    assert not list(home.file.parent.rglob("*evil*"))


@pytest.mark.parametrize(
    "how", ["the note is writable", "the folder is writable", "the note is a link", "the folder is a link"]
)
def test_a_note_that_others_could_have_written_is_no_note(home: Home, how: str) -> None:
    home.file.write_text('{"model": "opus"}')
    run = home.begin()
    home.write('{"model": "gpt-6-astra"}')
    if how == "the note is writable":
        (run / NOTE).chmod(0o660)
    elif how == "the folder is writable":
        run.chmod(0o770)
    elif how == "the note is a link":
        (run / NOTE).rename(run / "elsewhere")
        (run / NOTE).symlink_to(run / "elsewhere")
    else:
        run.rename(run.with_name("elsewhere"))
        run.symlink_to(run.with_name("elsewhere"))
    restore_default(run, home.file)
    assert home.file.read_text() == '{"model": "gpt-6-astra"}'


def test_a_saved_model_that_others_could_have_written_is_none(home: Home) -> None:
    home.save(model="gpt-6-astra")
    home.saved.path.chmod(0o660)
    assert home.next is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": 3}', '{"model": "a", "server": 3}', "[" * 99_999])
def test_a_saved_model_of_another_shape_is_none(home: Home, text: str) -> None:
    home.save(model="gpt-6-astra")
    home.saved.path.write_text(text)
    assert home.next is None


def test_a_settings_file_that_is_no_text_comes_back_as_it_was(home: Home) -> None:
    before = b'{"model": "opus", "x": "\xff"}'
    home.file.write_bytes(before)
    run = home.begin()
    home.write('{"model": "gpt-6-astra", "x": "y"}')
    home.end(run)
    assert json.loads(home.file.read_text()) == {"x": "y"}
