"""Every error that claudegpt raises: what happened, what to do next, and how the program or the request ends.

Errors are caught in two places. `cli` ends with the class's `exit_status`. `proxy.app` answers with its `status` (of
HTTP) and its `kind` (Anthropic's error type). `kind` decides what Claude Code does: it retries `rate_limit_error`,
`api_error` and `overloaded_error`, shows `invalid_request_error` at once, and compacts the conversation if the message
says "prompt is too long". `retry=False` sends `x-should-retry: false`, which stops its retries
(docs/wires/claude-code.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .secret import mask_secrets


class ClaudegptError(Exception):
    """The base class. `message` says what happened, `hint` what to do next; `str()` is both.

    Many errors quote a server. Secrets in them are replaced by ***.
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "api_error"
    exit_status: ClassVar[int] = 1
    details: ClassVar[Mapping[str, str]] = {}  # fields for a client's program, beside type and message
    retry: bool | None = None  # None: the client decides by the HTTP status

    def __init__(self, message: str, hint: str = "", *, retry: bool | None = None, retry_after: float | None = None):
        self.message = mask_secrets(message)
        self.hint = mask_secrets(hint)
        super().__init__(self.message)
        self.retry = self.retry if retry is None else retry
        self.retry_after = retry_after  # seconds

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


# Input of the user: the command line, the settings, files.


class BadSetting(ClaudegptError):
    """A setting, flag or file that cannot be used."""

    status = 400
    kind = "invalid_request_error"
    exit_status = 2


class NotLoggedIn(ClaudegptError):
    """There is no usable credential: it is missing, refused, revoked, or expired without renewal."""

    status = 401
    kind = "authentication_error"
    exit_status = 3
    retry = False


class ClaudeNotFound(ClaudegptError):
    """There is no `claude` program to run."""

    exit_status = 4


# Requests of a client to the proxy.


class InvalidRequest(ClaudegptError):
    """The request cannot be answered as it is, by the proxy's own checks or because the backend refused it."""

    status = 400
    kind = "invalid_request_error"


class PromptTooLong(InvalidRequest):
    """The conversation does not fit the model's window. Claude Code compacts it when it reads these words, and shows
    the numbers if they are known."""

    def __init__(self, tokens: int | None = None, maximum: int | None = None):
        super().__init__(
            f"prompt is too long: {tokens} tokens > {maximum} maximum"
            if tokens and maximum
            else "prompt is too long for this model"
        )


class ThreadNotHeld(InvalidRequest):
    """The request continues a thread of messages that the proxy does not store. The SDKs' tool runners send the whole
    conversation when they read this code."""

    details: ClassVar[Mapping[str, str]] = {"error_code": "thread_not_found"}


class Forbidden(ClaudegptError):
    """The proxy or the backend refuses this caller."""

    status = 403
    kind = "permission_error"


class NotFound(ClaudegptError):
    """There is no such route, model or deployment."""

    status = 404
    kind = "not_found_error"


class RequestTooLarge(ClaudegptError):
    """The request body is larger than `PROXY_JSON_LIMIT`, or than the backend takes."""

    status = 413
    kind = "request_too_large"


# Answers of a backend.


class RateLimited(ClaudegptError):
    """Too many requests for now. `retry_after` says for how many seconds."""

    status = 429
    kind = "rate_limit_error"


class UsageLimitReached(RateLimited):
    """The plan's quota or the account's credit is used up. Waiting a moment does not help."""

    retry = False


class Overloaded(ClaudegptError):
    """The backend is busy. The client's own retry is right."""

    status = 529
    kind = "overloaded_error"


class UpstreamFailed(ClaudegptError):
    """The backend failed: it is unreachable or silent, it cut the answer off, or it does not speak the protocol."""

    status = 502


class ServerFault(UpstreamFailed):
    """The backend says that it failed by itself. Some backends say so of anything they do not support."""


class Unfinished(UpstreamFailed):
    """The stream ended before the answer did."""


class EmptyAnswer(UpstreamFailed):
    """The answer is a success without content. The proxy asks once more; retries of the client would change nothing."""

    retry = False
