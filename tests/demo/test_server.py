"""The demo backend over HTTP, seen by the `openai` package: another program's idea of what the API is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from claudegpt_pkg.demo.server import create_app
from claudegpt_pkg.server import bind, serving
from claudegpt_pkg.translate.wire.sse import Decoder

from ..support.demo_client import USUAL, function, request, says

STREAM_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
# Fields the wire has and the package's types do not name.
UNNAMED = {"obfuscation", "name"}
BASH = function("Bash")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(lambda: create_app(pace=0), bind("127.0.0.1", 0)) as server:
        server.ready()
        yield f"{server.url}/v1"


@pytest.fixture(scope="module")
def api(url: str) -> OpenAI:
    return OpenAI(base_url=url, api_key="any", max_retries=0)


def events_of(url: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    reply = httpx.post(f"{url}/responses", json=body)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    return Decoder().feed(reply.content)


def types_of(events: list[dict[str, Any]]) -> list[str]:
    """Event types in order, repeated deltas as one."""
    types = [event["type"] for event in events]
    return [kind for at, kind in enumerate(types) if at == 0 or types[at - 1] != kind]


def ask(prompt: str, **fields: Any) -> dict[str, Any]:
    return request([says("user", prompt)], [BASH], **fields)


def created(api: OpenAI, body: dict[str, Any]) -> Any:
    return api.responses.create(**{**body, "stream": False})


# Streams.

REASONING = [
    "response.output_item.added",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
    "response.output_item.done",
]
MESSAGE = [
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
]
CALL = [
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
]


def test_a_stream_holds_reasoning_text_and_a_call_in_the_real_order(url: str) -> None:
    events = events_of(url, ask("what is in this folder?"))

    begin, end = ["response.created", "response.in_progress"], ["response.completed"]
    assert types_of(events) == [*begin, *REASONING, *MESSAGE, *CALL, *end]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


@pytest.mark.parametrize("prompt", ["what is in this folder?", "hello"])
def test_every_event_is_of_the_packages_types(url: str, prompt: str) -> None:
    for event in events_of(url, ask(prompt)):
        parsed = STREAM_EVENT.validate_python(event)
        assert isinstance(parsed, BaseModel)
        assert set(parsed.model_extra or {}) <= UNNAMED, event


def test_deltas_done_and_the_final_response_say_the_same(url: str) -> None:
    events = events_of(url, ask("what is in this folder?"))
    final = events[-1]["response"]["output"]

    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == final
    for index, key in ((0, "reasoning_summary_text"), (1, "output_text"), (2, "function_call_arguments")):
        mine = [event for event in events if event.get("output_index") == index]
        whole = "".join(event["delta"] for event in mine if event["type"] == f"response.{key}.delta")
        text = {0: final[0]["summary"], 1: final[1]["content"], 2: final[2].get("arguments")}[index]
        assert whole == (text if isinstance(text, str) else text[0]["text"])


def test_filler_is_left_out_on_request(url: str) -> None:
    def fillers(**fields: Any) -> int:
        return sum("obfuscation" in event for event in events_of(url, ask("hello", **fields)))

    assert fillers() > 0
    assert fillers(stream_options={"include_obfuscation": False}) == 0


def test_the_package_streams_it(api: OpenAI) -> None:
    body = ask("say pong")
    body.pop("stream")

    with api.responses.stream(**body) as stream:
        response = stream.get_final_response()

    assert response.output_text.startswith("pong")


def test_without_stream_the_same_answer_comes_whole(api: OpenAI) -> None:
    response = created(api, ask("say pong"))

    assert response.status == "completed"
    assert response.output_text.startswith("pong")
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.usage.output_tokens_details.reasoning_tokens > 0


def test_an_answer_that_is_too_long_ends_incomplete(url: str) -> None:
    events = events_of(url, ask("hello", max_output_tokens=40))

    response = events[-1]["response"]
    assert events[-1]["type"] == "response.incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][-1]["status"] == "incomplete"
    assert response["usage"]["output_tokens"] <= 40


def test_a_call_that_does_not_fit_is_left_out(url: str) -> None:
    events = events_of(url, ask("what is in this folder?", max_output_tokens=40))

    assert events[-1]["type"] == "response.incomplete"
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["reasoning", "message"]


# Reasoning.


def answered(url: str) -> list[dict[str, Any]]:
    """A conversation whose last item is the output of the model's first call."""
    output = events_of(url, ask("what is in this folder?"))[-1]["response"]["output"]
    call = output[-1]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "a.txt"}
    return [says("user", "what is in this folder?"), *output, result]


