"""Write docs/migrating.md: each library's call, and our YAML for it, as `lr_configs.convert` gives it.

python docs/migrating.py            # --check: fail where the page is another one
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lr_configs import SchedulerConfigError
from lr_configs.convert import from_timm, from_torch, from_transformers
from lr_configs.convert.result import Converted, converted

PAGE = Path(__file__).with_name("migrating.md")
INTRODUCTION = """# Coming from elsewhere

<!-- written by docs/migrating.py, from lr_configs.convert: change that, and run `make docs` -->

Every call below is converted by `lr_configs.convert`, and the YAML is what `lr-configs convert` prints, ready to save as a
file of the group `scheduler`. `tests/parity` steps transformers' and timm's schedulers beside ours: every rate of every run is equal
within 1e-12 of itself, but where theirs is a difference of two nearly equal numbers, as the last rates of a cosine are
(`1 + cos(x)` with x near pi): there their own code, computed in high precision, says that ours is the right one (at the last of
20000 updates theirs is off by 3e-9 of a rate of 6e-10). Torch's own recurrences drift; ours are compared with them within 1e-9.

```console
$ lr-configs convert transformers cosine --warmup-steps 500 --steps 10000
$ lr-configs convert timm cosine --epochs 300 --lr 0.1 warmup_epochs=5 warmup_prefix=true
$ lr-configs convert torch StepLR step_size=30
```

The conversions have the numbers of the call. What one writes by hand has shares instead, and then fits every run: `T_max: 100%`,
`warmup: 5%`.
"""
NOTES = {
    "transformers": """Transformers steps after every update (`interval: step`) and begins its warmup at 0, where ours
begins at `warmup_start_factor: 0.01`. Ends in absolute numbers (`lr_end`, `min_lr`) are divided by the optimizer's own rate, so
`convert` asks for `lr`. `cosine_warmup_with_min_lr` is one step ahead of `cosine` and rises again at the end of the run. A
`warmup_stable_decay` whose warmup and decay do not fit never reaches the rate there, and is refused here. `examples/`
has the Trainer with a schedule of ours.""",
    "timm": """Timm steps by epochs unless `step_on_epochs=False`. Its warmup begins at the absolute rate `warmup_lr`, ours at a
share of the group's own, so `convert` asks for `lr`: one, or one for each group. Without `warmup_prefix` its clock runs during
the warmup: `warmup_overlap`. Groups with different rates, whose warmups begin at different shares of them, get a formula each; so
do cycles of `tanh` and `poly`, cycles of `cosine` with a `k_decay`, and the decay `exp`. Milestones take effect a step early. The
factory takes `decay_rate` as the power of `poly`. Its constructor leaves the group's own rate at step 0, whatever the formula
gives there. A group's `lr_scale` is no part of a schedule: give the group its own `lr`. A scheduler of timm can also be attached as
it is: `LRSchedulerCallback(lambda optimizer: CosineLRScheduler(optimizer, t_initial=300))`.""",
    "others": """Written by hand, with 0.1 as the optimizer's own rate, and tested against each one's formula. Absolute rates
of theirs are the optimizer's own rate here (`lr`), which schedules multiply.""",
    "torch": """Names and keys are torch's. Torch's step is whatever calls `step()`; ours is an epoch or an update, which
`interval` says. `lr_configs.convert.torch` reads instances, too, composites included.""",
}


def _transformers(name: str, keys: dict[str, Any]) -> tuple[str, Callable[[], Converted]]:
    shown = "".join(f", {key}={value!r}" for key, value in keys.items())
    call = f'get_scheduler("{name}", optimizer, 500, 10000{shown})'
    return call, lambda: from_transformers.converted(name, 500, 10000, keys, 0.001)


def _timm(name: str, keys: dict[str, Any]) -> tuple[str, Callable[[], Converted]]:
    shown = "".join(f", {key}={value!r}" for key, value in keys.items())
    return f'create_scheduler_v2(optimizer, "{name}", 300{shown})', lambda: from_timm.converted(name, 300, keys, 0.1)


def _torch(name: str, keys: dict[str, Any]) -> tuple[str, Callable[[], Converted]]:
    shown = "".join(f", {key}={value!r}" for key, value in keys.items())
    return f"{name}(optimizer{shown})", lambda: from_torch.converted(name, (), keys)


HF_KEYS: dict[str, dict[str, Any]] = {
    "cosine_with_restarts": {"num_cycles": 4},
    "cosine_with_min_lr": {"min_lr_rate": 0.1},
    "cosine_warmup_with_min_lr": {"min_lr_rate": 0.1},
    "warmup_stable_decay": {"num_decay_steps": 2000},
    "reduce_lr_on_plateau": {"patience": 3},
}
WARM = {"warmup_epochs": 5, "warmup_prefix": True}
TIMM: list[tuple[str, dict[str, Any]]] = [
    ("cosine", WARM), ("cosine", {"warmup_epochs": 5, "min_lr": 1e-5}), ("cosine", {"k_decay": 1.5}),
    ("cosine", {"cycle_limit": 3, "cycle_decay": 0.5, "cycle_mul": 2.0}), ("tanh", {"warmup_epochs": 5}), ("tanh", {}),
    ("step", {"decay_epochs": 30, "warmup_epochs": 5}), ("multistep", {}), ("poly", {"decay_rate": 0.9, "min_lr": 1e-5}),
    ("wsd", WARM), ("rsqrt", WARM),
    ("constant", WARM), ("plateau", {"plateau_mode": "min"}), ("none", {}), ("cosine", {"noise": 0.5}),
]  # fmt: skip
TORCH: list[tuple[str, dict[str, Any]]] = [
    ("StepLR", {"step_size": 30}), ("MultiStepLR", {"milestones": [30, 60]}), ("ConstantLR", {}), ("LinearLR", {}),
    ("ExponentialLR", {"gamma": 0.95}), ("PolynomialLR", {"power": 2.0}), ("CosineAnnealingLR", {"T_max": 100}),
    ("CosineAnnealingWarmRestarts", {"T_0": 10, "T_mult": 2}), ("CyclicLR", {"base_lr": 0.001, "max_lr": 0.1}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 1000}), ("ReduceLROnPlateau", {}),
]  # fmt: skip


