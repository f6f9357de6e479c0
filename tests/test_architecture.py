"""What may know of what, read from the imports (late ones too); and the other laws of the house a parser can see."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T", bound=ast.AST)
ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "claudegpt_pkg"
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
MODULES = sorted(FILES)
# Before any test has left garbage: Python 3.11.7 cannot parse while what it collects within has a traceback to write
# (python/cpython#106905).
TREES = {module: ast.parse(file.read_text(encoding="utf-8")) for module, file in FILES.items()}

# The core knows shapes and rules only: no network, no file, no clock, no settings.
IO = {
    "aiohttp",
    "asyncio",
    "httpx",
    "httpx_aiohttp",
    "io",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "socket",
    "starlette",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uvicorn",
}
# Every room of the package and the rooms it may import. `docs/architecture.md` shows the same table.
ROOMS: dict[str, set[str]] = {
    "cli": {
        "setup",
        "assembly",
        "claude",
        "upstream",
        "accounts",
        "records",
        "terminal",
        "settings",
        "server",
        "translate",
    },
    "setup": {
        "assembly",
        "claude",
        "upstream",
        "accounts",
        "records",
        "terminal",
        "settings",
        "server",
        "translate",
    },
    "assembly": {"proxy", "claude", "accounts", "records", "terminal", "settings", "server", "demo"},
    "claude": {"accounts", "records", "terminal", "settings", "server"},
    "proxy": {"claude", "upstream", "web", "accounts", "records", "settings", "translate"},
    "upstream": {"accounts", "settings", "translate"},
    "web": set(),
    "accounts": {"settings", "demo"},
    "records": {"translate"},
    "terminal": {"settings"},
    "server": {"settings"},
    "settings": set(),
    "translate": set(),
    "demo": set(),
}
# The inner rooms of `translate`: the core knows shapes and rules only.
CORE_ROOMS: dict[str, set[str]] = {
    "translate.request": {"translate", "translate.wire"},
    "translate.answer": {"translate", "translate.wire"},
    "translate": {"translate.wire"},
    "translate.wire": set(),
}
# Single modules that a room may import although the rest of that module's room is closed to it.
ONLY: dict[tuple[str, str], set[str]] = {
    ("proxy", "claude"): {"claude.versions"},
    ("assembly", "terminal"): {"terminal.console"},
    ("accounts", "demo"): {"demo"},
}
# Modules at the root that every room may import.
# `capabilities` is here because accounts, upstream and translate share it and may not import each other.
OPEN = {"__init__", "capabilities", "effort", "errors", "files", "formats", "models", "secret", "untrusted"}
ROOT_FILES = OPEN | {"__main__", "assembly"}
# Modules that may import the web server.
SERVER_SIDE = {"proxy", "demo", "accounts", "server"}
SCHEMA_TYPES = {"object", "array", "string", "number", "integer", "boolean", "null", ""}
SETTING_TYPES = {"command"}
BANNED_NAMES = {"utils", "util", "common", "helpers", "core", "misc"}


def test_only_the_listed_files_are_at_the_root() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == ROOT_FILES


def test_every_room_of_the_table_exists_and_every_room_is_in_the_table() -> None:
    rooms = {room(module) for module in MODULES} - OPEN - {"__main__"}
    assert rooms == set(ROOMS)
    assert {inner_room(module) for module in MODULES if room(module) == "translate"} == set(CORE_ROOMS)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_room_may(module: str) -> None:
    own, _ = imports(module)
    if module == "__main__":
        assert own == {"cli.main"}
        return
    here = room(module)
    for name in own:
        there = room(name)
        if there == here or there in OPEN:
            continue
        assert here not in OPEN, f"{module} imports {name}"
        assert there in ROOMS[here], f"{module} imports {name}"
        only = ONLY.get((here, there))
        assert only is None or name in only, f"{module} imports {name}, not one of {only}"


def test_the_core_knows_nothing_outside_itself() -> None:
    for module in MODULES:
        if room(module) != "translate":
            continue
        own, foreign = imports(module)
        assert not foreign & IO, f"{module} imports {foreign & IO}"
        for name in own:
            if name in {"capabilities", "effort", "errors", "models"}:
                continue
            here, there = inner_room(module), inner_room(name)
            assert there == here or there in CORE_ROOMS[here], f"{module} imports {name}"


@pytest.mark.parametrize("module", ["models", "errors", "secret"])
def test_what_everything_rests_on_rests_on_nothing(module: str) -> None:
    own, foreign = imports(module)
    assert own <= {"errors", "secret"} and not foreign & IO


def test_nothing_imports_the_command_line() -> None:
    for module in MODULES:
        if module != "__main__" and room(module) != "cli":
            own, _ = imports(module)
            assert "cli" not in {room(name) for name in own}, module


def test_the_page_about_the_architecture_shows_the_same_table() -> None:
    rows = [f"| `{name}` | {', '.join(f'`{to}`' for to in sorted(ROOMS[name])) or 'nothing'} |" for name in ROOMS]
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = [row for row in rows if row not in page]
    assert not missing, "docs/architecture.md lacks these rows:\n" + "\n".join(missing)


def test_only_the_proxy_and_the_servers_know_the_web_server() -> None:
    for module in MODULES:
        _, foreign = imports(module)
        if foreign & {"starlette", "uvicorn"}:
            assert room(module) in SERVER_SIDE, f"{module} imports {foreign}"


def test_only_the_upstream_and_the_fetching_of_pages_know_their_transport() -> None:
    users = {module for module in MODULES if imports(module)[1] & {"aiohttp", "httpx_aiohttp"}}
    assert users == {"upstream.stream", "web.fetch"}


def test_only_the_console_prints() -> None:
    for module in MODULES:
        calls = {node.func.id for node in nodes(module, ast.Call) if isinstance(node.func, ast.Name)}
        assert module == "terminal.console" or not calls & {"print", "Console"}, module


def test_everything_is_caught_in_two_places_only() -> None:
    """Where a failure becomes an exit status, an HTTP status or a server's line, and at the end of a thread. To clean
    up and raise on is not to catch."""
    for module in MODULES:
        for node in nodes(module, ast.ExceptHandler):
            if caught(node) & {"Exception", "BaseException", ""} and not isinstance(node.body[-1], ast.Raise):
                assert module in {"cli.main", "proxy.app", "server", "proxy.mcp_probe"}, f"{module}:{node.lineno}"


def test_wire_shapes_are_built_by_their_constructors() -> None:
    """A dict with a "type" is made only in the two wires' own modules, and where the demo speaks as an upstream. ASGI
    messages, JSON schemas and Claude Code's settings have a "type" too."""
    for module in MODULES:
        if module in {"translate.wire.anthropic", "translate.wire.openai", "translate.reasoning"}:
            continue
        if room(module) == "demo":
            continue
        for node in nodes(module, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "type" and ast.unparse(value) != "str":
                    kind = value.value if isinstance(value, ast.Constant) else "computed"
                    assert kind in SCHEMA_TYPES | SETTING_TYPES or str(kind).startswith("http."), (
                        f"{module}:{node.lineno}"
                    )


def test_no_module_is_a_drawer() -> None:
    for module in MODULES:
        assert not set(module.split(".")) & BANNED_NAMES, module


def test_no_module_imports_in_a_circle() -> None:
    """Late imports are left out: they are how two modules may know of each other without one at start-up."""
    graph = {module: {name for name in imports(module, late=False)[0] if name != module} for module in MODULES}
    while leaves := {module for module, needs in graph.items() if not needs & graph.keys()}:
        graph = {module: needs for module, needs in graph.items() if module not in leaves}
    assert not graph, f"these import each other: {sorted(graph)}"


# Reading imports.


def room(module: str) -> str:
    """`accounts.auth.login` → accounts; a module at the root is a room of its own."""
    return module.partition(".")[0]


def inner_room(module: str) -> str:
    """`translate.request.effort` → translate.request; `translate.tools` → translate."""
    return module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]


