"""Ask which account should pay, and what that account needs: a login, a key, an address, deployments, models.

    name = choose_account(talk)
    ACCOUNTS[name](talk)          # adds the account's answers; raises what keeps it from working

An account is a provider, or one of two ways to reach another server with provider `openai`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from .. import assembly
from ..accounts.auth import entra
from ..accounts.auth.tokens import codex_store, own_file
from ..accounts.provider_table import (
    AZURE_TIERS,
    CODEX_TIERS,
    OPENAI_TIERS,
    PROVIDER_TABLE,
    TierOptions,
    chosen_kind,
)
from ..accounts.providers.azure import read_endpoint
from ..accounts.providers.base import Provider
from ..accounts.providers.chatgpt import chatgpt, codex, codex_path
from ..accounts.providers.openai import openai
from ..claude.programs import NEUTRAL_FOLDER, find_program
from ..errors import BadSetting, ClaudegptError, NotLoggedIn
from ..settings.options import (
    AZURE_API_KEY,
    AZURE_API_VERSION,
    AZURE_ENDPOINT,
    OPENAI_API_KEY,
    OPENAI_BASE_URL,
    PROVIDER,
)
from ..settings.settings import Settings
from ..settings.values import responses_url
from ..terminal.console import say, tell
from ..terminal.questions import Choice
from .conversation import Conversation, ask_key, shorten_title
from .local_servers import Ollama, find_ollama
from .login_screen import log_in
from .model_questions import TIER_NAMES, ask_models, fetch_list
from .validators import judge_deployment, judge_endpoint, judge_url

SERVER = "server"  # provider openai at another server's address
OLLAMA = "ollama"  # the same, at an Ollama that was found on this machine
OLLAMA_ADDRESS = "http://localhost:11434/v1"
IN_PLAN, BY_TOKEN = "included in your plan", "paid by the token"
OPENAI_KEYS = "Keys are made on this page:\n\nhttps://platform.openai.com/api-keys\n"
AZURE_KEYS = (
    "The key is in the Azure portal, on your resource's page, under Keys and Endpoint:\n\nhttps://portal.azure.com\n"
)
OLLAMA_HINT = (
    "Ollama cuts longer prompts to its own context length without a word. Start it with OLLAMA_CONTEXT_LENGTH=65536 "
    "or more."
)


# Which account.


def choose_account(talk: Conversation) -> str:
    """The account that the command line names, or the user chooses. Raises BadSetting if nobody can be asked."""
    given = talk.given
    if given.provider:
        if flag := given.find_misplaced_flag():
            raise BadSetting(f"{flag} is not for provider {given.provider}.", "See `claudegpt setup --help`.")
        return SERVER if given.base_url else given.provider
    settings = talk.settings
    now = _account_in(settings)
    if not talk.asker.there:
        if now is None:
            raise assembly.no_account()
        return now
    has_codex = codex_path(settings).exists()
    ollama = find_ollama(os.environ)
    titles = _account_titles(settings, ollama, has_codex=has_codex)
    if now == SERVER and ollama and settings[OPENAI_BASE_URL] == ollama.url:
        now = OLLAMA
    return talk.asker.choose(
        "Which account should pay for the model?",
        [Choice(name, shorten_title(title)) for name, title in titles.items()],
        default=now or ("codex" if has_codex else "chatgpt"),
        flag="--provider",
    )


def _account_titles(settings: Settings, ollama: Ollama | None, *, has_codex: bool) -> dict[str, str]:
    """Each account with its cost; what is found on this machine is named, and comes first."""
    codex_title = {"codex": f"Codex CLI's login · {_describe_login(settings, 'codex')}"}
    found = f"{len(ollama.models)} model{'s' * (len(ollama.models) != 1)}" if ollama else ""
    return {
        **(codex_title if has_codex else {}),
        "chatgpt": f"ChatGPT plan · {_describe_login(settings, 'chatgpt')}",
        "openai": f"OpenAI API key · {BY_TOKEN}",
        "azure": f"Azure OpenAI · {BY_TOKEN}",
        **({OLLAMA: f"Ollama on this machine · free · {found}"} if ollama else {}),
        SERVER: "Another server: Ollama, vLLM, LM Studio, a gateway",
        "demo": "Demo · free and offline: a script answers, no model",
        **({} if has_codex else codex_title),
    }


def _account_in(settings: Settings) -> str | None:
    """The account that is set up; None if there is none, or its settings are unusable."""
    try:
        kind = chosen_kind(settings)
        return SERVER if kind and kind.is_own_server(settings) else settings[PROVIDER]
    except BadSetting:
        return None


def _describe_login(settings: Settings, name: str) -> str:
    """What a login costs and whose it is, in a few words."""
    kind = PROVIDER_TABLE[name]
    if kind.login_file is None:
        return BY_TOKEN
    file = kind.login_file(settings)
    if not file.path.exists():
        return f"{IN_PLAN} · {'log in now' if kind.logs_in else 'none found'}"
    try:
        if file.shared and file.api_key():
            return f"{BY_TOKEN} · an API key"
        tokens = file.read()
    except ClaudegptError:
        return f"{IN_PLAN} · login unusable"
    return f"{IN_PLAN} · {tokens.email or 'logged in'}"


# What each account needs.


def _ask_codex(talk: Conversation) -> None:
    try:
        codex(talk.settings)
    except NotLoggedIn as problem:
        _offer_codex_login(talk, problem)
    _ask_models(talk, codex, CODEX_TIERS)


def _offer_codex_login(talk: Conversation, problem: NotLoggedIn) -> None:
    """Run the Codex CLI's own login if that would help; else raise the problem."""
    program = find_program("codex")
    in_keyring = codex_store(codex_path(talk.settings).parent) in ("keyring", "auto")
    if not (talk.asker.there and program) or in_keyring:
        raise problem
    tell(problem.message)
    steps = [Choice("yes", "Yes"), Choice("no", "No")]
    if talk.asker.choose("Run `codex login` now?", steps, default="yes", flag="") == "no":
        raise problem
    subprocess.run([program, "login"], cwd=NEUTRAL_FOLDER, check=False, stdout=sys.stderr)


