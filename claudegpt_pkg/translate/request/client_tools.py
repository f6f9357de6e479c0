"""Anthropic's tools that the client runs by itself → plain functions with the schemas that Anthropic documents.

`bash_*`, `text_editor_*`, `memory_*` and `computer_*` come without a schema, because Claude knows them by heart;
another model must be told. Their dates differ in the commands and actions that they have, and a date that is not known
here is taken for the newest one. Sources: the types of the anthropic package 2.12, and the page of each tool at
platform.claude.com/docs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

ToolParam = Mapping[str, Any]
Function = tuple[str, dict[str, Any]]  # description and input schema

_TYPE = re.compile(r"(bash|text_editor|memory|computer)_(\d{8})")
# Fields that become part of a description, beside those of every tool.
FIELDS = frozenset({"display_width_px", "display_height_px", "display_number", "enable_zoom", "max_characters"})


def is_client_tool(tool: ToolParam) -> bool:
    return _TYPE.fullmatch(str(tool.get("type") or "")) is not None


def as_function_tool(tool: ToolParam) -> dict[str, Any]:
    """The tool as the client could have declared it itself, with a description and a schema."""
    kind, date = _TYPE.fullmatch(str(tool["type"])).groups()  # type: ignore[union-attr]  # is_client_tool
    description, schema = _FUNCTIONS[kind](tool, date)
    kept = {key: value for key, value in tool.items() if key not in FIELDS and key != "type"}
    return {"description": description, "input_schema": schema, **kept}


def _object(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _choice(names: list[str], description: str) -> dict[str, Any]:
    return {"type": "string", "enum": names, "description": description}


def _whole(description: str) -> dict[str, Any]:
    return {"type": "integer", "description": description}


def _numbers(count: int, description: str) -> dict[str, Any]:
    items = {"type": "integer"}
    return {"type": "array", "items": items, "minItems": count, "maxItems": count, "description": description}


_LINES = _numbers(
    2, "For `view` of a file: the first and the last line to show, counted from 1; -1 as the last means the end."
)


def _bash(tool: ToolParam, date: str) -> Function:
    return (
        "Run a command in a bash session that keeps its state between calls. Give `command`, or `restart` to begin a "
        "new session.",
        _object(
            [],
            command=_text("The command to run."),
            restart={"type": "boolean", "description": "True to restart the session."},
        ),
    )


def _text_editor(tool: ToolParam, date: str) -> Function:
    commands = ["view", "create", "str_replace", "insert", *(["undo_edit"] if date < "20250429" else [])]
    inserted = "insert_text" if date >= "20250728" else "new_str"
    limit = tool.get("max_characters")
    description = (
        "View, create and edit files. `str_replace` replaces `old_str`, which must occur exactly once in the file, by "
        f"`new_str`; `insert` puts `{inserted}` behind the line `insert_line`."
    )
    if limit:
        description += f" `view` shows at most {limit} characters."
    schema = _object(
        ["command", "path"],
        command=_choice(commands, "What to do."),
        path=_text("Absolute path of a file or, for `view`, of a directory."),
        view_range=_LINES,
        file_text=_text("For `create`: the text of the new file."),
        old_str=_text("For `str_replace`: the text to replace, exactly as it stands in the file."),
        new_str=_text("For `str_replace`: the new text. Nothing: `old_str` is deleted."),
        insert_line=_whole("For `insert`: the line behind which to insert; 0 for the beginning."),
    )
    schema["properties"][inserted] = _text(
        "For `insert`: the text to insert."
        if inserted == "insert_text"
        else "For `str_replace`: the new text (nothing: `old_str` is deleted). For `insert`: the text to insert."
    )
    return description, schema


def _memory(tool: ToolParam, date: str) -> Function:
    return (
        "Read and write files in the directory /memories, which is kept between conversations. Look there before you "
        "begin, and store what will be needed later.",
        _object(
            ["command"],
            command=_choice(["view", "create", "str_replace", "insert", "delete", "rename"], "What to do."),
            path=_text("Path of a file or directory, beginning with /memories. For every command but `rename`."),
            view_range=_LINES,
            file_text=_text("For `create`: the text of the file."),
            old_str=_text("For `str_replace`: the text to replace, exactly as it stands in the file."),
            new_str=_text("For `str_replace`: the new text."),
            insert_line=_whole("For `insert`: the line behind which to insert; 0 for the beginning."),
            insert_text=_text("For `insert`: the text to insert."),
            old_path=_text("For `rename`: the present path."),
            new_path=_text("For `rename`: the new path."),
        ),
    )


_ACTIONS_2024 = [
    "key",
    "type",
    "mouse_move",
    "left_click",
    "left_click_drag",
    "right_click",
    "middle_click",
    "double_click",
    "screenshot",
    "cursor_position",
]
_ACTIONS_2025 = ["left_mouse_down", "left_mouse_up", "triple_click", "scroll", "hold_key", "wait"]


def _computer(tool: ToolParam, date: str) -> Function:
    newer, zooms = date >= "20250124", date >= "20251124" and tool.get("enable_zoom")
    actions = [*_ACTIONS_2024, *(_ACTIONS_2025 if newer else []), *(["zoom"] if zooms else [])]
    size = f"{tool.get('display_width_px') or '?'} x {tool.get('display_height_px') or '?'} pixels"
    description = (
        f"Control a computer's screen, keyboard and mouse. The screen has {size}; coordinates are [x, y] from the "
        "upper left corner. Take a screenshot before you click, and after each step to see what it did."
    )
    schema = _object(
        ["action"],
        action=_choice(actions, "What to do."),
        coordinate=_numbers(2, "Where to move, click, drag to or scroll."),
        text=_text("For `type`: the text. For `key` and `hold_key`: keys as xdotool names them, such as ctrl+s."),
    )
    if newer:
        schema["properties"] |= {
            "start_coordinate": _numbers(2, "For `left_click_drag`: where the drag begins."),
            "scroll_direction": _choice(["up", "down", "left", "right"], "For `scroll`."),
            "scroll_amount": _whole("For `scroll`: how many clicks of the wheel."),
            "duration": {"type": "number", "description": "For `hold_key` and `wait`: seconds."},
        }
    if zooms:
        schema["properties"]["region"] = _numbers(4, "For `zoom`: [x0, y0, x1, y1] of the part to show larger.")
    return description, schema


_FUNCTIONS: dict[str, Callable[[ToolParam, str], Function]] = {
    "bash": _bash,
    "text_editor": _text_editor,
    "memory": _memory,
    "computer": _computer,
}
