"""The files that hold a ChatGPT login: ours, and the Codex CLI's `auth.json`, which we share with it.

Both have Codex's shape: `{auth_mode, OPENAI_API_KEY, tokens: {id_token, access_token, refresh_token, account_id},
last_refresh}`; before `auth_mode` existed, a key in the file meant that the key is used. Unknown keys are kept.

Two programs that renew from one file must not send the same refresh token twice. So only one of our processes at a time
renews, from reading the file again to saving the answer. The Codex CLI (0.169.0) also reads the file again before it
renews, but takes no lock until it writes (`auth.lock`, `auth.json.lock`): if it was quicker all the same, its tokens
are awaited and used.
"""

from __future__ import annotations

import json
import logging
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ... import files
from ...errors import BadSetting, ClaudegptError, NotLoggedIn, UpstreamFailed
from ...secret import Secret
from ...untrusted import as_object, one_line, read_object, read_word
from . import oauth

RENEWAL_WAIT = 60.0  # seconds: longer than any renewal in progress may take
WRITE_WAIT = 5.0  # the Codex CLI holds its locks for milliseconds
ROOM = 32 * 1024  # bytes of disk a renewal reserves before it spends the old token
# Seconds between looks at a file that another program is writing: an older Codex CLI writes in place, so that half a
# file may be met; and one that has just renewed needs a moment to save.
LOOKS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tokens:
    """One login. `account_id` as the file states it; the claims are the tokens' own."""

    access: Secret
    refresh: Secret | None = None
    id_token: Secret | None = None
    stated_account: str | None = None
    replaced: frozenset[Secret] = field(default=frozenset(), compare=False)  # the access tokens before this one

    @cached_property
    def access_claims(self) -> oauth.Claims:
        return oauth.claims(self.access)

    @cached_property
    def id_claims(self) -> oauth.Claims:
        return oauth.claims(self.id_token)

    @property
    def account_id(self) -> str | None:
        return self.stated_account or self.access_claims.account_id or self.id_claims.account_id

    @property
    def plan(self) -> str | None:
        return self.access_claims.plan or self.id_claims.plan

    @property
    def email(self) -> str | None:
        return self.id_claims.email or self.access_claims.email

    @property
    def fedramp(self) -> bool:
        return self.access_claims.fedramp or self.id_claims.fedramp

    @property
    def expires_at(self) -> float | None:
        return self.access_claims.expires_at

    def with_grant(self, grant: oauth.Grant) -> Tokens:
        """These tokens after a renewal. What the answer leaves out stays."""
        return replace(
            self,
            access=grant.access,
            refresh=grant.refresh or self.refresh,
            id_token=grant.id_token or self.id_token,
            replaced=self.replaced | {self.access},
        )

    @classmethod
    def from_grant(cls, grant: oauth.Grant) -> Tokens:
        """A new login."""
        return cls(grant.access, grant.refresh, grant.id_token, oauth.claims(grant.id_token).account_id)

    def newer_than(self, other: Tokens) -> bool:
        """Whether another program made these: they are not `other`, nor tokens that `other` replaced, which a file that
        could not be written still holds."""
        return self.access != other.access and self.access not in other.replaced


class CutOff(NotLoggedIn):
    """The file exists, but is incomplete."""