def _ask_chatgpt(talk: Conversation) -> None:
    settings = talk.settings
    how = talk.given.login or _ask_way_to_log_in(talk)
    if how != "keep":
        log_in(settings, with_device=how == "device", browser=how == "browser")
    _ask_models(talk, chatgpt, CODEX_TIERS)


def _ask_way_to_log_in(talk: Conversation) -> str:
    ways = [
        Choice("browser", "In a browser on this machine"),
        Choice("device", "With a code, in a browser on any device"),
    ]
    try:
        tokens = own_file(talk.settings.dirs.data).read()
        ways.insert(0, Choice("keep", shorten_title(f"Keep the login of {tokens.email or 'this machine'}")))
    except ClaudegptError:
        if not talk.asker.there:
            raise
    usual = "browser" if talk.credential_refused else ways[0].value
    return talk.asker.choose("How do you want to log in?", ways, default=usual, flag="--device or --no-browser")


def _ask_openai(talk: Conversation) -> None:
    talk.answers[OPENAI_BASE_URL.name] = None
    ask_key(talk, OPENAI_API_KEY, "OpenAI API key", source=OPENAI_KEYS)
    _ask_models(talk, openai, OPENAI_TIERS)


def _ask_server(talk: Conversation) -> None:
    now = talk.settings.written_text(OPENAI_BASE_URL)
    url = talk.given.base_url or talk.asker.text(
        "Address of its Responses API", default=now or OLLAMA_ADDRESS, judge=judge_url, flag="--base-url"
    )
    try:
        talk.answers[OPENAI_BASE_URL.name] = responses_url(url)
    except ValueError as problem:  # from the command line: a typed one was judged
        raise BadSetting(f"--base-url {problem}.") from None
    ask_key(talk, OPENAI_API_KEY, "Its API key", optional=True)
    _ask_models(talk, openai, OPENAI_TIERS)


