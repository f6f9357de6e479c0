"""What a request says about its answer becomes fields of the request upstream."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.request.output import FORMAT_IN_WORDS, INCLUDE_REASONING, INCLUDE_SOURCES, THINKING_ROOM
from claudegpt_pkg.translate.wire.json_text import dumps
from tests.translate.request.test_translate import SEARCH, TITLE, body, note, refusing, translated


def test_effort_and_summary_share_one_field() -> None:
    assert body()["reasoning"] == {"effort": "high", "summary": "auto"}
    assert body({"summary": False})["reasoning"] == {"effort": "high"}
    assert body({"effort": "none"})["reasoning"] == {"effort": "none"}


@pytest.mark.parametrize(
    ("least", "asked", "sent"), [(16, 100, 100), (16, 1, 16), (16, 16, 16), (16, None, None), (20, 1, 20)]
)
def test_max_tokens_is_kept_raised_or_left_out(least: int, asked: int | None, sent: int | None) -> None:
    assert body({"least_output_tokens": least}, max_tokens=asked).get("max_output_tokens") == sent
    assert "max_output_tokens" not in body({"refused_fields": frozenset({"max_output_tokens"})}, max_tokens=asked)


def test_a_model_that_thinks_although_thinking_is_disabled_gets_more_output_tokens() -> None:
    """Auto mode's classifier asks for 64 tokens without thinking; the model's lowest effort may need more."""
    unwanted = {"thinking": {"type": "disabled"}, "max_tokens": 64}
    assert body({"effort": "low"}, **unwanted)["max_output_tokens"] == 64 + THINKING_ROOM
    assert body({"effort": "none"}, **unwanted)["max_output_tokens"] == 64
    assert body({"effort": "low"}, thinking={"type": "adaptive"}, max_tokens=64)["max_output_tokens"] == 64


def test_a_change_of_max_tokens_is_noted() -> None:
    assert note("max_tokens", {"refused_fields": frozenset({"max_output_tokens"})}).startswith("dropped")
    assert note("max_tokens", max_tokens=1) == "raised to 16, the backend's least"
    assert note("max_tokens") == "" and note("max_tokens", max_tokens=None) == ""


def test_sampling_is_sent_only_to_a_model_that_does_not_reason() -> None:
    sampling = {"temperature": 0, "top_p": 0.5, "top_k": 3}
    reasoning, plain = body(**sampling), body({"effort": "none"}, **sampling)
    assert not reasoning.keys() & set(sampling)
    assert (plain["temperature"], plain["top_p"], "top_k" in plain) == (0, 0.5, False)
    assert note("temperature", **sampling) == note("top_p", **sampling) == "dropped: refused while the model reasons"
    assert note("top_p", {"effort": "none"}, **sampling) == "" and note("top_k", **sampling).startswith("dropped")


@pytest.mark.parametrize(
    ("request_fields", "tier"),
    [
        ({"speed": "fast"}, "priority"),
        ({"service_tier": "standard_only"}, "default"),
        ({"speed": "fast", "service_tier": "standard_only"}, "priority"),
        ({"service_tier": "auto"}, None),
        ({"speed": "standard"}, None),
        ({"service_tier": None}, None),
    ],
)
def test_speed_and_service_tier_become_one_field(request_fields: dict[str, Any], tier: str | None) -> None:
    assert body(**request_fields).get("service_tier") == tier


def json_output(schema: Any, **more: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema, **more}}}


def test_a_json_schema_becomes_a_text_format() -> None:
    made = body(**json_output(TITLE))
    assert made["text"] == {"format": {"type": "json_schema", "name": "answer", "schema": TITLE, "strict": True}}
    assert body(output_format={"type": "json_schema", "schema": TITLE})["text"] == made["text"]


def test_a_schema_that_does_not_qualify_is_not_strict() -> None:
    loose = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert body(**json_output(loose))["text"]["format"] == {
        "type": "json_schema",
        "name": "answer",
        "schema": loose,
        "strict": False,
    }


@pytest.mark.parametrize(
    "schema", [{"type": "array", "items": {"type": "string"}}, {"anyOf": [TITLE, {"type": "null"}]}, {"type": "string"}]
)
def test_a_schema_that_is_not_of_an_object_is_asked_for_in_words(schema: dict[str, Any]) -> None:
    made = translated(**json_output(schema))
    assert "text" not in made.body
    assert made.body["instructions"].startswith("Answer with JSON") and dumps(schema) in made.body["instructions"]
    assert dict(made.notes)["output_config.format"].startswith("emulated")


@pytest.mark.parametrize("output", [{"format": None}, {"format": {}}, {}, None])
def test_without_a_format_there_is_no_text_field(output: Any) -> None:
    assert "text" not in body(output_config=output)


def test_an_unknown_format_is_dropped_and_noted() -> None:
    request = {"output_config": {"format": {"type": "xml"}, "task_budget": {"type": "tokens", "total": 9}}}
    assert "text" not in body(**request)
    assert note("output_config.format", **request).startswith("dropped")
    assert note("output_config.task_budget", **request).startswith("dropped")


def test_stop_sequences_are_kept_for_the_answer() -> None:
    made = translated(stop_sequences=["</block>", ""])
    assert made.stop_sequences == ("</block>",) and "stop" not in made.body
    assert dict(made.notes)["stop_sequences"].startswith("emulated")


def test_a_hosted_search_asks_for_its_sources() -> None:
    assert body()["include"] == [INCLUDE_REASONING]
    assert body(tools=[SEARCH])["include"] == [INCLUDE_REASONING, INCLUDE_SOURCES]
    assert body({"refused_includes": frozenset({INCLUDE_REASONING})}, tools=[SEARCH])["include"] == [INCLUDE_SOURCES]
    assert "include" not in body({"refused_includes": frozenset({INCLUDE_REASONING})})


def test_the_cache_retention_is_asked_for_if_the_model_has_one() -> None:
    assert body({"cache_retention": "24h"})["prompt_cache_retention"] == "24h"
    assert "prompt_cache_retention" not in body()
    assert "prompt_cache_retention" not in body({"cache_retention": "24h", **refusing("prompt_cache_retention")})


# What the backend refuses.


@pytest.mark.parametrize("key", ["temperature", "top_p"])
def test_sampling_that_the_backend_refuses_is_noted(key: str) -> None:
    target = {"effort": "none", **refusing("temperature", "top_p")}
    assert key not in body(target, **{key: 0.2})
    assert note(key, target, **{key: 0.2}) == "dropped: the backend does not take it"
    assert note(key, {"effort": "none"}, **{key: 0.2}) == ""


@pytest.mark.parametrize(("key", "value"), [("speed", "fast"), ("service_tier", "standard_only"), ("max_tokens", 100)])
def test_a_refused_field_that_the_client_set_is_noted(key: str, value: Any) -> None:
    target = refusing("service_tier", "max_output_tokens")
    assert not {"service_tier", "max_output_tokens"} & body(target, **{key: value}).keys()
    assert note(key, target, **{key: value}) == "dropped: the backend does not take it"


def test_an_effort_that_cannot_be_sent_is_noted() -> None:
    assert "reasoning" not in body(refusing("reasoning"))
    assert "high" in note("output_config.effort", refusing("reasoning"))


def test_a_format_that_the_backend_refuses_is_asked_for_in_words() -> None:
    wanted = {"output_config": {"format": {"type": "json_schema", "schema": TITLE}}}
    made = body(refusing("text"), system="Be brief.", **wanted)
    assert "text" not in made
    assert made["instructions"] == f"Be brief.\n\n{FORMAT_IN_WORDS}{dumps(TITLE)}"
    assert note("output_config.format", refusing("text"), **wanted).startswith("emulated: asked for in words")
