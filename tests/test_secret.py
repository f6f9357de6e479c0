"""Servers quote the secrets they are given wherever they can: none of them reaches a user, a client or a file."""

from __future__ import annotations

import json
import random
import timeit
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegpt_pkg.accounts.auth.tokens import own_file
from claudegpt_pkg.cli import main
from claudegpt_pkg.errors import NotLoggedIn
from claudegpt_pkg.secret import MASK, PIECE, Secret, _Held, mask_secrets, mask_whole_secrets, register_secret
from claudegpt_pkg.settings.settings import load
from tests.support.auth_files import write
from tests.support.fakes.answers import HttpError, Reply, answer, error, error_event, failed
from tests.support.fakes.backend import FakeBackend, Request
from tests.support.fakes.login import FakeLogin
from tests.support.fakes.trial import is_trial, takes_trials, trusts
from tests.support.served import TOKEN, ask, served

KEY = "sk-proj-quoted-0123456789abcdefghijklmnop"

# Text.


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret of another test is masked here."""
    monkeypatch.setattr("claudegpt_pkg.secret._held", _Held())


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"Incorrect API key provided: {KEY}.", "Incorrect API key provided: ***."),
        (f"{KEY}{KEY}", "******"),
        (f"authorization: Bearer {KEY[:20]}", "authorization: Bearer ***"),
        (f"{KEY[:12]}********{KEY[-12:]}", "***********" + "***"),
        (f"{KEY[:5]}****{KEY[-4:]}", f"{KEY[:5]}****{KEY[-4:]}"),  # the vendor's own mask
        (f"{KEY[:24]}\n{KEY[24:]}", "***\n***"),
        ("nothing of it", "nothing of it"),
        ("", ""),
    ],
)
def test_a_secret_and_each_longer_piece_of_it_is_masked(text: str, masked: str) -> None:
    register_secret(KEY)
    assert mask_secrets(text) == masked


def test_secrets_that_share_a_piece_are_masked_as_one() -> None:
    register_secret("shared-piece-1")
    register_secret("an-shared-piece-2")
    assert mask_secrets("an-shared-piece-2, shared-piece-1") == "***, ***"


def mask_slowly(words: str, secrets: list[str]) -> str:
    """The same result in the obvious way: every run of PIECE characters is searched for in every secret."""
    begins = [at for at in range(len(words)) if any(words[at : at + PIECE] in secret for secret in secrets)]
    out, end = "", 0
    for at in begins:
        if at + PIECE > len(words):
            break
        out += words[end:at] + MASK if at >= end else ""
        end = at + PIECE
    return out + words[end:]


LETTERS = st.text("abé", max_size=30)  # few, so that pieces overlap


@given(secrets=st.lists(LETTERS, max_size=3), cuts=st.lists(st.tuples(st.integers(0, 30), LETTERS), max_size=6))
def test_the_fast_search_masks_what_the_obvious_one_does(secrets: list[str], cuts: list[tuple[int, str]]) -> None:
    words = "".join(rest + secret[cut:] for secret in secrets for cut, rest in cuts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("claudegpt_pkg.secret._held", _Held())
        for secret in secrets:
            register_secret(secret)
        assert mask_secrets(words) == mask_slowly(words, [each for each in secrets if len(each) >= PIECE])


def test_a_long_text_is_searched_quickly() -> None:
    """A slow search once took 270 ms for 100 kB, in which no answer streamed; one look-up a character takes 8 ms."""
    dice = random.Random(1)
    for length in (2000, 2000, 180, 160):  # two tokens, what renews them, a key
        register_secret(
            "".join(dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", k=length))
        )
    words = json.dumps([f"{number} plain words of somebody's" for number in range(3000)])
    assert mask_secrets(words) == words

    def seconds(search: Callable[[str], object]) -> float:
        return min(timeit.repeat(lambda: search(words), number=1, repeat=5))

    nothing: set[str] = set()
    each = seconds(lambda text: [at for at in range(len(text)) if text[at : at + PIECE] in nothing])
    assert seconds(mask_secrets) < each


def test_a_text_that_is_too_short_is_no_secret() -> None:
    assert Secret("ollama").reveal() == "ollama"
    assert mask_secrets("The model ollama/x is unknown.") == "The model ollama/x is unknown."


def test_a_large_body_is_searched_for_whole_secrets() -> None:
    register_secret(KEY)
    assert mask_whole_secrets(f"OPENAI_API_KEY={KEY}\n".encode()) == b"OPENAI_API_KEY=***\n"


def test_an_error_of_claudegpt_masks_secrets() -> None:
    problem = NotLoggedIn(f"{Secret(KEY).reveal()} is wrong.", f"Not {KEY}?")
    assert (problem.message, problem.hint, str(problem), problem.args) == (
        "*** is wrong.",
        "Not ***?",
        "*** is wrong. Not ***?",
        ("*** is wrong.",),
    )


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_login_at_an_http_proxy_is_a_secret(name: str) -> None:
    load(environ={name: "http://ann:p%40ss-word-9@proxy.test:3128"})
    for said in ("http://ann:p%40ss-word-9@proxy.test", "Basic YW5uOnBAc3Mtd29yZC05", "user ann, p@ss-word-9"):
        assert "word-9" not in mask_secrets(said) and "YW5uOn" not in mask_secrets(said)


# A backend.


def quoting(make: Callable[[str], Reply]) -> Callable[[Request], Reply]:
    return lambda request: make(request.headers["authorization"])


@pytest.mark.parametrize(
    "make",
    [
        lambda quoted: error(401, "invalid_api_key", f"Incorrect API key provided: {quoted}."),
        lambda quoted: error(400, None, f"Odd headers: {quoted[:30]}…"),
        lambda quoted: error(429, quoted, quoted, headers={"retry-after": "999"}),
        lambda quoted: HttpError(403, {"detail": [{"msg": f"no entry for {quoted}"}]}),
        lambda quoted: HttpError(302, None, {"location": f"https://login.test/?from={quoted}"}),
        lambda quoted: answer("", end=failed("server_error", f"{quoted} broke it")),
        lambda quoted: answer("One", end=error_event("some_error", f"{quoted} broke it", nested=True)),
    ],
)
def test_a_key_that_a_backend_quotes_is_masked(
    make: Callable[[str], Reply], backend: FakeBackend, tmp_path: Path
) -> None:
    backend.credentials.add(KEY)
    backend.route(lambda _: True, quoting(make))
    with served(backend, tmp_path, OPENAI_API_KEY=KEY) as proxy:
        response = proxy.post(ask(f"My door is {TOKEN}, my key {KEY}."))
        trace = json.dumps(proxy.trace())
    assert response.text and KEY[8:20] not in response.text
    assert KEY[8:20] not in trace and TOKEN not in trace and "My door is ***, my key ***." in trace


def test_a_key_that_a_model_repeats_is_masked_in_the_trace(backend: FakeBackend, tmp_path: Path) -> None:
    backend.credentials.add(KEY)
    backend.script(answer(f"Your key is {KEY}."))
    with served(backend, tmp_path, OPENAI_API_KEY=KEY) as proxy:
        proxy.events(ask())
        assert proxy.trace()["answer"]["content"][0]["text"] == "Your key is ***."


def test_a_key_that_a_refusal_quotes_is_masked_in_the_trace(backend: FakeBackend, tmp_path: Path) -> None:
    backend.credentials.add(KEY)
    backend.script(
        quoting(lambda quoted: error(400, None, f"Unsupported parameter: reasoning ({quoted})")), answer("Hi.")
    )
    with served(backend, tmp_path, OPENAI_API_KEY=KEY) as proxy:
        proxy.events(ask(thinking={"type": "adaptive"}))
        trace = proxy.trace()
    assert "***" in trace["learned"][0] and KEY not in json.dumps(trace)


# Commands.


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("doctor",), ("models",), ("setup",)])
def test_no_command_shows_a_key_that_a_backend_quotes(
    words: tuple[str, ...],
    backend: FakeBackend,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in (("PROVIDER", "openai"), ("API_KEY", KEY), ("BASE_URL", backend.url)):
        monkeypatch.setenv(f"CLAUDEGPT_{name}" if name == "PROVIDER" else f"OPENAI_{name}", value)
    backend.credentials.add(KEY)
    backend.route(is_trial, quoting(lambda quoted: error(401, "invalid_api_key", f"Not a key of ours: {quoted}.")))
    backend.page("GET", "/v1/models", 404, {"error": {"message": f"Bearer {KEY} has no list."}})
    main.run(words)
    shown = "".join(capsys.readouterr())
    assert shown and KEY[8:20] not in shown


def test_tokens_that_a_login_server_quotes_are_masked(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeLogin() as login, FakeBackend("chatgpt") as plan:
        document = login.log_in()
        write(own_file(load().dirs.data).path, document)
        trusts(takes_trials(plan), login)
        login.logins[0].access.clear()
        refresh, access = document["tokens"]["refresh_token"], document["tokens"]["access_token"]
        for name, value in (("PROVIDER", "chatgpt"), ("AUTH_URL", login.url)):
            monkeypatch.setenv(f"CLAUDEGPT_{name}", value)
        monkeypatch.setenv("CODEX_BASE_URL", plan.url)
        for words in (("status",), ("doctor",), ("logout",)):
            for path in ("/oauth/token", "/oauth/revoke"):
                login.say(path, 400, {"error": {"code": "odd", "message": f"What is {refresh}, of {access}?"}})
            main.run(words)
    shown = "".join(capsys.readouterr())
    assert "What is ***, of ***" in shown
    assert not [piece for piece in (refresh, access, refresh[:20], access[-40:]) if piece in shown]


def test_a_key_in_the_message_of_a_bug_is_masked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(words: object) -> int:
        raise LookupError(f"no {Secret(KEY).reveal()}")

    monkeypatch.setattr(main, "_dispatch", fail)
    monkeypatch.setenv("CLAUDEGPT_DEBUG", "1")
    assert main.run([]) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown and shown.count("no ***") == 2 and KEY[8:20] not in shown
