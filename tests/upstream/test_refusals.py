"""What the proxy learns from a refusal, in the words of the backends that refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.models import EFFORTS
from claudegpt_pkg.translate.request.output import INCLUDE_REASONING as ENCRYPTED
from claudegpt_pkg.translate.request.output import INCLUDE_SOURCES as SOURCES
from claudegpt_pkg.upstream.error_mapping import map_error
from claudegpt_pkg.upstream.error_report import Report, read_report
from claudegpt_pkg.upstream.refusals import OPTIONAL, TurnChanges, learn_from

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


NOTHING = Capabilities()


def learn(
    message: str, known: Capabilities = NOTHING, *, status: int | None = 400, **report: Any
) -> Capabilities | None:
    return learn_from(Report(status, message=message, **report), known, BODY)


# A request with everything that can be left out.
WHOLE: dict[str, Any] = {
    **BODY,
    "include": [ENCRYPTED, SOURCES],
    "tools": [{"type": "function", "name": "Bash"}, {"type": "web_search"}, {"type": "tool_search"}],
    "tool_choice": "required",
    "temperature": 0.2,
    "input": [
        {"type": "message", "role": "user", "content": "hello"},
        {"type": "reasoning", "id": "rs_1", "encrypted_content": "x"},
        {"type": "reasoning", "id": "rs_2", "encrypted_content": "y"},
        {"type": "message", "role": "assistant", "content": "Hm.", "phase": "commentary"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image"}]},
        {"type": "tool_search_call", "call_id": "d"},
    ],
}


def without(*parameters: str, **lessons: Any) -> Capabilities:
    return Capabilities(refused_fields=frozenset(parameters), **lessons)


def efforts(*levels: str) -> Capabilities:
    return Capabilities(efforts=levels)


def fault(message: str, param: str | None = None, code: object = None, kind: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind or "invalid_request_error", "param": param, "code": code}}


def validation(loc: str, message: str, kind: str, sent: str) -> dict[str, Any]:
    """As vLLM and SGLang write it."""
    text = f"1 validation error:\n  {{'type': '{kind}', 'loc': ({loc}), 'msg': {message!r}, 'input': {sent}}}"
    return {"object": "error", "message": text, "type": "Bad Request", "param": None, "code": 400}


# Answers of real servers, as they send them.
SEEN: list[tuple[str, int, Any, Capabilities]] = [
    # OpenAI and Azure
    (
        "a level that the model has not",
        400,
        fault(
            "Unsupported value: 'max' is not supported with the 'gpt-5.1-codex' model. "
            "Supported values are: 'low', 'medium', and 'high'.",
            "reasoning.effort",
            "unsupported_value",
        ),
        efforts("low", "medium", "high"),
    ),
    (
        "the same in newer words, from a gateway that loses the param",
        400,
        fault(
            "Unsupported value: 'reasoning.effort' does not support 'max' with this model. "
            "Supported values are: 'minimal', 'low', 'medium', and 'high'."
        ),
        efforts("minimal", "low", "medium", "high"),
    ),
    (
        "no reasoning",
        400,
        fault(
            "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
            "reasoning.effort",
            "unsupported_parameter",
        ),
        without("reasoning"),
    ),
    (
        "an organization that nobody has verified",
        400,
        fault(
            "Your organization must be verified to generate reasoning summaries. Please go to: "
            "https://platform.openai.com/settings/organization/general",
            "reasoning.summary",
            "unsupported_value",
        ),
        Capabilities(summary=False),
    ),
    (
        "a blob",
        400,
        fault("The encrypted content gAAA...DQ== could not be verified.", None, "invalid_encrypted_content"),
        Capabilities(refused_reasoning=frozenset({"rs_1", "rs_2"})),
    ),
    (
        "the blob of one item, in a stream",
        200,
        fault(
            "The encrypted content for item rs_2 could not be verified. Reason: Encrypted content could not be "
            "decrypted or parsed."
        ),
        Capabilities(refused_reasoning=frozenset({"rs_2"})),
    ),
    (
        "reasoning that led to nothing",
        400,
        fault("Item 'rs_1' of type 'reasoning' was provided without its required following item.", "input"),
        Capabilities(refused_reasoning=frozenset({"rs_1"})),
    ),
    (
        "a hosted tool",
        400,
        fault("Hosted tool 'web_search' is not supported with gpt-5.4-nano.", "tools"),
        Capabilities(web_search=False),
    ),
    (
        "tool search",
        400,
        fault("Tool 'tool_search' is not supported with gpt-5.4-nano.", "tools"),
        Capabilities(tool_search=False),
    ),
    (
        "a tool by its place",
        400,
        fault(
            "Invalid value: 'tool_search'. Supported values are: 'function' and 'custom'.",
            "tools[2].type",
            "invalid_value",
        ),
        Capabilities(tool_search=False),
    ),
    (
        "tools of a Foundry model",
        400,
        fault("The model 'gpt-5-nano' cannot be used with the following tools: web_search. This model only supports …"),
        Capabilities(web_search=False),
    ),
    (
        "a phase",
        400,
        fault("Unknown parameter: 'input[3].phase'.", "input[3].phase", "unknown_parameter"),
        Capabilities(phases=False),
    ),
    (
        "Azure's retention",
        400,
        fault("prompt_cache_retention is not supported on this model"),
        without("prompt_cache_retention"),
    ),
    (
        "Azure's DeepSeek",
        400,
        {
            "error": {
                "code": "unrecognized_request_argument",
                "message": "Unrecognized request argument supplied: prompt_cache_key",
            }
        },
        without("prompt_cache_key"),
    ),
    (
        "sampling",
        400,
        fault(
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is "
            "supported.",
            "temperature",
            "unsupported_value",
        ),
        without("temperature"),
    ),
    (
        "a longer answer than there is",
        400,
        fault(
            "Invalid 'max_output_tokens': integer above maximum value. Expected a value <= 32768, but got 64000 "
            "instead.",
            "max_output_tokens",
            "integer_above_max_value",
        ),
        without("max_output_tokens"),
    ),
    # ChatGPT
    ("ChatGPT", 400, {"detail": "Unsupported parameter: service_tier"}, without("service_tier")),
    ("ChatGPT's choice", 400, {"detail": "Tool choice 'web_search' not supported"}, without("tool_choice")),
    # vLLM and SGLang
    (
        "vLLM's choice",
        501,
        fault("Only 'auto' tool_choice is supported in response API with Harmony", None, 501, "NotImplementedError"),
        without("tool_choice"),
    ),
    (
        "vLLM's choice, checked",
        400,
        validation(
            "'body',", 'Value error, `tool_choice` must either be a named tool, "auto", or "none".', "value_error", "{}"
        ),
        without("tool_choice"),
    ),
    (
        "SGLang's levels",
        400,
        validation(
            "'body', 'reasoning', 'effort'", "Input should be 'low', 'medium' or 'high'", "literal_error", "'max'"
        ),
        efforts("low", "medium", "high"),
    ),
    (
        "vLLM, of an item of which it has no shape",
        400,
        {
            "error": validation(
                "'body', 'input', 'str'", "Input should be a valid string", "string_type", "[{'role': 'user'}]"
            )
        },
        Capabilities(media_in_outputs=False),
    ),
    (
        "FastAPI",
        422,
        {
            "detail": [
                {"type": "extra_forbidden", "loc": ["body", "service_tier"], "msg": "Extra inputs are not permitted"}
            ]
        },
        without("service_tier"),
    ),
    # LiteLLM and other gateways, before OpenAI, Azure and Cerebras
    (
        "LiteLLM",
        400,
        fault(
            'litellm.BadRequestError: OpenAIException - {\n  "error": {\n    "message": "Unsupported parameter: '
            '\'reasoning.effort\' is not supported with this model.",\n    "type": "invalid_request_error",\n'
            '    "param": "reasoning.effort",\n    "code": "unsupported_parameter"\n  }\n}. Received Model Group=gpt-4o'
            "\nAvailable Model Group Fallbacks=None",
            None,
            "400",
        ),
        without("reasoning"),
    ),
    (
        "LiteLLM, in its own words",
        400,
        fault(
            "litellm.BadRequestError: litellm.ContentPolicyViolationError: litellm. ContentPolicyViolationError: "
            "AzureException - prompt_cache_retention is not supported on this model"
        ),
        without("prompt_cache_retention"),
    ),
    (
        "LiteLLM, before it asked",
        400,
        fault(
            "litellm.UnsupportedParamsError: openai does not support parameters: ['reasoning_effort'], for "
            "model=o4-mini. To drop these, set `litellm.drop_params=True`"
        ),
        without("reasoning"),
    ),
    (
        "OpenRouter",
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {
                    "raw": json.dumps(fault("Unknown parameter: 'service_tier'.", "service_tier", "unknown_parameter")),
                    "provider_name": "OpenAI",
                },
            }
        },
        without("service_tier"),
    ),
    (
        "Copilot's gateway",
        400,
        {"error": {"message": json.dumps(fault("Unknown parameter: 'input[3].phase'.")) + "\n", "type": "error"}},
        Capabilities(phases=False),
    ),
    (
        "Cerebras",
        400,
        {
            "message": "1 validation error for ChatCompletionServerRequest\nreasoning_effort\n Input should be 'low', "
            "'medium' or 'high' [type=enum, input_value='none', input_type=str]\n For further information visit …",
            "type": "invalid_request_error",
            "param": "validation_error",
            "code": "wrong_api_format",
        },
        efforts("low", "medium", "high"),
    ),
    (
        "Kimi",
        400,
        fault('invalid_request_error: invalid_request_error: tools.2: tool type "tool_search" is not supported'),
        Capabilities(tool_search=False),
    ),
    (
        "DeepSeek",
        400,
        fault("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"),
        without("max_output_tokens"),
    ),
    (
        "DashScope",
        400,
        fault("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]"),
        without("max_output_tokens"),
    ),
    (
        "CLIProxyAPI",
        400,
        fault('level "max" not supported, valid levels: low, medium, high, xhigh'),
        efforts("low", "medium", "high", "xhigh"),
    ),
    # Ollama and LM Studio
    (
        "Ollama's levels",
        400,
        fault('invalid reasoning value: \'max\' (must be "high", "medium", "low", or "none")'),
        efforts("none", "low", "medium", "high"),
    ),
    (
        "Ollama, of one level",
        400,
        fault('think value "max" is not supported for this model', None, None, "api_error"),
        efforts(*EFFORTS[:-1]),
    ),
    (
        "Ollama, of a model without",
        400,
        {"error": {"message": '"qwen3-coder:30b" does not support thinking', "type": "api_error"}},
        without("reasoning"),
    ),
    (
        "LM Studio",
        400,
        fault("Invalid type for 'input'.", "input", "invalid_union"),
        Capabilities(media_in_outputs=False),
    ),
]


@pytest.mark.parametrize(("status", "answer", "learned"), [row[1:] for row in SEEN], ids=[row[0] for row in SEEN])
def test_answers_of_real_servers_teach_what_to_leave_out(status: int, answer: Any, learned: Capabilities) -> None:
    report = Report.of_event(answer["error"]) if status == 200 else read_report(status, {}, json.dumps(answer).encode())
    assert learn_from(report, Capabilities(), WHOLE) == learned


SENTENCES = sorted({read_report(400, {}, json.dumps(row[2]).encode()).message for row in SEEN})


@pytest.mark.parametrize("quoted", SENTENCES)
@pytest.mark.parametrize(
    "quoting",
    [
        lambda words: fault(f"Your prompt was flagged: '{words}'", None, "invalid_prompt"),
        lambda words: fault(f"Invalid 'input[0].content': '{words}' is too much.", "input[0].content", "invalid_value"),
        lambda words: fault(f"Invalid value: '{words}'.", "input[0].content[0].text"),
        lambda words: fault(f"Invalid name of function 'Bash': {words}", "tools[0].name"),
        lambda words: fault(f"The image data is no image. {words}", "input"),
        lambda words: fault(f"'{words}'"),
        lambda words: fault(words, "model"),
        lambda words: validation("'body', 'input', 0, 'content'", "Field required", "missing", repr(words)),
        lambda words: fault(json.dumps(f"litellm.BadRequestError: {words}")),
        lambda words: fault(f"It says: {json.dumps(fault(words))}"),
    ],
)
def test_a_quoted_sentence_teaches_nothing(quoted: str, quoting: Any) -> None:
    """A conversation may be about anything, also about refusals."""
    assert learn_from(read_report(400, {}, json.dumps(quoting(quoted)).encode()), Capabilities(), WHOLE) is None


def test_a_refusal_of_the_whole_input_teaches_one_thing_after_another() -> None:
    changes, report, body = TurnChanges(), Report(400, message="Invalid input", param="input"), WHOLE
    for learned in (
        Capabilities(media_in_outputs=False),
        Capabilities(media_in_outputs=False, tool_search=False),
        Capabilities(media_in_outputs=False, tool_search=False, phases=False),
    ):
        assert changes.learn(report, changes.now or Capabilities(), body) and changes.now == learned
    assert not changes.learn(report, changes.now or Capabilities(), body)


@pytest.mark.parametrize("param", ["input[4].output[0].image_url", "input[9]", "input[0]", "input[0].content[1]"])
def test_a_fault_in_another_place_teaches_nothing_about_outputs(param: str) -> None:
    assert learn_from(Report(400, message=f"Invalid '{param}'.", param=param), Capabilities(), WHOLE) is None


WORDS = st.sampled_from(
    [*SENTENCES, "input[" + "9" * 5000 + "]", "tools[²]", "{", "tools[1]", "", "''", "1 validation error"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "param", "loc", "metadata", "raw"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@given(error=st.dictionaries(st.sampled_from(["message", "msg", "code", "param", "loc", "metadata", "type"]), ANYTHING))
@example(error={"message": "x", "param": f"input[{'9' * 5000}]"})
@example(error={"message": "x", "param": f"tools[{'9' * 5000}]"})
@example(error={"message": f"(99 in the messages, {'9' * 390} in the completion)"})
def test_a_refusal_of_any_shape_teaches_something_or_nothing(error: dict[str, Any]) -> None:
    """It never raises."""
    for report in (Report.of_event(error), read_report(400, {}, json.dumps({"error": error}).encode())):
        learn_from(report, Capabilities(), WHOLE)
        map_error(report)


# What is kept after the turn.


def test_a_helpful_change_is_kept_beside_what_other_turns_learned() -> None:
    changes = TurnChanges()
    changes.learn(Report(400, message="Unsupported parameter: 'service_tier'"), Capabilities(), WHOLE)
    changes.learn(Report(400, message="Unsupported value: 'max'"), changes.now or Capabilities(), WHOLE)
    meanwhile = Capabilities(summary=False, refused_fields=frozenset({"text"}), efforts=("low", "max"))
    assert changes.keep_helpful(meanwhile) == Capabilities(
        summary=False, refused_fields=frozenset({"text", "service_tier"}), efforts=("low",)
    )


def test_a_change_that_did_not_help_is_not_kept() -> None:
    changes, report = TurnChanges(), Report(400, message="Invalid input", param="input")
    changes.learn(report, Capabilities(), WHOLE)
    changes.learn(report, changes.now or Capabilities(), WHOLE)
    assert changes.keep_helpful(Capabilities()) == Capabilities(tool_search=False)


def test_all_levels_that_are_refused_in_a_turn_are_kept() -> None:
    changes, report = TurnChanges(), Report(400, message="Invalid value for effort.", param="reasoning.effort")
    for level in ("max", "xhigh"):
        changes.learn(report, changes.now or Capabilities(), {**WHOLE, "reasoning": {"effort": level}})
    assert changes.keep_helpful(Capabilities()) == Capabilities(efforts=EFFORTS[:-2])


def test_a_turn_that_learned_nothing_keeps_nothing() -> None:
    changes = TurnChanges()
    assert not changes.learn(Report(400, message="No."), Capabilities(), WHOLE)
    assert changes.keep_helpful(Capabilities(summary=False)) == Capabilities(summary=False)


# Each field.


def test_a_refused_effort_level_is_replaced_by_the_levels_that_the_refusal_lists() -> None:
    words = "Unsupported value: 'max' is not supported with 'gpt-5.5'. Supported values are: 'low' and 'high'."
    assert learn(words, param="reasoning.effort") == Capabilities(efforts=("low", "high"))


def test_a_refused_effort_level_without_a_list_is_replaced_by_all_others() -> None:
    refused = learn("Invalid value for effort.", param="reasoning.effort")
    assert refused == Capabilities(efforts=EFFORTS[:-1])


def test_an_effort_level_that_cannot_search_is_dropped_if_the_search_is_declared() -> None:
    body = {**BODY, "reasoning": {"effort": "minimal"}, "tools": [{"type": "web_search"}]}
    words = "The following tools cannot be used with reasoning.effort 'minimal': web_search."
    learned = learn_from(Report(400, message=words, param="tools"), Capabilities(efforts=("minimal", "low")), body)
    assert learned == Capabilities(efforts=("low",))


def test_no_reasoning_is_requested_if_every_level_was_refused() -> None:
    known = Capabilities(efforts=("max",))
    assert learn("Invalid value for effort.", known, param="reasoning.effort") == Capabilities(
        efforts=("max",), refused_fields=frozenset({"reasoning"})
    )


def test_a_model_without_reasoning_is_known_after_one_refusal() -> None:
    words = "Unsupported parameter: 'reasoning.effort' is not supported with this model."
    assert learn(words, param="reasoning.effort") == Capabilities(refused_fields=frozenset({"reasoning"}))


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ("Your organization must be verified to generate reasoning summaries.", "reasoning.summary"),
        ("Your organization must be verified to generate reasoning summaries.", ""),
        ("Unsupported parameter: 'reasoning.summary' is not supported with this model.", ""),
    ],
)
def test_a_refused_summary_is_not_requested_again(words: str, param: str) -> None:
    assert learn(words, param=param) == Capabilities(summary=False)


def test_reasoning_that_the_backend_cannot_read_is_left_out() -> None:
    words = "The encrypted content gAAA...x could not be verified."
    assert learn(words, code="invalid_encrypted_content") == Capabilities(refused_reasoning=frozenset({"rs_1"}))


@pytest.mark.parametrize(("name", "left_out"), [("rs_1", {"rs_1"}), ("rs_9", {"rs_1", "rs_2"})])
def test_reasoning_without_its_following_item_is_left_out(name: str, left_out: set[str]) -> None:
    words = f"Item '{name}' of type 'reasoning' was provided without its required following item."
    body = {**BODY, "input": [*BODY["input"], {"type": "reasoning", "id": "rs_2", "encrypted_content": "y"}]}
    assert learn_from(Report(400, message=words), Capabilities(), body) == Capabilities(
        refused_reasoning=frozenset(left_out)
    )


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
def test_a_refused_value_of_include_is_left_out_by_its_name(
    words: str, param: str, refused: set[str], encrypted: bool
) -> None:
    body = {**BODY, "include": [ENCRYPTED, SOURCES]}
    known = learn_from(Report(400, message=words, param=param), Capabilities(), body)
    assert known == Capabilities(refused_includes=frozenset(refused), encrypted_reasoning=encrypted)


@pytest.mark.parametrize(
    "words",
    [
        "Hosted tool 'web_search' is not supported with gpt-5.4-nano.",
        "The web_search tool is disabled for this resource.",
        "Web search is not enabled for this subscription.",
        "The following tools are not available in this region: web_search.",
    ],
)
def test_a_refused_web_search_is_not_declared_again(words: str) -> None:
    body = {**BODY, "tools": [{"type": "web_search"}]}
    assert learn_from(Report(400, message=words), Capabilities(), body) == Capabilities(web_search=False)
    assert learn(words) is None, "it was not declared"


def test_a_web_search_with_a_wrong_filter_stays_declared() -> None:
    body = {**BODY, "tools": [{"type": "web_search"}]}
    words = "web_search: filters.allowed_domains has more than 20 domains."
    assert learn_from(Report(400, message=words), Capabilities(), body) is None


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ("Only 'auto' tool_choice is supported in response API with Harmony", ""),
        ("Invalid value: 'required'. Supported values are: 'none' and 'auto'.", "tool_choice"),
        ("Unsupported parameter: tool_choice", ""),
    ],
)
def test_a_refused_tool_choice_is_not_sent_again(words: str, param: str) -> None:
    without = Capabilities(refused_fields=frozenset({"tool_choice"}))
    report = Report(400, message=words, param=param)
    assert learn_from(report, Capabilities(), {**BODY, "tool_choice": "required"}) == without
    assert learn_from(report, Capabilities(), BODY) is None


def test_refused_lists_in_outputs_are_not_sent_again() -> None:
    assert learn("Invalid type for 'input[2].output': expected a string.") == Capabilities(media_in_outputs=False)
    wrong = {"type": "string_type", "loc": ["body", "input", "str"], "msg": "Input should be a valid string"}
    report = read_report(422, {}, json.dumps({"detail": [wrong]}).encode())
    assert learn_from(report, Capabilities(), BODY) == Capabilities(media_in_outputs=False)


# Reasoning of another server.

FOREIGN = {
    **BODY,
    "input": [
        {"type": "message", "role": "user", "content": "hi"},
        {"type": "reasoning", "id": "reasoning_1", "encrypted_content": "x"},
        {"type": "message", "role": "assistant", "content": "hm"},
        {"type": "reasoning", "id": "reasoning_2", "encrypted_content": "y"},
    ],
}


@pytest.mark.parametrize(
    ("status", "message", "param"),
    [
        (400, "Invalid 'input[1].id': 'reasoning_1'. Expected an ID that begins with 'rs'.", "input[1].id"),
        (400, "Invalid 'input[1].id': 'reasoning_1'. Expected an ID that begins with 'rs'.", ""),
        (
            400,
            "Invalid 'input[1].content': array too long. Expected an array with maximum length 0.",
            "input[1].content",
        ),
        (404, "Item with id 'reasoning_1' not found. Items are not persisted when `store` is set to false.", "input"),
        (400, "Could not decrypt the provided encrypted_content: invalid payload", ""),  # xAI
        (400, "The field encrypted_content cannot be read.", ""),
        (422, "Failed to decrypt reasoning.", ""),
    ],
)
def test_reasoning_of_another_server_is_left_out_as_a_whole(status: int, message: str, param: str) -> None:
    learned = learn_from(Report(status, message=message, param=param), NOTHING, FOREIGN)
    assert learned == Capabilities(refused_reasoning=frozenset({"reasoning_1", "reasoning_2"}))


# Schemas.

ODD, FOUND = "mcp__odd__tool", "mcp__found__tool"
TOOLS = {
    **BODY,
    "tools": [
        {"type": "function", "name": "Bash"},
        {"type": "function", "name": ODD},
    ],
    "input": [
        {"type": "tool_search_output", "call_id": "s", "tools": [{"type": "function", "name": FOUND}]},
    ],
}


@pytest.mark.parametrize(
    ("report", "names"),
    [
        (Report(400, message="Invalid schema for function 'mcp__odd__tool': 'any' is not valid."), {ODD}),
        (
            Report(400, message="No.", param="tools[1].parameters", code="invalid_function_parameters"),
            {ODD},
        ),
        (Report(400, message="No.", param="tools.1.parameters.properties.n"), {ODD}),
        (Report(400, message="No.", param="input[0].tools[0].parameters"), {FOUND}),
        (Report(400, message="Invalid schema for function 'mcp__found__tool': no."), {FOUND}),
        (Report(400, message="No.", code="invalid_function_parameters"), {ODD, FOUND}),
        (
            Report(500, message="JSON schema conversion failed: Unrecognized type."),
            {ODD, FOUND},
        ),
    ],
)
def test_a_tool_whose_schema_is_refused_gets_an_open_one(report: Report, names: set[str]) -> None:
    assert learn_from(report, NOTHING, TOOLS) == Capabilities(open_schemas=frozenset(names))


def test_an_open_schema_that_is_refused_too_teaches_nothing() -> None:
    known = Capabilities(open_schemas=frozenset({"Bash"}))
    assert learn_from(Report(400, message="No.", param="tools[0].parameters"), known, TOOLS) is None


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Unknown parameter: 'tools[0].filters.blocked_domains'.", "tools[0].filters.blocked_domains"),
        ("Unknown parameter: 'tools[0].filters.blocked_domains'.", ""),
        ("'blocked_domains' is not supported with this model", ""),
    ],
)
def test_blocked_domains_that_are_refused_are_left_out(message: str, param: str) -> None:
    body = {**BODY, "tools": [{"type": "web_search", "filters": {"blocked_domains": ["a.example"]}}]}
    report = Report(400, message=message, param=param)
    assert learn_from(report, NOTHING, body) == Capabilities(blocked_domains=False)
    assert learn_from(report, NOTHING, {**body, "tools": [{"type": "web_search"}]}) is None


def test_a_limit_of_hosted_calls_that_is_refused_is_left_out() -> None:
    learned = learn_from(
        Report(400, message="Unknown parameter: 'max_tool_calls'."), NOTHING, {**BODY, "max_tool_calls": 8}
    )
    assert learned and not learned.max_tool_calls


def test_refused_phases_are_not_sent_again() -> None:
    words = "Unknown parameter: 'input[3].phase'."
    body = {**BODY, "input": [*BODY["input"], {"role": "assistant", "content": "x", "phase": "commentary"}]}
    assert learn_from(Report(400, message=words), Capabilities(), body) == Capabilities(phases=False)
    assert learn_from(Report(400, message=words), Capabilities(), BODY) is None


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
def test_a_refused_field_is_not_sent_again(words: str, param: str, name: str) -> None:
    assert learn(words, Capabilities(refused_reasoning=frozenset({"rs_1"})), param=param) == Capabilities(
        refused_reasoning=frozenset({"rs_1"}), refused_fields=frozenset({name})
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
def test_a_refused_output_length_is_not_sent_again(words: str, status: int) -> None:
    if status == 429 and "Request too large" not in words:
        assert learn(words, status=status) is None
    else:
        assert learn(words, status=status) == Capabilities(refused_fields=frozenset({"max_output_tokens"}))


def test_a_prompt_that_does_not_fit_by_itself_teaches_nothing() -> None:
    words = (
        "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (39000 in the "
        "messages, 1000 in the completion)."
    )
    assert learn(words) is None


@pytest.mark.parametrize("name", ["model", "input", "store", "stream", "tools", "instructions"])
def test_a_field_that_every_turn_needs_is_never_left_out(name: str) -> None:
    assert name not in OPTIONAL
    assert learn(f"Unsupported parameter: '{name}'") is None


@pytest.mark.parametrize("status", [401, 403, 413, 429, 500, 503])
def test_only_a_refusal_of_the_request_teaches(status: int) -> None:
    assert learn("Unsupported parameter: stream_options", status=status) is None


def test_the_same_refusal_twice_teaches_nothing_new() -> None:
    known = Capabilities(summary=False)
    assert learn("reasoning.summary", known) is None
