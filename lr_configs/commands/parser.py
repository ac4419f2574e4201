"""The parser of one command: options and Hydra overrides in any order."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from typing import NoReturn

from lr_configs.commands.errors import CallError
from lr_configs.errors import nearest


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours, and for which ``--optoin`` is never an override."""

    def __init__(self, prog: str, description: str, examples: str = "") -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=f"examples:\n{examples.rstrip()}" if examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Refuse the call."""
        raise CallError(f"{message} (see {self.prog} --help)")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """What the words say.

        Raises:
            CallError: where they say nothing that this command understands.
        """
        for word in words:
            option = word.partition("=")[0]
            # argparse takes such a word for an override as soon as it has a space.
            if word.startswith("--") and option not in self._option_string_actions:
                known = [one for one in self._option_string_actions if one.startswith("--")]
                self.error(f"there is no option {option}. {nearest(option, known)}".strip())
        return self.parse_intermixed_args(words)

    # -------------------------------------------------------------------------------- for completion

    def options(self) -> list[str]:
        """The long forms of all options."""
        return [one for one in self._option_string_actions if one.startswith("--")]

    def takes_value(self, option: str) -> bool:
        """Whether this is an option with a value of its own."""
        action = self._option_string_actions.get(option)
        return action is not None and action.nargs != 0

    def value_of(self, option: str, words: Sequence[str]) -> str | None:
        """What the words give an option, which they may not do."""
        for word, following in itertools.pairwise([*words, ""]):
            if word == option:
                return following
            if word.startswith(f"{option}="):
                return word.partition("=")[2]
        return None

    def positionals(self, words: Sequence[str]) -> list[str]:
        """The words that are neither options nor their values."""
        pairs = itertools.pairwise(["", *words])
        return [word for before, word in pairs if not word.startswith("-") and not self.takes_value(before)]

    def has(self, positional: str) -> bool:
        """Whether there is a positional argument of this name."""
        return any(action.dest == positional for action in self._get_positional_actions())

    def choices(self) -> list[str]:
        """What its positional arguments may be, where that is listed."""
        return [str(one) for action in self._get_positional_actions() for one in action.choices or ()]
