"""What a Responses server refuses, and in which words, as tables and small functions (docs/wires/responses.md).

    check(body)   → the first refusal, or None for a request that may be answered

Shapes are checked first (REQUEST, below), so that the rules after them may rely on them; each rule is a function from
the request to the refusals it finds. The order is that of RULES, at the end.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, zip_longest
from typing import Any

from . import WINDOW
from .prefix import count_tokens_roughly, prompt_bytes
from .seal import unseal
from .shapes import (
    Check,
    Refusal,
    any_value,
    boolean,
    by_type,
    integer,
    item_id,
    list_of,
    mapping,
    missing,
    number_between,
    optional,
    shape,
    short_text,
    text,
    text_or,
    word_among,
)

Body = Mapping[str, Any]
Rule = Callable[[Body], Iterator[Refusal]]

NAME = short_text(64, "[a-zA-Z0-9_-]+")
CALL_ID = short_text(64)
STATUS = optional(word_among("in_progress", "completed", "incomplete"))
EFFORTS = word_among("none", "minimal", "low", "medium", "high", "xhigh", "max")
SUMMARIES = word_among("auto", "concise", "detailed")
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
REFUSED_AT_TOP = ("oneOf", "anyOf", "allOf", "enum", "not")
DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.ASCII)


def _image_url(path: str, value: Any) -> Iterator[Refusal]:
    yield from text(path, value)
    if not isinstance(value, str) or re.match(r"https?://", value):
        return
    if problem := _data_url_problem(value, IMAGE_TYPES):
        yield Refusal(
            f"Invalid '{path}'. Expected a base64-encoded data URL with an image MIME type "
            f"(e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got {problem}.",
            path,
            "invalid_value",
        )


def _file_data(path: str, value: Any) -> Iterator[Refusal]:
    yield from text(path, value)
    if isinstance(value, str) and (problem := _data_url_problem(value)):
        yield Refusal(
            f"Invalid '{path}'. Expected a base64-encoded data URL, but got {problem}.", path, "invalid_value"
        )


def _data_url_problem(value: str, types: tuple[str, ...] = ()) -> str | None:
    match = DATA_URL.match(value)
    if not match:
        return "a value without the 'data:' prefix" if not value.startswith("data:") else "one without base64 data"
    if types and match[1] not in types:
        return f"unsupported MIME type '{match[1]}'"
    try:
        data = base64.b64decode(value[match.end() :], validate=True)
    except binascii.Error:
        return "invalid base64-encoded data"
    return None if data else "empty base64-encoded data"


# Parts.

INPUT_PARTS: dict[str, Check] = {
    "input_text": shape({"text": text}),
    "input_image": shape(
        {},
        {
            "image_url": _image_url,
            "detail": optional(word_among("auto", "low", "high", "original")),
            "file_id": optional(text),
        },
    ),
    "input_file": shape(
        {},
        {
            "file_data": _file_data,
            "filename": text,
            "file_url": text,
            "file_id": optional(text),
            "detail": word_among("auto", "low", "high"),
        },
    ),
}
OUTPUT_PARTS: dict[str, Check] = {
    "output_text": shape({"text": text}, {"annotations": list_of(mapping), "logprobs": list_of(mapping)}),
    "refusal": shape({"refusal": text}),
}
INPUT_CONTENT = text_or(list_of(by_type(INPUT_PARTS)))
CONTENT: dict[str, Check] = {
    "user": INPUT_CONTENT,
    "developer": INPUT_CONTENT,
    "system": INPUT_CONTENT,
    "assistant": text_or(list_of(by_type(OUTPUT_PARTS))),
}


def check_message(path: str, value: Any) -> Iterator[Refusal]:
    role = value.get("role")
    content = CONTENT.get(role, INPUT_CONTENT) if isinstance(role, str) else INPUT_CONTENT
    yield from shape(
        {"role": word_among(*CONTENT), "content": content},
        {
            "id": item_id("msg"),
            "status": STATUS,
            "phase": optional(word_among("commentary", "final_answer")),
        },
    )(path, value)


# Items, tools and the other nested parameters.

ITEMS: dict[str, Check] = {
    "message": check_message,
    "function_call": shape(
        {"call_id": CALL_ID, "name": NAME, "arguments": text},
        {"id": item_id("fc"), "status": STATUS},
    ),
    "function_call_output": shape(
        {"call_id": CALL_ID, "output": INPUT_CONTENT},
        {"id": optional(item_id("fc")), "status": STATUS},
    ),
    "reasoning": shape(
        {"id": item_id("rs"), "summary": list_of(by_type({"summary_text": shape({"text": text})}))},
        {
            "encrypted_content": optional(text),
            "content": optional(list_of(by_type({"reasoning_text": shape({"text": text})}))),
            "status": STATUS,
        },
    ),
    "web_search_call": shape({"id": item_id("ws"), "status": text}, {"action": mapping}),
    "item_reference": shape({"id": short_text(64)}),
}


def _parameters(path: str, value: Any) -> Iterator[Refusal]:
    yield from mapping(path, value)
    if isinstance(value, dict) and (problem := _schema_problem(value)):
        yield Refusal(f"Invalid schema for function: {problem}.", path, "invalid_function_parameters")


def _schema_problem(schema: Mapping[str, Any]) -> str | None:
    if schema.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'"
    if any(key in schema for key in REFUSED_AT_TOP):
        return "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level"
    return "array schema missing items" if _lacks_items(schema) else None


def _lacks_items(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(_lacks_items(part) for part in schema)
    if not isinstance(schema, dict):
        return False
    if schema.get("type") == "array" and not ("items" in schema or "prefixItems" in schema):
        return True
    return any(_lacks_items(part) for part in schema.values())


TOOLS: dict[str, Check] = {
    "function": shape(
        {"name": NAME},
        {
            "description": optional(text),
            "parameters": optional(_parameters),
            "strict": optional(boolean),
            "defer_loading": boolean,
        },
    ),
    "web_search": shape(
        {},
        {
            "filters": optional(shape({}, {"allowed_domains": optional(list_of(text))})),
            "search_context_size": word_among("low", "medium", "high"),
            "user_location": optional(mapping),
            "external_web_access": boolean,
        },
    ),
}
CHOICES: dict[str, Check] = {
    "function": shape({"name": NAME}),
    "web_search": shape({}),
    "allowed_tools": shape({"mode": word_among("auto", "required"), "tools": list_of(mapping)}),
}
FORMATS: dict[str, Check] = {
    "text": shape({}),
    "json_object": shape({}),
    "json_schema": shape({"name": NAME, "schema": mapping}, {"strict": optional(boolean), "description": text}),
}


def _tool_choice(path: str, value: Any) -> Iterator[Refusal]:
    check = word_among("none", "auto", "required") if isinstance(value, str) else by_type(CHOICES)
    yield from check(path, value)


PARAMETERS: dict[str, Check] = {
    "background": boolean,
    "include": list_of(
        word_among(
            "reasoning.encrypted_content",
            "web_search_call.action.sources",
            "web_search_call.results",
            "file_search_call.results",
            "message.input_image.image_url",
            "message.output_text.logprobs",
            "computer_call_output.output.image_url",
            "code_interpreter_call.outputs",
        )
    ),
    "input": text_or(list_of(by_type(ITEMS, default="message"))),
    "instructions": text,
    "max_output_tokens": integer(16),
    "max_tool_calls": integer(1),
    "metadata": mapping,
    "model": text,
    "parallel_tool_calls": boolean,
    "previous_response_id": text,
    "prompt_cache_key": short_text(64),
    "prompt_cache_retention": word_among("in_memory", "24h"),
    "reasoning": shape({}, {"effort": optional(EFFORTS), "summary": optional(SUMMARIES), "context": optional(text)}),
    "safety_identifier": text,
    "service_tier": word_among("auto", "default", "flex", "scale", "priority"),
    "store": boolean,
    "stream": boolean,
    "stream_options": shape({}, {"include_obfuscation": boolean}),
    "temperature": number_between(0, 2),
    "text": shape({}, {"format": by_type(FORMATS), "verbosity": optional(word_among("low", "medium", "high"))}),
    "tool_choice": _tool_choice,
    "tools": list_of(by_type(TOOLS)),
    "top_logprobs": integer(0),
    "top_p": number_between(0, 1),
    "truncation": word_among("auto", "disabled"),
    "user": text,
}
REQUEST = shape({}, {name: any_value if name == "model" else optional(check) for name, check in PARAMETERS.items()})


# Rules.


def check(body: Any) -> Refusal | None:
    """Return the first reason to refuse the request, or None."""
    return next(chain.from_iterable(rule(body) for rule in RULES), None)


def _is_an_object(body: Any) -> Iterator[Refusal]:
    if not isinstance(body, dict):
        yield Refusal("We could not parse the JSON body of your request: it is not an object.")


def _has_model_and_input(body: Body) -> Iterator[Refusal]:
    if not body.get("model"):
        yield missing("model")
    if not body.get("input"):  # nothing, null, "" or []
        yield missing("input")


def _has_known_shapes(body: Body) -> Iterator[Refusal]:
    yield from REQUEST("", body)
    yield from text("model", body["model"])


def _names_a_known_model(body: Body) -> Iterator[Refusal]:
    """The demo accepts every GPT's name, so that `--model gpt-…` works."""
    if not body["model"].startswith("gpt-"):
        message = f"The model '{body['model']}' does not exist or you do not have access to it."
        yield Refusal(message, "model", "model_not_found", status=404)


