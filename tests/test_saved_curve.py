"""What `save_curve` leaves of a Lightning run: a table, a picture, and what loggers show."""

from __future__ import annotations

import csv
import inspect
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from lightning_helpers import Tiny, fit, loader, trainer
from pytorch_lightning.callbacks import ModelCheckpoint, StochasticWeightAveraging
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger, WandbLogger

from lr_configs import Horizon, LRSchedulerCallback, curve, lightning
from lr_configs.saved_curve import KEY

NODE = {"name": "cosine", "interval": "step", "warmup": 2}
RUN = Horizon(steps=15)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def column(path: Path, key: str = "actual") -> list[float]:
    return [float(row[key]) for row in rows(path)]


def is_png(path: Path) -> bool:
    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    return data.startswith(b"\x89PNG") and width > 500 and height > 200


def test_a_table_and_a_picture_in_the_root(tmp_path: Path) -> None:
    module = fit(LRSchedulerCallback(NODE, save_curve=True), default_root_dir=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lr_curve.csv", "lr_curve.png"]
    assert column(tmp_path / "lr_curve.csv") == module.rates
    np.testing.assert_allclose(column(tmp_path / "lr_curve.csv", "planned"), curve(NODE, 0.1, RUN), rtol=1e-15)
    assert [row["update"] for row in rows(tmp_path / "lr_curve.csv")] == [str(i) for i in range(15)]
    assert is_png(tmp_path / "lr_curve.png")


def test_nothing_by_default(tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, save_last=True)
    fit(LRSchedulerCallback(NODE), None, save, default_root_dir=tmp_path)
    assert not list(tmp_path.glob("lr_curve*"))
    assert KEY not in torch.load(tmp_path / "last.ckpt", weights_only=True)


def test_another_run_in_the_same_folder_has_files_of_its_own(tmp_path: Path) -> None:
    first = fit(LRSchedulerCallback(NODE, save_curve=True), default_root_dir=tmp_path)
    other = fit(LRSchedulerCallback("step", save_curve=True), Tiny(lr=0.3), default_root_dir=tmp_path)
    assert column(tmp_path / "lr_curve.csv") == first.rates
    assert max(column(tmp_path / "lr_curve_1.csv")) == max(other.rates)
    assert is_png(tmp_path / "lr_curve_1.png")


def test_beside_what_a_logger_writes(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path, name="logs", version="v")
    fit(LRSchedulerCallback(NODE, save_curve=True), logger=logger)
    assert {"lr_curve.csv", "lr_curve.png"} <= {path.name for path in (tmp_path / "logs" / "v").iterdir()}


def test_every_optimizer_and_parameter(tmp_path: Path) -> None:
    from test_callback import Gan

    nodes = {"generator": [NODE, {"name": "linear", "param": "weight_decay"}], "discriminator": "none"}
    run = trainer(LRSchedulerCallback(schedulers=nodes, total_steps=15, save_curve=True), default_root_dir=tmp_path)
    run.fit(Gan(), loader())
    names = {row["name"] for row in rows(tmp_path / "lr_curve.csv")}
    assert names == {"lr/generator/0", "weight_decay/generator/0", "lr/discriminator/0"}


def test_an_update_of_several_batches_is_one(tmp_path: Path) -> None:
    module = fit(LRSchedulerCallback(NODE, save_curve=True), accumulate_grad_batches=2, default_root_dir=tmp_path)
    assert column(tmp_path / "lr_curve.csv") == module.rates
    assert len(module.rates) == 9


def test_a_modules_own_schedule(tmp_path: Path) -> None:
    class Own(Tiny):
        def configure_optimizers(self) -> Any:
            return lightning(NODE, super().configure_optimizers(), self.trainer)

    module = fit(LRSchedulerCallback(save_curve=True), Own(), default_root_dir=tmp_path)
    assert column(tmp_path / "lr_curve.csv") == module.rates
    np.testing.assert_allclose(column(tmp_path / "lr_curve.csv", "planned"), module.rates)


def test_a_scheduler_that_is_kept_has_no_plan(tmp_path: Path) -> None:
    class Native(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    module = fit(LRSchedulerCallback(NODE, on_existing="keep", save_curve=True), Native(), default_root_dir=tmp_path)
    assert column(tmp_path / "lr_curve.csv") == module.rates
    assert {row["planned"] for row in rows(tmp_path / "lr_curve.csv")} == {""}
    assert is_png(tmp_path / "lr_curve.png")


class Writer(pl.Callback):
    """Writes a rate of its own in front of every batch."""

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step >= 4:
            trainer.optimizers[0].param_groups[0]["lr"] = 0.01 / (trainer.global_step + 1)


def test_a_rate_that_leaves_the_plan_is_warned_of(tmp_path: Path) -> None:
    callback = LRSchedulerCallback(NODE, save_curve=True)
    with pytest.warns(UserWarning, match="lr/SGD/0 leaves the plan at update 4: .* as cosine does not"):
        fit(callback, None, Writer(), default_root_dir=tmp_path)
    assert [row["event"] for row in rows(tmp_path / "lr_curve.csv") if row["event"]] == ["leaves the plan"]


class Replaces(pl.Callback):
    """Puts another function in the place of the optimizer's step, late."""

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        optimizer = trainer.optimizers[0]
        if trainer.global_step == 5:
            optimizer.step = lambda closure=None: closure and closure() and None


def test_steps_of_which_nobody_hears_are_warned_of(tmp_path: Path) -> None:
    callback = LRSchedulerCallback(NODE, save_curve=True)
    with pytest.warns(UserWarning, match="the trainer has made 15 updates, and SGD has told of 5"):
        fit(callback, None, Replaces(), default_root_dir=tmp_path)


class Halves(pl.Callback):
    """An edit by hand."""

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == 6:
            trainer.optimizers[0].param_groups[0]["lr"] *= 0.5


def test_an_edit_by_hand_is_said_in_both(tmp_path: Path) -> None:
    callback = LRSchedulerCallback(NODE, save_curve=True)
    module = fit(callback, None, Halves(), default_root_dir=tmp_path)
    assert column(tmp_path / "lr_curve.csv") == module.rates
    assert rows(tmp_path / "lr_curve.csv")[6]["event"] == "edited by hand (x0.5)"
    from lr_configs.preview.figure import figure

    assert callback.curve.recorder is not None
    drawn = figure(callback.curve.recorder.picture())
    assert {"planned", "actual", "edited by hand (x0.5)"} <= {one.get_text() for one in drawn.texts}


def test_a_scheduler_that_takes_our_place_explains_what_it_does(tmp_path: Path) -> None:
    averaging = StochasticWeightAveraging(swa_lrs=0.05, swa_epoch_start=3, annealing_epochs=2)
    module = fit(
        LRSchedulerCallback({"name": "cosine", "T_max": 8}, save_curve=True),
        None,
        averaging,
        max_epochs=8,
        default_root_dir=tmp_path,
    )
    assert column(tmp_path / "lr_curve.csv")[-1] == module.rates[-1] == 0.05
    assert [row["event"] for row in rows(tmp_path / "lr_curve.csv") if row["event"]] == ["replaced"]


def test_a_module_that_steps_its_schedule_itself(tmp_path: Path) -> None:
    class Manual(Tiny):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch: Any, batch_idx: int) -> None:
            optimizer: Any = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(self.layers[0](batch).sum() * 1e-3)
            optimizer.step()
            if batch_idx % 2:
                self.lr_schedulers().step()  # type: ignore[union-attr]

    fit(LRSchedulerCallback(NODE, save_curve=True), Manual(), default_root_dir=tmp_path)
    found = {row["update"]: row["event"] for row in rows(tmp_path / "lr_curve.csv") if row["event"]}
    assert found == {"2": "stepped by the module"}
    assert {row["planned"] for row in rows(tmp_path / "lr_curve.csv")[2:]} == {""}


def test_every_run_in_a_folder_has_a_table_of_its_own(tmp_path: Path) -> None:
    for lr in (0.1, 0.2, 0.3):
        fit(LRSchedulerCallback(NODE, save_curve=True), Tiny(lr=lr), default_root_dir=tmp_path, max_epochs=1)
    tables = [tmp_path / f"lr_curve{which}.csv" for which in ("", "_1", "_2")]
    assert [max(column(table)) for table in tables] == pytest.approx([0.1, 0.2, 0.3])


def test_a_second_fit_of_the_same_trainer(tmp_path: Path) -> None:
    module, run = Tiny(), trainer(LRSchedulerCallback(NODE, save_curve=True), max_epochs=2, default_root_dir=tmp_path)
    run.fit(module, loader(), loader(2))
    run.fit_loop.max_epochs = 4
    run.fit(module, loader(), loader(2))
    assert [*column(tmp_path / "lr_curve.csv"), *column(tmp_path / "lr_curve_1.csv")] == module.rates
    assert [row["update"] for row in rows(tmp_path / "lr_curve_1.csv")] == [str(i) for i in range(10, 20)]


# ---------------------------------------------------------------------------------------- going on


def test_a_resumed_run_goes_on_in_its_folder(tmp_path: Path) -> None:
    whole = fit(LRSchedulerCallback(NODE, save_curve=True), default_root_dir=tmp_path / "whole")
    save = ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=1)
    folder = tmp_path / "run"
    fit(LRSchedulerCallback({**NODE, "T_max": 13}, save_curve=True), None, save, max_steps=7, default_root_dir=folder)
    ckpt = tmp_path / "last.ckpt"
    assert "lr/SGD/0" in torch.load(ckpt, weights_only=True)[KEY]
    assert len(rows(folder / "lr_curve.csv")) == 7
    for into in (folder, tmp_path / "another"):
        fit(LRSchedulerCallback({**NODE, "T_max": 13}, save_curve=True), ckpt=ckpt, default_root_dir=into)
        assert [path.name for path in sorted(into.iterdir())] == ["lr_curve.csv", "lr_curve.png"]
        assert column(into / "lr_curve.csv") == whole.rates
        assert {row["update"]: row["event"] for row in rows(into / "lr_curve.csv") if row["event"]} == {"7": "resumed"}


