"""The MCP server (mcp_server.py) over streamable HTTP, in a process of its own.

with over_http(3) as url: …
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from claudegpt_pkg.server import bind, url_of
from tests.real.session import ROOT
from tests.support.fakes.backend import DEADLINE


@contextmanager
def over_http(count: int) -> Iterator[str]:
    """The address of a server of so many tools. Its port is held from here on: nobody else can have it meanwhile."""
    with bind("127.0.0.1", 0) as listener:
        url, number = f"{url_of(listener)}/mcp", listener.fileno()
        command = [sys.executable, "-m", "tests.real.mcp_server", str(count), str(number)]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, pass_fds=[number]) as process:
            try:
                httpx.get(url, timeout=DEADLINE, trust_env=False)  # whatever it says: it answers
                yield url
            finally:
                process.terminate()
