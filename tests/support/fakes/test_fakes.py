"""The fakes are as good as what holds them to account: the `openai` package, its types and its client."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from openai import OpenAI
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from .answers import (
    EOF,
    Answer,
    Bytes,
    Item,
    answer,
    call,
    error,
    error_event,
    failed,
    incomplete,
    only_done,
    reasoning,
    refusal,
    text,
    tool_search,
    unknown_item,
    web_search,
    without_deltas,
)
from .backend import FakeBackend, Request
from .rules import Kind

STREAM_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
TOOL = {
    "type": "function",
    "name": "Bash",
    "description": "Run a command",
    "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    "strict": False,
}
KINDS: tuple[Kind, ...] = ("openai", "chatgpt", "azure")


def said(words: str, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": words}]}


def body(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "model": "gpt-6.1-sol",
        "input": [said("You are an agent.", "developer"), said("hello"), *items],
        "tools": [TOOL],
        "reasoning": {"effort": "high", "summary": "auto"},
        "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
        "prompt_cache_key": "conversation-1",
        "store": False,
        "stream": True,
        **fields,
    }


def headers(kind: Kind) -> dict[str, str]:
    if kind == "azure":
        return {"api-key": "test-key"}
    bearer = {"authorization": "Bearer test-key"}
    if kind == "openai":
        return bearer
    own = {"chatgpt-account-id": "test-account", "originator": "claudegpt", "user-agent": "claudegpt/1"}
    return {**bearer, **own, "session-id": "conversation-1", "accept": "text/event-stream"}


def post(backend: FakeBackend, request: dict[str, Any], **more: str) -> httpx.Response:
    return httpx.post(f"{backend.url}/responses", json=request, headers={**headers(backend.kind), **more})


def events(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]


@pytest.fixture(params=KINDS)
def backend(request: pytest.FixtureRequest) -> Iterator[FakeBackend]:
    with FakeBackend(request.param) as backend:
        yield backend
        backend.check()


@pytest.fixture
def openai_backend() -> Iterator[FakeBackend]:
    with FakeBackend("openai") as backend:
        yield backend


# Answers.

ITEMS: dict[str, Callable[[], Item]] = {
    "text": lambda: text("Hello there,\n\nworld.  日本"),
    "text with sources": lambda: text("So they say.", citations=[("https://a.example", "A")]),
    "refusal": lambda: refusal("I cannot help with that."),
    "reasoning without summary": reasoning,
    "reasoning with two parts": lambda: reasoning("**First**", "Then this."),
    "raw reasoning": lambda: reasoning(raw="think think"),
    "call": lambda: call("Bash", command="echo 'äöü'"),
    "call without arguments": lambda: call("Bash"),
    "web search": lambda: web_search("weather", "https://a.example", "https://b.example"),
    "tool search": lambda: tool_search(query="notebook"),
    "text only in done": lambda: without_deltas(text("Hello")),
    "call only in its item": lambda: only_done(call("Bash", command="ls")),
}


@pytest.mark.parametrize("name", ITEMS)
def test_every_event_is_of_the_packages_types(backend: FakeBackend, name: str) -> None:
    item = ITEMS[name]()
    backend.script(answer(reasoning("Hm."), item, text("Done."), noise=False))
    received = events(post(backend, body()))
    for place, event in enumerate(received):
        assert event["sequence_number"] == place
        parsed = STREAM_EVENT.validate_python(event, strict=True)
        assert isinstance(parsed, BaseModel) and parsed.model_extra is not None
        # the API's reference has these two; the package's types have not caught up
        assert parsed.model_extra.keys() <= {"obfuscation", "name"}, event
    done = [event["item"] for event in received if event["type"] == "response.output_item.done"]
    assert {**item.done, **done[1]} == item.done
    assert done[1].keys() >= item.done.keys() - {"encrypted_content"}


@pytest.mark.parametrize(
    ("end", "last", "status"),
    [
        (incomplete("max_output_tokens"), "response.incomplete", "incomplete"),
        (incomplete("content_filter"), "response.incomplete", "incomplete"),
        (failed("server_error", "it broke"), "response.failed", "failed"),
    ],
)
def test_a_stream_ends_as_it_is_told(openai_backend: FakeBackend, end: Any, last: str, status: str) -> None:
    openai_backend.script(answer("Half", end=end))
    event = events(post(openai_backend, body()))[-1]
    assert (event["type"], event["response"]["status"]) == (last, status)
    STREAM_EVENT.validate_python(event, strict=True)


def test_an_error_event_comes_flat_or_nested(openai_backend: FakeBackend) -> None:
    openai_backend.script(answer(end=error_event("x", "broke")), answer(end=error_event("x", "broke", nested=True)))
    flat, nested = (events(post(openai_backend, body()))[-1] for _ in range(2))
    assert (flat["type"], flat["message"]) == ("error", "broke")
    assert (nested["type"], nested["error"]["message"]) == ("error", "broke")


def test_the_kinds_differ_where_the_real_ones_do() -> None:
    outputs, blobs, noise = {}, {}, {}
    for kind in KINDS:
        with FakeBackend(kind) as backend:
            backend.script(answer(reasoning("Hm."), "Hi."))
            received = events(post(backend, body()))
        done = next(event["item"] for event in received if event["type"] == "response.output_item.done")
        outputs[kind] = len(received[-1]["response"]["output"])
        blobs[kind] = "encrypted_content" in done
        noise[kind] = any(event["type"] == "codex.rate_limits" for event in received)
    assert outputs == {"openai": 2, "chatgpt": 0, "azure": 2}
    assert blobs == {"openai": True, "chatgpt": True, "azure": False}
    assert noise == {"openai": False, "chatgpt": True, "azure": False}


def test_interleaved_items_keep_their_index(openai_backend: FakeBackend) -> None:
    openai_backend.script(answer(call("Bash", command="a" * 50), call("Bash", command="b" * 50), interleaved=True))
    deltas = [event for event in events(post(openai_backend, body())) if event["type"].endswith("arguments.delta")]
    assert {event["output_index"] for event in deltas[:2]} == {0, 1}


def test_noise_is_of_types_nobody_knows(openai_backend: FakeBackend) -> None:
    openai_backend.script(answer(unknown_item(), "Hi.", noise=True))
    kinds = {event["type"] for event in events(post(openai_backend, body()))}
    assert {"codex.rate_limits", "response.metadata", "response.future.delta"} <= kinds


def test_what_was_not_asked_for_is_left_out(openai_backend: FakeBackend) -> None:
    openai_backend.script(answer(reasoning("Hm."), web_search("x", "https://a.example"), "Hi."))
    received = events(post(openai_backend, body(include=[], reasoning={"effort": "low"})))
    thought, searched, _ = received[-1]["response"]["output"]
    assert "encrypted_content" not in thought and thought["summary"] == []
    assert "sources" not in searched["action"]
    assert not any("summary" in event["type"] for event in received)


def test_obfuscation_can_be_turned_off(openai_backend: FakeBackend) -> None:
    openai_backend.script(answer("Hi."), answer("Hi."))
    with_filler = events(post(openai_backend, body()))
    without = events(post(openai_backend, body(stream_options={"include_obfuscation": False})))
    assert any("obfuscation" in event for event in with_filler)
    assert not any("obfuscation" in event for event in without)


def test_bytes_and_errors_go_out_as_given(openai_backend: FakeBackend) -> None:
    openai_backend.script(
        Bytes((b": hi\n", b"\ndata: [DONE]\n\n")), error(429, "x", "slow", headers={"retry-after": "7"})
    )
    assert post(openai_backend, body()).content == b": hi\n\ndata: [DONE]\n\n"
    refused = post(openai_backend, body())
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    assert refused.json()["error"]["message"] == "slow"


def test_the_openai_client_reads_a_whole_conversation(openai_backend: FakeBackend) -> None:
    openai_backend.script(answer(reasoning("Hm."), call("Bash", command="ls")), answer("Done."))
    client = OpenAI(api_key="test-key", base_url=openai_backend.url)
    first: dict[str, Any] = {key: value for key, value in body().items() if key != "stream"}
    with client.responses.stream(**first) as stream:
        output = [item.model_dump(exclude_none=True, exclude_unset=True) for item in stream.get_final_response().output]
    called = output[1]
    called.pop("parsed_arguments", None)
    result = {"type": "function_call_output", "call_id": called["call_id"], "output": "a.txt"}
    second = client.responses.create(**{**first, "input": [*first["input"], *output, result]})
    assert second.output_text == "Done."
    openai_backend.check()


# Requests.


def refused(kind: Kind, request: dict[str, Any], **more: str) -> tuple[int, dict[str, Any]]:
    with FakeBackend(kind) as backend:
        backend.script(answer("never"))
        response = post(backend, request, **more)
        assert backend.faults
    answered: dict[str, Any] = response.json()
    return response.status_code, answered


def changed(**fields: Any) -> dict[str, Any]:
    return {**body(), **fields}


def with_tool(**fields: Any) -> dict[str, Any]:
    return changed(tools=[{**TOOL, **fields}])


def output_of(call_id: str, output: Any = "ok") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def called(call_id: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "Bash", "arguments": "{}"}


def found(**fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A search of the client's, and the one tool that it found."""
    search = {"type": "tool_search_call", "call_id": "s1", "execution": "client", "arguments": {}}
    tool = {**TOOL, "name": "Found", "defer_loading": True, **fields}
    return search, {"type": "tool_search_output", "call_id": "s1", "execution": "client", "tools": [tool]}


THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAforeign"}
REFUSED_BY_ALL: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown parameter": (changed(thinking={}), "Unknown parameter: 'thinking'."),
    "an unknown key of a tool": (with_tool(cache_control={}), "Unknown parameter: 'tools[0].cache_control'."),
    "deferred tools without search": (with_tool(defer_loading=True), "need a tool_search"),
    "an unknown key of an item": (body(said("x") | {"cache_control": {}}), "'input[2].cache_control'"),
    "an unknown key of a part": (
        body({"role": "user", "content": [{"type": "input_text", "text": "x", "citations": []}]}),
        "Unknown parameter: 'input[2].content[0].citations'.",
    ),
    "a part of the other wire": (body({"role": "user", "content": [{"type": "text", "text": "x"}]}), "'text'"),
    "an unknown item": (body({"type": "thinking", "thinking": "x"}), "Invalid value: 'thinking'"),
    "an unknown role": (body(said("x", "tool")), "Invalid value: 'tool'"),
    "input parts said by the assistant": (body(said("x", "assistant")), "'output_text' and 'refusal'"),
    "a tool without strict": (changed(tools=[{k: v for k, v in TOOL.items() if k != "strict"}]), "tools[0].strict"),
    "a long tool name": (with_tool(name="x" * 65), "maximum length 64"),
    "an odd tool name": (with_tool(name="a.b"), "does not match pattern"),
    "the same tool twice": (changed(tools=[TOOL, TOOL]), "unique"),
    "a schema without a type": (with_tool(parameters={"properties": {}}), "got 'type: \"None\"'"),
    "a schema without properties": (with_tool(parameters={"type": "object"}), "object schema missing properties"),
    "a schema of alternatives": (with_tool(parameters={"type": "object", "anyOf": []}), "at the top level"),
    "an array of nothing": (
        with_tool(parameters={"type": "object", "properties": {"x": {"type": "array"}}}),
        "array schema missing items",
    ),
    "strict with optional fields": (with_tool(strict=True), "additionalProperties"),
    "a long cache key": (changed(prompt_cache_key="x" * 65), "maximum length 64"),
    "a long call id": (body(called("c" * 65), output_of("c" * 65)), "maximum length 64"),
    "a call without output": (body(called("c1")), "No tool output found for function call c1."),
    "an output without call": (body(output_of("c1")), "No tool call found"),
    "an output before its call": (body(output_of("c1"), called("c1")), "No tool call found"),
    "the same output twice": (body(called("c1"), output_of("c1"), output_of("c1")), "Duplicate item"),
    "an empty image": (
        body({"role": "user", "content": [{"type": "input_image", "image_url": "data:;base64,", "detail": "auto"}]}),
        "base64-encoded",
    ),
    "an unknown effort": (changed(reasoning={"effort": "huge"}), "Invalid value: 'huge'"),
    "an effort the model lacks": (changed(reasoning={"effort": "minimal"}), "'minimal' is not supported"),
    "an effort gpt-5.4 lacks": (changed(model="gpt-5.4", reasoning={"effort": "max"}), "'max' is not supported"),
    "a choice of no tool": (changed(tool_choice={"type": "function", "name": "Edit"}), "not found in 'tools'"),
    "an empty input": (changed(input=[]), ""),
    "an item twice": (body(THOUGHT, said("x"), THOUGHT, said("x")), "Duplicate item found with id rs_1"),
    "an odd name among the tools found": (body(*found(name="a.b")), "'input[3].tools[0].name'"),
    "a found tool's schema without properties": (body(*found(parameters={"type": "object"})), "missing properties"),
    "an array of nothing, deep down": (
        with_tool(parameters={"type": "object", "properties": {"x": {"anyOf": [{"type": ["array", "null"]}]}}}),
        "array schema missing items",
    ),
    "a foreign blob": (
        body({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAforeign"}, said("x")),
        "could not be verified",
    ),
    "reasoning without a blob": (body({"type": "reasoning", "id": "rs_1", "summary": []}, said("x")), "not found"),
    "a strict format that is not": (
        changed(text={"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}, "strict": True}}),
        "additionalProperties",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", REFUSED_BY_ALL)
def test_every_kind_refuses(kind: Kind, case: str) -> None:
    request, words = REFUSED_BY_ALL[case]
    status, answered = refused(kind, request)
    assert status in (400, 404)
    assert words in json.dumps(answered, ensure_ascii=False).replace('\\"', '"')


SEARCH = {"type": "web_search"}
REFUSED_BY_CHATGPT: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"the parameter {name}": (changed(**{name: value}), f"Unsupported parameter: {name}")
        for name, value in {"max_output_tokens": 100, "metadata": {}, "truncation": "auto", "user": "me"}.items()
    },
    "storing": (changed(store=True), "Store must be set to false"),
    "no stream": (changed(stream=False), "Stream must be set to true"),
    "no tools but the key": (changed(tools=[]), "Tools must not be empty"),
    "a system message": (body(said("x", "system")), "System messages are not allowed"),
    "a search that is not live": (changed(tools=[SEARCH]), "web_search needs external_web_access"),
    "a search chosen among tools": (
        changed(
            tools=[TOOL, {**SEARCH, "external_web_access": True}],
            tool_choice={"type": "allowed_tools", "mode": "required", "tools": [SEARCH]},
        ),
        "Tool choice 'web_search' not supported",
    ),
    "a plain body of 1.3 MB": (body(said("x" * 1_300_000)), "A plain body of this size is dropped."),
}


@pytest.mark.parametrize("case", REFUSED_BY_CHATGPT)
def test_chatgpt_refuses_more_and_says_it_bare(case: str) -> None:
    request, words = REFUSED_BY_CHATGPT[case]
    status, answered = refused("chatgpt", request)
    assert status in (400, 413) and answered == {"detail": words}


def test_the_others_take_what_only_chatgpt_refuses() -> None:
    for name in ("max_output_tokens", "truncation", "user"):
        request, _ = REFUSED_BY_CHATGPT[f"the parameter {name}"]
        with FakeBackend("openai") as backend:
            backend.script(answer("ok"))
            assert post(backend, request).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_credential_is_refused(kind: Kind) -> None:
    status, answered = refused(kind, body(), **{"authorization": "Bearer wrong", "api-key": "wrong"})
    assert status == 401 and answered["error"]["message"]


def test_chatgpt_wants_its_headers() -> None:
    assert refused("chatgpt", body(), **{"chatgpt-account-id": ""})[0] == 401
    assert refused("chatgpt", body(), originator="codex_cli_rs")[0] == 403
    assert refused("chatgpt", body(), **{"session-id": "another"})[0] == 400
    assert refused("chatgpt", {**body(), "prompt_cache_key": ""}, **{"session-id": ""})[0] == 400
    assert refused("chatgpt", body(), accept="*/*")[0] == 406


def test_chatgpt_lists_its_models_for_a_version_of_codex() -> None:
    with FakeBackend("chatgpt") as backend:
        answers = [httpx.get(f"{backend.url}/models{query}", headers=headers("chatgpt")) for query in ASKED]
    assert [answered.status_code for answered in answers] == [400, 200]


ASKED = ("", "?client_version=0.169.0")


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_client_says_to_anthropic_is_for_no_backend(kind: Kind) -> None:
    for name in ("anthropic-beta", "x-claude-code-session-id"):
        status, answered = refused(kind, body(), **{name: "x"})
        assert status == 400 and name in answered["error"]["message"]


def test_azure_keeps_the_cache_a_day_for_older_models_only() -> None:
    kept = {"prompt_cache_retention": "24h"}
    assert refused("azure", changed(**kept))[0] == 400
    with FakeBackend("azure") as backend:
        backend.script(answer("ok"))
        assert post(backend, changed(model="gpt-5.4", **kept)).status_code == 200


def test_azure_knows_only_its_deployments() -> None:
    with FakeBackend("azure", deployments={"big": "gpt-5.4"}) as backend:
        backend.script(answer("ok"), answer("never"))
        assert post(backend, changed(model="big")).status_code == 200
        missing = post(backend, changed(model="small"))
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "DeploymentNotFound")


def test_bytes_that_are_not_the_json_of_a_request_are_refused(openai_backend: FakeBackend) -> None:
    address = f"{openai_backend.url}/responses"
    kind = {**headers("openai"), "content-type": "application/json"}
    for raw in (b"{", b"[]", b'{"model":"a","model":"b"}', b'{"input":"\\ud800"}'):
        assert httpx.post(address, content=raw, headers=kind).status_code == 400


def test_a_prompt_over_the_window_is_refused_as_too_long() -> None:
    with FakeBackend("openai", window=100) as backend:
        backend.script(answer("never"))
        response = post(backend, body(said("word " * 200)))
    assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")


# Memory.


def first_turn(backend: FakeBackend, *items: Item | str) -> list[dict[str, Any]]:
    """The items of an answer as a careful client keeps them."""
    backend.script(answer(*items))
    received = events(post(backend, body()))
    blobs = {item["id"]: item for item in received[-1]["response"]["output"]}
    return [
        blobs.get(event["item"]["id"], event["item"])
        for event in received
        if event["type"] == "response.output_item.done"
    ]


def test_reasoning_that_comes_back_whole_and_in_place_is_accepted(backend: FakeBackend) -> None:
    thought, spoke, ran = first_turn(backend, reasoning("Hm."), "Looking.", call("Bash", command="ls"))
    backend.script(answer("Done."))
    again = {"type": "message", "role": "assistant", "content": "Looking."}
    response = post(backend, body(thought, again, ran, output_of(ran["call_id"])))
    assert response.status_code == 200, response.text
    assert spoke["content"][0]["text"] == "Looking."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encrypted_content": "gAAAAAother"}, "could not be verified"),
        ({"summary": []}, "not what its encrypted content says"),
        ({"status": "completed"}, "not what its encrypted content says"),
        ({"id": "rs_other"}, "did not match"),
    ],
)
def test_reasoning_that_was_changed_is_refused(openai_backend: FakeBackend, change: dict[str, Any], words: str) -> None:
    thought, ran = first_turn(openai_backend, reasoning("Hm."), call("Bash", command="ls"))
    openai_backend.script(answer("never"))
    response = post(openai_backend, body({**thought, **change}, ran, output_of(ran["call_id"])))
    assert response.status_code == 400 and words in response.text


