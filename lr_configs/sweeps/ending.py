"""What an exception says of a job that it ended."""

from __future__ import annotations

import traceback
from pathlib import Path


def ending(error: BaseException) -> tuple[str, str]:
    """Status and reason of a job that ended with an exception.

    >>> ending(ValueError("no such key"))
    ('failed', 'ValueError: no such key')
    """
    text = str(error)
    reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
    cause = error.__cause__
    if cause is not None and str(cause) and str(cause) not in text:
        reason = f"{reason} (because of {type(cause).__name__}: {cause})"
    names = [kind.__name__ for kind in type(error).__mro__]
    if "CompactHydraException" in names:
        return "failed", text  # which says it all
    if "TrialPruned" in names:
        return "pruned", text or "given up as hopeless"
    if isinstance(error, (KeyboardInterrupt, SystemExit)) or "SIGTERMException" in names:
        return "killed", reason
    frames = traceback.extract_tb((cause or error).__traceback__)
    return "failed", f"{reason} [{Path(frames[-1].filename).name}:{frames[-1].lineno}]" if frames else reason
