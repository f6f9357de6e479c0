"""`claudegpt doctor`: check everything between Claude Code and the model, and say how to fix what is wrong.

The checks run in order, because later ones depend on earlier ones: a check that cannot run because an earlier one
failed is left out. Each result is printed as soon as it is known, then their count. The exit status is 1 if one failed.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from .. import __version__, assembly
from ..accounts import http
from ..accounts.provider_table import PROVIDER_TABLE
from ..accounts.providers.base import Provider
from ..claude import install
from ..claude.config_folder import config_folder, state_file
from ..claude.session import PROXIES
from ..claude.user_settings import HIJACKS, SETTINGS, find_file_redirects, managed_files
from ..errors import BadSetting, ClaudegptError, ClaudeNotFound
from ..files import UNWRITABLE_HINT, chmod_command, find_write_problem, is_exposed
from ..formats import format_span
from ..server import bind
from ..settings import env_file
from ..settings.options import HOST, OPTIONS, PORT, PROVIDER
from ..settings.settings import Settings, load
from ..setup.trial import Trial, distinct_tiers, play_turn, start_trial
from ..terminal.console import from_home, marks, plain, result, result_json, result_rows
from . import status

CLOCK_OFF = 300.0  # seconds; logins and certificates fail if the clock is further off
NAME_WIDTH = 11


@dataclass(frozen=True)
class Check:
    """The result of one check. `advice`: what to do if it failed, or a hint if it passed."""

    name: str
    passed: bool
    text: str
    advice: str = ""


def run_checks(flags: Mapping[str, str], *, as_json: bool = False) -> int:
    """Run all checks, print their results, return the exit status."""
    checks = []
    for check in check_everything(flags):
        checks.append(check)
        if not as_json:
            _show_check(check)
    failed = sum(not check.passed for check in checks)
    if as_json:
        rows = [
            {"name": each.name, "ok": each.passed, "text": each.text, "advice": each.advice or None} for each in checks
        ]
        result_json({"ok": not failed, "checks": rows})
    else:
        result(f"{len(checks)} checks, {f'{failed} to fix' if failed else 'all passed'}")
    return 1 if failed else 0


def _show_check(check: Check) -> None:
    signs = marks(sys.stdout)
    on_terminal = sys.stdout.isatty()
    mark = f"[green]{signs.right}[/green]" if check.passed else f"[bold red]{signs.wrong}[/bold red]"
    text = ("\n" if on_terminal else "; ").join(map(plain, from_home(check.text).splitlines()))
    if check.advice:
        text = f"{text.removesuffix('.')}.\n[bold]{plain(from_home(check.advice))}[/bold]"
    result_rows([(mark, check.name.ljust(NAME_WIDTH) if on_terminal else check.name, text)])


def check_everything(flags: Mapping[str, str]) -> Iterator[Check]:
    """The result of each check, in order."""
    yield _check_python()
    try:
        settings = load(flags)
    except BadSetting as problem:
        yield _failed_check("settings", problem)
        return
    yield _check_claude(settings)
    values = list(_check_settings(settings))
    yield from values
    yield from _check_names(settings)
    yield from _check_folders(settings)
    yield from _check_secrets(settings)
    yield from _check_environment(os.environ)
    if not all(check.passed for check in values):
        return
    yield _check_port(settings)
    try:
        provider, sites = assembly.backend(settings)
    except ClaudegptError as problem:
        yield _failed_check("account", problem)
        return
    proxy = _check_http_proxy(os.environ, provider.url)
    yield proxy
    if not proxy.passed:
        return
    reached = [] if sites else list(_check_network(provider))  # the demo's own server is not running yet
    yield from reached
    if all(check.passed for check in reached if check.name != "clock"):  # a wrong clock does not stop a turn
        yield from _check_account(provider, settings, flags)


def _failed_check(name: str, problem: ClaudegptError) -> Check:
    return Check(name, False, problem.message, problem.hint)


# This machine.


def _check_python() -> Check:
    return Check("Python", True, f"{platform.python_version()} at {sys.executable}, claudegpt {__version__}")


def _check_claude(settings: Settings) -> Check:
    try:
        program = install.find_claude(settings)
        version = install.claude_version(program)
    except (ClaudeNotFound, BadSetting) as problem:
        return _failed_check("Claude Code", problem)
    found = f"{version} at {program}"
    if _version_numbers(version) < _version_numbers(install.OLDEST_TESTED):
        text = f"{found} is older than the oldest tested version, {install.OLDEST_TESTED}."
        return Check("Claude Code", False, text, "Run `claude update`.")
    newer = _version_numbers(version) > _version_numbers(install.NEWEST_TESTED)
    tested = "newer than the newest tested version," if newer else "tested up to"
    return Check("Claude Code", True, f"{found}; {tested} {install.NEWEST_TESTED}")


def _version_numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def _check_settings(settings: Settings) -> Iterator[Check]:
    """All usable values that the user set, in one check; each unusable one in a check of its own."""
    good = []
    for option in OPTIONS.values():
        written = settings.written_text(option)
        if written is None:
            continue
        try:
            settings[option]
        except BadSetting as problem:
            yield _failed_check("settings", problem)
        else:
            good.append(f"{option.name}={option.show(written)} (from {settings.source(option)})")
    yield Check("settings", True, "\n".join(good) or "every setting has its default")


def _check_names(settings: Settings) -> Iterator[Check]:
    for name, where, near in settings.misspelt():
        yield Check("settings", False, f"There is no setting {name} (in {where}).", f"Did you mean {near}?")


def _check_folders(settings: Settings) -> Iterator[Check]:
    """The folders of claudegpt: a session writes to them before Claude Code starts, and so does a renewed login."""
    dirs = settings.dirs
    refused = {folder: find_write_problem(folder) for folder in (dirs.config, dirs.data, dirs.state, dirs.cache)}
    for folder, problem in refused.items():
        if problem:
            yield Check("folders", False, f"{folder} cannot be written: {problem.strerror}.", UNWRITABLE_HINT)
    if not any(refused.values()):
        yield Check("folders", True, "every folder of claudegpt can be written")


def _check_secrets(settings: Settings) -> Iterator[Check]:
    """No other user of this machine may read the files that hold secrets."""
    files = list(_find_secret_files(settings))
    readable = [file for file in files if is_exposed(file)]
    for file in readable:
        yield Check(
            "secrets", False, f"{file} can be read by other users of this machine.", f"Run `{chmod_command(file)}`."
        )
    if not readable:
        lines = [f"only you can read {file}" for file in files]
        yield Check("secrets", True, "\n".join(lines) or "no file holds a secret")


def _find_secret_files(settings: Settings) -> Iterator[Path]:
    config = settings.dirs.config_file
    clone = os.environ.get("CLAUDEGPT_CLONE")
    for file in (config, Path.home() / ".claude" / ".env", *([Path(clone) / ".env"] if clone else [])):
        names = env_file.read(file)
        if any(option.secret and names.get(option.name) for option in OPTIONS.values()):
            yield file
    chosen = settings.written_text(PROVIDER)
    kinds = [kind for name, kind in PROVIDER_TABLE.items() if kind.logs_in or name == chosen]
    logins = [kind.login_file(settings).path for kind in kinds if kind.login_file]
    yield from (file for file in logins if file.exists())


def _check_environment(environ: Mapping[str, str]) -> Iterator[Check]:
    """Variables and settings files that send Claude Code to another server. A session of claudegpt ignores them, so
    they pass, except in an administrator's settings, which win over ours."""
    found = [f"{name} is exported" for name in HIJACKS if environ.get(name)]
    found += [
        f"{file} sets {', '.join(names)}" for file in _settings_files(environ) if (names := find_file_redirects(file))
    ]
    if found:
        yield Check(
            "environment",
            True,
            "\n".join(f"{each}: claudegpt ignores it" for each in found),
            "Plain `claude` still uses it; remove it if you do not want that.",
        )
    beaten = [f"{file} sets {', '.join(names)}" for file in managed_files() if (names := find_file_redirects(file))]
    for each in beaten:
        yield Check("environment", False, f"{each}, which wins over every other setting.", "Ask your administrator.")
    if not found and not beaten:
        yield Check("environment", True, "nothing sends Claude Code to another server")


