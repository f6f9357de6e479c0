from __future__ import annotations

import pytest

from claudegpt_pkg.demo.folder import choose_files, choose_note_name, fence, find_paths, first_lines, join, list_entries


@pytest.mark.parametrize(
    ("listing", "names"),
    [
        ("a.txt\nsrc/\n", ("a.txt", "src/")),
        ("/home/me/a.txt\n/home/me/src/b c.md", ("a.txt", "src/b c.md")),
        ("docs/a.txt\nb.txt", ("a.txt", "b.txt")),
        ("(Bash completed with no output)", ()),
        ("[no output]", ()),
        ("No files found", ()),
        ("a.txt\n\x1b[31mred\x1b[0m\na.txt", ("a.txt",)),
    ],
)
def test_names_are_read_from_a_listing(listing: str, names: tuple[str, ...]) -> None:
    assert list_entries(listing, (None, "docs/", "/home/me")) == names


def test_the_readme_is_opened_first_and_binaries_and_secrets_never() -> None:
    names = ["zebra.py", "README.md", "logo.png", "package.json", "credentials.json", "src/", "Makefile"]

    assert choose_files(names, 9) == ["README.md", "Makefile", "package.json", "zebra.py"]


def test_a_note_never_takes_a_name_that_is_there() -> None:
    assert choose_note_name(["claudegpt-demo-note.md", "claudegpt-demo-note-2.md"]) == "claudegpt-demo-note-3.md"


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        ("read a.txt, then src/main.py.", ["a.txt", "src/main.py"]),
        ("what is in ./docs/ and /etc/hosts?", ["./docs/", "/etc/hosts"]),
        ("see https://example.com/a.html", []),
        ("e.g. 3.5 of them, i.e. most", []),
        ("open .gitignore", [".gitignore"]),
        ("what is in this folder?", []),
        ("read `notes.md`", ["notes.md"]),
    ],
)
def test_paths_are_found_in_a_sentence(words: str, paths: list[str]) -> None:
    assert find_paths(words) == paths


@pytest.mark.parametrize(
    ("folder", "name", "path"),
    [("/a", "b", "/a/b"), ("/a/", "./b", "/a/b"), ("/a", "/b", "/b"), (None, "b", "b"), ("/a", "../b", "/a/../b")],
)
def test_paths_are_joined(folder: str | None, name: str, path: str) -> None:
    assert join(folder, name) == path


@pytest.mark.parametrize("numbered", ["     1→one\n     2→two", "1\tone\n2\ttwo\n3\t", "1\tone\n2\ttwo\n3", "one\ntwo"])
def test_line_numbers_of_the_read_tool_are_left_out(numbered: str) -> None:
    assert first_lines(numbered, 5) == "one\ntwo"


def test_a_text_cannot_end_the_code_block_it_is_shown_in() -> None:
    assert fence("```\nhi\n```").startswith("````\n")