def test_reasoning_that_moved_is_refused(openai_backend: FakeBackend) -> None:
    thought, ran = first_turn(openai_backend, reasoning("Hm."), call("Bash", command="ls"))
    openai_backend.script(answer("never"), answer("never"))
    for items in ((ran, output_of(ran["call_id"]), thought), (ran, thought, output_of(ran["call_id"]))):
        response = post(openai_backend, body(*items))
        assert response.status_code == 400 and "required following item" in response.text


def test_the_cache_counts_the_shared_beginning_of_one_conversation(openai_backend: FakeBackend) -> None:
    long = said("word " * 4000)
    openai_backend.script(*(answer("ok") for _ in range(4)))

    def cached(request: dict[str, Any]) -> int:
        usage = events(post(openai_backend, request))[-1]["response"]["usage"]
        assert usage["input_tokens"] >= sum(usage["input_tokens_details"].values())
        return int(usage["input_tokens_details"]["cached_tokens"])

    assert cached(body(long)) == 0
    assert cached(body(long, said("more"))) >= 4992
    assert cached(body(long, said("more"), prompt_cache_key="another")) == 0
    assert cached(changed(input=[said("moved"), *body(long)["input"]])) == 0


# Connections.


def stream(backend: FakeBackend, request: dict[str, Any]) -> Any:
    return httpx.stream("POST", f"{backend.url}/responses", json=request, headers=headers("openai"))


