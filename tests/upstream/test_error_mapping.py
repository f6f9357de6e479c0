"""Errors of backends, in their own words, and the error that the client gets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from claudegpt_pkg.errors import (
    ClaudegptError,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotLoggedIn,
    Overloaded,
    PromptTooLong,
    RateLimited,
    RequestTooLarge,
    ServerFault,
    UpstreamFailed,
    UsageLimitReached,
)
from claudegpt_pkg.upstream.error_mapping import LONGEST_WAIT, map_error, may_retry
from claudegpt_pkg.upstream.error_report import Report, read_report

NOON = 1_795_262_400.0  # Saturday 21 November 2026, 12:00 UTC
WINDOW = 272_000


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The user's clock: UTC+1."""
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def http(status: int, body: Any = None, **headers: str) -> ClaudegptError:
    """Our error for an HTTP answer; underscores in header names stand for hyphens."""
    raw = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return map_error(read_report(status, named, raw), tokens=1000, window=WINDOW, now=NOON)


def api(status: int, code: str | None, message: str = "Words of theirs.", **more: Any) -> ClaudegptError:
    """The same for OpenAI's envelope."""
    headers = more.pop("headers", {})
    return http(
        status, {"error": {"message": message, "type": "some_type", "param": None, "code": code, **more}}, **headers
    )


def streamed(code: str | None, message: str = "Words of theirs.", **more: Any) -> ClaudegptError:
    """The same for an error inside a stream."""
    return map_error(Report.of_event({"code": code, "message": message, **more}), tokens=1000, window=WINDOW, now=NOON)


# Which error.


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, UpstreamFailed),
        (400, InvalidRequest),
        (401, NotLoggedIn),
        (402, UsageLimitReached),
        (403, Forbidden),
        (404, InvalidRequest),
        (405, InvalidRequest),
        (408, UpstreamFailed),
        (409, UpstreamFailed),
        (413, RequestTooLarge),
        (415, InvalidRequest),
        (422, InvalidRequest),
        (429, RateLimited),
        (500, ServerFault),
        (502, UpstreamFailed),
        (503, Overloaded),
        (504, UpstreamFailed),
        (520, UpstreamFailed),
        (529, Overloaded),
    ],
)
def test_a_status_alone_decides(status: int, expected: type[ClaudegptError]) -> None:
    assert type(http(status)) is expected


@pytest.mark.parametrize(
    "message",
    [
        "The model `gpt-9` does not exist or you do not have access to it.",
        'model "llama3" not found, try pulling it first',
        "The API deployment for this resource does not exist.",
    ],
)
def test_a_missing_model_is_told_from_a_wrong_address(message: str) -> None:
    assert type(http(404, {"error": {"message": message}})) is NotFound


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, ""), (404, "404 page not found"), (404, {"detail": "Not Found"}), (405, {"detail": "No."})],
)
def test_a_server_without_a_responses_api_is_named_as_such(status: int, body: Any) -> None:
    assert "chat completions alone cannot be used" in str(http(status, body))


def layered(inner: Any) -> list[Any]:
    """The same error as gateways pass it on."""
    text = json.dumps(inner)
    return [
        {"error": {"message": f"litellm.BadRequestError: OpenAIException - {text}. Received …", "code": "400"}},
        {"error": {"message": f"{text}\n", "type": "error"}},
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": text, "provider_name": "x"}}},
        {"error": {"message": f"Error: {json.dumps({'error': {'message': text}})}"}},
    ]


@pytest.mark.parametrize("layer", range(4))
@pytest.mark.parametrize(
    ("code", "expected"),
    [("context_length_exceeded", PromptTooLong), ("insufficient_quota", UsageLimitReached), (None, InvalidRequest)],
)
def test_an_error_inside_a_gateways_error_is_unwrapped(
    layer: int, code: str | None, expected: type[ClaudegptError]
) -> None:
    error = http(400, layered({"error": {"message": "Theirs.", "type": "x", "param": None, "code": code}})[layer])
    assert type(error) is expected and "{" not in str(error) and "litellm" not in str(error)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ('You said: {"error": {"message": "x", "code": "insufficient_quota"}}', "You said: {"),
        ('{"error": "x"}', '{"error": "x"}'),
        ("[" * 10_000, "[[["),
        ("error: " * 10_000, "refuses the request: error: error:"),
    ],
)
def test_a_message_that_only_looks_wrapped_is_shown_as_it_is(message: str, shown: str) -> None:
    error = api(400, None, message)
    assert type(error) is InvalidRequest and shown in str(error)


