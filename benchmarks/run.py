"""Ratios measured side by side in one process, each at its quickest: `make bench` writes docs/benchmarks.md.

Machines are noisy, so candidates of one row run interleaved, in short turns of which the quickest counts, and only ratios are
reported.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cases import OTHERS, TORCH, Case, N, curves
from benchmarks.commands import bench_commands
from benchmarks.measure import best, children
from benchmarks.pictures import bench_pictures
from benchmarks.sweeps import bench_sweeps

warnings.simplefilter("ignore")

GROUPS = (1, 10, 100, 1000)


def optimizer(groups: int, tensor: bool) -> Any:
    import torch

    rate = (lambda: torch.tensor(0.1)) if tensor else (lambda: 0.1)
    made = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": rate()} for _ in range(groups)], lr=0.1, momentum=0.9)
    made._opt_called = True
    return made


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


def steps_of(groups: int, quick: bool) -> tuple[int, int]:
    """How often to measure, and how many steps at a time: short enough for some of them to be left alone."""
    return (40 if quick else 150), max(4, 400 // groups)


def table(title: str, first: str) -> list[str]:
    groups = " | ".join(f"{g} groups" for g in GROUPS)
    return ["", f"### {title}", "", f"| {first} | {groups} |", "|---|---|---|---|---|"]


def bench_steps(quick: bool) -> list[str]:
    """`step()` of every schedule against the floor and against torch."""
    from torch.optim import lr_scheduler as theirs

    import lr_configs.schedulers as ours

    def lambdas(opt: Any, case: Case) -> Any:
        return theirs.LambdaLR(opt, case.factor)

    def row(name: str, case: Case, tensor: bool, other: Callable[[Any, Case], Any]) -> str:
        cells = []
        for groups in GROUPS:
            us, them = case.make(ours, optimizer(groups, tensor)), other(optimizer(groups, tensor), case)
            floor = Floor(optimizer(groups, False), case.factor, case.momentum)
            us.step()
            us.step()
            result = best({"floor": floor.step, "ours": us.step, "torch": them.step}, *steps_of(groups, quick))
            cells.append(f"{result['ours'] / result['floor']:.2f} x, {result['torch'] / result['ours']:.1f}")
        return f"| {name} | " + " | ".join(cells) + " |"

    lines = []
    for tensor in (False, True):
        kind = "tensor" if tensor else "float"
        lines += table(f"`step()`, {kind} rates: x float floor, and torch / ours", "schedule")
        lines += [row(name, case, tensor, lambda opt, case: case.make(theirs, opt)) for name, case in TORCH.items()]
        title = f"`step()` of those that torch lacks, {kind} rates: x float floor, and torch's LambdaLR / ours"
        lines += table(title, "schedule")
        lines += [row(name, case, tensor, lambdas) for name, case in OTHERS.items()]
    return lines


def bench_groups(quick: bool) -> list[str]:
    """Groups with several rates, hand edits, a function per group, products, reloaded tensors."""
    import torch
    from torch.optim import lr_scheduler as theirs

    import lr_configs.schedulers as ours

    factor = TORCH["CosineAnnealingLR"].factor

    def several(distinct: int) -> Callable[[int], Any]:
        def made(groups: int) -> Any:
            opt = optimizer(groups, False)
            for i, group in enumerate(opt.param_groups):
                group["lr"] = 0.1 / (1 + i % distinct)
            return opt

        return made

    def edited(module: Any, opt: Any) -> Any:
        schedule = module.CosineAnnealingLR(opt, N)
        schedule.step()
        opt.param_groups[0]["lr"] *= 0.5
        return schedule

    def reloaded(module: Any, opt: Any) -> Any:
        for group in opt.param_groups:
            group["lr"] = torch.tensor(0.1)
        schedule = module.CosineAnnealingLR(opt, N)
        schedule.step()
        opt.load_state_dict(opt.state_dict())
        return schedule

    def own_functions(module: Any, opt: Any) -> Any:
        functions = [lambda t, i=i: 1 / (1 + t + i) for i in range(len(opt.param_groups))]
        return module.LambdaLR(opt, functions)

    def floors(module: Any, opt: Any) -> Any:
        return module.ChainedScheduler(
            [module.CosineAnnealingLR(opt, N, 1e-4), module.CosineAnnealingLR(opt, N // 2, 1e-4)]
        )

    def cosine(module: Any, opt: Any) -> Any:
        return module.CosineAnnealingLR(opt, N)

    rows: dict[str, tuple[Callable[[Any, Any], Any], Callable[[int], Any]]] = {
        "cosine, one rate": (cosine, several(1)),
        "cosine, two rates": (cosine, several(2)),
        "cosine, seven rates": (cosine, several(7)),
        "cosine, eight rates": (cosine, several(8)),
        "cosine, all rates distinct": (cosine, several(10**6)),
        "cosine, after a hand edit of one group": (edited, several(1)),
        "cosine, float32 tensors after a reload": (reloaded, several(1)),
        "a function for each group": (own_functions, several(1)),
        "product of two cosines with floors": (floors, several(1)),
        "multiplicative": (lambda m, o: m.MultiplicativeLR(o, lambda t: 0.9999999), several(1)),
    }
    lines = table("`step()` beside a bare loop (x floor), and torch / ours", "schedule and groups")
    for name, (make, groups_of) in rows.items():
        cells = []
        for groups in GROUPS:
            us, them = make(ours, groups_of(groups)), make(theirs, groups_of(groups))
            us.step()
            us.step()
            floor = Floor(groups_of(groups), factor, False)
            result = best({"floor": floor.step, "ours": us.step, "torch": them.step}, *steps_of(groups, quick))
            cells.append(f"{result['ours'] / result['floor']:.2f} x, {result['torch'] / result['ours']:.1f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def bench_curves(quick: bool) -> list[str]:
    """A million steps at once against a hand-written numpy expression."""
    import torch

    from lr_configs import Horizon, curve

    n = 10**6
    horizon = Horizon(steps=n)
    lines = ["", "### `curve` of 1,000,000 steps", "", "| schedule | x numpy | arrays alive |", "|---|---|---|"]
    for name, (params, expression) in curves(n).items():
        node = {"name": name.partition(",")[0], "interval": "step", **params}
        result = best({"ours": lambda node=node: curve(node, 0.1, horizon), "numpy": expression}, 5 if quick else 15)
        tracemalloc.start()
        curve(node, 0.1, horizon)
        peak = tracemalloc.get_traced_memory()[1] / (8 * n)
        tracemalloc.stop()
        lines.append(f"| {name} | {result['ours'] / result['numpy']:.2f} | {peak:.1f} |")
    opt = optimizer(1, False)
    stepped = torch.optim.lr_scheduler.CosineAnnealingLR(opt, n)
    steps = 20_000
    result = best(
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
    for name, case in {**TORCH, **OTHERS}.items():
        if name in ("MultiplicativeLR", "ReduceLROnPlateau"):
            continue  # a product of a million factors has no shorter form, and a metric no step
        schedule = case.make(ours, optimizer(1, False))

        def there_and_back(schedule: Any = schedule) -> None:
            schedule.jump(1_000_000)
            schedule.jump(1)

        result = best({"jump": there_and_back}, 40, 10)
        lines.append(f"| {name} | {result['jump'] / 2 * 1e6:.1f} |")
    return lines


def bench_hydra(quick: bool) -> list[str]:
    """Whole processes of Hydra apps, and of imports, by the work that they do."""
    from omegaconf import OmegaConf

    from lr_configs import available
    from lr_configs.hydra_store import node
    from tests.hydra_apps import app, outcome, start, without_this_package

    asks = {"config.yaml": "hydra: {searchpath: ['lr-configs://']}\ndefaults: [db: a, scheduler: cosine, _self_]\n"}
    files = {f"scheduler/{name}.yaml": OmegaConf.to_yaml(node(name)) for name in available()}
    own = {"config.yaml": "defaults: [db: a, scheduler: cosine, _self_]\n", **files}
    bare = {"config.yaml": "defaults: [db: a, _self_]\n"}
    lines = [
        "", f"### Whole processes, with {len(available())} schedules", "", "| process | beside | x |", "|---|---|---|"
    ]  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        hidden = without_this_package(base / "hidden")

        def process(folder: Path, *arguments: str, env: Any = None) -> Callable[[], None]:
            def run() -> None:
                code, _, error = outcome(start(folder, *arguments, env=env))
                if code:
                    raise RuntimeError(error)

            return run

        def made(name: str, files: dict[str, str]) -> Path:
            return app(base / name, {"db/a.yaml": "x: 1\n", **files})

        apps = {name: made(name, files) for name, files in (("asks", asks), ("own", own), ("bare", bare))}
        rows: list[tuple[str, str, Callable[[], None], Callable[[], None]]] = []
        for command in ("--cfg job", "--help"):
            words = ("app.py", *command.split())
            for title, name in (("asks for the group", "asks"), ("has a group of its own", "own")):
                rows.append((
                    f"an app that {title}, `{command}`", "one with such files of its own, without this package",
                    process(apps[name], *words), process(apps["own"], *words, env=hidden),
                ))  # fmt: skip
            rows.append((
                f"an app that asks for the group, `{command}`", "one without a search path and without schedules",
                process(apps["asks"], *words), process(apps["bare"], *words),
            ))  # fmt: skip
        rows.append((
            "`import hydra, lr_configs`", "`import hydra`",
            process(base, "-c", "import hydra, lr_configs"), process(base, "-c", "import hydra"),
        ))  # fmt: skip
        for title, beside, ours, theirs in rows:
            result = best({"ours": ours, "theirs": theirs}, 5 if quick else 15, clock=children)
            lines.append(f"| {title} | {beside} | {result['ours'] / result['theirs']:.2f} |")
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
            result = best(
                {
                    "callback": fit(groups, False, lambda: [LRSchedulerCallback(node)]),
                    "by hand": fit(groups, True, list),
                },
                repeat,
                clock=time.process_time,
            )
            lines.append(
                f"| callback / torch's schedule by hand, {groups} groups | {result['callback'] / result['by hand']:.3f} |"
            )
        result = best(
            {
                "none": fit(100, False, lambda: [LRSchedulerCallback(node)]),
                "logger": fit(100, False, lambda: [LRSchedulerCallback(node)], True),
                "ours": fit(100, False, lambda: [LRSchedulerCallback(node, log=True)], True),
                "monitor": fit(100, False, lambda: [LRSchedulerCallback(node), LearningRateMonitor("step")], True),
            },
            repeat,
            clock=time.process_time,
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

    result = best({"with": loop(True), "without": loop(False)}, 5 if quick else 9)
    return result["with"] / result["without"]


LIMITS = """
## What limits the rows that miss their target

