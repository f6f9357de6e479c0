"""Entra ID with the real azure-identity: a managed identity, Azure's CLI, and a machine that has neither."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from claudegpt_pkg.accounts.auth import entra as entra_module
from claudegpt_pkg.accounts.auth.entra import SCOPES, Entra, default_token
from claudegpt_pkg.errors import NotLoggedIn, UpstreamFailed
from tests.accounts.test_http import dripping, flooding, sending
from tests.support.fakes import identity
from tests.support.fakes.identity import FakeIdentity, az
from tests.support.wire import listening

NEWER, OLDER = (scope.removesuffix("/.default") for scope in SCOPES)


@pytest.fixture
def machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Azure program, which has no managed identity to be looked for."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "dev")
    return home


@pytest.fixture
def managed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeIdentity]:
    with FakeIdentity() as identity:
        for name, value in identity.environ.items():
            monkeypatch.setenv(name, value)
        yield identity


def send(entra: Entra, refused: tuple[str, ...] = ()) -> list[str]:
    """The tokens sent with one request; those that begin with one of `refused` are answered 401."""
    sent: list[str] = []

    def backend(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"].removeprefix("Bearer "))
        return httpx.Response(401 if sent[-1] in refused else 200)

    with httpx.Client(transport=httpx.MockTransport(backend), auth=entra) as client:
        client.get("https://azure.test")
    return sent


def test_a_managed_identity_s_token_serves_while_it_lasts(managed: FakeIdentity) -> None:
    entra = Entra(default_token())
    assert send(entra) == send(entra) == managed.tokens
    assert managed.asked == [NEWER]


def test_a_token_that_is_nearly_over_is_replaced(managed: FakeIdentity) -> None:
    managed.lifetime = 200  # within the five minutes
    entra = Entra(default_token())
    first = send(entra)
    managed.lifetime = 3600
    assert first + send(entra) + send(entra) == [managed.tokens[0], managed.tokens[1], managed.tokens[1]]


def test_a_resource_that_wants_the_older_scope_gets_it(managed: FakeIdentity) -> None:
    entra = Entra(default_token())
    (first,) = send(entra)
    sent = send(entra, refused=(first,))
    assert sent == managed.tokens and managed.asked == [NEWER, OLDER]
    assert send(entra) == [sent[1]], "and keeps to it"


def test_a_tenant_that_does_not_know_the_newer_scope_is_asked_for_the_older(managed: FakeIdentity) -> None:
    managed.unknown = (NEWER,)
    assert send(Entra(default_token())) == managed.tokens
    assert managed.asked[-1] == OLDER


def test_azures_cli_is_asked(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = az(machine / "bin")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    entra = Entra(default_token())
    assert send(entra) == send(entra) == ["az-token"]
    assert (folder / "asked").read_text().splitlines() == [f"account get-access-token --output json --resource {NEWER}"]


NOBODY = (
    "Entra ID gave no token: there is no Azure login on this machine, and no managed identity. Run `az login`, or set "
    "AZURE_OPENAI_API_KEY."
)


def test_where_there_is_no_login_one_sentence_says_what_to_do(machine: Path) -> None:
    with pytest.raises(NotLoggedIn) as raised:
        send(Entra(default_token()))
    assert str(raised.value) == NOBODY


@pytest.mark.parametrize(
    ("complaint", "sentence"),
    [
        (identity.LOGGED_OUT, NOBODY),
        (
            identity.EXPIRED,
            "Entra ID gave no token: AADSTS70043: The refresh token has expired or is invalid due to sign-in frequency "
            "checks by conditional access. Log in again with `az login`, correct AZURE_CLIENT_ID and its like, or set "
            "AZURE_OPENAI_API_KEY.",
        ),
        (
            "ERROR: AADSTS500011: " + identity.NO_PRINCIPAL.format(NEWER),
            f"Entra ID gave no token: AADSTS500011: The resource principal named {NEWER} was not found in the tenant "
            "named Contoso. Log in again with `az login`, correct AZURE_CLIENT_ID and its like, or set "
            "AZURE_OPENAI_API_KEY.",
        ),
    ],
)
def test_what_azures_cli_complains_of_is_one_sentence(
    machine: Path, monkeypatch: pytest.MonkeyPatch, complaint: str, sentence: str
) -> None:
    monkeypatch.setenv("PATH", str(az(machine / "bin", complaint=complaint)), prepend=":")
    with pytest.raises(NotLoggedIn) as raised:
        send(Entra(default_token()))
    assert str(raised.value) == sentence


def test_a_network_that_is_away_is_no_reason_to_log_in_again(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaint = "ERROR: HTTPSConnectionPool(host=login.microsoftonline.com): Failed to resolve it"
    monkeypatch.setenv("PATH", str(az(machine / "bin", complaint=complaint)), prepend=":")
    with pytest.raises(UpstreamFailed, match=r"^Entra ID cannot be reached: HTTPS.*resolve it\. Check the network"):
        send(Entra(default_token()))


def test_its_page_of_attempts_is_not_written_where_claude_code_has_its_screen(machine: Path) -> None:
    imports = "from claudegpt_pkg.accounts.auth.entra import *"
    script = f"{imports}\ntry: default_token()(SCOPES[0])\nexcept NotLoggedIn: pass"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert (ran.stdout, ran.stderr) == ("", "")


# Servers that drip, or never end.


def refused_by(handle: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch) -> str:
    """The error for a managed identity that answers so."""
    with listening(handle) as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        with pytest.raises((UpstreamFailed, NotLoggedIn)) as caught:
            send(Entra(default_token()))
    return str(caught.value)


def test_an_identity_that_drips_costs_the_time_of_one_question(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entra_module, "WHOLE_SECONDS", 0.5)
    assert "no answer within 0.5 seconds" in refused_by(dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" "), monkeypatch)


def test_an_identity_without_end_costs_the_limit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
    assert "more than 4 MB" in refused_by(flooding(head, b" " * 65_536), monkeypatch)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"access_token": "x", "expires_on": 1e999}', b"\xff\xfe"])
def test_an_identity_that_answers_nonsense_is_an_error_in_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    words = refused_by(sending(head + body), monkeypatch)
    assert "Entra ID" in words and words.isprintable()
