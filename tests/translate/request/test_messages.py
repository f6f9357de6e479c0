"""The client's messages become input items: in order, nothing lost, nothing that a backend would refuse.

The tests write items in a short form: a message as (role, texts…), an assistant's text as a string, a call as ("call",
id, name, its arguments), an output as ("output", id, what), a reasoning item as ("reasoning", id).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from claudegpt_pkg.capabilities import Capabilities, media_digest
from claudegpt_pkg.translate.reasoning import sign
from claudegpt_pkg.translate.request.conversation_facts import read_facts
from claudegpt_pkg.translate.request.messages import InputBuilder
from claudegpt_pkg.translate.request.pairing import NO_OUTPUT
from claudegpt_pkg.translate.request.system_prompt import Identity
from claudegpt_pkg.translate.request.tool_table import build_tool_table
from claudegpt_pkg.translate.tools import ToolRules, shorten_name
from claudegpt_pkg.translate.wire import openai

PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}}
IMAGE_PART = openai.input_image("data:image/png;base64,iVBORw0K")
FILE_PART = openai.input_file(filename="document.pdf", data_url="data:application/pdf;base64,JVBERi0x")
FOUND = {"name": "mcp__a__b", "input_schema": {"type": "object", "properties": {}}, "defer_loading": True}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": [text(one) if isinstance(one, str) else one for one in content]}


def assistant(*content: Any) -> dict[str, Any]:
    return {**user(*content), "role": "assistant"}


def system(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "system", "content": content, **more}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(call_id: str, name: str = "Bash", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(call_id: str, content: Any = "ok", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def reference(name: str) -> dict[str, Any]:
    return {"type": "tool_reference", "tool_name": name}


def thinking(item_id: str, blob: str = "gAAAAA", phase: str | None = None) -> dict[str, Any]:
    item = {"id": item_id, "summary": [], "encrypted_content": blob}
    return {"type": "thinking", "thinking": "x", "signature": sign(item, phase=phase)}


def late(item_id: str, blob: str) -> dict[str, Any]:
    return {"type": "redacted_thinking", "data": sign({"id": item_id, "encrypted_content": blob}, late=True)}


@dataclass
class Built:
    items: list[dict[str, Any]]
    notes: list[tuple[str, str]]
    media_bytes: int


def conversation(*messages: dict[str, Any], identity: Identity | None = None, **more: Any) -> Built:
    rules = ToolRules(block_mcp=more.pop("block_mcp", False))
    taken = Capabilities(tool_search=more.pop("searching", False), **more)
    tools: list[dict[str, Any]] = [{"name": "Bash"}, {"name": "ToolSearch"}, FOUND]
    facts = read_facts(messages)
    table = build_tool_table(tools, facts.found, rules, taken, revealed=facts.revealed)
    builder = InputBuilder(table, facts, identity, taken)
    return Built(builder.build(messages), builder.notes, builder.media_bytes)


def items(*messages: dict[str, Any], **more: Any) -> list[Any]:
    return [shown(item) for item in conversation(*messages, **more).items]


def shown(item: dict[str, Any]) -> Any:
    kind = item["type"]
    if kind == "message" and isinstance(item["content"], str):
        assert item["role"] == "assistant"
        return item["content"]
    if kind == "message":
        return (item["role"], *map(part, item["content"]))
    if kind == "function_call":
        return "call", item["call_id"], item["name"], item["arguments"]
    if kind == "function_call_output":
        output = item["output"]
        return "output", item["call_id"], output if isinstance(output, str) else list(map(part, output))
    if kind == "tool_search_call":
        return "search", item["call_id"], item["arguments"]
    if kind == "tool_search_output":
        return "found", item["call_id"], [tool["name"] for tool in item["tools"]]
    return kind, item["id"]


def part(one: dict[str, Any]) -> Any:
    return one["text"] if one["type"] == "input_text" else one


# Plain conversations.


def test_messages_become_items_in_order() -> None:
    assert items(
        {"role": "user", "content": "one"},
        assistant("two", "three"),
        user("four", PNG, "five", PDF),
        {"role": "assistant", "content": "six"},
    ) == [("user", "one"), "two", "three", ("user", "four", IMAGE_PART, "five", FILE_PART), "six"]


def test_text_around_calls_keeps_its_place() -> None:
    messages = assistant("before", call("a", command="ls"), "between", call("b"), "after")
    assert items(messages, user(result("a", "A"), result("b", "B"), "and now?")) == [
        "before",
        ("call", "a", "Bash", '{"command":"ls"}'),
        "between",
        ("call", "b", "Bash", "{}"),
        "after",
        ("output", "a", "A"),
        ("output", "b", "B"),
        ("user", "and now?"),
    ]


@pytest.mark.parametrize("empty", ["", [], [text("")]])
def test_an_empty_message_becomes_no_item(empty: Any) -> None:
    assert items(user("hi"), {"role": "assistant", "content": empty}, {"role": "user", "content": empty}) == [
        ("user", "hi")
    ]


def test_a_system_message_becomes_a_developer_message_in_its_place() -> None:
    messages = [user("one"), system("rule"), assistant("two"), system([text("a"), text(""), text("b")]), system("")]
    assert items(*messages) == [("user", "one"), ("developer", "rule"), "two", ("developer", "a", "b")]


def test_a_system_message_gives_the_same_item_as_a_string_and_as_marked_blocks() -> None:
    marked = [{**text("rule"), "cache_control": {"type": "ephemeral"}}]
    assert conversation(user("x"), system("rule")).items == conversation(user("x"), system(marked)).items


def test_a_system_message_that_only_changes_the_effort_becomes_no_item() -> None:
    assert items(user("x"), {"role": "system", "output_config": {"effort": "low"}}) == [("user", "x")]


def test_a_system_message_names_the_real_model() -> None:
    said = " - You are powered by the model named Opus 4.8. The exact model ID is claude-opus-4-8."
    (message,) = items(system(said), identity=Identity("GPT-6 Sol", "gpt-6-sol"))
    assert message[1] == " - You are powered by the model named GPT-6 Sol. The exact model ID is gpt-6-sol."


def test_a_system_message_for_one_turn_is_left_out_after_the_next_user_message() -> None:
    once = system("now", clear_at="next_user_message")
    assert items(user("a"), once) == [("user", "a"), ("developer", "now")]
    assert items(user("a"), once, assistant("b"), user("c")) == [("user", "a"), "b", ("user", "c")]
    always = system("now", clear_at="never")
    assert ("developer", "now") in items(user("a"), always, user("c"))


# Tool results.

TWO_TEXTS = [text("one"), text("two")]
OUTPUTS: list[tuple[dict[str, Any], Any]] = [
    (result("a", "plain"), "plain"),
    (result("a", TWO_TEXTS), "one\ntwo"),
    (result("a", ""), NO_OUTPUT),
    (result("a", None), NO_OUTPUT),
    (result("a", []), NO_OUTPUT),
    (result("a", [text("")]), NO_OUTPUT),
    (result("a", [text("see"), PNG]), ["see", IMAGE_PART]),
    (result("a", [PNG, PDF]), [IMAGE_PART, FILE_PART]),
    (result("a", "went wrong", is_error=True), "Error:\nwent wrong"),
    (result("a", "Error: went wrong", is_error=True), "Error: went wrong"),
    (result("a", "<tool_use_error>no</tool_use_error>", is_error=True), "<tool_use_error>no</tool_use_error>"),
    (result("a", "", is_error=True), "Error:"),
    (result("a", [PNG], is_error=True), ["Error:", IMAGE_PART]),
    (result("a", "fine", is_error=False), "fine"),
    (result("a", [text("x"), {"type": "hologram"}]), "x"),
    (
        result("a", [reference("mcp__a__b"), reference("x.y")]),
        "These tools can be called now: mcp__a__b, " + shorten_name("x.y"),
    ),
    (
        result("a", [{"type": "search_result", "title": "T", "source": "s", "content": [text("c")]}]),
        "Search result: T\nSource: s\nc",
    ),
]


@pytest.mark.parametrize(("given", "output"), OUTPUTS)
def test_a_result_becomes_its_calls_output(given: dict[str, Any], output: Any) -> None:
    assert items(assistant(call("a")), user(given))[1:] == [("output", "a", output)]


def test_images_follow_in_a_user_message_if_outputs_take_none() -> None:
    messages = [assistant(call("a"), call("b")), user(result("a", [text("A"), PNG]), result("b", [PDF]), "look")]
    assert items(*messages, media_in_outputs=False)[2:] == [
        ("output", "a", "A\n[what this tool returned is shown in the next message]"),
        ("output", "b", "[what this tool returned is shown in the next message]"),
        ("user", IMAGE_PART, FILE_PART, "look"),
    ]


def test_the_bytes_of_images_are_counted_apart() -> None:
    read = conversation(user(PNG), assistant(call("a")), user(result("a", [PDF])))
    urls = (IMAGE_PART["image_url"], FILE_PART["file_data"])
    assert read.media_bytes == sum(map(len, urls))


# Calls.


def test_a_long_id_is_shortened_alike_in_calls_and_results() -> None:
    long_id, odd_name = "toolu_" + "x" * 80, "mcp__a.b__c"
    assert items(assistant(call(long_id, odd_name)), user(result(long_id))) == [
        ("call", shorten_name(long_id), shorten_name(odd_name), "{}"),
        ("output", shorten_name(long_id), "ok"),
    ]


# Reasoning.


def test_signed_reasoning_is_replayed_whole_before_what_it_led_to() -> None:
    read = conversation(user("x"), assistant(thinking("rs_1"), "said", thinking("rs_2"), call("a")), user(result("a")))
    assert list(map(shown, read.items)) == [
        ("user", "x"),
        ("reasoning", "rs_1"),
        "said",
        ("reasoning", "rs_2"),
        ("call", "a", "Bash", "{}"),
        ("output", "a", "ok"),
    ]
    assert read.items[1] == {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAA"}
    assert read.notes == []


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "Hm.", "signature": "EqQBCgIYAhIM"},
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking"},
        {"type": "redacted_thinking", "data": "EmwKAhgBEgy"},
        thinking("rs_1", blob=""),
    ],
)
def test_reasoning_that_cannot_be_replayed_is_dropped_and_noted(block: dict[str, Any]) -> None:
    read = conversation(user("x"), assistant(block, "said"))
    assert list(map(shown, read.items)) == [("user", "x"), "said"]
    assert [field for field, _ in read.notes] == [f"messages.{block['type']}"]


@pytest.mark.parametrize(
    "after",
    [
        (),
        (user("x"),),
        (user(""), assistant("y")),
        (system(""), assistant("y")),
        (system("rule"), assistant("y")),
        (assistant(""),),
        (assistant({"type": "hologram"}),),
    ],
)
def test_reasoning_that_led_to_nothing_is_left_out(after: tuple[dict[str, Any], ...]) -> None:
    made = items(user("x"), assistant(thinking("rs_1")), *after)
    assert ("reasoning", "rs_1") not in made


def test_a_replayed_message_keeps_its_phase() -> None:
    turn = assistant(thinking("rs_1", phase="commentary"), "looking", call("a"), "unmarked", call("b"))
    end = assistant(thinking("rs_2", phase="final_answer"), "done", "and done")
    messages = [user("x"), turn, user(result("a"), result("b")), end, user("thanks"), assistant("unmarked too")]
    said = [item for item in conversation(*messages).items if item.get("role") == "assistant"]
    phases = {item["content"]: item.get("phase") for item in said}
    assert phases.pop("looking") == "commentary"
    assert phases.pop("done") == phases.pop("and done") == "final_answer"
    assert set(phases.values()) == {None}
    assert not any("phase" in item for item in conversation(*messages, phases=False).items)


def test_a_phase_is_kept_even_if_its_reasoning_is_not_replayed() -> None:
    turn = assistant(thinking("rs_1", blob="", phase="commentary"), "looking", late("rs_9", "B"))
    assert conversation(user("x"), turn).items[1] == openai.assistant_message("looking", phase="commentary")


def test_the_same_reasoning_is_replayed_once() -> None:
    again = assistant(thinking("rs_1"), "said")
    assert items(user("x"), again, user("y"), again) == [
        ("user", "x"),
        ("reasoning", "rs_1"),
        "said",
        ("user", "y"),
        "said",
    ]


def test_encrypted_content_that_came_late_completes_its_reasoning_item() -> None:
    read = conversation(
        user("x"), assistant(thinking("rs_1", blob=""), call("a"), late("rs_1", "B")), user(result("a"))
    )
    assert [shown(item)[0] for item in read.items] == ["user", "reasoning", "call", "output"]
    assert read.items[1]["encrypted_content"] == "B" and read.notes == []


def test_reasoning_that_the_backend_could_not_read_is_not_sent_again() -> None:
    messages = [user("x"), assistant(thinking("rs_1"), "a", thinking("rs_2"), "b")]
    assert items(*messages, refused_reasoning=frozenset({"rs_1"})) == [("user", "x"), "a", ("reasoning", "rs_2"), "b"]


# Server tools, and blocks of Anthropic's own.

SERVER_CALL = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
SERVER_RESULT = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [{"type": "web_search_result", "url": "https://a.test", "title": "A", "encrypted_content": "E"}],
}


def test_what_a_server_tool_did_becomes_text_in_its_place() -> None:
    assert items(user("x"), assistant("I look.", SERVER_CALL, SERVER_RESULT, "Found."), user("y")) == [
        ("user", "x"),
        "I look.",
        '[web_search: {"query":"q"}]',
        "A https://a.test",
        "Found.",
        ("user", "y"),
    ]


def test_text_about_a_server_tool_stands_before_the_reasoning_around_it() -> None:
    turn = assistant(thinking("rs_1"), SERVER_CALL, SERVER_RESULT, thinking("rs_2"), "Found.")
    assert items(user("x"), turn) == [
        ("user", "x"),
        '[web_search: {"query":"q"}]',
        "A https://a.test",
        ("reasoning", "rs_1"),
        ("reasoning", "rs_2"),
        "Found.",
    ]


def test_calls_of_anthropics_mcp_connector_become_texts() -> None:
    made = items(
        assistant(
            {"type": "mcp_tool_use", "id": "m", "name": "ask", "server_name": "docs", "input": {"q": 1}},
            {"type": "mcp_tool_result", "tool_use_id": "m", "is_error": False, "content": [text("answer")]},
        )
    )
    assert made == ['[ask: {"q":1}]', "answer"]


def test_a_compaction_block_becomes_an_assistant_text() -> None:
    made = items(assistant({"type": "compaction", "content": "What was done."}), user("go on"))
    assert made == ["What was done.", ("user", "go on")]
    assert items(assistant({"type": "compaction", "content": None}), user("go on")) == [("user", "go on")]


@pytest.mark.parametrize("block", [{"type": "fallback", "to": {}}, {"type": "container_upload", "file_id": "f"}])
def test_an_unknown_block_is_left_out_and_noted(block: dict[str, Any]) -> None:
    for message in (assistant("a", block, "b"), user("a", block, "b")):
        read = conversation(message)
        assert [field for field, _ in read.notes] == [f"messages.{block['type']}"]
        assert "a" in str(read.items) and "b" in str(read.items)


# Tool search.

SEARCH = [
    assistant(call("s", "ToolSearch", query="b")),
    user(result("s", [reference("mcp__a__b"), reference("unknown"), text("two more")])),
]


def test_a_backend_with_tool_search_gets_a_tool_search_call() -> None:
    read = conversation(*SEARCH, searching=True)
    assert list(map(shown, read.items)) == [
        ("search", "s", {"query": "b"}),
        ("found", "s", ["mcp__a__b"]),
        ("user", "two more"),
    ]


def test_on_other_backends_a_tool_search_is_an_ordinary_call() -> None:
    assert items(*SEARCH) == [
        ("call", "s", "ToolSearch", '{"query":"b"}'),
        ("output", "s", "two more\nThese tools can be called now: mcp__a__b, unknown"),
    ]


def test_a_found_tool_that_the_settings_leave_out_is_named_as_turned_off() -> None:
    said = "two more\nThese tools can be called now: unknown\nThese tools are turned off: mcp__a__b"
    assert items(*SEARCH, block_mcp=True)[1] == ("output", "s", said)
    assert items(*SEARCH, block_mcp=True, searching=True)[1] == ("found", "s", [])


# Images and files that the backend does not take.

URL = "data:image/png;base64,AA"


def image(data: str = "AA") -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def test_a_line_of_text_stands_for_an_image_that_the_model_does_not_take() -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "see"}, image()]}
    read = conversation(message, images=False)
    line = "[an image that cannot be shown here: this model takes no images]"
    assert [shown(item) for item in read.items] == [("user", "see", line)]
    assert read.media_bytes == 0
    assert read.notes == [("messages.image", "replaced by a line of text: this model takes no images")]


def test_a_backend_may_take_images_and_refuse_files() -> None:
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA"}}
    (made,) = items({"role": "user", "content": [image(), pdf]}, files=False)
    assert made[1]["type"] == "input_image"
    assert made[2] == "[a document that cannot be shown here: this model takes no files]"


def test_only_the_image_that_was_refused_is_replaced() -> None:
    message = {"role": "user", "content": [image("AA"), image("BB")]}
    (made,) = items(message, refused_media=frozenset({media_digest(URL)}))
    assert made[1] == "[an image that cannot be shown here: the backend could not read it]"
    assert made[2]["image_url"].endswith("BB")


def test_an_image_in_a_tool_result_is_replaced_in_its_output() -> None:
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "Bash", "input": {}}]}
    result = {"type": "tool_result", "tool_use_id": "c", "content": [image()]}
    made = items(call, {"role": "user", "content": [result]}, images=False)
    assert made[-1] == ("output", "c", "[an image that cannot be shown here: this model takes no images]")


def test_an_output_of_texts_stays_where_it_is_if_outputs_take_no_images() -> None:
    two = result("a", [text("one"), text("two")])
    made = items(assistant(call("a")), user(two), media_in_outputs=False)
    assert made[-1] == ("output", "a", "one\ntwo")