Targets: `step()` at most 4, 3, 2 and 2 times the floor at 1, 10, 100 and 1000 groups, never slower than torch; groups that share
up to eight rates at most 1.25 and 1.15 times at 100 and 1000; after a hand edit at most 1.5 times the step without one; a curve
at most 3 times numpy; a jump below 50 us; `--cfg job` at most 1.15 and `--help` at most 1.5 times the app without the package; a fit
at most 1.03 times the schedule by hand; logging at most 1.3 times the fit without it. Rows move by about 20% between runs of a
shared machine.

- The sweeper and its manifests, at most 5 ms a job: the end of a job waits until the disk has its manifest, which is most of it.
- `MultiplicativeLR` and `OneCycleLR` at one group: its product is carried in twice the precision (about 0.4 us a step), because a
  plain one has drifted by 1e-13 after a million steps; and a phase is looked for, and two sines are taken, so that both ends of
  it are exact. The floor does neither.
- Two to eight rates at 100 groups, and eight at 1000: a rate costs about 70 ns beyond those of its groups, since a hand edit of any group
  is looked for before it is overwritten (10 of the 25 ns that a group costs). At 1000 groups, what remains is memory: the
  groups of one rate lie far from each other.
- All rates distinct: each is compared with what it should be. A comparison that took a tensor in a number's place for that number
  would be quicker by a tenth.