def _ask_ollama(talk: Conversation) -> None:
    """Like another server, with the address that was found and without a key, which Ollama does not want."""
    ollama = find_ollama(os.environ)
    talk.answers[OPENAI_BASE_URL.name] = ollama.url if ollama else OLLAMA_ADDRESS
    say(OLLAMA_HINT)
    _ask_models(talk, openai, OPENAI_TIERS)


def _ask_azure(talk: Conversation) -> None:
    pasted = talk.given.endpoint or talk.asker.text(
        "Address of the resource, as the portal shows it",
        default=talk.settings[AZURE_ENDPOINT] or "",
        judge=judge_endpoint,
        flag="--endpoint",
    )
    endpoint = read_endpoint(pasted)
    talk.answers[AZURE_ENDPOINT.name] = endpoint.base
    if talk.given.api_version is not None:
        talk.answers[AZURE_API_VERSION.name] = talk.given.api_version or None
    _ask_azure_key(talk)
    _ask_deployments(talk, endpoint.deployment)
    talk.answers[PROVIDER.name] = "azure"


def _ask_azure_key(talk: Conversation) -> None:
    ways = [Choice("key", "With the resource's key"), Choice("entra", "With Entra ID (`az login`)")]
    found = talk.settings.written_text(AZURE_API_KEY)
    in_use = chosen_kind(talk.settings) is PROVIDER_TABLE["azure"] or not talk.asker.there
    usual = "entra" if entra.is_installed() and in_use and not found else "key"
    question = "How do you log in to Azure?"
    way = "key" if talk.given.key else talk.asker.choose(question, ways, default=usual, flag="--api-key-stdin")
    if way == "key":
        ask_key(talk, AZURE_API_KEY, "Key of the resource", source=AZURE_KEYS)
    else:
        entra.default_token()  # raises if azure-identity is not installed
        talk.answers[AZURE_API_KEY.name] = None


def _ask_deployments(talk: Conversation, pasted: str | None) -> None:
    """A deployment for each tier. The default: the one in the address, the one set now, the larger tier's."""
    given = talk.given.models
    set_before = [talk.settings[option] for option in AZURE_TIERS.values()]
    default = pasted or next(filter(None, [*given.values(), *set_before]), "")
    for tier, option in AZURE_TIERS.items():
        named = given.get(tier)
        if named and (problem := judge_deployment(named)):
            raise BadSetting(f"--{tier}: {problem}")
        named = named or talk.asker.text(
            f"Deployment for {TIER_NAMES[tier]}",
            default=pasted or talk.settings[option] or default,
            judge=judge_deployment,
            flag=f"--{tier}",
        )
        talk.answers[option.name] = default = named.strip()
        pasted = None


def _ask_demo(talk: Conversation) -> None:
    talk.answers[PROVIDER.name] = "demo"


def _ask_models(talk: Conversation, make: Callable[[Settings], Provider], options: TierOptions) -> None:
    provider = make(talk.settings)
    talk.answers[PROVIDER.name] = provider.name
    if provider.caution:
        say(provider.caution)
    listed = fetch_list(provider, talk.settings.dirs.cache, talk.asker, must_answer=talk.given.check)
    ask_models(talk, make(talk.settings), listed, options)


ACCOUNTS: dict[str, Callable[[Conversation], None]] = {
    "codex": _ask_codex,
    "chatgpt": _ask_chatgpt,
    "openai": _ask_openai,
    OLLAMA: _ask_ollama,
    SERVER: _ask_server,
    "azure": _ask_azure,
    "demo": _ask_demo,
}