def test_encrypted_reasoning_comes_only_on_request(url: str) -> None:
    reasoning = events_of(url, ask("hello", include=[]))[-1]["response"]["output"][0]

    assert "encrypted_content" not in reasoning


def test_reasoning_is_taken_back_by_a_demo_that_was_started_again(url: str) -> None:
    items = answered(url)

    with serving(lambda: create_app(pace=0), bind("127.0.0.1", 0)) as another:
        another.ready()
        events = events_of(f"{another.url}/v1", request(items, [function(name) for name in USUAL]))

    assert events[-1]["type"] == "response.completed"


def test_mangled_reasoning_is_refused(api: OpenAI, url: str) -> None:
    items = answered(url)
    token = items[1]["encrypted_content"]
    items[1]["encrypted_content"] = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]

    with pytest.raises(BadRequestError) as refusal:
        created(api, request(items, [BASH]))

    assert refusal.value.code == "invalid_encrypted_content"


def test_reasoning_under_another_id_is_refused(api: OpenAI, url: str) -> None:
    items = answered(url)
    items[1]["id"] = "rs_other"

    with pytest.raises(BadRequestError) as refusal:
        created(api, request(items, [BASH]))

    assert refusal.value.code == "invalid_encrypted_content"
    assert "item_id" in str(refusal.value)


def test_reasoning_without_its_content_is_not_found(api: OpenAI, url: str) -> None:
    items = answered(url)
    del items[1]["encrypted_content"]

    with pytest.raises(NotFoundError):
        created(api, request(items, [BASH]))


# Usage.


def test_a_growing_conversation_hits_the_cache_and_a_changed_beginning_does_not(api: OpenAI) -> None:
    def details(words: str, instructions: str, key: str = "conversation-1") -> tuple[int, int]:
        body = ask(words, instructions=instructions, prompt_cache_key=key)
        found = created(api, body).usage.input_tokens_details
        return found.cached_tokens, found.cache_write_tokens

    long = "Rules. " * 2000
    cached, written = details("hello", long)
    assert cached == 0
    assert written >= 1024
    again, added = details("hello there", long)
    assert again >= written - 128
    assert added <= 256
    assert details("hello", "Changed. " + long)[0] == 0
    assert details("hello", long, key="conversation-2")[0] == 0


def test_tokens_are_counted_as_they_are_billed(api: OpenAI) -> None:
    body = ask("hello")

    counted = api.responses.input_tokens.count(
        model=body["model"], input=body["input"], instructions=body["instructions"], tools=body["tools"]
    )

    assert counted.input_tokens == created(api, body).usage.input_tokens


# Other routes and refusals (the rules themselves: test_rules.py).


def test_models_are_listed(api: OpenAI) -> None:
    listed = [model.id for model in api.models.list()]

    assert "gpt-demo" in listed
    assert api.models.retrieve("gpt-demo").id == "gpt-demo"


def test_a_refusal_has_the_real_body(url: str) -> None:
    reply = httpx.post(f"{url}/responses", json=ask("hello", frobnicate=1))

    assert reply.status_code == 400
    assert reply.json() == {
        "error": {
            "message": "Unknown parameter: 'frobnicate'.",
            "type": "invalid_request_error",
            "param": "frobnicate",
            "code": "unknown_parameter",
        }
    }


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"'])
def test_what_is_no_json_object_is_refused(url: str, body: bytes) -> None:
    reply = httpx.post(f"{url}/responses", content=body)

    assert reply.status_code == 400
    assert "JSON body" in reply.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/responses", 405), ("GET", "/files", 404)])
def test_unknown_routes_are_refused_in_json(url: str, method: str, path: str, status: int) -> None:
    reply = httpx.request(method, url + path)

    assert reply.status_code == status
    assert json.loads(reply.content)["error"]["message"].startswith("Invalid URL")


def test_a_client_that_leaves_mid_stream_is_let_go(api: OpenAI) -> None:
    body = ask("hello")
    body.pop("stream")
    with serving(lambda: create_app(pace=5), bind("127.0.0.1", 0)) as slow:
        slow.ready()
        with httpx.stream("POST", f"{slow.url}/v1/responses", json=ask("hello")) as reply:
            assert next(reply.iter_bytes()).startswith(b"event: response.created")

        assert httpx.get(f"{slow.url}/v1/models").status_code == 200
