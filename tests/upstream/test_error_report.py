"""An error is read in the same way from every server and through every gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claudegpt_pkg.upstream.error_report import TEXT_LIMIT, Report, read_report

INNER = {"error": {"message": "Theirs.", "type": "invalid_request_error", "param": "input", "code": "c"}}


def read(body: Any, status: int = 400) -> Report:
    raw = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
    return read_report(status, {}, raw)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "in an object"}}, "in an object"),
        ({"detail": "Unsupported parameter: user"}, "Unsupported parameter: user"),
        ({"detail": [{"loc": ["body"], "msg": "Field required"}]}, "Field required"),
        ([{"error": {"message": "in a list"}}], "in a list"),
        ({"error": "model 'x' not found"}, "model 'x' not found"),
        ("plain\n  text", "plain text"),
        ({"error": {"message": "red \x1b[31m and \u202e back"}}, "red \ufffd[31m and \ufffd back"),
        ("{broken", "{broken"),
        (None, "Bad Request"),
        ({"error": {"message": "long " * TEXT_LIMIT}}, ("long " * TEXT_LIMIT)[: TEXT_LIMIT - 1] + "…"),
    ],
)
def test_the_servers_own_words_are_found(body: Any, words: str) -> None:
    assert read(body).message == words


@pytest.mark.parametrize(
    "body",
    [
        INNER,
        {"error": {"message": json.dumps(INNER), "code": None}},
        {"error": {"message": f"litellm.BadRequestError: OpenAIException - {json.dumps(INNER)}", "type": None}},
        {"error": {"message": "Provider returned error", "metadata": {"raw": json.dumps(INNER)}}},
    ],
)
def test_a_gateway_changes_nothing(body: Any) -> None:
    report = read(body)
    assert (report.message, report.codes, report.param) == ("Theirs.", ("c", "invalid_request_error"), "input")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"detail": [{"loc": ["body", "input", 2, "output"], "msg": "x"}]}, "input[2].output"),
        ({"detail": [{"loc": ["query", "a"], "msg": "x"}]}, "query.a"),
        ({"detail": [{"loc": "body", "msg": "x"}]}, ""),
        (
            {"error": {"message": "1 validation error: {'type': 't', 'loc': ('body', 'tools', 0), 'msg': 'x'"}},
            "tools[0]",
        ),
    ],
)
def test_a_place_has_the_form_of_openais_param(body: Any, place: str) -> None:
    assert read(body).param == place


def test_a_web_page_is_recognized() -> None:
    report = read("<html><h1>Sign in</h1>", 403)
    assert report.html and report.message == "Forbidden" and "Sign" not in str(report.details)


def test_an_error_inside_a_stream_has_no_status() -> None:
    report = Report.of_event({"code": "rate_limit_exceeded", "message": "Slow down."})
    assert (report.status, report.code, report.message) == (None, "rate_limit_exceeded", "Slow down.")
