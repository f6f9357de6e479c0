"""What users of Claude Code do all day, through the real client: files of all kinds, tools of all kinds, sessions that
go on. One scenario a test, each with both versions."""

from __future__ import annotations

import base64
import json
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.real.mcp_http import over_http
from tests.real.session import ROOT, Session
from tests.support.fakes.answers import answer, call, reasoning, text
from tests.support.fakes.backend import FakeBackend, Request

PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 44>>stream
BT /F1 24 Tf 20 100 Td (Forty-two) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""


def png(width: int = 8, height: int = 8) -> bytes:
    """A red square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def output(request: Request) -> Any:
    """What the newest tool call of a request gave."""
    return request.of_type("function_call_output")[-1]["output"]


def parts(request: Request, kind: str) -> list[dict[str, Any]]:
    """The parts of a type in all of a request's messages and outputs, in order."""
    contents = [item.get("content") or item.get("output") for item in request.items]
    return [part for content in contents if isinstance(content, list) for part in content if part["type"] == kind]


def test_an_image_that_is_read_reaches_the_model(session: Session, backend: FakeBackend) -> None:
    (session.work / "red.png").write_bytes(png())
    backend.script(answer(call("Read", file_path=str(session.work / "red.png"))), answer("A red square."))
    assert session.run("What is on red.png?", "--allowedTools", "Read").stdout == "A red square.\n"
    [image] = parts(backend.requests[1], "input_image")
    kind, _, data = image["image_url"].partition(";base64,")
    assert kind.startswith("data:image/") and base64.b64decode(data)[:4] in (b"\x89PNG", b"RIFF", b"\xff\xd8\xff\xe0")
    assert image in output(backend.requests[1])


def test_a_pdf_that_is_read_reaches_the_model(session: Session, backend: FakeBackend) -> None:
    (session.work / "answer.pdf").write_bytes(PDF)
    backend.script(answer(call("Read", file_path=str(session.work / "answer.pdf"))), answer("Forty-two."))
    assert session.run("What does answer.pdf say?", "--allowedTools", "Read").stdout == "Forty-two.\n"
    [file] = parts(backend.requests[1], "input_file")
    kind, _, data = file["file_data"].partition(";base64,")
    assert (kind, base64.b64decode(data)) == ("data:application/pdf", PDF)
    assert file["filename"].endswith(".pdf")


def test_an_edit_may_delete_text_and_a_write_may_be_empty(session: Session, backend: FakeBackend) -> None:
    file, empty = session.work / "a.txt", session.work / "empty.txt"
    file.write_text("keep drop keep\n")
    backend.script(
        answer(call("Read", file_path=str(file), pages="")),
        answer(call("Edit", file_path=str(file), old_string="drop ", new_string="")),
        answer(call("Write", file_path=str(empty), content="")),
        answer("Done."),
    )
    ran = session.run("Clean up", "--allowedTools", "Read Edit Write", "--permission-mode", "acceptEdits")
    assert ran.stdout == "Done.\n"
    assert file.read_text() == "keep keep\n"
    assert empty.read_text() == ""
    assert "keep drop keep" in output(backend.requests[1]), "pages:'' was passed on"


def test_two_edits_and_two_commands_of_one_turn_run_one_after_another(session: Session, backend: FakeBackend) -> None:
    file = session.work / "a.txt"
    file.write_text("one two\n")
    backend.script(
        answer(call("Read", file_path=str(file))),
        answer(
            call("Edit", file_path=str(file), old_string="one", new_string="1"),
            call("Edit", file_path=str(file), old_string="two", new_string="2"),
            call("Bash", command="cp a.txt b.txt; echo first >> b.txt", description="Copy"),
            call("Bash", command="cat b.txt", description="Show"),
        ),
        answer("Done."),
    )
    session.run("Count", "--allowedTools", "Read Edit Bash", "--permission-mode", "acceptEdits")
    assert backend.requests[0].body["parallel_tool_calls"] is True
    assert file.read_text() == "1 2\n"
    assert output(backend.requests[2]) == "1 2\nfirst"


@pytest.fixture(params=["stdio", "http"])
def registers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Claude Code's arguments for an MCP server of three tools, started by the client or reached over HTTP."""
    if request.param == "stdio":
        words = ["-m", "tests.real.mcp_server", "3"]
        yield mcp_arguments(tmp_path, {"command": sys.executable, "args": words, "env": {"PYTHONPATH": str(ROOT)}})
        return
    with over_http(3) as url:
        yield mcp_arguments(tmp_path, {"type": "http", "url": url})


def mcp_arguments(folder: Path, server: Mapping[str, Any]) -> list[str]:
    file = folder / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"registers": server}}))
    return ["--mcp-config", str(file), "--allowedTools", "mcp__registers"]


def test_an_mcp_tool_is_called_without_tool_search(
    session: Session, backend: FakeBackend, registers: list[str]
) -> None:
    backend.script(answer(call("mcp__registers__look_up_1", key="k7")), answer("Found."))
    ran = session.run("Look up k7", *registers, env={"CLAUDEGPT_TOOL_SEARCH": "0"})
    assert ran.stdout == "Found.\n"
    names = [tool["name"] for tool in backend.requests[0].body["tools"]]
    assert [name for name in names if name.startswith("mcp__")] == [f"mcp__registers__look_up_{n}" for n in range(3)]
    assert "register 1 has k7" in output(backend.requests[1])