def test_the_raw_message_of_a_gateway_is_shown() -> None:
    error = http(400, {"error": {"message": "Provider returned error", "metadata": {"raw": "No such thing."}}})
    assert "No such thing." in str(error) and "Provider" not in str(error)


def test_the_value_that_was_sent_is_not_shown() -> None:
    fault = (
        "{'type': 'x', 'loc': ('body', 'input', 2, 'role'), 'msg': 'Should be a string', 'input': 'my context window'}"
    )
    error = api(400, None, f"240 validation errors:\n  {fault}")
    assert type(error) is InvalidRequest
    assert str(error) == "The upstream refuses the request: input[2].role: Should be a string."


def test_a_success_in_json_is_said_not_to_be_a_stream() -> None:
    error = http(200, {"object": "chat.completion", "choices": []})
    assert "not with a stream" in str(error) and error.retry is False


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("insufficient_quota", UsageLimitReached),
        ("credit_balance_exhausted", UsageLimitReached),
        ("billing_hard_limit_reached", UsageLimitReached),
        ("project_spend_limit_exceeded", UsageLimitReached),
        ("usage_not_included", UsageLimitReached),
        ("rate_limit_exceeded", RateLimited),
        ("server_is_overloaded", Overloaded),
        ("slow_down", Overloaded),
        ("server_error", ServerFault),
        ("context_length_exceeded", PromptTooLong),
        ("exceed_context_size_error", PromptTooLong),
        ("content_filter", InvalidRequest),
        ("invalid_prompt", InvalidRequest),
        ("bio_policy", InvalidRequest),
        ("misalignment_policy_violation", InvalidRequest),
        ("invalid_image_format", InvalidRequest),
        ("image_too_large", InvalidRequest),
        ("failed_to_download_image", InvalidRequest),
        ("model_not_found", NotFound),
        (None, UpstreamFailed),
    ],
)
def test_a_code_inside_a_stream_decides(code: str | None, expected: type[ClaudegptError]) -> None:
    assert type(streamed(code)) is expected


def test_an_error_event_may_call_the_request_invalid() -> None:
    assert type(streamed(None, type="invalid_request_error")) is InvalidRequest
    assert type(streamed("server_error", type="invalid_request_error")) is ServerFault


@pytest.mark.parametrize("status", [429, 400, 403])
def test_used_up_credit_is_not_a_rate_limit(status: int) -> None:
    error = api(status, "insufficient_quota", "You exceeded your current quota.")
    assert type(error) is UsageLimitReached and error.status == 429
    assert error.retry is False and "billing" in str(error)


def test_an_identity_without_a_role_is_told_which_role_it_needs() -> None:
    words = (
        "The principal `1` lacks the required data action `Microsoft.CognitiveServices/accounts/OpenAI/responses/write`"
    )
    error = api(401, "PermissionDenied", words)
    assert isinstance(error, Forbidden) and words in error.message
    assert error.hint == "Give it the role Cognitive Services OpenAI User on the resource."


def test_a_wrong_key_comes_with_the_next_step() -> None:
    error = api(401, "invalid_api_key", "Incorrect API key provided: ***.", type="invalid_request_error")
    assert type(error) is NotLoggedIn and error.retry is False
    assert str(error) == (
        "The upstream does not accept the credential (Incorrect API key provided: ***). Run `claudegpt setup` "
        "to enter another key or log in again; `claudegpt config` shows where a key comes from."
    )


def test_a_web_page_with_status_403_is_blamed_on_the_network() -> None:
    error = http(403, "<!DOCTYPE html><html><title>Just a moment...</title></html>", cf_mitigated="challenge")
    assert type(error) is UpstreamFailed and may_retry(error)
    assert "VPN" in str(error) and "<" not in str(error)