def test_a_run_that_was_not_recorded_before(tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=1)
    fit(LRSchedulerCallback({**NODE, "T_max": 13}), None, save, max_steps=7)
    fit(
        LRSchedulerCallback({**NODE, "T_max": 13}, save_curve=True),
        ckpt=tmp_path / "last.ckpt",
        default_root_dir=tmp_path,
    )
    assert [int(row["update"]) for row in rows(tmp_path / "lr_curve.csv")] == list(range(7, 15))
    np.testing.assert_allclose(column(tmp_path / "lr_curve.csv"), curve(NODE, 0.1, RUN)[7:])


@pytest.mark.parametrize("damage", ["text", {"lr/SGD/0": {}}, {"lr/SGD/0": {"x": ["a"]}}, [1]])
def test_what_cannot_be_read_ends_no_run(damage: Any, tmp_path: Path, capsys: Any) -> None:
    save = ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=1)
    fit(
        LRSchedulerCallback({**NODE, "T_max": 13}, save_curve=True),
        None,
        save,
        max_steps=7,
        default_root_dir=tmp_path / "a",
    )
    ckpt = tmp_path / "last.ckpt"
    torch.save({**torch.load(ckpt, weights_only=True), KEY: damage}, ckpt)
    fit(LRSchedulerCallback({**NODE, "T_max": 13}, save_curve=True), ckpt=ckpt, default_root_dir=tmp_path / "a")
    assert "save_curve: what the checkpoint has of the run before it cannot be read" in capsys.readouterr().out
    # What it cannot go on with it leaves alone.
    assert len(rows(tmp_path / "a" / "lr_curve.csv")) == 7
    assert len(rows(tmp_path / "a" / "lr_curve_1.csv")) == 8


