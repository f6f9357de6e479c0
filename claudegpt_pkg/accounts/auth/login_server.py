"""The login server: one short request at a time, its failures turned into our errors.

Each request has a client of its own, because logins and renewals are minutes to days apart, and because a renewal must
be finished and saved even if the request that needed it is given up. The calls block: where an event loop runs, call
them from a thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...secret import Secret
from .. import http
from . import oauth

HEADERS = {"user-agent": oauth.USER_AGENT, "originator": oauth.ORIGINATOR, "accept": "application/json"}
SECONDS = 30.0  # for a whole request; a renewal holds its lock for that long at most
ANSWER_LIMIT = 1 << 20  # bytes


@dataclass(frozen=True)
class LoginServer:
    """The server at `url`. Each call raises UpstreamFailed if its answer says nothing about the credential sent."""

    url: str
    seconds: float = SECONDS

    def exchange(self, code: Secret, *, verifier: Secret, redirect: str) -> oauth.Grant:
        """The first tokens. Raises NotLoggedIn when the server refuses the code."""
        answer = self.post("/oauth/token", form=oauth.exchange_form(code, verifier=verifier, redirect=redirect))
        return oauth.read_grant(
            answer.status, answer.body, sent="The code from the login page", hint=oauth.LOG_IN_AGAIN
        )

    def refresh(self, refresh: Secret) -> oauth.Grant:
        """The next tokens. Raises NotLoggedIn when the refresh token is dead; it is also dead once this succeeded."""
        answer = self.post("/oauth/token", json=oauth.refresh_body(refresh))
        return oauth.read_grant(answer.status, answer.body, sent="The saved login")

    def revoke(self, token: Secret, *, hint: str) -> None:
        """End a login; `hint` is the kind of token, "refresh_token" or "access_token"."""
        answer = self.post("/oauth/revoke", json=oauth.revoke_body(token, hint=hint))
        if not answer.is_success or oauth.is_page(answer.body):
            raise oauth.read_refusal(answer.status, answer.body, sent="The saved login")

    def post(
        self, path: str, *, json: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> http.Answer:
        """The answer, whatever its status is. Raises NoAnswer when there is none within the time and size limits."""
        question = http.Question(
            self.url + path,
            "The login server",
            method="POST",
            headers=HEADERS,
            json=json,
            form=form,
            seconds=self.seconds,
            limit=ANSWER_LIMIT,
        )
        return http.ask_now(question)
