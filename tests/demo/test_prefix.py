from __future__ import annotations

from typing import Any

from claudegpt_pkg.demo.prefix import KEPT_PROMPTS, PrefixCache, count_tokens_roughly, prompt_bytes


def body(*words: str, key: str | None = "a", model: str = "gpt-demo") -> dict[str, Any]:
    return {"model": model, "prompt_cache_key": key, "instructions": "i" * 6000, "input": list(words)}


def test_the_first_request_writes_and_the_second_reads() -> None:
    cache = PrefixCache()

    first, second = cache.read(body("hello")), cache.read(body("hello"))

    assert (first.cached, first.written) == (0, 1408)
    assert (second.cached, second.written) == (1408, 0)


def test_cached_and_written_are_whole_blocks_within_the_prompt() -> None:
    cache = PrefixCache()

    for length in range(1, 40):
        found = cache.read(body(*["word " * 40] * length))
        assert found.cached % 128 == found.written % 128 == 0
        assert found.cached + found.written <= found.tokens
        assert found.tokens == count_tokens_roughly(prompt_bytes(body(*["word " * 40] * length)))


def test_a_short_prompt_is_not_cached() -> None:
    cache, short = PrefixCache(), {"model": "gpt-demo", "input": "hello"}
    cache.read(short)

    assert cache.read(short).cached == 0


def test_another_model_or_key_shares_nothing() -> None:
    cache = PrefixCache()
    cache.read(body("hello"))

    assert cache.read(body("hello", key="b")).cached == 0
    assert cache.read(body("hello", model="gpt-other")).cached == 0


def test_branches_of_a_conversation_share_their_beginning() -> None:
    cache = PrefixCache()
    cache.read(body("x" * 4000))
    cache.read(body("y" * 4000))

    assert cache.read(body("x" * 4000)).written == 0


def test_only_so_many_conversations_are_remembered() -> None:
    cache = PrefixCache()
    for number in range(KEPT_PROMPTS + 1):
        cache.read(body("hello", key=str(number)))

    assert cache.read(body("hello", key=str(KEPT_PROMPTS))).cached > 0
    assert cache.read(body("hello", key="0")).cached == 0


def test_an_image_counts_as_one_whatever_its_size() -> None:
    small, large = (
        count_tokens_roughly(prompt_bytes(body(f"data:image/png;base64,{'A' * size}"))) for size in (400, 400_000)
    )

    assert small == large