def _keeps_nothing(body: Body) -> Iterator[Refusal]:
    if previous := body.get("previous_response_id"):
        message = f"Previous response with id '{previous}' not found."
        yield Refusal(message, "previous_response_id", "previous_response_not_found")
    for item in _input_items(body, "item_reference"):
        yield _item_not_stored(item["id"])


def _allows_sampling_only_without_reasoning(body: Body) -> Iterator[Refusal]:
    if _requested_effort(body) == "none":
        return
    for name in ("temperature", "top_p"):
        if body.get(name) is not None:
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            yield Refusal(message, name, "unsupported_parameter")


def _has_stream_options_only_when_streaming(body: Body) -> Iterator[Refusal]:
    if body.get("stream_options") is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        yield Refusal(message, "stream_options", "invalid_value")


def _chooses_a_declared_tool(body: Body) -> Iterator[Refusal]:
    choice, tools = body.get("tool_choice"), body.get("tools") or []
    if choice == "required" and not tools:
        message = "Tool choice 'required' must be specified with 'tools' parameter."
        yield Refusal(message, "tool_choice", "invalid_value")
    if not isinstance(choice, dict):
        return
    wanted = choice["tools"] if choice["type"] == "allowed_tools" else [choice]
    for tool in wanted:
        if not any(_same_tool(tool, declared) for declared in tools):
            message = f"Tool choice '{tool.get('type')}' not found in 'tools' parameter."
            yield Refusal(message, "tool_choice", "invalid_value")


