"""The floor: a relay that passes the upstream's bytes on untranslated, Starlette and httpx on uvicorn.

python -m tests.bench.relay PORT UPSTREAM_URL [aiohttp]      with `aiohttp`, httpx speaks through that transport
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import httpx
import httpx_aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route


def relay(upstream_url: str, client: httpx.AsyncClient) -> Starlette:
    async def messages(request: Request) -> StreamingResponse:
        body, headers = await request.body(), {"content-type": "application/json"}
        outgoing = client.build_request("POST", f"{upstream_url}/v1/responses", content=body, headers=headers)
        answer = await client.send(outgoing, stream=True)

        async def chunks() -> AsyncIterator[bytes]:
            try:
                async for chunk in answer.aiter_raw():
                    yield chunk
            finally:
                await answer.aclose()

        return StreamingResponse(chunks(), media_type="text/event-stream")

    return Starlette(routes=[Route("/v1/messages", messages, methods=["POST"])])


if __name__ == "__main__":
    port, url, *transport = sys.argv[1:]
    kind = httpx_aiohttp.HttpxAiohttpClient if transport else httpx.AsyncClient
    app = relay(url, kind(timeout=None))
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
