"""Generated conversations: everything a valid Messages request may hold, in any order.

    conversations()      a Conversation: a Messages request, and the marks that must be found again, in order
    turns()              the same without repairs: requests of which each extends the one before

A *mark* is a word that occurs nowhere else. Each text, picture, argument and result holds one, so that what comes out
of translation can be searched for what went in. It is valid base64, and so may be a picture's whole data.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from claudegpt_pkg.translate.reasoning import sign

Block = dict[str, Any]
Message = dict[str, Any]
Event = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

MARK = re.compile(r"Q\d{6}Z")
ODD = [
    "\u2028",
    "\u0085",
    "\r\n",
    "\x00",
    "ü",
    "日本",
    "🎉",
    '"',
    "\\",
    "{",
    "}",
    "data: [DONE]\n\n",
    "<|endoftext|>",
    "  ",
]
HALVES = ["\ud83d", "\ude00", "\ud83d\ude00"]  # as JavaScript cuts an emoji

words = (
    st.lists(st.sampled_from(ODD) | st.text(max_size=8), max_size=4)
    .map("".join)
    .map(lambda text: text.replace("Q", ""))
)
halved = st.lists(st.sampled_from(HALVES) | words, max_size=3).map("".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
long_names = st.sampled_from(["mcp__a.b__c", "mcp__" + "long_" * 20, "über", "a b/c", "日本", "x" * 65, "n.1", "n_1"])
odd_ids = st.sampled_from(["toolu_" + "x" * 80, "id.with.dots", "ü", "chatcmpl-tool-1", "a b"])
cache_control = st.sampled_from([None, {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])

SCHEMAS: list[Any] = [
    {"type": "object", "properties": {}},
    {"type": "object"},
    {},
    None,
    {"type": "object", "properties": None},
    {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"a": {"type": "array"}}},
    {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "array"}}}, "required": ["a"]},
    {"type": "object", "anyOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}]},
    {"oneOf": [{"type": "object", "properties": {"a": {"type": "string", "default": {"type": "array"}}}}]},
    {"$ref": "#/$defs/x", "$defs": {"x": {"type": "object", "properties": {"a": {"type": "array"}}}}},
    {"type": ["object", "null"], "properties": {"a": {"type": "string"}}, "not": {"required": ["b"]}, "enum": [{}]},
]
FORMATS: list[Any] = [
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False},
    {"type": "object", "properties": {"a": {"type": "string", "default": ""}}},
    {"type": "array", "items": {"type": "string"}},
    {"anyOf": [{"type": "object"}, {"type": "null"}]},
    {},
]


class Marks:
    """Marks given out, in order."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def new(self) -> str:
        return f"Q{next(self._numbers):06}Z"


def marked(draw: Draw, marks: Marks, text: st.SearchStrategy[str] = halved) -> str:
    return str(draw(text)) + marks.new() + str(draw(text))


def with_cache(draw: Draw, block: Block) -> Block:
    marker = draw(cache_control)
    return {**block, "cache_control": marker} if marker else block


# Requests.


@dataclass
class Conversation:
    """A request, and the marks to be found in its input."""

    request: dict[str, Any]
    marks: list[str] = field(default_factory=list)  # in order,
    moved: set[str] = field(default_factory=set)  # but for these: results without their call, or that searches give
    issued: list[list[dict[str, Any]]] = field(default_factory=list)  # what the backend answered so far, in items


