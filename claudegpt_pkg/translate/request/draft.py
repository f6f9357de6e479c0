"""A Responses request while it is built: its fields, sentences for its system prompt, and notes.

Whoever changes or drops a field of the client's request writes the note in the same place. Notes are shown by
`claudegpt trace show`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...capabilities import Capabilities

Note = tuple[str, str]  # the field of the client's request, and what became of it

NOT_TAKEN = "dropped: the backend does not take it"


@dataclass
class Draft:
    """See the module."""

    taken: Capabilities  # of the backend and the model
    fields: dict[str, Any] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)  # for the system prompt
    notes: list[Note] = field(default_factory=list)

    def note(self, name: str, outcome: str) -> None:
        self.notes.append((name, outcome))

    def put(self, name: str, value: Any, *, source: str = "") -> None:
        """Set a field, if the backend takes it. `source` is the field of the client's request that is lost if not."""
        if self.taken.takes(name):
            self.fields[name] = value
        elif source:
            self.note(source, NOT_TAKEN)
