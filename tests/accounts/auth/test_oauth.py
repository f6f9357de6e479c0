from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from claudegpt_pkg.accounts.auth import oauth
from claudegpt_pkg.errors import NotLoggedIn, UpstreamFailed
from claudegpt_pkg.secret import Secret
from tests.support.fakes.login import jwt

AUTH = "https://api.openai.com/auth"


def grant(status: int, body: Any) -> oauth.Grant:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return oauth.read_grant(status, raw, sent="The saved login")


def test_the_challenge_is_the_hash_of_the_verifier() -> None:
    pkce = oauth.Pkce.new()
    digest = hashlib.sha256(pkce.verifier.reveal().encode()).digest()
    assert pkce.challenge == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert 43 <= len(pkce.verifier.reveal()) <= 128
    assert pkce != oauth.Pkce.new()


def test_the_login_page_is_asked_for_as_the_server_wants_it() -> None:
    url = oauth.authorize_url("https://auth.test", redirect=oauth.redirect_uri(1457), state="s", challenge="c")
    assert url.startswith("https://auth.test/oauth/authorize?")
    assert {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()} == {
        "response_type": "code",
        "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
        "redirect_uri": "http://localhost:1457/auth/callback",
        "scope": "openid profile email offline_access",
        "code_challenge": "c",
        "code_challenge_method": "S256",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "state": "s",
        "originator": "claudegpt",
    }


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:1455/auth/callback?code=abc&state=s",
        "/auth/callback?state=s&code=abc",
        "  code=abc&state=s \n",
        "localhost:1455/auth/callback?code=abc&scope=openid+profile&state=s#",
    ],
)
def test_the_code_is_found_in_whatever_part_of_the_address_is_pasted(address: str) -> None:
    assert oauth.callback_code(address, state="s").reveal() == "abc"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/auth/callback?code=abc&state=other", "another login"),
        ("/auth/callback?code=abc&state=", "another login|not the address"),
        ("/auth/callback?code=abc", "not the address"),
        ("hello", "not the address"),
        ("/auth/callback?error=access_denied&state=other", "another login"),
    ],
)
def test_an_address_with_another_state_is_from_another_login(address: str, words: str) -> None:
    with pytest.raises(oauth.OtherLogin, match=words):
        oauth.callback_code(address, state="s")


def test_a_refusal_is_told_in_the_servers_words_on_one_line() -> None:
    with pytest.raises(NotLoggedIn, match=r"refused: The user said no\.") as caught:
        oauth.callback_code("/x?error=access_denied&error_description=The+user%0Asaid+no.&state=s", state="s")
    assert not isinstance(caught.value, oauth.OtherLogin)


def test_a_return_without_a_code_is_no_login() -> None:
    with pytest.raises(NotLoggedIn, match="without a code"):
        oauth.callback_code("/auth/callback?state=s", state="s")


def test_a_grant_holds_what_the_server_gave_and_prints_none_of_it() -> None:
    found = grant(200, {"access_token": "a-secret", "refresh_token": "r-secret", "id_token": "i-secret"})
    assert (found.access, found.refresh, found.id_token) == (Secret("a-secret"), Secret("r-secret"), Secret("i-secret"))
    assert "secret" not in repr(found).replace("Secret", "")


def test_a_grant_may_leave_out_all_but_the_access_token() -> None:
    assert grant(200, {"access_token": "a"}) == oauth.Grant(Secret("a"), None, None)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "refresh_token_reused", "message": "x"}},
        {"error": {"code": "refresh_token_expired"}},
        {"error": {"code": "refresh_token_invalidated"}},
        {"error": "invalid_grant", "error_description": "x"},
        {"code": "refresh_token_expired"},
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_dead_refresh_token_means_logging_in_again(status: int, body: Any) -> None:
    with pytest.raises(NotLoggedIn, match=r"The saved login (has|was|is)"):
        grant(status, body)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"error": {"code": "refresh_token_reused"}}),  # whatever it says: a server that fails knows nothing
        (503, b"<html>busy</html>"),
        (200, b"<html>please sign in to the hotel</html>"),
        (200, b"[]"),
        (200, b""),
        (200, {"access_token": ""}),
        (200, {"access_token": 5}),
        (403, b"<html>cloudflare</html>"),
        (429, {"error": {"code": "rate_limited", "message": "slow down"}}),
        (400, {"error": "invalid_request"}),
        (401, {"detail": "hm"}),
    ],
)
def test_an_answer_that_says_nothing_about_the_login_does_not_end_it(status: int, body: Any) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        grant(status, body)
    assert caught.value.hint and "\n" not in str(caught.value)


def test_an_endless_error_message_is_cut() -> None:
    with pytest.raises(UpstreamFailed) as caught:
        grant(400, {"error": {"code": "x", "message": "very " * 1000}})
    assert len(caught.value.message) < 300


def test_claims_tell_account_plan_mail_and_times() -> None:
    token = jwt(
        {
            AUTH: {"chatgpt_account_id": "acc", "chatgpt_plan_type": "pro", "chatgpt_account_is_fedramp": True},
            "https://api.openai.com/profile": {"email": "ann@example.com"},
            "exp": 2000,
            "iat": 1000,
        }
    )
    assert oauth.claims(Secret(token)) == oauth.Claims("acc", "pro", "ann@example.com", True, 2000.0, 1000.0)


def test_an_organization_is_never_taken_for_the_account() -> None:
    assert oauth.claims(Secret(jwt({AUTH: {"organizations": [{"id": "org-1"}]}}))).account_id is None


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.!!!!.c", "a.W10.c", "a.bnVsbA.c", "a.eyJleHAiOiJ4In0.c"])
def test_a_token_that_cannot_be_read_claims_nothing(token: str) -> None:
    assert oauth.claims(Secret(token)) == oauth.Claims()


def test_a_token_is_due_five_minutes_before_its_end() -> None:
    assert oauth.due_at(oauth.Claims(expires_at=10_000, issued_at=1_000)) == 9_700


def test_a_token_that_lives_less_than_ten_minutes_is_due_half_way() -> None:
    assert oauth.due_at(oauth.Claims(expires_at=1_100, issued_at=1_000)) == 1_050


def test_a_token_without_an_end_is_never_due() -> None:
    assert oauth.due_at(oauth.Claims()) is None


@pytest.mark.parametrize(
    ("plan", "name"),
    [("plus", "ChatGPT Plus"), ("self_serve_business", "ChatGPT Self Serve Business"), (None, "ChatGPT")],
)
def test_a_plan_is_named_as_people_write_it(plan: str | None, name: str) -> None:
    assert oauth.plan_name(plan) == name
