"""What each kind of backend refuses, and in which words (a request of the right shape can still be wrong).

    accept(kind, body)      raises Refused, as that backend answers

Rules come from the API's own reference and from live reports; the sentences are the real ones where they are known.
What depends on earlier answers (is this the reasoning I issued?) is `memory.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)

from .shape import Refused, fits

Kind = Literal["openai", "chatgpt", "azure"]
Body = dict[str, Any]

MAX_NAME = 64
NAME = re.compile(r"^[a-zA-Z0-9_-]+$")
MIN_OUTPUT_TOKENS = 16
SAMPLING = ("temperature", "top_p")
CHATGPT_REFUSES = (
    "max_output_tokens",
    "temperature",
    "top_p",
    "metadata",
    "user",
    "safety_identifier",
    "truncation",
    "previous_response_id",
    "prompt_cache_retention",
    "prompt_cache_options",
    "max_tool_calls",
    "stream_options",
)
# The efforts a model takes, by how its name begins; the first that matches counts.
EFFORTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("gpt-5.4", ("none", "low", "medium", "high", "xhigh")),
    ("gpt-5.5", ("low", "medium", "high", "xhigh")),
    ("gpt-5.6", ("low", "medium", "high", "xhigh", "max")),
    ("gpt-6", ("low", "medium", "high", "xhigh", "max")),
)
BEFORE_5_6 = re.compile(r"gpt-(4|5(\.[0-5])?)(?![.\d])")
TOP_LEVEL_KEYWORDS = ("oneOf", "anyOf", "allOf", "enum", "not")


def accept(kind: Kind, body: Body) -> None:
    """Raises Refused if a backend of this kind would not begin an answer to `body`."""
    for rule in (*FIRST[kind], _shape, *RULES, *LAST[kind]):
        rule(body)


# Rules of the ChatGPT backend.


def _chatgpt_parameters(body: Body) -> None:
    for name in CHATGPT_REFUSES:
        if name in body:
            raise Refused(f"Unsupported parameter: {name}", bare=True)


def _chatgpt_must(body: Body) -> None:
    if body.get("store") is not False:
        raise Refused("Store must be set to false", bare=True)
    if body.get("stream") is not True:
        raise Refused("Stream must be set to true", bare=True)
    if not isinstance(body.get("input"), list) or not body["input"]:
        raise Refused("Input must be a list", bare=True)
    if body.get("tools") == []:
        raise Refused("Tools must not be empty", bare=True)


def _no_system_messages(body: Body) -> None:
    if any(item.get("role") == "system" for item in body["input"]):
        raise Refused("System messages are not allowed", bare=True)


def _chatgpt_search(body: Body) -> None:
    """A search is live where the tool says so, and forced by being the one tool that there is."""
    choice, tools = body.get("tool_choice"), body.get("tools", [])
    if isinstance(choice, dict) and any(one["type"] == "web_search" for one in [choice, *choice.get("tools", ())]):
        raise Refused("Tool choice 'web_search' not supported", bare=True)
    if any(tool["type"] == "web_search" and tool.get("external_web_access") is not True for tool in tools):
        raise Refused("web_search needs external_web_access", bare=True)


# Rules of Azure.


def _azure_tools(body: Body) -> None:
    for place, tool in enumerate(body.get("tools", [])):
        if tool["type"].startswith("web_search_preview"):
            raise Refused(f"Invalid value: '{tool['type']}'.", f"tools[{place}].type", "invalid_value")


def _azure_retention(body: Body) -> None:
    if "prompt_cache_retention" in body and not BEFORE_5_6.match(body["model"]):
        raise Refused("prompt_cache_retention is not supported on this model")


# Rules of all of them.


def _shape(body: Body) -> None:
    fits(body, ResponseCreateParamsStreaming if body.get("stream") is True else ResponseCreateParamsNonStreaming)
    for name in ("model", "input"):
        if name not in body:
            raise Refused(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")


def _lengths(body: Body) -> None:
    for path, value in _named(body):
        if len(value) > MAX_NAME:
            raise Refused(
                f"Invalid '{path}': string too long. Expected a string with maximum length {MAX_NAME}, "
                f"but got a string with length {len(value)} instead.",
                path,
                "string_above_max_length",
            )


def _named(body: Body) -> Iterator[tuple[str, str]]:
    """Every name that has a greatest length, with its path."""
    if body.get("prompt_cache_key"):
        yield "prompt_cache_key", body["prompt_cache_key"]
    for path, tool in _tools(body):
        if "name" in tool:
            yield f"{path}.name", tool["name"]
    for place, item in enumerate(_items(body)):
        for key in ("id", "call_id", "name"):
            if isinstance(item.get(key), str):
                yield f"input[{place}].{key}", item[key]


def _tools(body: Body) -> Iterator[tuple[str, dict[str, Any]]]:
    """Those declared, and those that a search of the client's found, each with its path."""
    for place, tool in enumerate(body.get("tools", [])):
        yield f"tools[{place}]", tool
    for place, item in enumerate(_items(body)):
        for number, tool in enumerate(item.get("tools", [])):
            yield f"input[{place}].tools[{number}]", tool