def test_a_client_that_leaves_is_seen_leaving(openai_backend: FakeBackend) -> None:
    openai_backend.script(answer("one two three", stall_after=4))
    with stream(openai_backend, body()) as response:
        next(response.iter_bytes())
    openai_backend.wait_request(1).wait_left()
    assert openai_backend.requests[0].sent <= 4


def test_a_stalled_stream_goes_on_when_released(openai_backend: FakeBackend) -> None:
    openai_backend.script(answer("one two three", stall_after=4))

    def release_later() -> None:
        openai_backend.wait_request(1)
        openai_backend.release()

    threading.Thread(target=release_later).start()
    assert events(post(openai_backend, body()))[-1]["type"] == "response.completed"
    assert not openai_backend.requests[0].left.is_set()


@pytest.mark.parametrize("broken", [answer("one two three", cut_after=4), answer("one two", end=EOF)])
def test_a_cut_stream_has_no_last_event(openai_backend: FakeBackend, broken: Answer) -> None:
    openai_backend.script(broken)
    received = b""
    try:
        with stream(openai_backend, body()) as response:
            for chunk in response.iter_bytes():
                received += chunk
    except httpx.RemoteProtocolError:
        assert broken.cut_after
    assert b"response.created" in received and b"response.completed" not in received


# Scripts.


