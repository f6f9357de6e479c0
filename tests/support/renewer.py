"""One of our processes, which renews again and again: python -m tests.support.renewer FILE SERVER TIMES own|codex

Dies of the first problem.
"""

from __future__ import annotations

import sys
from pathlib import Path

from claudegpt_pkg.accounts.auth.login_server import LoginServer
from claudegpt_pkg.accounts.auth.oauth import Grant
from claudegpt_pkg.accounts.auth.tokens import TokenFile, codex_file
from claudegpt_pkg.secret import Secret


def renew(file: TokenFile, server: LoginServer, times: int) -> None:
    asked = 0

    def ask(refresh: Secret) -> Grant:
        nonlocal asked
        asked += 1
        return server.refresh(refresh)

    tokens = file.read()
    while asked < times:
        before, count = tokens, asked
        tokens = file.renew(tokens, ask)
        assert tokens.access != before.access, "neither renewed nor adopted"
        assert asked - count <= 1, "asked twice"


if __name__ == "__main__":
    path, url, times, kind = sys.argv[1:]
    chosen = codex_file(Path(path)) if kind == "codex" else TokenFile(Path(path), "")
    renew(chosen, LoginServer(url), int(times))
