"""Stop sequences, which the Responses API does not have: the text is cut at the first match, even across deltas."""

from __future__ import annotations

from collections.abc import Sequence


class StopFilter:
    """Takes text as it streams; `feed` returns what is no stop sequence. The first match sets `matched`."""

    def __init__(self, sequences: Sequence[str]):
        self.matched: str | None = None
        self._sequences = sequences
        self._tail = ""  # could be the beginning of a sequence

    def feed(self, text: str) -> str:
        if self.matched is not None:
            return ""
        text = self._tail + text
        # The sequence that is complete first, and the longest of those: the same however the text is cut into deltas.
        found = [(at + len(one), at, one) for one in self._sequences if (at := text.find(one)) >= 0]
        if found:
            _, at, self.matched = min(found)
            self._tail = ""
            return text[:at]
        keep = self._possible_start(text)
        self._tail = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return what was held back. The text has ended, so it is no stop sequence."""
        rest, self._tail = self._tail, ""
        return rest

    def _possible_start(self, text: str) -> int:
        longest = max(map(len, self._sequences)) - 1
        for size in range(min(longest, len(text)), 0, -1):
            if any(sequence.startswith(text[-size:]) for sequence in self._sequences):
                return size
        return 0
