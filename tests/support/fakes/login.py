"""A strict login server on loopback: OAuth with rotating refresh tokens, device codes, and one page that wants a token.

    with FakeLogin() as server:
        tokens = server.log_in()                     # as an earlier login would have left them
        server.say("/oauth/token", 503, "busy")      # the next answer there, whatever is asked
        ...
        server.check()                               # nothing was asked that the real one does not know

It keeps to what the real one does: a code is good once, for the verifier and the redirect address it was made for; a
refresh token is good once, and one that comes twice is noticed (`reused`), and with `strict=True` ends the login.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT = "app_EMoamEEZ73f0CkXaXp7hrann"
ACCOUNT = "account-1"
AUTHORIZE_FIELDS = {
    "client_id": CLIENT,
    "response_type": "code",
    "scope": "openid profile email offline_access",
    "code_challenge_method": "S256",
    "id_token_add_organizations": "true",
    "codex_cli_simplified_flow": "true",
    "originator": "claudegpt",
}


def jwt(claims: Mapping[str, Any], signature: str = "planted-token") -> str:
    def part(value: Mapping[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part(claims)}.{signature}"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode())


def error(status: int, code: str) -> Answer:
    return answer(status, {"error": {"code": code, "message": f"It is {code}."}})


@dataclass
class Login:
    """One login: the refresh token that is good now, those that were, and the access tokens given."""

    refresh: str = ""
    spent: set[str] = field(default_factory=set)
    access: dict[str, float] = field(default_factory=dict)  # until when each is good
    ended: bool = False


@dataclass
class Device:
    id: str
    typed: str
    waits: int  # questions that are answered "not yet"


class FakeLogin:
    """The server; a context manager."""

    def __init__(self, *, lifetime: int = 3600, ports: tuple[int, ...] = (1455, 1457), strict: bool = False):
        """`lifetime`: of an access token, seconds. `ports`: those a browser may be sent back to."""
        self.lifetime = lifetime
        self.ports = ports
        self.strict = strict
        self.denies = False
        self.rotates = True
        self.device_waits = 2
        self.device_interval = "5"
        self.clock: Callable[[], float] = time.time
        self.account = ACCOUNT
        self.plan = "plus"
        self.logins: list[Login] = []
        self.reused = 0
        self.renewals = 0
        self.revoked: list[str] = []
        self.asked: list[str] = []  # the path of every request
        self.faults: list[str] = []
        self.before_refresh: Callable[[], None] = lambda: None
        self._codes: dict[str, tuple[str, str]] = {}  # code → challenge, redirect
        self._devices: dict[str, Device] = {}
        self._said: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._lock = threading.RLock()
        self._server = Listener(("127.0.0.1", 0), handler_of(self))
        self._server.faults = self.faults
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeLogin:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def say(self, path: str, status: int, body: Any, content_type: str = "application/json") -> None:
        """Answer the next request to `path` so, and do nothing else about it."""
        text = body if isinstance(body, str) else json.dumps(body)
        self._said[path].append(Answer(status, text.encode(), content_type))

    def check(self) -> None:
        assert not self.faults, self.faults

    def log_in(self, **changes: Any) -> dict[str, Any]:
        """A file in Codex's shape, for a login that was just made; `changes` go into it."""
        with self._lock:
            login = Login()
            self.logins.append(login)
            given = self._issue(login)
        tokens = {**given, "account_id": self.account}
        return {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, **changes}

    def owner(self, refresh: str) -> Login | None:
        return next((login for login in self.logins if refresh == login.refresh or refresh in login.spent), None)

    # What it answers.

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        path = urlsplit(target).path
        with self._lock:
            self.asked.append(path)
            if self._said[path]:
                return self._said[path].popleft()
        routes: dict[tuple[str, str], Callable[[], Answer]] = {
            ("GET", "/oauth/authorize"): lambda: self._authorize(target),
            ("POST", "/oauth/token"): lambda: self._token(headers, body),
            ("POST", "/oauth/revoke"): lambda: self._revoke(headers, body),
            ("POST", "/api/accounts/deviceauth/usercode"): lambda: self._usercode(headers, body),
            ("POST", "/api/accounts/deviceauth/token"): lambda: self._device_token(headers, body),
            ("GET", "/backend"): lambda: self._backend(headers),
            ("POST", "/backend"): lambda: self._backend(headers),
        }
        route = routes.get((method, path))
        return route() if route else self._fault(f"{method} {path} is not there", 404)

    def _authorize(self, target: str) -> Answer:
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        redirect, state, challenge = (query.pop(name, "") for name in ("redirect_uri", "state", "code_challenge"))
        if query != AUTHORIZE_FIELDS or not state or len(challenge) != 43:
            return self._fault(f"authorize was asked {query}")
        if redirect not in [f"http://localhost:{port}/auth/callback" for port in self.ports]:
            return self._fault(f"{redirect} is not registered")
        said = {"error": "access_denied", "error_description": "The user said no."}
        if not self.denies:
            code = secrets.token_urlsafe(16)
            self._codes[code] = (challenge, redirect)
            said = {"code": code}
        return Answer(302, b"", "text/html", {"location": f"{redirect}?{urlencode({**said, 'state': state})}"})

    def _token(self, headers: Mapping[str, str], body: bytes) -> Answer:
        if headers.get("content-type") == "application/x-www-form-urlencoded":
            return self._exchange({name: values[0] for name, values in parse_qs(body.decode()).items()})
        asked = self._json(headers, body, {"client_id", "grant_type", "refresh_token"})
        if asked is None or asked["grant_type"] != "refresh_token":
            return self._fault("no refresh was asked for")
        self.before_refresh()
        with self._lock:
            return self._refresh(asked["refresh_token"])

    def _exchange(self, asked: dict[str, str]) -> Answer:
        if set(asked) != {"grant_type", "code", "redirect_uri", "client_id", "code_verifier"}:
            return self._fault(f"the exchange has the fields {sorted(asked)}")
        challenge, redirect = self._codes.pop(asked["code"], ("", ""))
        digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked["grant_type"] != "authorization_code" or asked["client_id"] != CLIENT:
            return self._fault("the exchange is not one of ours")
        if proof != challenge or asked["redirect_uri"] != redirect:
            return error(400, "invalid_grant")
        with self._lock:
            login = Login()
            self.logins.append(login)
            return answer(200, self._issue(login))

    def _refresh(self, refresh: str) -> Answer:
        login = self.owner(refresh)
        if login is None or login.ended:
            return error(401, "refresh_token_invalidated")
        if refresh in login.spent:
            self.reused += 1
            login.ended = self.strict
            return error(401, "refresh_token_reused")
        self.renewals += 1
        given = self._issue(login)
        return answer(200, given)

    def _issue(self, login: Login) -> dict[str, str]:
        now = int(self.clock())  # whole seconds: the Codex CLI reads no others
        auth = {"chatgpt_account_id": self.account, "chatgpt_plan_type": self.plan}
        about = {"https://api.openai.com/auth": auth, "iat": now, "exp": now + self.lifetime}
        access = jwt({**about, "jti": secrets.token_hex(8)}, "planted-access-token")
        login.access[access] = now + self.lifetime
        given = {"access_token": access, "id_token": jwt({**about, "email": "ann@example.com"}, "planted-id-token")}
        if login.refresh and not self.rotates:
            return given
        if login.refresh:
            login.spent.add(login.refresh)
        login.refresh = f"rt-planted-{secrets.token_hex(12)}"
        return {**given, "refresh_token": login.refresh}

    def _revoke(self, headers: Mapping[str, str], body: bytes) -> Answer:
        asked = self._json(headers, body, {"token", "token_type_hint", "client_id"})
        if asked is None or asked["token_type_hint"] not in ("refresh_token", "access_token"):
            return self._fault("revoke was asked wrongly")
        self.revoked.append(asked["token"])
        if login := self.owner(asked["token"]):
            login.ended = True
        return answer(200, {})

    def _usercode(self, headers: Mapping[str, str], body: bytes) -> Answer:
        if self._json(headers, body, {"client_id"}) is None:
            return self._fault("the code was asked for wrongly")
        device = Device(secrets.token_hex(8), "ABCD-1234", self.device_waits)
        self._devices[device.id] = device
        said = {
            "device_auth_id": device.id,
            "user_code": device.typed,
            "interval": self.device_interval,
            "expires_at": "2026-11-21",
        }
        return answer(200, said)

    def _device_token(self, headers: Mapping[str, str], body: bytes) -> Answer:
        asked = self._json(headers, body, {"device_auth_id", "user_code"})
        device = self._devices.get(asked["device_auth_id"]) if asked else None
        if asked is None or device is None or device.typed != asked["user_code"]:
            return self._fault("that is no device of ours")
        if device.waits:
            device.waits -= 1
            return Answer(403, b"", "text/plain")
        code, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        self._codes[code] = (challenge, f"{self.url}/deviceauth/callback")
        return answer(200, {"authorization_code": code, "code_verifier": verifier, "code_challenge": challenge})

    def _backend(self, headers: Mapping[str, str]) -> Answer:
        """What wants a token: who has a good one, for the right account, is let in."""
        token = headers.get("authorization", "").removeprefix("Bearer ")
        until = [login.access[token] for login in self.logins if token in login.access and not login.ended]
        if not until or until[0] <= self.clock():
            return error(401, "token_expired")
        if headers.get("chatgpt-account-id") != self.account:
            return error(401, "wrong_account")
        return answer(200, {"hello": "there"})

    def _json(self, headers: Mapping[str, str], body: bytes, fields: set[str]) -> dict[str, str] | None:
        if headers.get("content-type") != "application/json" or not headers.get("user-agent", "").startswith(
            "claudegpt/"
        ):
            return None
        asked = json.loads(body)
        known = isinstance(asked, dict) and set(asked) == fields and asked.get("client_id", CLIENT) == CLIENT
        return asked if known else None

    def _fault(self, what: str, status: int = 400) -> Answer:
        self.faults.append(what)
        return error(status, "invalid_request")


class Listener(ThreadingHTTPServer):
    faults: list[str]
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is its own affair; anything else is a fault of this server."""
        problem = sys.exception()
        if not isinstance(problem, OSError):
            self.faults.append(repr(problem))


def handler_of(server: FakeLogin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = server.answer(self.command, self.path, headers, body)
            self.send_response(said.status)
            for name, value in {**said.headers, "content-type": said.content_type}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    return Handler
