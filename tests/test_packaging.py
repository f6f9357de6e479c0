"""The package that pip, pipx and `uv tool install` build, and the page about what it depends on."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from claudegpt_pkg import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this repository, built with the hatchling that is installed here: nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-I", "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return zipfile.ZipFile(next(folder.glob("claudegpt-*.whl")))


def test_the_wheel_holds_every_module_and_nothing_else_of_the_repository(wheel: zipfile.ZipFile) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "claudegpt_pkg").rglob("*.py")}
    packaged = set(wheel.namelist())
    assert modules <= packaged
    assert {name.split("/")[0] for name in packaged} == {"claudegpt_pkg", f"claudegpt-{__version__}.dist-info"}


def test_the_wheel_brings_the_command_and_the_version(wheel: zipfile.ZipFile) -> None:
    info = f"claudegpt-{__version__}.dist-info"
    assert "claudegpt = claudegpt_pkg.cli.main:main" in wheel.read(f"{info}/entry_points.txt").decode()
    metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
    assert metadata["Version"] == __version__
    assert metadata["Keywords"] and metadata.get_all("Classifier")


def test_the_metadata_names_no_address_that_is_made_up() -> None:
    """The project has no public home yet; docs/releasing.md says where its address goes once it has one."""
    assert "urls" not in PROJECT or all("example" not in url for url in PROJECT["urls"].values())


def test_the_classifiers_name_the_supported_pythons() -> None:
    listed = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    page = (ROOT / "docs" / "dependencies.md").read_text()
    assert all(version in page for version in listed)
    assert PROJECT["requires-python"] == f">={listed[0]}"


def test_the_page_about_dependencies_has_each_of_them() -> None:
    extras = PROJECT["optional-dependencies"]
    names = {re.split(r"[<>=;]", each)[0] for each in (*PROJECT["dependencies"], *extras["azure"], *extras["dev"])}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    missing = sorted(name for name in names if f"`{name}`" not in page and f"`{name.split('[')[0]}`" not in page)
    assert not missing
