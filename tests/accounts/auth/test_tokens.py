from __future__ import annotations

import json
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from filelock import FileLock

from claudegpt_pkg.accounts.auth.login_server import LoginServer
from claudegpt_pkg.accounts.auth.oauth import Grant
from claudegpt_pkg.accounts.auth.tokens import ROOM, TokenFile, Tokens, codex_file, own_file
from claudegpt_pkg.errors import BadSetting, ClaudegptError, NotLoggedIn, UpstreamFailed
from claudegpt_pkg.files import is_exposed
from claudegpt_pkg.secret import Secret
from tests.support import auth_files, killed
from tests.support.fakes import codex
from tests.support.fakes.backend import DEADLINE
from tests.support.fakes.login import FakeLogin, jwt

ROOT = Path(__file__).parents[3]
AUTH = "https://api.openai.com/auth"


@pytest.fixture
def server() -> Iterator[FakeLogin]:
    with FakeLogin(strict=True) as fake:
        yield fake
        fake.check()


def refresher(server: FakeLogin) -> Any:
    return LoginServer(server.url).refresh


def never(refresh: Secret) -> Grant:
    raise AssertionError("nothing should be asked")


def lives(server: FakeLogin, tokens: Tokens) -> bool:
    headers = {"authorization": f"Bearer {tokens.access.reveal()}", "chatgpt-account-id": tokens.account_id or ""}
    return httpx.get(f"{server.url}/backend", headers=headers).status_code == 200


# Reading.


def test_both_generations_of_codex_files_are_read(tmp_path: Path) -> None:
    tokens = {"id_token": "i", "access_token": "a", "refresh_token": "r", "account_id": "acc"}
    older = auth_files.codex(tmp_path / "1", {"OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": "x"})
    newer = auth_files.codex(tmp_path / "2", {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens})
    assert older.read() == newer.read() == Tokens(Secret("a"), Secret("r"), Secret("i"), "acc")
    assert older.api_key() is None and newer.api_key() is None


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"auth_mode": "apikey", "OPENAI_API_KEY": "sk-1"}, "sk-1"),
        ({"OPENAI_API_KEY": "sk-1"}, "sk-1"),
        ({"OPENAI_API_KEY": "sk-1", "tokens": {"access_token": "a"}}, "sk-1"),
        ({"auth_mode": "chatgpt", "OPENAI_API_KEY": "sk-1", "tokens": {"access_token": "a"}}, None),
        ({"OPENAI_API_KEY": None, "tokens": {"access_token": "a"}}, None),
    ],
)
def test_a_key_in_codexs_file_counts_when_its_mode_says_so(tmp_path: Path, document: Any, key: str | None) -> None:
    found = auth_files.codex(tmp_path, document).api_key()
    assert (found.reveal() if found else None) == key


def test_a_kind_of_login_that_cannot_be_shared_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotLoggedIn, match="cannot share \\(agentIdentity\\)"):
        auth_files.codex(tmp_path, {"auth_mode": "agentIdentity"}).api_key()


def test_the_account_is_the_files_then_the_claims() -> None:
    claims = Secret(jwt({AUTH: {"chatgpt_account_id": "claimed", "organizations": [{"id": "org"}]}}))
    assert Tokens(claims, stated_account="stated").account_id == "stated"
    assert Tokens(claims).account_id == "claimed"
    assert Tokens(Secret("opaque"), id_token=claims).account_id == "claimed"
    assert Tokens(Secret("opaque")).account_id is None


def test_tokens_do_not_print_themselves() -> None:
    shown = repr(Tokens(Secret("s3cret"), Secret("s3cret"), Secret("s3cret"), "acc"))
    assert "s3cret" not in shown


@pytest.mark.parametrize("document", ["", "{", '{"tokens": {"access_token": "abc', "[]", "null", "\x00" * 100])
def test_a_file_that_is_not_whole_is_said_and_kept(tmp_path: Path, document: str) -> None:
    file = auth_files.own(tmp_path, document)
    with pytest.raises(NotLoggedIn, match=r"chatgpt.json is incomplete or not JSON. Run `claudegpt login`"):
        file.read()
    assert file.path.read_text() == document


@pytest.mark.parametrize(
    "document", [{}, {"tokens": None}, {"tokens": {}}, {"tokens": {"access_token": ""}}, {"tokens": 5}]
)
def test_a_file_without_tokens_holds_no_login(tmp_path: Path, document: Any) -> None:
    with pytest.raises(NotLoggedIn, match="holds no ChatGPT login"):
        auth_files.own(tmp_path, document).read()


