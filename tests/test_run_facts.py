"""Real runs again: schedules that follow a metric, and how long a run is."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import oracle
import pytest
import pytorch_lightning as pl
import torch
from drawn import ALONE, POLICIES, Case, a_run, registered, schedule
from lightning_helpers import Stream, Tiny, loader, trainer
from oracle import Run
from test_runs import Module, Save, Watch, expected, quiet
from torch.utils.data import DataLoader

from lr_configs import Horizon, LRSchedulerCallback, SchedulerConfigError, curve

# ------------------------------------------------------------------------------------------------ metrics


class Measured(Module):
    """Logs a metric that is a function of epoch and batch, so that a resumed run sees the same values."""

    def __init__(self, case: Case, seed: int) -> None:
        super().__init__(case)
        self.seed = seed

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = super().training_step(batch, batch_idx)
        self.log("train_metric", measured(self.seed, self.current_epoch, 0), on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        done = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        self.log("val_metric", measured(self.seed, self.current_epoch, done))


def measured(seed: int, epoch: int, batch: int) -> float:
    return random.Random(f"{seed} {epoch} {batch}").choice([1.0, 0.9, 0.5, 0.4, 0.2, 0.1])


@dataclass
class Metrics:
    """Where a metric is logged, and which runs follow it."""

    seed: int
    node: dict[str, Any]
    run: Run
    every: int | None  # batches between validations; None is at the end of the epoch
    start: int = 0  # updates done when the schedule began

    def due(self, update: int) -> float:
        epochs, values = self.run.epochs or 0, []
        for epoch in range(epochs):
            ends = range(self.every, self.run.batches + 1, self.every) if self.every else [self.run.batches]
            for batch in ends:
                done = epoch * self.run.updates_in(0) + -(-batch // self.run.accumulate)
                if self.start < done <= update and done > self.node.get("_warm", 0) - 1:
                    where = 0 if self.node["monitor"] == "train_metric" else batch
                    values.append(measured(self.seed, epoch, where))
        node = {k: v for k, v in self.node.items() if k != "_warm"}
        if node["name"] == "chained":
            plan = oracle.resolve(node, self.run)
            return oracle.rate(plan, oracle.Fraction(update), 0.1) * oracle.reductions(node["stages"]["b"], values, 1.0)
        ramp = oracle.rate(oracle.resolve(node, self.run, self.start), oracle.Fraction(update - self.start), 1.0)
        return ramp * oracle.reductions(node, values, 0.1)


def follow(metrics: Metrics, policy: str, ckpt: Path | None, save: Any) -> list[float]:
    case = Case(metrics.node, metrics.run, policy=policy)
    watch = Watch(case)
    node = {k: v for k, v in metrics.node.items() if k != "_warm"}
    limits: dict[str, Any] = {"max_epochs": metrics.run.epochs, "accumulate_grad_batches": metrics.run.accumulate}
    if metrics.every:
        limits["val_check_interval"] = metrics.every
    callbacks = [watch, LRSchedulerCallback(node, resume=policy), *([Save(save)] if save else [])]
    with quiet():
        made = trainer(*callbacks, num_sanity_val_steps=0, enable_checkpointing=bool(save), **limits)
        made.fit(
            Measured(case, metrics.seed), loader(metrics.run.batches), loader(1), ckpt_path=str(ckpt) if ckpt else None
        )
    return [rates[0] for rates in watch.rates]


def check_metrics(seed: int) -> list[str]:
    """A metric-driven run and what goes on from it."""
    rng = random.Random(seed)
    node: dict[str, Any] = {
        "name": "reduce_on_plateau",
        "mode": rng.choice(["min", "max"]),
        "factor": 0.5,
        "patience": rng.choice([0, 0, 1]),
        "threshold": rng.choice([1e-4, 0.15]),
        "threshold_mode": rng.choice(["rel", "abs"]),
        "cooldown": rng.choice([0, 0, 1]),
        "eps": 0.0,
    }
    monitor = rng.choice(["val_metric", "val_metric", "train_metric"])
    every = rng.choice([None, 2]) if monitor == "val_metric" else None
    run = Run(rng.randint(3, 5), 1 if every else rng.choice([1, 2]), rng.randint(3, 5))
    kind = rng.choice(["plain", "plain", "frequency", "warmup", "chained"])
    if kind == "frequency":
        node["frequency"] = 2
    elif kind == "warmup":
        warm = rng.randint(1, min(6, run.updates - 1))
        node |= {"warmup": f"{warm}st", "_warm": warm}
    elif kind == "chained":
        node = {"name": "chained", "stages": {"a": {"name": "cosine", "T_max": "100%"}, "b": node}}
    node["monitor"] = monitor
    metrics = Metrics(seed, node, run, every)
    per_epoch = run.updates_in(0)
    with tempfile.TemporaryDirectory() as folder:
        update = rng.randint(1, run.updates - 1)
        at_end = update % per_epoch == 0
        moment = "batch"
        if every:
            update = rng.randrange(run.epochs or 1) * per_epoch + every  # within an epoch
            moment = "validation"
        elif at_end:  # Lightning never repeats the validation of an epoch whose last batch was checkpointed before it
            moment = rng.choice(["epoch", "validation"] if monitor == "val_metric" else ["epoch", "batch"])
        path = Path(folder) / "a.ckpt"
        longer = replace(run, epochs=(run.epochs or 0) + 2)
        plans = [(run, rng.choice(POLICIES))]
        if kind != "chained":
            plans.append((longer, rng.choice(POLICIES)))
        steps = [("first run", metrics, "strict", None, {(update, moment): path}, 0)]
        for new, policy in plans:
            begins = update if policy == "restart" and new is longer else 0
            if begins and (kind == "warmup" or update % per_epoch):
                continue
            if kind == "warmup" and policy == "stretch" and new is longer:
                continue  # it stretches the warmup
            step = f"{policy} from update {update} ({moment})"
            steps.append((step, replace(metrics, run=new, start=begins), policy, path, None, update))
        for step, case, policy, ckpt, save, start in steps:
            line = f"\npython tests/fuzz.py metrics {seed}   # {step}: "
            try:
                found = follow(case, policy, ckpt, save)
            except Exception as error:
                return [f"{line}{type(error).__name__}: {error}\n    {case}"]
            due = [case.due(u) for u in range(start, case.run.updates)]
            if found != pytest.approx(due, rel=1e-12, abs=1e-16):
                shown = [round(r, 6) for r in found], [round(r, 6) for r in due]
                return [f"{line}got {shown[0]} due {shown[1]}\n    {case}"]
    return []


@pytest.mark.parametrize(
    "block", [0, 1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def test_metrics(block: int) -> None:
    problems = [line for seed in range(block * 25, block * 25 + 25) for line in check_metrics(seed)]
    assert not problems, "".join(problems[:10])


# ------------------------------------------------------------------------------------------------ the run's length


def rates_of(node: dict[str, Any], **kwargs: Any) -> list[float]:
    watch = Watch(Case(node, Run()))
    data = kwargs.pop("data", None)
    with quiet():
        made = trainer(watch, LRSchedulerCallback(node), **kwargs)
        made.fit(Tiny(momentum=0.9), loader(5) if data is None else data)
    return [rates[0] for rates in watch.rates]


def due(node: dict[str, Any], run: Run) -> list[float]:
    return [rates[0] for rates in oracle.begin(node, run, (0.1,)).trace()]


HALF = {"name": "linear", "start_factor": 0.5, "total_iters": "50%"}


@pytest.mark.parametrize(("limit", "batches"), [(3, 3), (0.5, 5), (1.0, 10), (20, 10)])
def test_limited_batches(limit: Any, batches: int) -> None:
    found = rates_of(HALF, data=loader(10), limit_train_batches=limit, max_epochs=2)
    assert found == pytest.approx(due(HALF, Run(batches, 1, 2)), rel=1e-12)


def test_max_steps_alone_leaves_epochs_what_they_are() -> None:
    node = {"name": "step", "step_size": 1, "gamma": 0.5}
    found = rates_of(node, max_steps=12)
    assert found == pytest.approx(due(node, Run(5, 1, None, 12)), rel=1e-12)
    assert len(set(found)) == 3


def test_a_loader_without_length() -> None:
    by_steps = rates_of(HALF, data=DataLoader(Stream(5), batch_size=2), max_steps=12)
    assert by_steps == pytest.approx(due(HALF, Run(5, 1, None, 12)), rel=1e-12)
    # The updates of an epoch cannot be known: shares count epochs.
    by_epochs = rates_of(HALF, data=DataLoader(Stream(5), batch_size=2), max_epochs=4)
    assert by_epochs == pytest.approx(due({**HALF, "interval": "epoch"}, Run(5, 1, 4)), rel=1e-12)
    with pytest.raises(SchedulerConfigError):
        rates_of({**HALF, "warmup": "7st"}, data=DataLoader(Stream(5), batch_size=2), max_epochs=4)


class Counting(pl.LightningDataModule):
    """Counts how often its loader is made and begun."""

    def __init__(self) -> None:
        super().__init__()
        self.made, self.begun, self.made_at = 0, 0, ""

    def train_dataloader(self) -> Any:
        module = self

        class Data(torch.utils.data.Dataset):  # type: ignore[type-arg]
            def __len__(self) -> int:
                return 10

            def __getitem__(self, i: int) -> Any:
                return torch.ones(2)

        class Loader(DataLoader):  # type: ignore[type-arg]
            def __iter__(self) -> Any:
                module.begun += 1
                return super().__iter__()

        self.made += 1
        return Loader(Data(), batch_size=2)


@pytest.mark.parametrize(
    ("node", "needs_data"),
    [
        ({"name": "step", "step_size": 1}, False),
        ({"name": "exponential"}, False),
        ({"name": "step", "step_size": "3st"}, False),
        (HALF, True),
        ({"name": "cosine", "warmup": "1ep"}, True),
    ],
)
def test_the_data_is_loaded_once_and_no_earlier_than_needed(node: dict[str, Any], needs_data: bool) -> None:
    data = Counting()
    seen: list[int] = []

    class Look(pl.Callback):
        def on_fit_start(self, trainer: Any, module: Any) -> None:
            seen.append(data.made)

    with quiet():
        made = trainer(LRSchedulerCallback(node), Look(), max_epochs=3)
        made.fit(Tiny(), datamodule=data)
    assert seen == [int(needs_data)]
    assert data.made == 1
    assert data.begun == 3


@pytest.mark.parametrize("max_steps", [-1, 12])
@pytest.mark.parametrize("critic_steps", [1, 2])
def test_several_manual_optimizers(max_steps: int, critic_steps: int) -> None:
    nodes = [HALF, {"name": "cosine", "T_max": "100%"}]
    seen: list[list[float]] = [[], []]

    class Manual(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.one, self.two = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)

        def training_step(self, batch: Any, batch_idx: int) -> None:
            for i, (layer, optimizer) in enumerate(zip((self.one, self.two), self.optimizers(), strict=True)):
                for _ in range(critic_steps if i else 1):
                    seen[i].append(float(optimizer.param_groups[0]["lr"]))
                    optimizer.zero_grad()
                    self.manual_backward(layer(batch).sum())
                    optimizer.step()

        def configure_optimizers(self) -> Any:
            return [torch.optim.SGD(layer.parameters(), lr=0.1) for layer in (self.one, self.two)]

    total = {} if critic_steps == 1 else {"total_steps": 15 if max_steps < 0 else 4}
    with quiet():
        made = trainer(
            LRSchedulerCallback(schedulers={0: nodes[0], 1: nodes[1]}, **total), max_epochs=3, max_steps=max_steps
        )
        made.fit(Manual(), loader(5))
    for i, node in enumerate(nodes):
        length = total.get("total_steps") or (15 if max_steps < 0 else max_steps // 2)
        wanted = [
            oracle.rate(oracle.resolve(node, Run(5, 1, None, length)), oracle.Fraction(u), 0.1) for u in range(length)
        ]
        assert seen[i][:length] == pytest.approx(wanted, rel=1e-12, abs=1e-16)


# ------------------------------------------------------------------------------------------------ curves


@registered()
def check_plan(seed: int) -> list[str]:
    """No run at all: `curve` for a schedule and a horizon, every scheduler step of it."""
    rng = random.Random(seed)
    groups = rng.choice([1, 1, 2])
    run, node = a_run(rng), schedule(rng, groups)
    if node["name"] in ALONE:
        return []
    line = f"\npython tests/fuzz.py plans {seed}   # "
    horizon = Horizon(steps_per_epoch=[run.updates_in(epoch) for epoch in range(20)], steps=run.updates)
    track = expected(lambda: oracle.begin(node, run, (0.1, 0.05)[:groups]))
    try:
        plan = oracle.resolve(node, run) if track else None
        rows = [curve(node, 0.1 / (group + 1), horizon, group=group) for group in range(groups)]
    except SchedulerConfigError as error:
        return [f"{line}refused, but has an answer: {error}\n    {node} {run}"] if track else []
    except Exception as error:
        return [f"{line}{type(error).__name__}: {error}\n    {node} {run}"]
    if plan is None:
        return [f"{line}accepted, but should be refused: {rows[0].tolist()}\n    {node} {run}"]
    for group, row in enumerate(rows):
        due = [oracle.rate(plan, oracle.Fraction(t), 0.1 / (group + 1), group) for t in range(plan.total)]
        if row.tolist() != pytest.approx(due, rel=1e-12, abs=2e-16):
            return [f"{line}group {group}: {row.round(6).tolist()}, not {[round(x, 6) for x in due]}\n    {node} {run}"]
    return []


def test_curves() -> None:
    problems = [line for seed in range(3000) for line in check_plan(seed)]
    assert not problems, f"{len(problems)} curves" + "".join(problems[:10])
