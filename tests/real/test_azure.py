"""Azure with the real Claude Code: a deployment of which nobody knows what it lacks, and Entra ID instead of a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.real.session import Session
from tests.support.fakes.answers import answer, call, reasoning
from tests.support.fakes.backend import FakeBackend
from tests.support.fakes.deployment import Deployment
from tests.support.fakes.identity import FakeIdentity, az

# No hosted search, no encrypted reasoning, two levels of effort, and not a word about any of it.
POOR = Deployment("", efforts=("low", "medium"), tells_levels=False, search="silent", blob="none")
REFUSING = Deployment("", efforts=("low", "medium"), search="refused", blob="refused")


@contextmanager
def resource(session: Session, deployment: Deployment, *, key: str | None = "test-key") -> Iterator[FakeBackend]:
    """An Azure resource that the environment alone describes: no wizard was there, nothing was tried."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        del session.env[name]
    with FakeBackend("azure", deployments={"mine": deployment}) as backend:
        session.env |= {
            "CLAUDEGPT_PROVIDER": "azure",
            "AZURE_OPENAI_ENDPOINT": backend.origin,
            "AZURE_OPENAI_CHAT_DEPLOYMENT": "mine",
            **({"AZURE_OPENAI_API_KEY": key} if key else {}),
        }
        yield backend
        backend.check()


def outputs(items: Sequence[Mapping[str, Any]]) -> str:
    return str([item["output"] for item in items if item["type"] == "function_call_output"])


@pytest.mark.parametrize("deployment", [POOR, REFUSING])
def test_a_session_over_a_deployment_that_lacks_everything(session: Session, deployment: Deployment) -> None:
    with resource(session, deployment) as backend:
        backend.script(
            answer(reasoning("Hm."), call("Bash", command="echo seen > note.txt", description="Note it")),
            answer(reasoning("So."), call("WebSearch", query="plums")),
        )
        if deployment.search == "silent":
            backend.script(answer("I cannot search the web."))
        backend.script(answer(reasoning("Well."), "Noted, not searched."), answer("Again."))
        ran = session.run("Note it and search", "--allowedTools", "Bash,WebSearch", "--effort", "max")
        assert (ran.status, ran.stdout, ran.stderr) == (0, "Noted, not searched.\n", "")
        assert (session.work / "note.txt").read_text() == "seen\n"
        last = backend.requests[-1]
        assert "cannot" in outputs(last.items) and not last.of_type("reasoning")
        assert {request.body["reasoning"]["effort"] for request in backend.requests} <= {"low", "medium"}
        met = len(backend.lacked)
        assert session.run("And again", "--effort", "max").stdout == "Again.\n"
        assert len(backend.lacked) == met, "what the first session met, the second knows"


def test_reasoning_whose_blob_comes_last_of_all_hides_no_answer(session: Session) -> None:
    """`-p` prints the last block of the last message: that must be the text."""
    with resource(session, Deployment(blob="completed")) as backend:
        look = call("Bash", command="echo seen", description="Look")
        backend.script(answer(reasoning("Hm."), look), answer(reasoning("So."), "Seen."))
        assert session.run("Look", "--allowedTools", "Bash").stdout == "Seen.\n"
        [replayed] = backend.requests[1].of_type("reasoning")
        assert replayed["encrypted_content"]
        backend.script(answer(reasoning("Well."), "Again."), answer(reasoning("Yes."), "And again."))
        assert session.run("Again", "--continue", "--output-format", "json").result["result"] == "Again."
        assert session.run("And again", "--continue").stdout == "And again.\n"
        assert [item["encrypted_content"] for item in backend.requests[-1].of_type("reasoning")] == [
            replayed["encrypted_content"]
        ]


# Entra ID.


def test_a_managed_identity_is_all_it_needs(session: Session) -> None:
    with resource(session, Deployment(), key=None) as backend, FakeIdentity() as identity:
        backend.credentials = identity  # type: ignore[assignment]
        session.env |= identity.environ
        backend.script(answer(call("Bash", command="echo ready", description="Say it")), answer("It is ready."))
        ran = session.run("Say it", "--allowedTools", "Bash")
        assert (ran.status, ran.stdout, ran.stderr) == (0, "It is ready.\n", "")
    assert {request.headers["authorization"] for request in backend.requests} == {f"Bearer {identity.tokens[0]}"}
    assert len(identity.tokens) == 1 and not any("api-key" in request.headers for request in backend.requests)


def test_what_az_login_left_is_enough(session: Session, tmp_path: Path) -> None:
    with resource(session, Deployment(), key=None) as backend:
        backend.credentials = {"az-token"}
        session.env |= {"AZURE_TOKEN_CREDENTIALS": "dev", "PATH": f"{az(tmp_path / 'bin')}:{session.env['PATH']}"}
        backend.script(answer("Here."))
        assert session.run("Are you there?").stdout == "Here.\n"


def test_without_any_login_one_sentence_says_what_to_do(session: Session) -> None:
    with resource(session, Deployment(), key=None):
        session.env |= {
            "AZURE_TOKEN_CREDENTIALS": "dev"
        }  # or the test would look for a managed identity beyond loopback
        ran = session.run("Are you there?")
        assert ran.status == 1
        assert "there is no Azure login on this machine" in ran.stdout and "Run `az login`" in ran.stdout
        assert "DefaultAzureCredential" not in ran.stdout + ran.stderr
        asked = session.command("status")
        assert asked.status == 3 and "Run `az login`" in asked.stderr and "DefaultAzure" not in asked.stderr
