"""Where Azure machines get their tokens: the managed identity of an App Service on loopback, and an `az` on PATH.

    with FakeIdentity() as identity:
        environ |= identity.environ          # what an App Service sets
        …
        identity.asked                       # the resources that tokens were asked for
        identity.tokens                      # and the tokens given, newest last

`az(folder, …)` writes a program that answers as Azure's CLI does.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

HEADER = "the-identity-header"


class FakeIdentity:
    """`lifetime`: seconds that a token lasts. `unknown`: resources of which the tenant knows nothing."""

    def __init__(self, *, lifetime: float = 3600, unknown: tuple[str, ...] = ()):
        self.lifetime = lifetime
        self.unknown = unknown
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.ends: dict[str, float] = {}
        identity = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, answer = identity.answer(self.path, self.headers.get("x-identity-header"))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="fake identity", daemon=True)

    def __contains__(self, token: object) -> bool:
        """As a backend's credentials: the tokens that last."""
        return self.ends.get(str(token), 0) > time.time()

    @property
    def environ(self) -> dict[str, str]:
        return {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}/msi/token",
            "IDENTITY_HEADER": HEADER,
        }

    def answer(self, path: str, header: str | None) -> tuple[int, dict[str, Any]]:
        asked = parse_qs(urlsplit(path).query)
        if header != HEADER or not path.startswith("/msi/token?"):
            return 401, {"statusCode": 401, "message": "Unauthorized"}
        (resource,) = asked["resource"]
        self.asked.append(resource)
        if resource in self.unknown:
            return 400, {"statusCode": 400, "message": f"AADSTS500011: {NO_PRINCIPAL.format(resource)}"}
        self.tokens.append(f"entra-{secrets.token_hex(8)}")
        self.ends[self.tokens[-1]] = ends = int(time.time() + self.lifetime)
        return 200, {
            "access_token": self.tokens[-1],
            "expires_on": str(ends),
            "resource": resource,
            "token_type": "Bearer",
        }

    def __enter__(self) -> FakeIdentity:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


NO_PRINCIPAL = (
    "The resource principal named {} was not found in the tenant named Contoso. Trace ID: 1 Correlation ID: 2"
)
LOGGED_OUT = "ERROR: Please run 'az login' to setup account."
EXPIRED = (
    "ERROR: AADSTS70043: The refresh token has expired or is invalid due to sign-in frequency checks by conditional "
    "access. The token was issued on 2026-11-01T00:00:00Z and the maximum allowed lifetime for this request is 86400. "
    "Trace ID: 1 Correlation ID: 2\\nInteractive authentication is needed. Please run:\\naz login --scope x"
)


def az(folder: Path, *, token: str = "az-token", complaint: str = "") -> Path:
    """An `az` in `folder`, which is given back, for PATH."""
    if complaint:
        script = f'printf "{complaint}\\n" >&2; exit 1'
    else:
        said = {"accessToken": token, "expires_on": int(time.time()) + 3600, "tokenType": "Bearer"}
        script = f"echo '{json.dumps(said)}'"
    folder.mkdir(exist_ok=True)
    program = folder / "az"
    program.write_text(f'#!/bin/sh\necho "$@" >> "$(dirname "$0")/asked"\n{script}\n')
    program.chmod(0o755)
    return folder