@pytest.mark.parametrize(
    "document",
    [
        {"tokens": {"access_token": "a\r\nx: y"}},
        {"tokens": {"access_token": "\ud800"}},
        {"tokens": {"access_token": "é"}},
        {"tokens": {"access_token": ["a"]}},
        "[" * 100_000,
        '{"tokens":' * 100_000,
        '{"tokens": {"access_token": ' + "9" * 10_000 + "}}",
    ],
    ids=range(7),
)
def test_a_file_that_holds_nonsense_holds_no_login(tmp_path: Path, document: Any) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(NotLoggedIn):
        auth_files.own(tmp_path, text).read()


def test_names_in_a_login_that_cannot_be_shown_or_sent_are_left_out(tmp_path: Path) -> None:
    odd = {
        "email": "ann\x1b]52;c;aGk=\x07@example.com",
        AUTH: {
            "chatgpt_account_id": "acc\r\nx: y",
            "chatgpt_plan_type": "pl\u202eus",
            "chatgpt_account_is_fedramp": "yes",
        },
        "exp": 10**400,
        "iat": "soon",
    }
    tokens = {"access_token": jwt(odd), "account_id": "acc\nount"}
    found = auth_files.own(tmp_path, {"tokens": tokens}).read()
    assert (found.account_id, found.plan, found.email, found.fedramp, found.expires_at) == (None,) * 3 + (False, None)


@pytest.mark.parametrize("config", ["a = " + "[" * 5000, 'cli_auth_credentials_store = ["keyring"]', "\udcff"])
def test_a_codex_config_of_nonsense_explains_no_less(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.toml").write_text(config, errors="surrogateescape")
    with pytest.raises(NotLoggedIn, match="Run `codex login`"):
        codex_file(tmp_path / "auth.json").read()


def test_no_file_is_no_login_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotLoggedIn, match=r"There is no login .* Run `claudegpt login`"):
        own_file(tmp_path / "data").read()
    assert not (tmp_path / "data").exists()


def test_a_codex_login_that_is_missing_is_explained(tmp_path: Path) -> None:
    with pytest.raises(NotLoggedIn, match="Run `codex login`"):
        codex_file(tmp_path / "auth.json").read()


@pytest.mark.parametrize("store", ["keyring", "auto"])
def test_a_codex_login_in_the_keyring_is_explained(tmp_path: Path, store: str) -> None:
    (tmp_path / "config.toml").write_text(f'model = "x"\ncli_auth_credentials_store = "{store}"\n')
    with pytest.raises(
        NotLoggedIn, match=r'keyring.*cli_auth_credentials_store = "file".*codex login.*claudegpt login'
    ):
        codex_file(tmp_path / "auth.json").read()


