"""What the docstrings of schedules say, in parts: what it is, and what each key means."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from lr_configs.config import SchedulerConfig

#: sections of a docstring, and those of them that list keys
_SECTION = re.compile(r"(Args|Arguments|Attributes|Parameters|Returns|Raises|Yields|Example|Examples|Note|Notes):")
_OF_KEYS = ("Args", "Arguments", "Attributes", "Parameters")
_KEY = re.compile(r"(\w+)(?: \([^)]*\))?:\s*(.*)")
_PAPER = re.compile(r"arXiv (\d{4}\.\d{4,5})")
_QUOTED = re.compile(r"(`+)(.+?)\1")


def summary(config: type[SchedulerConfig]) -> str:
    """The first paragraph of a schedule's docstring, as plain text.

    >>> from lr_configs.registry import entry
    >>> summary(entry("none"))
    "The optimizer's own rate, constant: rate(t) = base at every step, and beyond the run."
    """
    return next(_paragraphs(config), "")


def text(config: type[SchedulerConfig]) -> str:
    """All of a schedule's docstring that stands in front of its keys, a line for each paragraph."""
    return "\n".join(_paragraphs(config))


def is_torchs(config: type[SchedulerConfig]) -> bool:
    """Whether the schedule is one of torch's own, as its docstring says.

    >>> from lr_configs.registry import entry
    >>> is_torchs(entry("cosine")), is_torchs(entry("rex"))
    (True, False)
    """
    return re.search(rf"\b[Tt]orch's {config.torch_name}\b", text(config)) is not None


def references(config: type[SchedulerConfig]) -> list[str]:
    """Where a schedule comes from: torch's documentation, and the papers that its docstring names.

    >>> from lr_configs.registry import entry
    >>> references(entry("rex"))
    ['https://arxiv.org/abs/2107.04197']
    """
    generated = "https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler"
    theirs = [f"{generated}.{config.torch_name}.html"] if is_torchs(config) else []
    return [*theirs, *(f"https://arxiv.org/abs/{number}" for number in _PAPER.findall(text(config)))]


def meanings(config: type[SchedulerConfig]) -> dict[str, str]:
    """What each key of a schedule means, as far as its docstring, or that of a class that it extends, says so.

    >>> from lr_configs.registry import entry
    >>> meanings(entry("step"))["gamma"]
    'multiplied in at every period, 0 or more'
    """
    found: dict[str, str] = {}
    for cls in reversed(config.__mro__):
        found.update(_keys(cls))
    return {key: found[key] for key in config.__dataclass_fields__ if key in found}


def plain(words: str) -> str:
    """Text without the marks of a docstring.

    >>> plain("text like ``1%`` is a share; see :func:`lr_configs.build`")
    'text like 1% is a share; see lr_configs.build'
    """
    return _QUOTED.sub(r"\2", re.sub(r":\w+:(?=`)", "", " ".join(words.split())))


def _lines(cls: type[Any]) -> list[str]:
    return inspect.cleandoc(cls.__dict__.get("__doc__") or "").split("\n")


def _paragraphs(config: type[SchedulerConfig]) -> Iterator[str]:
    part: list[str] = []
    for line in [*_lines(config), ""]:
        if _SECTION.fullmatch(line.strip()) or line.lstrip().startswith(">>>"):
            break
        if line.strip():
            part.append(line)
        elif part:
            yield plain(" ".join(part))
            part = []
    if part:
        yield plain(" ".join(part))


def _keys(cls: type[Any]) -> dict[str, str]:
    """Key to meaning, from the sections of one docstring that list keys."""
    found: dict[str, str] = {}
    inside, indent, last = False, 0, ""
    for line in _lines(cls):
        section = _SECTION.fullmatch(line.strip())
        width = len(line) - len(line.lstrip())
        if section is not None and width == 0:
            inside, indent = section[1] in _OF_KEYS, 0
        elif not inside or not line.strip():
            continue
        elif width == 0:
            inside = False
        elif (match := _KEY.match(line.strip())) and width <= (indent or width):
            indent, last = width, match[1]
            found[last] = match[2]
        elif last:
            found[last] = f"{found[last]} {line.strip()}"
    return {key: plain(words).removesuffix(".") for key, words in found.items()}
