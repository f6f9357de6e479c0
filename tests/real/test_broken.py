"""What breaks upstream within a session: nothing is done twice, nobody waits for ever, and what is said is one line."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.real.clients import OLD
from tests.real.plan import codex_login
from tests.real.session import Session
from tests.support.fakes.answers import EOF, Answer, answer, call, error, failed, reasoning
from tests.support.fakes.backend import FakeBackend, wait_until

RESUMED = "cut off mid-stream"


def once(name: str) -> dict[str, Any]:
    return {"command": f"echo {name} >> ran.txt; echo {name}", "description": "Note it"}


def kinds(whole: Answer) -> list[str]:
    return [event["type"] for event in whole.events({"model": "m"}, {"input_tokens": 1})]


def cut(whole: Answer, kind: str, number: int) -> Answer:
    """The answer, broken off behind the `number`-th event of a type, when the backend is released."""
    place = [place for place, each in enumerate(kinds(whole)) if each == kind][number - 1] + 1
    return replace(whole, cut_after=place, stall_after=place)


def fail(whole: Answer) -> Answer:
    """The answer, with a failure for its end, which comes when the backend is released."""
    broken = replace(whole, end=failed("server_error", "Oh."))
    return replace(broken, stall_after=len(kinds(broken)) - 1)


# How an answer of two calls breaks off, and which of them run then, once each: what arrives together with a failure has
# not been given to the client, and is asked for anew.
BREAKS: dict[str, tuple[Callable[[Answer], Answer], list[str]]] = {
    "within the first call": (lambda whole: cut(whole, "response.function_call_arguments.delta", 2), []),
    "between the calls": (lambda whole: cut(whole, "response.output_item.done", 1), ["first"]),
    "within the second call": (lambda whole: cut(whole, "response.function_call_arguments.delta", 8), ["first"]),
    "before its end": (lambda whole: replace(whole, end=EOF), ["first", "second"]),
    "with a failure": (fail, ["first", "second"]),
}


@pytest.mark.every_version("the versions resume a broken answer in different ways")
@pytest.mark.parametrize("where", BREAKS)
def test_what_ran_before_an_answer_broke_off_does_not_run_again(
    session: Session, backend: FakeBackend, where: str
) -> None:
    break_off, run = BREAKS[where]
    backend.script(break_off(answer(call("Bash", **once("first")), call("Bash", **once("second")))))
    backend.route(lambda request: bool(backend.requests), answer("Over."))
    file = session.work / "ran.txt"

    def ran() -> list[str]:
        return file.read_text().splitlines() if file.exists() else []

    with ThreadPoolExecutor() as pool:
        running = pool.submit(session.run, "Note both", "--allowedTools", "Bash")
        try:
            wait_until(lambda: ran() == run, lambda: f"{run} to run: {ran()}")
        finally:
            backend.release()
        running.result()
    assert ran() == run
    assert len(backend.requests) + len(backend.side) <= 2


def test_a_stream_that_falls_silent_ends(session: Session, backend: FakeBackend) -> None:
    limits = {"CLAUDEGPT_STREAM_FIRST_EVENT_TIMEOUT": "2", "CLAUDEGPT_STREAM_IDLE_TIMEOUT": "1"}
    backend.script(answer("Half of it and", stall_after=6))
    backend.route(lambda request: bool(backend.requests), answer("the rest."))
    began = time.monotonic()
    ran = session.run("Hi", env=limits)
    assert time.monotonic() - began < 60
    if session.version == OLD:
        assert ran.status == 1 and "The upstream was silent for 1 seconds." in ran.stdout
    else:
        assert ran.status == 0 and RESUMED in backend.side[0].raw.decode()


def test_a_usage_limit_is_one_line_and_no_second_request(session: Session, plan: FakeBackend) -> None:
    codex_login(session, plan)
    moment = int(time.time()) + 3600
    used_up = {"x-codex-primary-used-percent": "100", "x-codex-primary-reset-at": str(moment)}
    plan.script(
        error(
            429, None, "The usage limit has been reached", kind="usage_limit_reached", plan_type="plus", headers=used_up
        )
    )
    began = time.monotonic()
    ran = session.run("Hi")
    assert time.monotonic() - began < 60
    assert ran.status == 1
    assert re.search(r"usage limit is reached \(plus\)\. It resets (on \w+ \d+ \w+ )?at \d\d:\d\d\.", ran.stdout)
    assert "{" not in ran.stdout and len(plan.requests) == 1


def test_a_plan_that_goes_on_with_credits_is_not_held_up(session: Session, plan: FakeBackend) -> None:
    codex_login(session, plan)
    used_up = {"x-codex-primary-used-percent": "100", "x-codex-credits-has-credits": "True"}
    plan.script(
        answer(reasoning(), call("Bash", **once("first")), headers=used_up), answer("Still going.", headers=used_up)
    )
    assert session.run("Go on", "--allowedTools", "Bash").stdout == "Still going.\n"
