"""Ratios measured side by side in one process, with medians: `make bench` writes docs/benchmarks.md.

Machines are noisy, so candidates of one row run interleaved, and only ratios are reported.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import medians
from benchmarks.pictures import bench_pictures

warnings.simplefilter("ignore")


def optimizer(groups: int, tensor: bool) -> Any:
    import torch

    rate = (lambda: torch.tensor(0.1)) if tensor else (lambda: 0.1)
    made = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": rate()} for _ in range(groups)], lr=0.1, momentum=0.9)
    made._opt_called = True
    return made


def pairs(tensor: bool) -> dict[str, tuple[Callable[[Any, Any], Any], Callable[[int], float], bool]]:
    """name -> (make from a module and an optimizer, the factor as the floor computes it, moves momentum)."""
    n = 10**7
    pi = math.pi
    return {
        "LambdaLR": (lambda m, o: m.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t), False),
        "MultiplicativeLR": (lambda m, o: m.MultiplicativeLR(o, lambda t: 0.9999999), lambda t: 0.9999999, False),
        "StepLR": (lambda m, o: m.StepLR(o, 3, 0.9999), lambda t: 0.9999 ** (t // 3), False),
        "MultiStepLR": (lambda m, o: m.MultiStepLR(o, list(range(0, 3000, 3)), 0.9999), lambda t: 0.9999 ** (t // 3), False),
        "ConstantLR": (lambda m, o: m.ConstantLR(o, 0.5, n), lambda t: 0.5 if t < n else 1.0, False),
        "LinearLR": (lambda m, o: m.LinearLR(o, 0.1, 1.0, n), lambda t: 0.1 + 0.9 * min(t, n) / n, False),
        "ExponentialLR": (lambda m, o: m.ExponentialLR(o, 0.999999), lambda t: 0.999999**t, False),
        "PolynomialLR": (lambda m, o: m.PolynomialLR(o, n, 2.0), lambda t: (1 - min(t, n) / n) ** 2.0, False),
        "CosineAnnealingLR": (lambda m, o: m.CosineAnnealingLR(o, n), lambda t: (1 + math.cos(pi * t / n)) / 2, False),
        "CosineAnnealingLR eta_min": (
            lambda m, o: m.CosineAnnealingLR(o, n, 1e-4), lambda t: (1 + math.cos(pi * t / n)) / 2, False
        ),
        "CosineAnnealingWarmRestarts": (
            lambda m, o: m.CosineAnnealingWarmRestarts(o, 1000, 2), lambda t: (1 + math.cos(pi * (t % 1000) / 1000)) / 2, False
        ),
        "CyclicLR": (lambda m, o: m.CyclicLR(o, 0.01, 0.1, 2000), lambda t: 1 - abs((t % 4000) / 2000 - 1), True),
        "CyclicLR no momentum": (
            lambda m, o: m.CyclicLR(o, 0.01, 0.1, 2000, cycle_momentum=False), lambda t: 1 - abs((t % 4000) / 2000 - 1), False
        ),
        "OneCycleLR": (lambda m, o: m.OneCycleLR(o, 0.1, n), lambda t: (1 + math.cos(pi * t / n)) / 2, True),
        "OneCycleLR no momentum": (
            lambda m, o: m.OneCycleLR(o, 0.1, n, cycle_momentum=False), lambda t: (1 + math.cos(pi * t / n)) / 2, False
        ),
        "SequentialLR": (
            lambda m, o: m.SequentialLR(o, [m.LinearLR(o, 0.1, 1.0, 5), m.CosineAnnealingLR(o, n)], [5]),
            lambda t: (1 + math.cos(pi * t / n)) / 2, False,
        ),
        "ChainedScheduler": (
            lambda m, o: m.ChainedScheduler([m.LinearLR(o, 0.1, 1.0, n), m.CosineAnnealingLR(o, n)]),
            lambda t: (0.1 + 0.9 * min(t, n) / n) * (1 + math.cos(pi * t / n)) / 2, False,
        ),
    }  # fmt: skip


class Floor:
    """The factor once, and every group's float in a bare loop."""

    def __init__(self, opt: Any, factor: Callable[[int], float], momentum: bool) -> None:
        self.opt, self.factor, self.t, self.momentum = opt, factor, 0, momentum
        self.bases = [0.1] * len(opt.param_groups)

    def step(self) -> None:
        t = self.t = self.t + 1
        f = self.factor(t)
        if self.momentum:
            for group, base in zip(self.opt.param_groups, self.bases):  # noqa: B905
                group["lr"] = base * f
                group["momentum"] = base * f
        else:
            for group, base in zip(self.opt.param_groups, self.bases):  # noqa: B905
                group["lr"] = base * f


