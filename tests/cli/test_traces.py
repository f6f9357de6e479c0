"""`claudegpt trace`, over traces that turns have left: the list, one of them, and what can be wrong with either."""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.cli import main
from claudegpt_pkg.cli.traces import unique_length
from tests.conftest import Run
from tests.real.screen import Screen
from tests.support.fakes.answers import answer, call, error, reasoning
from tests.support.fakes.backend import FakeBackend, wait_until
from tests.support.served import Served, ask, served

ROOT = Path(main.__file__).parents[2]
TOOLS = [{"name": "Bash", "input_schema": {"type": "object"}}]
SESSION = {"metadata": {"user_id": json.dumps({"session_id": "0a1b2c3d-4e5f"})}}


@pytest.fixture
def folder(home: Path, backend: FakeBackend) -> Path:
    """The traces of a turn that called a tool, one that was refused, and one on another tier; in this order."""
    thought = reasoning("Looking.", encrypted="sealed")
    backend.script(
        answer(thought, "I look.", call("Bash", command="ls")),
        error(400, "invalid_prompt", "This prompt was flagged."),
        answer("Two files."),
    )
    with served(backend, home) as proxy:
        leave(proxy, ask("what is here?", tools=TOOLS, top_k=5, output_config={"effort": "high"}, **SESSION))
        leave(proxy, ask("something bad"))
        leave(proxy, ask("and now?", model="claude-haiku-4-5"))
    return proxy.traces


def leave(proxy: Served, body: dict[str, Any]) -> None:
    before = len(proxy.traces_written())
    proxy.post(body)
    wait_until(lambda: len(proxy.traces_written()) == before + 1, "the turn's end")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.json"))


def ids(folder: Path) -> list[str]:
    """The oldest first."""
    return [name.removesuffix(".json").rpartition("-")[2] for name in names(folder)]


def terminal(*words: str, columns: int, env: dict[str, str] | None = None) -> Screen:
    """`claudegpt WORDS…` in a terminal of its own; a shell says when it is over."""
    line = f"{sys.executable} -P -m claudegpt_pkg {' '.join(words)}; echo over"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "LANG": "C.UTF-8", **(env or {})}
    return Screen(["sh", "-c", line], cwd=ROOT, env=env, columns=columns, lines=60)


def shown(*words: str, columns: int) -> list[str]:
    with terminal(*words, columns=columns) as screen:
        screen.wait_for(re.compile("^over$", re.M))
        return screen.text.splitlines()[:-1]


# The list.


