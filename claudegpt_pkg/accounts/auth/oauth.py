"""ChatGPT's OAuth as data: what is sent to the login server, and what its answers mean. Pure: nothing is sent here.

In order: `authorize_url` → the browser returns to the callback server → `callback_code` → `exchange_form` →
`read_grant`. Later, each time that the access token is about to end: `refresh_body` → `read_grant`. Refresh tokens
rotate: the new one replaces the one that was sent, and one that is sent twice is dead. The shapes were recorded from
the Codex CLI 0.169.0, whose public client this is; `originator` and `user-agent` name claudegpt.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from ... import __version__
from ...errors import ClaudegptError, NotLoggedIn, UpstreamFailed
from ...secret import Secret
from ...untrusted import as_object, one_line, read_name, read_number, read_object, read_word

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
SCOPE = "openid profile email offline_access"
ORIGINATOR = "claudegpt"
USER_AGENT = f"claudegpt/{__version__}"
PORTS = (1455, 1457)  # the only redirect addresses registered for this client
EARLY = 5 * 60.0  # seconds before its end at which an access token is renewed

AUTH_CLAIM = "https://api.openai.com/auth"
PROFILE_CLAIM = "https://api.openai.com/profile"
# The error codes after which a refresh token is dead, and the words for each.
DEAD = {
    "refresh_token_expired": "has expired",
    "refresh_token_reused": "was already used by another program",
    "refresh_token_invalidated": "was revoked",
    "refresh_token_revoked": "was revoked",
    "invalid_grant": "is no longer valid",
}
# The login server refuses with this code when a workspace's administrator has not enabled Codex.
NO_CODEX = "missing_codex_entitlement"
LOG_IN_AGAIN = "Run the login again."
TRY_LATER = (
    "Try again in a moment. If it fails again, check the connection (a proxy or sign-in page in between) and the clock."
)


@dataclass(frozen=True)
class Pkce:
    """Proof that the program that fetches the tokens opened the login page (RFC 7636, S256)."""

    verifier: Secret
    challenge: str

    @classmethod
    def new(cls) -> Pkce:
        verifier = secrets.token_urlsafe(64)
        return cls(Secret(verifier), _encode_base64(hashlib.sha256(verifier.encode()).digest()))


@dataclass(frozen=True)
class Claims:
    """The claims in a token; all are None if it cannot be read."""

    account_id: str | None = None
    plan: str | None = None
    email: str | None = None
    fedramp: bool = False
    expires_at: float | None = None  # seconds since 1970
    issued_at: float | None = None


@dataclass(frozen=True)
class Grant:
    """Tokens from the login server; a renewal may leave out all but the first."""

    access: Secret
    refresh: Secret | None
    id_token: Secret | None


def redirect_uri(port: int) -> str:
    return f"http://localhost:{port}/auth/callback"


def authorize_url(server: str, *, redirect: str, state: str, challenge: str) -> str:
    """The page on which the user approves the login."""
    query = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": redirect,
        "scope": SCOPE,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "state": state,
        "originator": ORIGINATOR,
    }
    return f"{server}/oauth/authorize?{urlencode(query)}"


class OtherLogin(NotLoggedIn):
    """The browser returned from another login than the one under way."""


def callback_code(url: str, *, state: str) -> Secret:
    """The code in the address to which the browser returned: a whole URL, its path and query, or the query alone.

    Raises OtherLogin when `state` is not the one sent or the text is no address, NotLoggedIn when the login was
    refused or there is no code.
    """
    try:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url.strip()).query or url.strip()).items()}
    except ValueError:
        query = {}
    if "state" not in query:
        raise OtherLogin("That is not the address of a finished login.", "Paste the whole of it.")
    if not secrets.compare_digest(query["state"].encode(errors="replace"), state.encode()):
        raise OtherLogin("That address belongs to another login (its state differs).", "Use the newest login page.")
    if "error" in query:
        raise _login_refused(
            f"{query['error']} {query.get('error_description', '')}", shown=query.get("error_description")
        )
    code = query.get("code")
    if not code or not code.isprintable():
        raise NotLoggedIn("The browser came back without a code.", LOG_IN_AGAIN)
    return Secret(code)


def _login_refused(words: str, *, shown: str | None = None) -> NotLoggedIn:
    """The error for a login that the server refused in these words; `shown` is the part for the user."""
    if NO_CODEX in words.lower():
        return NotLoggedIn(
            "Codex is not enabled for this workspace:", "ask its administrator, or choose another workspace."
        )
    return NotLoggedIn(f"The login was refused: {one_line(shown or words).rstrip('.')}.", LOG_IN_AGAIN)


def exchange_form(code: Secret, *, verifier: Secret, redirect: str) -> dict[str, str]:
    """What is posted to /oauth/token, as a form, for the first tokens."""
    return {
        "grant_type": "authorization_code",
        "code": code.reveal(),
        "redirect_uri": redirect,
        "client_id": CLIENT_ID,
        "code_verifier": verifier.reveal(),
    }


def refresh_body(refresh: Secret) -> dict[str, str]:
    """What is posted to /oauth/token, as JSON, for the next tokens."""
    return {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": refresh.reveal()}


def revoke_body(token: Secret, *, hint: str) -> dict[str, str]:
    return {"token": token.reveal(), "token_type_hint": hint, "client_id": CLIENT_ID}


def read_grant(status: int, body: bytes, *, sent: str, hint: str = "") -> Grant:
    """The tokens in an answer of /oauth/token. For errors: `sent` names the credential that was sent, `hint` says what
    to do if it is dead.

    Raises NotLoggedIn if the server says that the credential is dead, UpstreamFailed for anything that says nothing
    about it: an error page, an overload, something unreadable.
    """
    answer = read_object(body)
    if status != 200 or answer is None:
        raise read_refusal(status, body, sent=sent, hint=hint)
    access = secret_in(answer, "access_token")
    if access is None:
        raise UpstreamFailed("The login server answered without an access token.", TRY_LATER)
    return Grant(access, secret_in(answer, "refresh_token"), secret_in(answer, "id_token"))


def read_refusal(status: int, body: bytes, *, sent: str, hint: str = "") -> ClaudegptError:
    """The error for an answer of the login server without tokens."""
    answer = read_object(body)
    if answer is None:
        what = "a web page" if is_page(body) else "something that is not JSON"
        return UpstreamFailed(f"The login server answered HTTP {status} with {what}.", TRY_LATER)
    code = error_code(answer)
    message = _error_message(answer)
    if status < 500 and code in DEAD:
        return NotLoggedIn(f"{sent} {DEAD[code]} ({code}).", hint)
    if NO_CODEX in f"{code} {message}".lower():
        return _login_refused(NO_CODEX)
    words = f": {one_line(message or code).rstrip('.')}" if message or code else ""
    return UpstreamFailed(f"The login server answered HTTP {status}{words}.", TRY_LATER)


def error_code(answer: Mapping[str, Any]) -> str:
    """The code in any of the shapes seen: {"error": {"code": …}}, {"error": "…"}, {"code": …}."""
    error = answer.get("error")
    found = error.get("code") if isinstance(error, dict) else error or answer.get("code")
    return found if isinstance(found, str) else ""


def _error_message(answer: Mapping[str, Any]) -> str:
    error = answer.get("error")
    found = error.get("message") if isinstance(error, dict) else answer.get("error_description") or answer.get("detail")
    return found if isinstance(found, str) else ""


def claims(token: Secret | None) -> Claims:
    """The claims of a JWT, unverified: it came from its issuer over TLS, and only its issuer relies on it."""
    payload = _read_payload(token.reveal()) if token else None
    if payload is None:
        return Claims()
    auth = as_object(payload.get(AUTH_CLAIM))
    profile = as_object(payload.get(PROFILE_CLAIM))
    return Claims(
        account_id=read_word(auth.get("chatgpt_account_id")),
        plan=read_name(auth.get("chatgpt_plan_type")),
        email=read_name(payload.get("email")) or read_name(profile.get("email")),
        fedramp=auth.get("chatgpt_account_is_fedramp") is True,
        expires_at=read_number(payload.get("exp")),
        issued_at=read_number(payload.get("iat")),
    )


def due_at(token: Claims, *, early: float = EARLY) -> float | None:
    """When to renew, in seconds since 1970: `early` before the end, or half-way through a token that lives less."""
    if token.expires_at is None:
        return None
    if token.issued_at is not None:
        early = min(early, (token.expires_at - token.issued_at) / 2)
    return token.expires_at - early


def plan_name(plan: str | None) -> str:
    """The plan as people write it: plus → ChatGPT Plus."""
    return f"ChatGPT {plan.replace('_', ' ').title()}" if plan else "ChatGPT"


# Reading.


def _read_payload(jwt: str) -> dict[str, Any] | None:
    """The claims of a JWT, unverified; None if they cannot be read."""
    parts = jwt.split(".")
    if len(parts) != 3:
        return None
    try:
        return read_object(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None


def is_page(body: bytes) -> bool:
    """Whether a body is HTML, as a hotel's sign-in page or a company's proxy answers."""
    return body.lstrip()[:1] == b"<"


def _encode_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def secret_in(answer: Mapping[str, Any], name: str) -> Secret | None:
    """A token or key in a foreign object; None if there is none that can stand in a header."""
    found = answer.get(name)
    return Secret(found) if isinstance(found, str) and re.fullmatch(r"[!-~]+", found) else None