@dataclass(frozen=True)
class TokenFile:
    """A file that holds a login. `login` tells the user how to make a new one."""

    path: Path
    login: str
    write_locks: tuple[Path, ...] = ()  # the locks that the other program takes while it writes

    @property
    def shared(self) -> bool:
        return bool(self.write_locks)

    def read(self) -> Tokens:
        """The login in the file. Raises NotLoggedIn when there is none, BadSetting when it must not be used."""
        if files.is_exposed(self.path) and not self.shared:
            raise BadSetting(
                f"{self.path} can be read by other users of this machine.",
                f"Run `{files.chmod_command(self.path)}`; if you do not trust them all, log out and in again.",
            )
        return self._tokens(self._document())

    def api_key(self) -> Secret | None:
        """The OpenAI key, if the file says that its owner uses a key. Raises like `read`."""
        document = self._document()
        key = oauth.secret_in(document, "OPENAI_API_KEY")
        mode = document.get("auth_mode") or ("apikey" if key else "chatgpt")
        if mode not in ("apikey", "chatgpt"):
            raise NotLoggedIn(
                f"{self.path} holds a kind of login that claudegpt cannot share ({one_line(mode, 40)}).", self.login
            )
        return key if mode == "apikey" else None

    def renew(self, stale: Tokens, ask: Callable[[Secret], oauth.Grant]) -> Tokens:
        """Tokens newer than `stale`: those that another program saved, else those that `ask` gets.

        Blocks for as long as `ask` and other renewals take. Raises what they raise, and BadSetting if there is no
        room to save the answer, before the old token is spent.
        """
        with self._turn():
            document = self._document()
            saved = self._tokens(document)
            if saved.newer_than(stale):
                return saved
            if stale.refresh is None:
                raise NotLoggedIn(f"{self.path} holds no refresh token.", self.login)
            with self._draft() as draft:
                try:
                    granted = ask(stale.refresh)
                except NotLoggedIn as refusal:
                    if newer := self._newer_soon(stale):
                        return newer
                    raise NotLoggedIn(refusal.message, self.login) from None
                return self._save(draft, stale.with_grant(granted), replacing=document)

    def make_sure(self) -> None:
        """Raises BadSetting if a login could not be saved. Call it before the user logs in."""
        with self._turn(), self._draft():
            pass

    def log_in(self, ask: Callable[[], oauth.Grant]) -> Tokens:
        """Replace whatever is there by a new login. Raises like `renew`; the old login then stays."""
        with self._turn(), self._draft() as draft:
            tokens = Tokens.from_grant(ask())
            try:
                draft.publish(_document_text(self._document_or_fresh(), tokens))
            except OSError as problem:
                raise self._unusable(problem) from None
            return tokens

    def log_out(self, end: Callable[[Tokens], None]) -> ClaudegptError | None:
        """Delete the login after `end` has ended it at the server. Returns the error if the server did not end it."""
        with self._turn():
            problem: ClaudegptError | None = None
            try:
                end(self._tokens(self._document()))
            except ClaudegptError as found:
                problem = found
            try:
                self.path.unlink(missing_ok=True)
            except OSError as unwritable:
                raise self._unusable(unwritable) from None
            return problem

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The lock for a renewal, a login or a logout: one at a time over all our processes."""
        name = f"{self.path.name}.claudegpt.lock" if self.shared else f"{self.path.name}.lock"
        with ExitStack() as stack:
            try:
                (files.make_missing_folders if self.shared else files.make_private_folder)(self.path.parent)
                lock = self.path.with_name(name)
                if not stack.enter_context(files.hold_lock(lock, wait=RENEWAL_WAIT)):
                    log.warning("The file system of %s has no locks: do not renew a login twice at once.", lock)
            except TimeoutError:
                raise UpstreamFailed("Another claudegpt is busy renewing the login.", "Try again.") from None
            except OSError as problem:
                raise self._unusable(problem) from None
            yield

    def _save(self, draft: files.Draft, renewed: Tokens, *, replacing: dict[str, Any]) -> Tokens:
        """The tokens to use now: `renewed`, unless the user logged in again or out during the renewal."""
        with ExitStack() as held:
            for lock in self.write_locks:
                with suppress(OSError):  # without the lock our new token must be saved all the same
                    held.enter_context(files.hold_lock(lock, wait=WRITE_WAIT))
            try:
                document = self._document()
            except CutOff:
                document = replacing
            found = self._tokens(document)
            if found.refresh != self._tokens(replacing).refresh:
                return found
            try:
                draft.publish(_document_text(document, renewed))
            except OSError as problem:
                log.warning("%s The renewed login is kept in memory only.", self._unusable(problem))
        return renewed

    def _newer_soon(self, stale: Tokens) -> Tokens | None:
        """The tokens that the other program saves if it was quicker; they may still be on their way to the disk."""
        for pause in LOOKS if self.shared else LOOKS[:1]:
            time.sleep(pause)
            if (saved := self.read()).newer_than(stale):
                return saved
        return None

    def _tokens(self, document: dict[str, Any]) -> Tokens:
        tokens = as_object(document.get("tokens"))
        access = oauth.secret_in(tokens, "access_token")
        if access is None:
            raise NotLoggedIn(f"{self.path} holds no ChatGPT login.", self.login)
        return Tokens(
            access,
            oauth.secret_in(tokens, "refresh_token"),
            oauth.secret_in(tokens, "id_token"),
            read_word(tokens.get("account_id")),
        )

    def _document(self) -> dict[str, Any]:
        for pause in LOOKS if self.shared else LOOKS[:1]:
            time.sleep(pause)
            data = self._bytes()
            if data is None:
                raise NotLoggedIn(f"There is no login in {self.path}.", self.login)
            document = read_object(data)
            if document is not None:
                return document
        raise CutOff(f"{self.path} is incomplete or not JSON.", self.login)

    def _document_or_fresh(self) -> dict[str, Any]:
        try:
            return self._document()
        except (NotLoggedIn, BadSetting):
            return FRESH

    def _bytes(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            raise self._unusable(problem) from None

    @contextmanager
    def _draft(self) -> Iterator[files.Draft]:
        with ExitStack() as stack:
            try:
                draft = stack.enter_context(files.open_draft(self.path, room=ROOM))
            except OSError as problem:
                raise self._unusable(problem) from None
            yield draft

    def _unusable(self, problem: OSError) -> BadSetting:
        return BadSetting(
            f"Cannot read and write {self.path}: {problem.strerror or problem}.",
            "Make room on the disk, or correct the permissions of the file and its folder.",
        )


FRESH = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None}


def _document_text(document: dict[str, Any], tokens: Tokens) -> str:
    """The file's text with `tokens` in it; everything else is unchanged."""
    parts = {"id_token": tokens.id_token, "access_token": tokens.access, "refresh_token": tokens.refresh}
    written = {name: secret.reveal() for name, secret in parts.items() if secret}
    if tokens.account_id:
        written["account_id"] = tokens.account_id
    kept = {**as_object(document.get("tokens")), **written}
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({**document, "tokens": kept, "last_refresh": now}, indent=2)


def own_file(data: Path) -> TokenFile:
    """The login made by `claudegpt login`; `data` is our data directory."""
    return TokenFile(data / "chatgpt.json", "Run `claudegpt login`.")


def codex_file(path: Path) -> TokenFile:
    """The Codex CLI's login."""
    folder = path.parent
    return TokenFile(path, _codex_hint(folder), (folder / "auth.lock", folder / "auth.json.lock"))


def _codex_hint(folder: Path) -> str:
    """How to get a login that can be shared. The CLI may keep its own in the OS keyring, where only it can read it."""
    if codex_store(folder) in ("keyring", "auto"):
        return (
            "Codex is set to keep its login in the OS keyring, where only Codex can read it: put "
            f'`cli_auth_credentials_store = "file"` in {folder / "config.toml"} and run `codex login`, or use '
            "`claudegpt login` for a login of its own."
        )
    return "Run `codex login`, or `claudegpt login` for a login of its own."


def codex_store(folder: Path) -> str:
    try:
        config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    return str(config.get("cli_auth_credentials_store", ""))
