"""What Hydra would complete in an app: the only module that asks its engine, which is private."""

from __future__ import annotations

from collections.abc import Sequence

from lr_configs.commands.compose import Composer


def overrides_for(composer: Composer, before: Sequence[str], word: str) -> list[str]:
    """What a word may become, of a list of values its last one.

    Args:
        composer: the app.
        before: the overrides in front of it.
        word: as far as it is written.
    """
    from hydra._internal.core_plugins.bash_completion import BashCompletion

    key, equals, values = word.partition("=")
    first, comma, last = values.rpartition(",")
    asked = f"{key}={last}" if comma else word
    line = " ".join([*before, asked])
    found = BashCompletion(composer.loader)._query(composer.name, line if asked else f"{line} ")
    if not comma:
        return found
    return [f"{key}={first},{one.partition('=')[2]}" for one in found if one.startswith(f"{key}{equals}")]
