"""`claudegpt doctor`: every link between Claude Code and the model, and of each that fails, what to do about it.

In order, because the later ones rest on the earlier ones: what cannot be tried for want of another is left out. Each
finding is printed when it is found; the exit status is 1 if one is bad.
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

import httpx

from .. import __version__, assembly
from ..accounts import model_list
from ..accounts.auth.login_server import cause
from ..accounts.auth.tokens import codex_file, own_file
from ..accounts.providers.base import Provider
from ..accounts.providers.chatgpt import codex_path
from ..claude import install
from ..claude.config_folder import config_folder, state_file
from ..claude.session import PROXIES
from ..claude.user_settings import HIJACKS, SETTINGS, managed_files, redirects
from ..errors import BadSetting, ClaudegptError, ClaudeNotFound, UpstreamFailed
from ..files import UNWRITABLE_HINT, chmod_command, find_write_problem, is_exposed
from ..server import bind
from ..settings import env_file
from ..settings.options import HOST, OPTIONS, PORT, PROVIDER
from ..settings.settings import Settings, load
from ..setup.trial import Stage, distinct, play, stage
from ..terminal.console import from_home, marks, plain, result_rows
from . import status

CLOCK_OFF = 300.0  # seconds: logins and certificates suffer from more
UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"))
NAME_WIDTH = 12


@dataclass(frozen=True)
class Finding:
    """One link. `advice`: what to do, where it is not right or might not be wanted."""

    name: str
    right: bool
    text: str
    advice: str = ""


def run_checks(flags: Mapping[str, str]) -> int:
    """Print every finding; the exit status."""
    signs = marks(sys.stdout)
    between = "\n" if sys.stdout.isatty() else "; "
    wrong = 0
    for finding in findings(flags):
        wrong += not finding.right
        mark = f"[green]{signs.right}[/green]" if finding.right else f"[bold red]{signs.wrong}[/bold red]"
        text = between.join(map(plain, from_home(finding.text).splitlines()))
        if finding.advice:  # whole: to be copied
            text = f"{text.removesuffix('.')}.\n[bold]{plain(finding.advice)}[/bold]"
        name = finding.name.ljust(NAME_WIDTH) if sys.stdout.isatty() else finding.name
        result_rows([(mark, name, text)])
    return 1 if wrong else 0


def findings(flags: Mapping[str, str]) -> Iterator[Finding]:
    yield python()
    try:
        settings = load(flags)
    except BadSetting as problem:
        yield of_error("settings", problem)
        return
    yield claude(settings)
    told = list(values(settings))
    yield from told
    yield from misspelt(settings)
    yield from folders(settings)
    yield from secrets(settings)
    yield from leftovers(os.environ)
    if not all(finding.right for finding in told):
        return
    yield port(settings)
    way = proxies(os.environ)
    yield way
    if not way.right:
        return
    try:
        provider, sites = assembly.backend(settings)
    except ClaudegptError as problem:
        yield of_error("account", problem)
        return
    reached = [] if sites else list(network(provider))  # what we serve ourselves is not up yet
    yield from reached
    if all(finding.right for finding in reached if finding.name != "clock"):  # one that is off is no obstacle to us
        yield from account(provider, settings, flags)


def of_error(name: str, problem: ClaudegptError) -> Finding:
    return Finding(name, False, problem.message, problem.hint)


# This machine.


def python() -> Finding:
    return Finding("python", True, f"{platform.python_version()} at {sys.executable}, claudegpt {__version__}")


def claude(settings: Settings) -> Finding:
    try:
        program = install.find_claude(settings)
        version = install.claude_version(program)
    except (ClaudeNotFound, BadSetting) as problem:
        return of_error("claude", problem)
    found = f"{version} at {program}"
    if numbers(version) < numbers(install.OLDEST_TESTED):
        text = f"{found} is older than the oldest tested, {install.OLDEST_TESTED}."
        return Finding("claude", False, text, "Run `claude update`.")
    newer = numbers(version) > numbers(install.NEWEST_TESTED)
    tested = "newer than the newest tested," if newer else "tested up to"
    return Finding("claude", True, f"{found}; {tested} {install.NEWEST_TESTED}")


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def values(settings: Settings) -> Iterator[Finding]:
    """Every value the user set, and where; each that cannot be used by itself."""
    good = []
    for option in OPTIONS.values():
        written = settings.written(option)
        if written is None:
            continue
        try:
            settings[option]
        except BadSetting as problem:
            yield of_error("settings", problem)
        else:
            good.append(f"{option.name}={'***' if option.secret else written} (from {settings.source(option)})")
    yield Finding("settings", True, "\n".join(good) or "all at their defaults")


def misspelt(settings: Settings) -> Iterator[Finding]:
    for name, where, near in settings.misspelt():
        yield Finding("settings", False, f"{name} (from {where}) is no setting.", f"Did you mean {near}?")


def folders(settings: Settings) -> Iterator[Finding]:
    """Ours: a session writes in them before Claude Code starts, a login when it is renewed."""
    dirs = settings.dirs
    refused = {folder: find_write_problem(folder) for folder in (dirs.config, dirs.data, dirs.state, dirs.cache)}
    for folder, problem in refused.items():
        if problem:
            yield Finding("folders", False, f"{folder} cannot be written: {problem.strerror}.", UNWRITABLE_HINT)
    if not any(refused.values()):
        yield Finding("folders", True, "all of ours can be written")


def secrets(settings: Settings) -> Iterator[Finding]:
    """The files that hold secrets: no other user of this machine may read them."""
    files = list(secret_files(settings))
    readable = [file for file in files if is_exposed(file)]
    for file in readable:
        yield Finding(
            "secrets", False, f"{file} can be read by other users of this machine.", f"Run `{chmod_command(file)}`."
        )
    if not readable:
        yield Finding("secrets", True, "\n".join(f"{file} is yours alone" for file in files) or "no file holds one")


def secret_files(settings: Settings) -> Iterator[Path]:
    config = settings.dirs.config_file
    clone = os.environ.get("CLAUDEGPT_CLONE")
    for file in (config, Path.home() / ".claude" / ".env", *([Path(clone) / ".env"] if clone else [])):
        names = env_file.read(file)
        if any(option.secret and names.get(option.name) for option in OPTIONS.values()):
            yield file
    logins = [own_file(settings.dirs.data).path]
    if settings.written(PROVIDER) == "codex":
        logins.append(codex_file(codex_path(settings)).path)
    yield from (file for file in logins if file.exists())


def leftovers(environ: Mapping[str, str]) -> Iterator[Finding]:
    """What would have Claude Code talk to somebody else. Sessions of ours set it aside, so that it is no fault, except
    what an administrator set, which beats us."""
    found = [f"{name} is exported" for name in HIJACKS if environ.get(name)]
    found += [f"{file} sets {', '.join(names)}" for file in settings_files(environ) if (names := redirects(file))]
    if found:
        yield Finding(
            "leftovers",
            True,
            "\n".join(f"{each}: set aside in sessions of ours" for each in found),
            "Plain `claude` goes by that; take it out where it should not.",
        )
    beaten = [f"{file} sets {', '.join(names)}" for file in managed_files() if (names := redirects(file))]
    for each in beaten:
        yield Finding("leftovers", False, f"{each}, which beats every other setting.", "Ask your administrator.")
    if not found and not beaten:
        yield Finding("leftovers", True, "nothing leads Claude Code elsewhere")


def settings_files(environ: Mapping[str, str]) -> list[Path]:
    """Where Claude Code finds settings of the user's and the project's; older versions in its state file too."""
    here = Path.cwd() / ".claude"
    user = config_folder(environ) / SETTINGS
    return list(dict.fromkeys((user, state_file(environ), here / SETTINGS, here / "settings.local.json")))


def port(settings: Settings) -> Finding:
    host, number = settings[HOST], settings[PORT]
    try:
        bind(host, number).close()
    except BadSetting as problem:
        return of_error("port", problem)
    return Finding("port", True, f"{host} port {number} is free" if number else f"a free one on {host}")


def proxies(environ: Mapping[str, str]) -> Finding:
    """HTTP proxies and certificates that the environment names; what they do shows in the next finding."""
    try:
        model_list.new_client().close()
    except BadSetting as problem:
        return of_error("proxy", problem)
    named = [name for name in (*PROXIES, "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR") if environ.get(name)]
    return Finding("proxy", True, "\n".join(f"{name}={without_password(environ[name])}" for name in named) or "none")


def without_password(address: str) -> str:
    scheme, mark, rest = address.rpartition("://")
    return f"{scheme}{mark}***@{rest.rpartition('@')[2]}" if "@" in rest else address


# The account.


def network(provider: Provider) -> Iterator[Finding]:
    """Whether its server can be reached at all, whatever it says; and its clock against ours."""
    url = provider.usage_url or provider.models_url or provider.url
    host = urlsplit(url).netloc
    began = time.monotonic()
    try:
        with model_list.new_client() as client:
            answer = client.get(url, headers=provider.fixed_headers, auth=provider.auth)
    except httpx.RequestError as problem:
        yield of_error("network", unreachable(host, problem))
        return
    except ClaudegptError as problem:  # the login could not be renewed
        yield of_error("account", problem)
        return
    encrypted = "over TLS" if url.startswith("https:") else "unencrypted"
    taken = f"{(time.monotonic() - began) * 1000:.0f} ms"
    yield Finding("network", True, f"{host} answers {encrypted} in {taken}", provider.caution)
    yield clock(answer.headers.get("date", ""), time.time())


def unreachable(host: str, problem: httpx.RequestError) -> UpstreamFailed:
    words = cause(problem)
    if isinstance(problem, httpx.ProxyError):
        return UpstreamFailed(f"The HTTP proxy on the way to {host} fails: {words}.", "Correct HTTPS_PROXY.")
    if "CERTIFICATE" in words.upper():
        return UpstreamFailed(
            f"{host} has no certificate that this machine trusts: {words}.",
            "If your company's proxy signs its own, point SSL_CERT_FILE at its certificate; also check the clock.",
        )
    return UpstreamFailed(f"{host} cannot be reached: {words}.", "Check the address, the network, a VPN, HTTPS_PROXY.")


def clock(date: str, now: float) -> Finding:
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return Finding("clock", True, "the server does not tell the time")
    ahead = now - theirs
    if abs(ahead) > CLOCK_OFF:
        side = "ahead of" if ahead > 0 else "behind"
        return Finding(
            "clock", False, f"This machine's clock is {duration(abs(ahead))} {side} the server's.", "Set it right."
        )
    return Finding("clock", True, f"within {abs(ahead):.0f} s of the server's" if abs(ahead) >= 1 else "right")


def duration(seconds: float) -> str:
    unit, word = next((unit, word) for unit, word in UNITS if seconds >= 2 * unit or unit == 60)
    return f"{seconds / unit:.0f} {word}"


def account(provider: Provider, settings: Settings, flags: Mapping[str, str]) -> Iterator[Finding]:
    """Whether it is let in, and an answer of each model."""
    try:
        with model_list.new_client() as client:
            status.ask(client, provider, settings, flags)
        yield Finding("account", True, f"{provider.label}: accepted ({status.credential(provider, settings)})")
        with stage(flags) as on_stage:
            yield from round_trips(on_stage)
    except ClaudegptError as problem:
        yield of_error("account", problem)


def round_trips(on_stage: Stage) -> Iterator[Finding]:
    for tier in distinct(on_stage.provider):
        model = on_stage.provider.tiers.model(tier)
        began = time.monotonic()
        try:
            play(on_stage, tier)
        except ClaudegptError as problem:
            yield of_error("round trip", problem)
            continue
        yield Finding(
            "round trip", True, f"{model} called a tool through the proxy in {time.monotonic() - began:.1f} s"
        )
