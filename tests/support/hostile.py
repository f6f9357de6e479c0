"""A folder that somebody hostile wrote, with all that Python, pip, uv, npm, git or a shell would load or obey."""

from __future__ import annotations

from pathlib import Path

# Python code that leaves its name in the file $MARKER.
MARK = "import os; open(os.environ['MARKER'], 'a').write(__file__ + '\\n')\n"
_MODULES = """venv pip ensurepip logging json asyncio typing sitecustomize usercustomize encodings site claudegpt_pkg
httpx orjson typer splintr saved_model status_line_command"""
_PROGRAMS = "python python3 python3.11 python3.13 uv pip pipx git npm node claude codex sh sync rm xdg-open"
_FILES = "pip.conf uv.toml setup.cfg .npmrc pyvenv.cfg package.json pyproject.toml tox.ini .tool-versions mise.toml"
_SETTINGS = """CLAUDEGPT_PROVIDER=openai
OPENAI_API_KEY=hostile-key
OPENAI_BASE_URL=http://127.0.0.1:1/hostile
CLAUDEGPT_CLAUDE_BIN=./claude
"""


def make_hostile_folder(folder: Path) -> Path:
    """`folder` with all of it, and configuration that no tool can read in the folder above too."""
    folder.mkdir(parents=True)
    for module in _MODULES.split():
        (folder / f"{module}.py").write_text(MARK)
        (folder / module).mkdir()
        (folder / module / "__init__.py").write_text(MARK)
        (folder / module / "__main__.py").write_text(MARK)
    for name in _FILES.split():
        for place in (folder, folder.parent):
            (place / name).write_text("[this is no configuration that can be read\n")
    (folder / ".python-version").write_text("../../../hostile\n")
    (folder / ".env").write_text(_SETTINGS)
    (folder / "config.env").write_text(_SETTINGS)
    (folder / ".venv").mkdir()
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text(f"[core]\n\tfsmonitor = {folder}/rm\n\tsshCommand = {folder}/sh\n")
    for name in _PROGRAMS.split():
        if not (folder / name).exists():
            (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"$MARKER"\n')
            (folder / name).chmod(0o755)
    return folder
