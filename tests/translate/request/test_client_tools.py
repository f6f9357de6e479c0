"""Anthropic's tools that the client runs, as plain functions."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import beta

from claudegpt_pkg.translate.request.client_tools import as_function_tool, is_client_tool
from claudegpt_pkg.translate.request.schemas import function_parameters


def properties(kind: str, **fields: Any) -> dict[str, Any]:
    made = as_function_tool({"type": kind, "name": "x", **fields})
    assert function_parameters(made["input_schema"]).schema is made["input_schema"]
    found: dict[str, Any] = made["input_schema"]["properties"]
    return found


def test_common_fields_are_kept_and_fields_of_the_tool_type_are_removed() -> None:
    made = as_function_tool({"type": "bash_20250124", "name": "bash", "defer_loading": True, "cache_control": {}})
    assert made.keys() == {"name", "description", "input_schema", "defer_loading", "cache_control"}
    assert properties("bash_20250124").keys() == {"command", "restart"}


@pytest.mark.parametrize(
    ("date", "undo", "inserted"),
    [
        ("20241022", True, "new_str"),
        ("20250124", True, "new_str"),
        ("20250429", False, "new_str"),
        ("20250728", False, "insert_text"),
        ("20990101", False, "insert_text"),
    ],
)
def test_the_editor_has_the_commands_of_its_date(date: str, undo: bool, inserted: str) -> None:
    made = properties(f"text_editor_{date}")
    assert ("undo_edit" in made["command"]["enum"]) is undo
    assert ("insert_text" in made) is (inserted == "insert_text")
    assert "insert" in made[inserted]["description"]


def test_the_editors_limit_is_in_its_description() -> None:
    made = as_function_tool({"type": "text_editor_20250728", "name": "x", "max_characters": 9000})
    assert "9000 characters" in made["description"] and "max_characters" not in made


COMMANDS = [
    beta.BetaMemoryTool20250818ViewCommand,
    beta.BetaMemoryTool20250818CreateCommand,
    beta.BetaMemoryTool20250818StrReplaceCommand,
    beta.BetaMemoryTool20250818InsertCommand,
    beta.BetaMemoryTool20250818DeleteCommand,
    beta.BetaMemoryTool20250818RenameCommand,
]


def test_the_memory_has_every_field_of_its_commands_and_no_other() -> None:
    expected = {name for command in COMMANDS for name in command.__annotations__}
    assert properties("memory_20250818").keys() == expected


def test_the_computer_has_the_actions_of_its_date() -> None:
    size = {"display_width_px": 1024, "display_height_px": 768}
    old, new = properties("computer_20241022", **size), properties("computer_20250124", **size)
    assert "scroll" not in old["action"]["enum"] and "scroll_direction" not in old
    assert "scroll" in new["action"]["enum"] and "zoom" not in new["action"]["enum"]
    assert "zoom" not in properties("computer_20251124", **size)["action"]["enum"]
    assert "region" in properties("computer_20251124", **size, enable_zoom=True)
    made = as_function_tool({"type": "computer_20251124", "name": "computer", **size})
    assert "1024 x 768" in made["description"] and not made.keys() & size.keys()


@pytest.mark.parametrize("kind", [None, "", "custom", "bash", "bash_20250124_x", "computer_toolset_20260801", 7])
def test_other_types_are_no_client_tools(kind: Any) -> None:
    assert not is_client_tool({"type": kind, "name": "bash"})
