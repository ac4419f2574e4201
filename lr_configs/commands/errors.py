"""What went wrong, for the person at the command line: a message, and an exit code."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lr_configs.errors import SchedulerConfigError

#: the config is wrong; the call is wrong; Ctrl-C; the reader of a pipe has gone (as the shell counts signals)
CONFIG, CALL, INTERRUPTED, NO_READER = 1, 2, 130, 141


class CallError(Exception):
    """The call is wrong, whatever the config says: exit code 2."""


class ConfigError(Exception):
    """The config is wrong, in words of ours: exit code 1."""


class Interrupt:
    """Ctrl-C, remembered: OmegaConf loses what is raised within some of its steps, or makes another error of it.

    Attributes:
        came: whether the user has pressed it.
    """

    def __init__(self) -> None:
        self.came = False

    def __call__(self, *signals: Any) -> None:
        """What Python calls when it comes."""
        self.came = True
        raise KeyboardInterrupt

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Hear of it, where that is for this process to do."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self.came, before = False, signal.getsignal(signal.SIGINT)
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, self)
        try:
            yield
        finally:
            if before is signal.default_int_handler:
                signal.signal(signal.SIGINT, before)


#: the one of this process
interrupt = Interrupt()


def told(error: BaseException) -> tuple[int, str] | None:
    """The exit code and the message of an error that the user can do something about; None for all others.

    Raises:
        KeyboardInterrupt: where the error is what has become of Ctrl-C.
    """
    if interrupt.came:
        raise KeyboardInterrupt from error
    if isinstance(error, CallError):
        return CALL, str(error)
    if isinstance(error, (SchedulerConfigError, ConfigError)):
        return CONFIG, str(error)
    # What is not imported has raised nothing.
    for module, name in (
        ("hydra.errors", "HydraException"),
        ("omegaconf.errors", "OmegaConfBaseException"),
        ("yaml", "YAMLError"),
    ):
        if module in sys.modules and isinstance(error, getattr(sys.modules[module], name)):
            return CONFIG, _with_cause(error)
    return None


def _with_cause(error: BaseException) -> str:
    """Hydra says what it was doing, and its cause what is wrong with it."""
    message, cause = str(error).strip(), error.__cause__ or error.__context__
    text = "" if cause is None else str(cause).strip()
    return message if not text or text in message else f"{message}\n{text}"
