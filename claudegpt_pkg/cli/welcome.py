"""What a session's first announcement tells a person: which account answers, what that costs, who approves actions.

The account is named in every session. What never changes is said once: that Claude Code's "API Usage Billing" is its
own label for every account that is not Anthropic's, and that each action is approved by the user.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ..accounts.providers.base import Provider
from ..claude.announcements import Notice
from ..claude.session import Session
from ..settings.values import is_loopback

ASKING_MODES = (None, "default")
APPROVALS = "You approve every edit and every command first."
LABEL = 'Claude Code\'s header says "API Usage Billing": that is its own label, and nothing is billed by the token.'


def welcome_notices(provider: Provider, session: Session) -> Iterator[Notice]:
    yield Notice(describe_account(provider))
    if not provider.metered:
        yield Notice(LABEL, once=LABEL)
    if session.mode in ASKING_MODES:
        yield Notice(APPROVALS, once=APPROVALS)


def describe_account(provider: Provider) -> str:
    """The account and its cost, in a sentence or two."""
    if provider.is_script:
        return "A built-in script answers, not a model. Nothing leaves this machine."
    if not provider.metered:
        return f"This session runs on {provider.label}: included in your plan."
    if is_loopback(urlsplit(provider.url).hostname or ""):
        return f"This session runs on {provider.label}: on this machine, free."
    return f"This session runs on {provider.label}: paid by the token (`claudegpt usage` shows the cost)."