@pytest.mark.parametrize(
    ("status", "expected"), [(401, NotLoggedIn), (413, RequestTooLarge), (429, RateLimited), (502, UpstreamFailed)]
)
def test_a_web_page_of_a_gateway_is_decided_by_its_status(status: int, expected: type[ClaudegptError]) -> None:
    error = http(status, "<html><h1>nginx</h1></html>")
    assert type(error) is expected and "VPN" not in str(error) and "<" not in str(error)


def test_a_redirect_names_its_target_and_is_not_retried() -> None:
    error = http(308, None, location="https://api.example/v2/responses")
    assert "https://api.example/v2/responses" in str(error) and not may_retry(error)


def test_the_jailbreak_filter_is_explained() -> None:
    error = api(400, "content_filter", "The response was filtered due to the prompt triggering a policy.")
    assert type(error) is InvalidRequest and "Rephrase" in str(error)


# The prompt is too long: every known wording.

WORDINGS = {
    "openai": ("Your input exceeds the context window of this model. Please adjust your input and try again.", None),
    "openai-limit": (
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 320019 tokens. "
        "Please reduce the length of the messages.",
        (320_019, 272_000),
    ),
    "openai-string": (
        "Invalid 'input[3].content[0].text': string too long. Expected a string with maximum length 10485760, but got "
        "a string with length 11445800 instead.",
        None,
    ),
    "chat": (
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130012 tokens.",
        (130_012, 128_000),
    ),
    "vllm": (
        "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (39000 in the "
        "messages, 1000 in the completion). Please reduce the length of the messages or completion.",
        (40_000, 32_768),
    ),
    "vllm-decoder": (
        "The decoder prompt (length 40000) is longer than the maximum model length of 32768.",
        (40_000, 32_768),
    ),
    "sglang": (
        "The input (40000 tokens) is longer than the model's context length (32768 tokens).",
        (40_000, 32_768),
    ),
    "sglang-total": (
        "Requested token count exceeds the model's maximum context length of 131072 tokens. You requested a total of "
        "140000 tokens: 139000 tokens from the input messages and 1000 tokens for the completion.",
        (140_000, 131_072),
    ),
    "llama.cpp": ("the request exceeds the available context size, try increasing it", None),
    "xai": (
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        (537_812, 131_072),
    ),
    "gemini": (
        "The input token count (1196265) exceeds the maximum number of tokens allowed (1048576).",
        (1_196_265, 1_048_576),
    ),
    "litellm": ("prompt is too long: 210,000 tokens > 200,000 maximum", (210_000, 200_000)),
    "litellm-name": (
        "litellm.ContextWindowExceededError: litellm.BadRequestError: XException - Too many tokens.",
        None,
    ),
}


WORDINGS |= {
    "llama.cpp-numbers": (
        "request (300011 tokens) exceeds the available context size (65536 tokens), try increasing it",
        (300_011, 65_536),
    ),
    "ollama": ("prompt too long; exceeded max context length by 1200 tokens", None),
    "groq": ("Please reduce the length of the messages or completion.", None),
    "kimi": ("Invalid request: Your request exceeded model token limit: 262144", None),
    "lm studio": ("Trying to keep the first 9000 tokens when the context overflows. However, …", None),
    "glm": ("Prompt exceeds max length", None),
    "finish reason": ("model_context_window_exceeded", None),
    "dashscope": ("Range of input length should be [1, 98304]", None),
    "mistral": ("Prompt contains 40000 tokens, too large for model with 32768 maximum context length", None),
    "fireworks": ("The prompt is too long: 140000, model maximum context length: 131071", None),
    "bedrock": ("Input is too long for requested model.", None),
    "someone": ("The conversation is too long for this model.", None),
    "someone else": ("Context length exceeded.", None),
}
NO_NUMBERS = "prompt is too long for this model"  # smaller than our window, and refused all the same


@pytest.mark.parametrize("status", [400, 413, 422, 500])
@pytest.mark.parametrize("wording", WORDINGS)
def test_a_prompt_that_is_too_long_is_told_in_the_words_on_which_the_client_compacts(wording: str, status: int) -> None:
    message, numbers = WORDINGS[wording]
    error = http(status, {"error": {"message": message}})
    assert type(error) is PromptTooLong and error.status == 400 and error.kind == "invalid_request_error"
    told = f"prompt is too long: {numbers[0]} tokens > {numbers[1]} maximum" if numbers else NO_NUMBERS
    assert str(error) == told