def bench_steps(quick: bool) -> list[str]:
    """`step()` of every torch schedule against the floor and against torch."""
    from torch.optim import lr_scheduler as theirs

    import lr_configs.schedulers as ours

    lines = []
    for tensor in (False, True):
        lines += [
            "",
            f"### `step()`, {'tensor' if tensor else 'float'} rates: x float floor, and torch / ours",
            "",
            "| schedule | " + " | ".join(f"{g} groups" for g in (1, 10, 100, 1000)) + " |",
            "|---|---|---|---|---|",
        ]
        for name, (make, factor, momentum) in pairs(tensor).items():
            cells = []
            for groups in (1, 10, 100, 1000):
                number = max(1, (1500 if quick else 4000) // groups)
                mine, other = (optimizer(groups, tensor) for _ in range(2))
                floor = Floor(optimizer(groups, False), factor, momentum)
                us, them = make(ours, mine), make(theirs, other)
                result = medians({"floor": floor.step, "ours": us.step, "torch": them.step}, 5 if quick else 9, number)
                cells.append(f"{result['ours'] / result['floor']:.1f} x, {result['torch'] / result['ours']:.1f}")
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def bench_groups(quick: bool) -> list[str]:
    """Groups with several rates, hand edits, a function per group, products, reloaded tensors."""
    import torch
    from torch.optim import lr_scheduler as theirs

    import lr_configs.schedulers as ours

    n = 10**7

    def factor(t: int) -> float:
        return (1 + math.cos(math.pi * t / n)) / 2

    def several(distinct: int) -> Callable[[int], Any]:
        def made(groups: int) -> Any:
            opt = optimizer(groups, False)
            for i, group in enumerate(opt.param_groups):
                group["lr"] = 0.1 / (1 + i % distinct)
            return opt

        return made

    def edited(module: Any, opt: Any) -> Any:
        schedule = module.CosineAnnealingLR(opt, n)
        schedule.step()
        opt.param_groups[0]["lr"] *= 0.5
        return schedule

    def reloaded(module: Any, opt: Any) -> Any:
        for group in opt.param_groups:
            group["lr"] = torch.tensor(0.1)
        schedule = module.CosineAnnealingLR(opt, n)
        schedule.step()
        opt.load_state_dict(opt.state_dict())
        return schedule

    def own_functions(module: Any, opt: Any) -> Any:
        functions = [lambda t, i=i: 1 / (1 + t + i) for i in range(len(opt.param_groups))]
        return module.LambdaLR(opt, functions)

    def floors(module: Any, opt: Any) -> Any:
        return module.ChainedScheduler(
            [module.CosineAnnealingLR(opt, n, 1e-4), module.CosineAnnealingLR(opt, n // 2, 1e-4)]
        )

    def cosine(module: Any, opt: Any) -> Any:
        return module.CosineAnnealingLR(opt, n)

    rows: dict[str, tuple[Callable[[Any, Any], Any], Callable[[int], Any]]] = {
        "cosine, one rate": (cosine, several(1)),
        "cosine, seven rates": (cosine, several(7)),
        "cosine, all rates distinct": (cosine, several(10**6)),
        "cosine, after a hand edit of one group": (edited, several(1)),
        "cosine, float32 tensors after a reload": (reloaded, several(1)),
        "a function for each group": (own_functions, several(1)),
        "product of two cosines with floors": (floors, several(1)),
        "multiplicative": (lambda m, o: m.MultiplicativeLR(o, lambda t: 0.9999999), several(1)),
    }
    lines = [
        "", "### `step()` beside a bare loop (x floor), and torch / ours", "",
        "| schedule and groups | " + " | ".join(f"{g} groups" for g in (1, 10, 100, 1000)) + " |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, (make, groups_of) in rows.items():
        cells = []
        for groups in (1, 10, 100, 1000):
            number = max(1, (1500 if quick else 4000) // groups)
            us, them = make(ours, groups_of(groups)), make(theirs, groups_of(groups))
            us.step()
            us.step()
            floor = Floor(groups_of(groups), factor, False)
            result = medians({"floor": floor.step, "ours": us.step, "torch": them.step}, 5 if quick else 9, number)
            cells.append(f"{result['ours'] / result['floor']:.2f} x, {result['torch'] / result['ours']:.1f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def bench_curves(quick: bool) -> list[str]:
    """A million steps at once against a hand-written numpy expression."""
    import numpy as np
    import torch

    from lr_configs import Horizon, curve

    n = 10**6
    t = np.arange(n, dtype=np.float64)
    pi = math.pi
    hand: dict[str, tuple[dict[str, Any], Callable[[], Any]]] = {
        "lambda": ({"lr_lambda": "1 / (1 + t)"}, lambda: 0.1 / (1 + t)),
        "multiplicative": ({"lr_lambda": "0.999999"}, lambda: 0.1 * np.cumprod(np.full(n, 0.999999))),
        "step": ({"step_size": 1000, "gamma": 0.99}, lambda: 0.1 * 0.99 ** (t // 1000)),
        "multi_step": (
            {"milestones": [n // 2, 3 * n // 4]},
            lambda: 0.1 * 0.1 ** np.searchsorted([n // 2, 3 * n // 4], t, side="right"),
        ),
        "constant": ({"total_iters": 1000}, lambda: np.where(t < 1000, 0.1 / 3, 0.1)),
        "linear": ({"total_iters": n}, lambda: 0.1 * (1 / 3 + 2 / 3 * np.minimum(t, n) / n)),
        "exponential": ({"gamma": 0.999999}, lambda: 0.1 * 0.999999**t),
        "polynomial": ({"total_iters": n, "power": 2.0}, lambda: 0.1 * (1 - np.minimum(t, n) / n) ** 2.0),
        "cosine": ({"T_max": n}, lambda: 0.1 * (1 + np.cos(pi * t / n)) / 2),
        "cosine_warm_restarts": ({"T_0": 10_000}, lambda: 0.1 * (1 + np.cos(pi * (t % 10_000) / 10_000)) / 2),
        "cyclic": ({"step_size_up": 2000}, lambda: 0.01 + 0.09 * (1 - np.abs((t % 4000) / 2000 - 1))),
        "one_cycle": (
            {"total_steps": n},
            lambda: np.where(
                t < 0.3 * n - 1,
                0.1 + (0.004 - 0.1) / 2 * (1 + np.cos(pi * t / (0.3 * n - 1))),
                4e-7 + (0.1 - 4e-7) / 2 * (1 + np.cos(pi * (t - 0.3 * n + 1) / (0.7 * n))),
            ),
        ),
        "sequential": (
            {},
            lambda: np.where(
                t < n // 10, 0.1 * (0.01 + 0.99 * t / (n // 10)), 0.05 * (1 + np.cos(pi * (t - n // 10) / (0.9 * n)))
            ),
        ),
        "chained": ({}, lambda: 0.05 * (0.01 + 0.99 * np.minimum(t, n // 10) / (n // 10)) * (1 + np.cos(pi * t / n))),
    }
    horizon = Horizon(steps=n)
    lines = ["", "### `curve` of 1,000,000 steps", "", "| schedule | x numpy | arrays alive |", "|---|---|---|"]
    for name, (params, expression) in hand.items():
        node = {"name": name, "interval": "step", **params}
        result = medians({"ours": lambda node=node: curve(node, 0.1, horizon), "numpy": expression}, 3 if quick else 9)
        tracemalloc.start()
        curve(node, 0.1, horizon)
        peak = tracemalloc.get_traced_memory()[1] / (8 * n)
        tracemalloc.stop()
        lines.append(f"| {name} | {result['ours'] / result['numpy']:.2f} | {peak:.1f} |")
    opt = optimizer(1, False)
    stepped = torch.optim.lr_scheduler.CosineAnnealingLR(opt, n)
    steps = 20_000
    result = medians(
        {
            "ours": lambda: curve({"name": "cosine", "interval": "step", "T_max": n}, 0.1, horizon),
            "torch": lambda: [stepped.step() for _ in range(steps)],
        },
        5,
    )
    return [
        *lines,
        "",
        f"Stepping torch's cosine that far takes {result['torch'] * n / steps / result['ours']:.0f} x as long.",
    ]


def bench_jump(quick: bool) -> list[str]:
    """To step 1,000,000 and back."""
    import lr_configs.schedulers as ours

    lines = ["", "### A jump to step 1,000,000", "", "| schedule | us |", "|---|---|"]
    for name, (make, _, _) in pairs(False).items():
        if name == "MultiplicativeLR":
            continue  # a product of a million factors has no shorter form
        schedule = make(ours, optimizer(1, False))

        def there_and_back(schedule: Any = schedule) -> None:
            schedule.jump(1_000_000)
            schedule.jump(1)

        result = medians({"jump": there_and_back}, 7, 200)
        lines.append(f"| {name} | {result['jump'] / 2 * 1e6:.1f} |")
    return lines


def bench_hydra(quick: bool) -> list[str]:
    """Whole processes of an app that asks for our group, beside the same app with the same options as its own files.

    And of an app that asks for nothing, with the package installed and without.
    """
    from omegaconf import OmegaConf

    from lr_configs import available
    from lr_configs.hydra_store import node
    from tests.hydra_apps import app, outcome, start, without_this_package

    asks = {"config.yaml": "hydra: {searchpath: ['lr-configs://']}\ndefaults: [db: a, scheduler: cosine, _self_]\n"}
    files = {f"scheduler/{name}.yaml": OmegaConf.to_yaml(node(name)) for name in available()}
    own = {"config.yaml": "defaults: [db: a, scheduler: cosine, _self_]\n", **files}
    lines = ["", "### A Hydra app, whole process", "", "| app | command | x without the package |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        hidden = without_this_package(base / "hidden")

        def process(kind: str, files: dict[str, str], arguments: tuple[str, ...], env: Any) -> Callable[[], None]:
            made = app(base / kind, {"db/a.yaml": "x: 1\n", **files})

            def run() -> None:
                code, _, error = outcome(start(made, "app.py", *arguments, env=env))
                if code:
                    raise RuntimeError(error)

            return run

        for title, with_it in (("asks for the group", asks), ("has its own group", own)):
            for arguments in (("scheduler=step", "--cfg", "job"), ("--help",)):
                result = medians(
                    {
                        "with": process("with", with_it, arguments, None),
                        "without": process("without", own, arguments, hidden),
                    },
                    5 if quick else 15,
                )
                lines.append(f"| {title} | `{' '.join(arguments)}` | {result['with'] / result['without']:.2f} |")
    return lines


def bench_fit(quick: bool) -> list[str]:
    """Whole fits of a tiny model."""
    import logging

    import pytorch_lightning as pl
    import torch
    from pytorch_lightning.callbacks import LearningRateMonitor
    from pytorch_lightning.loggers import CSVLogger

    from lr_configs import LRSchedulerCallback

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    steps = 500 if quick else 2000
    data = torch.utils.data.DataLoader(torch.ones(steps, 8), batch_size=1)

    class Model(pl.LightningModule):
        def __init__(self, groups: int, hand: bool) -> None:
            super().__init__()
            self.weights = torch.nn.ParameterList(torch.zeros(1) for _ in range(groups))
            self.hand = hand

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return (torch.cat(list(self.weights)) * batch.sum()).sum()

        def configure_optimizers(self) -> Any:
            made = torch.optim.SGD([{"params": [weight]} for weight in self.weights], lr=0.01)
            if not self.hand:
                return made
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(made, steps)
            return {"optimizer": made, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    node = {"name": "cosine", "interval": "step"}

    def fit(groups: int, hand: bool, callbacks: Callable[[], list[Any]], log: bool = False) -> Callable[[], Any]:
        def run() -> None:
            with tempfile.TemporaryDirectory() as folder:
                pl.Trainer(
                    max_epochs=1, accelerator="cpu", logger=CSVLogger(folder) if log else False,
                    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
                    log_every_n_steps=1, callbacks=callbacks(),
                ).fit(Model(groups, hand), data)  # fmt: skip

        return run

    lines = ["", f"### Whole fits of {steps} steps", "", "| fit | ratio |", "|---|---|"]
    repeat = 3 if quick else 5
    import contextlib
    import os

    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
        for groups in (1, 100):
            result = medians(
                {
                    "callback": fit(groups, False, lambda: [LRSchedulerCallback(node)]),
                    "by hand": fit(groups, True, list),
                },
                repeat,
            )
            lines.append(
                f"| callback / torch's schedule by hand, {groups} groups | {result['callback'] / result['by hand']:.3f} |"
            )
        result = medians(
            {
                "none": fit(100, False, lambda: [LRSchedulerCallback(node)]),
                "logger": fit(100, False, lambda: [LRSchedulerCallback(node)], True),
                "ours": fit(100, False, lambda: [LRSchedulerCallback(node, log=True)], True),
                "monitor": fit(100, False, lambda: [LRSchedulerCallback(node), LearningRateMonitor("step")], True),
            },
            repeat,
        )
    lines.append(f"| every update of a bare loop recorded, as save_curve does / not | {recorded(quick):.2f} |")
    for key, text in (
        ("logger", "CSVLogger alone"),
        ("ours", "log=true to CSVLogger"),
        ("monitor", "LearningRateMonitor to CSVLogger"),
    ):
        lines.append(f"| every step of 100 groups, {text} / no logging | {result[key] / result['none']:.2f} |")
    return lines


def recorded(quick: bool) -> float:
    """A loop of optimizer steps with a recorder, over the same without."""
    from lr_configs import Horizon
    from lr_configs.driver import Driver
    from lr_configs.recorder import Recorder
    from lr_configs.run import PlainRun

    steps = 2000 if quick else 20_000

    def loop(record: bool) -> Callable[[], Any]:
        def run() -> None:
            made = optimizer(1, False)
            driver = Driver(PlainRun(Horizon(steps=steps), say=lambda line: None))
            driver.drive({"name": "cosine", "interval": "step"}, made)
            recorder = Recorder(driver, [made])
            if record:
                recorder.begin()
            driver.start()
            for _ in range(steps):
                made.step()
            driver.close()
            recorder.close()

        return run

    result = medians({"with": loop(True), "without": loop(False)}, 3 if quick else 5)
    return result["with"] / result["without"]


LIMITS = """
## What limits the rows that miss their target

Targets: `step()` at most 4, 3, 2 and 2 times the floor at 1, 10, 100 and 1000 groups, never slower than torch; groups that share
up to eight rates at most 1.25 and 1.15 times at 100 and 1000; after a hand edit at most 1.5 times the step without one; a curve
at most 3 times numpy; a jump below 50 us; `--cfg job` at most 1.15 and `--help` at most 1.5 times the app without the package; a fit
at most 1.03 times the schedule by hand; logging at most 1.3 times the fit without it. Rows move by about 20% between runs of a
shared machine.

- `MultiplicativeLR`: its product is carried in twice the precision (about 0.5 us a step, and an extended-precision cumulative
  product over the array), because a plain one has drifted by 1e-13 after a million steps. The floor does neither.
- `CyclicLR` and `OneCycleLR` with momentum at 1 and 10 groups: two hyper-parameters are computed from the same weights and written,
  each with its own ends, where the floor writes one number twice.
- Seven rates in ten groups: as many rates as groups, nearly, so that each is computed and compared by itself.
- Tensor rates: about half of a step at one group is the look at where the tensor's memory is (it may be exchanged at any time)
  and at what it holds, which is what keeps edits.
"""

SECTIONS = {
    "steps": bench_steps,
    "groups": bench_groups,
    "curves": bench_curves,
    "jump": bench_jump,
    "hydra": bench_hydra,
    "pictures": bench_pictures,
    "fit": bench_fit,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all by default")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, and no file")
    arguments = parser.parse_args()
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`: medians of interleaved runs in one process, as ratios. The floor computes the factor once",
        "and writes every group's float in a bare loop.",
    ]
    for name in arguments.sections or SECTIONS:
        section = SECTIONS[name](arguments.quick)
        print("\n".join(section), flush=True)
        lines += section
    if not arguments.quick and not arguments.sections:
        Path(__file__).parents[1].joinpath("docs", "benchmarks.md").write_text("\n".join(lines) + "\n" + LIMITS)


if __name__ == "__main__":
    main()
