"""Entra ID tokens for Azure, through azure-identity: `az login`, a managed identity, or what AZURE_CLIENT_ID names.

A token is kept until five minutes before its end. There are two scopes for the same thing, a newer and an older one;
which one a resource honours shows in its answer: a 401 is answered with the other's token, once.
"""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import httpx

from ..errors import BadSetting, NotLoggedIn, UpstreamFailed
from ..settings import Secret
from .oauth import EARLY, shorten

SCOPES = ("https://ai.azure.com/.default", "https://cognitiveservices.azure.com/.default")


class AccessToken(Protocol):
    """What azure-identity gives."""

    @property
    def token(self) -> str: ...

    @property
    def expires_on(self) -> int: ...


GetToken = Callable[[str], AccessToken]


class Entra(httpx.Auth):
    """`get_token(scope)` may block and ask another program: it is called in a thread of its own."""

    def __init__(self, get_token: GetToken, *, clock: Callable[[], float] = time.time):
        self._get_token = get_token
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="entra")
        self._scope = SCOPES[0]
        self._token: Secret | None = None
        self._until = 0.0

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        loop = asyncio.get_running_loop()
        token = self._ready()
        if token is None:
            token = await loop.run_in_executor(self._thread, self.token)
        response = yield authorized(request, token)
        if response.status_code == 401:
            yield authorized(request, await loop.run_in_executor(self._thread, self._after_refusal, token))

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._ready() or self._thread.submit(self.token).result()
        response = yield authorized(request, token)
        if response.status_code == 401:
            yield authorized(request, self._thread.submit(self._after_refusal, token).result())

    def _ready(self) -> Secret | None:
        return self._token if self._clock() < self._until - EARLY else None

    # From here on in the thread, one call at a time.

    def token(self) -> Secret:
        """A token that lasts a while. Blocks. Raises NotLoggedIn, UpstreamFailed."""
        if token := self._ready():
            return token
        found = self._get_token(self._scope)
        self._token, self._until = Secret(found.token), found.expires_on
        return self._token

    def _after_refusal(self, refused: Secret) -> Secret:
        if self._token == refused:
            self._scope = SCOPES[1 - SCOPES.index(self._scope)]
            self._until = 0.0
        return self.token()


def authorized(request: httpx.Request, token: Secret) -> httpx.Request:
    request.headers["authorization"] = f"Bearer {token.reveal()}"
    return request


def default_token() -> GetToken:
    """How this machine gets Entra tokens. Raises BadSetting when azure-identity is not installed."""
    if not installed():
        raise BadSetting(
            "Provider azure needs a key, or azure-identity for Entra ID.",
            "Set AZURE_OPENAI_API_KEY, or install claudegpt with its extra: claudegpt[azure].",
        )
    credentials: list[GetToken] = []

    def get_token(scope: str) -> AccessToken:
        from azure.core.exceptions import AzureError, ClientAuthenticationError
        from azure.identity import DefaultAzureCredential

        try:
            if not credentials:  # half a second of imports and probing, so only when the first request is there
                credentials.append(DefaultAzureCredential().get_token)
            return credentials[0](scope)
        except ClientAuthenticationError as problem:
            raise NotLoggedIn(
                f"Entra ID gave no token: {shorten(str(problem))}.", "Run `az login`, or set AZURE_OPENAI_API_KEY."
            ) from None
        except AzureError as problem:
            raise UpstreamFailed(f"Entra ID cannot be reached: {shorten(str(problem))}.") from None

    return get_token


def installed() -> bool:
    try:
        return importlib.util.find_spec("azure.identity") is not None
    except (ModuleNotFoundError, ValueError):
        return False
