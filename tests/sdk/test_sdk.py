"""The `anthropic` package as the second real client: what it sends is answered, what it gets it understands."""

from __future__ import annotations

import base64
import json
from typing import Any

import anthropic
import httpx
import pydantic
import pytest
from anthropic.types import MessageParam, ToolParam

from tests.support.fakes.answers import answer, call, error, failed, incomplete, reasoning, refusal
from tests.support.fakes.backend import FakeBackend
from tests.support.grammar import check_message

MODEL = "claude-opus-4-8"
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Person(pydantic.BaseModel):
    name: str
    age: int


PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 40).decode()


def asked(words: str) -> list[MessageParam]:
    return [{"role": "user", "content": words}]


def test_text(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    backend.script(answer("Hello, *you*."))
    message = client.messages.create(model=MODEL, max_tokens=1000, system="Be kind.", messages=asked("Hi"))
    check_message(json.loads(message.to_json()))
    assert [block.to_dict() for block in message.content] == [{"type": "text", "text": "Hello, *you*."}]
    assert (message.stop_reason, message.model) == ("end_turn", MODEL)
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0
    body = backend.requests[0].body
    assert body["instructions"] == "Be kind." and body["max_output_tokens"] == 1000


def test_text_streaming(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    backend.script(answer("One two three."))
    with client.messages.stream(model=MODEL, max_tokens=1000, messages=asked("Count")) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    assert "".join(pieces) == "One two three." and len(pieces) > 1
    assert message.stop_reason == "end_turn"


@pytest.mark.parametrize("streaming", [True, False])
def test_a_tool_loop_with_thinking(client: anthropic.Anthropic, backend: FakeBackend, streaming: bool) -> None:
    thought = reasoning("I need the weather.")
    asking = call("get_weather", city="Oslo")
    backend.script(answer(thought, "Let me look.", asking), answer("It rains in Oslo."))
    messages = asked("Weather in Oslo?")

    def turn() -> anthropic.types.Message:
        options: Any = {
            "model": MODEL,
            "max_tokens": 5000,
            "tools": [WEATHER],
            "thinking": {"type": "enabled", "budget_tokens": 2000},
            "messages": messages,
        }
        if streaming:
            with client.messages.stream(**options) as stream:
                return stream.get_final_message()
        whole: anthropic.types.Message = client.messages.create(**options)
        return whole

    first = turn()
    assert [block.type for block in first.content] == ["thinking", "text", "tool_use"]
    assert first.stop_reason == "tool_use"
    used = first.content[2]
    assert used.type == "tool_use" and used.input == {"city": "Oslo"}
    messages.append({"role": "assistant", "content": first.content})
    result: Any = {"type": "tool_result", "tool_use_id": used.id, "content": "rain, 4 °C"}
    messages.append({"role": "user", "content": [result]})
    second = turn()
    assert second.content[0].to_dict()["text"] == "It rains in Oslo."
    sent = backend.requests[1].items
    assert [item["type"] for item in sent] == [
        "message",
        "reasoning",
        "message",
        "function_call",
        "function_call_output",
    ]
    assert sent[1] == thought.done
    assert sent[4]["output"] == "rain, 4 °C"


@pytest.mark.parametrize("streaming", [True, False])
def test_the_tool_runner(client: anthropic.Anthropic, backend: FakeBackend, streaming: bool) -> None:
    """It would leave the conversation with the server and send only what is new; here it learns to send all of it."""

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"rain in {city}"

    cities = [call("get_weather", city=city) for city in ("Oslo", "Rome", "Bonn")]
    thought = reasoning("Rome too.")
    backend.script(answer(cities[0]), answer(thought, *cities[1:]), answer("It rains everywhere."))
    options: Any = {"model": MODEL, "max_tokens": 2000, "messages": asked("Weather?"), "stream": streaming}
    runner = client.beta.messages.tool_runner(tools=[get_weather], thinking={"type": "adaptive"}, **options)
    [block] = runner.until_done().content
    assert block.type == "text" and block.text == "It rains everywhere."
    last = backend.requests[2]
    assert [item["output"] for item in last.of_type("function_call_output")] == [
        f"rain in {city}" for city in ("Oslo", "Rome", "Bonn")
    ]
    assert last.of_type("reasoning") == [thought.done]


def test_a_forced_tool(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    backend.script(answer(call("get_weather", city="Oslo")))
    client.messages.create(
        model=MODEL,
        max_tokens=100,
        tools=[WEATHER],
        tool_choice={"type": "tool", "name": "get_weather"},
        messages=asked("?"),
    )
    assert backend.requests[0].body["tool_choice"] == {"type": "function", "name": "get_weather"}


def test_images_from_bytes_and_from_the_web(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    backend.script(answer("Two pictures."))
    client.messages.create(
        model=MODEL,
        max_tokens=100,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    {"type": "image", "source": {"type": "url", "url": "https://pictures.example/a.png"}},
                    {"type": "text", "text": "What is this?"},
                ],
            }
        ],
    )
    parts = backend.requests[0].items[0]["content"]
    assert [part["type"] for part in parts] == ["input_image", "input_image", "input_text"]
    assert parts[0]["image_url"] == f"data:image/png;base64,{PIXEL}"
    assert parts[1]["image_url"] == "https://pictures.example/a.png"


def test_an_image_in_a_tool_result(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    backend.script(answer("A dot."))
    picture: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    client.messages.create(
        model=MODEL,
        max_tokens=100,
        tools=[WEATHER],
        messages=[
            *asked("Look"),
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [picture]}]},
        ],
    )
    (output,) = backend.requests[0].of_type("function_call_output")
    assert output["output"][0]["image_url"] == f"data:image/png;base64,{PIXEL}"


