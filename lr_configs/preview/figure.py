"""Pictures by matplotlib: a figure to be changed further, and files of pixels and for print."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lr_configs.errors import SchedulerConfigError
from lr_configs.preview import scale, style
from lr_configs.preview.arrangement import MARGIN, SIZE, SWATCH, Arranged, Arrangement, Words, arrange
from lr_configs.preview.picture import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: pixels of an inch in which pictures are arranged, and of an inch in files: twice as fine
DPI, FINE = 96, 192
#: points of a pixel
_POINT = 72 / DPI


def figure(picture: Picture, width: int = 720, height: int | None = None, *, log: bool = False) -> Figure:
    """A picture as a matplotlib figure; pyplot, and so the backend of a notebook or a window, has no part in it.

    Args:
        picture: what it shows.
        width: pixels, of which there are 96 in an inch.
        height: pixels; None is what its panels need.
        log: a logarithmic axis for the rates.

    Raises:
        SchedulerConfigError: where matplotlib is not installed.
    """
    made = _figure_class()
    placed = arrange(picture, width, height, log=log)
    drawn: Figure = made(figsize=(placed.width / DPI, placed.height / DPI), dpi=DPI, facecolor=style.GROUND[0])
    for one in placed.panels:
        _panel(drawn, placed, one)
    _around(drawn, placed)
    return drawn


def _figure_class() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SchedulerConfigError(
            "matplotlib", None, "this picture is drawn by matplotlib, which is not installed",
            "pip install 'lr_configs[plot]', or write an .svg, which needs nothing",
        ) from None  # fmt: skip
    return Figure


def save(drawn: Figure, kind: str) -> bytes:
    """The file of a figure, the same for the same picture.

    Args:
        drawn: the figure.
        kind: ``png``, ``pdf`` or ``svg``.
    """
    import matplotlib

    undated: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"CreationDate": None},
        "svg": {"Date": None},
    }
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "lr_configs", "svg.fonttype": "none"}):
        drawn.savefig(file, format=kind, dpi=FINE, metadata=undated[kind])
    return file.getvalue()


def plot(
    scheduler: Any,
    *,
    horizon: Any,
    base_lr: float = 0.1,
    log: bool = False,
    title: str = "",
    metric: Sequence[float] | None = None,
) -> Figure:
    """Draw schedules over a run, with the rates that also train.

    Args:
        scheduler: a schedule (a composed node, a dict, a config object, or a name), a list of them, or a mapping of labels to
            them; all of them are in one picture.
        horizon: the run's size, a :class:`~lr_configs.Horizon`.
        base_lr: the optimizer's own rate, or its own value of what a schedule drives instead (`param`).
        log: a logarithmic axis for the rates.
        title: of the picture.
        metric: values that a metric-driven schedule follows, one at the end of every epoch.

    Returns:
        A matplotlib ``Figure``, to be changed, shown or saved.

    Raises:
        SchedulerConfigError: for a schedule that does not fit the run, and where matplotlib is not installed.

    >>> from lr_configs import Horizon
    >>> drawn = plot(["cosine", "one_cycle"], horizon=Horizon(epochs=90, steps_per_epoch=391))
    >>> [axes.get_ylabel() for axes in drawn.axes]
    ['lr', 'momentum']
    """
    from lr_configs.preview.plateau import Metric
    from lr_configs.preview.series import Subject, labelled, picture

    _figure_class()  # before the work
    recorded = None if metric is None else Metric(tuple(float(value) for value in metric))
    subjects = [Subject(node, horizon, [base_lr], None, label, recorded) for label, node in labelled(scheduler)]
    if not subjects:
        raise SchedulerConfigError("scheduler", scheduler, "there is nothing to draw", "Give a schedule, or several")
    return figure(picture(subjects, title=title), log=log)


# ---------------------------------------------------------------------------------------- drawing


def _panel(drawn: Figure, placed: Arrangement, one: Arranged) -> None:
    box, width, height = one.box, placed.width, placed.height
    axes = drawn.add_axes((box.left / width, 1 - box.bottom / height, box.width / width, box.height / height))
    axes.set_facecolor("none")
    if box.axis.log:
        axes.set_yscale("log")
    axes.set(xlim=(0, box.end), ylim=(box.axis.low, box.axis.high), ylabel=one.panel.title)
    axes.yaxis.label.set_visible(False)  # it is written above, where it has room
    axes.set_yticks(
        box.ticks(), [scale.number(tick) for tick in box.ticks()], color=style.INK[0], fontsize=SIZE * _POINT
    )
    axes.minorticks_off()
    axes.tick_params(axis="y", length=0, pad=4 * _POINT)
    axes.set_xticks([])
    axes.grid(axis="y", color=style.GRID[0], linewidth=0.8 * _POINT)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set(color=style.INK[0], linewidth=0.8)
    for line in reversed(one.panel.lines):
        # Beyond the axis there is its edge, as everywhere.
        x, y = [*line.x, line.end], [max(value, box.axis.low) for value in [*line.y, line.last]]
        axes.plot(x, y, label=line.label, drawstyle="default" if line.thinned else "steps-post", **_stroke(line.style))
        dots = [[mark.x for mark in line.marks], [max(mark.y, box.axis.low) for mark in line.marks]]
        look: dict[str, Any] = {
            "markersize": 5.2 * _POINT,
            "markerfacecolor": style.GROUND[0],
            "markeredgecolor": style.colour(line.style),
        }
        axes.plot(*dots, "o", zorder=3, clip_on=False, **look)
    for words in one.words:
        if words.mark is not None:
            top = box.axis.high
            axes.vlines(
                words.mark.x,
                max(words.mark.y, box.axis.low),
                top,
                colors=style.INK[0],
                linewidth=0.8,
                linestyles=(0, (1, 3)),
            )


def _stroke(number: int) -> dict[str, Any]:
    dash = [float(length) / 1.6 for length in style.dash(number).split()]  # in widths of the line
    return {
        "color": style.colour(number),
        "linewidth": 1.6 * _POINT,
        "linestyle": (0, dash) if dash else "-",
        "clip_on": False,
    }


def _around(drawn: Figure, placed: Arrangement) -> None:
    """All that is written, and the legend."""
    ink = style.INK[0]

    def write(words: Words, anchor: str = "left", color: str = ink, **more: Any) -> None:
        at = words.x / placed.width, 1 - words.y / placed.height
        drawn.text(
            *at, words.text.replace("$", r"\$"), ha=anchor, va="baseline", color=color, fontsize=SIZE * _POINT, **more
        )

    if placed.title is not None:
        write(placed.title, "center", weight="bold")
    for words in placed.legend:
        _swatch(drawn, placed, words)
        write(words)
    for one in placed.panels:
        write(Words(one.panel.title, MARGIN, one.box.top - 9), style="italic")
        for words in one.words:
            write(words, "center", style.colour(words.style))
        for words in one.ends:
            write(words, "left", style.colour(words.style))
    last = placed.panels[-1].box
    for i, (unit, ticks) in enumerate(placed.ticks):
        write(unit, "right", style="italic")
        for x, number in ticks:
            _line(
                drawn, placed, [last.x(x)] * 2, [last.bottom, last.bottom + (-3 if i else 3)], color=ink, linewidth=0.8
            )
            if number is not None:
                write(number, "center")
    for words in placed.notes:
        write(words)


def _swatch(drawn: Figure, placed: Arrangement, words: Words) -> None:
    end, y = words.x - 6, words.y - SIZE + 8
    _line(drawn, placed, [end - SWATCH, end], [y, y], **_stroke(words.style))


def _line(drawn: Figure, placed: Arrangement, x: Sequence[float], y: Sequence[float], **look: Any) -> None:
    from matplotlib.lines import Line2D

    at = [one / placed.width for one in x], [1 - one / placed.height for one in y]
    drawn.add_artist(Line2D(*at, transform=drawn.transFigure, **look))