class Builder:
    """Writes one conversation; `well_formed`: each call has its one result in the very next message."""

    def __init__(self, draw: Draw, *, well_formed: bool):
        self.draw = draw
        self.marks = Marks()
        self.made = Conversation({})
        self.well_formed = well_formed
        self.tools: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str]] = []  # id and name, waiting for their results
        self.ids = itertools.count()
        self.hidden: list[str] = []  # names of tools not yet found
        self.cut = False  # whether the last answer broke off while the model reasoned

    # Parts of content, each with the marks it holds.

    def text(self) -> tuple[Block, list[str]]:
        said = marked(self.draw, self.marks)
        return with_cache(self.draw, {"type": "text", "text": said}), MARK.findall(said)

    def image(self) -> tuple[Block, list[str]]:
        mark = self.marks.new()
        sources = [
            {"type": "base64", "media_type": self.draw(st.sampled_from(["image/png", "image/webp"])), "data": mark},
            {"type": "base64", "media_type": "image/jpeg", "data": mark[:4] + "\n" + mark[4:]},
            {"type": "url", "url": f"https://x.test/{mark}.png"},
        ]
        return with_cache(self.draw, {"type": "image", "source": self.draw(st.sampled_from(sources))}), [mark]

    def document(self) -> tuple[Block, list[str]]:
        heading = {"title": self.draw(st.sampled_from([None, "Report", "a.pdf"]))}
        found = []
        if self.draw(st.booleans()):
            heading["context"] = marked(self.draw, self.marks)
            found += MARK.findall(heading["context"])
        nested: list[tuple[Block, list[str]]] = []
        kind = self.draw(st.sampled_from(["base64", "text", "url", "content"]))
        mark = self.marks.new() if kind != "content" else ""
        if kind == "content":
            nested = [
                self.draw(st.sampled_from([self.text, self.image]))() for _ in range(self.draw(st.integers(1, 2)))
            ]
        source = {
            "base64": {"type": "base64", "media_type": "application/pdf", "data": mark},
            "text": {"type": "text", "media_type": "text/plain", "data": mark},
            "url": {"type": "url", "url": f"https://x.test/{mark}.pdf"},
            "content": {"type": "content", "content": [block for block, _ in nested]},
        }[kind]
        found += [mark] if mark else [one for _, inner in nested for one in inner]
        return with_cache(self.draw, {"type": "document", "source": source, **heading}), found

    def search_result(self) -> tuple[Block, list[str]]:
        title, first = self.marks.new(), marked(self.draw, self.marks)
        block = {
            "type": "search_result",
            "title": title,
            "source": "https://x.test",
            "content": [{"type": "text", "text": first}],
        }
        return block, [title, *MARK.findall(first)]

    def nothing(self) -> tuple[Block, list[str]]:
        """Blocks that say nothing upstream."""
        blocks = [
            {"type": "text", "text": ""},
            {"type": "hologram", "beams": [1, 2]},
            {"type": "container_upload", "file_id": "file_1"},
        ]
        return self.draw(st.sampled_from(blocks)), []

    def said(self) -> tuple[Block, list[str]]:
        kinds = [self.text, self.text, self.image, self.document, self.search_result, self.nothing]
        block, marks = self.draw(st.sampled_from(kinds))()
        return block, marks

    # Messages.

    def user(self, *, silent: bool = False) -> Message:
        results = [self.result(*call) for call in self.take_calls()]
        if not self.well_formed and self.draw(st.integers(0, 5)) == 0:
            orphan = self.draw(st.sampled_from(["never_called", *(f"call_{at}" for at in range(4))]))
            results.append(self.result(orphan, "Bash"))
            self.made.moved |= {*results[-1][1]}
        said = [] if silent else [self.said() for _ in range(self.draw(st.integers(0 if results else 1, 3)))]
        self.made.marks += [mark for _, marks in (*results, *said) for mark in marks]
        content = [block for block, _ in (*results, *said)]
        return {"role": "user", "content": self.perhaps_string(content)}

    def take_calls(self) -> list[tuple[str, str]]:
        calls, self.calls = self.calls, []
        if self.well_formed:
            return calls
        kept = [call for call in calls if self.draw(st.integers(0, 6))]
        return list(self.draw(st.permutations(kept)))

    def result(self, call_id: str, name: str) -> tuple[Block, list[str]]:
        block: Block = {"type": "tool_result", "tool_use_id": call_id}
        parts = [self.said() for _ in range(self.draw(st.integers(0, 3)))]
        content: list[Block] = [block for block, _ in parts]
        if name == "ToolSearch" and self.hidden and self.draw(st.booleans()):
            content.append({"type": "tool_reference", "tool_name": self.find()})
        if self.draw(st.booleans()):
            block["is_error"] = self.draw(st.booleans())
        if content or self.draw(st.booleans()):
            block["content"] = self.perhaps_string(content)
        found = [mark for _, marks in parts for mark in marks]
        if name == "ToolSearch":
            self.made.moved |= {*found}
        return with_cache(self.draw, block), found

    def find(self) -> str:
        name = str(self.draw(st.sampled_from(self.hidden)))
        self.hidden.remove(name)
        return name

    def perhaps_string(self, content: list[Block]) -> Any:
        if len(content) == 1 and content[0]["type"] == "text" and self.draw(st.booleans()):
            return content[0]["text"]
        return content

    def system(self) -> Message:
        block, marks = self.text()
        self.made.marks += marks
        content: list[Block] = [block]
        if self.draw(st.integers(0, 3)) == 0 and self.hidden:
            content.append({"type": "tool_addition", "tool": {"type": "tool_reference", "name": self.find()}})
        message = {"role": "system", "content": self.perhaps_string(content)}
        if self.draw(st.booleans()):
            message["output_config"] = {"effort": self.draw(st.sampled_from(["low", "max", "unheard-of"]))}
        return message

    def assistant(self) -> Message:
        """What some upstream answered, in blocks: some reasoning, then what it led to; again."""
        blocks: list[Block] = []
        late: list[Block] = []
        items: list[dict[str, Any]] = []
        for _ in range(self.draw(st.integers(1, 3))):
            for _ in range(self.draw(st.integers(0, 2))):
                self.thinking(blocks, late, items)
            if self.draw(st.integers(0, 4)) == 0:
                blocks += self.server_tool()
            if self.draw(st.integers(0, 5)) == 0:
                blocks.append(self.nothing()[0])
            self.draw(st.sampled_from([self.answer_text, self.call, self.call]))(blocks, items)
        self.cut = self.draw(st.integers(0, 5)) == 0
        if self.cut:
            self.thinking(blocks, late, items)  # it led to nothing: the stream was cut
        self.made.issued.append(items)
        return {"role": "assistant", "content": [*blocks, *late]}

    def thinking(self, blocks: list[Block], late: list[Block], items: list[dict[str, Any]]) -> None:
        if self.draw(st.integers(0, 3)) == 0:
            foreign = [
                {"type": "thinking", "thinking": "Hm.", "signature": "EqQBCgIYAhIM"},
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "redacted_thinking", "data": "EmwKAhgBEgy"},
            ]
            blocks.append(self.draw(st.sampled_from(foreign)))
            return
        number = next(self.ids)
        summary = [{"type": "summary_text", "text": text} for text in self.draw(st.lists(words, max_size=2))]
        item = {"type": "reasoning", "id": f"rs_{number}", "summary": summary, "encrypted_content": f"gAAAA.{number}"}
        items.append(item)
        is_late = self.draw(st.integers(0, 3)) == 0
        shown = {**item, "encrypted_content": None} if is_late else item
        blocks.append({"type": "thinking", "thinking": "x", "signature": sign(shown)})
        if is_late:
            late.append({"type": "redacted_thinking", "data": sign(item, late=True)})

    def answer_text(self, blocks: list[Block], items: list[dict[str, Any]]) -> None:
        block, marks = self.text()
        self.made.marks += marks
        blocks.append(block)
        items.append({"type": "message", "role": "assistant", "content": clean(block["text"])})

    def call(self, blocks: list[Block], items: list[dict[str, Any]]) -> None:
        number = next(self.ids)
        call_id = f"call_{number}"
        if items and items[-1]["type"] != "reasoning" and self.draw(st.integers(0, 4)) == 0:
            call_id = f"{self.draw(odd_ids)}{number}"
        name = str(self.draw(st.sampled_from([tool["name"] for tool in self.tools] or ["Gone"])))
        mark = self.marks.new()
        self.made.marks.append(mark)
        given = {**self.draw(st.dictionaries(words, json_values, max_size=2)), "mark": mark}
        blocks.append(with_cache(self.draw, {"type": "tool_use", "id": call_id, "name": name, "input": given}))
        kind = "tool_search_call" if name == "ToolSearch" else "function_call"
        items.append({"type": kind, "call_id": call_id, "name": name})
        self.calls.append((call_id, name))

    def server_tool(self) -> list[Block]:
        asked, found = self.marks.new(), self.marks.new()
        self.made.marks += [asked, found]
        call_id = f"srvtoolu_{next(self.ids)}"
        results: list[Any] = [
            [{"type": "web_search_result", "url": f"https://x.test/{found}", "title": "", "encrypted_content": "E"}],
            {
                "type": "web_fetch_result",
                "url": "u",
                "content": {"type": "document", "source": {"type": "text", "data": found}},
            },
            {"type": "bash_code_execution_result", "stdout": found, "stderr": "", "return_code": 0},
            found,
        ]
        call = {"type": "server_tool_use", "id": call_id, "name": "web_search", "input": {"query": asked}}
        kind = self.draw(st.sampled_from(["web_search_tool_result", "mcp_tool_result"]))
        return [call, {"type": kind, "tool_use_id": call_id, "content": self.draw(st.sampled_from(results))}]

    # The rest of a request.

    def draw_tools(self) -> None:
        names = ["Bash", "Read", "Edit", *self.draw(st.lists(long_names, max_size=3, unique=True))]
        if self.draw(st.booleans()):
            names.append("ToolSearch")
            self.hidden = [f"mcp__hidden.{at}" for at in range(self.draw(st.integers(0, 3)))]
        for name in (*names, *self.hidden):
            tool = {"name": name, "description": self.draw(words), "input_schema": self.draw(st.sampled_from(SCHEMAS))}
            if name in self.hidden:
                tool["defer_loading"] = True
            self.tools.append(with_cache(self.draw, tool))
        self.tools = list(self.draw(st.permutations(self.tools)))

    def request(self, messages: list[Message]) -> dict[str, Any]:
        tools = list(self.tools)
        if self.draw(st.integers(0, 3)) == 0:
            tools.append({"type": "web_search_20250305", "name": "web_search", "max_uses": 8})
        request: dict[str, Any] = {"model": "claude-opus-4-8", "max_tokens": 1, "messages": messages, "tools": tools}
        request |= self.draw(st.fixed_dictionaries({}, optional=OPTIONAL))
        named = [tool["name"] for tool in tools if "hidden" not in tool["name"]]
        if named and self.draw(st.booleans()):
            choices = [{"type": kind} for kind in ("auto", "any", "none")]
            choices += [{"type": "tool", "name": self.draw(st.sampled_from([*named, named[-1]]))}]  # a search is last
            request["tool_choice"] = {**self.draw(st.sampled_from(choices)), "disable_parallel_tool_use": True}
        return request


OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "system": st.sampled_from(
        [
            "",
            "Be brief.",
            [],
            [{"type": "text", "text": "x-anthropic-billing-header: cch=1;"}, {"type": "text", "text": "Two."}],
        ]
    ),
    "max_tokens": st.integers(1, 64_000),
    "thinking": st.sampled_from(
        [None, {"type": "adaptive"}, {"type": "disabled"}, {"type": "enabled", "budget_tokens": 1}]
    ),
    "output_config": st.fixed_dictionaries(
        {},
        optional={
            "effort": st.sampled_from(["low", "high", "max", "unheard-of", None]),
            "format": st.none()
            | st.sampled_from(FORMATS).map(lambda schema: {"type": "json_schema", "schema": schema}),
            "novelty": json_values,
        },
    ),
    "temperature": st.sampled_from([None, 0, 1.0]),
    "top_p": st.sampled_from([None, 0.5]),
    "top_k": st.just(5),
    "stop_sequences": st.lists(words, max_size=2),
    "service_tier": st.sampled_from([None, "auto", "standard_only"]),
    "speed": st.sampled_from([None, "fast"]),
    "metadata": st.just({"user_id": "u"}),
    "context_management": st.just({"edits": []}),
    "novelty": json_values,
    "stream": st.booleans(),
}