def test_the_newest_turn_comes_first(run: Run, folder: Path) -> None:
    status, out, err = run("trace")
    rows = [line.split("\t") for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [row[0] for row in rows] == ids(folder)[::-1]
    assert [row[3:6] for row in rows] == [
        ["gpt-6-luna", "haiku", "low"],
        ["gpt-6.1-sol", "opus", "medium"],
        ["gpt-6.1-sol", "opus", "high"],
    ]
    assert [row[11] for row in rows] == ["done", "invalid_request_error", "done"]
    assert run("trace", "ls")[1] == out


def test_a_program_gets_unshortened_numbers_and_times(run: Run, folder: Path) -> None:
    rows = [line.split("\t") for line in run("trace")[1].splitlines()]
    usage = json.loads((folder / names(folder)[0]).read_bytes())["usage"]
    assert rows[2][2] == "0a1b2c3d-4e5f" and rows[1][2] == ""
    assert int(rows[2][6]) == sum(usage[name] for name in usage if name.endswith("input_tokens"))
    assert (rows[2][7], int(rows[2][8])) == ("0.00", usage["output_tokens"])
    assert float(rows[2][9]) <= float(rows[2][10])
    assert rows[1][6:10] == ["", "", "", ""] and float(rows[1][10]) > 0
    assert abs(datetime.fromisoformat(rows[0][1]) - datetime.now().astimezone()) < timedelta(minutes=5)


def test_json_is_an_array_of_the_traces(run: Run, folder: Path) -> None:
    status, out, err = run("trace", "--json", "--limit", "2")
    newest, refused = json.loads(out)
    assert (status, err) == (0, "")
    assert [newest["id"], refused["id"]] == ids(folder)[:0:-1]
    assert (newest["model"], newest["provider"], newest["status"]) == ("gpt-6-luna", "openai", "done")
    assert (refused["status"], refused["tokens_in"]) == ("invalid_request_error", None)


@pytest.mark.parametrize(("limit", "count"), [("1", 1), ("3", 3), ("0", 3), ("20", 3)])
def test_the_limit_is_the_number_of_rows(run: Run, folder: Path, limit: str, count: int) -> None:
    assert len(run("trace", "ls", "--limit", limit)[1].splitlines()) == count


def test_each_trace_fits_one_line_of_80_columns(folder: Path) -> None:
    heading, *rows = shown("trace", columns=80)
    assert heading.split() == ["id", "time", "model", "effort", "in", "cached", "out", "first", "total", "status"]
    assert [row.split()[0] for row in rows] == [name[:6] for name in ids(folder)[::-1]]
    assert rows[1].endswith(" invalid_request")
    assert max(map(len, [heading, *rows])) <= 80


def test_a_wide_terminal_has_every_column(folder: Path) -> None:
    heading, *_, last = shown("trace", columns=140)
    assert "  session  " in heading
    assert re.match(r"\w{6}  \d\d:\d\d:\d\d  0a1b2c  +gpt-6.1-sol  +opus  +high +\d+ +0%", last)


def test_no_color_leaves_colours_out(folder: Path) -> None:
    with terminal("trace", columns=80, env={"NO_COLOR": "1"}) as screen:
        screen.wait_for(re.compile("^over$", re.M))
        assert not re.search(r"\x1b\[[\d;]*3\dm", screen.written)


def test_an_unreadable_trace_is_listed_as_unreadable(run: Run, folder: Path) -> None:
    whole = (folder / names(folder)[2]).read_bytes()
    (folder / names(folder)[2]).write_bytes(whole[: len(whole) // 2])
    for number, text in enumerate(
        [
            b"",
            b"[]",
            b"{}",
            b'{"id": 1, "began": "x"}',
            b'{"id": "a", "began": 1, "usage": 3}',
            b'{"id": "a", "began": 1e300}',
            b'{"id": "a", "began": -1}',
            b'{"id": "a", "began": 1, "session": 5}',
            b'{"id": "a", "began": 1, "usage": {"input_tokens": "x"}}',
            b'{"id": "a", "began": 1, "milliseconds": {"first": "x"}}',
            b'{"id": "a", "began": 1, "request": ' + b"[" * 100_000,
            b'{"id": "a\xff", "began": 1}',
        ]
    ):
        (folder / f"20200101-000000-000000-bad{number}.json").write_bytes(text)
    status, out, _ = run("trace")
    rows = [line.split("\t") for line in out.splitlines()]
    assert status == 0
    assert (rows[0][0], rows[0][-1]) == (ids(folder)[-1], "unreadable")
    assert [row[-1] for row in rows[1:3]] == ["invalid_request_error", "done"]
    assert {row[-1] for row in rows[3:]} == {"unreadable"} and len(rows) == 15


def test_half_a_character_in_a_request_does_no_harm(run: Run, folder: Path) -> None:
    path = folder / names(folder)[0]
    path.write_bytes(path.read_bytes().replace(b"what is here?", b"\\ud83d"))
    assert [line.split("\t")[-1] for line in run("trace")[1].splitlines()].count("done") == 2


@pytest.mark.parametrize("target", ["nowhere", "/etc/passwd", "theirs"])
def test_a_link_is_no_trace(run: Run, folder: Path, target: str) -> None:
    (folder / "theirs").write_text("{}")
    (folder / "20990101-000000-000000-gone.json").symlink_to(folder / target)
    assert "gone" not in run("trace")[1]


def test_the_users_other_files_are_no_traces(run: Run, folder: Path) -> None:
    listed = run("trace")[1]
    for name in ("package.json", "2026.json", "20990101-000000-000000-.json", "20990101-000000-000000-a.json.bak"):
        (folder / name).write_text('{"id": "theirs", "began": 1}')
    assert run("trace")[1] == listed
    assert run("trace", "show", "package")[0] == 2


def test_a_trace_of_another_user_is_not_read(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegpt_pkg.records.trace.is_own", lambda status: False)
    assert run("trace")[1] == ""


HOSTILE = "a\x1b]52;c;cm0=\x07b\0c\u202ed\x9b2Je\u2028f\rg\nh\U000e0041i"


def test_nothing_in_a_trace_steers_the_terminal_it_is_piped_to(run: Run, folder: Path) -> None:
    path = sorted(folder.iterdir())[0]
    trace = json.loads(path.read_bytes())
    trace |= {"session": HOSTILE, "model": HOSTILE, "tier": HOSTILE, "client": HOSTILE, "notes": [[HOSTILE, HOSTILE]]}
    trace |= {"learned": [HOSTILE], "error": {"kind": HOSTILE, "message": HOSTILE}}
    trace["answer"]["content"] = [{"type": HOSTILE, HOSTILE: HOSTILE}, {"type": "text", "text": HOSTILE}]
    path.write_text(json.dumps(trace))
    for words in (
        ["trace"],
        ["trace", "--json"],
        ["trace", "show", trace["id"]],
        ["trace", "show", trace["id"], "--json"],
    ):
        _, out, err = run(*words)
        assert all(sign.isprintable() or sign in "\n\t" for sign in out + err)
    assert len(run("trace")[1].splitlines()) == 3


def test_without_traces_their_folder_is_named(run: Run) -> None:
    status, out, err = run("trace")
    assert (status, out) == (0, "")
    assert "no trace in ~/claudegpt/state/traces yet" in err.replace("\n", " ")
    assert run("trace", "--json")[:2] == (0, "[]\n")


def test_if_traces_are_off_the_command_to_turn_them_on_is_named(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDEGPT_TRACE", "0")
    status, out, err = run("trace")
    assert (status, out) == (0, "")
    assert "turned off (CLAUDEGPT_TRACE from the environment)" in err
    assert "`claudegpt --trace`" in err and "`claudegpt config set CLAUDEGPT_TRACE 1`" in err
    assert run("trace", "show", "abc")[0] == 2


def test_old_traces_are_listed_while_traces_are_off(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_TRACE", "0")
    status, out, err = run("trace")
    assert (status, len(out.splitlines())) == (0, 3) and "turned off" in err


def test_traces_are_found_in_the_folder_of_the_settings(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.rename(tmp_path / "elsewhere")
    assert run("trace")[1] == ""
    monkeypatch.setenv("CLAUDEGPT_TRACE_DIR", str(tmp_path / "elsewhere"))
    assert len(run("trace")[1].splitlines()) == 3


def test_an_unreadable_folder_is_reported(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "scandir", denied)
    status, out, err = run("trace")
    assert (status, out) == (2, "") and "Cannot read" in err and "Permission denied" in err


def denied(folder: Path) -> None:
    raise PermissionError(13, "Permission denied")


# One of them.


def told(out: str) -> dict[str, str]:
    return {name: text.strip() for name, _, text in (line.partition(" ") for line in out.splitlines())}


def test_one_trace_is_shown_as_text(run: Run, folder: Path) -> None:
    status, out, err = run("trace", "show", ids(folder)[0])
    facts = told(out)
    assert (status, err) == (0, "")
    assert (facts["turn"], facts["session"]) == (ids(folder)[0], "0a1b2c3d-4e5f")
    assert facts["client"].startswith("python-httpx/")
    assert facts["request"] == "claude-opus-4-8, effort high, 1 message, 1 tool, streamed"
    assert facts["sent"].startswith("gpt-6.1-sol, tier opus, provider openai, effort high, 1 item, 1 tool, ")
    assert facts["changed"] == "top_k: dropped: the upstream has no such parameter"
    assert "\n          metadata: used for the cache key only\n" in out
    assert re.fullmatch(r"\d+ms translated · \d+ms accepted · \d+ms first event · \d+ms done", facts["took"])
    assert re.fullmatch(r"\d+ tokens in \(0% cached\), \d+ out", facts["tokens"])
    assert facts["ended"] == "done: tool_use"
    assert (facts["user"], facts["thinking"], facts["answer"]) == ("what is here?", "Looking.", "I look.")
    assert facts["call"] == 'Bash {"command":"ls"}'


def test_a_failed_turn_shows_its_error(run: Run, folder: Path) -> None:
    facts = told(run("trace", "show", ids(folder)[1])[1])
    assert facts["ended"] == "invalid_request_error (400): The upstream refuses the request: This prompt was flagged."
    assert re.fullmatch(r"\d+ms translated · \d+ms failed", facts["took"])
    assert "tokens" not in facts and "answer" not in facts


def test_a_trace_is_folded_to_the_terminals_width(folder: Path) -> None:
    lines = shown("trace", "show", ids(folder)[0], columns=60)
    assert max(map(len, lines)) <= 60
    at = next(index for index, line in enumerate(lines) if line.startswith("sent "))
    assert lines[at + 1].startswith(" " * 10)


@pytest.mark.parametrize("part", ["request", "sent", "answer"])
def test_a_part_is_shown_as_unchanged_json(run: Run, folder: Path, part: str) -> None:
    status, out, err = run("trace", "show", ids(folder)[0], f"--{part}")
    assert (status, err) == (0, "")
    assert json.loads(out) == json.loads((folder / names(folder)[0]).read_bytes())[part]


def test_json_is_the_whole_trace(run: Run, folder: Path) -> None:
    out = run("trace", "show", ids(folder)[0], "--json")[1]
    assert json.loads(out) == json.loads((folder / names(folder)[0]).read_bytes())


def test_the_id_of_an_answer_finds_its_trace(run: Run, folder: Path) -> None:
    message_id = json.loads((folder / names(folder)[0]).read_bytes())["answer"]["id"]
    assert told(run("trace", "show", message_id)[1])["turn"] == ids(folder)[0]


def test_the_beginning_of_an_id_is_enough(run: Run, folder: Path) -> None:
    wanted = ids(folder)[1]
    assert told(run("trace", "show", wanted[:6].upper())[1])["turn"] == wanted


def test_an_unknown_id_is_reported(run: Run, folder: Path) -> None:
    status, out, err = run("trace", "show", "nothing")
    assert (status, out) == (2, "")
    assert "There is no trace 'nothing'. `claudegpt trace` lists the stored traces." in err


def test_an_ambiguous_id_is_reported_with_longer_ones(run: Run, folder: Path) -> None:
    for name in ("abcdef01", "abcdef02"):
        (folder / f"20990101-000000-000000-{name}.json").write_text("{}")
    status, out, err = run("trace", "show", "abc")
    assert (status, out) == (2, "")
    assert "2 traces begin with 'abc'. Give more characters: abcdef02, abcdef01." in err
    assert run("trace", "show", "")[0] == 2


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"id": "torn", "began": 1, "request": {"messages": [{"content": 5}]}}']
)
def test_an_unreadable_trace_is_reported(run: Run, folder: Path, text: str) -> None:
    (folder / "20990101-000000-000000-torn.json").write_text(text)
    status, out, err = run("trace", "show", "torn")
    assert (status, out) == (2, "")
    assert "torn.json cannot be read" in err.replace("\n", " ")


def test_two_parts_at_once_are_refused(run: Run, folder: Path) -> None:
    status, out, err = run("trace", "show", ids(folder)[0], "--sent", "--answer")
    assert (status, out) == (2, "") and "Give one of them" in err


@pytest.mark.parametrize("words", [["nope"], ["show"], ["--limit", "-1"], ["--limit", "x"], ["ls", "--nope"]])
def test_wrong_words_show_the_usage(run: Run, words: list[str]) -> None:
    status, out, err = run("trace", *words)
    assert (status, out) == (2, "") and "Usage: claudegpt trace" in err


def test_the_help_of_trace_names_both_commands(run: Run) -> None:
    status, out, _ = run("trace", "--help")
    assert status == 0 and re.search(r"^ +ls ", out, re.MULTILINE) and re.search(r"^ +show ", out, re.MULTILINE)
    assert "--limit" in run("trace", "ls", "--help")[1]


def test_nothing_in_a_trace_steers_the_terminal(run: Run, home: Path, backend: FakeBackend) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eright"
    backend.script(answer(evil))
    with served(backend, home) as proxy:
        leave(proxy, ask(evil))
    (name,) = ids(proxy.traces)
    for words in ([], ["--answer"], ["--request"], ["--json"]):
        status, out, _ = run("trace", "show", name, *words)
        assert status == 0 and "owned" in out
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out)
    assert json.loads(run("trace", "show", name, "--answer")[1])["content"][0]["text"] == evil


# Small things.


@pytest.mark.parametrize(
    ("names", "length"), [(["abcdefgh"], 6), (["abcdefgh", "abcdefgi"], 8), (["abcdefgh", "abcxefgi"], 6)]
)
def test_ids_are_shown_as_short_as_they_are_unique(names: list[str], length: int) -> None:
    assert unique_length(names) == length
