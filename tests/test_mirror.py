"""Every module has a test file: the same room below tests/, the same name with `test_` before it.

python -m tests.test_mirror     prints what TESTED_BY lacks, and what it has too much
"""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "claudegpt_pkg"
# Modules without a test file of their own, and the tests that hold them.
TESTED_BY = {
    "accounts/auth/login_server.py": "accounts/auth/test_oauth.py",
    "accounts/providers/base.py": "accounts/providers/test_openai.py",
    "claude/foreground.py": "claude/test_launcher.py",
    "claude/session_models.py": "claude/test_session.py",
    "claude/status_line_command.py": "proxy/test_status_line.py",
    "cli/app.py": "cli/test_main.py",
    "cli/version.py": "cli/test_main.py",
    "cli/whole_help.py": "cli/test_help.py",
    "demo/answer.py": "demo/test_server.py",
    "demo/conversation.py": "demo/test_model.py",
    "demo/events.py": "demo/test_server.py",
    "demo/moves.py": "demo/test_model.py",
    "demo/report.py": "demo/test_model.py",
    "demo/scripts.py": "demo/test_model.py",
    "demo/shapes.py": "demo/test_rules.py",
    "demo/tour.py": "demo/test_model.py",
    "proxy/status_report.py": "proxy/test_status_line.py",
    "proxy/context.py": "proxy/test_app.py",
    "proxy/mcp_probe.py": "proxy/test_mcp_tools.py",
    "proxy/turn_record.py": "proxy/test_turn.py",
    "settings/options.py": "settings/test_settings.py",
    "settings/values.py": "settings/test_settings.py",
    "setup/account_questions.py": "setup/test_wizard.py",
    "setup/conversation.py": "setup/test_wizard.py",
    "translate/request/draft.py": "translate/request/test_translate.py",
    "accounts/auth/entra_transport.py": "accounts/auth/test_azure_identity.py",
    "proxy/stream_sink.py": "proxy/test_routes.py",
    "setup/capability_text.py": "setup/test_trial.py",
    "translate/answer/repair_calls.py": "translate/answer/test_repair.py",
    "translate/answer/repair_reasoning.py": "translate/answer/test_repair.py",
    "translate/answer/repair_text.py": "translate/answer/test_repair.py",
    "translate/answer/repair_base.py": "translate/answer/test_repair.py",
    "translate/wire/anthropic.py": "translate/answer/test_stream.py",
    "translate/wire/openai.py": "translate/request/test_messages.py",
}
# Test files about more than one module, and what they hold.
WIDER = {
    "accounts/auth/test_azure_identity.py": "the real azure-identity package",
    "accounts/auth/test_commands.py": "the commands login and logout",
    "proxy/test_any_shape.py": "a client of any shape",
    "proxy/test_compression.py": "compressed requests and answers",
    "proxy/test_deployments.py": "deployments of every capability",
    "proxy/test_retention.py": "how long a prompt cache is kept",
    "proxy/test_search.py": "the hosted web search",
    "server/test_server.py": "the package claudegpt_pkg/server",
    "test_architecture.py": "imports between rooms",
    "test_changelog.py": "docs/changelog.md",
    "test_configuration.py": "docs/configuration.md",
    "test_faults.py": "programming errors of ours",
    "test_mirror.py": "this rule",
    "test_names.py": "names and words",
    "test_packaging.py": "the wheel and docs/dependencies.md",
    "test_script.py": "the script claudegpt",
    "test_wheels.py": "tests/wheels.py",
    "translate/test_documented.py": "docs/translation.md",
    "cli/test_hostile_folder.py": "every command, in a hostile folder",
    "translate/test_fuzz.py": "the whole translation, with broken answers",
    "translate/test_properties.py": "the whole translation",
}
SUPPORT = {"support", "real", "sdk", "bench", "fixtures"}  # folders that mirror no room


def modules() -> set[str]:
    files = (path for path in PACKAGE.rglob("*.py") if path.name not in {"__init__.py", "__main__.py"})
    return {path.relative_to(PACKAGE).as_posix() for path in files}


def mirror(module: str) -> Path:
    path = Path(module)
    return TESTS / path.parent / f"test_{path.name}"


def test_every_module_has_a_test_file_in_the_same_place() -> None:
    assert sorted(module for module in modules() if not mirror(module).exists() and module not in TESTED_BY) == []


def test_every_test_file_has_its_module() -> None:
    mirrors = {mirror(module) for module in modules()}
    others = {path for path in TESTS.rglob("test_*.py") if path.relative_to(TESTS).parts[0] not in SUPPORT}
    assert sorted(path.relative_to(TESTS).as_posix() for path in others - mirrors if name(path) not in WIDER) == []


def test_no_exception_is_out_of_date() -> None:
    assert [module for module in TESTED_BY if module not in modules() or mirror(module).exists()] == []
    assert [tests for tests in TESTED_BY.values() if not (TESTS / tests).exists()] == []
    assert [tests for tests in WIDER if not (TESTS / tests).exists()] == []


def name(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


if __name__ == "__main__":
    lacking = sorted(module for module in modules() if not mirror(module).exists() and module not in TESTED_BY)
    surplus = sorted(module for module in TESTED_BY if module not in modules() or mirror(module).exists())
    print("lacking:", *lacking, "surplus:", *surplus, sep="\n    ")  # noqa: T201
