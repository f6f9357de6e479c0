"""`python -m tests.support.launched FOLDER WORDS…`: run the launcher with the stand-in and a small app; all in FOLDER.
The user's settings are its user.json.

$APP picks the app: `small`, `late` (made when the stand-in already asks), `broken`. $STAND_IN `status` prints instead
how its signals are. LIKE_MACOS takes away what Linux has and macOS has not.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from claudegpt_pkg.claude import launcher
from claudegpt_pkg.claude.saved_model import DefaultModel, SavedModelFile
from claudegpt_pkg.claude.session import Session
from claudegpt_pkg.errors import BadSetting, ClaudegptError
from claudegpt_pkg.records.session_usage import SessionUsage
from claudegpt_pkg.server import Site, bind, url_of

SCRIPTS = {
    "python": f'#!/bin/sh\nexec "{sys.executable}" -P "{Path(__file__).with_name("stand_in.py")}" "$@"\n',
    "status": "#!/bin/sh\nexec grep -E 'Sig(Blk|Ign)' /proc/self/status\n",
}


def small() -> Starlette:
    return Starlette(routes=[Route("/", hello), Route("/endless", endless)])


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def endless(request: Request) -> Response:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b"drop"
            await asyncio.sleep(0.01)

    return StreamingResponse(drops())


def late() -> Starlette:
    from tests.support.fakes.backend import wait_until  # costs more to import than all else here

    notes = Path(os.environ["NOTES"])
    wait_until(lambda: notes.exists() and "asks" in notes.read_text(), "the stand-in to ask")
    return small()


def broken() -> Starlette:
    raise BadSetting("This app cannot be made.", "Make another.")


APPS: dict[str, Callable[[], Starlette]] = {"small": small, "late": late, "broken": broken}


def main(folder: str, *words: str) -> int:
    if "LIKE_MACOS" in os.environ:
        del signal.sigwaitinfo
    program = Path(folder) / "claude"
    program.write_text(SCRIPTS[os.environ.get("STAND_IN", "python")])
    program.chmod(0o755)
    listener = bind("127.0.0.1", 0)
    env = {**os.environ, "ANTHROPIC_BASE_URL": url_of(listener)}
    session = Session(list(words), env, {"env": {"TOKEN": "s3cr3t"}}, [])
    sites = [Site(APPS[os.environ["APP"]], listener)]
    default = DefaultModel(Path(folder) / "user.json", SavedModelFile(Path(folder), "here", "http://here"), "opus")
    try:
        return launcher.run_session(
            program, session, sites, runs=Path(folder) / "run", default=default, session_usage=SessionUsage()
        )
    except ClaudegptError as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return problem.exit_status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
