"""What a machine can check of how things are named; docs/contributing.md has the rules.

A finding is a line such as "claude.install.told: a bare participle".

    python -m tests.test_names      prints all findings
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "claudegpt_pkg"
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
Function = ast.FunctionDef | ast.AsyncFunctionDef

# A public function name that several modules have because it does the same job for two things.
SAME_JOB: dict[str, str] = {
    "main": "the entry of a program",
    "error": "the constructor of an error body, of either API",
    "model_list": "the constructor of a list of models, of either API",
    "response_completed": "the constructor of that event, for the demo and for the repaired stream",
    "text_delta": "the constructor of that event, of either API",
    "web_search_tool": "the constructor of that tool, of either API",
    "usage": "the constructor of the usage of an answer, of either API",
    "create_app": "makes the ASGI app of a server",
    "read": "the reader of the one format that its module is about",
}
# Words that end like a participle, or are one, and name something else.
NO_PARTICIPLES = {"read", "feed", "need", "speed", "seed", "embed"}
_IRREGULAR = """told said seen ours known made done held kept left found given sent spent shown written chosen taken
begun lost gone built heard meant caught brought understood drawn grown thrown broken spoken"""
# Files that are cited but belong to the user, to another program or to another project.
_FOREIGN_FILES = """CLAUDE.md AGENTS.md SKILL.md MEMORY.md venv.py pip.py logging.py setup.py sitecustomize.py
conversation.md a.py b.py x.py y.py main.py app.py a.md b.md notes.md parser.py"""
IRREGULAR, FOREIGN_FILES = frozenset(_IRREGULAR.split()), frozenset(_FOREIGN_FILES.split())


Rule = Callable[[], Iterator[str]]


def findings() -> set[str]:
    return {found for rule in RULES for found in findings_of(rule)}


@cache
def findings_of(rule: Rule) -> frozenset[str]:
    return frozenset(rule())


def same_names() -> Iterator[str]:
    """Public function names that stand in two modules."""
    places = defaultdict(set)
    for module, tree in trees().items():
        for function in functions(tree):
            if not function.name.startswith("_") and not is_command(function):
                places[function.name].add(module)
    for name, modules in sorted(places.items()):
        if len(modules) > 1 and name not in SAME_JOB:
            yield f"{name}: stands in {', '.join(sorted(modules))}"


def participles() -> Iterator[str]:
    """Functions and methods whose name is one word, a participle. A property is a value and may be one."""
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, Function) and not decorated(node, "property", "cached_property", "setter"):
                word = node.name.strip("_")
                if word in IRREGULAR or (word.isalpha() and word.endswith("ed") and word not in NO_PARTICIPLES):
                    yield f"{module}.{node.name}: a bare participle"


def private_functions() -> Iterator[str]:
    """Public module-level functions that no other module, and no test, names."""
    users = {**{module: names_in(tree) for module, tree in trees().items()}, "tests": names_in_tests()}
    for module, tree in trees().items():
        for function in functions(tree):
            if function.name.startswith("_") or function.name == "main" or function.decorator_list:
                continue
            if not any(function.name in names for other, names in users.items() if other != module):
                yield f"{module}.{function.name}: only its own module uses it"


def citations() -> Iterator[str]:
    """Files named in comments, docstrings and pages that are not in the repository."""
    present = repository_files()
    for file in sorted(present):
        if file.suffix not in {".py", ".md", ".sh"} and file.name not in {"claudegpt", "run"}:
            continue
        text = (ROOT / file).read_text(encoding="utf-8")
        words = prose(text) if file.suffix == ".py" else text
        for cited in sorted(set(re.findall(r"(?<![\w./@~-])(?:[\w-]+/)*[\w-]+\.(?:md|py)\b(?![\w(])", words))):
            path = Path(cited)
            known = any(path.parts == other.parts[-len(path.parts) :] for other in present)
            if not known and path.name not in FOREIGN_FILES:
                yield f"{file}: cites {cited}"


RULES: tuple[Rule, ...] = (same_names, participles, private_functions, citations)


@pytest.mark.parametrize("rule", RULES)
def test_no_name_breaks_the_rule(rule: Rule) -> None:
    assert sorted(findings_of(rule)) == []


def test_each_name_that_may_stand_twice_does() -> None:
    places = [function.name for tree in trees().values() for function in functions(tree)]
    assert [name for name in SAME_JOB if places.count(name) < 2] == []


# Reading the source.


@cache
def trees() -> dict[str, ast.Module]:
    return {module: ast.parse(file.read_text(encoding="utf-8")) for module, file in FILES.items()}


def functions(tree: ast.Module) -> list[Function]:
    return [node for node in tree.body if isinstance(node, Function)]


def decorated(node: Function, *names: str) -> bool:
    return any(ast.unparse(each).rpartition(".")[2] in names for each in node.decorator_list)


def is_command(node: Function) -> bool:
    return any(".command(" in ast.unparse(each) or ".callback(" in ast.unparse(each) for each in node.decorator_list)


def names_in(tree: ast.Module) -> set[str]:
    """Names that a module imports or reaches through another module."""
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return imported | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@cache
def names_in_tests() -> set[str]:
    files = (ROOT / "tests").rglob("*.py")
    return set().union(*(names_in(ast.parse(file.read_text(encoding="utf-8"))) for file in files))


@cache
def repository_files() -> frozenset[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    assert listed.returncode == 0, listed.stderr
    return frozenset(path for name in listed.stdout.splitlines() if (ROOT / (path := Path(name))).is_file())


def prose(source: str) -> str:
    """The docstrings and comments of a Python file."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented)]
    return "\n".join([*texts, *re.findall(r"#\s.*", source)])


if __name__ == "__main__":
    print(*sorted(findings()), sep="\n")  # noqa: T201  the list is its output
