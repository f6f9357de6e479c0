"""Finding Claude Code, and installing it with an npm that is a script of the test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from claudegpt_pkg.claude import install
from claudegpt_pkg.claude.install import claude_version, find_claude, offer_install, version_on_disk
from claudegpt_pkg.claude.nesting import STARTED, mark_started
from claudegpt_pkg.errors import BadSetting, ClaudeNotFound
from claudegpt_pkg.settings.settings import Settings, load

VERSION = "2.1.330"
PROGRAM = f'#!/bin/sh\necho "{VERSION} (Claude Code)"\n'
BROKEN = '#!/bin/sh\necho "Illegal instruction" >&2\nexit 132\n'
STUB = '#!/bin/sh\necho "claude native binary not installed." >&2\nexit 1\n'
SCOPE = "node_modules/@anthropic-ai"
# What npm leaves on Linux where install scripts do not run: a stub, and the native program in a package of its own.
GOOD_NPM = f"""#!/bin/sh
echo "$@" >> "$HOME/npm-calls"
mkdir -p {SCOPE}/claude-code/bin {SCOPE}/claude-code-linux-x64 node_modules/.bin
cp "$HOME/stub" {SCOPE}/claude-code/bin/claude.exe
ln -s ../@anthropic-ai/claude-code/bin/claude.exe node_modules/.bin/claude
cp "$HOME/program" {SCOPE}/claude-code-linux-x64/claude
echo "added 2 packages"
"""
BAD_NPM = """#!/bin/sh
mkdir -p node_modules/half
echo "npm warn deprecated something@1: old" >&2
echo "npm error code ENOTFOUND" >&2
echo "npm error network request failed, reason: getaddrinfo ENOTFOUND example.invalid" >&2
echo "npm error A complete log of this run can be found in: /x" >&2
exit 1
"""


def script(path: Path, text: str = PROGRAM) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a shell and without Claude Code; `home/bin` is on its PATH."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{tmp_path}/tools")
    monkeypatch.setattr(install, "USUAL_PLACES", (".local/bin/claude",))
    (tmp_path / "tools").mkdir()
    for tool in ("sh", "mkdir", "cp", "ln", "echo"):
        (tmp_path / "tools" / tool).symlink_to(f"/bin/{tool}")
    script(tmp_path / "program")
    script(tmp_path / "stub", STUB)
    return tmp_path


@pytest.fixture
def settings(home: Path) -> Settings:
    return load(environ={"HOME": str(home), "CLAUDEGPT_HOME": str(home / "ours")})


def choosing(home: Path, program: str) -> Settings:
    environ = {"HOME": str(home), "CLAUDEGPT_HOME": str(home / "ours"), "CLAUDEGPT_CLAUDE_BIN": program}
    return load(environ=environ)


def leftovers(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.dirs.data.glob("*"))


# Finding.


def test_claude_on_the_path_is_found(home: Path, settings: Settings) -> None:
    program = script(home / "bin/claude")

    assert find_claude(settings) == program


def test_the_chosen_one_beats_the_path(home: Path) -> None:
    script(home / "bin/claude")
    other = script(home / "elsewhere/claude-nightly")

    assert find_claude(choosing(home, str(other))) == other


def test_the_chosen_one_may_be_a_name_on_the_path(home: Path) -> None:
    other = script(home / "bin/claude-nightly")

    assert find_claude(choosing(home, "claude-nightly")) == other


@pytest.mark.parametrize("make", [None, "file", "folder"])
def test_a_chosen_one_that_cannot_run_is_named_with_its_setting(home: Path, make: str | None) -> None:
    script(home / "bin/claude")
    chosen = home / "chosen"
    if make == "file":
        chosen.write_text("not a program")
    elif make == "folder":
        chosen.mkdir()

    with pytest.raises(ClaudeNotFound, match="CLAUDEGPT_CLAUDE_BIN from the environment") as failure:
        find_claude(choosing(home, str(chosen)))

    assert failure.value.exit_status == 4


def test_our_own_copy_is_found_after_the_path(home: Path, settings: Settings) -> None:
    own = script(settings.dirs.data / "claude-code/claude")
    assert find_claude(settings) == own

    program = script(home / "bin/claude")
    assert find_claude(settings) == program


def test_the_installers_usual_places_are_looked_at(home: Path, settings: Settings) -> None:
    program = script(home / ".local/bin/claude")

    assert find_claude(settings) == program


def test_claudegpt_under_the_name_claude_is_passed_over(home: Path, settings: Settings) -> None:
    ours = script(home / "clone/claudegpt")
    (home / "bin").mkdir()
    (home / "bin/claude").symlink_to(ours)
    program = script(home / ".local/bin/claude")

    assert find_claude(settings) == program


def test_a_script_in_a_folder_named_claudegpt_is_not_claudegpt(home: Path, settings: Settings) -> None:
    shim = script(home / "bin/claude", f'#!/bin/sh\nexec {home}/claudegpt/real/claude "$@"\n')

    assert find_claude(settings) == shim


def test_a_program_that_led_back_to_claudegpt_is_passed_over(
    home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = script(home / "bin/claude", '#!/bin/sh\nexec claudegpt "$@"\n')
    program = script(home / ".local/bin/claude")
    assert find_claude(settings) == wrapper

    monkeypatch.setenv(STARTED, mark_started({}, wrapper)[STARTED])
    assert find_claude(settings) == program

    with pytest.raises(ClaudeNotFound, match="leads back to claudegpt"):
        find_claude(choosing(home, str(wrapper)))


def test_the_native_program_is_found_for_a_stub_that_npm_left(home: Path, settings: Settings) -> None:
    script(home / "npm" / SCOPE / "claude-code/bin/claude.exe", STUB)
    native = script(home / "npm" / SCOPE / "claude-code-linux-x64/claude")
    (home / "bin").mkdir()
    (home / "bin/claude").symlink_to(home / "npm" / SCOPE / "claude-code/bin/claude.exe")

    assert find_claude(settings) == native


def test_a_stub_without_its_native_program_is_passed_over(home: Path, settings: Settings) -> None:
    script(home / "npm" / SCOPE / "claude-code/bin/claude.exe", STUB)
    (home / "bin").mkdir()
    (home / "bin/claude").symlink_to(home / "npm" / SCOPE / "claude-code/bin/claude.exe")

    with pytest.raises(ClaudeNotFound):
        find_claude(settings)


def test_nothing_found_tells_the_command_that_installs_it(settings: Settings) -> None:
    with pytest.raises(ClaudeNotFound, match="npm install -g @anthropic-ai/claude-code"):
        find_claude(settings)


def test_the_version_is_a_bare_number(home: Path) -> None:
    assert claude_version(home / "program") == VERSION


@pytest.mark.parametrize("text", [BROKEN, "#!/bin/sh\n", "no program at all"])
def test_a_program_that_does_not_run_has_no_version(home: Path, text: str) -> None:
    with pytest.raises(ClaudeNotFound, match="does not run"):
        claude_version(script(home / "bin/claude", text))


# Installing.


def test_without_a_terminal_it_is_installed_and_then_found(
    home: Path, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    script(home / "bin/npm", GOOD_NPM)

    program = offer_install(settings, yes=False)

    assert claude_version(program) == VERSION
    assert find_claude(settings) == program
    assert leftovers(settings) == ["claude-code"]
    output = capfd.readouterr()
    assert output.out == ""
    assert f"installed Claude Code {VERSION}" in output.err


def test_what_is_there_is_not_installed_again(home: Path, settings: Settings) -> None:
    script(home / "bin/npm", GOOD_NPM)

    assert offer_install(settings, yes=True) == offer_install(settings, yes=True)
    assert len((home / "npm-calls").read_text().splitlines()) == 1


def test_npm_runs_no_install_scripts_of_packages(home: Path, settings: Settings) -> None:
    script(home / "bin/npm", GOOD_NPM)

    offer_install(settings, yes=True)

    assert "--ignore-scripts" in (home / "npm-calls").read_text()


def test_npm_and_claude_code_do_not_see_the_current_folder(
    home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = home / "hostile"
    hostile.mkdir()
    (hostile / ".npmrc").write_text("registry=http://127.0.0.1:1/\n")
    script(hostile / "npm", '#!/bin/sh\necho "the wrong npm" >> "$HOME/folders"\n')
    script(home / "bin/npm", GOOD_NPM.replace("mkdir -p", 'pwd >> "$HOME/folders"\nmkdir -p', 1))
    script(home / "program", PROGRAM.replace("echo", 'pwd >> "$HOME/folders"\necho', 1))
    monkeypatch.chdir(hostile)
    monkeypatch.setenv("PATH", f":.:{home}/bin:{home}/tools")

    offer_install(settings, yes=True)

    npm, claude = (home / "folders").read_text().splitlines()
    assert Path(npm).name == "tree" and settings.dirs.data in Path(npm).parents
    assert claude == "/"


def test_the_newest_tested_version_is_installed(home: Path, settings: Settings) -> None:
    script(home / "bin/npm", GOOD_NPM)

    offer_install(settings, yes=True)

    assert f"@anthropic-ai/claude-code@{install.NEWEST_TESTED}\n" in (home / "npm-calls").read_text()


@pytest.mark.parametrize("version", ["2.1.300", "latest"])
def test_the_user_can_have_another_version(home: Path, version: str) -> None:
    script(home / "bin/npm", GOOD_NPM)
    environ = {"HOME": str(home), "CLAUDEGPT_HOME": str(home / "ours"), "CLAUDEGPT_CLAUDE_VERSION": version}

    offer_install(load(environ=environ), yes=True)

    assert f"@anthropic-ai/claude-code@{version}\n" in (home / "npm-calls").read_text()


@pytest.mark.parametrize("version", ["file:/tmp/x", "http://x.test/a.tgz", "2.1.300 evil", "../x", "npm:evil@1.0.0"])
def test_a_version_that_npm_would_take_from_elsewhere_is_refused(home: Path, version: str) -> None:
    script(home / "bin/npm", GOOD_NPM)
    environ = {"HOME": str(home), "CLAUDEGPT_HOME": str(home / "ours"), "CLAUDEGPT_CLAUDE_VERSION": version}

    with pytest.raises(BadSetting, match="CLAUDEGPT_CLAUDE_VERSION is a version"):
        offer_install(load(environ=environ), yes=True)

    assert not (home / "npm-calls").exists()


def test_on_a_terminal_it_asks_first(home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    script(home / "bin/npm", GOOD_NPM)
    questions: list[str] = []

    def refuse(question: str) -> bool:
        questions.append(question)
        return False

    monkeypatch.setattr(install, "on_terminal", lambda: True)
    monkeypatch.setattr(install, "confirm", refuse)

    with pytest.raises(ClaudeNotFound):
        offer_install(settings, yes=False)
    assert len(questions) == 1
    assert leftovers(settings) == []

    assert offer_install(settings, yes=True).exists()
    assert len(questions) == 1


def test_a_failure_of_npm_is_one_sentence_and_leaves_nothing(home: Path, settings: Settings) -> None:
    script(home / "bin/npm", BAD_NPM)

    with pytest.raises(ClaudeNotFound, match="getaddrinfo ENOTFOUND") as failure:
        offer_install(settings, yes=True)

    assert "\n" not in str(failure.value)
    assert leftovers(settings) == []


def test_an_interrupted_installation_leaves_nothing(home: Path, settings: Settings) -> None:
    script(home / "bin/npm", "#!/bin/sh\nmkdir node_modules\nkill -INT $PPID\nread forever\n")

    with pytest.raises(KeyboardInterrupt):
        offer_install(settings, yes=True)

    assert leftovers(settings) == []


def test_only_our_own_copy_is_kept_from_updating_itself(home: Path, settings: Settings) -> None:
    script(home / "bin/npm", GOOD_NPM)
    own = offer_install(settings, yes=True)

    assert install.own_copy_environment(own, settings) == {"DISABLE_AUTOUPDATER": "1"}
    assert install.own_copy_environment(home / "bin/claude", settings) == {}


@pytest.mark.parametrize("yes", [True, False])
def test_without_npm_it_says_what_to_install_and_asks_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, yes: bool
) -> None:
    monkeypatch.setattr(install, "on_terminal", lambda: True)
    monkeypatch.setattr(install, "confirm", lambda question: pytest.fail(question))
    with pytest.raises(ClaudeNotFound, match=r"no npm .* Install Node\.js"):
        offer_install(settings, yes=yes)


def test_a_program_that_does_not_run_here_is_not_kept(home: Path, settings: Settings) -> None:
    script(home / "program", BROKEN)
    script(home / "bin/npm", GOOD_NPM)

    with pytest.raises(ClaudeNotFound, match="does not run"):
        offer_install(settings, yes=True)

    assert leftovers(settings) == []


def test_a_package_without_a_native_program_runs_by_its_own_command(home: Path, settings: Settings) -> None:
    script(home / "stub")  # what npm links in .bin runs
    script(home / "bin/npm", GOOD_NPM.replace(f'cp "$HOME/program" {SCOPE}/claude-code-linux-x64/claude\n', ""))

    assert claude_version(offer_install(settings, yes=True)) == VERSION


def test_a_broken_copy_of_ours_is_replaced(home: Path, settings: Settings) -> None:
    (settings.dirs.data / "claude-code").mkdir(parents=True)
    (settings.dirs.data / "claude-code/claude").symlink_to("gone")
    script(home / "bin/npm", GOOD_NPM)

    assert claude_version(offer_install(settings, yes=True)) == VERSION


def test_a_wrong_choice_of_the_users_is_not_answered_with_an_installation(home: Path) -> None:
    script(home / "bin/npm", GOOD_NPM)

    with pytest.raises(ClaudeNotFound, match="CLAUDEGPT_CLAUDE_BIN"):
        offer_install(choosing(home, str(home / "gone")), yes=True)

    assert not (home / "npm-calls").exists()


def test_a_place_that_cannot_be_written_is_named(home: Path, settings: Settings) -> None:
    script(home / "bin/npm", GOOD_NPM)
    (home / "ours").write_text("a file where a folder should be")

    with pytest.raises(ClaudeNotFound, match="Cannot install Claude Code into"):
        offer_install(settings, yes=True)


@pytest.mark.parametrize(
    ("program", "package", "version"),
    [
        ("node_modules/@anthropic-ai/claude-code-linux-x64/claude", "../package.json", (2, 1, 330)),
        ("node_modules/@anthropic-ai/claude-code/bin/claude.exe", "../../package.json", (2, 1, 330)),
        ("versions/2.1.330", None, (2, 1, 330)),
        ("Caskroom/claude-code/2.1.330/claude", None, (2, 1, 330)),
        ("bin/claude", None, ()),
        ("bin/claude", "../../package.json", ()),
    ],
)
def test_the_version_is_told_by_where_the_program_lies(
    tmp_path: Path, program: str, package: str | None, version: tuple[int, ...]
) -> None:
    place = tmp_path / program
    script(place, BROKEN)
    if package:
        name = "@anthropic-ai/claude-code" if "@" in program else "somebody-elses"
        (place / package).resolve().write_text(json.dumps({"name": name, "version": VERSION}))
    link = tmp_path / "claude"
    link.symlink_to(place)
    assert version_on_disk(link) == version
