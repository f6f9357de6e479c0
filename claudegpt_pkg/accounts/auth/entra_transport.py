"""The HTTP transport that azure-identity uses here: no answer may be larger than a limit, counted decompressed.

azure-identity reads whole answers into memory, from any server. The time of a question is limited in entra.py.
"""

from __future__ import annotations

from typing import Any

import requests
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport

ANSWER_LIMIT = 4 << 20  # bytes
PIECE = 1 << 16  # bytes


class LimitedTransport(RequestsTransport):  # type: ignore[misc]  # azure-core is an extra
    """azure-core's own transport, with a session that limits answers."""

    def __init__(self, limit: int = ANSWER_LIMIT):
        super().__init__(session=_LimitedSession(limit), session_owner=False)


class _LimitedSession(requests.Session):
    def __init__(self, limit: int):
        super().__init__()
        self._limit = limit

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        response = super().send(request, **{**options, "stream": True})
        body = bytearray()
        for piece in response.iter_content(PIECE):
            body += piece
            if len(body) > self._limit:
                response.close()
                raise ServiceResponseError(f"the answer has more than {self._limit >> 20} MB")
        response._content, response._content_consumed = bytes(body), True
        return response
