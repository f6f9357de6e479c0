"""Tools whose schemas Claude Code holds back until they are searched for: on a backend that knows tool search itself,
and on one that does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.answers import answer, call, tool_search
from tests.fakes.backend import FakeBackend
from tests.real.plan import codex_login
from tests.real.session import Session


@pytest.fixture
def plan() -> Iterator[FakeBackend]:
    with FakeBackend("chatgpt") as backend:
        yield backend
        backend.check()


def test_a_tool_found_by_search_is_used_on_the_plan(session: Session, plan: FakeBackend) -> None:
    codex_login(session, plan)
    plan.script(
        answer(tool_search(query="select:NotebookEdit", max_results=5)),
        answer(call("NotebookEdit", notebook_path="/nowhere.ipynb", new_source="x")),
        answer("No tasks."),
    )
    ran = session.run("List the tasks")


        print(
            [i["type"] for i in r.items],
            [t.get("name", t["type"]) for t in r.body["tools"]],
            [i for i in r.items if i["type"] == "tool_search_output"],
        )
    assert ran.stdout == "No tasks.\n"


def test_plain(session: Session, backend: FakeBackend) -> None:
    backend.script(
        answer(call("ToolSearch", query="select:NotebookEdit", max_results=5)),
        answer(call("NotebookEdit", notebook_path="/nowhere.ipynb", new_source="x")),
        answer("No tasks."),
    )
    ran = session.run("List the tasks")


        print([i["type"] for i in r.items], [t.get("name", t["type"]) for t in r.body["tools"]])
    assert ran.stdout == "No tasks.\n"
