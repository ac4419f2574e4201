"""What went wrong, for the person at the command line: a message, and an exit code."""

from __future__ import annotations

import sys

from lr_configs.errors import SchedulerConfigError

#: the config is wrong; the call is wrong; Ctrl-C; the reader of a pipe has gone (as the shell counts signals)
CONFIG, CALL, INTERRUPTED, NO_READER = 1, 2, 130, 141


class CallError(Exception):
    """The call is wrong, whatever the config says: exit code 2."""


class ConfigError(Exception):
    """The config is wrong, in words of ours: exit code 1."""


def told(error: BaseException) -> tuple[int, str] | None:
    """The exit code and the message of an error that the user can do something about; None for all others."""
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
