"""Long conversations: Claude Code compacts before the window of the account's model is full, whatever that is, and goes
on where the upstream says first that it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.plan import codex_login
from tests.real.screen import ENTER
from tests.real.session import Session, leave, start
from tests.support.fakes.answers import Answer, answer, call
from tests.support.fakes.backend import FakeBackend, Request

TIERS = ("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna")
RESERVED = 60_000  # tokens below the window within which a conversation may be compacted already


def is_compaction(request: Request) -> bool:
    said = [item for item in request.items if item.get("role") == "user"][-1]
    return "CRITICAL: Respond with TEXT ONLY" in json.dumps(said)


class Long:
    """A conversation on a plan, as the backend sees it: sizes of its requests, of those that were compactions."""

    def __init__(self, session: Session, plan: FakeBackend):
        self.session = session
        self.plan = plan
        self.sizes: list[int] = []
        self.compacted: list[int] = []
        plan.route(lambda request: True, self._answer)
        codex_login(session, plan)

    def know(self, *windows: int) -> None:
        """Sessions from here on know these as the windows of the tiers' models: the account's list says so."""
        rows = [{"slug": name, "context_window": window} for name, window in zip(TIERS, windows, strict=True)]
        self.plan.page("GET", "/backend-api/codex/models", 200, {"models": rows})
        assert self.session.command("models").status == 0  # asks for the list now; a session may end before it comes

    def say(self, tokens: int, *args: str) -> str:
        """A turn with this much in it; what was said on stderr."""
        ran = self.session.run(
            "Go on", *(["--continue"] if self.sizes else []), *args, stdin="plum " * (tokens * 4 // 5)
        )
        assert (ran.status, ran.stdout) == (0, "Said.\n"), ran
        return ran.stderr

    def _answer(self, request: Request) -> Answer:
        tokens = self.plan.memory.count(request.body)["input_tokens"]
        if not is_compaction(request):
            self.sizes.append(tokens)
            return answer("Said.")
        self.compacted.append(tokens)
        return answer("<summary>We counted plums.</summary>")


@pytest.fixture
def long(session: Session, plan: FakeBackend) -> Iterator[Long]:
    yield Long(session, plan)


@pytest.mark.parametrize("window", [272_000, 500_000, 872_000])
def test_a_conversation_is_compacted_before_the_upstream_would_refuse_it(long: Long, window: int) -> None:
    long.know(window, window, window)
    long.plan.window = window
    for _ in range(5):
        long.say(window // 5)
    assert len(long.compacted) == 1
    assert max(long.sizes) < window
    assert max(long.sizes) + window // 5 > window - RESERVED, "compacted although there was room"
    assert long.sizes[-1] < window // 2


@pytest.mark.every_version("the versions derive a model's window in different ways")
def test_the_smallest_window_of_the_tiers_counts_and_that_is_said(long: Long) -> None:
    long.know(500_000, 500_000, 272_000)
    said = [long.say(60_000) for _ in range(5)]
    assert len(long.compacted) == 1 and max(long.sizes) < 272_000
    assert "compacted before 272k tokens, the window of GPT-6 Luna" in said[0] and "500k" in said[0]
    assert said[1:] == [""] * 4


def test_a_refusal_of_the_upstream_is_followed_by_compaction(long: Long) -> None:
    long.know(500_000, 500_000, 500_000)
    long.plan.window = 272_000
    for _ in range(5):
        long.say(60_000)
    assert max(long.sizes) > 272_000, "nothing was refused"
    assert len(long.compacted) == 1 and long.compacted[0] < 272_000
    assert long.sizes[-1] < 272_000


def test_a_compaction_that_is_refused_itself_is_made_of_less(long: Long) -> None:
    """A conversation far over the upstream's window, as after a change to a smaller model."""
    long.know(272_000, 272_000, 272_000)
    for _ in range(5):
        long.say(40_000)
    long.plan.window = 150_000
    long.say(10_000)
    refused = [size for size in long.compacted if size > 150_000]
    assert refused and long.compacted[-1] < 150_000 and refused == long.compacted[:-1]
    assert long.sizes[-1] < 150_000


def test_in_the_interface_the_window_holds_whatever_model_and_effort_are_chosen_meanwhile(
    long: Long, session: Session
) -> None:
    long.know(500_000, 500_000, 272_000)
    left, pauses = files_to_read(session, 13), {6, 0}
    sizes: list[tuple[str, int]] = []

    def read_on(request: Request) -> Answer:
        tokens = long.plan.memory.count(request.body)["input_tokens"]
        if is_compaction(request):
            long.compacted.append(tokens)
            return answer("<summary>There is more to read.</summary>")
        if "tools" not in request.body:
            return answer("Fine.")
        sizes.append((request.body["model"], tokens))
        if len(left) in pauses:
            return answer(f"{len(left)} are left.")
        return answer(call("Read", file_path=str(left.pop())))

    long.plan.route(lambda request: True, read_on)
    with session.terminal() as screen:
        start(screen, "claudegpt --allowedTools Read")
        screen.type("Read the files")
        screen.wait_for("6 are left.")
        pauses.remove(6)
        screen.type("/model haiku")
        screen.press(ENTER, "Set model to")
        screen.type("/effort low")
        screen.press(ENTER, "Set effort level to low")
        screen.type("Read the rest")
        screen.wait_for("0 are left.")
        assert leave(screen) == 0
    models = [model for model, _ in sizes]
    assert models[0] == TIERS[0] and models[-1] == TIERS[2]
    assert len(long.compacted) == 1 and 272_000 - RESERVED < long.compacted[0] < 272_000
    assert max(tokens for _, tokens in sizes) < 272_000 and sizes[-1][1] < 136_000


def files_to_read(session: Session, number: int) -> list[Path]:
    """Files that fill 22,000 tokens each, which is nearly what Claude Code reads at once."""
    files = [session.work / f"{name}.txt" for name in range(number)]
    for file in files:
        file.write_text("\n".join(f"line {line} of {file.stem} plum plum plum" for line in range(2_000)))
    return files


def test_the_work_goes_on_when_the_upstream_refuses_between_two_tools(session: Session, plan: FakeBackend) -> None:
    codex_login(session, plan)
    plan.window = 100_000  # Claude Code believes in 272,000
    for number in range(6):
        lines = [f"line {line} of {number} plum plum plum" for line in range(2_200)]
        (session.work / f"{number}.txt").write_text("\n".join(lines))
    read: list[int] = []

    def work(request: Request) -> Answer:
        if is_compaction(request):
            return answer("<summary>Read on until file 5.</summary>")
        if len(read) == 6:
            return answer("All six read.")
        if plan.memory.count(request.body)["input_tokens"] <= 100_000:
            read.append(len(read))
        return answer(call("Read", file_path=str(session.work / f"{read[-1]}.txt")))

    plan.route(lambda request: True, work)
    assert session.run("Read the six files", "--allowedTools", "Read").stdout == "All six read.\n"
    assert any(map(is_compaction, plan.side))
