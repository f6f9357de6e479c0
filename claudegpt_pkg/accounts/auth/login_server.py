"""The login server as we call it: one short request at a time, its failures turned into ours.

A client of its own, made for the one request: logins and renewals are minutes to days apart, and a renewal must be
finished and saved even when the request that needed it is given up. Blocking: call it from a thread where an event loop
runs.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import httpx

from ...errors import UpstreamFailed
from ...secret import Secret
from . import oauth

HEADERS = {"user-agent": oauth.USER_AGENT, "originator": oauth.ORIGINATOR, "accept": "application/json"}
ERRNO = re.compile(r"^\[Errno -?\d+\] ")
TIMEOUT = httpx.Timeout(20.0, connect=10.0)
UNREACHABLE = "Check the connection (HTTPS_PROXY, SSL_CERT_FILE) and this machine's clock."


@dataclass(frozen=True)
class LoginServer:
    """The server at `url`. Each call raises UpstreamFailed when it says nothing about the credential sent."""

    url: str

    def exchange(self, code: Secret, *, verifier: Secret, redirect: str) -> oauth.Grant:
        """The first tokens. Raises NotLoggedIn when the code is refused."""
        answer = self.post("/oauth/token", form=oauth.exchange_form(code, verifier=verifier, redirect=redirect))
        return oauth.grant(answer.status_code, answer.content, sent="The code from the login page", hint=oauth.AGAIN)

    def refresh(self, refresh: Secret) -> oauth.Grant:
        """The next tokens. Raises NotLoggedIn when the refresh token is dead; it is also dead once this succeeded."""
        answer = self.post("/oauth/token", json=oauth.refresh_body(refresh))
        return oauth.grant(answer.status_code, answer.content, sent="The saved login")

    def revoke(self, token: Secret, *, hint: str) -> None:
        """End a login; `hint` is the kind of token, "refresh_token" or "access_token"."""
        answer = self.post("/oauth/revoke", json=oauth.revoke_body(token, hint=hint))
        if not answer.is_success or oauth.is_page(answer.content):
            raise oauth.refusal(answer.status_code, answer.content, sent="The saved login")

    def post(
        self, path: str, *, json: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> httpx.Response:
        try:
            with httpx.Client(timeout=TIMEOUT, headers=HEADERS, verify=trust()) as client:
                return client.post(self.url + path, json=json, data=form)
        except httpx.RequestError as problem:
            raise UpstreamFailed(
                f"The login server {self.url} cannot be reached: {cause(problem)}.", UNREACHABLE
            ) from None


@cache
def trust() -> ssl.SSLContext:
    """Reading all the certificates takes longer than asking."""
    return httpx.create_ssl_context()


def cause(problem: httpx.RequestError) -> str:
    """In words, without the number that the system has for it."""
    return ERRNO.sub("", oauth.shorten(str(problem))) or type(problem).__name__