def _has_complete_strict_schemas(body: Body) -> Iterator[Refusal]:
    for at, tool in enumerate(body.get("tools") or []):
        if tool.get("strict") and (problem := _strict_problem(tool.get("parameters") or {})):
            yield Refusal(
                f"Invalid schema for function '{tool['name']}': In context=(), {problem}.",
                f"tools[{at}].parameters",
                "invalid_function_parameters",
            )
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("strict") and (problem := _strict_problem(wanted["schema"])):
        yield Refusal(
            f"Invalid schema for response_format '{wanted['name']}': In context=(), {problem}.",
            "text.format.schema",
            "invalid_json_schema",
        )


def _strict_problem(schema: Mapping[str, Any]) -> str | None:
    if schema.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false"
    absent = [name for name in schema.get("properties") or {} if name not in (schema.get("required") or [])]
    if absent:
        return (
            "'required' is required to be supplied and to be an array including every key in properties. "
            f"Missing '{absent[0]}'"
        )
    return None


def _pairs_calls_with_outputs(body: Body) -> Iterator[Refusal]:
    called = [item["call_id"] for item in _input_items(body, "function_call")]
    answered = {item["call_id"] for item in _input_items(body, "function_call_output")}
    for call_id in called:
        if call_id not in answered:
            yield Refusal(f"No tool output found for function call {call_id}.", "input")
    seen: set[str] = set()
    for item in _input_items(body, "function_call", "function_call_output"):
        if item["type"] == "function_call":
            seen.add(item["call_id"])
        elif item["call_id"] not in seen:
            yield Refusal(f"No tool call found for function call output with call_id {item['call_id']}.", "input")


