"""What the user brings along is in force, and what they have is theirs afterwards: settings and options of their own
beside ours, a private configuration, a model picked in /model."""

from __future__ import annotations

import json
import os
import re
import signal
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.home import know_the_account, settings_of
from tests.real.screen import Screen
from tests.real.session import ROOT, Session, leave, start
from tests.support.fakes.answers import answer, call
from tests.support.fakes.backend import FakeBackend, wait_until

THEIRS = '{"model":  "haiku"}'


# Beside ours.


def bash_that_tells(variable: str) -> Any:
    return call("Bash", command=f"echo told ${variable}", description="Tell")


@pytest.mark.parametrize("given", ["file", "JSON", "twice"])
def test_settings_of_the_users_own_hold_beside_ours(session: Session, backend: FakeBackend, given: str) -> None:
    """Their environment, hooks and permissions; Bash needs no leave, and Read has none."""
    hook = {"hooks": [{"type": "command", "command": f"touch {session.work}/hooked"}]}
    settings = json.dumps(
        {
            "env": {"THEIRS": "v4lue"},
            "hooks": {"PreToolUse": [{"matcher": "Bash", **hook}]},
            "permissions": {"allow": ["Bash"], "deny": ["Read"]},
        }
    )
    (session.work / "their.json").write_text(settings)
    words = {
        "file": ["--settings", "their.json"],
        "JSON": ["--settings", settings],
        "twice": ["--settings", '{"permissions": {"deny": ["Bash"]}}', "--settings=their.json"],
    }
    read = call("Read", file_path=str(session.work / "their.json"))
    backend.script(answer(bash_that_tells("THEIRS")), answer(read), answer("Done."))
    assert session.run("Go", *words[given]).stdout == "Done.\n"
    first, second = (item["output"] for item in backend.requests[2].of_type("function_call_output"))
    assert first == "told v4lue"
    assert (session.work / "hooked").exists()
    assert "No such tool" in second or "denied" in second or "permission" in second


def test_a_prompt_agents_servers_and_plugins_of_the_users_own_reach_the_model(
    session: Session, backend: FakeBackend
) -> None:
    plugin = session.work / "plugin"
    (plugin / ".claude-plugin").mkdir(parents=True)
    (plugin / ".claude-plugin" / "plugin.json").write_text('{"name": "handy", "version": "1.0.0", "description": "x"}')
    (plugin / "skills" / "juggle").mkdir(parents=True)
    skill = "---\nname: juggle\ndescription: Juggles five balls.\n---\nJuggle.\n"
    (plugin / "skills" / "juggle" / "SKILL.md").write_text(skill)
    server = {"command": sys.executable, "args": ["-m", "tests.real.mcp_server", "1"], "env": {"PYTHONPATH": str(ROOT)}}
    state = session.home / ".claude.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "mcpServers": {"not-this-time": server}}))
    agents = {"gardener": {"description": "Waters the plants.", "prompt": "Water."}}
    options = {
        "--append-system-prompt": "Always answer in Esperanto.",
        "--agents": json.dumps(agents),
        "--mcp-config": json.dumps({"mcpServers": {"registers": server}}),
        "--plugin-dir": str(plugin),
    }
    backend.script(answer("Jes."))
    words = [word for option in options.items() for word in option]
    session.run("Go", *words, "--strict-mcp-config", env={"CLAUDEGPT_TOOL_SEARCH": "0"})
    asked = backend.requests[0].raw.decode()
    for expected in ("answer in Esperanto", "Waters the plants", "mcp__registers__look_up_0", "Juggles five balls"):
        assert expected in asked
    assert "not-this-time" not in asked


@pytest.mark.parametrize(("sources", "model"), [("user,project", "gpt-6-luna"), ("project,local", "gpt-6.1-sol")])
def test_settings_files_the_user_leaves_out_are_left_out(
    session: Session, backend: FakeBackend, sources: str, model: str
) -> None:
    env = {"THEIRS": "v4lue", "ANTHROPIC_CUSTOM_HEADERS": "x-evil: 1"}
    settings_of(session).write_text(json.dumps({"model": "haiku", "env": env}))
    backend.script(answer(bash_that_tells("THEIRS")), answer("Done."))
    ran = session.run("Go", "--setting-sources", sources, "--allowedTools", "Bash")
    assert ("Ignored for this session" in ran.stderr) == ("user" in sources)
    assert {request.body["model"] for request in backend.requests} == {model}
    [output] = backend.requests[1].of_type("function_call_output")
    assert output["output"] == ("told v4lue" if "user" in sources else "told")


# Against us.


class Traps:
    """Addresses of the user's setup, each of which notes who connects to it."""

    def __init__(self) -> None:
        self.caught: list[str] = []
        self._servers: list[socketserver.TCPServer] = []

    def address(self, name: str) -> str:
        caught = self.caught

        class Noting(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                caught.append(f"{name}: {self.request.recv(200)!r}")

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Noting)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def traps() -> Iterator[Traps]:
    traps = Traps()
    yield traps
    traps.close()


