"""What a request says about its answer → effort, format, length, sampling and service tier of the request upstream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..wire import openai
from ..wire.json_text import dumps
from .answer_schema import Schema, is_object_format, is_strict
from .draft import NOT_TAKEN, Draft
from .unread_fields import UNKNOWN

Request = Mapping[str, Any]

INCLUDE_REASONING = "reasoning.encrypted_content"
INCLUDE_SOURCES = "web_search_call.action.sources"
THINKING_ROOM = 4_096  # output tokens that a model at its lowest effort may think
FORMAT_IN_WORDS = "Answer with JSON alone, valid against this JSON Schema: "
SERVICE_TIERS = {"standard_only": "default", "auto": None}  # None: what happens anyway
SPEEDS = {"fast": "priority", "standard": None}


def put_output(draft: Draft, request: Request, effort: str) -> None:
    _put_reasoning(draft, request, effort)
    _put_format(draft, request)
    _put_length(draft, request, effort)
    _put_sampling(draft, request, effort)
    _put_service_tier(draft, request)
    if any(request.get("stop_sequences") or ()):
        draft.note("stop_sequences", "emulated: the answer is cut at the first match")


def put_fixed_fields(draft: Draft, *, cache_key: str, cache_retention: str | None, web_search: bool) -> None:
    """The fields that every request has, whatever the client says."""
    wanted = [INCLUDE_REASONING, INCLUDE_SOURCES] if web_search else [INCLUDE_REASONING]
    if include := [value for value in wanted if value not in draft.taken.refused_includes]:
        draft.put("include", include)
    draft.put("prompt_cache_key", cache_key)
    draft.put("store", False)
    draft.put("stream", True)
    if cache_retention:
        draft.put("prompt_cache_retention", cache_retention)
    draft.put("stream_options", {"include_obfuscation": False})  # otherwise every delta carries filler


def _put_reasoning(draft: Draft, request: Request, effort: str) -> None:
    reasoning: dict[str, Any] = {"effort": effort}
    if draft.taken.summary and effort != "none":
        reasoning["summary"] = "auto"
    draft.put("reasoning", reasoning)
    if not draft.taken.takes("reasoning") and effort != "none":
        draft.note("output_config.effort", f"dropped: {effort}; the backend takes no reasoning level")


def _wanted_format(request: Request) -> Mapping[str, Any]:
    return (request.get("output_config") or {}).get("format") or request.get("output_format") or {}


def _wanted_schema(request: Request) -> Schema | None:
    """The schema that the answer's JSON must have; None if the answer is free."""
    wanted = _wanted_format(request)
    return wanted.get("schema") or {"type": "object"} if wanted.get("type") == "json_schema" else None


def _put_format(draft: Draft, request: Request) -> None:
    """`text.format`, or the schema in words for a backend or a schema that cannot have one."""
    config, kind, schema = request.get("output_config") or {}, _wanted_format(request).get("type"), None
    for key in config:
        if key not in ("effort", "format") and config[key]:
            draft.note(f"output_config.{key}", UNKNOWN)
    if (schema := _wanted_schema(request)) is None:
        if kind:
            draft.note("output_config.format", f"dropped: no format named {kind} upstream")
        return
    if is_object_format(schema) and draft.taken.takes("text"):
        draft.put("text", {"format": openai.json_schema_format("answer", schema, strict=is_strict(schema))})
        return
    why = "the backend refuses it" if is_object_format(schema) else "it is not of an object"
    draft.sentences.append(f"{FORMAT_IN_WORDS}{dumps(schema)}")
    draft.note("output_config.format", f"emulated: asked for in words, since {why}")


def _put_length(draft: Draft, request: Request, effort: str) -> None:
    """With room to think if the client disables thinking and the model thinks all the same: what such a client asks for
    (64 tokens for auto mode's classifier) is what it wants to read."""
    wanted = request.get("max_tokens")
    if not wanted:
        return
    if not draft.taken.takes("max_output_tokens"):
        draft.note("max_tokens", NOT_TAKEN)
        return
    least = draft.taken.least_output_tokens
    if effort != "none" and (request.get("thinking") or {}).get("type") == "disabled":
        wanted += THINKING_ROOM
        draft.note("max_tokens", f"raised by {THINKING_ROOM}: the model thinks although thinking is disabled")
    elif wanted < least:
        draft.note("max_tokens", f"raised to {least}, the backend's least")
    draft.fields["max_output_tokens"] = max(wanted, least)


def _put_sampling(draft: Draft, request: Request, effort: str) -> None:
    for name in ("temperature", "top_p"):
        if request.get(name) is None:
            continue
        if effort != "none":
            draft.note(name, "dropped: refused while the model reasons")
        else:
            draft.put(name, request[name], source=name)


def _put_service_tier(draft: Draft, request: Request) -> None:
    """`speed: fast` is OpenAI's priority tier; it decides over `service_tier`."""
    for name, known in (("speed", SPEEDS), ("service_tier", SERVICE_TIERS)):
        value = request.get(name)
        if not value:
            continue
        if not isinstance(value, str) or value not in known:
            draft.note(name, f"dropped: {value!r} is not known here")
        elif known[value] is None:
            continue
        elif "service_tier" in draft.fields:
            draft.note(name, "dropped: `speed` decides")
        else:
            draft.put("service_tier", known[value], source=name)
