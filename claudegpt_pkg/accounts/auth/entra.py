"""Entra ID tokens for Azure, through azure-identity: `az login`, a managed identity, or what AZURE_CLIENT_ID names.

A token is used until five minutes before its end, and in those five minutes too if there is no other. Azure has two
scopes for the same thing, a newer and an older one. If Entra ID does not know one, or the resource answers 401 to its
token, a token for the other scope is requested, once. A question to Entra ID has a limit on its whole time, and its
answers one on their size (entra_transport.py).
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import queue
import re
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import httpx

from ...errors import BadSetting, ClaudegptError, NotLoggedIn, UpstreamFailed
from ...secret import Secret
from ...untrusted import one_line
from .oauth import EARLY

PROGRAM_SECONDS = 30  # for `az`: its start alone may take ten
WHOLE_SECONDS = 100.0  # for a whole question, whatever programs and servers azure-identity asks
# Entra ID's codes for a scope that this tenant or application does not know.
NO_SUCH_SCOPE = re.compile(r"AADSTS(500011|65\d+|70011)\b|invalid_resource|invalid_scope")
# What azure-identity reports about each way to log in: `\tAzureCliCredential: Azure CLI not found on path`.
ATTEMPT = re.compile(r"(?m)^\t\w+Credential: (.+)$")
NOT_SET_UP = re.compile(
    r"(?i)^(?!.*AADSTS).*(authentication unavailable|not (configured|installed|supported)|not found on path"
    r"|could not be found|to be installed|package is required|az login|azd auth|Connect-AzAccount)"
)
NETWORK = re.compile(
    r"(?i)failed to (resolve|establish)|connection (refused|reset|aborted)|max retries|timed out|unreachable"
)
FIRST_SENTENCE = re.compile(r"(?:ERROR: )?(.*?)(?:\. |\.?\s*Trace ID:|\.?$)")
PUBLIC = "azure.com"
SCOPES = (f"https://ai.{PUBLIC}/.default", f"https://cognitiveservices.{PUBLIC}/.default")


class AccessToken(Protocol):
    """What azure-identity returns."""

    @property
    def token(self) -> str: ...

    @property
    def expires_on(self) -> int: ...


GetToken = Callable[[str], AccessToken]


class NoSuchScope(NotLoggedIn):
    """Entra ID gives no tokens for this scope; it may for the other."""


class Entra(httpx.Auth):
    """Sends a token of Entra ID. `get_token(scope)` may block and run another program, so it has a thread of its own.

    `cloud` is the domain of a national cloud, which has its own scopes (azure.us, azure.cn).
    """

    def __init__(self, get_token: GetToken, *, cloud: str = PUBLIC, clock: Callable[[], float] = time.time):
        self._get_token = get_token
        self._scopes = [scope.replace(PUBLIC, cloud) for scope in SCOPES]
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="entra")
        self._scope = self._scopes[0]
        self._token: Secret | None = None
        self._until = 0.0

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        loop = asyncio.get_running_loop()
        token = self._ready()
        if token is None:
            token = await loop.run_in_executor(self._thread, self.token)
        response = yield _authorize_with_entra(request, token)
        if response.status_code == 401:
            yield _authorize_with_entra(request, await loop.run_in_executor(self._thread, self._after_refusal, token))

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._ready() or self._thread.submit(self.token).result()
        response = yield _authorize_with_entra(request, token)
        if response.status_code == 401:
            yield _authorize_with_entra(request, self._thread.submit(self._after_refusal, token).result())

    def _ready(self) -> Secret | None:
        return self._token if self._clock() < self._until - EARLY else None

    # The methods below run in the thread, one call at a time.

    def token(self) -> Secret:
        """A token that lasts a while. Blocks. Raises NotLoggedIn, UpstreamFailed."""
        if token := self._ready():
            return token
        try:
            found = self._ask()
        except (NotLoggedIn, UpstreamFailed):
            if self._token and self._clock() < self._until:
                return self._token
            raise
        self._token, self._until = Secret(found.token), found.expires_on
        return self._token

    def _ask(self) -> AccessToken:
        try:
            return self._get_token(self._scope)
        except NoSuchScope:
            self._take_other_scope()
            return self._get_token(self._scope)

    def _after_refusal(self, refused: Secret) -> Secret:
        if self._token == refused:
            self._take_other_scope()
            self._until = 0.0
        return self.token()

    def _take_other_scope(self) -> None:
        self._scope = self._scopes[1 - self._scopes.index(self._scope)]


def _authorize_with_entra(request: httpx.Request, token: Secret) -> httpx.Request:
    request.headers["authorization"] = f"Bearer {token.reveal()}"
    return request


def default_token() -> GetToken:
    """A function that gets a token for a scope. Raises BadSetting if azure-identity is not installed."""
    if not is_installed():
        raise BadSetting(
            "Provider azure needs a key, or azure-identity for Entra ID.",
            "Set AZURE_OPENAI_API_KEY, or install claudegpt with its extra: claudegpt[azure].",
        )
    credentials: list[GetToken] = []
    for name in ("azure", "msal"):  # they write a page to stderr, where Claude Code has its screen
        logging.getLogger(name).addHandler(logging.NullHandler())

    def get_token(scope: str) -> AccessToken:
        from azure.core.exceptions import AzureError, ClientAuthenticationError
        from azure.identity import DefaultAzureCredential

        from .entra_transport import LimitedTransport

        try:
            if not credentials:  # half a second of imports and probing, so only when the first request is there
                credential = DefaultAzureCredential(process_timeout=PROGRAM_SECONDS, transport=LimitedTransport())
                credentials.append(credential.get_token)
            return credentials[0](scope)
        except ClientAuthenticationError as problem:
            raise _read_entra_refusal(str(problem)) from None
        except AzureError as problem:
            raise _entra_unreachable(str(problem)) from None
        except (
            ValueError,
            RecursionError,
            OverflowError,
        ) as problem:  # of an odd answer
            raise _entra_unreachable(f"it answered with something that cannot be read ({problem})") from None

    return lambda scope: _within(WHOLE_SECONDS, lambda: get_token(scope))


def _within(seconds: float, ask: Callable[[], AccessToken]) -> AccessToken:
    """What `ask` returns or raises. Raises UpstreamFailed after `seconds`; `ask` is then left to itself."""
    answers: queue.SimpleQueue[AccessToken | ClaudegptError | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(ask())
        except ClaudegptError as problem:
            answers.put(problem)
        finally:
            answers.put(None)  # ends the wait of the reader if `ask` raises an unexpected error

    threading.Thread(target=run, daemon=True, name="entra question").start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise _entra_unreachable(f"no answer within {seconds:g} seconds") from None
    if isinstance(answer, ClaudegptError):
        raise answer
    if answer is None:
        raise AssertionError("the question to Entra ID ended without a result")
    return answer


def _read_entra_refusal(message: str) -> ClaudegptError:
    """One sentence from azure-identity's page of attempts: about the first way to log in that is set up and failed."""
    failed = [reason for reason in ATTEMPT.findall(message) or [message] if not NOT_SET_UP.search(reason)]
    if not failed:
        return NotLoggedIn(
            "Entra ID gave no token: there is no Azure login on this machine, and no managed identity.",
            "Run `az login`, or set AZURE_OPENAI_API_KEY.",
        )
    if NETWORK.search(failed[0]):
        return _entra_unreachable(failed[0])
    sentence = FIRST_SENTENCE.match(one_line(failed[0]))
    reason = sentence[1] if sentence else failed[0]
    kind = NoSuchScope if NO_SUCH_SCOPE.search(message) else NotLoggedIn
    return kind(
        f"Entra ID gave no token: {reason}.",
        "Log in again with `az login`, correct AZURE_CLIENT_ID and its like, or set AZURE_OPENAI_API_KEY.",
    )


def _entra_unreachable(reason: str) -> UpstreamFailed:
    return UpstreamFailed(
        f"Entra ID cannot be reached: {one_line(reason.removeprefix('ERROR: '))}.", "Check the network."
    )


def is_installed() -> bool:
    try:
        return importlib.util.find_spec("azure.identity") is not None
    except (ModuleNotFoundError, ValueError):
        return False
