"""Our words are taken out wherever they stand; Claude's arrive as they were, in order."""

from __future__ import annotations

import pytest

from claudegpt_pkg.claude.arguments import find_resumed_conversation, has_flag, remove_option, separate, value_of
from claudegpt_pkg.errors import BadSetting


@pytest.mark.parametrize(
    ("words", "ours", "theirs"),
    [
        ("-p hi --provider demo", {"CLAUDEGPT_PROVIDER": "demo"}, "-p hi"),
        ("--provider=demo -p hi --effort=low", {"CLAUDEGPT_PROVIDER": "demo", "CLAUDEGPT_EFFORT": "low"}, "-p hi"),
        ("-c --no-trace --isolate", {"CLAUDEGPT_TRACE": "0", "CLAUDEGPT_GLOBAL_ISOLATE": "1"}, "-c"),
        ("--port 80 --port 81", {"CLAUDEGPT_PORT": "81"}, ""),
        ("--model opus --verbose -r", {}, "--model opus --verbose -r"),
        ("--allowedTools Bash Read --trace -p x", {"CLAUDEGPT_TRACE": "1"}, "--allowedTools Bash Read -p x"),
        ("--resume --trace", {"CLAUDEGPT_TRACE": "1"}, "--resume"),
    ],
)
def test_our_options_are_taken_out_anywhere(words: str, ours: dict[str, str], theirs: str) -> None:
    line = separate(words.split())
    assert (line.ours, line.theirs) == (ours, theirs.split())


@pytest.mark.parametrize("option", ["--append-system-prompt", "--system-prompt", "-n", "--json-schema"])
def test_the_value_of_an_option_of_claudes_is_never_ours(option: str) -> None:
    assert separate([option, "--trace", "x"]).theirs == [option, "--trace", "x"]


def test_after_a_leading_double_dash_all_is_claudes() -> None:
    line = separate(["--trace", "--", "serve", "--effort", "low", "--", "-h"])
    assert (line.command, line.question) == ("", "")
    assert line.theirs == ["serve", "--effort", "low", "--", "-h"]


def test_a_double_dash_among_claudes_words_stays() -> None:
    assert separate(["-p", "--", "--effort"]).theirs == ["-p", "--", "--effort"]


@pytest.mark.parametrize("command", ["mcp", "agents", "plugin", "respawn"])
def test_a_command_of_claudes_keeps_all_its_words(command: str) -> None:
    line = separate(["--provider", "demo", command, "add", "--port", "80", "--help"])
    assert line.ours == {"CLAUDEGPT_PROVIDER": "demo"}
    assert (line.question, line.theirs) == ("", [command, "add", "--port", "80", "--help"])


def test_a_command_of_ours_comes_first_and_keeps_its_words() -> None:
    line = separate(["--effort", "low", "serve", "--port", "80"])
    assert (line.ours, line.command, line.theirs) == ({"CLAUDEGPT_EFFORT": "low"}, "serve", ["--port", "80"])


@pytest.mark.parametrize("words", [["-p", "serve"], ["hello", "config"], ["--model", "demo"]])
def test_a_word_that_does_not_come_first_is_no_command(words: list[str]) -> None:
    line = separate(words)
    assert (line.command, line.theirs) == ("", words)


@pytest.mark.parametrize("words", ["--help", "-p hi --help", "--provider demo --help -v"])
def test_help_is_ours_to_give(words: str) -> None:
    assert separate(words.split()).question == "--help"


@pytest.mark.parametrize("word", ["--verbose", "--helpful", "-vv", "--effortless"])
def test_words_that_only_begin_like_ours_are_claudes(word: str) -> None:
    line = separate([word])
    assert (line.question, line.ours, line.theirs) == ("", {}, [word])


@pytest.mark.parametrize("words", [["--provider"], ["--effort="], ["--port", ""]])
def test_a_missing_value_is_said(words: list[str]) -> None:
    with pytest.raises(BadSetting, match="needs a value"):
        separate(words)


@pytest.mark.parametrize("words", [["--effort", "bogus"], ["--effort=bogus"], ["--provider", "x"], ["--port", "many"]])
def test_a_value_that_an_option_cannot_have_is_named_with_the_option(words: list[str]) -> None:
    with pytest.raises(BadSetting, match=rf"^{words[0].partition('=')[0]} .+, not '"):
        separate(words)


def test_a_flag_with_a_value_is_refused() -> None:
    with pytest.raises(BadSetting, match="--trace takes no value"):
        separate(["--trace=1"])


def test_the_last_value_of_an_option_counts() -> None:
    words = ["--model", "opus", "--model=haiku", "--append-system-prompt", "--model", "--", "--model", "x"]
    assert value_of("--model", words) == "haiku"
    assert value_of("--settings", words) is None


def test_an_option_is_taken_out_with_its_values() -> None:
    words = ["--settings", "a", "-p", "--settings=b", "--name", "--settings", "--", "--settings", "c"]
    assert remove_option("--settings", words) == ["-p", "--name", "--settings", "--", "--settings", "c"]


def test_a_flag_is_seen_only_where_it_is_one() -> None:
    assert has_flag("--bg", ["-p", "--bg"])
    assert not has_flag("--bg", ["--name", "--bg", "--", "--bg"])


ID = "0a1b2c3d-0000-4000-8000-0123456789ab"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--resume", ID], ID),
        (["-p", "hi", "-r", ID, "--model", "opus"], ID),
        ([f"--resume={ID}"], ID),
        (["--resume"], None),
        (["--resume", "the plums"], None),
        (["--resume", "*"], None),
        (["--name", "--resume", ID], None),
        (["--", "--resume", ID], None),
        (["--continue"], None),
    ],
)
def test_the_conversation_to_go_on_with_is_known_by_its_id(words: list[str], found: str | None) -> None:
    assert find_resumed_conversation(words) == found
