"""What an upstream said went wrong, in one shape for all backends and the gateways before them.

    report = read_report(429, headers, body)     # of an HTTP answer
    report = Report.of_event(error)              # of an error inside a stream

Gateways put the backend's error into their own as text, servers write out what they found wrong and what was sent: the
report has the backend's own code, place and words. What becomes of it is decided in failures.py and lessons.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.client import responses
from typing import Any

from ..translate.wire.json_text import loads

NO_REASON = "no reason given"
TEXT_LIMIT = 400  # characters of an upstream's own words that we pass on
LAYERS = 3  # of gateways before a backend
# "litellm.BadRequestError: AzureException - ", "invalid_request_error: "
GATEWAY = re.compile(r"(?i)(?:(?:\w+\. ?)*\w*(?:error|exception)(?::| -)\s*)*")
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
    """An upstream's account of a failure, in one shape for all backends."""

    status: int | None = None  # None: it came inside a stream
    code: str = ""
    kind: str = ""
    message: str = ""
    param: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)  # the whole error object
    headers: Mapping[str, str] = field(default_factory=dict)
    html: bool = False

    @classmethod
    def of_event(cls, error: Mapping[str, Any]) -> Report:
        error = unwrapped(error)
        return without_what_was_sent(
            cls(
                code=str(error.get("code") or ""),
                kind=str(error.get("type") or ""),
                message=one_line(error.get("message") or error.get("msg") or error.get("code") or NO_REASON),
                param=str(error.get("param") or path_of(error.get("loc")) or ""),
                details=error,
            )
        )

    @property
    def codes(self) -> tuple[str, str]:
        return self.code, self.kind


def read_report(status: int, headers: Mapping[str, str], body: bytes) -> Report:
    """An HTTP answer that is not a success, whatever its body holds."""
    error, html = parse_error(body)
    report = Report.of_event(error)
    message = report.message if error else phrase(status)
    return replace(report, status=status, message=message, headers=headers, html=html)


def parse_error(body: bytes) -> tuple[dict[str, Any], bool]:
    """The error object in a body: {"error": {…}}, {"detail": …} or plain text; and whether it is a web page."""
    text = body.decode("utf-8", "replace").strip()
    if text[:1] == "<":
        return {}, True
    try:
        answer = first(loads(body))
    except ValueError:
        return ({"message": text} if text else {}), False
    found = first(answer.get("error") or answer.get("detail") or answer) if isinstance(answer, dict) else answer
    return (found if isinstance(found, dict) else {"message": str(found)} if found else {}), False


def unwrapped(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """The backend's own error, where a gateway has put it as JSON into its own.

    Only where nothing but the gateway's name stands before it: further on in a text it is something that is quoted.
    """
    for _ in range(LAYERS):
        metadata = error.get("metadata")
        if isinstance(metadata, dict) and metadata.get("raw"):  # OpenRouter
            error = {**error, "message": metadata["raw"], "metadata": None}
        inner = json_in(str(error.get("message") or ""))
        if inner is None:
            break
        error = {**error, **{name: value for name, value in inner.items() if value is not None}}
    return error


def without_what_was_sent(report: Report) -> Report:
    """Of a text of pydantic's: where, and in which words."""
    for match in filter(None, (pattern.match(own_words(report.message)) for pattern in PYDANTIC)):
        path, said = path_of(PART_OF_PATH.findall(match["path"])), match["said"].strip("'\"")
        return replace(report, kind=match["kind"], param=path, message=f"{path}: {said}" if path else said)
    return report


def own_words(text: str) -> str:
    """Without the names of the gateways that it has passed."""
    return GATEWAY.sub("", text, count=1)


def json_in(text: str) -> dict[str, Any] | None:
    """The error object that a text consists of."""
    try:
        found = json.JSONDecoder().raw_decode(own_words(text))[0]
    except (ValueError, RecursionError):
        return None
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else None


def path_of(loc: object) -> str:
    """("body", "input", 2, "output") → input[2].output, as `param` has it."""
    if not isinstance(loc, list):
        return ""
    parts = [f"[{part}]" if str(part).isdigit() else f".{part}" for part in loc[loc[:1] == ["body"] :]]
    return "".join(parts).removeprefix(".")


def first(value: Any) -> Any:
    """Of several faults the first: FastAPI lists them, Gemini puts its one in a list."""
    return value[0] if isinstance(value, list) and value else value


def phrase(status: int) -> str:
    """What the status alone says."""
    return responses.get(status, f"HTTP {status}")


def one_line(words: object) -> str:
    """An upstream's own words, as part of a sentence of ours."""
    text = " ".join(str(words).split())
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT].rstrip() + "…"