def test_an_mcp_tool_is_found_and_called_with_tool_search(
    session: Session, backend: FakeBackend, registers: list[str]
) -> None:
    backend.script(
        answer(call("ToolSearch", query="select:mcp__registers__look_up_1", max_results=5)),
        answer(call("mcp__registers__look_up_1", key="k7")),
        answer("Found."),
    )
    assert session.run("Look up k7", *registers).stdout == "Found.\n"
    first, second, third = ([tool["name"] for tool in request.body["tools"]] for request in backend.requests)
    assert not any(name.startswith("mcp__") for name in first)
    assert second == third == [*first, "mcp__registers__look_up_1"]
    assert "register 1 has k7" in output(backend.requests[2])


def test_a_subagent_on_another_tier_has_its_model_and_its_own_cache_key(session: Session, backend: FakeBackend) -> None:
    task = {"description": "Count files", "prompt": "Count the files here", "subagent_type": "general-purpose"}
    backend.script(answer(call("Agent", **task, model="haiku", run_in_background=False)))
    backend.route(lambda request: request.body["model"] == "gpt-6-luna", answer("There are three."))
    backend.script(answer("Three files."))
    assert session.run("Ask an agent", "--allowedTools", "Agent").stdout == "Three files.\n"
    agents = [request for request in backend.side if b"Count the files here" in request.raw]
    assert agents and all(request.body["reasoning"]["effort"] == "low" for request in agents)
    keys = {request.body["prompt_cache_key"] for request in backend.requests}
    assert len(keys) == 1 and not keys & {request.body["prompt_cache_key"] for request in agents}
    assert "There are three." in str(output(backend.requests[1]))


def test_structured_output_is_what_the_schema_says(session: Session, backend: FakeBackend) -> None:
    schema = {"type": "object", "properties": {"files": {"type": "integer"}}, "required": ["files"]}
    backend.script(answer(call("StructuredOutput", files=3)))
    ran = session.run("Count", "--json-schema", json.dumps(schema), "--output-format", "json")
    assert ran.result["structured_output"] == {"files": 3}


def test_plan_mode_ends_with_the_plan(session: Session, backend: FakeBackend) -> None:
    backend.script(answer("I would read a.txt first."))
    ran = session.run("Plan it", "--permission-mode", "plan")
    assert ran.stdout == "I would read a.txt first.\n"
    assert b"lan mode" in backend.requests[0].raw


def test_a_hook_that_denies_a_tool_is_told_to_the_model(session: Session, backend: FakeBackend) -> None:
    deny = {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "deny"}}
    deny["hookSpecificOutput"]["permissionDecisionReason"] = "not on a Sunday"
    hook = {"type": "command", "command": f"echo '{json.dumps(deny)}'"}
    settings = {"hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [hook]}]}}
    backend.script(answer(call("Bash", command="touch x", description="Touch")), answer("Then not."))
    ran = session.run("Touch x", "--settings", json.dumps(settings), "--allowedTools", "Bash")
    assert ran.stdout == "Then not.\n"
    assert "not on a Sunday" in output(backend.requests[1])
    assert not (session.work / "x").exists()


def test_a_background_command_is_read_later(session: Session, backend: FakeBackend) -> None:
    backend.script(
        answer(call("Bash", command="echo from behind > out.txt", description="Run", run_in_background=True)),
        answer(call("Bash", command="until [ -s out.txt ]; do sleep 0.05; done; cat out.txt", description="Wait")),
    )
    backend.route(lambda request: len(request.of_type("function_call_output")) == 2, answer("It said so."))
    ran = session.run("Run it behind", "--allowedTools", "Bash")
    assert ran.stdout == "It said so.\n"
    assert output(backend.side[0]) == "from behind"


def test_a_session_goes_on_after_everything_was_restarted(session: Session, backend: FakeBackend) -> None:
    thought = reasoning("I remember this.")
    said = text("The word is plum.", phase="final_answer")
    backend.script(answer(thought, said), answer("Plum."), answer("Plum again."))
    first = session.run("Remember a word", "--output-format", "json").result
    again = session.run("Which word?", "--resume", first["session_id"])
    assert again.stdout == "Plum.\n"
    assert session.run("Which word?", "--continue").stdout == "Plum again.\n"
    for request in backend.requests[1:]:
        assert request.of_type("reasoning")[0] == thought.done
        [message] = [item for item in request.of_type("message") if item.get("content") == "The word is plum."]
        assert message["phase"] == "final_answer"
    assert len({request.body["prompt_cache_key"] for request in backend.requests}) == 1


def test_a_session_begun_on_real_claude_goes_on(session: Session, backend: FakeBackend) -> None:
    """Its thinking is signed by somebody else and means nothing here; all that was said is there."""
    backend.script(answer(reasoning("Hm."), "The word is plum."), answer("Plum."))
    first = session.run("Remember a word", "--output-format", "json").result
    [transcript] = (session.home / ".claude" / "projects").rglob(f"{first['session_id']}.jsonl")
    lines = [json.loads(line) for line in transcript.read_text().splitlines()]
    for line in lines:
        content = (line.get("message") or {}).get("content")
        for block in content if isinstance(content, list) else ():
            if block["type"] == "thinking":
                block["signature"] = "EqQBCkYIBxgCKkBfb3JlaWduU2lnbmF0dXJl"
    transcript.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert session.run("Which word?", "--resume", first["session_id"]).stdout == "Plum.\n"
    assert not backend.requests[1].of_type("reasoning")
    assert "The word is plum." in backend.requests[1].raw.decode()