def test_a_prompt_that_is_too_long_may_be_told_inside_a_stream() -> None:
    assert str(streamed("context_length_exceeded")) == NO_NUMBERS


def test_the_estimate_is_shown_if_the_upstream_gives_no_numbers() -> None:
    error = map_error(Report.of_event({"code": "context_length_exceeded"}), tokens=300_000, window=WINDOW)
    assert str(error) == f"prompt is too long: 300000 tokens > {WINDOW} maximum"


@pytest.mark.parametrize("wording", WORDINGS.values(), ids=WORDINGS.keys())
@pytest.mark.parametrize(
    "quoting",
    [
        "Invalid schema for function 'Bash': '{}' is no type.",
        'Invalid value: "{}".',
        "Your prompt was flagged: `{}`",
        "Unexpected text at 'input[0].content': 'He said: {}",  # and so on, until it was cut off
    ],
)
@pytest.mark.parametrize("status", [400, 500])
def test_quoted_words_compact_no_conversation(wording: tuple[str, Any], quoting: str, status: int) -> None:
    assert type(api(status, None, quoting.format(wording[0]))) in (InvalidRequest, ServerFault)


@pytest.mark.parametrize(
    "code", ["unsupported_parameter", "unknown_parameter", "invalid_value", "missing_required_parameter"]
)
def test_a_code_that_names_another_fault_is_not_overruled_by_words(code: str) -> None:
    error = api(400, code, "Unsupported parameter 'foo' for this model; requests exceed the context window without it.")
    assert type(error) is InvalidRequest and "'foo'" in str(error)


@pytest.mark.parametrize(
    "message",
    [
        "Unsupported parameter foo; see the context window docs.",
        "max_output_tokens exceeds the output token limit.",
        "The file name is too long.",
        "Provide more context.",
    ],
)
def test_words_that_only_mention_a_length_compact_no_conversation(message: str) -> None:
    assert type(http(400, {"error": {"message": message}})) is InvalidRequest


@pytest.mark.parametrize(
    ("tokens", "fields", "expected"),
    [
        (250_000, {}, PromptTooLong),
        (200_000, {}, InvalidRequest),
        (250_000, {"param": "tools[0].name"}, InvalidRequest),
        (250_000, {"code": "invalid_value"}, InvalidRequest),
    ],
)
def test_a_refusal_without_a_reason_of_a_request_that_nearly_fills_the_window_is_too_long(
    tokens: int, fields: dict[str, str], expected: type[ClaudegptError]
) -> None:
    report = Report.of_event({"message": "Das geht so nicht.", "status": 400, **fields})
    assert type(map_error(report, tokens=tokens, window=WINDOW)) is expected
    assert type(map_error(Report(500, message="Oh."), tokens=tokens, window=WINDOW)) is ServerFault


# What a code, a type, a status and words say, in this order.


@pytest.mark.parametrize(
    "message",
    [
        "Selected model is at capacity. Please try a different model.",
        "The engine is currently overloaded, please try again later",
        "We are experiencing high demand.",
    ],
)
@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_no_capacity_is_overload_under_whatever_status(message: str, status: int) -> None:
    assert type(http(status, {"error": {"message": message}})) is Overloaded


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("authentication_error", NotLoggedIn),
        ("permission_error", Forbidden),
        ("not_found_error", NotFound),
        ("rate_limit_error", RateLimited),
        ("overloaded_error", Overloaded),
        ("billing_error", UsageLimitReached),
        ("request_too_large", RequestTooLarge),
        ("api_error", UpstreamFailed),
    ],
)
def test_a_type_inside_a_stream_says_which(kind: str, expected: type[ClaudegptError]) -> None:
    assert type(streamed(None, "failed", type=kind)) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"code": 429, "message": "Slow."}}, RateLimited),
        ({"error": {"code": "402", "message": "Pay."}}, UsageLimitReached),
        ({"error": {"status": 503, "message": "Busy."}}, Overloaded),
        ({"error": {"message": "Error code: 429 - slow down"}}, RateLimited),
        ({"error": {"message": "litellm.RateLimitError: HTTP 429: slow down"}}, RateLimited),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 500, 502])
