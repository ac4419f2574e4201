"""``lr-configs plot``: the curves, in the terminal or as a file."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lr_configs.commands import compose
from lr_configs.commands.errors import CallError, ConfigError
from lr_configs.commands.output import check_free, say, screen, write_file
from lr_configs.commands.parser import Parser
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.groups import check_base

if TYPE_CHECKING:
    from lr_configs.run_size import RunSize

EXAMPLES = """\
  lr-configs plot cosine --epochs 90 --steps-per-epoch 391 --lr 0.1
  lr-configs plot scheduler=cosine,one_cycle scheduler.warmup=5% --epochs 90 --steps-per-epoch 391 --lr 0.1 -o lr.png
  lr-configs plot 'scheduler=warmup_stable_decay' 'scheduler.decay=10%,20%,40%' --steps 10000 --log -o decays.html
  lr-configs plot reduce_on_plateau scheduler.monitor=val_loss --metric metrics.csv --epochs 90 --steps-per-epoch 391
  lr-configs plot --config-dir conf --config-name train experiment=big --steps-per-epoch 391
"""
FORMATS = ("png", "svg", "pdf", "csv", "json", "html")
#: no chart is wider by itself: lines of text are not read when they are longer
WIDEST = 100
#: the rate that a picture begins from where nobody says one
NO_RATE = 1.0


def add_arguments(parser: Parser) -> None:
    """What is composed, the run's size, and how it is drawn."""
    compose.add_arguments(parser)
    compose.add_run_arguments(parser)
    parser.add_argument(
        "--metric",
        metavar="FILE",
        help="CSV with the values that a metric-driven schedule follows, as Lightning logs them",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help=f"write .{', .'.join(FORMATS)} instead of a chart in text"
    )
    parser.add_argument(
        "--base",
        type=_base,
        action="append",
        default=[],
        metavar="PARAM=VALUE",
        help="the optimizer's own value of another hyper-parameter, for schedules of it: weight_decay=0.04",
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--log", action="store_true", help="a logarithmic axis for the rates")
    parser.add_argument("--title", default="", help="of the picture")
    parser.add_argument("--width", type=int, metavar="N", help="characters, or with -o pixels")
    parser.add_argument(
        "--height", type=int, metavar="N", help="lines of the first panel, or with -o pixels of the whole"
    )
    parser.add_argument("--json", action="store_true", help="print every value as JSON")


def _base(text: str) -> tuple[str, float]:
    param, _, value = text.rpartition("=")
    try:
        return param or "lr", check_base(param, float(value))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like weight_decay=0.04") from None


def run(options: argparse.Namespace) -> int:
    """Draw."""
    kind = _kind(options)
    metric = _read(options.metric)
    schedules = compose.composed(options)
    if kind in ("csv", "json"):
        _write_numbers(schedules, options, kind, metric)
    else:
        _write_picture(schedules, options, kind, metric)
    return 0


def _kind(options: argparse.Namespace) -> str:
    """The format; ``text`` for a chart in the terminal. What cannot be written is refused before anything is composed."""
    for name in ("width", "height"):
        value = getattr(options, name)
        if value is not None and not 1 <= value <= 20_000:
            raise CallError(f"--{name} {value}: this is a number from 1 to 20000")
    if options.output is None:
        return "json" if options.json else "text"
    if options.json:
        raise CallError("--json prints to stdout. With -o FILE.json it goes to a file")
    kind = Path(options.output).suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        hint = nearest(kind, FORMATS)
        raise CallError(f"-o {options.output}: the name of a file says its format. {hint}Formats: {', '.join(FORMATS)}")
    if kind in ("png", "pdf") and find_spec("matplotlib") is None:
        raise CallError(
            f".{kind} is drawn by matplotlib, which is not installed: pip install 'lr_configs[plot]'. .svg needs nothing"
        )
    check_free(options.output, options.force)
    return kind


def _read(file: str | None) -> tuple[str, str] | None:
    """The text of the file with a metric, and its name."""
    if file is None:
        return None
    try:
        return Path(file).read_text(encoding="utf-8"), file
    except (OSError, UnicodeError) as error:
        raise CallError(f"--metric {file} cannot be read: {getattr(error, 'strerror', None) or error}") from None


# ---------------------------------------------------------------------------------------- what is drawn


def _picture(
    schedules: Sequence[compose.Composed], options: argparse.Namespace, metric: tuple[str, str] | None, bins: int
) -> tuple[Any, list[str]]:
    """The picture, and what was taken from where."""
    from lr_configs.preview.series import picture

    subjects, said = [], list[str]()
    for one in schedules:
        subject, sources = _subject(one, _size(one, options, schedules), metric)
        subjects.append(subject)
        said += [line for line in sources if line not in said]
    if metric is not None and not any(subject.metric for subject in subjects):
        raise CallError("--metric is for a schedule that follows a metric, and none of these does")
    try:
        title = options.title or (schedules[0].label if len(schedules) == 1 else "")
        return picture(subjects, title=title, bins=bins), said
    except SchedulerConfigError as error:
        raise _placed(error, schedules, lambda i: picture([subjects[i]], bins=bins)) from None


def _size(one: compose.Composed, options: argparse.Namespace, among: Sequence[compose.Composed]) -> RunSize:
    """The run of a schedule; where there are schedules of the rate as well, ``--lr`` is none of the others'."""
    param, bases = one.found.size.param, dict(options.base)
    if param in bases:
        return compose.size_of(one.found, argparse.Namespace(**{**vars(options), "lr": bases[param], "groups": None}))
    if param != "lr" and any(other.found.size.param == "lr" for other in among):
        return compose.size_of(one.found, argparse.Namespace(**{**vars(options), "lr": None, "groups": None}))
    return compose.size_of(one.found, options)


def _subject(one: compose.Composed, size: RunSize, metric: tuple[str, str] | None) -> tuple[Any, list[str]]:
    from lr_configs.preview.plateau import read
    from lr_configs.preview.series import Subject
    from lr_configs.registry import parse

    if size.horizon is None:
        several = [line for line in size.missing if line.startswith(("epochs are one of", "updates are one of"))]
        said = f" ({'; '.join(several)})" if several else ""
        raise CallError(f"how long is the run? Say --epochs 90 --steps-per-epoch 391, or --steps 35190{said}")
    try:
        config = parse(one.node)
        recorded = None
        if metric is not None and config.metric_driven:
            recorded = read(metric[0], config.monitor or "", metric[1])
    except SchedulerConfigError as error:
        raise _told(error, one.key) from None
    sources = list(size.sources)
    if not size.bases:
        several = [line for line in size.missing if line.startswith(f"{config.param} is one of")]
        option = "--lr" if config.param == "lr" else f"--base {config.param}=VALUE"
        sources += [*several, f"{config.param} {NO_RATE:g}, as none is known: say it with {option}"]
    bases, names = size.bases or (NO_RATE,), size.names or None
    return Subject(config, size.horizon, bases, names, one.label, recorded), sources


def _placed(
    error: SchedulerConfigError, schedules: Sequence[compose.Composed], alone: Callable[[int], Any]
) -> Exception:
    """An error that names its schedule: the one that fails alone, too."""
    for i, one in enumerate(schedules):
        try:
            alone(i)
        except SchedulerConfigError as own:
            found = _told(own, one.key)
            label = f"{one.label}: " if len(schedules) > 1 else ""
            return type(found)(f"{label}{found}")
    return ConfigError(str(error))  # each of them is right, and together they are not


def _told(error: SchedulerConfigError, key: str) -> CallError | ConfigError:
    """What is wrong, with the options that would mend it."""
    if error.key == "metric":
        return CallError(f"--metric {error.value}: {error.rule}. {error.remedy}")
    if error.key == "horizon":
        remedy = "Say --epochs and --steps-per-epoch" if "Horizon(" in error.remedy else error.remedy
        return CallError(f"{error.rule}. {remedy}")
    remedy = error.remedy
    if "orizon" in remedy:
        remedy = "Say --epochs and --steps-per-epoch, or write a length that does not need them"
    return ConfigError(str(SchedulerConfigError(error.key, error.value, error.rule, remedy).within(key)))


# ---------------------------------------------------------------------------------------- how


def _write_numbers(
    schedules: Sequence[compose.Composed], options: argparse.Namespace, kind: str, metric: tuple[str, str] | None
) -> None:
    from lr_configs.preview.table import to_csv, to_json

    shown, sources = _picture(schedules, options, metric, 0)
    try:
        text = to_csv(shown) if kind == "csv" else to_json(shown, sources=sources)
    except SchedulerConfigError as error:
        raise _told(error, "") from None
    if options.output is None:
        say(text.rstrip("\n"))
    else:
        write_file(options.output, text, options.force)
        _tell(options.output, sources, shown.notes)


def _write_picture(
    schedules: Sequence[compose.Composed], options: argparse.Namespace, kind: str, metric: tuple[str, str] | None
) -> None:
    from lr_configs.preview.series import BINS

    size = {"width": options.width or 720, "height": options.height, "log": options.log}
    shown, sources = _picture(schedules, options, metric, max(BINS, options.width or 0))
    if kind == "text":
        _print(shown, sources, options)
        return
    if kind == "html":
        from lr_configs.preview.page import page

        data: str | bytes = page(shown, log=options.log)
    elif kind == "svg":
        from lr_configs.preview.svg import chart

        data = chart(shown, **size)
    else:
        from lr_configs.preview.figure import figure, save

        data = save(figure(shown, **size), kind)
    write_file(options.output, data, options.force)
    _tell(options.output, sources, () if kind in ("svg", "png", "pdf") else shown.notes)


def _tell(path: str, sources: Sequence[str], notes: Sequence[str]) -> None:
    say("\n".join([f"{path} is written", *sources, *notes]))


def _print(shown: Any, sources: list[str], options: argparse.Namespace) -> None:
    from lr_configs.preview.braille import chart

    to = screen()
    width = options.width or min(to.width, WIDEST)
    text = chart(shown, width, options.height or 16, colour=to.colour, ascii=to.ascii, log=options.log)
    say("\n".join([text, *_folded(sources, width)]))


def _folded(lines: Sequence[str], width: int) -> Iterator[str]:
    import textwrap

    for line in lines:
        yield from textwrap.wrap(line, max(width, 20))