def imports(module: str, *, late: bool = True) -> tuple[set[str], set[str]]:
    """(our own modules, top-level names of foreign ones) that `module` imports; not those for type checking only."""
    own: set[str] = set()
    foreign: set[str] = set()
    for node in statements(TREES[module], late):
        if isinstance(node, ast.Import):
            foreign |= {alias.name.partition(".")[0] for alias in node.names}
        elif node.level == 0:
            foreign.add((node.module or "").partition(".")[0])
        else:
            own |= targets(module, node)
    return own, foreign


def statements(node: ast.AST, late: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not late:
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        yield from statements(child, late)


def targets(module: str, node: ast.ImportFrom) -> set[str]:
    """The modules a relative import names: `from ..errors import X` → errors, `from . import openai` → its module."""
    at = FILES[module]
    home = at.parent.relative_to(PACKAGE).parts
    base = home[: len(home) - (node.level - 1)] + tuple((node.module or "").split(".") if node.module else ())
    found = {".".join((*base, alias.name)) for alias in node.names} & set(MODULES)
    whole = ".".join(base)
    return found or ({whole} if whole in MODULES else set())


def nodes(module: str, kind: type[T]) -> list[T]:
    return [node for node in ast.walk(TREES[module]) if isinstance(node, kind)]


def caught(node: ast.ExceptHandler) -> set[str]:
    if node.type is None:
        return {""}
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return {ast.unparse(kind) for kind in kinds}
