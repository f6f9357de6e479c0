"""Editors' settings: comments, order and white space stay, whatever is set or removed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegpt_pkg.claude.jsonc import read, remove_member, set_member

SETTINGS = """// My settings
{
  "editor.fontSize": 12, // points
  /* a { strange " comment } */
  "a.list": [1, {"b": 2}, "}"],
  "last": {"x": "// no comment"}
}
"""


def test_comments_and_trailing_commas_are_read_over() -> None:
    assert read(SETTINGS) == {"editor.fontSize": 12, "a.list": [1, {"b": 2}, "}"], "last": {"x": "// no comment"}}
    assert read('{"a": [1, 2,], }') == {"a": [1, 2]}
    assert read("\ufeff{}") == read("") == read(" \n") == {}


@pytest.mark.parametrize("text", ["[]", "1", "{", '{"a" 1}', '{"a": 1} extra', "{'a': 1}", '{"a": 1,, "b": 2}', "nope"])
def test_a_text_that_is_no_object_is_refused(text: str) -> None:
    for change in (read, lambda each: set_member(each, "k", 1), lambda each: remove_member(each, "k")):
        with pytest.raises(ValueError):
            change(text)


def test_a_new_member_stands_behind_the_last_one() -> None:
    assert set_member(SETTINGS, "new", "v") == SETTINGS.replace('comment"}\n', 'comment"},\n  "new": "v"\n')


def test_a_member_that_is_there_changes_its_value_only() -> None:
    assert set_member(SETTINGS, "editor.fontSize", 14) == SETTINGS.replace("12,", "14,")
    assert set_member(SETTINGS, "a.list", True) == SETTINGS.replace('[1, {"b": 2}, "}"]', "true")


@pytest.mark.parametrize(
    "text", ["", "{}", "{\n}", "{ // empty\n}", '{"a": 1,}', '{\n\t"a": 1,\n}\n', '{"a": 1 /* c */}']
)
def test_what_was_set_and_removed_again_leaves_the_rest(text: str) -> None:
    changed = set_member(text, "k", {"deep": [1]})
    assert read(changed) == {**read(text), "k": {"deep": [1]}}
    assert read(remove_member(changed, "k")) == read(text)
    assert ("//" in text) == ("//" in changed) and ("/*" in text) == ("/*" in remove_member(changed, "k"))


def test_any_member_is_removed_with_its_line() -> None:
    assert '"a.list"' not in remove_member(SETTINGS, "a.list") and "strange" in remove_member(SETTINGS, "a.list")
    assert read(remove_member(SETTINGS, "last")).keys() == {"editor.fontSize", "a.list"}
    assert remove_member(SETTINGS, "absent") == SETTINGS
    assert remove_member('{\n  "a": 1,\n  "b": 2\n}\n', "b") == '{\n  "a": 1\n}\n'


@given(
    st.dictionaries(st.text(max_size=5), st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
)
def test_any_object_keeps_its_other_members(value: dict[str, object]) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False)):
        changed = set_member(text, "claudeCode.x", "/a b")
        assert read(changed) == {**value, "claudeCode.x": "/a b"}
        assert read(remove_member(changed, "claudeCode.x")) == {
            key: v for key, v in value.items() if key != "claudeCode.x"
        }