def _settings_files(environ: Mapping[str, str]) -> list[Path]:
    """The files where Claude Code reads the user's and the project's settings; older versions also read the state
    file."""
    here = Path.cwd() / ".claude"
    user = config_folder(environ) / SETTINGS
    return list(dict.fromkeys((user, state_file(environ), here / SETTINGS, here / "settings.local.json")))


def _check_port(settings: Settings) -> Check:
    host, number = settings[HOST], settings[PORT]
    try:
        bind(host, number).close()
    except BadSetting as problem:
        return _failed_check("port", problem)
    return Check("port", True, f"port {number} on {host} is free" if number else f"any free port on {host}")


def _check_http_proxy(environ: Mapping[str, str], url: str) -> Check:
    """The HTTP proxies and certificates that the environment names. Whether they work, the next check shows."""
    try:
        http.client_options(url)
    except BadSetting as problem:
        return _failed_check("HTTP proxy", problem)
    named = [name for name in (*PROXIES, "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR") if environ.get(name)]
    lines = [f"{name}={without_password(environ[name])}" for name in named]
    return Check("HTTP proxy", True, "\n".join(lines) or "none is set")


def without_password(address: str) -> str:
    scheme, mark, rest = address.rpartition("://")
    return f"{scheme}{mark}***@{rest.rpartition('@')[2]}" if "@" in rest else address