- `none`: an array of one number, which numpy fills as fast as memory takes it, is also checked.
- `ReduceLROnPlateau`: torch's own step, and the count of steps that a warmup needs (less than 1 us, at each metric).
- Tensor rates: a third of a step is the look at where a tensor's memory is (`data_ptr`, 40 ns), which may be exchanged at any time by
  `t.data = ...` or `share_memory_()`; nothing cheaper tells, and without it a step writes into memory that is no longer the tensor's.
- `--cfg job`: the schedules' files are imported to know their names, 50 ms.
- Fits: on a machine that other work shares these rows move by a tenth; at one group 1.09 and 1.19 were seen, at 100 1.12 and 1.02.
"""

SECTIONS = {
    "steps": bench_steps,
    "groups": bench_groups,
    "curves": bench_curves,
    "jump": bench_jump,
    "hydra": bench_hydra,
    "pictures": bench_pictures,
    "commands": bench_commands,
    "sweeps": bench_sweeps,
    "fit": bench_fit,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all by default")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, and no file")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parents[1] / "docs" / "benchmarks.md")
    arguments = parser.parse_args()
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`: candidates take short turns, of which the quickest counts, and their processor times are",
        "compared. The floor computes the factor once and writes every group's float in a bare loop.",
    ]
    for name in arguments.sections or SECTIONS:
        section = SECTIONS[name](arguments.quick)
        print("\n".join(section), flush=True)
        lines += section
    if not arguments.quick and not arguments.sections:
        arguments.output.write_text("\n".join(lines) + "\n" + LIMITS)


if __name__ == "__main__":
    main()