def test_a_status_within_the_error_beats_one_that_says_little(
    status: int, body: Any, expected: type[ClaudegptError]
) -> None:
    assert type(http(status, body)) is expected
    assert type(http(401, body)) is NotLoggedIn


def test_an_error_event_may_have_a_status_at_its_top() -> None:
    assert type(map_error(Report.of_event({"type": "error", "status": 503}))) is Overloaded


def test_a_type_that_says_nothing_does_not_overrule_the_status() -> None:
    assert type(api(503, None, type="server_error")) is Overloaded
    assert type(api(529, "server_error")) is Overloaded


@pytest.mark.parametrize("name", ["retry_after_seconds", "retry_after", "resets_in_seconds"])
def test_the_wait_may_stand_in_the_body(name: str) -> None:
    fields: dict[str, Any] = {name: 25}
    assert api(429, None, **fields).retry_after == 25


def test_an_error_framed_as_events_is_read_like_any_other() -> None:
    body = 'data: {"error":{"message":"The model is gone.","code":"500"}}\n\ndata: [DONE]\n\n'
    assert str(http(500, body)) == "The upstream failed: HTTP 500: The model is gone."


# A cause that the status does not suggest.


@pytest.mark.parametrize("status", [400, 403, 404])
def test_an_organization_that_is_not_verified_is_told_to_verify(status: int) -> None:
    words = "Your organization must be verified to use the model `gpt-6-astra`. Please go to: https://x.example"
    error = api(status, "model_not_found", words)
    assert type(error) is Forbidden and error.message.endswith("https://x.example.") and "Verify" in error.hint


@pytest.mark.parametrize(
    "words",
    [
        "Project `proj_1` does not have access to model `gpt-6-sol`.",
        "Your account has no access to this model.",
        "You do not have access to the deployment.",
    ],
)
@pytest.mark.parametrize("status", [403, 404])
def test_a_project_without_access_to_a_model_is_told_what_to_allow(words: str, status: int) -> None:
    error = api(status, "model_not_found", words)
    assert type(error) is Forbidden and words.rstrip(".") in error.message and "project settings" in error.hint


@pytest.mark.parametrize("status", [400, 403])
def test_a_bad_key_is_a_bad_key_under_whatever_status(status: int) -> None:
    for words in (
        "API key not valid. Please pass a valid API key.",
        "Invalid API key.",
        "Your access token is missing. Missing access token.",
    ):
        assert type(http(status, {"error": {"message": words}})) is NotLoggedIn
    assert type(http(400, {"error": {"message": "Invalid JSON: unexpected token."}})) is InvalidRequest


@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_a_balance_that_is_gone_is_told_under_whatever_status(status: int) -> None:
    assert type(http(status, {"error": {"message": "Insufficient balance."}})) is UsageLimitReached


def test_what_a_server_says_with_a_404_comes_first() -> None:
    error = http(404, {"error": {"message": "No such tenant.", "type": "not_found_error"}})
    assert type(error) is InvalidRequest and str(error).startswith("The upstream answers 404: No such tenant.")


# Images and files.


def refused(message: str, *media: str, status: int = 400, param: str = "") -> ClaudegptError:
    report = read_report(status, {}, json.dumps({"error": {"message": message, "param": param}}).encode())
    return map_error(report, tokens=1000, window=WINDOW, media=media)


IMAGES = [
    (400, "The image data you provided does not represent a valid image.", "input"),
    (400, "This model does not support image inputs.", ""),
    (404, "No endpoints found that support image input", ""),
    (400, "gpt-oss is not a multimodal model", ""),
    (500, "image input is not supported - hint: you may need to provide the mmproj", ""),
    (400, "Failed to deserialize: unknown variant image_url, expected text", ""),
    (422, "Vision is not enabled for this deployment.", "input[3].output[0]"),
]


@pytest.mark.parametrize(("status", "message", "param"), IMAGES)
def test_an_image_that_is_refused_is_told_so_that_claude_code_drops_it(status: int, message: str, param: str) -> None:
    error = refused(message, "image", status=status, param=param)
    assert type(error) is InvalidRequest and error.status == 400
    assert str(error).startswith("Could not process image: ") and message[:20] in str(error)
    assert "Could not process" not in str(refused(message, status=status, param=param))


