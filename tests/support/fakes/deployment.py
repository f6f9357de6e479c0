"""An Azure deployment: a model under somebody's own name, and what it lacks of what others have.

    FakeBackend("azure", deployments={"big": "gpt-6.1-sol", "odd": Deployment("gpt-5.4", search="refused")})

Nothing of it can be known from the name, so what a deployment refuses for its own reasons is no fault of whoever asked:
it is kept in the backend's `lacked`, not in its `faults`, and costs no line of the script.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from .answers import Answer, Bytes, HttpError, Item, Reply, answer, error
from .rules import BEFORE_5_6, levels_of


@dataclass(frozen=True)
class Deployment:
    """What it has. `blob`: where encrypted reasoning stands, or that it is refused or simply does not come."""

    model: str = "gpt-6.1-sol"
    efforts: tuple[str, ...] | None = None  # its levels; None: its model's
    tells_levels: bool = True  # says which there are when it refuses one
    search: Literal["there", "refused", "silent", "no event", "breaks"] = "there"
    blob: Literal["completed", "done", "refused", "none"] = "completed"

    def lacking(self, body: dict[str, Any]) -> Reply | None:
        """Its answer to a request for something that it has not."""
        return self._effort(body) or self._include(body) or self._retention(body) or self._search(body)

    def render(self, reply: Reply) -> Reply:
        """An answer as this deployment streams it."""
        if not isinstance(reply, Answer) or self.blob in ("completed", "refused"):
            return reply
        if self.blob == "done":
            return replace(reply, encrypted="done")
        return replace(reply, items=tuple(map(without_blob, reply.items)))

    def _effort(self, body: dict[str, Any]) -> HttpError | None:
        effort, levels = (body.get("reasoning") or {}).get("effort"), self.efforts or levels_of(self.model)
        if not effort or not levels or effort in levels:
            return None
        told = f" Supported values are: {', '.join(map(repr, levels))}." if self.tells_levels else ""
        words = f"Unsupported value: '{effort}' is not supported with this model.{told}"
        return error(400, "unsupported_value", words, param="reasoning.effort")

    def _include(self, body: dict[str, Any]) -> HttpError | None:
        if self.blob == "refused" and "reasoning.encrypted_content" in (body.get("include") or ()):
            return error(400, None, "Encrypted content is not supported with this model.", param="include")
        return None

    def _retention(self, body: dict[str, Any]) -> HttpError | None:
        if "prompt_cache_retention" not in body or BEFORE_5_6.match(self.model):
            return None
        return error(400, None, "prompt_cache_retention is not supported on this model")

    def _search(self, body: dict[str, Any]) -> Reply | None:
        if not any(tool.get("type") == "web_search" for tool in body.get("tools") or ()):
            return None
        return SEARCHES[self.search]


SEARCHES: dict[str, Reply | None] = {
    "there": None,
    "refused": error(
        400, "invalid_request_error", "Hosted tool 'web_search' is not supported with this model.", param="tools"
    ),
    "silent": answer(),
    "no event": Bytes(()),
    "breaks": error(500, "server_error", "An error occurred while processing your request.", kind="server_error"),
}


def without_blob(item: Item) -> Item:
    added, done = (
        {key: value for key, value in state.items() if key != "encrypted_content"} for state in (item.added, item.done)
    )
    return replace(item, added=added, done=done)
