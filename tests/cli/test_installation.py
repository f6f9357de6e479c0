"""How claudegpt was installed is told by what each installer leaves behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from claudegpt_pkg.cli import installation
from claudegpt_pkg.cli.installation import find_installation, show_command

ROOT = Path(__file__).parents[2]
GIT = {"url": "https://x.test/claudegpt", "vcs_info": {"vcs": "git", "commit_id": "0" * 40}}


def record(monkeypatch: pytest.MonkeyPatch, text: object) -> None:
    """Let direct_url.json say this; None: the package is not installed."""
    monkeypatch.setattr(installation, "_direct_url", lambda: text)


def test_the_clones_script_names_its_folder() -> None:
    found = find_installation({"CLAUDEGPT_CLONE": str(ROOT)})
    assert (found.kind, found.place, found.is_clone) == ("a clone", ROOT, True)
    assert show_command(found.update) == f"git -C {ROOT} pull --ff-only"


def test_the_folder_of_another_clone_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "claudegpt_pkg").mkdir()
    record(monkeypatch, {})
    assert find_installation({"CLAUDEGPT_CLONE": str(tmp_path)}).kind == "pip"


@pytest.mark.parametrize(
    ("receipt", "update"),
    [("uv-receipt.toml", "uv tool upgrade claudegpt"), ("pipx_metadata.json", "pipx upgrade claudegpt")],
)
def test_a_receipt_names_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receipt: str, update: str) -> None:
    (tmp_path / receipt).touch()
    record(monkeypatch, GIT)
    found = find_installation({}, tmp_path)
    assert show_command(found.update) == update
    assert found.source == "https://x.test/claudegpt"


def test_pip_updates_from_the_address_that_it_installed_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(monkeypatch, GIT)
    found = find_installation({}, tmp_path)
    wanted = "claudegpt @ git+https://x.test/claudegpt"
    assert found.update == (sys.executable, "-I", "-m", "pip", "install", "--upgrade", wanted)


def test_pip_updates_by_name_only_if_it_installed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise whatever package of this name is on an index would replace the user's."""
    record(monkeypatch, {})
    assert find_installation({}, tmp_path).update[-1] == "claudegpt"
    record(monkeypatch, {"url": "https://x.test/claudegpt.zip", "archive_info": {}})
    assert find_installation({}, tmp_path).update == ()


def test_an_editable_installation_is_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a clone"
    (folder / ".git").mkdir(parents=True)
    record(monkeypatch, {"url": folder.as_uri(), "dir_info": {"editable": True}})
    found = find_installation({}, tmp_path)
    assert (found.kind, found.place) == ("a clone", folder)
    assert show_command(found.update) == f"git -C '{folder}' pull --ff-only"


def test_a_folder_that_is_no_repository_has_nothing_to_update_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(monkeypatch, {"url": tmp_path.as_uri(), "dir_info": {"editable": True}})
    assert find_installation({}, tmp_path).update == ()


@pytest.mark.parametrize("text", ["", "[", "[]", "[" * 100_000, json.dumps({"url": 5, "vcs_info": {"vcs": "git"}})])
def test_a_record_that_cannot_be_read_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    class Distribution:
        def read_text(self, name: str) -> str:
            return text

    monkeypatch.setattr("importlib.metadata.distribution", lambda name: Distribution())
    assert find_installation({}, tmp_path).source == ""