@pytest.mark.parametrize(
    "message",
    [
        "This model does not support PDF files.",
        "Invalid file data.",
        "The document could not be parsed.",
        "input_file: no.",
    ],
)
def test_a_pdf_that_is_refused_is_told_so_that_claude_code_drops_it(message: str) -> None:
    assert str(refused(message, "file", "image")).startswith("Could not process PDF: ")
    assert "Could not process" not in str(refused(message, "image"))


def test_what_is_only_quoted_or_elsewhere_drops_no_image() -> None:
    assert "Could not" not in str(refused("Your prompt was flagged: 'draw an image'.", "image"))
    assert "Could not" not in str(refused("Invalid image tool.", "image", param="tools[0].parameters"))
    assert "Could not" not in str(refused("The image server broke.", "image", status=500))


def test_an_unimplemented_feature_is_not_retried() -> None:
    error = api(501, "501", "Background mode is not implemented.")
    assert type(error) is InvalidRequest and "Background mode" in str(error) and not may_retry(error)


def test_a_request_above_the_limit_of_a_minute_is_too_long() -> None:
    error = api(
        429,
        "rate_limit_exceeded",
        "Request too large for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000, Requested 45012. The "
        "input or output tokens must be reduced in order to run successfully.",
    )
    assert str(error) == "prompt is too long: 45012 tokens > 30000 maximum"


# When to try again.


def test_the_usage_limit_is_one_line_with_the_local_time() -> None:
    body = {"error": {"type": "usage_limit_reached", "message": "x", "plan_type": "plus", "resets_at": NOON + 7500}}
    error = http(429, body)
    assert str(error) == "Your ChatGPT plan's usage limit is reached (plus). It resets at 15:05."
    assert error.status == 429 and error.retry is False and not may_retry(error)


def test_a_reset_on_another_day_names_the_day() -> None:
    error = api(429, None, type="usage_limit_reached", resets_in_seconds=4 * 86_400)
    assert str(error) == "Your ChatGPT plan's usage limit is reached. It resets on Wed 25 Nov at 13:00."


def test_the_headers_of_the_used_up_window_give_the_reset() -> None:
    headers = {
        "x_codex_primary_used_percent": "12",
        "x_codex_primary_reset_at": str(NOON + 60),
        "x_codex_secondary_used_percent": "100",
        "x_codex_secondary_reset_at": str(NOON + 3600),
    }
    assert "It resets at 14:00." in str(api(429, None, type="usage_limit_reached", headers=headers))


@pytest.mark.parametrize("place", ["header", "body"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("workspace_owner_credits_depleted", "no credits left. You own the workspace: add credits"),
        ("workspace_member_credits_depleted", "no credits left. Ask the workspace's owner"),
        ("workspace_owner_usage_limit_reached", "usage limit is reached. You own the workspace: raise the limit"),
        ("workspace_member_usage_limit_reached", "sets for you is reached. Ask the workspace's owner to raise it"),
        ("something_new", "Your ChatGPT plan's usage limit is reached. Try again later."),
    ],
)
def test_whose_limit_was_reached_and_whom_to_ask_is_told(place: str, kind: str, words: str) -> None:
    headers = {"x_codex_rate_limit_reached_type": kind} if place == "header" else {}
    body = {"rate_limit_reached_type": kind} if place == "body" else {}
    error = api(429, None, type="usage_limit_reached", headers=headers, **body)
    assert words in str(error) and error.status == 429 and not may_retry(error)


@pytest.mark.parametrize("plan", ["\x1b]52;c;aGk=\x07", "a\nb", 5, "x" * 1000])
def test_a_plans_name_that_cannot_be_shown_is_left_out(plan: Any) -> None:
    error = api(429, None, type="usage_limit_reached", plan_type=plan)
    assert str(error) == "Your ChatGPT plan's usage limit is reached. Try again later."


