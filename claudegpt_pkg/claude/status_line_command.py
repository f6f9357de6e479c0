"""Claude Code's `statusLine` command: hands what it is told to the proxy, prints what the proxy makes of it.

Run as a file, by a Python without its site packages: Claude Code runs it at every turn, and this takes 15 ms. The
proxy, loaded and warm, does the rest. A proxy that is gone costs the line, nothing else.
"""

import os
import socket
import sys
from urllib.parse import urlsplit

PATIENCE = 1.0  # seconds


def main() -> None:
    url = urlsplit(os.environ["ANTHROPIC_BASE_URL"])
    told = sys.stdin.buffer.read()
    window, columns = os.environ.get("CLAUDE_CODE_AUTO_COMPACT_WINDOW", ""), os.environ.get("COLUMNS", "")
    lines = (
        f"POST /status-line?window={window}&columns={columns} HTTP/1.1",
        f"host: {url.netloc}",
        f"authorization: Bearer {os.environ['ANTHROPIC_AUTH_TOKEN']}",
        f"content-length: {len(told)}",
        "connection: close",
        "\r\n",
    )
    with socket.create_connection((url.hostname or "", url.port or 80), timeout=PATIENCE) as connection:
        connection.sendall("\r\n".join(lines).encode() + told)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    first, _, line = answer.partition(b"\r\n\r\n")
    if first.startswith(b"HTTP/1.1 200 "):
        sys.stdout.buffer.write(line)


if __name__ == "__main__":
    try:
        main()
    except (OSError, KeyError):
        sys.exit(0)
