"""`claudegpt`, with a tap on its proxy: every Messages stream it sends to Claude Code is kept, byte for byte.

    python -m tests.real.tapped ARGS…        as `claudegpt ARGS…`; streams go to the folder TAP_FOLDER

A stream that the client broke off is kept as far as it went, under a name that says so.
"""

from __future__ import annotations

import functools
import itertools
import os
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from claudegpt_pkg.claude import install as claude_code
from claudegpt_pkg.proxy import app, mcp_tools

WHOLE, LEFT = ".whole", ".left"
PATIENCE = 600.0  # seconds for an MCP server to list its tools: its imports take many where the machine is busy
_numbers = itertools.count(1)


class Tap:
    """An app whose event streams are written down."""

    def __init__(self, inside: Starlette, folder: Path):
        self.state = inside.state
        self._inside = inside
        self._folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/v1/messages":
            await self._inside(scope, receive, send)
            return
        kept, kind, ended = bytearray(), b"", False

        async def tapped(message: Message) -> None:
            nonlocal kind, ended
            if message["type"] == "http.response.start":
                kind = dict(message["headers"]).get(b"content-type", b"")
            else:
                kept.extend(message.get("body", b""))
                ended = not message.get("more_body")
            await send(message)

        try:
            await self._inside(scope, receive, tapped)
        finally:
            if kind.startswith(b"text/event-stream"):
                draft = self._folder / f"{os.getpid()}-{next(_numbers):03}"
                draft.write_bytes(kept)
                draft.rename(draft.with_suffix(WHOLE if ended else LEFT))  # whoever looks finds all of it or nothing


def install(folder: Path) -> None:
    create_app = app.create_app

    def tapped_app(*args: Any, **options: Any) -> Any:
        return Tap(create_app(*args, **options), folder)

    app.create_app = tapped_app


if __name__ == "__main__":
    install(Path(os.environ["TAP_FOLDER"]))
    mcp_tools.McpTools = functools.partial(mcp_tools.McpTools, seconds=PATIENCE)  # type: ignore[assignment, misc]
    if "NO_OTHER_CLAUDE" in os.environ:  # whatever this machine has in the usual places
        claude_code.USUAL_PLACES = ()
    from claudegpt_pkg.cli.main import main

    main()
