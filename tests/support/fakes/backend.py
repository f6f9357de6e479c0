"""A strict Responses backend on loopback, in a thread of its own: `openai`, `chatgpt` or `azure`.

    with FakeBackend("openai") as backend:
        backend.script(answer(call("Bash", command="ls")), answer("Two files."))
        …                                   # whatever is under test talks to backend.url
        backend.requests[1].body["input"]   # what it sent

Every request is judged as the real backend would judge it (shape.py, rules.py, memory.py, and the credentials and
headers here) and refused in its words. What no test foresaw is kept in `faults`: a refusal, a request the script has no
answer for, an answer nobody asked for. The fixture that makes a backend ends by asserting that there are none.

The side requests of the real client (a session's title) are answered by `route`s, so that a script holds the main
conversation only.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from .answers import Answer, Bytes, HttpError, Reply, answer, new_id, sse
from .deployment import Deployment
from .memory import Memory
from .rules import Kind, accept
from .shape import Refused

DEADLINE = 60.0  # seconds a test waits for something to arrive before it fails: machines may be slow, and busy
OF_CLAUDES_API = ("anthropic-", "x-claude-")  # how headers begin that say something to Anthropic
LARGEST_PLAIN_BODY = 1_200_000  # bytes that the ChatGPT backend takes uncompressed
BASE: dict[Kind, str] = {"openai": "/v1", "chatgpt": "/backend-api/codex", "azure": "/openai/v1"}
REASONS = {200: "OK", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many"}
SOON, ANOTHER_DAY = (int(time.time() + hours * 3_600) for hours in (2, 72))  # when a plan's windows begin anew
HEADERS: dict[Kind, Mapping[str, str]] = {
    "openai": {"x-ratelimit-limit-requests": "10000", "x-ratelimit-remaining-requests": "9999"},
    "azure": {"x-ratelimit-remaining-tokens": "90000", "apim-request-id": "00000000-0000-4000-8000-000000000000"},
    "chatgpt": {
        "x-codex-primary-used-percent": "12",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": str(SOON),
        "x-codex-secondary-used-percent": "40",
        "x-codex-secondary-window-minutes": "10080",
        "x-codex-secondary-reset-at": str(ANOTHER_DAY),
        "x-codex-credits-has-credits": "False",
        "x-codex-credits-unlimited": "False",
    },
}


# What a session asks beside its turns.
NAMES = ("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna", "gpt-5.5")
MODELS = {
    "object": "list",
    "data": [{"id": name, "object": "model", "owned_by": "system"} for name in (*NAMES, "text-embedding-3-small")],
}
PLAN_MODELS = {
    "models": [
        {
            "slug": name,
            "display_name": name,
            "context_window": 500_000 if "terra" in name else 272_000,
            "supported_reasoning_levels": [{"effort": effort} for effort in ("low", "medium", "high", "xhigh", "max")],
            "visibility": "list",
            "priority": priority,
        }
        for priority, name in enumerate(NAMES)
    ]
}
USAGE = {
    "plan_type": "plus",
    "rate_limit": {
        "primary_window": {"used_percent": 12, "limit_window_seconds": 18_000, "reset_at": SOON},
        "secondary_window": {"used_percent": 40, "limit_window_seconds": 604_800, "reset_at": ANOTHER_DAY},
    },
    "credits": {"has_credits": False, "unlimited": False, "balance": None},
}
PAGES: dict[Kind, Mapping[tuple[str, str], Any]] = {
    "openai": {("GET", "/v1/models"): MODELS},
    "azure": {},
    "chatgpt": {("GET", "/backend-api/codex/models"): PLAN_MODELS, ("GET", "/backend-api/wham/usage"): USAGE},
}


@dataclass(eq=False)
class Request:
    """One request as it arrived, and how its answer went."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any] = field(default_factory=dict)
    sent: int = 0  # events written so far
    usage: dict[str, Any] = field(default_factory=dict)  # as the end of its answer tells it
    left: threading.Event = field(default_factory=threading.Event)  # the client went before the answer was whole
    answered: threading.Event = field(default_factory=threading.Event)  # the whole answer was written
    progress: threading.Event = field(default_factory=threading.Event)  # something of a stream was written

    @property
    def items(self) -> list[dict[str, Any]]:
        return list(self.body["input"])

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The input items of one type; messages may leave theirs out."""
        return [item for item in self.items if item.get("type", "message") == kind]

    def wait_left(self, timeout: float = DEADLINE) -> None:
        """Until the client has broken the stream off."""
        assert self.left.wait(timeout), f"the client is still listening after {timeout} s ({self.sent} events sent)"

    def wait_answered(self, timeout: float = DEADLINE) -> None:
        assert self.answered.wait(timeout), f"not answered after {timeout} s ({self.sent} events sent)"


Answering = Reply | Callable[[Request], Reply]


class FakeBackend:
    """One backend; a context manager."""

    def __init__(
        self,
        kind: Kind = "openai",
        *,
        credentials: Iterable[str] = ("test-key",),
        account_id: str = "test-account",
        window: int | None = None,
        deployments: Mapping[str, str | Deployment] | None = None,
    ):
        """`window`: tokens a prompt may have. `deployments`: on azure, each one's name, and its model or what it is."""
        self.kind = kind
        self.credentials = set(credentials)
        self.account_id = account_id
        self.window = window
        self.deployments = {
            name: Deployment(what) if isinstance(what, str) else what for name, what in (deployments or {}).items()
        }
        self.memory = Memory()
        self.requests: list[Request] = []  # POST …/responses that the script answered
        self.side: list[Request] = []  # POST …/responses that a route answered
        self.lacked: list[Request] = []  # POST …/responses for something that the deployment has not
        self.others: list[Request] = []  # everything else
        self.faults: list[str] = []
        self.pages = {where: HttpError(200, body) for where, body in PAGES[kind].items()}  # by method and path
        self._script: deque[Answering] = deque()
        self._routes: list[tuple[Callable[[Request], bool], Answering]] = [(is_title_request, title_answer)]
        self._arrived = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"fake {kind}", daemon=True)
        self._ready = threading.Event()
        self.port = 0

    # For tests.

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base address as a user would give it to a client of this kind."""
        return self.origin + BASE[self.kind]

    def script(self, *replies: Answering) -> None:
        """The answers of the main conversation, in order; more may be added while it runs."""
        self._script.extend(replies)

    def route(self, matches: Callable[[Request], bool], reply: Answering) -> None:
        """Answer the requests that `matches` tells apart, whenever they come. Later routes are asked first."""
        self._routes.insert(0, (matches, reply))

    def page(self, method: str, path: str, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """What another address of this server answers (models, usage, …)."""
        self.pages[method, path] = HttpError(status, body, headers or {})

    def wait_request(self, number: int = 1, timeout: float = DEADLINE) -> Request:
        """The `number`-th request of the main conversation, once it has arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= number, timeout), (
                f"only {len(self.requests)} of {number} requests after {timeout} s; faults: {self.faults}"
            )
            return self.requests[number - 1]

    def release(self) -> None:
        """Let every stalled stream go on, and those that come."""
        self._loop.call_soon_threadsafe(self._released.set)

    def check(self) -> None:
        """Asserts that nothing happened that no test foresaw."""
        left = [f"an answer nobody asked for: {reply}" for reply in self._script]
        assert not (self.faults or left), "\n".join([*self.faults, *left])

    def __enter__(self) -> FakeBackend:
        self._thread.start()
        assert self._ready.wait(DEADLINE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)

    # The server.

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connection, "127.0.0.1", 0, limit=2**27, backlog=512)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _read_request(reader):
                await self._answer(request, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # either side may always go; `Request.left` tells when the client did so during an answer
        finally:
            writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        watch = asyncio.ensure_future(reader.read(1))
        work = asyncio.ensure_future(self._write(request, self._reply(request), writer))
        await asyncio.wait({watch, work}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():  # the client said something during its answer: all it can say is goodbye
            work.cancel()
            request.left.set()
        watch.cancel()
        results = await asyncio.gather(work, watch, return_exceptions=True)
        if isinstance(results[0], ConnectionError):
            request.left.set()
            raise results[0]
        if request.left.is_set():
            raise ConnectionResetError

    def _reply(self, request: Request) -> Reply:
        try:
            self._authorise(request)
            path = request.path.partition("?")[0]
            if request.method == "POST" and path == f"{BASE[self.kind]}/responses":
                return self._responses(request)
            self.others.append(request)
            return self._other(request, path)
        except Refused as refusal:
            self.faults.append(f"{request.method} {request.path} was refused with {refusal.status}: {refusal}")
            return HttpError(refusal.status, refusal.body)

    def _responses(self, request: Request) -> Reply:
        request.body = _parse(request.raw)
        deployment = self.deployments.get(str(request.body.get("model")))
        if deployment and (lacking := deployment.lacking(request.body)):
            self.lacked.append(request)
            return lacking
        reply = self._choose(request)
        self._judge(request, deployment)
        if callable(reply):
            reply = reply(request)
        if deployment:
            reply = deployment.render(reply)
        if isinstance(reply, Answer):
            self.memory.issue([item.done for item in reply.items])
        return reply

    def _choose(self, request: Request) -> Answering:
        """The route or the line of the script that this request is for; it is recorded under it."""
        for matches, reply in self._routes:
            if matches(request):
                self.side.append(request)
                return reply
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
        if self._script:
            return self._script.popleft()
        self.faults.append(f"the script has no answer for request {len(self.requests)}: {_last_words(request)}")
        return HttpError(400, {"error": {"message": "The script is at its end.", "type": "test", "code": None}})

    def _judge(self, request: Request, deployment: Deployment | None) -> None:
        body = request.body
        if self.deployments and not deployment:
            raise Refused("The API deployment for this resource does not exist.", code="DeploymentNotFound", status=404)
        accept(self.kind, {**body, "model": deployment.model} if deployment else body)
        self.memory.recognise(body["input"] if isinstance(body["input"], list) else [])
        if self.kind == "chatgpt":
            self._judge_on_plan(request)

    def _judge_on_plan(self, request: Request) -> None:
        headers, key = request.headers, request.body.get("prompt_cache_key")
        if not key or headers.get("session-id") != key:
            raise Refused("The session-id header is not the prompt_cache_key.", bare=True)
        if headers.get("accept") != "text/event-stream":
            raise Refused("Not Acceptable", status=406, bare=True)
        if "content-encoding" not in headers and len(request.raw) > LARGEST_PLAIN_BODY:
            raise Refused("A plain body of this size is dropped.", status=413, bare=True)

    def _authorise(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = request.headers.get("api-key") if self.kind == "azure" else None
        given = given or (token if scheme.lower() == "bearer" else "")
        if given not in self.credentials:
            raise Refused(**UNAUTHORISED[self.kind])
        if request.method == "POST" and request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise Refused("Unsupported Media Type", status=415)
        if foreign := [name for name in request.headers if name.startswith(OF_CLAUDES_API)]:
            raise Refused(f"Headers that are none of this API's: {foreign}")
        if self.kind == "chatgpt":
            self._chatgpt_headers(request.headers)

    def _chatgpt_headers(self, headers: Mapping[str, str]) -> None:
        if headers.get("chatgpt-account-id") != self.account_id:
            raise Refused("Unauthorized", status=401, bare=True)
        for name in ("originator", "user-agent"):
            if not headers.get(name, "").startswith("claudegpt"):
                raise Refused(f"{name} must be our own name, not {headers.get(name)!r}", status=403, bare=True)

    def _other(self, request: Request, path: str) -> Reply:
        if self.kind == "chatgpt" and path.endswith("/models") and "client_version=" not in request.path:
            raise Refused("client_version: field required", bare=True)
        if page := self.pages.get((request.method, path)):
            etag = page.headers.get("etag")
            return HttpError(304, None, page.headers) if etag and request.headers.get("if-none-match") == etag else page
        if request.method == "POST" and path == f"{BASE[self.kind]}/responses/input_tokens" and self.kind == "openai":
            request.body = _parse(request.raw)
            counted = self.memory.count(request.body)["input_tokens"]
            return HttpError(200, {"object": "response.input_tokens", "input_tokens": counted})
        raise Refused(f"Invalid URL ({request.method} {path})", status=404)

    # Writing.

    async def _write(self, request: Request, reply: Reply, writer: asyncio.StreamWriter) -> None:
        if isinstance(reply, Answer):
            usage = self.memory.count(request.body)
            if self.window and usage["input_tokens"] > self.window:
                reply = HttpError(400, _too_long())
        if isinstance(reply, HttpError):
            await _write_page(writer, reply)
        elif isinstance(reply, Bytes):
            await self._write_chunks(request, reply.chunks, reply.headers, writer)
        elif request.body.get("stream"):
            await self._write_stream(request, reply, usage, writer)
        else:
            await _write_page(writer, HttpError(200, self._events(reply, request, usage)[-1]["response"]))
        request.answered.set()

    def _events(self, reply: Answer, request: Request, usage: Mapping[str, Any]) -> list[dict[str, Any]]:
        events = reply.events(
            request.body,
            usage,
            empty_output=self.kind == "chatgpt",
            encrypted_late=self.kind == "azure",
            noisy=self.kind == "chatgpt",
        )
        request.usage = events[-1].get("response", {}).get("usage") or {}
        return events

    async def _write_stream(
        self, request: Request, reply: Answer, usage: Mapping[str, Any], writer: asyncio.StreamWriter
    ) -> None:
        await self._begin(writer, {"content-type": "text/event-stream; charset=utf-8", **reply.headers})
        for number, event in enumerate(self._events(reply, request, usage)):
            if number == reply.stall_after:
                await self._released.wait()
            if number == reply.cut_after:
                writer.transport.abort()
                return
            if reply.pace:
                await asyncio.sleep(reply.pace)
            await _write_chunk(writer, sse(event))
            request.sent += 1
            request.progress.set()
        await _write_chunk(writer, b"")

    async def _write_chunks(
        self, request: Request, chunks: Iterable[bytes], headers: Mapping[str, str], writer: asyncio.StreamWriter
    ) -> None:
        await self._begin(writer, headers)
        for chunk in chunks:
            await _write_chunk(writer, chunk)
            await asyncio.sleep(0)
            request.progress.set()
        await _write_chunk(writer, b"")

    async def _begin(self, writer: asyncio.StreamWriter, headers: Mapping[str, str]) -> None:
        own = {"x-request-id": new_id("req"), **HEADERS[self.kind], "transfer-encoding": "chunked"}
        await _write_head(writer, 200, {**own, **headers})


UNAUTHORISED: dict[Kind, dict[str, Any]] = {
    "openai": {
        "message": "Incorrect API key provided: ***. You can find your API key in your account.",
        "code": "invalid_api_key",
        "status": 401,
    },
    "azure": {
        "message": "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid "
        "key for an active subscription and use a correct regional API endpoint for your resource.",
        "code": "401",
        "kind": None,
        "status": 401,
    },
    "chatgpt": {
        "message": "Provided authentication token is expired. Please try signing in again.",
        "code": "token_expired",
        "kind": None,
        "status": 401,
    },
}


# Side requests of the real client.


def is_title_request(request: Request) -> bool:
    """The title of an interactive session: structured output, and no tool but that."""
    return bool((request.body.get("text") or {}).get("format")) and not request.body.get("tools")


def title_answer(request: Request) -> Reply:
    """What fits the schema the request asks for."""
    properties = request.body["text"]["format"]["schema"].get("properties", {})
    return answer(json.dumps({name: SAMPLES.get(shape.get("type"), "A title") for name, shape in properties.items()}))


SAMPLES: dict[str | None, Any] = {"boolean": True, "integer": 1, "number": 1, "array": [], "object": {}}


# The bytes of HTTP.


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    raw = await _read_body(reader, headers)
    if headers.get("content-encoding") == "gzip":
        raw = gzip.decompress(raw)
    return Request(method, path, headers, raw)


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


async def _write_page(writer: asyncio.StreamWriter, page: HttpError) -> None:
    text = isinstance(page.body, str)
    body = b"" if page.body is None else page.body.encode() if text else json.dumps(page.body).encode()
    kind = "text/html" if text else "application/json"
    await _write_head(writer, page.status, {"content-type": kind, "content-length": str(len(body)), **page.headers})
    writer.write(body)
    await writer.drain()


async def _write_head(writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str]) -> None:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Answer')}", *(f"{name}: {headers[name]}" for name in headers)]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    await writer.drain()


async def _write_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    await writer.drain()


def _parse(raw: bytes) -> dict[str, Any]:
    """The body; a key given twice, or a text that is no Unicode, is a fault of ours that a backend may not forgive."""
    try:
        body = json.loads(raw, object_pairs_hook=_once)
        json.dumps(body, ensure_ascii=False).encode()
    except ValueError as fault:
        raise Refused(f"We could not parse the JSON body of your request. ({fault})") from None
    if not isinstance(body, dict):
        raise Refused("We could not parse the JSON body of your request. (It is not an object.)")
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError(f"a key twice among {[key for key, _ in pairs]}")
    return result


def _too_long() -> dict[str, Any]:
    message = "Your input exceeds the context window of this model. Please adjust your input and try again."
    return {
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": "input",
            "code": "context_length_exceeded",
        }
    }


def _last_words(request: Request) -> str:
    return json.dumps(request.items[-1] if request.body.get("input") else request.body, ensure_ascii=False)[:300]


def wait_until(condition: Callable[[], bool], what: str | Callable[[], str], timeout: float = DEADLINE) -> None:
    """Poll until `condition` holds; AssertionError naming `what` was waited for when it does not in time."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"waited {timeout:g} s for {what if isinstance(what, str) else what()}"
        time.sleep(0.01)
