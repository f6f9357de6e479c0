"""Images and files that a backend refuses: which of them, and what is sent instead."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.capabilities import Capabilities, media_digest
from claudegpt_pkg.upstream.error_report import Report
from claudegpt_pkg.upstream.refusals import learn_from
from claudegpt_pkg.upstream.refused_media import media_of

NOTHING = Capabilities()
PICTURE = {"type": "input_image", "image_url": "data:image/png;base64,AA"}
OTHER = {"type": "input_image", "image_url": "data:image/png;base64,BB"}
PDF = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,CC"}
ILLUSTRATED: dict[str, Any] = {
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "see"}, PICTURE, PDF]},
        {"type": "function_call", "call_id": "c", "name": "Read", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [OTHER]},
    ]
}
DIGESTS = {name: media_digest(url) for name, url in (("A", PICTURE["image_url"]), ("B", OTHER["image_url"]))}


def refused(message: str, body: dict[str, Any] = ILLUSTRATED, status: int = 400, **more: Any) -> Capabilities | None:
    replace_media = more.pop("replace_media", True)
    return learn_from(
        Report(status, message=message, **more), more.pop("known", NOTHING), body, replace_media=replace_media
    )


@pytest.mark.parametrize(
    "message",
    [
        "Output of tool call should be 'Input text'",  # llama.cpp
        "1 validation error for ResponseRequest",
        "Das geht so nicht.",
    ],
)
def test_a_refusal_that_names_no_place_is_worth_one_request_with_the_media_behind_the_outputs(message: str) -> None:
    assert refused(message) == Capabilities(media_in_outputs=False)
    assert refused(message, {"input": ILLUSTRATED["input"][:2]}) is None, "no medium is in an output"
    known = Capabilities(media_in_outputs=False)
    assert learn_from(Report(400, message=message), known, ILLUSTRATED) is None, "it did not help"


@pytest.mark.parametrize(
    "report",
    [
        Report(400, message="No.", param="tools[0].name"),
        Report(400, message="No.", code="content_filter"),
        Report(400, message="No.", code="invalid_prompt"),
        Report(400, message="The prompt is too long."),
        Report(401, message="No."),
        Report(500, message="No."),
    ],
)
def test_a_refusal_that_says_what_is_wrong_is_no_reason_to_guess(report: Report) -> None:
    assert learn_from(report, NOTHING, ILLUSTRATED) is None


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "This model does not support image inputs."),
        (404, "No endpoints found that support image input"),
        (400, "gpt-oss is not a multimodal model"),
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
        (400, "Invalid content type. image_url is only supported by certain models."),
    ],
)
def test_a_model_that_takes_no_images_is_sent_a_line_of_text_for_each(status: int, message: str) -> None:
    assert refused(message, status=status) == Capabilities(images=False)
    assert refused(message, status=status, replace_media=False) is None


def test_a_model_that_takes_no_files_may_take_images() -> None:
    assert refused("This model does not support PDF files.") == Capabilities(files=False)


@pytest.mark.parametrize(
    ("param", "digests"),
    [
        ("input[0].content[1].image_url", {"A"}),
        ("input[2].output[0].image_url", {"B"}),
        ("input", {"A", "B"}),
        ("", {"A", "B"}),
    ],
)
def test_an_image_that_is_broken_is_left_out_by_its_place(param: str, digests: set[str]) -> None:
    learned = refused("The image data you provided does not represent a valid image.", param=param)
    assert learned == Capabilities(refused_media=frozenset(DIGESTS[name] for name in digests))
    words = "The image data you provided does not represent a valid image."
    assert refused(words, param=param, replace_media=False) is None


def test_an_image_that_is_refused_in_an_output_goes_behind_it_first() -> None:
    words = "Images are only supported in user messages."
    assert refused(words) == Capabilities(media_in_outputs=False)
    known = Capabilities(media_in_outputs=False)
    assert learn_from(Report(400, message=words), known, ILLUSTRATED) == Capabilities(
        media_in_outputs=False, images=False
    )


def test_each_medium_is_found_with_its_place() -> None:
    found = [(medium.kind, medium.item, medium.part, medium.in_output) for medium in media_of(ILLUSTRATED)]
    assert found == [("image", 0, 1, False), ("file", 0, 2, False), ("image", 2, 0, True)]
    assert media_of({"input": [{"type": "message", "content": "text"}]}) == []
