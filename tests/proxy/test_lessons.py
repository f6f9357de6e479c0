"""What a refusal teaches, in the words of the backends that refuse."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.models import EFFORTS
from claudegpt_pkg.proxy.failures import Report
from claudegpt_pkg.proxy.lessons import OPTIONAL, Lessons, lesson
from claudegpt_pkg.translate.request import INCLUDE_REASONING as ENCRYPTED
from claudegpt_pkg.translate.request import INCLUDE_SOURCES as SOURCES

BODY: dict[str, Any] = {
    "model": "gpt-6.1-sol",
    "reasoning": {"effort": "max", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "stream_options": {"include_obfuscation": False},
    "service_tier": "priority",
    "max_output_tokens": 64_000,
    "prompt_cache_key": "key",
    "prompt_cache_retention": "24h",
    "store": False,
    "stream": True,
    "input": [
        {"type": "message", "role": "user", "content": "hello"},
        {"type": "reasoning", "id": "rs_1", "encrypted_content": "x"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image"}]},
    ],
}


def learnt(message: str, known: Lessons = Lessons(), *, status: int | None = 400, **report: Any) -> Lessons | None:  # noqa: B008
    return lesson(Report(status, message=message, **report), known, BODY)


def test_a_level_of_effort_that_is_refused_gives_way_to_the_levels_named() -> None:
    words = "Unsupported value: 'max' is not supported with 'gpt-5.5'. Supported values are: 'low' and 'high'."
    assert learnt(words, param="reasoning.effort") == Lessons(efforts=("low", "high"))


def test_without_a_list_it_gives_way_to_all_the_others() -> None:
    refused = learnt("Invalid value for effort.", param="reasoning.effort")
    assert refused == Lessons(efforts=EFFORTS[:-1])


def test_a_level_that_cannot_search_gives_way_where_the_search_is_wanted() -> None:
    body = {**BODY, "reasoning": {"effort": "minimal"}, "tools": [{"type": "web_search"}]}
    words = "The following tools cannot be used with reasoning.effort 'minimal': web_search."
    learned = lesson(Report(400, message=words, param="tools"), Lessons(efforts=("minimal", "low")), body)
    assert learned == Lessons(efforts=("low",))


def test_when_every_level_was_refused_no_reasoning_is_asked_for() -> None:
    known = Lessons(efforts=("max",))
    assert learnt("Invalid value for effort.", known, param="reasoning.effort") == Lessons(
        efforts=("max",), parameters=frozenset({"reasoning"})
    )


def test_a_model_without_reasoning_teaches_it_at_once() -> None:
    words = "Unsupported parameter: 'reasoning.effort' is not supported with this model."
    assert learnt(words, param="reasoning.effort") == Lessons(parameters=frozenset({"reasoning"}))


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ("Your organization must be verified to generate reasoning summaries.", "reasoning.summary"),
        ("Your organization must be verified to generate reasoning summaries.", ""),
        ("Unsupported parameter: 'reasoning.summary' is not supported with this model.", ""),
    ],
)
def test_a_refused_summary_is_not_asked_for_again(words: str, param: str) -> None:
    assert learnt(words, param=param) == Lessons(summary=False)


def test_reasoning_that_cannot_be_read_is_left_out() -> None:
    words = "The encrypted content gAAA...x could not be verified."
    assert learnt(words, code="invalid_encrypted_content") == Lessons(refused_reasoning=frozenset({"rs_1"}))


@pytest.mark.parametrize(("name", "left_out"), [("rs_1", {"rs_1"}), ("rs_9", {"rs_1", "rs_2"})])
def test_reasoning_that_has_lost_what_it_led_to_is_left_out(name: str, left_out: set[str]) -> None:
    words = f"Item '{name}' of type 'reasoning' was provided without its required following item."
    body = {**BODY, "input": [*BODY["input"], {"type": "reasoning", "id": "rs_2", "encrypted_content": "y"}]}
    assert lesson(Report(400, message=words), Lessons(), body) == Lessons(refused_reasoning=frozenset(left_out))


@pytest.mark.parametrize(
    ("words", "param", "refused", "encrypted"),
    [
        ("Encrypted content is not supported with this model.", "include", {ENCRYPTED}, False),
        ("Encrypted content is not supported with this model.", "", {ENCRYPTED}, False),
        (f"Invalid value: '{SOURCES}'. Supported values are: '{ENCRYPTED}'.", "include[1]", {SOURCES}, True),
        (f"Invalid value: '{SOURCES}'. Supported values are: '{ENCRYPTED}'.", "", {SOURCES}, True),
        ("Unknown parameter: 'include'.", "", {ENCRYPTED, SOURCES}, False),
        ("No.", "include", {ENCRYPTED, SOURCES}, False),
    ],
)
def test_what_cannot_be_included_is_left_out_by_its_name(
    words: str, param: str, refused: set[str], encrypted: bool
) -> None:
    body = {**BODY, "include": [ENCRYPTED, SOURCES]}
    known = lesson(Report(400, message=words, param=param), Lessons(), body)
    assert known == Lessons(includes=frozenset(refused), encrypted_reasoning=encrypted)


@pytest.mark.parametrize(
    "words",
    [
        "Hosted tool 'web_search' is not supported with gpt-5.4-nano.",
        "The web_search tool is disabled for this resource.",
        "Web search is not enabled for this subscription.",
        "The following tools are not available in this region: web_search.",
    ],
)
def test_a_search_that_is_not_there_is_not_declared(words: str) -> None:
    body = {**BODY, "tools": [{"type": "web_search"}]}
    assert lesson(Report(400, message=words), Lessons(), body) == Lessons(web_search=False)
    assert learnt(words) is None, "it was not declared"


def test_a_search_that_is_there_but_was_asked_for_wrongly_stays() -> None:
    body = {**BODY, "tools": [{"type": "web_search"}]}
    words = "web_search: filters.allowed_domains has more than 20 domains."
    assert lesson(Report(400, message=words), Lessons(), body) is None


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ("Only 'auto' tool_choice is supported in response API with Harmony", ""),
        ("Invalid value: 'required'. Supported values are: 'none' and 'auto'.", "tool_choice"),
        ("Unsupported parameter: tool_choice", ""),
    ],
)
def test_a_choice_that_cannot_be_made_is_left_to_the_model(words: str, param: str) -> None:
    without = Lessons(parameters=frozenset({"tool_choice"}))
    report = Report(400, message=words, param=param)
    assert lesson(report, Lessons(), {**BODY, "tool_choice": "required"}) == without
    assert lesson(report, Lessons(), BODY) is None


def test_tool_search_and_lists_as_outputs_are_left_out() -> None:
    assert learnt("Invalid value: 'tool_search'.", param="tools[3].type") == Lessons(tool_search=False)
    assert learnt("Invalid type for 'input[2].output': expected a string.") == Lessons(media_in_outputs=False)
    assert learnt("1 validation error: function_call_output.output", status=422) == Lessons(media_in_outputs=False)


def test_phases_that_are_refused_are_left_out() -> None:
    words = "Unknown parameter: 'input[1].phase'."
    body = {**BODY, "input": [*BODY["input"], {"role": "assistant", "content": "x", "phase": "commentary"}]}
    assert lesson(Report(400, message=words), Lessons(), body) == Lessons(phases=False)
    assert lesson(Report(400, message=words), Lessons(), BODY) is None


@pytest.mark.parametrize(
    ("words", "param", "name"),
    [
        ("Unsupported parameter: stream_options", "", "stream_options"),
        ("Unknown parameter: 'stream_options.include_obfuscation'.", "", "stream_options"),
        ("Unsupported parameter: 'service_tier' is not supported with this model.", "service_tier", "service_tier"),
        ("Unrecognized field 'prompt_cache_key'", "", "prompt_cache_key"),
        ("Unrecognized request argument supplied: prompt_cache_key", "", "prompt_cache_key"),
        ("Invalid value: '24h'.", "prompt_cache_retention", "prompt_cache_retention"),
        ("prompt_cache_retention is not supported on this model", "", "prompt_cache_retention"),  # Azure
        (
            "max_tokens is too large: 64000. This model supports at most 16384 completion tokens.",
            "",
            "max_output_tokens",
        ),
    ],
)
def test_a_parameter_that_is_refused_is_left_out(words: str, param: str, name: str) -> None:
    assert learnt(words, Lessons(refused_reasoning=frozenset({"rs_1"})), param=param) == Lessons(
        refused_reasoning=frozenset({"rs_1"}), parameters=frozenset({name})
    )


@pytest.mark.parametrize(
    "words",
    [
        "'max_tokens' or 'max_completion_tokens' is too large: 64000. This model's maximum context length is 32768 "
        "tokens and your request has 20000 input tokens (64000 > 32768 - 20000).",
        "This model's maximum context length is 32768 tokens. However, you requested 70000 tokens (6000 in the "
        "messages, 64000 in the completion).",
        "Requested token count exceeds the model's maximum context length of 32768 tokens. You requested a total of "
        "70000 tokens: 6000 tokens from the input messages and 64000 tokens for the completion.",
        "Request too large for gpt-5 on tokens per min (TPM): Limit 30000, Requested 68000.",
    ],
)
@pytest.mark.parametrize("status", [400, 429])
def test_room_for_an_answer_that_cannot_be_had_is_not_asked_for(words: str, status: int) -> None:
    if status == 429 and "Request too large" not in words:
        assert learnt(words, status=status) is None
    else:
        assert learnt(words, status=status) == Lessons(parameters=frozenset({"max_output_tokens"}))


def test_a_prompt_that_is_too_long_by_itself_teaches_nothing() -> None:
    words = (
        "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (39000 in the "
        "messages, 1000 in the completion)."
    )
    assert learnt(words) is None


@pytest.mark.parametrize("name", ["model", "input", "store", "stream", "tools", "instructions"])
def test_what_a_turn_cannot_do_without_is_never_left_out(name: str) -> None:
    assert name not in OPTIONAL
    assert learnt(f"Unsupported parameter: '{name}'") is None


@pytest.mark.parametrize("status", [401, 403, 413, 429, 500, 503])
def test_only_a_refused_request_teaches(status: int) -> None:
    assert learnt("Unsupported parameter: stream_options", status=status) is None


def test_the_same_refusal_twice_teaches_nothing_new() -> None:
    known = Lessons(summary=False)
    assert learnt("reasoning.summary", known) is None
