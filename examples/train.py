"""The main job: `python examples/train.py scheduler=cosine_warm_restarts`.

Torch and Lightning are imported inside `main`, so that `--help`, `--cfg job` and tab completion stay instant.
"""

import math
import os
import sys
from pathlib import Path
from types import TracebackType

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, InstantiationException
from omegaconf import DictConfig

import lr_configs
from lr_configs import SchedulerConfigError

ROWS = {"digits.Digits": 1797, "cells.Cells": 569}  # of the data, known without loading them
HERE = str(Path(__file__).resolve().parent)
if hasattr(hydra.utils, "execution_whitelist"):  # from Hydra 1.4 on: what a configuration may call
    ours = ["lr_configs.scheduler", "lr_configs.LRSchedulerCallback", "lr_configs.sweeps.Manifest"]
    options = {"execution_whitelist": [*ours, "cells.*", "digits.*", "pytorch_lightning.*", "torch.optim.*"]}
else:
    options = {"version_base": "1.3"}


def train(cfg: DictConfig, folder: Path) -> float:
    """Train and report; returns the metric."""
    rows = ROWS[cfg.data._target_]
    batches = math.ceil((rows - int(rows * cfg.data.val_share)) / cfg.data.batch_size)
    lr_configs.check(cfg, batches=batches)  # what would be refused later is refused here, before anything is loaded
    if HERE not in sys.path:  # a launcher's process does not begin in this folder
        sys.path.insert(0, HERE)

    import pytorch_lightning as pl
    from digits import Classifier
    from report import Record, write_result

    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    record = Record()
    callbacks = [*hydra.utils.instantiate(cfg.callbacks).values(), record]
    logger = hydra.utils.instantiate(cfg.logger)
    trainer = hydra.utils.instantiate(cfg.trainer, callbacks=callbacks, logger=logger)
    optimizer = hydra.utils.instantiate(cfg.optimizer, _partial_=True)
    model, data = Classifier(hydra.utils.instantiate(cfg.model), optimizer), hydra.utils.instantiate(cfg.data)
    last = folder / "checkpoints" / "last.ckpt"  # of a job that was killed in this folder, and started again
    trainer.fit(model, data, ckpt_path=last if last.exists() else None)
    if cfg.metric not in trainer.callback_metrics:  # it was killed when all was trained
        trainer.validate(model, data, verbose=False)

    score = float(trainer.callback_metrics[cfg.metric])
    name = cfg.scheduler.name
    write_result(folder / "result.json", schedule=name, metric=cfg.metric, score=score, rates=record.rates)
    print(f"scheduler={name} | {cfg.metric} {score:.4f} | {folder}")
    return score


@hydra.main(config_path="../conf", config_name="config", **options)
def main(cfg: DictConfig) -> float:
    """Errors in the schedule are shown without a traceback."""
    try:
        return train(cfg, Path(HydraConfig.get().runtime.output_dir))
    except (SchedulerConfigError, InstantiationException) as error:
        cause = error if isinstance(error, SchedulerConfigError) else error.__cause__  # Hydra 1.3 wraps it
        if isinstance(cause, SchedulerConfigError):
            raise CompactHydraException(str(cause.at(cause.place or "scheduler"))) from None
        raise


def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Hydra 1.3 shows for an error that says it all; Hydra 1.4 leaves that to the app."""
    if isinstance(error, CompactHydraException) and "HYDRA_FULL_ERROR" not in os.environ:
        hint = "Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace."
        print(error, hint, sep="\n\n", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if __name__ == "__main__":
    sys.excepthook = show
    main()
