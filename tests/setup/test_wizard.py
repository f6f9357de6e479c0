"""The setup, answered by a scripted person, in front of strict backends."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg import assembly
from claudegpt_pkg.accounts.auth import entra
from claudegpt_pkg.accounts.auth.tokens import own_file
from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.claude import install
from claudegpt_pkg.errors import BadSetting, ClaudegptError, NotLoggedIn, UpstreamFailed
from claudegpt_pkg.models import LOW_TO_MAX
from claudegpt_pkg.secret import Secret
from claudegpt_pkg.settings import env_file
from claudegpt_pkg.settings.settings import Settings, load
from claudegpt_pkg.setup import account_questions, wizard
from claudegpt_pkg.setup.model_questions import EACH, QUESTION
from claudegpt_pkg.setup.wizard import Given, drop_outside_advice, first_run, set_up
from claudegpt_pkg.terminal.questions import Choice, Judge, Nobody, accept_anything
from claudegpt_pkg.upstream.capability_store import recall
from tests.support.auth_files import write
from tests.support.fakes.answers import answer, error
from tests.support.fakes.backend import FakeBackend, Request
from tests.support.fakes.identity import FakeIdentity
from tests.support.fakes.login import FakeLogin
from tests.support.fakes.trial import call_the_tool, is_trial, takes_trials, trials

KEY = "test-key"
ACCOUNT = "Which account should pay for the model?"
Answer = str | None  # None: the default


class Person:
    """Gives the answers in order; None stands for the preselected choice or the default text."""

    there = True

    def __init__(self, *answers: Answer):
        self.answers = list(answers)
        self.asked: list[str] = []
        self.choices: dict[str, list[str]] = {}  # the values on offer, by question
        self.titles: dict[str, str] = {}  # by value
        self.defaults: dict[str, str | None] = {}

    def choose(self, question: str, choices: Sequence[Choice], *, default: str | None, flag: str) -> str:
        values = [choice.value for choice in choices]
        self.choices[question] = values
        self.titles |= {choice.value: choice.title for choice in choices}
        assert default is None or default in values, f"{question}: the pointer stands on {default}, of {values}"
        return self._answer(question, values[0] if default is None else default)

    def text(self, question: str, *, default: str = "", judge: Judge = accept_anything, flag: str) -> str:
        given = self._answer(question, default)
        assert judge(given) is None, f"{question}: {judge(given)}"
        return given

    def secret(self, question: str, *, judge: Judge = accept_anything, flag: str) -> Secret:
        given = self._answer(question, "")
        assert judge(given) is None, f"{question}: {judge(given)}"
        return Secret(given)

    def working(self, what: str) -> AbstractContextManager[object]:
        return nullcontext()

    def _answer(self, question: str, default: str) -> str:
        self.asked.append(question)
        self.defaults[question] = default
        assert self.answers, f"nobody foresaw the question {question!r}"
        given = self.answers.pop(0)
        if given == "^C":
            raise KeyboardInterrupt
        return default if given is None else given


@pytest.fixture(autouse=True)
def machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, with a Claude Code that does nothing."""
    program = home / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("CLAUDEGPT_CLAUDE_BIN", str(program))
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")  # where none is
    return home


@pytest.fixture
def backend(backend: FakeBackend) -> FakeBackend:
    return takes_trials(backend)


@pytest.fixture
def azure() -> Iterator[FakeBackend]:
    deployments = {"big": "gpt-6.1-sol", "small": "gpt-5.4-nano"}
    with FakeBackend("azure", deployments=deployments) as backend:
        yield takes_trials(backend)


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBackend]:
    """A ChatGPT plan; `plan_login` makes a login that it accepts."""
    with FakeBackend("chatgpt", credentials=(), account_id="account-1") as backend:
        monkeypatch.setenv("CODEX_BASE_URL", backend.url)
        yield takes_trials(backend)
        backend.check()


@pytest.fixture
def login_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLogin]:
    with FakeLogin() as server:
        monkeypatch.setenv("CLAUDEGPT_AUTH_URL", server.url)
        yield server
        server.check()


