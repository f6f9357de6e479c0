"""Where a refusal says that the fault is."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.upstream.error_report import Report
from claudegpt_pkg.upstream.fault_places import BLOBS, FOREIGN, SCHEMA, Fault, find_places, top_level_field

BODY: dict[str, Any] = {
    "text": {},
    "include": ["web_search_call.action.sources"],
    "tools": [{"type": "web_search"}, {"type": "function", "name": "Bash"}],
    "input": [{"type": "tool_search_output", "tools": [{"type": "function", "name": "Found"}]}],
}


def places(message: str, **fields: Any) -> list[str]:
    return [place for place in find_places(Report(400, message=message, **fields), BODY) if place]


@pytest.mark.parametrize(
    ("message", "fields", "found"),
    [
        ("No.", {}, []),
        ("No.", {"param": "text.format"}, ["text.format"]),
        ("Unknown parameter: 'service_tier'.", {}, ["service_tier"]),
        ("Unknown parameter: 'service_tier'.", {"param": "text"}, ["text"]),
        ("Item with id 'rs_1' not found.", {}, [FOREIGN]),
        ("No.", {"code": "invalid_function_parameters", "param": "tools[1]"}, [SCHEMA, "tools[1]"]),
        ("Could not decrypt the encrypted_content", {}, [BLOBS]),
        ("It is so. The encrypted content is wrong.", {}, []),
        ("You said: 'The encrypted content is wrong.'", {}, []),
    ],
)
def test_a_place_is_read_from_the_code_the_param_or_the_beginning_of_the_sentence(
    message: str, fields: dict[str, str], found: list[str]
) -> None:
    assert places(message, **fields) == found


def test_a_value_that_can_stand_at_one_place_only_names_it() -> None:
    assert places("Invalid value: 'web_search_call.action.sources'.")[-1] == "include"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("tools[1].parameters", ["Bash"]),
        ("tools.1", ["Bash"]),
        ("tools[0]", []),
        ("tools[9]", []),
        ("input[0].tools[0].parameters", ["Found"]),
        ("input[9].tools[0]", []),
        ("text", []),
    ],
)
def test_a_path_names_a_tool(path: str, names: list[str]) -> None:
    assert Fault(path, Report(400), BODY).tool_names == names


@pytest.mark.parametrize(
    ("path", "field"), [("text.format", "text"), ("input[3].content", "input"), ("tools", "tools")]
)
def test_the_top_level_field_of_a_path(path: str, field: str) -> None:
    assert top_level_field(path) == field
