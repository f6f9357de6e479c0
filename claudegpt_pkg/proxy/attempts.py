"""Decides what a turn does after an attempt has failed: a machine without I/O.

    attempts = Attempts(most=4, delay=0.5)
    step = attempts.after(Failure(error, begun=False, changed=False, late=False, searching=False))
    ...                                    # attempts.wait(error): seconds before the next attempt, for Step.RESEND

`DECISIONS` is the whole decision. It is read from the top; the first row whose condition holds decides. Until the
client has something of the answer, a request that may succeed in a moment is sent again. After that a failure is raised
and nothing is repeated, because tools might run twice.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from ..errors import ClaudegptError, EmptyAnswer, ServerFault, Unfinished, UpstreamFailed
from ..upstream.error_mapping import may_retry


class SearchSkipped(UpstreamFailed):
    """A request that had to search the web was answered without a search: some servers skip the tool in silence."""

    retry = False


class Step(Enum):
    """What a turn does next."""

    RAISE = auto()  # tell the client
    RESEND_CHANGED = auto()  # send at once, without what the backend refused
    RESEND_WITHOUT_SEARCH = auto()  # send at once, without the hosted web search
    RESEND = auto()  # wait, then send the same request


@dataclass(frozen=True)
class Failure:
    """How an attempt failed, and what the turn knows at that moment."""

    error: ClaudegptError
    begun: bool = False  # the client has something of the answer
    changed: bool = False  # the refusal names something that can be left out or changed
    late: bool = False  # the client has waited long enough
    searching: bool = False  # the hosted web search was declared


class Attempts:
    """The attempts of one turn. `most`: how often the same request is sent; `delay`: seconds before the second one."""

    def __init__(self, *, most: int, delay: float):
        self._left = most - 1
        self._delay = delay
        self._empty_answers = 0

    def after(self, failure: Failure) -> Step:
        """The next step. A step other than RAISE is counted as taken."""
        step = next(step for holds, step in DECISIONS if holds(self, failure))
        if isinstance(failure.error, EmptyAnswer):
            self._empty_answers += 1
        if step is Step.RESEND:
            self._left -= 1
        return step

    def wait(self, error: ClaudegptError) -> float:
        """Seconds before the next attempt: twice as long each time, with jitter, and what the backend asks for."""
        delay, self._delay = self._delay, self._delay * 2
        return max(delay * random.uniform(0.5, 1.0), error.retry_after or 0)

    def _may_succeed_soon(self, failure: Failure) -> bool:
        if self._left <= 0:
            return False
        if isinstance(failure.error, EmptyAnswer):
            return self._empty_answers == 0
        return may_retry(failure.error)


def _search_may_be_the_cause(failure: Failure) -> bool:
    """Some servers do not refuse the hosted search: they answer nothing if it is declared, fail, or skip it."""
    return failure.searching and isinstance(failure.error, EmptyAnswer | Unfinished | ServerFault | SearchSkipped)


DECISIONS: tuple[tuple[Callable[[Attempts, Failure], bool], Step], ...] = (
    (lambda _, failure: failure.begun, Step.RAISE),
    (lambda _, failure: failure.changed, Step.RESEND_CHANGED),
    (lambda _, failure: failure.late, Step.RAISE),
    (lambda attempts, failure: attempts._may_succeed_soon(failure), Step.RESEND),
    (lambda _, failure: _search_may_be_the_cause(failure), Step.RESEND_WITHOUT_SEARCH),
    (lambda _, failure: True, Step.RAISE),
)
