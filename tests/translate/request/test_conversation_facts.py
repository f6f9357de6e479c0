"""One pass over the messages finds everything that must be known before they are translated."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.request.conversation_facts import COMPACTION, read_facts
from tests.translate.request.test_messages import SEARCH, assistant, call, late, reference, result, system, user


def addition(**tool: Any) -> dict[str, Any]:
    return {"type": "tool_addition", "tool": tool}


def removal(name: str) -> dict[str, Any]:
    return {"type": "tool_removal", "tool": {"type": "tool_reference", "name": name}}


def test_tools_are_found_in_results_and_additions_in_order() -> None:
    definition = {"name": "defined", "input_schema": {}}
    messages = [
        *SEARCH,
        system(
            [addition(type="tool_reference", name="added"), addition(type="tool_definition", definition=definition)]
        ),
    ]
    facts = read_facts(messages)
    assert list(facts.found) == ["mcp__a__b", "unknown", "added", "defined"]
    assert facts.revealed == {"mcp__a__b", "unknown"}
    assert facts.added == [definition]


def test_only_the_result_of_a_tool_search_reveals_tools() -> None:
    assert read_facts([assistant(call("x", "mcp__other")), user(result("x", [reference("a")]))]).revealed == set()
    assert read_facts([user(result("s", [reference("a")]))]).revealed == set()


def test_a_removed_tool_stays_removed_until_it_is_added_again() -> None:
    messages = [system([removal("a"), removal("b")]), user("x"), system([addition(name="b")])]
    assert read_facts(messages).removed == {"a"}
    assert read_facts([user({**removal("a")})]).removed == set()


def test_an_addition_or_a_removal_without_a_name_changes_nothing() -> None:
    facts = read_facts([system([addition(), {"type": "tool_removal", "tool": {"name": 7}}])])
    assert (list(facts.found), facts.removed, facts.added) == ([], set(), [])


def test_a_call_id_belongs_to_its_first_call() -> None:
    facts = read_facts([assistant(call("a", "Bash")), user(result("a")), assistant(call("a", "Read"))])
    assert facts.called == {"a": "Bash"}


def test_reasoning_that_came_late_is_found_by_its_id() -> None:
    assert read_facts([assistant(late("rs_1", "blob"), {"type": "redacted_thinking"})]).late_blobs == {"rs_1": "blob"}


def test_the_newest_level_of_a_system_message_counts() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "x", "output_config": {"effort": "low"}},
        {"role": "system", "content": None, "output_config": {"effort": "xhigh"}},
        {"role": "system", "content": "x", "output_config": {"effort": None}},
        {"role": "user", "content": "x", "output_config": {"effort": "max"}},
    ]
    facts = read_facts(messages)
    assert facts.effort == "xhigh" and facts.last_user == 3
    assert read_facts([]).effort is None and read_facts([]).last_user == -1


@pytest.mark.parametrize(
    ("messages", "is_compaction"),
    [
        ([user(f"{COMPACTION}. Do NOT call any tools.")], True),
        ([user("x"), {"role": "user", "content": COMPACTION}, system("x")], True),
        ([user("x", COMPACTION)], True),
        ([user(f"say {COMPACTION}")], False),
        ([user(COMPACTION), user("no, go on")], False),
        ([user(COMPACTION, result("t"))], False),
        ([user(COMPACTION), {"role": "user", "content": []}], False),
        ([assistant(COMPACTION)], False),
        ([], False),
    ],
)
def test_a_compaction_request_is_recognised_by_its_last_user_text(messages: Any, is_compaction: bool) -> None:
    assert read_facts(messages).is_compaction is is_compaction
