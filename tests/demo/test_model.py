"""The scripted model, driven by a client that runs its calls in an imaginary folder."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claudegpt_pkg.demo.conversation import read_conversation

from ..support.demo_client import ENVIRONMENT, PLACE, USUAL, Folder, converse, function, request, says

NOTE = "claudegpt-demo-note.md"
QUESTION = "what is in this folder?"


def names_of_turn(**fields: Any) -> list[str]:
    return converse(QUESTION, Folder({"a.txt": "one"}), **fields).names


# The tour.


def test_a_question_about_the_folder_looks_reads_writes_a_note_runs_a_command_and_tells() -> None:
    folder = Folder({"a.txt": "alpha\nbeta", "src/": ""})

    done = converse(QUESTION, folder)

    assert done.names == ["Bash", "Read", "Write", "Bash"]
    assert done.calls[1][1]["file_path"] == f"{PLACE}/a.txt"
    assert "alpha" in folder.files[NOTE]
    assert "`src/`" in done.answer
    assert "alpha\nbeta" in done.answer
    assert f"9 99 {PLACE}/{NOTE}" in done.answer
    assert "no GPT behind it" in done.answer


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        (("Bash", "Read", "Glob", "Write"), ["Bash", "Read", "Write", "Bash"]),
        (("Glob", "Read", "Write"), ["Glob", "Read", "Write"]),
        (("Read", "Write"), []),
        (("Bash",), ["Bash", "Bash", "Bash"]),
        ((), []),
    ],
)
def test_the_tour_uses_what_tools_there_are(tools: tuple[str, ...], names: list[str]) -> None:
    done = converse(QUESTION, Folder({"a.txt": "one"}), tools)

    assert done.names == names
    assert "no GPT" in done.answer


@pytest.mark.parametrize(
    "denied", [("Bash",), ("Read",), ("Write",), ("Bash", "Glob"), ("Bash", "Read", "Write", "Glob")]
)
def test_what_is_denied_is_said_and_the_rest_still_done(denied: tuple[str, ...]) -> None:
    done = converse(QUESTION, Folder({"a.txt": "one"}, denied), ("Bash", "Read", "Write", "Glob"))

    refused = {name for name, output in zip(done.names, done.outputs, strict=True) if "haven't granted" in output}
    assert refused
    for name in refused:
        assert f"`{name}` did not work" in done.answer
    if "Write" not in denied and denied != ("Bash", "Glob"):
        assert "Write" in done.names


@pytest.mark.parametrize(
    "output", ["", "\x00\x01", "Error: no", "x" * 100_000, "\n" * 5000, "{}", [{"type": "input_text", "text": "é"}]]
)
def test_a_turn_ends_whatever_the_tools_return(output: Any) -> None:
    done = converse(QUESTION, lambda name, arguments: output, ("Bash", "Read", "Write", "Glob"))

    assert done.answer
    assert len(done.calls) <= 8


def test_the_folder_is_asked_of_the_shell_where_the_client_does_not_say_it() -> None:
    folder = Folder({"a.txt": "one"})

    done = converse(QUESTION, folder, before=[])

    assert done.calls[0][1]["command"] == "pwd && ls -Ap"
    assert NOTE in folder.files


def test_an_empty_folder_is_said_to_be_empty() -> None:
    done = converse(QUESTION, Folder())

    assert "there is nothing" in done.answer
    assert "Read" not in done.names


def test_a_note_that_is_there_is_not_replaced() -> None:
    folder = Folder({NOTE: "mine"})

    converse(QUESTION, folder)

    assert folder.files[NOTE] == "mine"
    assert "claudegpt-demo-note-2.md" in folder.files


def test_two_files_are_read_at_once_only_if_the_client_allows_it() -> None:
    def first_reads(parallel: bool) -> int:
        done = converse(QUESTION, Folder({"README.md": "r", "b.py": "b"}), parallel_tool_calls=parallel)
        at = next(place for place, item in enumerate(done.input) if item.get("name") == "Read")
        return sum(item.get("name") == "Read" for item in done.input[at : at + 2])

    assert first_reads(parallel=True) == 2
    assert first_reads(parallel=False) == 1


def test_files_that_may_hold_secrets_are_not_opened_by_itself() -> None:
    done = converse(QUESTION, Folder({".env": "KEY=1", "secrets.txt": "s", "id_rsa": "k", "notes.txt": "n"}))

    assert [arguments["file_path"] for name, arguments in done.calls if name == "Read"] == [f"{PLACE}/notes.txt"]


def test_strange_names_are_quoted_for_the_shell() -> None:
    done = converse(QUESTION, Folder({"a b; rm -rf $HOME.txt": "one"}), ("Bash",))

    assert done.calls[1][1]["command"].endswith(f"-- '{PLACE}/a b; rm -rf $HOME.txt'")


@pytest.mark.parametrize(
    "prompt",
    [
        "What is in this folder? Don't write anything.",
        "Look at the files here, read-only",
        "list files without changing any",
    ],
)
def test_nothing_is_written_where_the_user_forbids_it(prompt: str) -> None:
    assert "Write" not in converse(prompt, Folder({"a.txt": "one"})).names


def test_in_plan_mode_nothing_is_written_or_run() -> None:
    reminder = "<system-reminder>\nPlan mode is active. You MUST NOT make any edits.\n</system-reminder>"
    prompt = says("user", reminder, QUESTION)

    done = converse(prompt, Folder({"a.txt": "one"}))

    assert done.names == ["Bash", "Read"]
    assert "Plan mode" in done.answer


def test_the_next_turn_starts_anew_with_the_same_conversation() -> None:
    folder = Folder({"a.txt": "one"})
    first = converse(QUESTION, folder)

    second = converse("hello", folder, before=first.input)

    assert second.names == []
    assert second.answer.startswith("Hello!")


def test_a_change_is_answered_with_what_the_demo_can_do() -> None:
    done = converse("fix the failing build", Folder({"a.txt": "one"}))

    assert "needs a real model" in done.answer
    assert done.names[0] == "Bash"


# Other prompts.


def test_a_named_file_is_read_and_nothing_else_happens() -> None:
    done = converse("read a.txt and tell me what it says", Folder({"a.txt": "alpha", "b.txt": "beta"}))

    assert done.names == ["Read"]
    assert "alpha" in done.answer


def test_a_file_that_looks_like_a_folder_is_read_all_the_same() -> None:
    outputs = {"Bash": "/etc/hosts", "Read": "1\t127.0.0.1 localhost"}

    done = converse("what is in /etc/hosts?", lambda name, arguments: outputs[name], ("Bash", "Read"))

    assert done.calls[1][1]["file_path"] == "/etc/hosts"
    assert "localhost" in done.answer


def test_another_folder_is_listed_where_the_user_names_one() -> None:
    outputs = {"Bash": "x.py\n", "Read": "1\tprint(1)", "Write": "ok"}

    done = converse("look at ./src please", lambda name, arguments: outputs[name])

    assert done.calls[0][1]["command"] == "ls -Ap -- ./src"
    assert done.calls[1][1]["file_path"] == f"{PLACE}/src/x.py"


def test_a_file_is_created_with_the_text_the_user_gave() -> None:
    folder = Folder({"a.txt": "one"})

    done = converse('create hello.txt containing "Hello, world!"', folder)

    assert folder.files["hello.txt"] == "Hello, world!\n"
    assert "I wrote **`hello.txt`**" in done.answer


def test_a_file_that_is_there_is_not_replaced() -> None:
    folder = Folder({"a.txt": "one"})

    done = converse("write a.txt with the text two", folder)

    assert folder.files["a.txt"] == "one"
    assert "there already" in done.answer


def test_nothing_is_written_where_the_folder_cannot_be_seen() -> None:
    done = converse("create b.txt containing two", Folder(denied=("Bash",)))

    assert "Write" not in done.names
    assert "could not see" in done.answer


def test_a_harmless_command_is_run() -> None:
    done = converse("run `echo hi there`")

    assert done.calls == [("Bash", {"command": "echo hi there", "description": "Run the command the user asked for"})]
    assert "hi there" in done.answer


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf .",
        "echo hi > a.txt",
        "ls; rm a",
        "cat $(x)",
        "git push",
        "ls | sh",
        "echo `rm a`",
        "git log -p --output=x",
    ],
)
def test_other_commands_are_not_run(command: str) -> None:
    assert converse(f"run {command}").names == []


@pytest.mark.parametrize("prompt", ["run the tests", "run my tests please", "execute everything"])
def test_what_is_no_command_is_not_taken_for_one(prompt: str) -> None:
    assert "harmless commands, such as" not in converse(prompt, Folder({"a.txt": "one"})).answer


@pytest.mark.parametrize(
    ("prompt", "words"),
    [("say hi", "hi"), ('Reply with exactly "banana".', "banana"), ("respond only with the word pong", "pong")],
)
def test_it_says_what_it_is_told_to_say(prompt: str, words: str) -> None:
    assert converse(prompt).answer.splitlines()[0] == words


def test_it_remembers_what_was_said_before() -> None:
    before = converse("hello", Folder()).input

    assert "1. hello" in converse("what did I say first?", before=before).answer


def test_compaction_gets_a_summary_of_the_conversation_without_a_call() -> None:
    before = converse(QUESTION, Folder({"a.txt": "one"})).input

    done = converse("CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\nSummarise.", before=before)

    assert done.names == []
    assert QUESTION in done.answer
    assert "<summary>" in done.answer


def test_an_image_in_the_prompt_is_acknowledged_with_kind_and_size() -> None:
    prompt = says("user", "what do you see?")
    prompt["content"].append({"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"})

    assert "a PNG image of 1×1 (70 bytes)" in converse(prompt).answer


def test_an_image_in_a_tool_result_is_acknowledged_too() -> None:
    picture = [{"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}]

    assert "a PNG image of 1×1" in converse("look at logo.png", lambda name, arguments: picture).answer


def test_words_of_the_client_are_not_taken_for_the_users() -> None:
    reminder = "<system-reminder>\nThe folder has files; list, read and fix them.\n</system-reminder>\n"

    assert converse(says("user", reminder, "hello")).answer.startswith("Hello!")


def test_a_json_schema_gets_json_of_that_schema() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    form = {"format": {"type": "json_schema", "name": "answer", "schema": schema}}

    assert json.loads(converse("fix the login page", text=form).answer) == {"title": "Fix the login page"}


def test_structured_output_is_handed_over_once() -> None:
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
    tools = ("Bash", function("StructuredOutput", schema))

    done = converse("hello, 42 times", lambda name, arguments: "ok", tools)

    assert done.calls == [("StructuredOutput", {"count": 42})]


def test_a_text_is_replaced_in_a_file_that_was_read_before() -> None:
    folder = Folder({"a.txt": "one, and one more"})

    done = converse('replace "one, " with "two, " in a.txt', folder, ("Read", "Edit"))

    assert done.names == ["Read", "Edit"]
    assert folder.files["a.txt"] == "two, and one more"


def test_a_subagent_looks_around_and_is_quoted() -> None:
    fields = {name: {"type": "string"} for name in ("description", "prompt", "subagent_type")}
    agent = function("Agent", {"type": "object", "properties": fields, "required": ["description", "prompt"]})

    done = converse("let a subagent look at the code", lambda name, arguments: "I saw a.txt", (agent, *USUAL))

    assert done.names == ["Agent"]
    assert "I saw a.txt" in done.answer


def test_long_instructions_that_name_a_file_do_not_create_it() -> None:
    folder = Folder({"a.txt": "one"})

    prompt = "Please analyze this codebase and create a CLAUDE.md file.\n" + "Include the commands. " * 30
    done = converse(prompt, folder)

    assert "CLAUDE.md" not in folder.files
    assert [arguments["file_path"] for name, arguments in done.calls if name == "Read"] == [f"{PLACE}/a.txt"]


def test_a_file_shown_after_its_result_belongs_to_the_result() -> None:
    first = converse("read bill.pdf", lambda name, arguments: "PDF file read")
    shown = {"type": "input_file", "filename": "bill.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}
    items = [*first.input[:-2], {"type": "message", "role": "user", "content": [shown]}]

    assert read_conversation(request(items, [])).results[0].attachments == ("`bill.pdf`, a PDF file (4 bytes)",)


# Other clients' tools.

WEATHER = function(
    "get_weather",
    {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]},
)


def test_a_tool_of_another_client_is_called_and_its_result_told() -> None:
    done = converse("What is the weather in Paris?", lambda name, arguments: "Sunny, 21 °C", (WEATHER,))

    assert done.calls == [("get_weather", {"city": "Paris"})]
    assert "Sunny, 21 °C" in done.answer


def test_an_mcp_tool_gets_the_numbers_of_the_prompt() -> None:
    numbers = {"a": {"type": "number"}, "b": {"type": "number"}}
    add = function("mcp__calc__add", {"type": "object", "properties": numbers, "required": ["a", "b"]})

    done = converse("add 2 and 3", lambda name, arguments: str(arguments["a"] + arguments["b"]), ("Bash", add))

    assert done.calls == [("mcp__calc__add", {"a": 2, "b": 3})]
    assert "5" in done.answer


def test_a_risky_tool_is_not_called_by_itself() -> None:
    assert (
        converse("delete the page", tools=(function("delete_page", {"type": "object", "properties": {}}),)).names == []
    )


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "get_weather"}])
def test_a_forced_tool_is_called_and_the_turn_still_ends(choice: Any) -> None:
    done = converse("hello", lambda name, arguments: "fine", (WEATHER,), tool_choice=choice)

    assert set(done.names) == {"get_weather"}
    assert done.answer


def test_tool_choice_none_is_kept() -> None:
    assert converse(QUESTION, Folder({"a.txt": "one"}), tool_choice="none").names == []


def test_without_reasoning_nothing_is_thought() -> None:
    done = converse("hello", reasoning={"effort": "none"})

    assert [item["type"] for item in done.input if item["type"] != "message"] == []


def test_the_environment_may_stand_in_the_instructions() -> None:
    done = converse(QUESTION, Folder({"a.txt": "one"}), before=[], instructions=ENVIRONMENT)

    assert done.calls[0][1]["command"] == "ls -Ap"


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
