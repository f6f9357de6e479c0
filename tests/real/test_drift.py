"""The comparison of two versions: what it records of a real client, and that a version does not differ from itself."""

from __future__ import annotations

from tests.real.clients import NEW, binary
from tests.real.drift import SETTING, record, shape, tool_line


def test_a_real_client_is_recorded_with_its_call_and_its_answer() -> None:
    first, second = record(binary(NEW), "hello")
    assert first.headers["user-agent"].startswith(f"claude-cli/{NEW}") and first.body["stream"] is True
    assert any("tool_result" in line for line in shape(second.body)) and first.body["tools"]


def test_two_runs_of_one_version_have_one_shape() -> None:
    one, other = (record(binary(NEW), "hello")[0] for _ in range(2))
    assert one.headers == other.headers and set(shape(one.body)) == set(shape(other.body))
    assert list(map(tool_line, one.body["tools"])) == list(map(tool_line, other.body["tools"]))


def test_settings_are_known_by_how_the_program_declares_them() -> None:
    older, newer = b'{skipIt:A.boolean().optional().describe("x")}', b'{skipThat:()=>M().optional().describe("y")}'
    assert SETTING.findall(older + newer) == [b"skipIt", b"skipThat"]
