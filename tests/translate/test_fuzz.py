"""Two thousand recorded streams broken at random; `python -m tests.translate.fuzz` tries as many as one likes."""

from __future__ import annotations

import pytest

from tests.translate.fuzz import SECONDS, try_case

CASES, BATCH = 2000, 250


@pytest.mark.timeout(SECONDS * 30)
@pytest.mark.parametrize("first", range(0, CASES, BATCH))
def test_whatever_a_server_sends_the_client_gets_a_stream_that_obeys_the_grammar(first: int) -> None:
    for seed in range(first, first + BATCH):
        try:
            try_case(seed)
        except Exception as fault:
            raise AssertionError(f"case {seed}: {type(fault).__name__}: {fault}") from fault