def hostile_home(session: Session, address: Callable[[str], str]) -> list[Path]:
    """What every other setup could leave behind, in every place Claude Code reads; the files."""
    users = {
        "ANTHROPIC_BASE_URL": address("the user's"),
        "ANTHROPIC_AUTH_TOKEN": "theirs",
        "ANTHROPIC_CUSTOM_HEADERS": "x-evil: 1",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "ANTHROPIC_BEDROCK_BASE_URL": address("Bedrock"),
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "CLAUDE_CODE_USE_FOUNDRY": "1",
        "ANTHROPIC_FOUNDRY_BASE_URL": address("Foundry"),
        "ANTHROPIC_FOUNDRY_API_KEY": "c",
        "HTTP_PROXY": address("the proxy of the settings"),
        "HTTPS_PROXY": address("the other proxy of the settings"),
        "ANTHROPIC_SMALL_FAST_MODEL": "claude-3-5-haiku-latest",
    }
    project = {
        "ANTHROPIC_BASE_URL": address("the project's"),
        "CLAUDE_CODE_USE_VERTEX": "1",
        "ANTHROPIC_VERTEX_BASE_URL": address("Vertex"),
        "ANTHROPIC_VERTEX_PROJECT_ID": "p",
        "CLOUD_ML_REGION": "r",
    }
    helpers = dict.fromkeys(("apiKeyHelper", "awsAuthRefresh"), f"touch {session.work}/helper-ran")
    login = {
        "accessToken": "sk-ant-oat01-x",
        "refreshToken": "r",
        "expiresAt": 4102444800000,
        "scopes": ["user:inference"],
    }
    account = {"accountUuid": "u", "emailAddress": "ann@example.com", "organizationUuid": "o"}
    responses = {"approved": ["theirs"], "rejected": []}
    state = session.home / ".claude.json"
    known = {"oauthAccount": account, "customApiKeyResponses": responses, "primaryApiKey": "sk-ant-k"}
    state.write_text(json.dumps({**json.loads(state.read_text()), **known}))
    folder, theirs = session.work / ".claude", settings_of(session).parent
    folder.mkdir()
    contents = {
        theirs / "settings.json": {"env": users, "model": "claude-sonnet-4-5", **helpers},
        theirs / ".credentials.json": {"claudeAiOauth": {**login, "subscriptionType": "max"}},
        folder / "settings.json": {"env": project, "apiKeyHelper": helpers["apiKeyHelper"]},
        folder / "settings.local.json": {"env": {"CLAUDE_CODE_OAUTH_TOKEN": "t"}, "model": "claude-haiku-4-5"},
    }
    for file, content in contents.items():
        file.write_text(json.dumps(content, indent=3) + "\n\n")
    return list(contents)


@pytest.mark.parametrize("how", ["-p", "--bare", "interface"])
def test_nothing_of_a_hostile_home_leads_elsewhere_and_all_of_it_stays(
    session: Session, backend: FakeBackend, traps: Traps, how: str
) -> None:
    files = hostile_home(session, traps.address)
    session.env |= {
        "ANTHROPIC_API_KEY": "theirs",
        "CLAUDE_CODE_USE_VERTEX": "1",
        "ANTHROPIC_BASE_URL": traps.address("the shell's"),
        "HTTP_PROXY": traps.address("the shell's proxy"),
        "NO_PROXY": "",
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",  # it asks github.com, like plain claude
    }
    before = [file.read_bytes() for file in files]
    backend.script(answer("Ours."))
    if how == "interface":
        with session.terminal() as screen:
            start(screen)
            screen.wait_for("Ignored for this session")
            screen.type("Whose?")
            screen.wait_for("Ours.")
            said = screen.text
            assert leave(screen) == 0
    else:
        ran = session.run("Whose?", *([how] if how == "--bare" else []))
        assert ran.stdout == "Ours.\n"
        said = ran.stderr
    assert said.count("Ignored for this session") == 1
    assert traps.caught == []
    assert not (session.work / "helper-ran").exists()
    assert [file.read_bytes() for file in files] == before
    assert backend.requests[0].body["model"] == "gpt-6-luna" and b"x-evil" not in backend.requests[0].raw


# Apart.


