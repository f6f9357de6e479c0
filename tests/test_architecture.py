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
CORE = {"translate", "models", "errors"}
# Who may import the web server and the HTTP client.
SERVER_SIDE = {"proxy", "demo", "auth", "web"}
SCHEMA_TYPES = {"object", "array", "string", "number", "integer", "boolean", "null", ""}
SETTING_TYPES = {"command"}
BANNED_NAMES = {"utils", "util", "common", "helpers", "core", "misc"}


def test_translate_knows_nothing_outside_itself() -> None:
    for module in inside("translate"):
        own, foreign = imports(module)
        assert {package(name) for name in own} <= CORE, f"{module} imports {own}"
        assert not foreign & IO, f"{module} imports {foreign & IO}"


@pytest.mark.parametrize("module", ["models", "errors", "secret"])
def test_what_everything_rests_on_rests_on_nothing(module: str) -> None:
    own, foreign = imports(module)
    assert own <= {"errors", "secret"} and not foreign & IO


def test_providers_never_import_the_proxy() -> None:
    for module in inside("providers"):
        own, _ = imports(module)
        assert not {package(name) for name in own} & {"proxy", "cli", "launcher", "console", "wizard"}, module


def test_auth_never_imports_the_console() -> None:
    for module in inside("auth"):
        own, _ = imports(module)
        assert not {package(name) for name in own} & {"console", "cli", "proxy", "launcher", "wizard"}, module


def test_nothing_imports_the_command_line() -> None:
    for module in MODULES:
        if module != "__main__":
            own, _ = imports(module)
            assert "cli" not in own, module


def test_settings_stop_at_the_edge() -> None:
    for name in ("translate", "web"):
        for module in inside(name):
            own, _ = imports(module)
            assert "settings" not in own, module


def test_only_the_proxy_and_the_servers_know_the_web_server() -> None:
    for module in MODULES:
        _, foreign = imports(module)
        if foreign & {"starlette", "uvicorn"}:
            assert package(module) in SERVER_SIDE, f"{module} imports {foreign}"


def test_only_the_upstream_knows_its_transport() -> None:
    users = [module for module in MODULES if imports(module)[1] & {"aiohttp", "httpx_aiohttp"}]
    assert users in ([], ["proxy.upstream"])


def test_only_the_console_prints() -> None:
    for module in MODULES:
        calls = {node.func.id for node in nodes(module, ast.Call) if isinstance(node.func, ast.Name)}
        assert module == "console" or not calls & {"print", "Console"}, module


def test_everything_is_caught_in_two_places_only() -> None:
    """Where a failure becomes an exit status, an HTTP status or a server's line, and at the end of a thread. To clean
    up and raise on is not to catch."""
    for module in MODULES:
        for node in nodes(module, ast.ExceptHandler):
            if caught(node) & {"Exception", "BaseException", ""} and not isinstance(node.body[-1], ast.Raise):
                assert module in {"cli", "proxy.app", "proxy.server", "mcp_list"}, f"{module}:{node.lineno}"


def test_wire_shapes_are_built_by_their_constructors() -> None:
    """A dict with a "type" is made only in the two wires' own modules, and where the demo speaks as an upstream. ASGI
    messages, JSON schemas and Claude Code's settings have a "type" too."""
    for module in MODULES:
        if module in {"translate.anthropic", "translate.openai", "translate.reasoning"} or package(module) == "demo":
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


def inside(name: str) -> list[str]:
    found = [module for module in MODULES if package(module) == name]
    assert found or name == "web", f"there is no {name}"
    return found


def package(module: str) -> str:
    return module.partition(".")[0]


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
