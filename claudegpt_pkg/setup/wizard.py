"""The first run, and `claudegpt setup`: choose an account and its models, try them, and only then save them.

In order: the user chooses an account and answers what it needs (account_questions.py), a login is made, the models are
chosen (model_questions.py); each model answers one tiny turn through the whole proxy (trial.py); then `config.env` is
written in one step, and everything else in it stays. Ctrl-C before that changes nothing, except that a finished login
is saved.

Every answer can also be given on the command line (`Given`). Without a terminal, those answers and the defaults hold.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping

from .. import assembly
from ..claude import install
from ..errors import ClaudegptError, NotLoggedIn
from ..settings import env_file
from ..settings.options import PROVIDER
from ..settings.settings import load
from ..terminal.console import complain, marks, say, tell
from ..terminal.questions import Asker, Choice, Terminal
from .account_questions import ACCOUNTS, choose_account
from .conversation import Answers, Conversation
from .conversation import Given as Given
from .trial import describe_shortcomings, distinct_tiers, start_trial, try_model

SENTENCE_END = re.compile(r"(?<=[.!?]) +(?=[A-Z`])")
OUTSIDE_ADVICE = ("/model", "/compact", "`claudegpt setup`", "Run `claudegpt login`")
INTRODUCTION = "claudegpt runs Claude Code on GPT. Ctrl-C quits; nothing is saved before the end.\n"


def set_up(asker: Asker, given: Given, flags: Mapping[str, str]) -> None:
    """Ask, try, save. If nobody can be asked, raises what keeps the account from working, and saves nothing."""
    file = load(flags).dirs.config_file
    env_file.make_sure(file)
    talk = Conversation(asker, given, flags)
    answers = _run_conversation(talk)
    env_file.change(file, {PROVIDER.name: answers[PROVIDER.name], **answers})
    tell(f"Saved in {file}. `claudegpt setup` changes it.")
    for note in load(flags).find_overruled(answers):
        say(note)
    _install_claude_code(talk)


def first_run(flags: Mapping[str, str]) -> None:
    """The setup that a plain `claudegpt` starts with. Raises BadSetting if there is no terminal to ask on."""
    if not install.on_terminal():
        raise assembly.no_account()
    set_up(Terminal(), Given(), flags)


def _run_conversation(talk: Conversation) -> Answers:
    """Ask until an attempt works, or the user saves it anyway. Raises KeyboardInterrupt if the user quits."""
    talk.explain(INTRODUCTION)
    account = choose_account(talk)
    while True:
        try:
            ACCOUNTS[account](talk)
            _try_models(talk)
            return talk.answers
        except ClaudegptError as problem:
            talk.credential_refused = isinstance(problem, NotLoggedIn)
            step = _ask_next_step(talk, problem)
        if step == "save":
            return talk.answers
        if step == "quit":
            raise KeyboardInterrupt
        talk.restart()
        if step == "account":
            account = choose_account(talk)


def _ask_next_step(talk: Conversation, problem: ClaudegptError) -> str:
    """Ask what to do about a failure. Raises it if nobody can be asked."""
    complete = PROVIDER.name in talk.answers
    if not talk.asker.there:
        if talk.given.check and complete:
            say("Nothing is saved. With --no-check it is saved without trying.")
        raise problem
    complain(drop_outside_advice(str(problem)))
    steps = [
        Choice("again", "Change the answers and try again"),
        Choice("account", "Choose another account"),
        *[Choice("save", "Save it anyway")] * complete,
        Choice("quit", "Quit without saving"),
    ]
    return talk.asker.choose("What now?", steps, default="again", flag="")


def drop_outside_advice(message: str) -> str:
    """The message without the sentences whose advice cannot be followed inside the setup, such as "use /model"."""
    sentences = SENTENCE_END.split(message)
    kept = [sentence for sentence in sentences if not any(words in sentence for words in OUTSIDE_ADVICE)]
    return " ".join(kept)


def _try_models(talk: Conversation) -> None:
    """Play one tiny turn on each model through the proxy. Raises the first failure."""
    if not talk.given.check:
        return
    own = {name: value for name, value in talk.answers.items() if value}
    with start_trial({**talk.flags, **own}, pending=talk.answers, anew=True) as trial:
        provider = trial.provider
        for tier in distinct_tiers(provider):
            name = provider.model(provider.tiers.model(tier)).name
            began = time.monotonic()
            with talk.asker.working(f"Trying {name}"):
                try_model(trial, tier)
            taken = time.monotonic() - began
            lacks = "".join(f"; {what}" for what in describe_shortcomings(trial, tier))
            tell(f"{marks(sys.stderr).right} {name} answers and calls tools ({taken:.1f} s{lacks})")


def _install_claude_code(talk: Conversation) -> None:
    """Install Claude Code if it is missing and the user wants it. Raises ClaudeNotFound if it stays missing."""
    settings = load(talk.flags)
    if talk.given.yes or talk.asker.there:
        install.offer_install(settings, yes=talk.given.yes)
    else:
        install.find_claude(settings)
