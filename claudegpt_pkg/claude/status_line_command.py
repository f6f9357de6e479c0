"""The `statusLine` command of a session: asks the proxy for the line, or runs the user's own script with a corrected
report.

    status_line_command.py                        print the proxy's line for the report on stdin
    status_line_command.py --run 'my-script -x'   run the user's script, with the report as the proxy corrects it

Claude Code runs this file at every turn, with a Python that imports no site packages, and it takes 15 ms. The proxy,
which is loaded already, does the rest. If the proxy does not answer, there is no line, and the user's script gets the
report as it was.
"""

import os
import socket
import sys
from urllib.parse import urlsplit

PATIENCE = 1.0  # seconds
PIPE_SIZE = 16_384  # bytes that a pipe takes without a reader, on every system


def main() -> None:
    report = sys.stdin.buffer.read()
    if sys.argv[1:2] == ["--run"]:
        _run_script(sys.argv[2], _ask_proxy(report, "report") or report)
    sys.stdout.buffer.write(_ask_proxy(report, "line") or b"")


def _ask_proxy(report: bytes, wanted: str) -> bytes | None:
    """The proxy's answer; None if it does not answer or fails."""
    try:
        url = urlsplit(os.environ["ANTHROPIC_BASE_URL"])
        window, columns = os.environ.get("CLAUDE_CODE_AUTO_COMPACT_WINDOW", ""), os.environ.get("COLUMNS", "")
        lines = (
            f"POST /status-line?window={window}&columns={columns}&wanted={wanted} HTTP/1.1",
            f"host: {url.netloc}",
            f"authorization: Bearer {os.environ['ANTHROPIC_AUTH_TOKEN']}",
            f"content-length: {len(report)}",
            "connection: close",
            "\r\n",
        )
        with socket.create_connection((url.hostname or "", url.port or 80), timeout=PATIENCE) as connection:
            connection.sendall("\r\n".join(lines).encode() + report)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    except (OSError, KeyError):
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if head.startswith(b"HTTP/1.1 200 ") else None


def _run_script(command: str, report: bytes) -> None:
    """Become the user's script, which reads the report on stdin."""
    if len(report) <= PIPE_SIZE:
        reader, writer = os.pipe()
        os.write(writer, report)
        os.close(writer)
    else:
        import tempfile

        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  the script reads it
        file.write(report)
        file.seek(0)
        reader = file.fileno()
    os.dup2(reader, 0)
    os.execv("/bin/sh", ["sh", "-c", command])


if __name__ == "__main__":
    main()
