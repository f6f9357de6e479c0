"""docs/configuration.md is what the declarations say."""

from tests.support.configuration import DOCUMENT, page


def test_the_page_is_printed_from_the_declarations() -> None:
    assert DOCUMENT.read_text() == page(), "run: python -m tests.support.configuration > docs/configuration.md"
