"""No secret comes back from somebody else's mouth: servers that quote what they were given, at every place they can."""

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
from claudegpt_pkg.secret import MASK, PIECE, Held, Secret, hold, without_secrets, without_whole_secrets
from claudegpt_pkg.settings.settings import load
from tests.support.auth_files import write
from tests.support.fakes.answers import HttpError, Reply, answer, error, error_event, failed
from tests.support.fakes.backend import FakeBackend, Request
from tests.support.fakes.login import FakeLogin
from tests.support.fakes.trial import is_trial, takes_trials, trusts
from tests.support.served import TOKEN, ask, served

KEY = "sk-proj-quoted-0123456789abcdefghijklmnop"

# The words.


@pytest.fixture(autouse=True)
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests' keys have pieces in common with ours."""
    monkeypatch.setattr("claudegpt_pkg.secret._held", Held())


@pytest.mark.parametrize(
    ("said", "passed_on"),
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
def test_a_secret_and_each_longer_piece_of_it_is_left_out(said: str, passed_on: str) -> None:
    hold(KEY)
    assert without_secrets(said) == passed_on


def test_secrets_that_share_a_piece_hide_each_other_whole() -> None:
    hold("shared-piece-1")
    hold("an-shared-piece-2")
    assert without_secrets("an-shared-piece-2, shared-piece-1") == "***, ***"


def plainly(words: str, secrets: list[str]) -> str:
    """The same, as slow as it is obvious: each run of PIECE characters is looked for in each secret."""
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
def test_what_is_left_out_is_what_a_plain_search_would_find(secrets: list[str], cuts: list[tuple[int, str]]) -> None:
    words = "".join(rest + secret[cut:] for secret in secrets for cut, rest in cuts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("claudegpt_pkg.secret._held", Held())
        for secret in secrets:
            hold(secret)
        assert without_secrets(words) == plainly(words, [each for each in secrets if len(each) >= PIECE])


def test_much_text_holds_nobody_up() -> None:
    """100 kB took 270 ms, in which no answer streamed; to look something up for each character takes some 8."""
    dice = random.Random(1)
    for length in (2000, 2000, 180, 160):  # two tokens, what renews them, a key
        hold("".join(dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", k=length)))
    words = json.dumps([f"{number} plain words of somebody's" for number in range(3000)])
    assert without_secrets(words) == words

    def seconds(search: Callable[[str], object]) -> float:
        return min(timeit.repeat(lambda: search(words), number=1, repeat=5))

    nothing: set[str] = set()
    each = seconds(lambda text: [at for at in range(len(text)) if text[at : at + PIECE] in nothing])
    assert seconds(without_secrets) < each


def test_what_is_too_short_to_be_one_is_no_secret() -> None:
    assert Secret("ollama").reveal() == "ollama"
    assert without_secrets("The model ollama/x is unknown.") == "The model ollama/x is unknown."


def test_much_text_is_searched_for_whole_ones() -> None:
    hold(KEY)
    assert without_whole_secrets(f"OPENAI_API_KEY={KEY}\n".encode()) == b"OPENAI_API_KEY=***\n"


def test_every_error_of_ours_is_without_them() -> None:
    problem = NotLoggedIn(f"{Secret(KEY).reveal()} is wrong.", f"Not {KEY}?")
    assert (problem.message, problem.hint, str(problem), problem.args) == (
        "*** is wrong.",
        "Not ***?",
        "*** is wrong. Not ***?",
        ("*** is wrong.",),
    )


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_login_at_a_proxy_is_a_secret(name: str) -> None:
    load(environ={name: "http://ann:p%40ss-word-9@proxy.test:3128"})
    for said in ("http://ann:p%40ss-word-9@proxy.test", "Basic YW5uOnBAc3Mtd29yZC05", "user ann, p@ss-word-9"):
        assert "word-9" not in without_secrets(said) and "YW5uOn" not in without_secrets(said)


# An upstream.


def quoting(make: Callable[[str], Reply]) -> Callable[[Request], Reply]:
    return lambda request: make(request.headers["authorization"])


@pytest.mark.parametrize(
    "make",
    [
        lambda said: error(401, "invalid_api_key", f"Incorrect API key provided: {said}."),
        lambda said: error(400, None, f"Odd headers: {said[:30]}…"),
        lambda said: error(429, said, said, headers={"retry-after": "999"}),
        lambda said: HttpError(403, {"detail": [{"msg": f"no entry for {said}"}]}),
        lambda said: HttpError(302, None, {"location": f"https://login.test/?from={said}"}),
        lambda said: answer("", end=failed("server_error", f"{said} broke it")),
        lambda said: answer("One", end=error_event("some_error", f"{said} broke it", nested=True)),
    ],
)
def test_an_upstream_that_quotes_the_key_is_not_passed_on(
    make: Callable[[str], Reply], backend: FakeBackend, tmp_path: Path
) -> None:
    backend.credentials.add(KEY)
    backend.route(lambda _: True, quoting(make))
    with served(backend, tmp_path, OPENAI_API_KEY=KEY) as proxy:
        response = proxy.post(ask(f"My door is {TOKEN}, my key {KEY}."))
        trace = json.dumps(proxy.trace())
    assert response.text and KEY[8:20] not in response.text
    assert KEY[8:20] not in trace and TOKEN not in trace and "My door is ***, my key ***." in trace


def test_what_a_model_says_of_it_is_in_no_trace(backend: FakeBackend, tmp_path: Path) -> None:
    backend.credentials.add(KEY)
    backend.script(answer(f"Your key is {KEY}."))
    with served(backend, tmp_path, OPENAI_API_KEY=KEY) as proxy:
        proxy.events(ask())
        assert proxy.trace()["answer"]["content"][0]["text"] == "Your key is ***."


def test_what_was_learnt_from_a_refusal_is_without_it_in_the_trace(backend: FakeBackend, tmp_path: Path) -> None:
    backend.credentials.add(KEY)
    backend.script(quoting(lambda said: error(400, None, f"Unsupported parameter: reasoning ({said})")), answer("Hi."))
    with served(backend, tmp_path, OPENAI_API_KEY=KEY) as proxy:
        proxy.events(ask(thinking={"type": "adaptive"}))
        trace = proxy.trace()
    assert "***" in trace["learned"][0] and KEY not in json.dumps(trace)


# What the user reads.


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("doctor",), ("models",), ("setup",)])
def test_no_command_shows_what_a_backend_quotes(
    words: tuple[str, ...],
    backend: FakeBackend,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in (("PROVIDER", "openai"), ("API_KEY", KEY), ("BASE_URL", backend.url)):
        monkeypatch.setenv(f"CLAUDEGPT_{name}" if name == "PROVIDER" else f"OPENAI_{name}", value)
    backend.credentials.add(KEY)
    backend.route(is_trial, quoting(lambda said: error(401, "invalid_api_key", f"Not a key of ours: {said}.")))
    backend.page("GET", "/v1/models", 404, {"error": {"message": f"Bearer {KEY} has no list."}})
    main.run(words)
    shown = "".join(capsys.readouterr())
    assert shown and KEY[8:20] not in shown


def test_a_login_server_that_quotes_the_tokens_is_not_passed_on(
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


def test_a_bug_is_said_without_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(words: object) -> int:
        raise LookupError(f"no {Secret(KEY).reveal()}")

    monkeypatch.setattr(main, "dispatch", fail)
    monkeypatch.setenv("CLAUDEGPT_DEBUG", "1")
    assert main.run([]) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown and shown.count("no ***") == 2 and KEY[8:20] not in shown
