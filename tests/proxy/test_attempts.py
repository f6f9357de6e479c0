"""What a turn does after a failed attempt."""

from __future__ import annotations

import pytest

from claudegpt_pkg.errors import (
    ClaudegptError,
    EmptyAnswer,
    InvalidRequest,
    Overloaded,
    RateLimited,
    ServerFault,
    UpstreamFailed,
    UsageLimitReached,
)
from claudegpt_pkg.proxy.attempts import Attempts, Failure, Step

BROKEN = UpstreamFailed("It broke.")


def after(error: ClaudegptError, *, most: int = 4, **facts: bool) -> Step:
    return Attempts(most=most, delay=0.5).after(Failure(error, **facts))


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (BROKEN, Step.RESEND),
        (Overloaded("busy"), Step.RESEND),
        (RateLimited("slow", retry_after=1), Step.RESEND),
        (EmptyAnswer("nothing"), Step.RESEND),
        (RateLimited("slow", retry_after=60), Step.RAISE),
        (RateLimited("slow"), Step.RAISE),
        (UsageLimitReached("over"), Step.RAISE),
        (InvalidRequest("no"), Step.RAISE),
        (UpstreamFailed("It broke.", retry=False), Step.RAISE),
    ],
)
def test_what_may_succeed_in_a_moment_is_sent_again(error: ClaudegptError, step: Step) -> None:
    assert after(error) is step


def test_once_the_client_has_something_nothing_is_repeated() -> None:
    for facts in ({}, {"changed": True}, {"searching": True}):
        assert after(BROKEN, begun=True, **facts) is Step.RAISE


def test_a_request_that_can_be_changed_is_sent_at_once_however_late_it_is() -> None:
    assert after(InvalidRequest("no"), changed=True, late=True) is Step.RESEND_CHANGED


def test_a_user_who_has_waited_long_is_told() -> None:
    assert after(BROKEN, late=True) is Step.RAISE
    assert after(ServerFault("500"), late=True, searching=True) is Step.RAISE


def test_the_same_request_is_sent_so_often_and_no_more() -> None:
    attempts = Attempts(most=3, delay=0.5)
    steps = [attempts.after(Failure(BROKEN)) for _ in range(3)]
    assert steps == [Step.RESEND, Step.RESEND, Step.RAISE]


def test_changing_the_request_costs_no_attempt() -> None:
    attempts = Attempts(most=2, delay=0.5)
    for _ in range(5):
        assert attempts.after(Failure(InvalidRequest("no"), changed=True)) is Step.RESEND_CHANGED
    assert attempts.after(Failure(BROKEN)) is Step.RESEND


def test_after_a_second_empty_answer_the_search_is_suspected_and_then_nothing() -> None:
    attempts = Attempts(most=4, delay=0.5)
    empty = EmptyAnswer("nothing")
    assert attempts.after(Failure(empty, searching=True)) is Step.RESEND
    assert attempts.after(Failure(empty, searching=True)) is Step.RESEND_WITHOUT_SEARCH
    assert attempts.after(Failure(empty)) is Step.RAISE


def test_a_failing_server_is_asked_without_the_search_when_nothing_else_is_left() -> None:
    assert after(ServerFault("500"), most=1, searching=True) is Step.RESEND_WITHOUT_SEARCH
    assert after(UpstreamFailed("502"), most=1, searching=True) is Step.RAISE


def test_each_wait_is_longer_and_never_shorter_than_the_backend_asks() -> None:
    attempts = Attempts(most=9, delay=0.5)
    waits = [attempts.wait(BROKEN) for _ in range(4)]
    assert all(0.5 * 2**at * 0.5 <= wait <= 0.5 * 2**at for at, wait in enumerate(waits))
    assert attempts.wait(RateLimited("slow", retry_after=30)) == 30
