"""A session on a ChatGPT plan: the Codex CLI's login, in its file, good at a strict backend of that kind."""

from __future__ import annotations

import json
import time

from tests.real.session import Session
from tests.support.fakes.backend import FakeBackend
from tests.support.fakes.login import jwt


def codex_login(session: Session, backend: FakeBackend) -> None:
    """Leave the file as `codex login` does, and have the session use it."""
    auth = {"chatgpt_account_id": backend.account_id, "chatgpt_plan_type": "plus"}
    token = jwt({"exp": int(time.time()) + 86_400, "https://api.openai.com/auth": auth})
    backend.credentials.add(token)
    file = session.home / ".codex" / "auth.json"
    file.parent.mkdir()
    tokens = {"id_token": token, "access_token": token, "refresh_token": "unused", "account_id": backend.account_id}
    file.touch(mode=0o600)
    file.write_text(json.dumps({"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens}))
    del session.env["OPENAI_API_KEY"], session.env["OPENAI_BASE_URL"]
    session.env |= {"CLAUDEGPT_PROVIDER": "codex", "CODEX_BASE_URL": backend.url}
