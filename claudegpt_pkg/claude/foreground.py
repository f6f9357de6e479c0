"""Run a program in the foreground as if we had exec'd it: its terminal, its signals, its exit status; we only wait.

The child shares our process group, so what the terminal sends (^C, ^Z, a resize) reaches it without us: those are not
passed on. What somebody sends to our process id is meant for the program: that is. Where we are stopped, both are.

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
class Held:
    """The signals we wait for, and what was blocked before us: the child's mask."""

    waited: frozenset[signal.Signals]
    before: frozenset[int]


def hold_signals() -> Held:
    """From now on signals wait for `wait` instead of acting; and after it for nothing, because what arrives when the
    program has ended must not change its exit status. Those we were started to ignore (nohup) stay ignored, for both.
    """
    waited = {number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN} | {WAKE}
    for number in (WAKE, signal.SIGCONT, signal.SIGWINCH):
        # Ignored by default, and elsewhere than on Linux then lost even while blocked.
        signal.signal(number, _nothing)
    return Held(frozenset(waited), frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, waited)))


def _nothing(number: int, frame: object) -> None:
    pass


def spawn(path: Path, words: Sequence[str], env: Mapping[str, str], held: Held) -> int:
    """Start the program with our terminal, input and output; its process id. Raises ClaudeNotFound if it cannot run."""
    ignored_by_python = [signal.SIGPIPE, signal.SIGXFSZ]
    try:
        return os.posix_spawn(path, [str(path), *words], env, setsigmask=held.before, setsigdef=ignored_by_python)
    except OSError as problem:
        raise ClaudeNotFound(f"Cannot run {path}: {problem.strerror}.", "Correct CLAUDEGPT_CLAUDE_BIN.") from None


def wait(child: int, held: Held, broken: Callable[[], object]) -> int:
    """The child's exit status, 128+n for signal n. When woken and `broken()` is true, the child is ended first."""
    while True:
        received = _next_signal(held)
        if received.number == WAKE:
            ended = _ended(child)
            if ended is not None:
                return _shell_status(ended)
            if broken():
                return end(child)
        elif not received.by_terminal and received.sender != child:
            _send(child, received.number)
        if received.number == signal.SIGTSTP:
            _stop_ourselves()


def _ended(child: int) -> int | None:
    """The child's status if it has ended; where it has stopped by itself (the npm versions of Claude Code stop only
    themselves at ^Z), so do we, for the shell sees only us."""
    done, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
    if done and os.WIFSTOPPED(status):
        time.sleep(SETTLES_WITHIN)
        done, status = os.waitpid(child, os.WNOHANG | os.WCONTINUED)
        if not done and signal.SIGTSTP not in signal.sigpending():
            _stop_ourselves()
    return status if done and not os.WIFCONTINUED(status) else None


def end(child: int) -> int:
    """End the child: asked first, then killed. Its exit status."""
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


def _next_signal(held: Held) -> Received:
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
    """Stop as the signal would have stopped us; returns when continued."""
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
