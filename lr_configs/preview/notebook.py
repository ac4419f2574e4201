"""How a config object shows itself in a notebook."""

from __future__ import annotations

from lr_configs.config import SchedulerConfig
from lr_configs.errors import SchedulerConfigError
from lr_configs.horizon import amount_text
from lr_configs.preview.examples import nominal_run
from lr_configs.preview.picture import Picture
from lr_configs.preview.series import Subject, picture
from lr_configs.preview.svg import chart

#: parts into which the run is cut, and pixels
_BINS, _WIDTH, _HEIGHT = 200, 480, 240


def svg_of(config: SchedulerConfig) -> str | None:
    """A picture of a schedule in a run that shows all of it, by an optimizer whose own rate is 1.

    Args:
        config: the schedule.

    Returns:
        An ``<svg>`` element; None for a schedule that fits no such run, whose text is shown then.
    """
    run = nominal_run(config)
    try:
        shown = picture([Subject(config, run, [1.0])], title=config.name, bins=_BINS)
    except SchedulerConfigError:
        return None
    size = f"a run of {amount_text(run.epochs or 0, 'epoch')} with {run.steps_per_epoch} updates each, from a base of 1"
    noted = Picture(shown.panels, shown.unit, shown.end, shown.title, shown.epochs, shown.bins, (size, *shown.notes))
    return chart(noted, _WIDTH, _HEIGHT + 80 * len(shown.panels[1:]))
