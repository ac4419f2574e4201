"""What a Lightning run leaves of its rates: a table and a picture in its folder, and in its logger's pages."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lr_configs.driver import Driver
from lr_configs.errors import SchedulerConfigError
from lr_configs.lightning_run import LightningRun
from lr_configs.recorder import Recorder

if TYPE_CHECKING:
    from pytorch_lightning import Trainer

#: what the files, and the pictures of loggers, are called
NAME = "lr_curve"
#: where a checkpoint has the part of the run before it
KEY = "lr_configs_curve"


class SavedCurve:
    """Records a run of Lightning's on its first process, where that is wanted.

    Args:
        wanted: whether it is.

    Attributes:
        recorder: what records, between the beginning and the end of a fit.
    """

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self.recorder: Recorder | None = None
        self._say: Callable[[str], None] = print
        self._before: Any = None  # what a checkpoint has
        self._goes_on = False
        self._steps = 0  # that the trainer counted when the fit began

    def __getstate__(self) -> dict[str, Any]:
        return {**SavedCurve(self.wanted).__dict__, "_before": self._before}

    def load(self, checkpoint: dict[str, Any]) -> None:
        """Keep what a checkpoint has until the fit begins."""
        self._before = checkpoint.get(KEY)

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Put what has been recorded into a checkpoint."""
        if self.recorder is not None:
            checkpoint[KEY] = self.recorder.state_dict()

    def begin(self, trainer: Trainer, driver: Driver, run: LightningRun, updates: int) -> None:
        """Record from here on.

        Args:
            trainer: the trainer.
            driver: what drives the schedules, not started yet.
            run: the run.
            updates: that each optimizer has made before.
        """
        before, self._before, self._goes_on, self._say = self._before, None, False, run.say
        self._steps = int(trainer.global_step)
        if not self.wanted or not trainer.is_global_zero:
            return
        self.recorder = Recorder(driver, trainer.optimizers)
        try:
            self.recorder.load(before or {})
            self._goes_on = bool(before)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._say(f"save_curve: what the checkpoint has of the run before it cannot be read ({error!r})")
        self.recorder.begin(updates)

    def close(self) -> None:
        """Let go of the optimizers."""
        if self.recorder is not None:
            self.recorder.close()

    def end(self, trainer: Trainer, *, failed: bool = False) -> None:
        """Write the table and the picture, and let loggers show the picture; to be called on all processes.

        Args:
            trainer: the trainer.
            failed: an exception has ended the run: perhaps on one process alone, and nobody listens to a logger.
        """
        if not self.wanted or (failed and (trainer.world_size > 1 or self.recorder is None)):
            return
        folder = _folder(trainer)
        if self.recorder is None:
            return
        self.recorder.close()
        self._check_updates(trainer, self.recorder)
        if not self.recorder.series:
            return
        table = folder / f"{NAME}.csv" if self._goes_on else _free(folder)
        self._try(table, partial(self.recorder.write, table))
        try:
            figure = self._figure(self.recorder)
        except SchedulerConfigError as error:
            self._say(f"save_curve: a table without a picture: {error.rule}. {error.remedy}")
            return
        picture = table.with_suffix(".png")
        self._try(picture, partial(_save, figure, picture))
        for logger in () if failed else trainer.loggers:
            self._try(type(logger).__name__, partial(_show, logger, figure, picture, int(trainer.global_step)))

    def _check_updates(self, trainer: Trainer, recorder: Recorder) -> None:
        """An optimizer that makes steps of which nobody hears holds the first rate for all of them."""
        made, heard = int(trainer.global_step) - self._steps, recorder.updates
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None  # which skips steps
        if len(heard) == 1 and heard[0] < made and not scaled and trainer.lightning_module.automatic_optimization:
            warnings.warn(
                f"the trainer has made {made} updates, and {type(trainer.optimizers[0]).__name__} has told of {heard[0]}: no "
                "schedule moves at the others. Has somebody put another function in the place of its step?",
                UserWarning,
                stacklevel=2,
            )

    def _try(self, what: Any, do: Callable[[], Any]) -> None:
        """A full disk, or a logger whose server is gone, ends no run that is done."""
        try:
            do()
        except Exception as error:  # whatever a logger raises
            self._say(f"save_curve: {what}: {type(error).__name__}: {error}")

    @staticmethod
    def _figure(recorder: Recorder) -> Any:
        from lr_configs.preview.figure import figure

        names = dict.fromkeys(track.plan.config.name for track in recorder.driver.tracks)
        return figure(recorder.picture(title=", ".join(names)))


def _folder(trainer: Trainer) -> Path:
    """The run's folder: a Hydra job's own; without Hydra, where the first logger writes, or the trainer's root."""
    theirs = trainer.log_dir  # asks all processes
    hydra: Any = sys.modules.get("hydra.core.hydra_config")
    if hydra is not None and hydra.HydraConfig.initialized():
        return Path(hydra.HydraConfig.get().runtime.output_dir)
    return Path(theirs or trainer.default_root_dir)


def _free(folder: Path) -> Path:
    """The name of a table that no other run has left in this folder."""
    path, number = folder / f"{NAME}.csv", 1
    while path.exists():
        path, number = folder / f"{NAME}_{number}.csv", number + 1
    return path


def _save(figure: Any, path: Path) -> None:
    from lr_configs.preview.figure import save

    path.write_bytes(save(figure, "png"))


def _show(logger: Any, figure: Any, picture: Path, step: int) -> None:
    """Give the picture to a logger that shows pictures."""
    kinds = {cls.__name__ for cls in type(logger).__mro__}
    if "TensorBoardLogger" in kinds:
        logger.experiment.add_figure(NAME, figure, step)
    elif "WandbLogger" in kinds:
        logger.log_image(NAME, [str(picture)])