@pytest.fixture
def stderr_text(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Everything written to stderr since the test began, on one line."""
    pieces: list[str] = []

    def everything() -> str:
        pieces.append(capsys.readouterr().err)
        return " ".join("".join(pieces).split())

    return everything


@pytest.fixture
def public(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend stands at the address of the OpenAI API in the user's environment."""
    monkeypatch.setenv("OPENAI_BASE_URL", backend.url)


def plan_login(server: FakeLogin, plan: FakeBackend) -> dict[str, Any]:
    document = server.log_in()
    plan.credentials.add(document["tokens"]["access_token"])
    return document


def saved() -> dict[str, str]:
    return env_file.read(config_file())


def config_file() -> Path:
    return load().dirs.config_file


def run(person: Person, given: Given | None = None, flags: Mapping[str, str] | None = None) -> dict[str, str]:
    """Run the setup to its end and return what it saved."""
    set_up(person, given or Given(), flags or {})
    assert not person.answers, f"never asked for: {person.answers}"
    return saved()


NARROW = 60  # columns, in which a line of a menu or about a text is cut off, not folded


def test_no_title_of_an_account_folds_on_a_narrow_terminal(
    machine: Path, plan: FakeBackend, login_server: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(NARROW))
    write(machine / ".codex" / "auth.json", plan_login(login_server, plan))
    person = Person("demo")
    run(person)
    assert max(map(len, person.titles.values())) <= NARROW - len(" » ")
    assert person.titles["codex"] == "Codex CLI's login · included in your plan · ann@example.…"
    assert not any(title.endswith("…") for name, title in person.titles.items() if name != "codex")


def test_every_account_is_shown_with_its_cost() -> None:
    person = Person("demo")
    run(person)
    assert [person.titles[name] for name in person.choices[ACCOUNT]] == [
        "ChatGPT plan · included in your plan · log in now",
        "OpenAI API key · paid by the token",
        "Azure OpenAI · paid by the token",
        "Another server: Ollama, vLLM, LM Studio, a gateway",
        "Demo · free and offline: a script answers, no model",
        "Codex CLI's login · included in your plan · none found",
    ]


# An Ollama on this machine.


@pytest.fixture
def ollama(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    """An Ollama with two models, which needs no key."""
    backend.credentials.add("")
    backend.page("GET", "/api/tags", 200, {"models": [{"name": "qwen3:8b"}, {"name": "llama4:70b"}]})
    backend.page("GET", "/v1/models", 200, {"data": [{"id": "qwen3:8b"}, {"id": "llama4:70b"}]})
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{backend.port}")
    return backend


def test_a_found_ollama_is_offered_by_name_and_needs_no_key(
    ollama: FakeBackend, stderr_text: Callable[[], str]
) -> None:
    person = Person("ollama", "llama4:70b")
    assert run(person) == {
        "CLAUDEGPT_PROVIDER": "openai",
        "OPENAI_BASE_URL": ollama.url,
        "CLAUDEGPT_OPENAI_OPUS": "llama4:70b",
        "CLAUDEGPT_OPENAI_SONNET": "llama4:70b",
        "CLAUDEGPT_OPENAI_HAIKU": "llama4:70b",
    }
    assert person.titles["ollama"] == "Ollama on this machine · free · 2 models"
    assert person.choices[QUESTION] == ["qwen3:8b", "llama4:70b", "?", "*"]
    assert person.titles["qwen3:8b"] == "qwen3:8b · 272k tokens (assumed)"
    shown = stderr_text()
    assert "Start it with OLLAMA_CONTEXT_LENGTH=65536" in shown
    assert "The window of llama4:70b is not known; 272k tokens are assumed." in shown
    assert "run `claudegpt config set window llama4:70b=TOKENS`" in shown


def test_an_ollama_that_is_set_up_is_the_default_the_next_time(ollama: FakeBackend) -> None:
    run(Person("ollama", "llama4:70b"))
    again = Person(None, None)
    assert run(again)["CLAUDEGPT_OPENAI_OPUS"] == "llama4:70b"
    assert (again.defaults[ACCOUNT], again.titles["="]) == ("ollama", "As now: llama4:70b")


def test_a_key_that_is_set_stays_when_ollama_is_chosen(ollama: FakeBackend) -> None:
    write(config_file(), f"OPENAI_API_KEY={KEY}\n")
    assert run(Person("ollama", "qwen3:8b"))["OPENAI_API_KEY"] == KEY


# A small window.


def test_a_model_with_a_small_window_is_warned_about(backend: FakeBackend, stderr_text: Callable[[], str]) -> None:
    entry = {"slug": "small", "context_window": 32_000, "supported_reasoning_levels": []}
    backend.page("GET", "/v1/models", 200, {"models": [entry]})
    run(Person("server", backend.url, KEY, None))
    assert "small has a window of 32k tokens. Claude Code works badly below 64k" in stderr_text()


# Each account.


def test_an_openai_key_is_asked_for_tried_and_saved(backend: FakeBackend, public: None) -> None:
    person = Person("openai", KEY, None)
    assert run(person) == {"CLAUDEGPT_PROVIDER": "openai", "OPENAI_API_KEY": KEY}
    assert [request.body["model"] for request in trials(backend)] == ["gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna"]
    assert stat.S_IMODE(config_file().stat().st_mode) == 0o600


def test_quotes_around_a_pasted_key_are_removed(backend: FakeBackend, public: None) -> None:
    assert run(Person("openai", f' "{KEY}"\n', None))["OPENAI_API_KEY"] == KEY


def test_a_key_in_the_environment_stays_there(
    backend: FakeBackend, public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    person = Person("openai", "keep", None)
    assert run(person) == {"CLAUDEGPT_PROVIDER": "openai"}
    assert person.titles["keep"] == "Use the one from the environment"


def test_another_server_may_need_no_key(backend: FakeBackend) -> None:
    backend.credentials.add("")
    assert run(Person("server", backend.url, "", EACH, None, "gpt-5.5", None)) == {
        "CLAUDEGPT_PROVIDER": "openai",
        "OPENAI_BASE_URL": backend.url,
        "CLAUDEGPT_OPENAI_SONNET": "gpt-5.5",
    }


def test_an_unencrypted_address_is_warned_about_and_accepted(
    backend: FakeBackend, stderr_text: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    far = backend.url.replace("127.0.0.1", "0.0.0.0")  # which is this machine, and does not look like it
    monkeypatch.setenv("NO_PROXY", "0.0.0.0")
    assert run(Person("server", far, KEY, None))["OPENAI_BASE_URL"] == far
    assert "unencrypted: others on the network can read it. Use https:// if the server can." in stderr_text()


def test_models_with_other_names_are_saved_by_name(backend: FakeBackend) -> None:
    backend.page("GET", "/v1/models", 200, {"data": [{"id": "qwen3:8b"}, {"id": "llama4:70b"}]})
    person = Person("server", backend.url, KEY, EACH, None, "llama4:70b", None)
    assert {name: model for name, model in run(person).items() if "_OPENAI_" in name} == {
        "CLAUDEGPT_OPENAI_OPUS": "qwen3:8b",
        "CLAUDEGPT_OPENAI_SONNET": "llama4:70b",
        "CLAUDEGPT_OPENAI_HAIKU": "qwen3:8b",
    }


def test_without_a_list_the_user_types_the_models(backend: FakeBackend) -> None:
    backend.page("GET", "/v1/models", 404, {"error": "no such page"})
    found = run(Person("server", backend.url, KEY, "qwen3:8b", "qwen3:8b", "qwen3:8b"))
    assert found["CLAUDEGPT_OPENAI_HAIKU"] == "qwen3:8b"
    assert [request.body["model"] for request in trials(backend)][-1:] == ["qwen3:8b"]


def test_the_saved_list_is_used_if_the_server_has_none(backend: FakeBackend) -> None:
    run(Person("server", backend.url, KEY, None))
    backend.page("GET", "/v1/models", 503, {"error": {"message": "busy"}})
    person = Person("server", backend.url, "keep", None)
    run(person)
    assert person.titles[""] == "The newest: GPT-6.1 Sol, GPT-6.1 Terra, GPT-6 Luna"


def test_azure_takes_a_pasted_address_and_the_deployment_in_it(azure: FakeBackend) -> None:
    pasted = f"{azure.origin}/openai/deployments/big/chat/completions?api-version=2024-10-21"
    person = Person("azure", pasted, "key", KEY, None, None, "small")
    assert run(person) == {
        "CLAUDEGPT_PROVIDER": "azure",
        "AZURE_OPENAI_ENDPOINT": f"{azure.origin}/openai/v1",
        "AZURE_OPENAI_API_KEY": KEY,
        "AZURE_OPENAI_CHAT_DEPLOYMENT_FULL": "big",
        "AZURE_OPENAI_CHAT_DEPLOYMENT": "big",
        "AZURE_OPENAI_CHAT_DEPLOYMENT_NANO": "small",
    }
    assert {request.body["model"] for request in trials(azure)} == {"big", "small"}
    assert not azure.faults


def test_entra_needs_no_key_and_is_preselected_the_next_time(
    azure: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeIdentity() as identity:
        azure.credentials = identity  # type: ignore[assignment]
        for name, value in identity.environ.items():
            monkeypatch.setenv(name, value)
        run(Person("azure", azure.origin, "entra", "big", None, "small"))
        again = Person(None, None, None, None, None, None)
        assert "AZURE_OPENAI_API_KEY" not in run(again)
        assert again.defaults["How do you log in to Azure?"] == "entra"
    assert not azure.faults


def test_entra_without_its_package_names_what_to_install(
    azure: FakeBackend, monkeypatch: pytest.MonkeyPatch, stderr_text: Callable[[], str]
) -> None:
    monkeypatch.setattr(entra, "is_installed", lambda: False)
    with pytest.raises(KeyboardInterrupt):
        run(Person("azure", azure.origin, "entra", "quit"))
    assert "install claudegpt with its extra: claudegpt[azure]" in stderr_text()


def test_codex_is_offered_first_if_it_has_a_login(machine: Path, plan: FakeBackend, login_server: FakeLogin) -> None:
    write(machine / ".codex" / "auth.json", plan_login(login_server, plan))
    person = Person(None, None)
    assert run(person) == {"CLAUDEGPT_PROVIDER": "codex"}
    assert person.choices[ACCOUNT][0] == person.defaults[ACCOUNT] == "codex"
    assert person.titles["codex"] == "Codex CLI's login · included in your plan · ann@example.com"


def test_codex_is_offered_last_without_a_login(machine: Path) -> None:
    person = Person("^C")
    with pytest.raises(KeyboardInterrupt):
        run(person)
    assert person.choices[ACCOUNT][-1] == "codex" and person.defaults[ACCOUNT] == "chatgpt"


def test_an_api_key_of_codex_is_used_on_the_openai_api(machine: Path, backend: FakeBackend, public: None) -> None:
    write(machine / ".codex" / "auth.json", {"auth_mode": "apikey", "OPENAI_API_KEY": KEY, "tokens": None})
    person = Person("codex", EACH, None, None, "gpt-5.5")
    assert run(person) == {"CLAUDEGPT_PROVIDER": "codex", "CLAUDEGPT_CODEX_HAIKU": "gpt-5.5"}
    assert person.titles["codex"] == "Codex CLI's login · paid by the token · an API key"


def test_a_codex_login_in_the_keyring_is_explained(machine: Path, stderr_text: Callable[[], str]) -> None:
    write(machine / ".codex" / "config.toml", 'cli_auth_credentials_store = "keyring"')
    with pytest.raises(KeyboardInterrupt):
        run(Person("codex", "quit"))
    assert "keep its login in the OS keyring" in stderr_text()


def test_codex_login_is_run_if_the_user_wants_it(
    machine: Path, plan: FakeBackend, login_server: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = plan_login(login_server, plan)
    write(machine / "elsewhere" / "auth.json", document)
    program = machine / "bin" / "codex"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1" = login ] && cp "$HOME/elsewhere/auth.json" "$HOME/.codex/auth.json"\n')
    program.chmod(0o755)
    (machine / ".codex").mkdir()
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    assert run(Person("codex", "yes", None)) == {"CLAUDEGPT_PROVIDER": "codex"}


def test_a_saved_chatgpt_login_is_kept(plan: FakeBackend, login_server: FakeLogin) -> None:
    write(own_file(load().dirs.data).path, plan_login(login_server, plan))
    person = Person("chatgpt", None, EACH, "gpt-5.5", None, None)
    assert run(person) == {"CLAUDEGPT_PROVIDER": "chatgpt", "CLAUDEGPT_CODEX_OPUS": "gpt-5.5"}
    assert person.titles["keep"] == "Keep the login of ann@example.com"


def test_after_a_refusal_the_pointer_is_on_a_new_login(
    plan: FakeBackend, login_server: FakeLogin, stderr_text: Callable[[], str]
) -> None:
    write(own_file(load().dirs.data).path, login_server.log_in())
    login_server.logins[0].ended = True
    person = Person("chatgpt", "keep", "again", "^C")
    with pytest.raises(KeyboardInterrupt):
        run(person)
    assert (
        person.defaults["How do you want to log in?"] == "browser"
        and "keep" in person.choices["How do you want to log in?"]
    )
    assert "The saved login was revoked" in stderr_text()
    plan.faults.clear()


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_an_unusable_chatgpt_login_is_not_offered(mode: int) -> None:
    file = own_file(load().dirs.data).path
    write(file, "{cut off")
    file.chmod(mode)
    person = Person("chatgpt", "^C")
    with pytest.raises(KeyboardInterrupt):
        run(person)
    assert person.choices["How do you want to log in?"] == ["browser", "device"]
    assert person.titles["chatgpt"] == "ChatGPT plan · included in your plan · login unusable"


@pytest.mark.parametrize(("how", "expected"), [("browser", (False, True)), ("device", (True, True))])
def test_a_chatgpt_login_is_made_during_the_setup(
    how: str,
    expected: tuple[bool, bool],
    plan: FakeBackend,
    login_server: FakeLogin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []

    def log_in(settings: Settings, *, with_device: bool, browser: bool) -> None:
        made.append((with_device, browser or with_device))
        write(own_file(settings.dirs.data).path, plan_login(login_server, plan))

    monkeypatch.setattr(account_questions, "log_in", log_in)
    assert run(Person("chatgpt", how, None)) == {"CLAUDEGPT_PROVIDER": "chatgpt"}
    set_up(Nobody(), Given(provider="chatgpt", login=how), {})  # the same by a flag, where nobody can be asked
    assert made == [expected, expected]


def test_the_demo_needs_no_answer() -> None:
    assert run(Person("demo")) == {"CLAUDEGPT_PROVIDER": "demo"}


# What goes wrong.


def test_a_wrong_key_is_reported_and_can_be_corrected(backend: FakeBackend, stderr_text: Callable[[], str]) -> None:
    person = Person("server", backend.url, "wrong", "again", None, None, KEY, None)  # the pointer is on "new"
    assert run(person)["OPENAI_API_KEY"] == KEY
    assert "refused the credential" in stderr_text()
    assert person.defaults["Address of its Responses API"] == backend.url
    assert "wrong" not in stderr_text()
    assert backend.faults.pop().startswith("GET /v1/models was refused with 401") and not backend.faults


def test_advice_that_cannot_be_followed_in_the_setup_is_left_out(
    backend: FakeBackend, stderr_text: Callable[[], str]
) -> None:
    backend.route(is_trial, error(404, "model_not_found", "No such model."))
    with pytest.raises(KeyboardInterrupt):
        run(Person("server", backend.url, KEY, None, "quit"))
    assert "does not know this model" in stderr_text() and "/model" not in stderr_text()
    assert drop_outside_advice("It failed. Choose another model with /model. Try again.") == "It failed. Try again."


def test_an_address_is_refused_as_a_key_and_as_a_deployment(azure: FakeBackend) -> None:
    with pytest.raises(AssertionError, match="That is an address, not a key"):
        run(Person("azure", azure.origin, "key", azure.origin))
    with pytest.raises(AssertionError, match=r"That is an address\. Enter the deployment's name"):
        run(Person("azure", azure.origin, "key", KEY, azure.origin))


def test_the_page_where_a_key_is_made_is_named(
    backend: FakeBackend, public: None, stderr_text: Callable[[], str]
) -> None:
    run(Person("openai", KEY, None))
    assert "Keys are made on this page: https://platform.openai.com/api-keys" in stderr_text()


def test_another_account_can_be_chosen_after_a_failure(backend: FakeBackend) -> None:
    assert run(Person("server", backend.url, "wrong", "account", "demo")) == {"CLAUDEGPT_PROVIDER": "demo"}
    backend.faults.clear()


def test_a_wrong_flag_does_not_answer_again(backend: FakeBackend) -> None:
    given = Given(provider="openai", base_url=backend.url, key=Secret("wrong"))
    assert run(Person("account", "demo"), given) == {"CLAUDEGPT_PROVIDER": "demo"}
    backend.faults.clear()


def test_a_failing_account_can_be_saved_anyway(backend: FakeBackend) -> None:
    backend.route(is_trial, error(500, "server_error", "Broken."))
    assert run(Person("server", backend.url, KEY, None, "save"))["OPENAI_API_KEY"] == KEY


def test_quitting_saves_nothing(backend: FakeBackend) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Person("server", "http://127.0.0.1:9/v1", "", "quit"))
    assert not config_file().exists()


def test_a_model_that_calls_no_tool_is_reported(backend: FakeBackend, stderr_text: Callable[[], str]) -> None:
    backend.route(is_trial, lambda request: answer("I am ready!"))
    with pytest.raises(KeyboardInterrupt):
        run(Person("server", backend.url, KEY, None, "quit"))
    assert "gpt-6.1-sol answered, but did not call the tool that the test requires." in stderr_text()


def test_a_failing_model_is_named(azure: FakeBackend, stderr_text: Callable[[], str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Person("azure", azure.origin, "key", KEY, "big", "big", "smal", "quit"))
    assert "smal: The upstream does not know this model, deployment or address" in stderr_text()


def test_nothing_is_written_before_the_end_wherever_the_user_quits(
    backend: FakeBackend, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config_file(), "# mine\nOTHER=1\n")
    answers: list[Answer] = ["server", backend.url, KEY, None]
    for place in range(len(answers)):
        with pytest.raises(KeyboardInterrupt):
            run(Person(*answers[:place], "^C"))
        assert config_file().read_text() == "# mine\nOTHER=1\n"
    monkeypatch.setattr(wizard, "try_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(Person(*answers))
    assert [file.name for file in config_file().parent.iterdir()] == ["config.env"]
    assert config_file().read_text() == "# mine\nOTHER=1\n"


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_other_lines_of_the_file_stay(backend: FakeBackend) -> None:
    write(config_file(), "# mine\nOTHER=1\nCLAUDEGPT_PROVIDER=demo\nAZURE_OPENAI_API_KEY=kept\n")
    run(Person("server", backend.url, KEY, None))
    lines = config_file().read_text().splitlines()
    assert lines[:4] == ["# mine", "OTHER=1", "CLAUDEGPT_PROVIDER=openai", "AZURE_OPENAI_API_KEY=kept"]


def test_an_unwritable_folder_is_reported_before_the_first_question(machine: Path) -> None:
    (machine / "claudegpt").write_text("a file in its place")
    person = Person()
    with pytest.raises(BadSetting, match=r"Cannot write .*config\.env"):
        run(person)
    assert not person.asked


def test_the_setup_repairs_an_unusable_setting() -> None:
    write(config_file(), "CLAUDEGPT_PROVIDER=chatgtp\n")
    assert run(Person("demo")) == {"CLAUDEGPT_PROVIDER": "demo"}


def test_a_setting_overruled_by_the_environment_is_reported(
    backend: FakeBackend, monkeypatch: pytest.MonkeyPatch, stderr_text: Callable[[], str]
) -> None:
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "azure")
    run(Person("demo"))
    assert "CLAUDEGPT_PROVIDER is also set in the environment, which wins." in stderr_text()


def test_models_of_another_account_are_not_preselected(backend: FakeBackend, public: None) -> None:
    write(config_file(), "CLAUDEGPT_OPENAI_OPUS=qwen3:8b\nCLAUDEGPT_OPENAI_HAIKU=gpt-5.5-low\n")
    person = Person("openai", KEY, None)
    assert run(person).get("CLAUDEGPT_OPENAI_OPUS") is None
    assert saved()["CLAUDEGPT_OPENAI_HAIKU"] == "gpt-5.5-low"


# The trial.


def test_the_trial_uses_a_free_port_and_stores_no_trace(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_PORT", str(backend.port))  # taken
    run(Person("server", backend.url, KEY, None))
    assert not load().trace_dir.exists()


def test_what_a_deployment_lacks_is_found_and_saved(azure: FakeBackend) -> None:
    refuse_search_and_effort(azure)
    run(Person("azure", azure.origin, "key", KEY, "big", None, None))
    settings = load()
    provider, _ = assembly.backend(settings)
    assert recall(settings.dirs.cache, provider) == {"big": Capabilities(efforts=("low", "medium"), web_search=False)}
    last = trials(azure)[-1].body
    assert last["reasoning"]["effort"] == "medium"
    assert [tool["type"] for tool in last["tools"]] == ["function"]


def refuse_search_and_effort(backend: FakeBackend) -> None:
    efforts = "Unsupported value: 'max' is not supported with this model. Supported values are: 'low' and 'medium'."
    search = "Hosted tool 'web_search' is not supported with this model."
    backend.route(lambda it: is_trial(it) and searches(it), error(400, "unsupported_value", search, param="tools"))
    backend.route(
        lambda it: is_trial(it) and it.body["reasoning"]["effort"] == "max",
        error(400, "unsupported_value", efforts, param="reasoning.effort"),
    )


def searches(request: Request) -> bool:
    return any(tool["type"] == "web_search" for tool in request.body.get("tools") or ())


def test_a_search_that_silences_a_deployment_is_turned_off(azure: FakeBackend) -> None:
    azure.route(lambda it: is_trial(it) and searches(it), lambda it: answer())
    run(Person("azure", azure.origin, "key", KEY, "big", None, None))
    settings = load()
    provider, _ = assembly.backend(settings)
    assert recall(settings.dirs.cache, provider)["big"].web_search is False


def test_a_new_setup_forgets_learned_capabilities(azure: FakeBackend) -> None:
    refuse_search_and_effort(azure)
    run(Person("azure", azure.origin, "key", KEY, "big", None, None))
    azure.route(is_trial, call_the_tool)
    run(Person("azure", None, "key", "keep", None, None, None))
    settings = load()
    provider, _ = assembly.backend(settings)
    assert recall(settings.dirs.cache, provider) == {"big": Capabilities(efforts=LOW_TO_MAX)}


# Without a terminal.


def test_flags_answer_everything(backend: FakeBackend) -> None:
    given = Given(provider="openai", base_url=backend.url, key=Secret(KEY), models={"haiku": "gpt-5.5"})
    set_up(Nobody(), given, {})
    assert saved() == {
        "CLAUDEGPT_PROVIDER": "openai",
        "OPENAI_BASE_URL": backend.url,
        "OPENAI_API_KEY": KEY,
        "CLAUDEGPT_OPENAI_HAIKU": "gpt-5.5",
    }


def test_azure_flags_answer_everything(azure: FakeBackend) -> None:
    given = Given(provider="azure", endpoint=azure.origin, key=Secret(KEY), models={"opus": "big", "haiku": "small"})
    set_up(Nobody(), given, {})
    assert saved()["AZURE_OPENAI_CHAT_DEPLOYMENT"] == "big"
    assert saved()["AZURE_OPENAI_CHAT_DEPLOYMENT_NANO"] == "small"


def test_one_deployment_that_is_set_serves_all_tiers(azure: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_CHAT_DEPLOYMENT", "big")
    set_up(Nobody(), Given(provider="azure", endpoint=azure.origin, key=Secret(KEY)), {})
    assert saved()["AZURE_OPENAI_CHAT_DEPLOYMENT_FULL"] == saved()["AZURE_OPENAI_CHAT_DEPLOYMENT_NANO"] == "big"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Given(provider="openai"), "OpenAI API key: there is no terminal to ask on. Give --api-key-stdin (or set OP"),
        (Given(provider="azure"), "Address of the resource, as the portal shows it: there is no terminal to ask on"),
        (Given(provider="azure", endpoint="r"), "Key of the resource: there is no terminal to ask on."),
        (Given(provider="azure", endpoint="r", key=Secret("k")), "Deployment for opus, the large model: there is no"),
        (Given(provider="azure", endpoint="http://r.com"), "is not an address a key may be sent to"),
        (
            Given(provider="openai", base_url="nowhere"),
            "--base-url is an address that begins with https:// or http://.",
        ),
        (Given(provider="openai", key=Secret("")), "On stdin: A key is needed."),
        (Given(provider="openai", key=Secret("a b")), "On stdin: That is not a key"),
        (Given(provider="openai", key=Secret("www.r.com")), "On stdin: That is an address, not a key."),
        (
            Given(provider="azure", endpoint="r", key=Secret("k"), models={"opus": "https://r.com"}),
            "--opus: That is an address. Enter the deployment's name.",
        ),
        (Given(provider="openai", key=Secret("''")), "On stdin: A key is needed."),
        (Given(provider="openai", endpoint="r", key=Secret("k")), "--endpoint is not for provider openai."),
        (Given(provider="openai", api_version="v"), "--api-version is not for provider openai."),
        (Given(provider="azure", base_url="https://r.com"), "--base-url is not for provider azure."),
        (Given(provider="codex", login="device"), "--device or --no-browser is not for provider codex."),
        (Given(provider="demo", key=Secret("k")), "--api-key-stdin is not for provider demo."),
        (Given(provider="demo", models={"opus": "x"}), "--opus is not for provider demo."),
        (Given(provider="chatgpt"), "There is no login in"),
        (Given(provider="codex"), "There is no login in"),
        (Given(), "No account is set up."),
    ],
)
def test_a_question_without_an_answer_names_its_flag(given: Given, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entra, "is_installed", lambda: False)
    with pytest.raises(ClaudegptError) as raised:
        set_up(Nobody(), given, {})
    assert str(raised.value).startswith(words) or words in str(raised.value)
    assert not config_file().exists()


def test_without_a_terminal_a_failing_account_is_not_saved(
    backend: FakeBackend, stderr_text: Callable[[], str]
) -> None:
    with pytest.raises(NotLoggedIn, match="refused the credential"):
        set_up(Nobody(), Given(provider="openai", base_url=backend.url, key=Secret("wrong")), {})
    assert "With --no-check it is saved without trying." in stderr_text()
    assert not config_file().exists()
    backend.faults.clear()


def test_no_check_saves_without_trying() -> None:
    address = "http://127.0.0.1:9/v1"
    set_up(Nobody(), Given(provider="openai", base_url=address, key=Secret("k"), check=False), {})
    assert saved()["OPENAI_BASE_URL"] == address


def test_an_unreachable_server_is_named() -> None:
    with pytest.raises(UpstreamFailed, match=r"http://127\.0\.0\.1:9/v1 cannot be reached"):
        set_up(Nobody(), Given(provider="openai", base_url="http://127.0.0.1:9/v1", key=Secret("k")), {})


def test_the_first_run_without_a_terminal_names_the_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "on_terminal", lambda: False)
    with pytest.raises(BadSetting, match="claudegpt setup --provider openai --api-key-stdin"):
        first_run({})


# Claude Code.


def test_a_missing_claude_code_is_offered_for_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = []
    monkeypatch.setattr(install, "offer_install", lambda settings, *, yes: offered.append(yes))
    run(Person("demo"))
    set_up(Nobody(), Given(provider="demo", yes=True), {})
    assert offered == [False, True]
