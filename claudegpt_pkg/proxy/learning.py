"""What one turn learns about models: used at once in this turn, kept for all turns when it has helped.

    learning = Learning(proxy)
    learning.from_refusal(report, plan, body)      → whether the request is worth sending again, changed
    learning.suspect_search(model)                 the model gave no answer while the hosted web search was declared
    learning.note_skipped_search(model)            the model did not make the search that was requested
    learning.view()                                the proxy as this turn sees it
    learning.keep()                                the changed request is being answered: keep what it went without
    learning.note_answer(model, searched=True)     the answer is complete

A refusal teaches at once. A model counts as one without web search only after it was silent with the search in two
turns and answered without it in both: once, the backend may just have been out for a moment.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..capabilities import Capabilities
from ..upstream.error_report import Report
from ..upstream.refusals import TurnChanges
from ..upstream.refused_media import media_of
from ..upstream.wordings import medium_refused
from .context import Proxy
from .plan import Plan

MOST_CHANGES = 10  # of one turn: a backend that refuses everything must not be asked for ever


class Learning:
    """The learning of one turn. `messages`: the refusals that changed the request, for the trace."""

    def __init__(self, proxy: Proxy, *, client_drops_media: bool = False):
        self.messages: list[str] = []
        self.silent: set[str] = set()  # models that gave no answer while the hosted search was declared
        self.skipped: set[str] = set()  # models that did not make the search that was requested
        self._proxy = proxy
        self._client_drops_media = client_drops_media
        self._changes: dict[str, TurnChanges] = {}  # by model: what this turn goes without
        self._silent_before = {model for model, known in proxy.learned.items() if known.silent_search}

    def from_refusal(self, report: Report, plan: Plan, body: Mapping[str, Any]) -> bool:
        """Whether the refusal shows what to change. A refused image or file is replaced by a line of text.

        Claude Code is told of it first, because it then takes the image out of the conversation. If it sends the same
        one again, it did not, and the image is replaced.
        """
        changes, media = self._changes.get(plan.choice.model) or TurnChanges(), media_of(body)
        if len(self.messages) >= MOST_CHANGES:
            return False
        digests = {medium.digest for medium in media}
        replace_media = not self._client_drops_media or digests <= self._proxy.reported_media
        if changes.learn(report, plan.known, body, replace_media=replace_media):
            self._changes[plan.choice.model] = changes
            self.messages.append(report.message)
            return True
        if medium_refused(report, {medium.kind for medium in media}):
            self._proxy.reported_media |= digests
        return False

    def suspect_search(self, model: str) -> None:
        self.silent.add(model)

    def note_skipped_search(self, model: str) -> None:
        """The model answered without the search that the request is for. It counts as one without a search in this
        turn only: a server may search the next time, and one answer is no proof."""
        self.skipped.add(model)
        self.messages.append(f"{model} answered a request for a web search without searching.")

    def view(self) -> Proxy:
        if not self._changes and not self.skipped:
            return self._proxy
        known_now = {
            model: changes.apply_to(self._proxy.learned_about(model)) for model, changes in self._changes.items()
        }
        for model in self.skipped:
            known_now[model] = replace(known_now.get(model) or self._proxy.learned_about(model), web_search=False)
        view = copy.copy(self._proxy)
        view.learned = {**self._proxy.learned, **known_now}
        return view

    def keep(self) -> None:
        for model, changes in self._changes.items():
            self._learn(model, changes.keep_helpful(self._proxy.learned_about(model)))

    def note_answer(self, model: str, *, searched: bool) -> None:
        for silent in self.silent:
            known, again = self._proxy.learned_about(silent), silent in self._silent_before
            self._learn(silent, replace(known, web_search=known.web_search and not again, silent_search=not again))
            self.messages.append(f"{silent} gave no answer while the hosted web search was declared.")
        if searched and model in self._proxy.learned:
            self._learn(model, replace(self._proxy.learned_about(model), silent_search=False))

    def _learn(self, model: str, known: Capabilities) -> None:
        self._proxy.learned[model] = known