# ---------------------------------------------------------------------------------------- what can go wrong


class Fails(pl.Callback):
    """Ends the run."""

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == 9:
            raise RuntimeError("out of memory")


def test_a_run_that_fails_leaves_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        fit(LRSchedulerCallback(NODE, save_curve=True), None, Fails(), default_root_dir=tmp_path)
    assert len(rows(tmp_path / "lr_curve.csv")) == 9
    assert is_png(tmp_path / "lr_curve.png")


def test_a_run_that_never_begins_leaves_nothing(tmp_path: Path) -> None:
    node = {"name": "warmup_stable_decay", "decay": 99, "interval": "step"}
    with pytest.raises(ValueError, match="decay=99: the decay takes 99 steps"):
        fit(LRSchedulerCallback(node, save_curve=True), default_root_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_table_alone_is_saved(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    module = fit(LRSchedulerCallback(NODE, save_curve=True), default_root_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lr_curve.csv"]
    assert column(tmp_path / "lr_curve.csv") == module.rates
    assert capsys.readouterr().out.count("save_curve: a table without a picture") == 1


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("")
    module = fit(LRSchedulerCallback(NODE, save_curve=True), default_root_dir=tmp_path / "file" / "deep")
    assert len(module.rates) == 15
    out = capsys.readouterr().out
    assert "save_curve: " in out
    assert "NotADirectoryError" in out


def test_two_processes_write_once(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(
        f"import sys, warnings\nwarnings.simplefilter('ignore')\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from lightning_helpers import Tiny, loader, trainer\nfrom lr_configs import LRSchedulerCallback\n"
        "if __name__ == '__main__':\n"
        f"    run = trainer(LRSchedulerCallback({NODE!r}, save_curve=True), strategy='ddp', devices=2, default_root_dir='out')\n"
        "    run.fit(Tiny(), loader(8))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["lr_curve.csv", "lr_curve.png"]
    np.testing.assert_allclose(column(tmp_path / "out" / "lr_curve.csv"), curve(NODE, 0.1, Horizon(steps=12)))


# ---------------------------------------------------------------------------------------- Hydra and loggers

APP = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import warnings
warnings.simplefilter("ignore")
import hydra
from lightning_helpers import Tiny, loader, trainer
from pytorch_lightning.loggers import CSVLogger
from lr_configs import LRSchedulerCallback

@hydra.main(config_path=None, version_base="1.3")
def main(cfg):
    run = trainer(LRSchedulerCallback("cosine", save_curve=True), logger=CSVLogger("elsewhere"), max_epochs=1)
    run.fit(Tiny(), loader())

main()
"""


def test_a_hydra_job_has_it_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    done = subprocess.run(
        [sys.executable, "app.py", "-m", "hydra.sweep.dir=sweep", "hydra.sweep.subdir=${hydra.job.num}", "+a=1,2"],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("lr_curve*"))
    assert found == [f"sweep/{job}/lr_curve.{kind}" for job in (0, 1) for kind in ("csv", "png")]


def records(path: Path) -> list[bytes]:
    """The events of a TensorBoard file: each is its length, a checksum, the event, and a checksum."""
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        (size,) = struct.unpack("<Q", data[at : at + 8])
        found.append(data[at + 12 : at + 12 + size])
        at += size + 16
    return found


def test_tensorboard_shows_the_picture(tmp_path: Path) -> None:
    from tensorboardX.proto.event_pb2 import Event

    logger = TensorBoardLogger(tmp_path, name="logs", version="v")
    fit(LRSchedulerCallback(NODE, save_curve=True), logger=logger)
    (file,) = (tmp_path / "logs" / "v").glob("events.*")
    events = [Event.FromString(one) for one in records(file)]
    images = [(event.step, value) for event in events for value in event.summary.value if value.HasField("image")]
    ((step, value),) = images
    assert (step, value.tag) == (15, "lr_curve")
    assert value.image.encoded_image_string.startswith(b"\x89PNG")
    assert value.image.width > 500


class Offline(WandbLogger):
    """W&B's logger, without W&B."""

    def __init__(self, save_dir: Path) -> None:
        pl.loggers.Logger.__init__(self)
        self.shown: list[tuple[str, list[Any]]] = []
        self._save_dir = str(save_dir)

    name = version = "offline"
    save_dir = property(lambda self: self._save_dir)
    experiment = None

    def log_metrics(self, metrics: Any, step: Any = None) -> None:
        pass

    def log_hyperparams(self, params: Any) -> None:
        pass

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        pass

    def finalize(self, status: str) -> None:
        pass

    def log_image(self, key: str, images: list[Any], step: Any = None, **kwargs: Any) -> None:
        self.shown.append((key, images))


def test_wandb_shows_the_picture(tmp_path: Path) -> None:
    assert list(inspect.signature(WandbLogger.log_image).parameters)[:3] == ["self", "key", "images"]
    logger = Offline(tmp_path)
    fit(LRSchedulerCallback(NODE, save_curve=True), logger=logger)
    assert logger.shown == [("lr_curve", [str(tmp_path / "lr_curve.png")])]
    assert is_png(tmp_path / "lr_curve.png")


def test_a_logger_that_fails_ends_no_run(tmp_path: Path, capsys: Any) -> None:
    class Gone(Offline):
        def log_image(self, *args: Any, **kwargs: Any) -> None:
            raise ConnectionError("the server is gone")

    module = fit(LRSchedulerCallback(NODE, save_curve=True), logger=Gone(tmp_path))
    assert len(module.rates) == 15
    assert "save_curve: Gone: ConnectionError: the server is gone" in capsys.readouterr().out
    assert len(rows(tmp_path / "lr_curve.csv")) == 15


def test_copies_of_the_callback_record_for_themselves(tmp_path: Path) -> None:
    import copy
    import pickle

    callback = LRSchedulerCallback(NODE, save_curve=True)
    fit(callback, default_root_dir=tmp_path / "a")
    for i, other in enumerate((copy.deepcopy(callback), pickle.loads(pickle.dumps(callback)))):
        module = fit(other, default_root_dir=tmp_path / f"copy{i}")
        assert column(tmp_path / f"copy{i}" / "lr_curve.csv") == module.rates
    assert json.dumps(column(tmp_path / "a" / "lr_curve.csv"))