def whole(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Every file and folder: when it was changed, and what is in it."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


def test_isolated_all_that_claude_keeps_it_keeps_in_a_private_folder(session: Session, backend: FakeBackend) -> None:
    (session.home / ".claude").mkdir()
    (session.home / ".claude" / "CLAUDE.md").write_text("@more.md")
    (session.home / ".claude" / "more.md").write_text("Always answer in Esperanto.")
    state = session.home / ".claude.json"
    before = whole(session.home / ".claude"), state.read_bytes(), state.stat().st_mtime_ns
    backend.script(answer("Jes."), answer("Bone."))
    session.run("My word is kiwi.", "--isolate")
    session.run("And my word?", "--continue", env={"CLAUDEGPT_GLOBAL_ISOLATE": "1"})
    server = [sys.executable, "-m", "tests.real.mcp_server", "1"]
    session.command("--isolate", "mcp", "add", "--scope", "user", "registers", "--", *server)
    backend.script(answer("Unu."))
    session.run("How many?", "--isolate", env={"PROXY_MCP_SERVERS": "registers"})
    assert b"mcp__registers__look_up_0" in backend.requests[2].raw
    assert (whole(session.home / ".claude"), state.read_bytes(), state.stat().st_mtime_ns) == before
    assert all(b"Esperanto" in request.raw for request in backend.requests)
    assert b"kiwi" in backend.requests[1].raw
    private = session.home / "claudegpt" / "data" / "claude"
    assert private.stat().st_mode & 0o777 == 0o700
    assert "registers" in (private / ".claude.json").read_text()
    backend.script(answer("Yes."))
    session.run("And my word?", "--no-isolate", env={"CLAUDEGPT_GLOBAL_ISOLATE": "1"})
    assert whole(session.home / ".claude") != before[0]


# A model picked.


@pytest.fixture
def account(session: Session, backend: FakeBackend) -> None:
    del session.env["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"]  # 2.1.197 asks us for the list
    know_the_account(session, backend)
    settings_of(session).write_text(THEIRS)


def pick(screen: Screen, name: str) -> None:
    screen.type("/model")
    screen.wait_for("GPT-6 Luna")
    screen.wait_for("GPT-5.5")
    [row] = re.findall(rf"(\d)\. {name}", screen.text)[-1:]
    screen.send(row)
    screen.wait_for("Set model to")


def ours(session: Session) -> list[int]:
    return [pid for pid, words in session.processes() if "tests.real.tapped" in words]


def left(session: Session) -> list[str]:
    """What a session has started and is still there, besides the terminal's shell."""
    return [words for _, words in session.processes() if "--rcfile" not in words]


def kill(session: Session, screen: Screen, whom: str = "us") -> None:
    """Without a word, and wait for everything to be gone."""
    [pid] = ours(session)
    os.killpg(os.getpgid(pid), signal.SIGKILL) if whom == "our whole group" else os.kill(pid, signal.SIGKILL)
    assert screen.shell_status() == 137
    wait_until(lambda: not left(session), lambda: f"these to end: {left(session)}")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("whom", ["us", "our whole group"])
def test_killed_after_a_pick_we_leave_the_users_default_as_it_was(
    session: Session, backend: FakeBackend, whom: str
) -> None:
    with session.terminal() as screen:
        start(screen)
        pick(screen, "GPT-6 Astra")
        assert "gpt-6-astra" in settings_of(session).read_text()
        kill(session, screen, whom)
        assert settings_of(session).read_text() == THEIRS
    backend.script(answer("By Astra."))
    session.run("Who is it?")
    assert backend.requests[0].body["model"] == "gpt-6-astra"


@pytest.mark.usefixtures("account")
def test_killed_after_a_tier_was_picked_too(session: Session, backend: FakeBackend) -> None:
    with session.terminal() as screen:
        start(screen)
        screen.wait_for("GPT-6 Luna · low")  # in the status line: it is known what the session began with
        screen.type("/model sonnet")
        screen.wait_for("Set model to")
        screen.wait_for("GPT-6.1 Terra · high")
        assert '"sonnet"' in settings_of(session).read_text()
        kill(session, screen)
        assert settings_of(session).read_text() == THEIRS
    backend.script(answer("By Terra."))
    session.run("Who is it?")
    assert backend.requests[0].body["model"] == "gpt-6.1-terra"


@pytest.mark.usefixtures("account")
def test_two_sessions_with_different_picks_do_not_undo_each_other(session: Session, backend: FakeBackend) -> None:
    with session.terminal() as one, session.terminal() as two:
        start(one)
        pick(one, "GPT-6 Astra")
        start(two)
        pick(two, "GPT-5.5")
        assert leave(one) == 0
        assert settings_of(session).read_text() == THEIRS
        backend.script(answer("By 5.5."))
        two.type("Who is it?")
        two.wait_for("By 5.5.")
        assert leave(two) == 0
    assert settings_of(session).read_text() == THEIRS
    backend.script(answer("By 5.5 again."))
    session.run("And now?")
    assert [request.body["model"] for request in backend.requests] == ["gpt-5.5"] * 2


@pytest.mark.usefixtures("account")
def test_the_default_picked_again_is_what_the_next_session_starts_with(session: Session, backend: FakeBackend) -> None:
    for name in ("GPT-6 Astra", "GPT-6 Luna"):
        with session.terminal() as screen:
            start(screen)
            pick(screen, name)
            screen.wait_for(f"{name} ·")  # in the status line
            assert leave(screen) == 0
    backend.script(answer("By Luna."))
    session.run("Who is it?")
    assert backend.requests[0].body["model"] == "gpt-6-luna"
