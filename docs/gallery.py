"""Write docs/gallery.md and its pictures from the registry: each schedule, and recipes that people know by name.

python docs/gallery.py            # --check: fail where a file is another one
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lr_configs import Horizon, available
from lr_configs.described import summary
from lr_configs.driver import Driver
from lr_configs.preview.examples import BASE, RUN, example, example_metric
from lr_configs.preview.picture import Line, Panel, Picture
from lr_configs.preview.series import Subject, picture
from lr_configs.preview.svg import chart
from lr_configs.registry import entry
from lr_configs.run import PlainRun

HERE = Path(__file__).parent
PAGE, PICTURES = HERE / "gallery.md", HERE / "gallery"
WIDTH, HEIGHT = 560, 200
INTRODUCTION = """# Gallery

<!-- written by docs/gallery.py: change that, and run `make docs` -->

Every schedule with the YAML that made its picture: 30 epochs of 23 updates, from a rate of 0.1. `lr-configs show NAME` says what each
key means, and `lr-configs plot` draws your own. Recipes with everything around them are in [recipes.md](recipes.md).
"""
#: title -> what it is, the node, the run, the optimizer's own rate
FAMOUS: Mapping[str, tuple[str, dict[str, Any], Horizon, float]] = {
    "SGDR": (
        "Warm restarts whose periods double (Loshchilov and Hutter, arXiv 1608.03983).",
        {"name": "cosine_warm_restarts", "interval": "step", "T_0": "10ep", "T_mult": 2},
        Horizon(epochs=70, steps_per_epoch=391),
        0.05,
    ),
    "Super-convergence": (
        "One cycle up to a high rate and down, momentum against it (Smith and Topin, arXiv 1708.07120).",
        {"name": "one_cycle", "max_lr": 1.0, "pct_start": 0.45, "three_phase": True, "anneal_strategy": "linear"},
        Horizon(epochs=30, steps_per_epoch=391),
        0.1,
    ),
    "Large language models": (
        "A cosine with 1% warmup, down to 10% of the rate.",
        {"name": "cosine", "warmup": "1%", "eta_min": "10%"},
        Horizon(steps=100_000),
        3e-4,
    ),
    "Warmup, stable, a late decay": (
        "Constant as long as you like; the last tenth falls (arXiv 2404.06395, arXiv 2405.18392).",
        {"name": "warmup_stable_decay", "warmup": "1%", "decay": "10%", "decay_shape": "1-sqrt"},
        Horizon(steps=100_000),
        3e-4,
    ),
    "Fine-tuning": (
        "A short warmup, then a straight line to 0, as most of transformers' examples do it.",
        {"name": "linear", "warmup": "10%", "warmup_start_factor": 0.0, "start_factor": 1.0, "end_factor": 0.0,
         "total_iters": "100%"},
        Horizon(epochs=3, steps_per_epoch=2000),
        2e-5,
    ),
    "Step decay of ImageNet": (
        "A tenth every 30 of 90 epochs, with five epochs of warmup for large batches (Goyal et al., arXiv 1706.02677).",
        {"name": "multi_step", "warmup": "5ep", "milestones": ["25ep", "55ep", "75ep"], "gamma": 0.1},
        Horizon(epochs=90, steps_per_epoch=5004),
        0.1,
    ),
}  # fmt: skip


def _file(title: str) -> str:
    return f"{title.lower().replace(',', '').replace(' ', '-')}.svg"


def _block(node: Mapping[str, Any]) -> str:
    text = yaml.safe_dump({"scheduler": dict(node)}, sort_keys=False, default_flow_style=None, width=100)
    return f"```yaml\n{text}```"


def nodes() -> Iterator[tuple[str, dict[str, Any], Horizon, float]]:
    """What is shown: its name, the node, the run, and the rate that it begins from."""
    for title, (_, node, run, rate) in FAMOUS.items():
        yield title, node, run, rate
    for name in available():
        yield name, example(name), RUN, BASE


def pictures() -> Iterator[tuple[Path, str]]:
    """Every picture, with its file."""
    for title, node, run, rate in nodes():
        metric = example_metric() if node["name"] == "reduce_on_plateau" else None
        yield PICTURES / _file(title), chart(picture([Subject(node, run, [rate], metric=metric)]), WIDTH, HEIGHT)
    yield HERE / "recipes" / "resume.svg", resume()


def resume() -> str:
    """A cosine over 20 epochs that is stopped after 10, and resumed with 30, under each policy."""
    saved: dict[str, Any] = {}
    lines = [_trained("until epoch 10", 20, range(10), saved, 0)]
    for style, policy in enumerate(("keep", "stretch", "restart"), start=1):
        lines.append(_trained(policy, 30, range(10, 30), dict(saved), style))
    return chart(Picture((Panel("lr", tuple(lines)),), "update", 150, epochs=((0, 0), (150, 30))), WIDTH, 240)


def _trained(label: str, epochs: int, made: range, saved: dict[str, Any], style: int) -> Line:
    """The rates of a real loop; what a checkpoint would have of it is in `saved` afterwards."""
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    run = PlainRun(Horizon(epochs=epochs, steps_per_epoch=5), lambda line: None)
    driver = Driver(run, resume=label if saved else "strict")
    driver.drive({"name": "cosine", "eta_min": "1%", "interval": "step"}, optimizer)
    if saved:
        driver.load(saved["schedule"])
        optimizer.load_state_dict(saved["optimizer"])
    driver.start()
    rates = []
    for epoch in made:
        for _ in range(5):
            rates.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
        driver.end_epoch(epoch)
    saved.update(schedule=driver.save(), optimizer=optimizer.state_dict())
    start = 5 * made.start
    return Line(label, range(start, start + len(rates)), rates, start + len(rates), style=style)


def page() -> str:
    """The page."""
    parts = [INTRODUCTION, "## Known by name\n"]
    for title, (words, node, _, _) in FAMOUS.items():
        parts.append(f"### {title}\n\n{words}\n\n![{title}](gallery/{_file(title)})\n\n{_block(node)}\n")
    parts.append("## Every schedule\n")
    for name in available():
        shown = f"![{name}](gallery/{_file(name)})"
        parts.append(f"### `{name}`\n\n{summary(entry(name))}\n\n{shown}\n\n{_block(example(name))}\n")
    return "\n".join(parts)


def main(check: bool) -> int:
    """Write what has changed, or name it."""
    stale = []
    for path, text in [*pictures(), (PAGE, page())]:
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(str(path.relative_to(HERE.parent)))
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    print(*stale, sep="\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
