"""Every error we raise: what happened, what to do about it, and how it ends.

Each class knows three things its two catchers need: `exit_status` (for `cli`), and `status` with `kind` (for
`proxy.app`: the HTTP status and Anthropic's error type). `kind` decides how Claude Code reacts: it retries
`rate_limit_error`, `api_error` and `overloaded_error`, shows `invalid_request_error` at once, and compacts on the
words "prompt is too long". `retry=False` sends `x-should-retry: false`, which stops its retries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .secret import without_secrets


class ClaudegptError(Exception):
    """Base of all our errors. `message` is the cause, `hint` the next step; `str()` is both, in one line.

    Most quote somebody else's words: none ever holds a secret.
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "api_error"
    exit_status: ClassVar[int] = 1
    details: ClassVar[Mapping[str, str]] = {}  # what a client's program reads of it
    retry: bool | None = None  # None: the client decides by the status

    def __init__(self, message: str, hint: str = "", *, retry: bool | None = None, retry_after: float | None = None):
        self.message = without_secrets(message)
        self.hint = without_secrets(hint)
        super().__init__(self.message)
        self.retry = self.retry if retry is None else retry
        self.retry_after = retry_after  # seconds

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


# What the user typed, or what a settings file says.


class BadSetting(ClaudegptError):
    """A setting, flag or file of the user's that cannot be used."""

    status = 400
    kind = "invalid_request_error"
    exit_status = 2


class NotLoggedIn(ClaudegptError):
    """No usable credential: missing, refused, revoked or expired for good."""

    status = 401
    kind = "authentication_error"
    exit_status = 3
    retry = False


class ClaudeNotFound(ClaudegptError):
    """There is no `claude` to run."""

    exit_status = 4


# What a client sent to the proxy.


class InvalidRequest(ClaudegptError):
    """The request, ours or as the upstream judged it, is not one that can be answered."""

    status = 400
    kind = "invalid_request_error"


class PromptTooLong(InvalidRequest):
    """The conversation does not fit the model's window. The client compacts when it reads these words, and tells the
    numbers, where they are known."""

    def __init__(self, tokens: int | None = None, maximum: int | None = None):
        super().__init__(
            f"prompt is too long: {tokens} tokens > {maximum} maximum"
            if tokens and maximum
            else "prompt is too long for this model"
        )


class ThreadNotHeld(InvalidRequest):
    """A conversation to be continued whose messages are not here. The SDK's threads, on which its tool runner stands,
    send the whole of it when they read this code."""

    details: ClassVar[Mapping[str, str]] = {"error_code": "thread_not_found"}


class Forbidden(ClaudegptError):
    """The local door, or the upstream, refuses this caller."""

    status = 403
    kind = "permission_error"


class NotFound(ClaudegptError):
    """No such route, model or deployment."""

    status = 404
    kind = "not_found_error"


class RequestTooLarge(ClaudegptError):
    """The request body is over `PROXY_JSON_LIMIT`, or over the upstream's own limit."""

    status = 413
    kind = "request_too_large"


# What the upstream answered, or failed to answer.


class RateLimited(ClaudegptError):
    """Too many requests for now; `retry_after` says how long."""

    status = 429
    kind = "rate_limit_error"


class UsageLimitReached(RateLimited):
    """The plan or the account's money is used up: waiting a moment does not help."""

    retry = False


class Overloaded(ClaudegptError):
    """The upstream is busy; the client's own retry is the right answer."""

    status = 529
    kind = "overloaded_error"


class UpstreamFailed(ClaudegptError):
    """The upstream broke: unreachable, cut off, silent, or not speaking the protocol."""

    status = 502


class ServerFault(UpstreamFailed):
    """The upstream says that it failed by itself; some say so of whatever they do not have."""


class Unfinished(UpstreamFailed):
    """The stream came to its end before the answer did."""


class EmptyAnswer(UpstreamFailed):
    """A success with nothing in it. Asked again once by us; the client's ten times more would change nothing."""

    retry = False
