"""claudegpt's errors: their exit status, HTTP status, type and words."""

from __future__ import annotations

import pytest

from claudegpt_pkg import errors
from claudegpt_pkg.errors import ClaudegptError, EmptyAnswer, NotLoggedIn, PromptTooLong, RateLimited, UsageLimitReached
from tests.support.grammar import ERROR_TYPES


def subclasses(kind: type[ClaudegptError] = ClaudegptError) -> list[type[ClaudegptError]]:
    """The class and all below it."""
    return [kind, *(each for below in kind.__subclasses__() for each in subclasses(below))]


OURS = [each for each in subclasses() if each.__module__ == errors.__name__]
# How Claude Code reacts to a type depends on the status it comes with.
STATUSES = {
    "invalid_request_error": {400},
    "authentication_error": {401},
    "permission_error": {403},
    "not_found_error": {404},
    "request_too_large": {413},
    "rate_limit_error": {429},
    "api_error": {500, 502},
    "overloaded_error": {529},
}


@pytest.mark.parametrize("kind", OURS)
def test_type_and_status_belong_together(kind: type[ClaudegptError]) -> None:
    assert kind.kind in ERROR_TYPES
    assert kind.status in STATUSES[kind.kind]


@pytest.mark.parametrize("kind", OURS)
def test_each_class_has_an_exit_status_and_a_docstring(kind: type[ClaudegptError]) -> None:
    assert 1 <= kind.exit_status < 128 and kind.__doc__


def test_the_exit_statuses_are_the_documented_ones() -> None:
    found = {kind.__name__: kind.exit_status for kind in OURS if kind.exit_status != 1}
    assert found == {"BadSetting": 2, "NotLoggedIn": 3, "ClaudeNotFound": 4}


def test_an_error_reads_as_message_and_hint_on_one_line() -> None:
    assert str(ClaudegptError("It broke.", "Mend it.")) == "It broke. Mend it."
    assert str(ClaudegptError("It broke.")) == "It broke."


def test_an_error_that_the_client_must_not_retry_says_so() -> None:
    never = {kind for kind in OURS if kind.retry is False}
    assert never == {NotLoggedIn, UsageLimitReached, EmptyAnswer}
    assert ClaudegptError("x").retry is None
    assert ClaudegptError("x", retry=False).retry is False
    assert UsageLimitReached("x", retry=True).retry is True


def test_an_error_keeps_how_long_to_wait() -> None:
    assert RateLimited("x", retry_after=1.5).retry_after == 1.5


def test_a_prompt_that_is_too_long_has_the_words_that_claude_code_looks_for() -> None:
    assert str(PromptTooLong(300_000, 272_000)) == "prompt is too long: 300000 tokens > 272000 maximum"
    assert str(PromptTooLong()) == "prompt is too long for this model"
