"""The parser of one command: options and Hydra overrides in any order."""

from __future__ import annotations

import argparse
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
