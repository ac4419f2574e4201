"""``lr-configs completion``: what a shell needs to complete commands, options, schedules and overrides."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lr_configs.commands import COMMANDS, compose, parser_of
from lr_configs.commands.errors import CallError, told
from lr_configs.commands.output import say
from lr_configs.commands.parser import Parser

EXAMPLES = """\
  lr-configs completion bash >> ~/.bashrc
  lr-configs completion zsh >> ~/.zshrc
  lr-configs completion fish > ~/.config/fish/completions/lr-configs.fish
"""
# Every script asks `completion SHELL -- WORDS`, the last of which is what is being written.
_SCRIPTS = {
    "bash": """\
_lr_configs() {
    local IFS=$'\\n'
    COMPREPLY=( $(lr-configs completion bash --for "${COMP_LINE:0:COMP_POINT}" 2>/dev/null) )
    if [ "${#COMPREPLY[@]}" -eq 1 ]; then case "${COMPREPLY[0]}" in *[=./]) compopt -o nospace ;; esac; fi
}
complete -o default -F _lr_configs lr-configs
""",
    "zsh": """\
_lr_configs() {
    local -a replies open whole
    replies=("${(@f)$(lr-configs completion zsh --for "${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
    open=(${(M)replies:#*[=./]})
    whole=(${replies:#*[=./]})
    compadd -Q -S '' -a open
    compadd -Q -a whole
    (( ${#open} + ${#whole} )) || _files
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _lr_configs lr-configs
""",
    "fish": """\
complete -c lr-configs -f -a '(lr-configs completion fish --for (commandline -cp) 2>/dev/null)'
complete -c lr-configs -s o -l output -rF
""",
}
#: options with values that are known here
_FOLDERS, _NAMES, _GROUPS = "--config-dir", "--config-name", "--group"


def add_arguments(parser: Parser) -> None:
    """The shell; and what its script asks."""
    parser.add_argument("shell", choices=list(_SCRIPTS), metavar="SHELL", help="which shell: %(choices)s")
    parser.add_argument(
        "--for", dest="line", metavar="LINE", help="print what this line may go on with, as the script asks"
    )


def run(options: argparse.Namespace) -> int:
    """Print the script, or what a line may go on with."""
    if options.line is None:
        say(_SCRIPTS[options.shell].rstrip())
        return 0
    words, word = _split(options.line)
    # Bash takes what stands behind these for a word of its own.
    skipped = len(re.split(r"(?<=[=:])", word)[-1]) if options.shell == "bash" else len(word)
    for one in sorted(set(replies(words, word))):
        say(one[len(word) - skipped :])
    return 0


def _split(line: str) -> tuple[list[str], str]:
    """The words behind the program's name, and what is being written of the last one."""
    words = [part.replace("'", "").replace('"', "") for part in re.findall(r"(?:'[^']*'?|\"[^\"]*\"?|[^\s'\"])+", line)]
    word = "" if line[-1:].isspace() else words.pop()
    return words[1:], word


def replies(words: Sequence[str], word: str) -> Iterator[str]:
    """What a word may become, behind these.

    >>> list(replies([], "sch")), list(replies(["plot"], "--epo"))
    (['schema'], ['--epochs'])
    """
    if not words:
        yield from _beginning([*COMMANDS, "--help", "--version"], word)
    elif words[0] in COMMANDS:
        parser, _ = parser_of(words[0])
        yield from _of_command(parser, words[1:], word)


def _of_command(parser: Parser, words: Sequence[str], word: str) -> Iterator[str]:
    option = words[-1] if words and parser.takes_value(words[-1]) else None
    if option is not None:
        yield from _beginning(_values(option, parser, words), word)
    elif word.startswith("-"):
        yield from _beginning(parser.options(), word)
    elif parser.has("overrides"):
        yield from _overrides(parser, words, word)
    elif parser.choices():
        yield from _beginning([] if parser.positionals(words) else parser.choices(), word)
    elif parser.has("name") and not parser.positionals(words):
        from lr_configs.registry import available

        yield from _beginning(available(), word)


def _beginning(known: Iterable[str], word: str) -> Iterator[str]:
    return (one for one in known if one.startswith(word))


def _values(option: str, parser: Parser, words: Sequence[str]) -> Iterator[str]:
    if option == _FOLDERS:
        yield from (f"{path}/" for path in _folders())
    elif option in (_NAMES, _GROUPS):
        folder = parser.value_of(_FOLDERS, words)
        try:
            with compose.Composer(folder, None if folder is None else parser.value_of(_NAMES, words)) as composer:
                yield from composer.options("") if option == _NAMES else composer.groups()
        except CallError:  # the folder or the config is not there (yet)
            return


def _folders() -> Iterator[Path]:
    """Folders, those in them too, that may hold configs."""
    for folder, inner, _ in os.walk("."):
        inner[:] = sorted(one for one in inner if not one.startswith((".", "_")))
        depth = 0 if folder == "." else folder.count("/")
        yield from (Path(folder, one) for one in inner)
        if depth >= 1:
            inner.clear()


def _overrides(parser: Parser, words: Sequence[str], word: str) -> Iterator[str]:
    """Overrides as Hydra completes them, and the names of schedules, which are short for one."""
    from lr_configs.commands.hydra_completion import overrides_for
    from lr_configs.registry import available

    before = compose.spelled_out(parser.positionals(words))
    if "=" not in word and "." not in word and not before:
        yield from _beginning(available(), word)
    try:
        with compose.Composer(parser.value_of(_FOLDERS, words), parser.value_of(_NAMES, words)) as composer:
            yield from overrides_for(composer, before, word)
    except Exception as error:  # the app is not there, or what is written so far cannot be composed
        if told(error) is None:
            raise
