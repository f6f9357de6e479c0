"""The prompt cache key of a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.request.cache_key import conversation_key


def key(session: str | None = None, agent: str | None = None, **request: Any) -> str:
    base = {"messages": [{"role": "user", "content": "hi"}], "system": "main"}
    return conversation_key({**base, **request}, session_id=session, agent_id=agent)


def test_a_conversation_keeps_its_key_while_it_grows() -> None:
    grown = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "ho"},
        {"role": "user", "content": "x"},
    ]
    assert key("s") == key("s", messages=grown)
    assert key() == key(messages=grown)
    marked = [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]}]
    assert key() == key(messages=marked)
    billing = [{"type": "text", "text": "x-anthropic-billing-header: cch=1;"}, {"type": "text", "text": "main"}]
    assert key("s") == key("s", system=billing)


def test_conversations_and_agents_have_keys_of_their_own() -> None:
    keys = [
        key("s"),
        key("t"),
        key("s", "agent"),
        key("s", "agent2"),
        key("s", system="a subagent's prompt"),
        key(),
        key(system="other"),
        key(messages=[{"role": "user", "content": "ho"}]),
        key(metadata={"user_id": "u"}),
        key(messages=[]),
        key(messages=[{"role": "system", "output_config": {"effort": "low"}}], system=None),
    ]
    assert len(set(keys)) == len(keys)
    assert key("s", "agent") == key("s", "agent", system="changed")


@pytest.mark.parametrize("session", ["x" * 200, None, "0b4c9b8e-3f52-4f0a-9a55-0d3cb8d3c1d2"])
def test_a_key_is_never_longer_than_the_upstream_takes(session: str | None) -> None:
    assert len(key(session, "y" * 200)) <= 64