def test_a_broken_codex_config_explains_no_less(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("this is = not = toml")
    with pytest.raises(NotLoggedIn, match="Run `codex login`"):
        codex_file(tmp_path / "auth.json").read()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_of_ours_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    file = auth_files.own(tmp_path, {"tokens": {"access_token": "a"}})
    file.path.chmod(mode)
    assert is_exposed(file.path)
    with pytest.raises(BadSetting, match=r"can be read by other users.*chmod 600"):
        file.read()


def test_codexs_own_file_is_used_as_codex_keeps_it(tmp_path: Path) -> None:
    file = auth_files.codex(tmp_path, {"tokens": {"access_token": "a"}})
    file.path.chmod(0o644)
    assert is_exposed(file.path) and file.read().access == Secret("a")


def test_a_folder_in_the_files_place_is_said(tmp_path: Path) -> None:
    own_file(tmp_path).path.mkdir()
    own_file(tmp_path).path.chmod(0o700)
    with pytest.raises(BadSetting, match="Is a directory"):
        own_file(tmp_path).read()


# Renewing.


def test_a_renewal_saves_the_next_refresh_token_and_keeps_what_it_does_not_know(
    tmp_path: Path, server: FakeLogin
) -> None:
    file = auth_files.codex(tmp_path, server.log_in(agent_identity={"kept": 1}))
    before = auth_files.content(file)
    renewed = file.renew(file.read(), refresher(server))
    after = auth_files.content(file)
    assert after["tokens"]["refresh_token"] == server.logins[0].refresh != before["tokens"]["refresh_token"]
    assert file.read() == renewed and lives(server, renewed)
    assert (
        after["agent_identity"] == {"kept": 1} and after["auth_mode"] == "chatgpt" and after["OPENAI_API_KEY"] is None
    )
    assert after["tokens"]["account_id"] == before["tokens"]["account_id"]
    assert after["last_refresh"].endswith("Z")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_an_unknown_key_beside_the_tokens_is_kept(tmp_path: Path, server: FakeLogin) -> None:
    document = server.log_in()
    document["tokens"]["dpop_key"] = "kept"
    file = auth_files.codex(tmp_path, document)
    file.renew(file.read(), refresher(server))
    assert auth_files.content(file)["tokens"]["dpop_key"] == "kept"


def test_a_renewal_that_brings_no_refresh_token_keeps_the_old_one(tmp_path: Path, server: FakeLogin) -> None:
    server.rotates = False
    file = auth_files.own(tmp_path, server.log_in())
    before = file.read()
    renewed = file.renew(before, refresher(server))
    assert renewed.refresh == before.refresh == file.read().refresh and renewed.access != before.access


@pytest.mark.parametrize(("make", "mode"), [(auth_files.own, 0o700), (auth_files.codex, 0o775)])
def test_a_renewal_closes_claudegpts_own_folder_and_not_codexs(
    tmp_path: Path, server: FakeLogin, make: Callable[..., TokenFile], mode: int
) -> None:
    file = make(tmp_path, server.log_in())
    file.path.parent.chmod(0o775)
    file.renew(file.read(), refresher(server))
    assert file.path.parent.stat().st_mode & 0o777 == mode


def test_what_somebody_else_renewed_is_adopted_without_asking(tmp_path: Path, server: FakeLogin) -> None:
    file = auth_files.codex(tmp_path, server.log_in())
    stale = file.read()
    codex.save(file.path, codex.ask(server.url, stale.refresh.reveal() if stale.refresh else ""))
    assert file.renew(stale, never) == file.read() != stale


def test_an_older_file_never_replaces_newer_tokens_in_memory(tmp_path: Path, server: FakeLogin) -> None:
    """As after renewals that could not be saved."""
    file = auth_files.own(tmp_path, server.log_in())
    old = file.path.read_text()
    tokens = file.read()
    for _ in range(3):
        tokens = file.renew(tokens, refresher(server))
        file.path.write_text(old)
    again = file.renew(tokens, refresher(server))
    assert server.reused == 0 and again == file.read() and lives(server, again)


def test_a_login_as_somebody_else_is_never_overwritten_by_the_old_one(tmp_path: Path, server: FakeLogin) -> None:
    """Whenever their tokens end: those of another plan may live less long."""
    file = auth_files.own(tmp_path, server.log_in())
    stale = file.read()
    server.account, server.lifetime = "account-2", 60
    server.clock = lambda: time.time() - 3000
    auth_files.own(tmp_path, server.log_in())
    assert file.renew(stale, never).account_id == "account-2"


def test_codex_being_quicker_by_a_moment_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks after we have read and before our question arrives, and saves only later."""
    monkeypatch.setattr(
        "claudegpt_pkg.accounts.auth.tokens.LOOKS", (0.0, *[0.02] * 1000)
    )  # it may be kept from its saving
    with FakeLogin() as server:
        file = auth_files.codex(tmp_path, server.log_in())
        stale = file.read()
        saved = threading.Event()

        def save(given: dict[str, Any]) -> None:
            codex.save(file.path, given)
            saved.set()

        def quicker() -> None:
            server.before_refresh = lambda: None
            given = codex.ask(server.url, stale.refresh.reveal() if stale.refresh else "")
            threading.Timer(0.1, save, [given]).start()

        server.before_refresh = quicker
        found = file.renew(stale, refresher(server))
        assert saved.wait(DEADLINE) and server.reused == 1
        assert found == file.read() and lives(server, found)


def test_codex_in_the_middle_of_writing_is_waited_for(tmp_path: Path, server: FakeLogin) -> None:
    """It has read the file and will write it again: what we saved in between would be gone."""
    file = auth_files.codex(tmp_path, server.log_in())
    reading, ours_is_saved = threading.Event(), threading.Event()

    def change(document: dict[str, Any]) -> dict[str, Any]:
        reading.set()
        ours_is_saved.wait(0.2)
        return {**document, "codex": "was here"}

    other = threading.Thread(target=lambda: codex.rewrite(file.path, change, in_place=False))

    def ask(refresh: Secret) -> Grant:
        other.start()
        assert reading.wait(DEADLINE)
        return LoginServer(server.url).refresh(refresh)

    renewed = file.renew(file.read(), ask)
    ours_is_saved.set()
    other.join(DEADLINE)
    assert file.read() == renewed and auth_files.content(file)["codex"] == "was here"


def test_a_login_made_while_we_asked_is_not_overwritten(tmp_path: Path, server: FakeLogin) -> None:
    file = auth_files.codex(tmp_path, server.log_in())
    other = server.log_in()

    def ask(refresh: Secret) -> Grant:
        granted = LoginServer(server.url).refresh(refresh)
        file.path.write_text(json.dumps(other))
        return granted

    assert file.renew(file.read(), ask).access == Secret(other["tokens"]["access_token"])
    assert auth_files.content(file) == other


def test_a_logout_while_we_asked_is_not_undone(tmp_path: Path, server: FakeLogin) -> None:
    file = auth_files.own(tmp_path, server.log_in())

    def ask(refresh: Secret) -> Grant:
        file.path.unlink()
        return LoginServer(server.url).refresh(refresh)

    with pytest.raises(NotLoggedIn):
        file.renew(file.read(), ask)
    assert not file.path.exists()


def test_a_file_cut_off_while_we_asked_is_made_whole(tmp_path: Path, server: FakeLogin) -> None:
    file = auth_files.own(tmp_path, server.log_in(kept=1))

    def ask(refresh: Secret) -> Grant:
        file.path.write_text('{"tokens": {"acc')
        return LoginServer(server.url).refresh(refresh)

    assert file.renew(file.read(), ask) == file.read() and auth_files.content(file)["kept"] == 1


@pytest.mark.parametrize(
    ("status", "body", "raised"),
    [
        (503, {"error": {"code": "server_error"}}, UpstreamFailed),
        (200, "<html>sign in to the hotel</html>", UpstreamFailed),
        (401, {"error": {"code": "refresh_token_expired"}}, NotLoggedIn),
        (400, {"error": "invalid_grant"}, NotLoggedIn),
    ],
)
def test_a_failed_renewal_leaves_the_file_alone(
    tmp_path: Path, server: FakeLogin, status: int, body: Any, raised: type[ClaudegptError]
) -> None:
    file = auth_files.own(tmp_path, server.log_in())
    before = file.path.read_bytes()
    server.say("/oauth/token", status, body)
    with pytest.raises(raised) as caught:
        file.renew(file.read(), refresher(server))
    assert file.path.read_bytes() == before and caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chatgpt.json", "chatgpt.json.lock"]


def test_a_login_server_that_is_away_leaves_the_file_alone(tmp_path: Path, server: FakeLogin) -> None:
    file = auth_files.own(tmp_path, server.log_in())
    before = file.path.read_bytes()
    with pytest.raises(UpstreamFailed, match="cannot be reached"):
        file.renew(file.read(), LoginServer("http://127.0.0.1:1").refresh)
    assert file.path.read_bytes() == before


def test_a_login_without_a_refresh_token_cannot_be_renewed(tmp_path: Path) -> None:
    file = auth_files.own(tmp_path, {"tokens": {"access_token": "a"}})
    with pytest.raises(NotLoggedIn, match="no refresh token"):
        file.renew(file.read(), never)


def test_on_a_full_disk_the_old_token_is_not_spent(tmp_path: Path, server: FakeLogin) -> None:
    file = auth_files.own(tmp_path, server.log_in())
    with auth_files.disk_with(ROOM // 2), pytest.raises(BadSetting, match="Make room"):
        file.renew(file.read(), never)
    assert lives(server, file.renew(file.read(), refresher(server)))


def test_a_disk_that_fails_after_all_costs_no_more_than_the_file(tmp_path: Path, server: FakeLogin) -> None:
    file = auth_files.own(tmp_path, server.log_in())
    before = file.path.read_bytes()

    def ask(refresh: Secret) -> Grant:
        granted = LoginServer(server.url).refresh(refresh)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return granted

    with auth_files.disk_with(10 * ROOM):
        renewed = file.renew(file.read(), ask)
    assert lives(server, renewed) and file.path.read_bytes() == before
    assert lives(server, file.renew(renewed, refresher(server))) and server.reused == 0
    assert file.path.read_bytes() != before


def test_a_new_login_replaces_a_file_nobody_can_use(tmp_path: Path, server: FakeLogin) -> None:
    file = auth_files.own(tmp_path, "{cut off")
    file.path.chmod(0o644)
    given = server.log_in()["tokens"]
    tokens = file.log_in(lambda: Grant(Secret(given["access_token"]), Secret(given["refresh_token"]), None))
    assert file.read().access == tokens.access and not is_exposed(file.path)


# Many at once.


def renewer(file: TokenFile, server: FakeLogin, times: int) -> subprocess.Popen[str]:
    kind = "codex" if file.shared else "own"
    command = [sys.executable, "-m", "tests.support.renewer", str(file.path), server.url, str(times), kind]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(renewers: list[subprocess.Popen[str]]) -> None:
    for process in renewers:
        _, problems = process.communicate(timeout=120)
        assert process.returncode == 0, problems


def test_two_processes_renew_one_token_200_times_and_never_send_one_twice(tmp_path: Path, server: FakeLogin) -> None:
    file = auth_files.own(tmp_path, server.log_in())
    finish([renewer(file, server, 100) for _ in range(2)])
    assert (server.renewals, server.reused) == (200, 0)
    assert auth_files.content(file)["tokens"]["refresh_token"] == server.logins[0].refresh
    assert lives(server, file.read())


def test_two_processes_and_codex_between_them_lose_nothing(tmp_path: Path, server: FakeLogin) -> None:
    """Codex rewrites its file at any time, in both its manners; it renews whenever nobody else is at it."""
    file = auth_files.codex(tmp_path, server.log_in(rewritten=0))
    running = [renewer(file, server, 100) for _ in range(2)]
    rewritten = renewed = 0
    while any(process.poll() is None for process in running):
        codex.rewrite(
            file.path, lambda found: {**found, "rewritten": found["rewritten"] + 1}, in_place=rewritten % 2 == 0
        )
        rewritten += 1
        if rewritten % 5 == 0:
            with FileLock(f"{file.path}.claudegpt.lock"):
                refresh = json.loads(file.path.read_bytes())["tokens"]["refresh_token"]
                codex.save(file.path, codex.ask(server.url, refresh), in_place=rewritten % 10 == 0)
                renewed += 1
    finish(running)
    assert (server.renewals, server.reused) == (200 + renewed, 0)
    assert renewed and auth_files.content(file)["rewritten"] == rewritten
    assert auth_files.content(file)["tokens"]["refresh_token"] == server.logins[0].refresh
    assert lives(server, file.read())


def test_one_waits_while_another_renews(tmp_path: Path, server: FakeLogin) -> None:
    file = auth_files.own(tmp_path, server.log_in())
    stale = file.read()
    asked, go = threading.Event(), threading.Event()

    def slowly(refresh: Secret) -> Grant:
        asked.set()
        assert go.wait(DEADLINE)
        return LoginServer(server.url).refresh(refresh)

    found: list[Tokens] = []
    first = threading.Thread(target=lambda: found.append(file.renew(stale, slowly)))
    second = threading.Thread(target=lambda: found.append(file.renew(stale, never)))
    first.start()
    assert asked.wait(DEADLINE)
    second.start()
    go.set()
    first.join(DEADLINE)
    second.join(DEADLINE)
    assert len(found) == 2 and found[0] == found[1] and server.renewals == 1


RENEWING = """
from collections.abc import Callable
from pathlib import Path
from claudegpt_pkg.accounts.auth.oauth import Grant
from claudegpt_pkg.accounts.auth.tokens import own_file
from claudegpt_pkg.secret import Secret

file = own_file(Path(sys.argv[1]))
tokens = file.read()
arm()
file.renew(tokens, lambda refresh: Grant(Secret("new-access"), Secret("new-refresh"), None))
"""


def test_killed_at_any_write_of_a_renewal_the_file_is_whole_and_nobody_is_kept_waiting(tmp_path: Path) -> None:
    old = {"tokens": {"access_token": "old-access", "refresh_token": "old-refresh"}, "kept": True}
    file = auth_files.own(tmp_path, old)

    def check() -> object:
        found = auth_files.content(file)
        file.renew(file.read(), lambda refresh: Grant(Secret("a"), Secret("r"), None))
        auth_files.write(file.path, old)
        return found["tokens"]["access_token"], found["tokens"]["refresh_token"], found["kept"]

    seen = killed.walk(RENEWING, tmp_path, check, least=8)
    assert seen == {("old-access", "old-refresh", True), ("new-access", "new-refresh", True)}
