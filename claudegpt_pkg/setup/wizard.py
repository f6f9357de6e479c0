"""The first run, and `claudegpt setup`: which account, what it needs, which models; tried, and only then kept.

In time: the account is chosen; what it needs is asked, a login made; its list of models is fetched and a model chosen
for each tier; one tiny turn is played on each of them through the whole proxy; then `config.env` is written, at once,
what is not ours in it kept. ^C before that leaves everything as it was, but for a login that was finished.

Every answer can also be given on the command line (`Given`); without a terminal those and the defaults hold.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .. import assembly
from ..accounts.auth import entra
from ..accounts.auth.login import login
from ..accounts.auth.tokens import codex_file, codex_store, own_file
from ..accounts.providers.azure import read_endpoint
from ..accounts.providers.base import Provider
from ..accounts.providers.chatgpt import chatgpt, codex, codex_path
from ..accounts.providers.openai import openai
from ..claude import install
from ..errors import BadSetting, ClaudegptError, NotLoggedIn
from ..models import Tier
from ..secret import Secret
from ..settings import env_file
from ..settings.options import (
    AZURE_API_KEY,
    AZURE_API_VERSION,
    AZURE_ENDPOINT,
    AZURE_HAIKU,
    AZURE_OPUS,
    AZURE_SONNET,
    CODEX_HAIKU,
    CODEX_OPUS,
    CODEX_SONNET,
    OPENAI_API_KEY,
    OPENAI_BASE_URL,
    OPENAI_HAIKU,
    OPENAI_OPUS,
    OPENAI_SONNET,
    PROVIDER,
    Option,
)
from ..settings.settings import Settings, load
from ..settings.values import web_url
from ..terminal.console import complain, from_home, marks, say, tell
from ..terminal.questions import Asker, Choice, Terminal, needed
from .model_questions import TIER_NAMES, choose_model, fetch_list
from .trial import distinct, shortcomings, stage, try_out
from .validators import bare, judge_endpoint, judge_key, judge_optional_key, judge_url

Answers = dict[str, str | None]  # settings by name; None: taken out of config.env

SERVER = "server"  # provider openai at an address of the user's own
OLLAMA = "http://localhost:11434/v1"
KEY_FLAG = "--api-key-stdin (or set {})"
TierOptions = dict[Tier, Option[str | None]]
OPENAI_TIERS: TierOptions = {"opus": OPENAI_OPUS, "sonnet": OPENAI_SONNET, "haiku": OPENAI_HAIKU}
CODEX_TIERS: TierOptions = {"opus": CODEX_OPUS, "sonnet": CODEX_SONNET, "haiku": CODEX_HAIKU}
AZURE_TIERS: TierOptions = {"opus": AZURE_OPUS, "sonnet": AZURE_SONNET, "haiku": AZURE_HAIKU}


@dataclass(frozen=True)
class Given:
    """What the command line answers. `login`: how to log in to ChatGPT now, "browser", "address" or "device"."""

    provider: str | None = None
    key: Secret | None = None
    base_url: str | None = None
    endpoint: str | None = None
    api_version: str | None = None
    login: str | None = None
    models: Mapping[Tier, str | None] = field(default_factory=dict)
    check: bool = True
    yes: bool = False

    def astray(self) -> str | None:
        """A flag that says nothing about this provider: a key may be meant for another one."""
        flags: dict[str, tuple[object, str]] = {
            "--endpoint": (self.endpoint, "azure"),
            "--api-version": (self.api_version, "azure"),
            "--base-url": (self.base_url, "openai"),
            "--api-key-stdin": (self.key, "openai azure"),
            "--device or --no-browser": (self.login, "chatgpt"),
            **{f"--{tier}": (model, "chatgpt codex openai azure") for tier, model in self.models.items()},
        }
        return next(
            (flag for flag, (given, fits) in flags.items() if given and self.provider not in fits.split()), None
        )


def set_up(asker: Asker, given: Given, flags: Mapping[str, str]) -> None:
    """Ask, try, save. Raises what keeps it from working where nobody can be asked, and then nothing is saved."""
    file = load(flags).dirs.config_file
    env_file.make_sure(file)
    wizard = Wizard(asker, given, flags)
    answers = wizard.run()
    env_file.change(file, {PROVIDER.name: answers[PROVIDER.name], **answers})
    tell(f"Saved in {file}; `claudegpt setup` changes it.")
    for note in load(flags).overruled(answers):
        say(note)
    wizard.install()


def first_run(flags: Mapping[str, str]) -> None:
    """The wizard of a bare `claudegpt`. Raises BadSetting where there is no terminal to ask on."""
    if not install.on_terminal():
        raise assembly.no_account()
    set_up(Terminal(), Given(), flags)


class Wizard:
    """One conversation. `answers` are those so far."""

    def __init__(self, asker: Asker, given: Given, flags: Mapping[str, str]):
        self.asker = asker
        self.given = given
        self.flags = flags
        self.answers: Answers = {}
        self.before: Answers = {}  # of the last attempt: now the defaults
        self.refused = False  # the last attempt was, as nobody's: what it kept should not be kept again

    @property
    def settings(self) -> Settings:
        """As they will be with the answers so far, which is also what the next question's default comes from."""
        own = {name: value for name, value in self.answers.items() if value}
        return load({**self.flags, **own}, pending={**self.before, **self.answers})

    def run(self) -> Answers:
        if self.asker.there:
            tell("claudegpt runs Claude Code on GPT. Whose? ^C leaves everything as it is.\n")
        account = self.account()
        while True:
            try:
                self.answers = {}
                ACCOUNTS[account](self)
                self.check()
                return self.answers
            except ClaudegptError as problem:
                self.refused = isinstance(problem, NotLoggedIn)
                step = self.after(problem)
            if step == "save":
                return self.answers
            if step == "leave":
                raise KeyboardInterrupt
            self.before |= self.answers
            self.given = Given(check=self.given.check, yes=self.given.yes)  # a wrong flag must not answer again
            if step == "account":
                account = self.account()

    def after(self, problem: ClaudegptError) -> str:
        """What to do about a failure. Raises it where nobody can be asked."""
        if not self.asker.there:
            if self.given.check and PROVIDER.name in self.answers:
                say("nothing is saved; --no-check saves without trying.")
            raise problem
        complain(str(problem))
        steps = [
            Choice("again", "Correct the answers and try again"),
            Choice("account", "Choose another account"),
            *[Choice("save", "Save it all the same")] * (PROVIDER.name in self.answers),
            Choice("leave", "Leave without saving"),
        ]
        return self.asker.choose("What now?", steps, default="again", flag="")

    # Which account.

    def account(self) -> str:
        if self.given.provider:
            if flag := self.given.astray():
                raise BadSetting(f"{flag} is not for provider {self.given.provider}.", "See `claudegpt setup --help`.")
            return SERVER if self.given.provider == "openai" and self.given.base_url else self.given.provider
        settings = self.settings
        now = account_in(settings)
        if not self.asker.there and now is None:
            raise assembly.no_account()
        codex = codex_path(settings).exists()
        titles = {
            "codex": f"The Codex CLI's login ({whose(settings, 'codex')})",
            "chatgpt": f"ChatGPT plan ({whose(settings, 'chatgpt')})",
            "openai": "OpenAI API key",
            SERVER: "Another server: Ollama, vLLM, a gateway",
            "azure": "Azure OpenAI",
            "demo": "None: a demo with a built-in model, offline",
        }
        order = sorted(titles, key=lambda name: name == "codex" and not codex)  # last where there is none
        return self.asker.choose(
            "Account",
            [Choice(name, titles[name]) for name in order],
            default=now or ("codex" if codex else "chatgpt"),
            flag="--provider",
        )

    # What each needs.

    def codex(self) -> None:
        try:
            codex(self.settings)
        except NotLoggedIn as problem:
            self.offer_codex_login(problem)
        self.choose_models(codex, CODEX_TIERS)

    def offer_codex_login(self, problem: NotLoggedIn) -> None:
        """Run the Codex CLI's own login, where that would help."""
        program = shutil.which("codex")
        keyring = codex_store(codex_path(self.settings).parent) in ("keyring", "auto")
        if not (self.asker.there and program) or keyring:
            raise problem
        tell(problem.message)
        steps = [Choice("yes", "Run `codex login` now"), Choice("no", "No")]
        if self.asker.choose("Codex CLI", steps, default="yes", flag="") == "no":
            raise problem
        subprocess.run([program, "login"], check=False, stdout=sys.stderr)

    def chatgpt(self) -> None:
        settings = self.settings
        how = self.given.login or self.way_to_log_in(settings)
        if how != "keep":
            typed = sys.stdin if sys.stdin.isatty() else None
            login(settings, tell, with_device=how == "device", browser=how == "browser", typed=typed)
        self.choose_models(chatgpt, CODEX_TIERS)

    def way_to_log_in(self, settings: Settings) -> str:
        ways = [Choice("browser", "Log in with a browser"), Choice("device", "Log in with a code, on another device")]
        try:
            own_file(settings.dirs.data).read()
            ways.insert(0, Choice("keep", f"Keep the login of {whose(settings, 'chatgpt')}"))
        except ClaudegptError:
            if not self.asker.there:
                raise
        usual = "browser" if self.refused else ways[0].value
        return self.asker.choose("ChatGPT", ways, default=usual, flag="--device or --no-browser")

    def openai(self) -> None:
        self.answers[OPENAI_BASE_URL.name] = None
        self.key(OPENAI_API_KEY, "OpenAI API key")
        self.choose_models(openai, OPENAI_TIERS)

    def server(self) -> None:
        now = self.settings.written(OPENAI_BASE_URL)
        url = self.given.base_url or self.asker.text(
            "Address of its Responses API", default=now or OLLAMA, judge=judge_url, flag="--base-url"
        )
        try:
            self.answers[OPENAI_BASE_URL.name] = web_url(url)
        except ValueError as problem:  # what is typed was judged
            raise BadSetting(f"--base-url {problem}.") from None
        self.key(OPENAI_API_KEY, "Its API key", optional=True)
        self.choose_models(openai, OPENAI_TIERS)

    def azure(self) -> None:
        pasted = self.given.endpoint or self.asker.text(
            "Address of the resource, as the portal shows it",
            default=self.settings[AZURE_ENDPOINT] or "",
            judge=judge_endpoint,
            flag="--endpoint",
        )
        endpoint = read_endpoint(pasted)
        self.answers[AZURE_ENDPOINT.name] = endpoint.base
        if self.given.api_version is not None:
            self.answers[AZURE_API_VERSION.name] = self.given.api_version or None
        self.azure_key()
        self.deployments(endpoint.deployment)
        self.answers[PROVIDER.name] = "azure"

    def deployments(self, pasted: str | None) -> None:
        """The name for each tier; its default is the one the address had, the one it has now, the larger tier's."""
        given = self.given.models
        set_before = [self.settings[option] for option in AZURE_TIERS.values()]
        default = pasted or next(filter(None, [*given.values(), *set_before]), "")
        for tier, option in AZURE_TIERS.items():
            named = given.get(tier) or self.asker.text(
                f"Deployment for {TIER_NAMES[tier]}",
                default=pasted or self.settings[option] or default,
                judge=needed,
                flag=f"--{tier}",
            )
            self.answers[option.name] = default = named.strip()
            pasted = None

    def azure_key(self) -> None:
        ways = [Choice("key", "With the resource's key"), Choice("entra", "With Entra ID (`az login`)")]
        found = self.settings.written(AZURE_API_KEY)
        in_use = account_in(self.settings) == "azure" or not self.asker.there
        usual = "entra" if entra.installed() and in_use and not found else "key"
        way = "key" if self.given.key else self.asker.choose("Access", ways, default=usual, flag="--api-key-stdin")
        if way == "key":
            self.key(AZURE_API_KEY, "Key of the resource")
        else:
            entra.default_token()  # raises where azure-identity is not installed
            self.answers[AZURE_API_KEY.name] = None

    def demo(self) -> None:
        self.answers[PROVIDER.name] = "demo"

    def key(self, option: Option[Secret | None], question: str, *, optional: bool = False) -> None:
        """The key that is given or typed, or the one that is there, which then stays where it is."""
        if self.given.key:
            if problem := judge_key(self.given.key.reveal()):
                raise BadSetting(f"On stdin: {problem}", "Try `claudegpt setup --api-key-stdin <FILE`.")
            self.answers[option.name] = bare(self.given.key.reveal())
            return
        if self.settings.written(option):
            entered = option.name in self.before
            kept = "the one just entered" if entered else f"the one from {from_home(self.settings.source(option))}"
            ways = [Choice("keep", f"Use {kept}"), Choice("new", "Enter another")]
            ways += [Choice("none", "Use none")] * optional
            way = self.asker.choose(question, ways, default="keep", flag="--api-key-stdin")
            if way == "keep":
                if entered:
                    self.answers[option.name] = self.before[option.name]
                return
            if way == "none":
                self.answers[option.name] = None
                return
        if optional:
            question, judge = f"{question} (empty for none)", judge_optional_key
        else:
            judge = judge_key
        typed = self.asker.secret(question, judge=judge, flag=KEY_FLAG.format(option.name))
        self.answers[option.name] = bare(typed.reveal()) or None

    # Which models.

    def choose_models(self, make: Callable[[Settings], Provider], options: TierOptions) -> None:
        """A model for each tier, from the account's own list where it has one."""
        provider = make(self.settings)
        self.answers[PROVIDER.name] = provider.name
        if provider.caution:
            say(provider.caution)
        listed = fetch_list(provider, self.settings.dirs.cache, self.asker, must_answer=self.given.check)
        provider = make(self.settings)
        for tier, option in options.items():
            given, now = self.given.models.get(tier), self.settings[option]
            self.answers[option.name] = given or choose_model(tier, now, listed, provider, self.asker)

    # Whether it works.

    def check(self) -> None:
        """Play a turn on each model. Raises the first failure."""
        if not self.given.check:
            return
        own = {name: value for name, value in self.answers.items() if value}
        with stage({**self.flags, **own}, pending=self.answers, anew=True) as on_stage:
            provider = on_stage.provider
            for tier in distinct(provider):
                name = provider.model(provider.tiers.model(tier)).name
                began = time.monotonic()
                with self.asker.working(f"Trying {name} through the whole chain"):
                    try_out(on_stage, tier)
                taken = time.monotonic() - began
                lacks = "".join(f"; {what}" for what in shortcomings(on_stage, tier))
                tell(f"{marks(sys.stderr).right} {name} answers and calls tools ({taken:.1f} s{lacks})")

    def install(self) -> None:
        """Claude Code, if it is missing and the user wants it. Raises ClaudeNotFound when it stays missing."""
        settings = load(self.flags)
        if self.given.yes or self.asker.there:
            install.offer_install(settings, yes=self.given.yes)
        else:
            install.find_claude(settings)


ACCOUNTS: dict[str, Callable[[Wizard], None]] = {
    "codex": Wizard.codex,
    "chatgpt": Wizard.chatgpt,
    "openai": Wizard.openai,
    SERVER: Wizard.server,
    "azure": Wizard.azure,
    "demo": Wizard.demo,
}


def account_in(settings: Settings) -> str | None:
    """The account that is set up; None where there is none, or none that can be used."""
    try:
        foreign = settings[OPENAI_BASE_URL] != OPENAI_BASE_URL.default
        return SERVER if settings[PROVIDER] == "openai" and foreign else settings[PROVIDER]
    except BadSetting:
        return None


def whose(settings: Settings, name: str) -> str:
    """Whose login there is, in a few words."""
    file = own_file(settings.dirs.data) if name == "chatgpt" else codex_file(codex_path(settings))
    if not file.path.exists():
        return "log in now" if name == "chatgpt" else "none found"
    try:
        if name == "codex" and file.api_key():
            return "an API key"
        tokens = file.read()
    except ClaudegptError:
        return "not usable as it is"
    return ", ".join(part for part in (tokens.email, f"{tokens.plan} plan" if tokens.plan else None) if part) or "found"