def clean(text: str) -> str:
    """Text as it is once it has been through JSON and the wire."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@st.composite
def conversations(draw: Draw) -> Conversation:
    builder = Builder(draw, well_formed=False)
    if draw(st.integers(0, 5)):
        builder.draw_tools()
    messages: list[Message] = []
    if draw(st.integers(0, 5)) == 0:  # a result before its call
        block, marks = builder.result("call_early", "Bash")
        builder.made.marks += marks
        builder.made.moved |= set(marks)
        messages += [{"role": "user", "content": [block]}, {"role": "assistant", "content": [early_call()]}]
    for _ in range(draw(st.integers(1, 5))):
        answer = [] if builder.cut else [builder.assistant, builder.assistant]
        builder.cut = False
        message = draw(st.sampled_from([builder.user, builder.user, builder.system, *answer]))()
        messages += split(draw, message) if message["role"] == "assistant" else [message]
    builder.made.request = builder.request(messages)
    return builder.made


def split(draw: Draw, message: Message) -> list[Message]:
    """The same as one message, or as two of the same role, which mean the same."""
    at = draw(st.integers(0, len(message["content"])))
    halves = [message["content"][:at], message["content"][at:]]
    return [{**message, "content": half} for half in halves if half or draw(st.booleans())]


def early_call() -> Block:
    return {"type": "tool_use", "id": "call_early", "name": "Bash", "input": {}}


@st.composite
def turns(draw: Draw) -> list[dict[str, Any]]:
    """Requests of one session, each written anew as the client does: the markers move, a string becomes a block."""
    builder = Builder(draw, well_formed=True)
    builder.draw_tools()
    messages: list[Message] = [{"role": "user", "content": "Begin."}]
    tools: list[list[dict[str, Any]]] = []
    ends: list[int] = []
    for at in range(draw(st.integers(2, 5))):
        if at:
            messages.append(builder.assistant())
        messages.append(builder.user())
        if draw(st.booleans()):
            messages.append(builder.system())
        ends.append(len(messages))
        tools.append(list(map(dict, builder.tools)))
        builder.tools = rearranged(draw, builder)
    whole = builder.request(messages)
    return [
        {
            **whole,
            "system": written(draw, system_text(whole)),
            "tools": list_tools(draw, whole, own),
            "messages": rewritten(draw, messages[:end]),
        }
        for end, own in zip(ends, tools, strict=True)
    ]


def rearranged(draw: Draw, builder: Builder) -> list[dict[str, Any]]:
    """Found tools where the newest client puts them: in the middle, without their mark, or at the end with it."""
    found = [tool for tool in builder.tools if tool.get("defer_loading") and tool["name"] not in builder.hidden]
    others = [tool for tool in builder.tools if tool not in found]
    for tool in found:
        if draw(st.booleans()):
            others.insert(
                draw(st.integers(0, len(others))), {key: value for key, value in tool.items() if key != "defer_loading"}
            )
        else:
            others.append(tool)
    return others


def system_text(request: dict[str, Any]) -> str:
    system = request.get("system") or ""
    return system if isinstance(system, str) else "Two." if system else ""


def written(draw: Draw, text: str) -> Any:
    """The same prompt as a string, as a block, after a billing header that changes."""
    billing = f"x-anthropic-billing-header: cch={draw(st.integers(0, 99999))};"
    block = with_cache(draw, {"type": "text", "text": text})
    forms = [text, [block], [{"type": "text", "text": billing}, block]]
    return draw(st.sampled_from(forms)) if text else draw(st.sampled_from(["", [], None]))


def list_tools(draw: Draw, whole: dict[str, Any], own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    hosted = [tool for tool in whole["tools"] if tool.get("type", "").startswith("web_search")]
    return [
        with_cache(draw, {key: value for key, value in tool.items() if key != "cache_control"})
        for tool in (*own, *hosted)
    ]


def rewritten(draw: Draw, messages: Sequence[Message]) -> list[Message]:
    return [{**message, "content": form(draw, message["content"])} for message in messages]


def form(draw: Draw, content: Any) -> Any:
    """The same content, its cache markers elsewhere, a single text as a string or a block."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    plain = [{key: value for key, value in block.items() if key != "cache_control"} for block in content]
    if len(plain) == 1 and plain[0]["type"] == "text" and draw(st.booleans()):
        return plain[0]["text"]
    return [with_cache(draw, block) for block in plain]
