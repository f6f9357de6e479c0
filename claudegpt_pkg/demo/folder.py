"""Reading a folder's listing: which names stand in it, which of them are worth a look, how paths are joined. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

MOST_NAMES = 5000
NOTE = "claudegpt-demo-note"
# What the client's tools say instead of names.
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
# A file or folder as people write it in a sentence: with a slash or an extension.
PATH_WORD = re.compile(r"(?<![\w/.~-])(?:~?/|\.{1,2}/)?(?:[\w@+-][\w.@+-]*/)*[\w@+.-]*[\w/](?![\w/])")
EXTENSION = re.compile(r"[\w-]\.[A-Za-z]\w{0,5}$|^\.\w+$")
SENTENCE = 400  # characters
LINE_NUMBER = re.compile(r"\s*\d+(?:→|\t|$)")
ABBREVIATIONS = ("e.g", "i.e", "etc", "a.m", "p.m")


def entries(listing: str, within: Sequence[str | None] = ()) -> tuple[str, ...]:
    """The names in the output of `ls -Ap`, folders with a slash at their end, or of Glob, which gives paths.

    Paths are shortened to what they are within the first of the folders `within` that fits.
    """
    lines = (line.strip() for line in listing.splitlines()[:MOST_NAMES] if not NO_NAMES.match(line))
    names = (relative(line, within) for line in lines if line and len(line) < 1024)
    return tuple(dict.fromkeys(name for name in names if name.isprintable()))


def relative(path: str, within: Sequence[str | None]) -> str:
    starts = (folder.rstrip("/") + "/" for folder in within if folder)
    return path.removeprefix(next((start for start in starts if path.startswith(start)), ""))


def worth_reading(names: Sequence[str], most: int) -> list[str]:
    """The files to open first: what explains the folder, then other text; never what may hold a secret."""
    files = [name for name in names if is_text(name) and not PRIVATE.search(name) and not name.startswith(NOTE)]
    return sorted(files, key=lambda name: (name.count("/"), rank(name), len(name), name))[:most]


def rank(name: str) -> int:
    lower = name.lower()
    found = (at for at, pattern in enumerate(FIRST_TO_READ) if re.match(pattern, lower))
    return next(found, len(FIRST_TO_READ) + name.startswith("."))


def is_text(name: str) -> bool:
    return bool(READABLE.search(name) or PLAIN_NAMES.match(name))


def is_file_name(path: str) -> bool:
    """Whether a path looks like a file's: with an extension, or a name only files have."""
    name = path.rpartition("/")[2]
    return bool(EXTENSION.search(name) or PLAIN_NAMES.match(name))


def free_note(names: Sequence[str]) -> str | None:
    """A name for the note that is not taken: nothing the demo writes replaces anything."""
    numbered = [f"{NOTE}.md", *(f"{NOTE}-{number}.md" for number in range(2, 100))]
    return next((name for name in numbered if name not in names), None)


def paths_in(words: str) -> list[str]:
    """The files and folders a sentence names, in order; long instructions, such as /init's, name them in passing."""
    if len(words) > SENTENCE:
        return []
    found = (match[0].rstrip(".") for match in PATH_WORD.finditer(re.sub(r"https?://\S+", " ", words)))
    return [word for word in found if ("/" in word or EXTENSION.search(word)) and word.lower() not in ABBREVIATIONS]


def join(folder: str | None, name: str) -> str:
    """`name` within `folder`, absolute where the folder is known."""
    name = name.removeprefix("./")
    return name if folder is None or name.startswith(("/", "~")) else f"{folder.rstrip('/')}/{name}"


def quoted(path: str) -> str:
    return shlex.quote(path)


def first_lines(text: str, most: int) -> str:
    """The beginning of what a tool returned, without the line numbers that Read puts before each."""
    lines = text.strip("\n").splitlines()
    if lines and re.match(r"\s*\d+[→\t]", lines[0]):
        lines = "\n".join(LINE_NUMBER.sub("", line) for line in lines).rstrip("\n").split("\n")
    shown = [line[:160] for line in lines[:most]]
    return "\n".join([*shown, *(["…"] if len(lines) > most else [])])


def fenced(text: str) -> str:
    """As a Markdown code block that the text cannot end."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"