def test_a_stop_sequence_cuts_exactly(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    backend.script(answer("<block>no</block> and more of it", stall_after=8))
    message = client.messages.create(
        model=MODEL, max_tokens=100, stop_sequences=["</block>"], messages=asked("Is it safe?")
    )
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "</block>")
    assert message.content[0].to_dict()["text"] == "<block>no"
    backend.requests[0].wait_left()


def test_the_ends_of_an_answer(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    backend.script(answer("Half", end=incomplete("max_output_tokens")), answer(refusal("No.")))
    reasons = [client.messages.create(model=MODEL, max_tokens=50, messages=asked("x")).stop_reason for _ in range(2)]
    assert reasons == ["max_tokens", "refusal"]


def test_an_answer_in_the_shape_of_a_class(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    backend.route(lambda request: "text" in request.body, answer('{"name": "Ann", "age": 3}'))
    message = client.messages.parse(model=MODEL, max_tokens=500, messages=asked("Who?"), output_format=Person)
    assert message.parsed_output == Person(name="Ann", age=3)
    assert backend.side[0].body["text"]["format"]["strict"] is True


@pytest.mark.parametrize("path", ["/v1/messages/batches", "/v1/files", "/v1/complete"])
def test_what_is_not_here_is_politely_refused(client: anthropic.Anthropic, path: str) -> None:
    with pytest.raises(anthropic.NotFoundError, match=f"There is no POST {path} here"):
        client.post(path, body={}, cast_to=object)


def test_count_tokens(client: anthropic.Anthropic) -> None:
    def count(words: str, **more: Any) -> int:
        return client.messages.count_tokens(model=MODEL, messages=asked(words), **more).input_tokens

    short = count("hello")
    assert 0 < short < 100
    assert 950 < count("hello " * 1000) - short < 1050
    assert count("hello", tools=[WEATHER]) > short


def test_models(client: anthropic.Anthropic) -> None:
    listed = [model.id for model in client.models.list()]
    assert listed
    assert client.models.retrieve(listed[0]).id == listed[0]


def test_errors_are_the_packages_own(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    backend.script(error(400, "invalid_prompt", "Flagged."), error(401, "invalid_api_key", "Incorrect API key"))
    with pytest.raises(anthropic.BadRequestError, match=r"Flagged\."):
        client.messages.create(model=MODEL, max_tokens=50, messages=asked("x"))
    with pytest.raises(anthropic.AuthenticationError):
        client.messages.create(model=MODEL, max_tokens=50, messages=asked("x"))
    nobody: Any = {"role": "nobody", "content": 7}
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0"):
        client.messages.create(model=MODEL, max_tokens=50, messages=[nobody])


def test_a_failure_within_a_stream_is_raised(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    backend.script(answer("Half of it", end=failed("server_error", "it broke"), stall_after=6))
    with (
        pytest.raises(anthropic.APIStatusError, match="it broke"),
        client.messages.stream(model=MODEL, max_tokens=50, messages=asked("x")) as stream,
    ):
        next(iter(stream.text_stream))
        backend.release()
        stream.get_final_message()


def test_leaving_a_stream_closes_it_upstream(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    backend.script(answer("One two three", stall_after=6))
    with client.messages.stream(model=MODEL, max_tokens=50, messages=asked("x")) as stream:
        next(iter(stream.text_stream))
    backend.requests[0].wait_left()


def test_both_ways_to_present_the_token(exports: dict[str, str], backend: FakeBackend) -> None:
    url, token = exports["ANTHROPIC_BASE_URL"], exports["ANTHROPIC_AUTH_TOKEN"]
    body = {"model": MODEL, "max_tokens": 50, "messages": asked("x")}
    backend.script(answer("1"), answer("2"))
    for headers in ({"x-api-key": token}, {"authorization": f"Bearer {token}"}):
        assert httpx.post(f"{url}/v1/messages", json=body, headers=headers).status_code == 200
    for refused in ({}, {"x-api-key": "wrong"}):
        assert httpx.post(f"{url}/v1/messages", json=body, headers=refused).status_code == 401
    page = {"x-api-key": token, "origin": "https://evil.example"}
    assert httpx.post(f"{url}/v1/messages", json=body, headers=page).status_code == 403


def test_parallel_calls_are_off_for_a_client_we_do_not_know(client: anthropic.Anthropic, backend: FakeBackend) -> None:
    """Two edits of one file at once would lose one of them; a tool that only looks may run beside others."""
    backend.script(answer("a"), answer("b"))
    edit: ToolParam = {**WEATHER, "name": "edit_file"}
    for tools in ([WEATHER], [WEATHER, edit]):
        client.messages.create(model=MODEL, max_tokens=50, tools=tools, messages=asked("x"))
    assert [request.body["parallel_tool_calls"] for request in backend.requests] == [True, False]