# The account.


def _check_network(provider: Provider) -> Iterator[Check]:
    """Whether the account's server answers at all, and whether its clock agrees with ours."""
    url = provider.usage_url or provider.models_url or provider.url
    host = urlsplit(url).netloc
    began = time.monotonic()
    try:
        answer = http.ask_now(http.Question(url, host, headers=provider.fixed_headers, auth=provider.auth))
    except http.NoAnswer as problem:
        yield _failed_check("network", problem)
        return
    except ClaudegptError as problem:  # the login could not be renewed
        yield _failed_check("account", problem)
        return
    encrypted = "over TLS" if url.startswith("https:") else "unencrypted"
    taken = f"{(time.monotonic() - began) * 1000:.0f} ms"
    yield Check("network", True, f"{host} answers {encrypted} in {taken}", provider.caution)
    yield check_clock(answer.headers.get("date", ""), time.time())


def check_clock(date: str, now: float) -> Check:
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return Check("clock", True, "the server does not send its time")
    ahead = now - theirs
    if abs(ahead) > CLOCK_OFF:
        side = "ahead of" if ahead > 0 else "behind"
        text = f"This machine's clock is {format_span(abs(ahead))} {side} the server's."
        return Check("clock", False, text, "Correct the clock of this machine.")
    return Check("clock", True, f"within {max(1, abs(ahead)):.0f} s of the server's clock")


def _check_account(provider: Provider, settings: Settings, flags: Mapping[str, str]) -> Iterator[Check]:
    """Whether the server accepts the account, and whether each model answers."""
    try:
        quota, _ = status.ask_quota(provider)
        status.check_account(provider, settings, flags, quota)
        yield Check("account", True, f"{provider.label}: accepted ({provider.credential})")
        with start_trial(flags) as trial:
            yield from _check_models(trial)
    except ClaudegptError as problem:
        yield _failed_check("account", problem)


def _check_models(trial: Trial) -> Iterator[Check]:
    for tier in distinct_tiers(trial.provider):
        model = trial.provider.tiers.model(tier)
        began = time.monotonic()
        try:
            play_turn(trial, tier)
        except ClaudegptError as problem:
            yield _failed_check("model", problem)
            continue
        yield Check("model", True, f"{model} answered and called a tool in {time.monotonic() - began:.1f} s")