def test_an_unforeseen_request_and_an_unused_answer_are_faults(openai_backend: FakeBackend) -> None:
    assert post(openai_backend, body()).status_code == 400
    with pytest.raises(AssertionError, match="no answer for request 1"):
        openai_backend.check()
    openai_backend.faults.clear()
    openai_backend.script(answer("left over"))
    with pytest.raises(AssertionError, match="nobody asked for"):
        openai_backend.check()


def test_side_requests_are_answered_by_routes(openai_backend: FakeBackend) -> None:
    def is_small(request: Request) -> bool:
        return bool(request.body["model"] == "gpt-6-luna")

    openai_backend.route(is_small, lambda request: answer(f"small {request.body['model']}"))
    schema = {"type": "object", "properties": {"title": {"type": "string"}}}
    title = {"format": {"type": "json_schema", "name": "title", "schema": schema}}
    titled = post(openai_backend, changed(tools=[], text=title))
    small = post(openai_backend, changed(model="gpt-6-luna"))
    assert json.loads(events(titled)[-1]["response"]["output"][0]["content"][0]["text"]) == {"title": "A title"}
    assert events(small)[-1]["response"]["output"][0]["content"][0]["text"] == "small gpt-6-luna"
    assert openai_backend.requests == [] and len(openai_backend.side) == 2


def test_other_pages_answer_as_set_up(openai_backend: FakeBackend) -> None:
    openai_backend.page("GET", "/v1/models", 200, {"data": []}, {"etag": '"1"'})
    address = f"{openai_backend.url}/models"
    assert httpx.get(address, headers=headers("openai")).json() == {"data": []}
    assert httpx.get(address, headers={**headers("openai"), "if-none-match": '"1"'}).status_code == 304
