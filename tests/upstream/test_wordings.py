"""Servers' own words, read outside quotation marks."""

from __future__ import annotations

import pytest

from claudegpt_pkg.upstream.error_report import Report
from claudegpt_pkg.upstream.wordings import (
    medium_refused,
    remove_quotes,
    says_at_capacity,
    says_model_lacks_medium,
    says_too_long,
)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("You said 'hello there'.", "You said ."),
        ("The model's input is `x`.", "The model's input is ."),
        ('It was cut: "and so on', "It was cut: "),
        ("litellm.BadRequestError: OpenAIException - No.", "No."),
    ],
)
def test_what_is_quoted_is_not_the_servers_own(message: str, words: str) -> None:
    assert remove_quotes(message) == words


def test_a_quoted_sentence_says_nothing() -> None:
    assert says_too_long("The prompt is too long.") and not says_too_long("You said 'The prompt is too long.'")
    assert says_at_capacity("The model is at capacity.") and not says_at_capacity("You said 'at capacity'.")


@pytest.mark.parametrize(
    ("report", "sent", "kind"),
    [
        (Report(message="Invalid image."), {"image"}, "image"),
        (Report(message="Invalid image."), {"file"}, None),
        (Report(message="Invalid PDF."), {"image", "file"}, "file"),
        (Report(message="No.", param="input[0].content[0].image_url"), {"image"}, "image"),
        (Report(message="Invalid image.", param="tools[0].name"), {"image"}, None),
        (Report(message="No.", code="invalid_image_format"), {"image"}, "image"),
        (Report(message="Hello."), {"image", "file"}, None),
    ],
)
def test_a_refusal_is_about_a_medium_that_was_sent(report: Report, sent: set[str], kind: str | None) -> None:
    assert medium_refused(report, sent) == kind


@pytest.mark.parametrize(
    ("message", "lacks"),
    [
        ("This model does not support images.", True),
        ("gpt-oss is not a multimodal model", True),
        ("At most 0 images may be provided.", True),
        ("The image is too small.", False),
        ("The image data you provided does not represent a valid image.", False),
    ],
)
def test_a_model_without_images_is_told_from_a_broken_image(message: str, lacks: bool) -> None:
    assert says_model_lacks_medium(message) is lacks
