"""A program that uses the Python Agent SDK: `python program.py SCENARIO`. Prints one JSON object: what it saw.

CLAUDE names the executable that stands for Claude Code; the tests put claudegpt there.
"""

# mypy: ignore-errors
# The SDK is fetched by the tests and no dependency of the package, so mypy cannot see it.

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    HookMatcher,
    PermissionResultAllow,
    PermissionResultDeny,
    ResultMessage,
    StreamEvent,
    create_sdk_mcp_server,
    query,
    tool,
)


def options(**more):
    return ClaudeAgentOptions(cli_path=os.environ["CLAUDE"], cwd=str(Path.cwd()), setting_sources=[], **more)


async def ask(prompt, **more):
    """All messages of one query."""
    return [message async for message in query(prompt=prompt, options=options(**more))]


async def stream(text):
    """A prompt as the SDK wants it where callbacks are used."""
    yield {"type": "user", "message": {"role": "user", "content": text}, "parent_tool_use_id": None}


def texts(messages):
    found = [block for message in messages if isinstance(message, AssistantMessage) for block in message.content]
    return [block.text for block in found if hasattr(block, "text")]


def outcome(messages):
    end = messages[-1]
    assert isinstance(end, ResultMessage), end
    return {"texts": texts(messages), "result": end.result, "error": end.is_error, "session": end.session_id}


async def tools():
    return outcome(await ask("run it", allowed_tools=["Bash"]))


async def permission():
    seen = []

    async def may(name, arguments, context):
        seen.append([name, arguments.get("command")])
        if "forbidden" in arguments.get("command", ""):
            return PermissionResultDeny(message="not that one")
        return PermissionResultAllow(updated_input={**arguments, "command": "echo changed"})

    return {**outcome(await ask(stream("run both"), can_use_tool=may)), "seen": seen}


async def hooks():
    seen = []

    async def before(data, tool_use_id, context):
        seen.append(data["tool_name"])
        return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "allow"}}

    watched = {"PreToolUse": [HookMatcher(matcher="Bash", hooks=[before])]}
    return {**outcome(await ask(stream("run it"), hooks=watched)), "seen": seen}


async def mcp():
    @tool("add", "Adds two numbers", {"a": int, "b": int})
    async def add(arguments):
        return {"content": [{"type": "text", "text": str(arguments["a"] + arguments["b"])}]}

    server = create_sdk_mcp_server("sums", tools=[add])
    names = ["mcp__sums__add"]
    return outcome(await ask(stream("add"), mcp_servers={"sums": server}, allowed_tools=names))


async def interrupt():
    async with ClaudeSDKClient(options(include_partial_messages=True)) as client:
        await client.query("talk for ever")
        interrupted = False
        async for message in client.receive_messages():
            if isinstance(message, StreamEvent) and message.event["type"] == "content_block_delta" and not interrupted:
                interrupted = True
                await client.interrupt()
            if isinstance(message, ResultMessage):
                break
        await client.query("and now?")
        return {**outcome([message async for message in client.receive_response()]), "interrupted": interrupted}


async def resume():
    first = outcome(await ask("remember 42"))
    return {**outcome(await ask("which number?", resume=first["session"])), "first": first}


async def structured():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    messages = await ask("a number", output_format={"type": "json_schema", "schema": schema})
    return {**outcome(messages), "structured": messages[-1].structured_output}


async def partial():
    messages = await ask("count", include_partial_messages=True)
    kinds = [message.event["type"] for message in messages if isinstance(message, StreamEvent)]
    return {**outcome(messages), "kinds": kinds}


async def two():
    both = await asyncio.gather(ask("left"), ask("right"))
    return {"both": [outcome(messages) for messages in both]}


SCENARIOS = {
    each.__name__: each for each in (tools, permission, hooks, mcp, interrupt, resume, structured, partial, two)
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(SCENARIOS[sys.argv[1]]())))
