"""What is recorded of one turn: for its trace, for the session's usage and for the usage log.

    record = TurnRecord(ask, proxy)
    record.note_plan(plan, translation, body)      of each attempt
    record.mark("accepted")                      milliseconds since the turn began
    record.note_served_model(asked, served)      if the answer names its model
    record.count(model, usage)                   once, when the answer is complete
    record.close(problem, learned, folder)       always, at the end

A trace holds the request as it came, the body as it was sent, the answer, and how the turn ended.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from typing import Any

from ..errors import ClaudegptError
from ..records.usage_log import UsageEntry
from ..translate.answer.fold import Folder
from ..translate.request.translate import Translation
from .context import Proxy
from .plan import Ask, Plan
from .served_model import differs


class TurnRecord:
    """The record of one turn; `id` is the request id that the client is told."""

    def __init__(self, ask: Ask, proxy: Proxy):
        self.id = ask.request_id or uuid.uuid4().hex
        self._proxy = proxy
        self._clock = time.perf_counter()
        self._asked = ask.body
        self._sent = b"null"
        self._is_turn = bool(ask.request.get("tools"))  # side requests, a session's title, declare none
        self._marks: dict[str, float] = {}
        self._fields: dict[str, Any] = {
            "id": self.id,
            "began": time.time(),
            "client": ask.user_agent,
            "session": ask.session_id,
            "agent": ask.agent_id,
            "provider": proxy.provider.name,
        }

    @property
    def seconds(self) -> float:
        """Since the turn began."""
        return time.perf_counter() - self._clock

    def mark(self, name: str) -> None:
        self._marks[name] = round(self.seconds * 1000, 2)

    def note_plan(self, plan: Plan, translation: Translation, body: bytes) -> None:
        self._sent = body
        self._fields |= {"tier": plan.choice.tier, "model": plan.target.model, "effort": plan.target.effort}
        self._fields["notes"] = translation.notes
        self.mark("translated")

    def note_served_model(self, asked: str, served: str) -> None:
        """Keep which model answered, if that is another one than the one that was asked for."""
        if differs(asked, served):
            self._fields["answered_by"] = served
        self._proxy.session_usage.note_served_model(asked, served if differs(asked, served) else None)

    def count(self, model_id: str, usage: dict[str, Any]) -> None:
        proxy, self._fields["usage"] = self._proxy, usage
        model, provider = proxy.provider.model(model_id), proxy.provider
        spent = proxy.session_usage.add(model, usage, turn=self._is_turn)
        if proxy.usage_log:
            proxy.usage_log.add(UsageEntry(time.time(), provider.name, provider.metered, model.id, spent))

    def close(self, problem: BaseException | None, learned: Sequence[str], folder: Folder) -> None:
        """Count a turn that was interrupted, and have the trace written."""
        if isinstance(problem, asyncio.CancelledError):
            self._proxy.session_usage.interrupted += self._is_turn and "usage" not in self._fields
        if not self._proxy.traces:
            return
        if problem and "done" not in self._marks:
            self.mark("failed")
            self._fields["error"] = _describe(problem)
        record = {**self._fields, "learned": learned, "milliseconds": self._marks}
        self._proxy.traces.keep(self.id, record, {"request": self._asked, "sent": self._sent}, folder)


def _describe(problem: BaseException) -> dict[str, Any]:
    """How a turn ended that has no complete answer."""
    if isinstance(problem, ClaudegptError):
        return {"kind": problem.kind, "status": problem.status, "message": str(problem)}
    if isinstance(problem, asyncio.CancelledError):
        return {"kind": "cancelled", "message": "the client went away"}
    return {"kind": "bug", "message": repr(problem)}
