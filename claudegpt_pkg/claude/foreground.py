"""Runs a program in the foreground as if claudegpt had become it: with its terminal, its signals and its exit status.

The child shares our process group, so a signal of the terminal (^C, ^Z, a resize) reaches it without us and is not
passed on. A signal that somebody sends to our process id is meant for the program and is passed on. If we are stopped,
the child is stopped too.

    held = hold_signals()                  # before any thread starts, so that no thread takes a signal
    child = spawn(path, words, env, held)
    … start threads …
    status = wait(child, held, broken=lambda: None)
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import ClaudeNotFound

PASSED_ON = {
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGWINCH,
    signal.SIGUSR1,
    signal.SIGUSR2,
}
WAKE = signal.SIGCHLD  # a child changed; or, sent by ourselves, something else is worth a look
FROM_KERNEL = 0x80  # Linux: siginfo's si_code of what a terminal sends
FROM_KEYS = {signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH}
SETTLES_WITHIN = 0.02  # seconds in which what stops or continues one of our group has reached all of it
DIES_WITHIN = 0.5  # seconds between asking a program to end and ending it


@dataclass(frozen=True)
class HeldSignals:
    """The signals that we wait for, and those that were blocked before: the child's mask."""

    waited: frozenset[signal.Signals]
    before: frozenset[int]


def hold_signals() -> HeldSignals:
    """Block signals until `wait` reads them. After `wait` they stay blocked, because a signal that arrives when the
    program has ended must not change its exit status. Signals that are ignored already (nohup) stay ignored.
    """
    waited = {number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN} | {WAKE}
    for number in (WAKE, signal.SIGCONT, signal.SIGWINCH):
        # They are ignored by default, and except on Linux an ignored signal is lost even while it is blocked.
        signal.signal(number, _nothing)
    return HeldSignals(frozenset(waited), frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, waited)))


def _nothing(number: int, frame: object) -> None:
    pass


def spawn(path: Path, words: Sequence[str], env: Mapping[str, str], held: HeldSignals) -> int:
    """Start the program on our terminal and return its process id. Raises ClaudeNotFound if it cannot run."""
    ignored_by_python = [signal.SIGPIPE, signal.SIGXFSZ]
    try:
        return os.posix_spawn(path, [str(path), *words], env, setsigmask=held.before, setsigdef=ignored_by_python)
    except OSError as problem:
        raise ClaudeNotFound(f"Cannot run {path}: {problem.strerror}.", "Correct CLAUDEGPT_CLAUDE_BIN.") from None


def wait(child: int, held: HeldSignals, broken: Callable[[], object]) -> int:
    """Wait for the child and return its exit status, 128+n for signal n. When woken while `broken()`, end it first."""
    while True:
        received = _next_signal(held)
        if received.number == WAKE:
            ended = _read_ended_child(child)
            if ended is not None:
                return _shell_status(ended)
            if broken():
                return end(child)
        elif not received.by_terminal and received.sender != child:
            _send(child, received.number)
        if received.number == signal.SIGTSTP:
            _stop_ourselves()


def _read_ended_child(child: int) -> int | None:
    """The child's status if it has ended. If it has stopped itself, stop too, because the shell sees only us: the npm
    versions of Claude Code stop only themselves at ^Z."""
    done, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
    if done and os.WIFSTOPPED(status):
        time.sleep(SETTLES_WITHIN)
        done, status = os.waitpid(child, os.WNOHANG | os.WCONTINUED)
        if not done and signal.SIGTSTP not in signal.sigpending():
            _stop_ourselves()
    return status if done and not os.WIFCONTINUED(status) else None


def end(child: int) -> int:
    """End the child with SIGTERM, then with SIGKILL. Return its exit status."""
    _send(child, signal.SIGTERM)
    deadline = time.monotonic() + DIES_WITHIN
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return _shell_status(status)
        time.sleep(0.01)
    _send(child, signal.SIGKILL)
    return _shell_status(os.waitpid(child, 0)[1])


@dataclass(frozen=True)
class Received:
    number: int
    by_terminal: bool
    sender: int = 0


def _next_signal(held: HeldSignals) -> Received:
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(held.waited)
        # A hangup reaches only the leader of the session; all else from a terminal, its whole foreground group.
        alone = info.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
        return Received(info.si_signo, info.si_code == FROM_KERNEL and not alone, info.si_pid)
    number = signal.sigwait(held.waited)  # macOS does not say who sent it: keys are pressed in the foreground
    return Received(number, number in FROM_KEYS and _in_foreground())


def _in_foreground() -> bool:
    for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        with suppress(OSError, AttributeError, ValueError):
            return os.tcgetpgrp(stream.fileno()) == os.getpgrp()  # type: ignore[union-attr]
    return False


def _stop_ourselves() -> None:
    """Stop this process as the signal would have done; return when it is continued."""
    if signal.SIGCONT in signal.sigpending():  # it came in the meantime, and only once
        return
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})


def _send(child: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(child, number)


def _shell_status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
