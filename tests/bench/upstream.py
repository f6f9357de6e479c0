"""A Responses upstream that costs next to nothing: raw asyncio, every byte rendered before it is asked for.

    python -m tests.bench.upstream PORT

The body of a request says what to answer, near one of its ends: `bench-spec:deltas=2000,pace=0,kind=text,group=1`,
`pace` in milliseconds between writes of `group` deltas, `kind` text or tool. Everything else is answered with {}. The
middle is not searched: a large body that has it last would take the upstream longer than one that has it first.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from functools import cache
from itertools import count
from typing import Any

import uvloop

from tests.support.fakes.answers import sse

WORDS = ["alpha ", "beta ", "gamma\n", "delta ", "epsilon ", "日本 ", "zeta ", '"eta" ']
SPEC = re.compile(rb"bench-spec:([a-z0-9_,=.]+)")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
DRAIN_EVERY = 64  # writes
END = 16_384  # bytes of a body that are searched, from either side


@cache
def rendered(deltas: int, kind: str) -> tuple[bytes, list[bytes], bytes]:
    """(events before the first delta, each delta, events after the last)"""
    number = count()

    def event(name: str, **fields: Any) -> bytes:
        return sse({"type": name, "sequence_number": next(number), **fields})

    where: dict[str, Any] = {"item_id": "item_1", "output_index": 0}
    item, part, pieces = tool_item(deltas) if kind == "tool" else text_item(deltas)
    empty: dict[str, Any] = {"arguments": ""} if kind == "tool" else {"content": []}
    opening = {**item, "status": "in_progress", **empty}
    first = [
        event("response.created", response=response("in_progress")),
        event("response.in_progress", response=response("in_progress")),
        event("response.output_item.added", output_index=0, item=opening),
    ]
    if kind == "text":
        where["content_index"] = 0
        first.append(event("response.content_part.added", **where, part={**part, "text": ""}))
    name = "response.function_call_arguments.delta" if kind == "tool" else "response.output_text.delta"
    middle = [event(name, **where, delta=piece, logprobs=[], obfuscation="abcdefgh") for piece in pieces]
    last = []
    if kind == "text":
        last.append(event("response.output_text.done", **where, text=part["text"], logprobs=[]))
        last.append(event("response.content_part.done", **where, part=part))
    else:
        last.append(event("response.function_call_arguments.done", **where, arguments=item["arguments"]))
    last.append(event("response.output_item.done", output_index=0, item=item))
    last.append(
        event("response.completed", response={**response("completed"), "output": [item], "usage": usage(deltas)})
    )
    return b"".join(first), middle, b"".join(last)


def text_item(deltas: int) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    pieces = [WORDS[place % len(WORDS)] for place in range(deltas)]
    part = {"type": "output_text", "text": "".join(pieces), "annotations": [], "logprobs": []}
    message = {"id": "item_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    return message, part, pieces


def tool_item(deltas: int) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    arguments = json.dumps({"command": "echo " + "x" * (deltas * 4), "description": "bench"})
    step = max(1, len(arguments) // deltas)
    pieces = [arguments[place : place + step] for place in range(0, len(arguments), step)]
    item = {"id": "item_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "Bash"}
    return {**item, "arguments": arguments}, {}, pieces


def response(status: str) -> dict[str, Any]:
    return {"id": "resp_bench", "object": "response", "created_at": 1, "status": status, "model": "m", "output": []}


def usage(deltas: int) -> dict[str, Any]:
    return {
        "input_tokens": 12345,
        "input_tokens_details": {"cached_tokens": 12000},
        "output_tokens": deltas,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 12345 + deltas,
    }


async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await read_body(reader, head)
            if head.startswith(b"POST") and head.split(b" ", 2)[1].split(b"?")[0].endswith(b"/responses"):
                await answer(writer, spec_of(body))
            else:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client is done
    finally:
        writer.close()


async def read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    length = re.search(rb"(?i)content-length:\s*(\d+)", head)
    if length:
        return await reader.readexactly(int(length[1]))
    body = b""
    while b"chunked" in head.lower():
        size = int((await reader.readline()).split(b";")[0], 16)
        body += await reader.readexactly(size)
        await reader.readexactly(2)
        if size == 0:
            break
    return body


def spec_of(body: bytes) -> dict[str, str]:
    found = SPEC.search(body[:END]) or SPEC.search(body[-END:])
    if not found:
        return {"deltas": "20"}
    pairs = (pair.partition("=") for pair in found[1].decode().split(","))
    return {name: value for name, _, value in pairs}


async def answer(writer: asyncio.StreamWriter, spec: dict[str, str]) -> None:
    pace, group = float(spec.get("pace", 0)) / 1000, int(spec.get("group", 1))
    first, deltas, last = rendered(int(spec["deltas"]), spec.get("kind", "text"))
    loop = asyncio.get_running_loop()
    writer.write(HEAD + chunk(first))
    began = loop.time()
    for number, place in enumerate(range(0, len(deltas), group)):
        writer.write(chunk(b"".join(deltas[place : place + group])))
        if pace:
            await asyncio.sleep(max(0.0, began + (number + 1) * pace - loop.time()))
        elif number % DRAIN_EVERY == 0:
            await writer.drain()
    writer.write(chunk(last) + b"0\r\n\r\n")
    await writer.drain()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def main(port: int) -> None:
    server = await asyncio.start_server(connection, "127.0.0.1", port, limit=1 << 26, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
