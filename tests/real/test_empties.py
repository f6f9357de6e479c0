"""Models fill optional arguments with nothing now and then. What a tool's schema makes senseless does not reach the
tool; what it takes, an empty replacement first of all, does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.session import Session
from tests.support.fakes.answers import answer, call
from tests.support.fakes.backend import FakeBackend, Request

EMPTIES: dict[str, dict[str, Any]] = {
    "Grep": {"pattern": "plum", "path": "", "glob": "", "type": "", "output_mode": "content", "-A": None, "-n": None},
    "Glob": {"pattern": "*.txt", "path": ""},
    "Read": {"file_path": "a.txt", "pages": "", "offset": None, "limit": None},
    "Bash": {"command": "cat a.txt", "description": "", "timeout": None, "run_in_background": None},
    "Edit": {"file_path": "a.txt", "old_string": "plum ", "new_string": "", "replace_all": None},
    "Agent": {
        "description": "Look",
        "prompt": "Look around",
        "subagent_type": "Explore",
        "run_in_background": False,
        "model": "",
        "isolation": "",
    },
}
# What the result of each says if it was made.
WORKED = {
    "Grep": "keep plum keep",
    "Glob": "a.txt",
    "Read": "keep plum keep",
    "Bash": "keep plum keep",
    "Edit": "has been updated",
    "Agent": "One file.",
}


@pytest.mark.parametrize("tool", EMPTIES)
def test_a_call_with_its_options_left_empty_works(session: Session, backend: FakeBackend, tool: str) -> None:
    given, file = EMPTIES[tool], session.work / "a.txt"
    file.write_text("keep plum keep\n")
    backend.route(lambda request: is_agent(request, backend), answer("One file."))
    if tool == "Edit":
        backend.script(answer(call("Read", file_path=str(file))))
    backend.script(answer(call(tool, given | {"file_path": str(file)} if "file_path" in given else given)))
    backend.script(answer("Done."))
    assert session.run("Do it", "--allowedTools", *EMPTIES).stdout == "Done.\n"
    output = str(backend.requests[-1].of_type("function_call_output")[-1]["output"])
    assert WORKED[tool] in output
    assert file.read_text() == ("keep keep\n" if tool == "Edit" else "keep plum keep\n")


def is_agent(request: Request, backend: FakeBackend) -> bool:
    return bool(backend.requests) and request.body["prompt_cache_key"] != backend.requests[0].body["prompt_cache_key"]
