"""What a backend refuses within a session, through the real client: the session goes on without it."""

from __future__ import annotations

import pytest

from tests.real.session import Session
from tests.real.test_translation import PDF, parts, png
from tests.support.fakes.answers import HttpError, answer, call, error
from tests.support.fakes.backend import FakeBackend, Request

BAD_IMAGE = error(400, "invalid_value", "The image data you provided does not represent a valid image.", param="input")
NO_IMAGES = error(400, None, "This model does not support image inputs.")
NO_FILES = error(400, None, "This model does not support PDF files.")
MOST_REQUESTS = 4  # the call, what it returned, and one or two without what is refused; a dead session asks seven times


def holds(request: Request, kind: str) -> bool:
    return bool(parts(request, kind))


@pytest.mark.every_version("the versions drop a refused image in their own ways")
@pytest.mark.parametrize("refusal", [BAD_IMAGE, NO_IMAGES], ids=["broken", "not taken"])
def test_an_image_that_is_refused_does_not_end_the_session(
    session: Session, backend: FakeBackend, refusal: HttpError
) -> None:
    (session.work / "red.png").write_bytes(png())
    backend.route(lambda request: holds(request, "input_image"), lambda _: refusal)
    backend.script(answer(call("Read", file_path=str(session.work / "red.png"))), answer("I cannot see it."))
    ran = session.run("What is on red.png?", "--allowedTools", "Read")
    assert (ran.status, ran.stdout) == (0, "I cannot see it.\n")
    assert len(backend.requests) + len(backend.side) <= MOST_REQUESTS


@pytest.mark.every_version("the versions drop a refused document in their own ways")
def test_a_pdf_that_is_refused_does_not_end_the_session(session: Session, backend: FakeBackend) -> None:
    (session.work / "answer.pdf").write_bytes(PDF)
    backend.route(lambda request: holds(request, "input_file"), lambda _: NO_FILES)
    backend.script(answer(call("Read", file_path=str(session.work / "answer.pdf"))), answer("I cannot read it."))
    ran = session.run("What does answer.pdf say?", "--allowedTools", "Read")
    assert (ran.status, ran.stdout) == (0, "I cannot read it.\n")
    assert len(backend.requests) + len(backend.side) <= MOST_REQUESTS


def test_a_prompt_that_is_too_long_in_any_words_is_said_to_be(session: Session, backend: FakeBackend) -> None:
    backend.route(lambda _: True, error(400, None, "Prompt exceeds max length"))
    ran = session.run("Hi")
    assert ran.status == 1 and "too long" in ran.stdout.lower()