def _names(body: Body) -> None:
    functions = [(path, value) for path, value in _named(body) if path.endswith(".name")]
    for path, value in functions:
        if not NAME.match(value):
            raise Refused(
                f"Invalid '{path}': string does not match pattern. "
                "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
                path,
                "invalid_value",
            )
    declared = [value for path, value in functions if path.startswith("tools")]
    for value in declared:
        if declared.count(value) > 1:
            raise Refused(f"Tool names must be unique, but '{value}' is declared twice.", "tools", "invalid_value")


def _ids(body: Body) -> None:
    ids = [item["id"] for item in _items(body) if item.get("id")]
    for item_id in ids:
        if ids.count(item_id) > 1:
            raise Refused(
                f"Duplicate item found with id {item_id}. Remove duplicate items from your input and try again.",
                "input",
            )


def _limits(body: Body) -> None:
    least = body.get("max_output_tokens")
    if least is not None and least < MIN_OUTPUT_TOKENS:
        raise Refused(
            "Invalid 'max_output_tokens': integer below minimum value. "
            f"Expected a value >= {MIN_OUTPUT_TOKENS}, but got {least} instead.",
            "max_output_tokens",
            "integer_below_min_value",
        )


def levels_of(model: str) -> tuple[str, ...] | None:
    """The levels of effort of a model; None for one nobody knows."""
    return next((levels for start, levels in EFFORTS if model.startswith(start)), None)


def _effort(body: Body) -> None:
    model, effort = body["model"], (body.get("reasoning") or {}).get("effort")
    levels = levels_of(model)
    if effort and levels and effort not in levels:
        supported = ", ".join(f"'{level}'" for level in levels[:-1]) + f", and '{levels[-1]}'"
        raise Refused(
            f"Unsupported value: '{effort}' is not supported with the '{model}' model. "
            f"Supported values are: {supported}.",
            "reasoning.effort",
            "unsupported_value",
        )
    for name in SAMPLING:
        if body.get(name) is not None and levels and effort != "none":
            raise Refused(f"Unsupported parameter: '{name}' is not supported with this model.", name)


def _assistant_parts(body: Body) -> None:
    """The package's loose message type lets an assistant's message hold input parts; the API does not."""
    for place, item in enumerate(_items(body)):
        if item.get("role") != "assistant" or isinstance(item["content"], str):
            continue
        for number, part in enumerate(item["content"]):
            if part["type"] not in ("output_text", "refusal"):
                path = f"input[{place}].content[{number}]"
                raise Refused(
                    f"Invalid value: '{part['type']}'. Supported values are: 'output_text' and 'refusal'.",
                    path,
                    "invalid_value",
                )


