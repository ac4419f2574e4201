"""The one error type for everything a user can write wrongly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class SchedulerConfigError(ValueError):
    """A schedule that cannot be right, refused before training starts.

    Args:
        key: where the mistake is, dotted (``stages.decay.T_max``).
        value: what was written there.
        rule: what holds for this key.
        remedy: what to write instead.
        place: the key of the schedule in a larger config, where it is known.

    >>> error = SchedulerConfigError("T_max", 0, "a length is positive", "Write 10 or '10%'")
    >>> print(error)
    T_max=0: a length is positive. Write 10 or '10%'.
    >>> error.within("stages.decay").key
    'stages.decay.T_max'
    >>> print(error.at("model.scheduler"))
    model.scheduler: T_max=0: a length is positive. Write 10 or '10%'.
    """

    def __init__(self, key: str, value: Any, rule: str, remedy: str, place: str = "") -> None:
        self.key, self.value, self.rule, self.remedy, self.place = key, value, rule, remedy, place
        text = f"{key}={_shown(value)}: {_sentence(rule)} {_sentence(remedy)}".rstrip()
        super().__init__(f"{place}: {text}" if place else text)

    def within(self, prefix: str) -> SchedulerConfigError:
        """The same error seen from one level up."""
        return type(self)(f"{prefix}.{self.key}", self.value, self.rule, self.remedy, self.place)

    def at(self, place: str) -> SchedulerConfigError:
        """The same error of a schedule that is known to be at this key of a config."""
        return type(self)(self.key, self.value, self.rule, self.remedy, place)

    def __reduce__(self) -> tuple[Any, ...]:
        # The message is built from parts: pickling by `args` alone would lose them.
        return type(self), (self.key, self.value, self.rule, self.remedy, self.place)


def _shown(value: Any) -> str:
    try:
        shown = repr(value)
    except Exception:  # what cannot be shown must not hide what is wrong
        shown = f"<{type(value).__name__}>"
    shown = " ".join(shown.split())
    return shown if len(shown) <= 200 else f"{shown[:197]}..."


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".?" else f"{text}."


def nearest(word: str, known: Iterable[str]) -> str:
    """``"did you mean 'x'? "`` for the closest known word, or an empty text.

    >>> nearest("gama", ["gamma", "step_size"])
    "did you mean 'gamma'? "
    """
    import difflib  # only when something is wrong

    known = [str(k) for k in known]
    folded = {k.lower().replace("_", "").replace("/", ""): k for k in known}
    bare = str(word)[:100].lower().replace("_", "").replace("/", "")
    close = difflib.get_close_matches(bare, folded, cutoff=0.5)
    return f"did you mean {folded[close[0]]!r}? " if close else ""