def _repeats_no_item(body: Body) -> Iterator[Refusal]:
    seen: set[str] = set()
    for item in _input_items(body):
        if item.get("id") in seen:
            message = (
                f"Duplicate item found with id {item['id']}. Remove duplicate items from your input and try again."
            )
            yield Refusal(message, "input")
        if item.get("id"):
            seen.add(item["id"])


def _follows_reasoning_with_its_item(body: Body) -> Iterator[Refusal]:
    given = _input_items(body)
    for item, after in zip_longest(given, given[1:]):
        if item.get("type") == "reasoning" and not (after and _is_led_to_by_reasoning(after)):
            message = f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
            yield Refusal(message, "input")


def _is_led_to_by_reasoning(item: Mapping[str, Any]) -> bool:
    """Whether a model can put this item after its reasoning."""
    if item.get("type", "message") == "message":
        return bool(item["role"] == "assistant")
    return item["type"] in ("reasoning", "function_call", "web_search_call")


def _brings_reasoning_back_whole(body: Body) -> Iterator[Refusal]:
    for item in _input_items(body, "reasoning"):
        token = item.get("encrypted_content")
        if not token:
            yield _item_not_stored(item["id"])
            continue
        state = unseal(token)
        if state is None:
            yield _unverified_blob(token, "Encrypted content could not be decrypted or parsed.")
        elif state.get("item") != item["id"]:
            yield _unverified_blob(token, "Encrypted content item_id did not match the target item id.")


def _item_not_stored(item: str) -> Refusal:
    return Refusal(
        f"Item with id '{item}' not found. Items are not persisted when `store` is set to false. "
        "Try again with `store` set to true, or remove this item from your input.",
        "input",
        status=404,
    )


def _unverified_blob(token: str, reason: str) -> Refusal:
    shown = f"{token[:4]}...{token[-4:]}"
    message = f"The encrypted content {shown} could not be verified. Reason: {reason}"
    return Refusal(message, code="invalid_encrypted_content")


def _fits_the_window(body: Body) -> Iterator[Refusal]:
    if body.get("truncation") != "auto" and count_tokens_roughly(prompt_bytes(body)) > WINDOW:
        message = "Your input exceeds the context window of this model. Please adjust your input and try again."
        yield Refusal(message, "input", "context_length_exceeded")


def _input_items(body: Body, *kinds: str) -> list[dict[str, Any]]:
    """The items of the input; with `kinds`, only those of these types."""
    given = body["input"]
    if isinstance(given, str):
        return []
    return [item for item in given if not kinds or item.get("type") in kinds]


def _requested_effort(body: Body) -> str:
    return (body.get("reasoning") or {}).get("effort") or "medium"


def _same_tool(chosen: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    return chosen.get("type") == declared["type"] and chosen.get("name") == declared.get("name")


RULES: tuple[Rule, ...] = (
    _is_an_object,
    _has_model_and_input,
    _has_known_shapes,
    _names_a_known_model,
    _keeps_nothing,
    _allows_sampling_only_without_reasoning,
    _has_stream_options_only_when_streaming,
    _chooses_a_declared_tool,
    _has_complete_strict_schemas,
    _repeats_no_item,
    _pairs_calls_with_outputs,
    _follows_reasoning_with_its_item,
    _brings_reasoning_back_whole,
    _fits_the_window,
)
