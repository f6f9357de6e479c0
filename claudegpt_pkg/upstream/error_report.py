"""What a server says went wrong, in one shape for all backends and for the gateways before them.

    report = read_report(429, headers, body)     # of an HTTP answer
    report = Report.of_event(error)              # of an error inside a stream

A gateway puts the backend's error into its own as text, and some servers write out what they were sent: a report holds
the backend's own code, place, words and status. error_mapping.py makes an error of it, refusals.py learns from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.client import responses
from typing import Any

from ..formats import to_one_line
from ..translate.wire.json_text import loads

NO_REASON = "no reason given"
TEXT_LIMIT = 400  # characters of a server's own words that we pass on
LAYERS = 3  # of gateways before a backend
# An HTTP status that says so little that a status in the body is better.
VAGUE = frozenset({None, 200, 400, 500, 502})
# "litellm.BadRequestError: AzureException - ", "invalid_request_error: "
GATEWAY = re.compile(r"(?i)(?:(?:\w+\. ?)*\w*(?:error|exception)(?::| -)\s*)*")
STATUS_IN_WORDS = re.compile(r"(?i)^(?:error code|status(?: code)?|http(?: status)?)[: ]+([45]\d\d)\b")
# vLLM and SGLang write out what FastAPI found, LiteLLM what pydantic says: where, in which words, then what was sent.
PYDANTIC = (
    re.compile(
        r"(?:\d+ validation errors?:?\s*)?\[?\{'type': '(?P<kind>\w+)', 'loc': \((?P<path>[^)]*)\), "
        r"'msg': (?P<said>\"[^\"]*\"|'[^']*')"
    ),
    re.compile(r"\d+ validation errors? for \S+ (?P<path>[\w.]+) (?P<said>[^\[]*) \[type=(?P<kind>\w+), input_value="),
)
PART_OF_PATH = re.compile(r"[^'\",.\s]+")


@dataclass(frozen=True)
class Report:
    """A server's account of a failure."""

    status: int | None = None  # None: it came inside a stream and names no status
    code: str = ""
    kind: str = ""  # the error's `type`
    message: str = ""
    param: str = ""  # a path in the request
    details: Mapping[str, Any] = field(default_factory=dict)  # the whole error object
    headers: Mapping[str, str] = field(default_factory=dict)
    html: bool = False  # a web page came

    @classmethod
    def of_event(cls, error: Mapping[str, Any]) -> Report:
        error = _unwrap(error)
        message = shorten_words(error.get("message") or error.get("msg") or error.get("code") or NO_REASON)
        return _without_what_was_sent(
            cls(
                status=_status_in(error, message),
                code=str(error.get("code") or ""),
                kind=str(error.get("type") or ""),
                message=message,
                param=str(error.get("param") or _path_of(error.get("loc")) or ""),
                details=error,
            )
        )

    @property
    def codes(self) -> tuple[str, str]:
        return self.code, self.kind


def read_report(status: int, headers: Mapping[str, str], body: bytes) -> Report:
    """Read an HTTP answer that is not a success, whatever its body holds."""
    error, html = _parse_error(body)
    report = Report.of_event(error)
    message = report.message if error else status_phrase(status)
    stated = report.status if status in VAGUE and report.status else status
    return replace(report, status=stated, message=message, headers=headers, html=html)


def own_words(text: str) -> str:
    """Without the names of the gateways that it has passed."""
    return GATEWAY.sub("", text, count=1)


def shorten_words(words: object) -> str:
    """A server's own words, as part of a sentence of ours."""
    text = to_one_line(str(words)[: 4 * TEXT_LIMIT])
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT].rstrip() + "…"


def status_phrase(status: int) -> str:
    """What the status alone says."""
    return responses.get(status, f"HTTP {status}")


def _parse_error(body: bytes) -> tuple[dict[str, Any], bool]:
    """The error object in a body, and whether the body is a web page.

    The body is {"error": {…}}, {"error": "…", "code": …}, {"detail": …}, plain text, or one of these framed as
    server-sent events (LiteLLM).
    """
    text = body.decode("utf-8", "replace").strip()
    if text[:1] == "<":
        return {}, True
    if text.startswith(("data:", "event:")):
        body = _first_event(text)
    try:
        answer = _first(loads(body))
    except (ValueError, RecursionError):
        return ({"message": text} if text else {}), False
    if not isinstance(answer, dict):
        return ({"message": str(answer)} if answer else {}), False
    found = _first(answer.get("error") or answer.get("detail") or answer)
    if isinstance(found, dict):
        inner = found.get("error")
        return (inner if isinstance(inner, dict) and not found.get("message") else found), False
    beside = {name: answer[name] for name in ("code", "type", "param", "status") if answer.get(name) is not None}
    return ({**beside, "message": str(found)} if found else {}), False


def _first_event(text: str) -> bytes:
    """The data of the first server-sent event that is JSON."""
    lines = (line[5:].strip() for line in text.splitlines() if line.startswith("data:"))
    return next((line for line in lines if line.startswith(("{", "["))), text).encode()


def _status_in(error: Mapping[str, Any], message: str) -> int | None:
    """The HTTP status that an error object itself names: `status`, a code that is a number, or its first words."""
    words = STATUS_IN_WORDS.match(own_words(message))
    for value in (error.get("status"), error.get("status_code"), error.get("code"), words and words[1]):
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if re.fullmatch(r"[45]\d\d", text, re.ASCII):
            return int(text)
    return None


def _unwrap(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """The backend's own error, if a gateway has put it as JSON into its own.

    Only if nothing but the gateway's name stands before it: further on in a text it is something that is quoted.
    """
    for _ in range(LAYERS):
        metadata = error.get("metadata")
        if isinstance(metadata, dict) and metadata.get("raw"):  # OpenRouter
            error = {**error, "message": metadata["raw"], "metadata": None}
        inner = _json_in(str(error.get("message") or ""))
        if inner is None:
            break
        error = {**error, **{name: value for name, value in inner.items() if value is not None}}
    return error


def _without_what_was_sent(report: Report) -> Report:
    """Of a text of pydantic's: the place and the words, without the value that was sent."""
    for match in filter(None, (pattern.match(own_words(report.message)) for pattern in PYDANTIC)):
        path, said = _path_of(PART_OF_PATH.findall(match["path"])), match["said"].strip("'\"")
        return replace(report, kind=match["kind"], param=path, message=f"{path}: {said}" if path else said)
    return report


def _json_in(text: str) -> dict[str, Any] | None:
    """The error object that a text consists of."""
    try:
        found = json.JSONDecoder().raw_decode(own_words(text))[0]
    except (ValueError, RecursionError):
        return None
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else None


def _path_of(loc: object) -> str:
    """("body", "input", 2, "output") → input[2].output, as `param` has it."""
    if not isinstance(loc, list):
        return ""
    parts = [f"[{part}]" if str(part).isdigit() else f".{part}" for part in loc[loc[:1] == ["body"] :]]
    return "".join(parts).removeprefix(".")


def _first(value: Any) -> Any:
    """Of several faults the first: FastAPI lists them, Gemini puts its one in a list."""
    return value[0] if isinstance(value, list) and value else value
