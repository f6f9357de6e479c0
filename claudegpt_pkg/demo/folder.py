"""Reads the listing of a folder: its names, the files to open first, paths in a sentence. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

MOST_NAMES = 5000
NOTE = "claudegpt-demo-note"
# What the client's tools return if there are no names.
NO_NAMES = re.compile(
    r"\((?:bash completed with )?no output\)|\(results are truncated|no files found|\[no output\]", re.I
)
# What a person would open first in a folder they do not know.
FIRST_TO_READ = (r"readme", r"claude\.md|agents\.md", r"pyproject\.toml|package\.json|cargo\.toml|go\.mod|makefile")
READABLE = re.compile(
    r"\.(?:md|txt|rst|toml|json|ya?ml|ini|cfg|csv|log|html?|css|xml|sql|tex|"
    r"py|js|mjs|cjs|ts|tsx|jsx|go|rs|c|h|cc|cpp|hpp|java|kt|rb|php|sh|pl|lua|swift|cs|scala|r)$",
    re.IGNORECASE,
)
PLAIN_NAMES = re.compile(r"(?:makefile|dockerfile|license|copying|authors|changelog|todo|notes?)$", re.IGNORECASE)
PRIVATE = re.compile(r"\.env|secret|credential|passw|token|\.pem$|\.key$|^id_|^\.(?:netrc|npmrc|pypirc)", re.IGNORECASE)
# A file or folder in a sentence: a word with a slash or an extension.
PATH_WORD = re.compile(r"(?<![\w/.~-])(?:~?/|\.{1,2}/)?(?:[\w@+-][\w.@+-]*/)*[\w@+.-]*[\w/](?![\w/])")
EXTENSION = re.compile(r"[\w-]\.[A-Za-z]\w{0,5}$|^\.\w+$")
SENTENCE = 400  # characters
LINE_NUMBER = re.compile(r"\s*\d+(?:→|\t|$)")
ABBREVIATIONS = ("e.g", "i.e", "etc", "a.m", "p.m")


def list_entries(listing: str, within: Sequence[str | None] = ()) -> tuple[str, ...]:
    """Return the names in the output of `ls -Ap` (folders end with a slash) or of Glob (which gives paths).

    Paths become relative to the first folder of `within` that they lie in.
    """
    lines = (line.strip() for line in listing.splitlines()[:MOST_NAMES] if not NO_NAMES.match(line))
    names = (_make_relative(line, within) for line in lines if line and len(line) < 1024)
    return tuple(dict.fromkeys(name for name in names if name.isprintable()))


def _make_relative(path: str, within: Sequence[str | None]) -> str:
    starts = (folder.rstrip("/") + "/" for folder in within if folder)
    return path.removeprefix(next((start for start in starts if path.startswith(start)), ""))


def choose_files(names: Sequence[str], most: int) -> list[str]:
    """Choose the files to open first: those that explain the folder, then other text; never a possible secret."""
    files = [name for name in names if _is_text(name) and not PRIVATE.search(name) and not name.startswith(NOTE)]
    return sorted(files, key=lambda name: (name.count("/"), _rank_name(name), len(name), name))[:most]


def _rank_name(name: str) -> int:
    lower = name.lower()
    found = (at for at, pattern in enumerate(FIRST_TO_READ) if re.match(pattern, lower))
    return next(found, len(FIRST_TO_READ) + name.startswith("."))


def _is_text(name: str) -> bool:
    return bool(READABLE.search(name) or PLAIN_NAMES.match(name))


def is_file_name(path: str) -> bool:
    """Whether a path looks like a file: it has an extension, or a name that only files have."""
    name = path.rpartition("/")[2]
    return bool(EXTENSION.search(name) or PLAIN_NAMES.match(name))


def choose_note_name(names: Sequence[str]) -> str | None:
    """Choose a free name for the note, so that the demo never replaces a file. None if all names are taken."""
    numbered = [f"{NOTE}.md", *(f"{NOTE}-{number}.md" for number in range(2, 100))]
    return next((name for name in numbered if name not in names), None)


def find_paths(words: str) -> list[str]:
    """Return the files and folders that a sentence names, in order. Long instructions (`/init`) are not searched."""
    if len(words) > SENTENCE:
        return []
    found = (match[0].rstrip(".") for match in PATH_WORD.finditer(re.sub(r"https?://\S+", " ", words)))
    return [word for word in found if ("/" in word or EXTENSION.search(word)) and word.lower() not in ABBREVIATIONS]


def join(folder: str | None, name: str) -> str:
    """The path of `name` in `folder`; relative if the folder is not known."""
    name = name.removeprefix("./")
    return name if folder is None or name.startswith(("/", "~")) else f"{folder.rstrip('/')}/{name}"


def quote_path(path: str) -> str:
    return shlex.quote(path)


def first_lines(text: str, most: int) -> str:
    """The first lines of a tool's output, without the line numbers that Read adds."""
    lines = text.strip("\n").splitlines()
    if lines and re.match(r"\s*\d+[→\t]", lines[0]):
        lines = "\n".join(LINE_NUMBER.sub("", line) for line in lines).rstrip("\n").split("\n")
    shown = [line[:160] for line in lines[:most]]
    return "\n".join([*shown, *(["…"] if len(lines) > most else [])])


def fence(text: str) -> str:
    """Put a text into a Markdown code block that the text itself cannot end."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"