def _pictures(body: Body) -> None:
    """An image or a file is a data URL with something in it, or an address."""
    for path, part in _parts(body):
        url = part.get("image_url") or part.get("file_data") or part.get("file_url") or part.get("file_id")
        if not url:
            raise Refused(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
        if url.startswith("data:") and not re.match(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/]+=*$", url):
            raise Refused(f"Invalid '{path}'. Expected a base64-encoded data URL.", path, "invalid_value")
        if part["type"] == "input_file" and "file_data" in part and not part.get("filename"):
            raise Refused(f"Missing required parameter: '{path}.filename'.", path, "missing_required_parameter")


def _parts(body: Body) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, item in enumerate(_items(body)):
        for key in ("content", "output"):
            content = item.get(key)
            for number, part in enumerate(content if isinstance(content, list) else []):
                if part.get("type") in ("input_image", "input_file"):
                    yield f"input[{place}].{key}[{number}]", part


def _calls(body: Body) -> None:
    """Every call has its output and every output its call, before it."""
    for call, output in (("function_call", "function_call_output"), ("tool_search_call", "tool_search_output")):
        called: list[str] = []
        answered: list[str] = []
        for item in _items(body):
            if item.get("type") == call:
                called.append(item["call_id"])
            if item.get("type") == output:
                answered.append(item["call_id"])
                if item["call_id"] not in called:
                    raise Refused(
                        f"No tool call found for {output.replace('_', ' ')} with call_id {item['call_id']}.", "input"
                    )
        for call_id in called:
            if call_id not in answered:
                raise Refused(f"No tool output found for {call.replace('_', ' ')} {call_id}.", "input")
        for call_id in {*called, *answered}:
            if called.count(call_id) > 1 or answered.count(call_id) > 1:
                raise Refused(f"Duplicate item found with call_id {call_id}.", "input")


def _arguments(body: Body) -> None:
    for place, item in enumerate(_items(body)):
        if item.get("type") == "function_call" and not item["name"]:
            path = f"input[{place}].name"
            raise Refused(f"Invalid '{path}': empty string.", path, "empty_string")


def _empty_items(body: Body) -> None:
    if not body["input"]:
        raise Refused("Invalid 'input': empty array. Expected an array with minimum length 1.", "input", "empty_array")


def _parameters(body: Body) -> None:
    """A function's schema describes an object, in the keywords the API knows."""
    for path, tool in _tools(body):
        if tool["type"] != "function":
            continue
        # null means the default, which is strict
        strict = tool["strict"] is not False
        fault = _schema_fault(tool["parameters"]) or (strict and next(_strict_faults(tool["parameters"], ()), None))
        if fault:
            raise Refused(
                f"Invalid schema for function '{tool['name']}': {fault}",
                f"{path}.parameters",
                "invalid_function_parameters",
            )


def _schema_fault(schema: Any) -> str | None:
    if not isinstance(schema, dict) or schema.get("type") != "object":
        kind = schema.get("type") if isinstance(schema, dict) else schema
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
    if any(keyword in schema for keyword in TOP_LEVEL_KEYWORDS):
        return "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level."
    return next(_deep_faults(schema, ()), None)


def _deep_faults(schema: Any, context: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and "properties" not in schema and not context:
        yield f"In context={context}, object schema missing properties."
    kind = schema.get("type")
    is_array = kind == "array" or (isinstance(kind, list) and "array" in kind)
    if is_array and "items" not in schema and "prefixItems" not in schema:
        yield f"In context={context}, array schema missing items."
    for keyword in ("properties", "$defs", "definitions"):
        for name, inner in (schema.get(keyword) or {}).items():
            yield from _deep_faults(inner, (*context, keyword, name))
    for keyword in ("items", "additionalProperties"):
        yield from _deep_faults(schema.get(keyword), (*context, keyword))
    for keyword in ("anyOf", "oneOf", "allOf"):
        for place, inner in enumerate(schema.get(keyword) or []):
            yield from _deep_faults(inner, (*context, keyword, str(place)))


def _deferred(body: Body) -> None:
    tools = body.get("tools", [])
    searches = any(tool["type"] == "tool_search" for tool in tools)
    for place, tool in enumerate(tools):
        if tool.get("defer_loading") and not searches:
            path = f"tools[{place}].defer_loading"
            raise Refused("Deferred tools need a tool_search tool.", path, "invalid_value")


def _tool_choice(body: Body) -> None:
    choice = body.get("tool_choice", "auto")
    tools = body.get("tools", [])
    if choice == "required" and not tools:
        raise Refused("Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice")
    if isinstance(choice, dict):
        wanted = choice.get("tools", []) if choice["type"] == "allowed_tools" else [choice]
        for one in wanted:
            if not any(all(tool.get(key) == value for key, value in one.items()) for tool in tools):
                raise Refused(f"Tool choice '{one['type']}' not found in 'tools' parameter.", "tool_choice")


def _format(body: Body) -> None:
    """A strict schema names every property as required and allows no other."""
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") != "json_schema":
        return
    if not NAME.match(wanted["name"]) or len(wanted["name"]) > MAX_NAME:
        raise Refused("Invalid 'text.format.name'.", "text.format.name", "invalid_value")
    if wanted["schema"].get("type") != "object":
        raise Refused(
            f"Invalid schema for response_format '{wanted['name']}': "
            "schema must be a JSON Schema of 'type: \"object\"'.",
            "text.format.schema",
            "invalid_json_schema",
        )
    fault = next(_strict_faults(wanted["schema"], ()), None) if wanted.get("strict") else None
    if fault:
        raise Refused(
            f"Invalid schema for response_format '{wanted['name']}': {fault}",
            "text.format.schema",
            "invalid_json_schema",
        )


def _strict_faults(schema: Any, context: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield f"In context={context}, 'additionalProperties' is required to be supplied and to be false."
        if set(schema.get("required", [])) != set(schema.get("properties", {})):
            yield (
                f"In context={context}, 'required' is required to be supplied and to be an array including "
                "every key in properties."
            )
    for name, inner in schema.get("properties", {}).items():
        yield from _strict_faults(inner, (*context, "properties", name))
    if "items" in schema:
        yield from _strict_faults(schema["items"], (*context, "items"))
    for keyword in ("anyOf", "oneOf", "allOf"):
        for place, inner in enumerate(schema.get(keyword, [])):
            yield from _strict_faults(inner, (*context, keyword, str(place)))


def _stream_options(body: Body) -> None:
    if "stream_options" in body and not body.get("stream"):
        raise Refused("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")


def _items(body: Body) -> list[dict[str, Any]]:
    return body["input"] if isinstance(body["input"], list) else []


Rule = Callable[[Body], None]
FIRST: dict[Kind, tuple[Rule, ...]] = {"openai": (), "azure": (), "chatgpt": (_chatgpt_parameters, _chatgpt_must)}
RULES: tuple[Rule, ...] = (
    _empty_items,
    _lengths,
    _names,
    _ids,
    _limits,
    _effort,
    _assistant_parts,
    _pictures,
    _calls,
    _arguments,
    _parameters,
    _deferred,
    _tool_choice,
    _format,
    _stream_options,
)
LAST: dict[Kind, tuple[Rule, ...]] = {
    "openai": (),
    "azure": (_azure_tools, _azure_retention),
    "chatgpt": (_no_system_messages, _chatgpt_search),
}