@pytest.mark.parametrize("moment", [None, 0, -1, "soon", 1e300, [], {}, 1000])
def test_a_reset_that_is_no_moment_or_lies_behind_us_is_passed_over(moment: Any) -> None:
    error = api(
        429, None, type="usage_limit_reached", resets_at=moment, resets_in_seconds=None if moment == 1000 else moment
    )
    assert str(error) == "Your ChatGPT plan's usage limit is reached. Try again later."


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry_after": "7"}, "Slow down.", 7),
        ({"retry_after_ms": "1500", "retry_after": "7"}, "Slow down.", 1.5),
        ({}, "Rate limit reached. Please try again in 1.2s. Visit https://x.example.", 1.2),
        ({}, "Please try again in 820ms.", 0.82),
        ({}, "Please try again in 6m0s.", 360),
        ({}, "Please try again in 1h2m3s.", 3723),
        ({}, "Please retry after 26 seconds.", 26),
        ({}, "Please retry after 1 minute.", 60),
        ({"retry_after": "Sat, 21 Nov 2026 12:00:07 GMT"}, "Slow down.", 7),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "Slow down.", 0),
        ({"retry_after": "Wed, 21 Smarch 2026"}, "Slow down.", None),
        ({}, "Please retry in 34.07s.", 34.07),
        ({"retry_after": "nan"}, "Slow down.", None),
        ({"retry_after": "inf"}, "Slow down.", None),
        ({"retry_after": "-3"}, "Slow down.", None),
        ({}, "Slow down.", None),
    ],
)
def test_the_wait_is_read_from_headers_and_words(headers: dict[str, str], message: str, seconds: float | None) -> None:
    error = api(429, "rate_limit_exceeded", message, headers=headers)
    assert error.retry_after == (pytest.approx(seconds) if seconds is not None else None)


# What may be retried.


@pytest.mark.parametrize(
    "error",
    [
        api(429, "rate_limit_exceeded", headers={"retry_after": str(LONGEST_WAIT)}),
        api(503, "server_is_overloaded"),
        streamed("server_is_overloaded"),
        streamed("rate_limit_exceeded", "Please try again in 1.2s."),
        *(http(status) for status in (408, 409, 500, 502, 503, 504, 520, 529)),
        http(404, "<html></html>"),
    ],
)
def test_a_passing_failure_is_retried(error: ClaudegptError) -> None:
    assert may_retry(error)


@pytest.mark.parametrize(
    "error",
    [
        api(429, "rate_limit_exceeded"),
        api(429, "rate_limit_exceeded", headers={"retry_after": str(LONGEST_WAIT + 1)}),
        api(503, "server_is_overloaded", headers={"retry_after": "3600"}),
        http(502, None, retry_after="3600"),
        api(429, "insufficient_quota", headers={"retry_after": "1"}),
        api(429, "usage_limit_reached", headers={"retry_after": "1"}),
        api(429, "usage_not_included"),
        api(400, "context_length_exceeded"),
        streamed("bio_policy"),
        *(http(status) for status in (301, 400, 401, 402, 403, 404, 413, 422)),
    ],
)
def test_a_lasting_failure_is_not_retried(error: ClaudegptError) -> None:
    assert not may_retry(error)


# Bodies of any shape.

BODIES: list[Any] = [
    None,
    "",
    "plain text",
    "{broken",
    '"a string"',
    [],
    [1],
    [{"error": {"message": "in a list"}}],
    {"error": None},
    {"error": "a string"},
    {"error": []},
    {"error": {}},
    {"error": {"message": None, "code": 7, "type": ["x"]}},
    {"error": {"message": {"deep": 1}}},
    {"detail": "Unsupported parameter: user"},
    {"detail": [{"type": "missing", "loc": ["body", "input"], "msg": "Field required"}]},
    {"detail": []},
    {"message": "at the top"},
    {"error": {"message": "half an emoji \ud83d"}},
    {"error": {"message": "long " * 10_000}},
    {"error": {"message": "on\ntwo  lines\r\n"}},
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: json.dumps(body)[:30])
@pytest.mark.parametrize("status", [200, 400, 418, 429, 500, 599])
def test_any_body_becomes_one_readable_sentence(status: int, body: Any) -> None:
    text = str(http(status, body))
    assert text.rstrip().endswith((".", "!", "?", "…")) and ".." not in text
    assert "\n" not in text and len(text) < 700
    text.encode()
