from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx
import pytest

from claudegpt_pkg.accounts.auth.entra import SCOPES, Entra
from claudegpt_pkg.errors import UpstreamFailed


@dataclass
class Token:
    token: str
    expires_on: int


class Identity:
    """Gives a new token each time; remembers for what."""

    def __init__(self, lifetime: int = 3600) -> None:
        self.now = 1_000_000.0
        self.lifetime = lifetime
        self.scopes: list[str] = []
        self.away = False

    def get_token(self, scope: str) -> Token:
        self.scopes.append(scope)
        if self.away:
            raise UpstreamFailed("Entra ID cannot be reached.")
        return Token(f"token-{len(self.scopes)}", int(self.now) + self.lifetime)


@pytest.fixture
def identity() -> Identity:
    return Identity()


@pytest.fixture
def entra(identity: Identity) -> Entra:
    return Entra(identity.get_token, clock=lambda: identity.now)


def get(entra: Entra, refused: set[str] | None = None) -> list[str]:
    """The tokens sent for one request; those in `refused` are answered 401."""
    sent: list[str] = []

    def backend(request: httpx.Request) -> httpx.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        sent.append(token)
        return httpx.Response(401 if token in (refused or set()) else 200)

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(backend), auth=entra) as client:
            await client.get("https://azure.test")

    asyncio.run(run())
    return sent


def test_a_token_serves_until_five_minutes_before_its_end(entra: Entra, identity: Identity) -> None:
    assert get(entra) == ["token-1"]
    identity.now += identity.lifetime - 301
    assert get(entra) == ["token-1"]
    identity.now += 2
    assert get(entra) == ["token-2"]


def test_a_resource_of_the_older_kind_gets_the_older_scopes_token(entra: Entra, identity: Identity) -> None:
    assert get(entra, refused={"token-1"}) == ["token-1", "token-2"]
    assert identity.scopes == list(SCOPES)
    assert get(entra) == ["token-2"], "and keeps to it"


def test_a_refusal_is_answered_once(entra: Entra, identity: Identity) -> None:
    assert get(entra, refused={"token-1", "token-2"}) == ["token-1", "token-2"]
    assert len(identity.scopes) == 2


def test_a_token_that_still_lasts_serves_while_no_other_is_to_be_had(entra: Entra, identity: Identity) -> None:
    get(entra)
    identity.now += identity.lifetime - 100
    identity.away = True
    assert get(entra) == ["token-1"]
    identity.now += 101
    with pytest.raises(UpstreamFailed):
        get(entra)
