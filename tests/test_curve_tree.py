"""The curve tree by itself: products, groups that would join, momentum, and which trees are equal."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from helpers import CURVED, TWINS

from lr_configs import Horizon
from lr_configs.config import Parameters
from lr_configs.curve_tree import Cooldown, Curve, Hold, Leaf, Stages, Warmup, bind
from lr_configs.plan import resolve
from lr_configs.registry import available, parse

RUN = Horizon(steps=60)


def tree(node: Any, *bases: float) -> Curve:
    return bind(resolve({"interval": "step", **node}, RUN), bases)


#: what stands around a schedule
AROUND: dict[str, dict[str, Any]] = {
    "nothing": {},
    "warmup": {"warmup": 7, "warmup_start_factor": 0.3},
    "overlapping warmup": {"warmup": 7, "warmup_overlap": True},
    "cooldown": {"cooldown": 9, "cooldown_shape": "cosine"},
    "both": {"warmup": 7, "cooldown": 9},
}
AT = (0, 1, 3, 6, 7, 8, 20, 50, 51, 52, 59, 60, 61, 70)
#: bounds that do not belong to one group's rate
RELATIVE = {"cyclic": {"base_lr": "10%", "step_size_up": 10}, "one_cycle": {}}
NAMES = [name for name in available() if name not in ("reduce_on_plateau", "sequential", "chained")]


def parameters(name: str) -> dict[str, Any]:
    own = RELATIVE[name] if name in RELATIVE else TWINS[name][0] if name in CURVED else {}
    return {"name": name, **own}


HELD = {
    "a": {"name": "cosine", "length": 20, "eta_min": "1%"},
    "b": {"name": "exponential", "gamma": 0.9, "length": 10},
}
FACTORS = {"a": {"name": "cosine", "eta_min": 0.001}, "b": {"name": "cyclic", **RELATIVE["cyclic"]}, "c": "polynomial"}
NODES: dict[str, Any] = {
    **{name: parameters(name) for name in NAMES},
    "sequential": {"name": "sequential", "stages": HELD},
    "chained": {"name": "chained", "stages": FACTORS},
}


@pytest.mark.parametrize(
    ("name", "around"),
    [
        (name, around)
        for name in NODES
        for around in AROUND
        if (name, around[-8:]) != ("warmup_stable_decay", "cooldown")
    ],
)
def test_the_rate_of_a_group_that_would_join(name: str, around: str) -> None:
    """It is the one that the group has where it is there from the beginning, and once it has joined."""
    node = {**NODES[name], **AROUND[around]}
    for base in (0.05, 0.1, 0.25):
        alone, both, joined = tree(node, 0.1), tree(node, 0.1, base), tree(node, 0.1)
        joined.join({}, base)
        for t in AT:
            assert alone.probe(t, base) == pytest.approx(both.rates(t)[1], rel=1e-12, abs=1e-18), (base, t)
            assert joined.rates(t) == pytest.approx(both.rates(t), rel=1e-12, abs=1e-18), (base, t)
        joined.drop(1)
        assert [joined.rates(t) for t in AT] == [alone.rates(t) for t in AT]


#: factors whose weights are a number, a pair, three, and one for each group
KINDS: dict[str, Any] = {
    "a number": {"name": "exponential", "gamma": 0.97},
    "a floor": {"name": "cosine", "eta_min": 0.02},
    "three bounds": {"name": "one_cycle"},
    "by group": {"name": "lambda", "lr_lambda": ["1 / (1 + t)", "1 - t / 100"]},
    "no rate": {"name": "linear", "start_factor": 1.0, "end_factor": 0.0},
}


@pytest.mark.parametrize("kinds", [*itertools.product(KINDS, repeat=3)], ids="-".join)
def test_a_product_of_three(kinds: tuple[str, ...]) -> None:
    bases = (0.1, 0.3)
    factors = [tree(KINDS[kind], *bases) for kind in kinds]
    product = tree({"name": "chained", "stages": {f"s{i}": KINDS[kind] for i, kind in enumerate(kinds)}}, *bases)
    for t in (0, 1, 17, 59):
        alone = [factor.rates(t) for factor in factors]
        expected = [base * math.prod(one[i] / base for one in alone) for i, base in enumerate(bases)]
        assert product.rates(t) == pytest.approx(expected, rel=1e-12), t
    steps = np.arange(60.0)
    expected_rows = [product.rates(t) for t in range(60)]
    np.testing.assert_allclose(product.array(steps).T, expected_rows, rtol=1e-13, atol=1e-300)


def test_a_product_for_a_group_without_a_rate() -> None:
    stages = {"a": KINDS["by group"], "b": {"name": "cosine"}, "c": {"name": "cosine", "eta_min": 0.0}}
    assert tree({"name": "chained", "stages": stages}, 0.1, 0.0).rates(3)[1] == 0.0


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", ["cosine", "sequential", "chained"])
def test_equal_trees(name: str, around: str) -> None:
    node = {**NODES[name], **AROUND[around]}
    assert tree(node, 0.1, 0.2) == tree(node, 0.1, 0.2)
    changes: dict[str, Any] = {"warmup": 5}
    if "warmup" in node:
        changes |= {"warmup_shape": "cosine", "warmup_start_factor": 0.4}
    if "cooldown" in node:
        changes |= {"cooldown_shape": "1-sqrt", "cooldown": 8}
    for key, value in changes.items():
        assert tree({**node, key: value}, 0.1, 0.2) != tree(node, 0.1, 0.2), key
    assert tree(node, 0.1, 0.3) != tree(node, 0.1, 0.2)
    assert tree({"name": "none"}, 0.1, 0.2) != tree(node, 0.1, 0.2)


# ---------------------------------------------------------------------------------------- momentum

CYCLE = {"name": "one_cycle", "total_steps": 30}


def momentum(curve: Curve, t: float) -> float | None:
    found = curve.momentum_at(t)
    if found is None:
        return None
    weights, ends = found
    return float(sum(w * column[0] for w, column in zip(weights, ends.columns, strict=True)))


def test_momentum_follows_the_step_of_the_schedule() -> None:
    cycle = tree(CYCLE, 0.1)
    assert isinstance(cycle, Leaf)
    seen = [momentum(cycle, t) for t in range(30)]
    assert min(seen) == pytest.approx(0.85)  # type: ignore[type-var]
    assert seen[0] == pytest.approx(0.95)
    assert len(set(seen)) > 20
    warm = Warmup(cycle, 5, 0.1, "linear", 5)
    assert [momentum(warm, t) for t in range(12)] == [*[seen[0]] * 5, *seen[:7]]
    overlapping = Warmup(cycle, 5, 0.1, "linear", 0)
    assert [momentum(overlapping, t) for t in range(12)] == [*[seen[0]] * 5, *seen[5:12]]
    assert [momentum(Hold(cycle, 4), t) for t in range(8)] == [*seen[:5], *[seen[4]] * 3]
    assert [momentum(Cooldown(cycle, 4, 3, "linear"), t) for t in range(8)] == [*seen[:5], *[seen[4]] * 3]
    constant = tree({"name": "none"}, 0.1)
    stages = Stages([constant, cycle, constant], [0.1], [3, 6])
    assert [momentum(stages, t) for t in range(8)] == [None] * 3 + seen[:3] + [None] * 2
    assert stages.has_momentum()
    assert not constant.has_momentum()


def test_momentum_of_a_product_is_the_last_ones_that_moves_it() -> None:
    other = {**CYCLE, "base_momentum": 0.5, "max_momentum": 0.6}
    product = tree({"name": "chained", "stages": {"a": CYCLE, "b": other, "c": "none"}}, 0.1)
    assert [momentum(product, t) for t in range(5)] == [momentum(tree(other, 0.1), t) for t in range(5)]


def test_bounds_that_change_count_at_the_same_step() -> None:
    cycle = tree(CYCLE, 0.1)
    assert isinstance(cycle, Leaf)
    rate, before = cycle.rates(3), momentum(cycle, 3)
    cycle.p.phases = tree({**CYCLE, "total_steps": 12}, 0.1).p.phases  # type: ignore[attr-defined]
    cycle.rebind()
    assert momentum(cycle, 3) == momentum(tree({**CYCLE, "total_steps": 12}, 0.1), 3) != before
    assert cycle.rates(3) != rate
    cycle.p.base_lrs[0] = 0.2
    assert cycle.rates(3) == cycle.rates(3)


# ---------------------------------------------------------------------------------------- hooks

HOOKS = (
    "weights", "breaks", "ends", "late_ends", "alone", "with_base", "join", "drop", "altered", "lowest", "momentum",
    "landmarks", "goes_one_way", "prepare", "bound",
)  # fmt: skip


@pytest.mark.parametrize("name", available())
def test_hooks_know_no_config_object(name: str) -> None:
    """They are the same asked of a class and of an object: what a formula needs is in its parameters."""
    config = parse({"name": name})
    for hook in HOOKS:
        if hasattr(config, hook):
            assert getattr(config, hook) == getattr(type(config), hook), hook


@pytest.mark.parametrize("name", NAMES)
def test_where_a_rate_goes_one_way(name: str) -> None:
    """Between two breaks, so that a picture needs no more than the breaks to see the highest and the lowest."""
    plan = resolve({"interval": "step", **parameters(name)}, RUN)
    leaf = bind(plan, [0.1])
    assert isinstance(leaf, Leaf)
    claims = leaf.schedule.goes_one_way(leaf.p)
    assert claims is (name not in ("lambda", "multiplicative"))
    marks = type(plan.config).landmarks(Parameters(**plan.params))
    turns = [one for _, steps in marks.events for one in itertools.takewhile(lambda one: one < 60, steps)]
    cuts = sorted({0, 60, *(one for one in (*leaf.breaks(), *turns) if 0 < one < 60)})
    for begin, end in itertools.pairwise(cuts) if claims else ():
        steps = np.diff(leaf.array(np.arange(math.ceil(begin), math.ceil(end), dtype=float))[0])
        assert (steps <= 1e-15).all() or (steps >= -1e-15).all(), (begin, end)