_STEP = {"interval": "step"}
#: what has no converter: the call, with the rate 0.1 in the optimizer, and what differs
BY_HAND: list[tuple[str, dict[str, Any], str]] = [
    (
        "detectron2: WarmupMultiStepLR, SOLVER.STEPS=(6000, 8000), WARMUP_ITERS=1000, WARMUP_FACTOR=0.001",
        {"name": "multi_step", "milestones": [6000, 8000], **_STEP, "warmup": 1000, "warmup_start_factor": 0.001,
         "warmup_overlap": "continuous"},
        "Its clock runs during the warmup, which leads to the value that the schedule has at its end. WarmupCosineLR is "
        "cosine with T_max: 100%, and BASE_LR_END as eta_min.",
    ),
    (
        "fairseq: inverse_sqrt, warmup_updates=1000, warmup_init_lr=0",
        {"name": "inverse_sqrt", "timescale": 1000, **_STEP, "warmup": 1000, "warmup_start_factor": 0.0},
        "Its rate is lr sqrt(warmup_updates / t): a timescale as long as the warmup.",
    ),
    (
        "optax.warmup_cosine_decay_schedule(0.0, 0.1, 1000, 10000, end_value=0.001, exponent=2.0)",
        {"name": "cosine", "T_max": 9000, "eta_min": 0.001, **_STEP, "warmup": 1000, "warmup_start_factor": 0.0,
         "power": 2.0},
        "Its decay_steps have the warmup in them. It stays at end_value, and ours rises again beyond T_max.",
    ),
    (
        "optax.exponential_decay(0.1, 1000, 0.5, staircase=True, end_value=0.01)",
        {"name": "exponential", "gamma": 0.5, **_STEP, "decay_period": 1000, "staircase": True, "eta_min": 0.01},
        "Keras' ExponentialDecay is the same without a floor.",
    ),
    (
        "keras: CosineDecayRestarts(0.1, 1000, t_mul=2.0, m_mul=0.5)",
        {"name": "cosine_warm_restarts", "T_0": 1000, "T_mult": 2, **_STEP, "restart_decay": 0.5},
        "With an alpha, Keras lifts the lower restarts by it, and ours end at it.",
    ),
    (
        "keras: PolynomialDecay(0.1, 10000, end_learning_rate=0.001, power=2.0)",
        {"name": "polynomial", "total_iters": 10000, "power": 2.0, **_STEP, "eta_min": 0.001},
        "cycle=True, whose period grows with the run, has no counterpart.",
    ),
    (
        "keras: InverseTimeDecay(0.1, 1000, 0.5)",
        {"name": "inverse_time", "gamma": 0.5, "decay_period": 1000, **_STEP},
        "",
    ),
    (
        "Megatron-LM: --lr-decay-style WSD --lr-wsd-decay-style exponential, 1000 of warmup, the last 2000 of 10000 a decay",
        {"name": "warmup_stable_decay", "total_steps": 9000, "decay": 2000, "decay_shape": "exponential", **_STEP,
         "warmup": 1000, "warmup_start_factor": 0.0},
        "Its minus_sqrt is 1-sqrt here, and --min-lr is eta_min.",
    ),
    (
        "lightning-bolts: LinearWarmupCosineAnnealingLR(optimizer, 10, 100)",
        {"name": "sequential", "stages": {
            "warmup": {"name": "piecewise", "points": [[0, 0.0], [9, 1.0]], "length": 10},
            "decay": {"name": "cosine", "T_max": 90},
        }, "interval": "epoch"},
        "Its warmup reaches the rate an epoch early, and holds it for one.",
    ),
    (
        'diffusers: get_piecewise_constant_schedule(optimizer, "1:1000,0.1:2000,0.005")',
        {"name": "piecewise", "points": [[0, 1.0], [1000, 0.1], [2000, 0.005]], "interpolation": "constant"},
        "Each number there is the end of its factor, and here the beginning of the next one.",
    ),
]  # fmt: skip


def _by_hand(call: str, node: dict[str, Any], note: str) -> str:
    return _entry(call, lambda: converted(node, *([note] if note else [])))


def _entry(call: str, convert: Callable[[], Converted]) -> str:
    try:
        text = f"```yaml\n{convert().yaml()}\n```"
    except SchedulerConfigError as error:
        text = f"No counterpart: {error}"
    return f"`{call}`\n\n{text}\n"


def page() -> str:
    """The text of the page."""
    libraries = {
        "transformers": [_transformers(name, HF_KEYS.get(name, {})) for name in from_transformers.NAMES],
        "timm": [_timm(name, keys) for name, keys in TIMM],
        "torch": [_torch(name, keys) for name, keys in TORCH],
    }
    parts = [INTRODUCTION]
    for library, calls in libraries.items():
        parts += [f"## {library}\n\n{NOTES[library]}\n", *(_entry(*call) for call in calls)]
    parts += [f"## Others\n\n{NOTES['others']}\n", *(_by_hand(*one) for one in BY_HAND)]
    return "\n".join(parts)


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text() != page() and "docs/migrating.md is out of date: make docs")
    PAGE.write_text(page())
