"""Arrays: right to the last digits, equal to stepping, and the laws that any valid schedule obeys."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from helpers import CURVED, TWINS, optimizer, rates
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lr_configs import Horizon, SchedulerConfigError, build, curve
from lr_configs.formula import Formula
from lr_configs.functions import Product
from lr_configs.plan import resolve

mpmath.mp.dps = 60
N = 1_000_000
pi = mpmath.pi


def exact_cosine(t: int, T: int = N) -> Any:
    return (1 + mpmath.cos(pi * t / T)) / 2


def exact_one_cycle(t: int, n: int = N) -> Any:
    top, first = mpmath.mpf(0.1), mpmath.mpf(0.1) / 25
    last, up = first / 10000, mpmath.mpf(0.3) * n - 1

    def cos(a: Any, b: Any, x: Any) -> Any:
        return b + (a - b) / 2 * (mpmath.cos(pi * x) + 1)

    return cos(first, top, t / up) if t <= up else cos(top, last, (t - up) / (n - 1 - up))


GAMMA = 0.01 ** (1 / N)
EXACT: dict[str, tuple[dict[str, Any], Any]] = {
    "cosine": ({"T_max": N}, lambda t: mpmath.mpf(0.1) * exact_cosine(t)),
    "cosine floor": (
        {"T_max": 1000, "eta_min": 1e-5},
        lambda t: mpmath.mpf(1e-5) + (mpmath.mpf(0.1) - mpmath.mpf(1e-5)) * exact_cosine(t, 1000),
    ),
    "exponential": ({"gamma": GAMMA}, lambda t: mpmath.mpf(0.1) * mpmath.mpf(GAMMA) ** t),
    "multiplicative": ({"lr_lambda": repr(GAMMA)}, lambda t: mpmath.mpf(0.1) * mpmath.mpf(GAMMA) ** t),
    "linear": (
        {"start_factor": 1.0, "end_factor": 0.0, "total_iters": N},
        lambda t: mpmath.mpf(0.1) * (1 - mpmath.mpf(t) / N),
    ),
    "polynomial": (
        {"total_iters": N, "power": 0.9},
        lambda t: mpmath.mpf(0.1) * (1 - mpmath.mpf(t) / N) ** mpmath.mpf(0.9),
    ),
    "cosine_warm_restarts": ({"T_0": N // 10}, lambda t: mpmath.mpf(0.1) * exact_cosine(t % (N // 10), N // 10)),
    "one_cycle": ({"total_steps": N}, exact_one_cycle),
    "step": ({"step_size": N // 7, "gamma": 0.3}, lambda t: mpmath.mpf(0.1) * mpmath.mpf(0.3) ** (t // (N // 7))),
    "cyclic": (
        {"base_lr": 0.001, "max_lr": 0.1, "step_size_up": 5000},
        lambda t: (
            mpmath.mpf(0.001) + (mpmath.mpf(0.1) - mpmath.mpf(0.001)) * (1 - abs(mpmath.mpf(t % 10000) / 5000 - 1))
        ),
    ),
}


@pytest.mark.parametrize("case", EXACT)
def test_within_1e14_of_the_formula_a_million_steps_in(case: str) -> None:
    params, exact = EXACT[case]
    node = {"name": case.split()[0], "interval": "step", **params}
    at = [*range(0, N, 99_991), 1, 2, 999, N // 2, N - 1000, N - 100, N - 10, N - 3, N - 2, N - 1]
    array = curve(node, base_lr=0.1, horizon=Horizon(steps=N))
    opt = optimizer()
    schedule = build(node, opt)
    for t in sorted(at):
        value = exact(t)
        if value < 1e-13:
            continue
        schedule.jump(t)
        assert abs(mpmath.mpf(rates(opt)[0]) / value - 1) < 1e-14, t
        assert abs(mpmath.mpf(float(array[t])) / value - 1) < 1e-14, t


@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("warm", [0, 13])
def test_the_array_equals_stepping(name: str, warm: int) -> None:
    node = {"name": name, **TWINS[name][0], "interval": "step", "warmup": warm, "warmup_shape": "cosine"}
    opt = optimizer()
    schedule = build(node, opt, Horizon(steps=450))
    stepped = []
    for _ in range(450):
        stepped.append(rates(opt)[0])
        opt.step()
        schedule.step()
    array = curve(node, base_lr=0.1, horizon=Horizon(steps=450))
    assert array.dtype == np.float64
    assert array.shape == (450,)
    np.testing.assert_allclose(array, stepped, rtol=4 * np.finfo(float).eps, atol=1e-300)


@pytest.mark.parametrize("name", CURVED)
def test_chunks_of_the_array_join(name: str) -> None:
    params = {k: v for k, v in TWINS[name][0].items() if k not in ("total_iters", "T_max", "total_steps")}
    node = {"name": name, **params, "interval": "step"}
    array = curve(node, base_lr=0.1, horizon=Horizon(steps=40_000))
    opt = optimizer()
    schedule = build(node, opt, Horizon(steps=40_000))
    for t in (16_383, 16_384, 16_385, 32_768, 39_999):
        schedule.jump(t)
        np.testing.assert_allclose(array[t], rates(opt)[0], rtol=4 * np.finfo(float).eps, atol=1e-300)


def test_a_metric_driven_schedule_has_no_curve() -> None:
    with pytest.raises(SchedulerConfigError, match="reacts to a metric has no curve"):
        curve({"name": "reduce_on_plateau", "monitor": "x"}, base_lr=0.1, horizon=Horizon(epochs=3))
    with pytest.raises(SchedulerConfigError, match=r"stages\.b\.name"):
        node = {"name": "chained", "monitor": "x", "stages": {"a": "cosine", "b": "reduce_on_plateau"}}
        curve(node, base_lr=0.1, horizon=Horizon(epochs=3))


def test_a_curve_needs_a_horizon() -> None:
    with pytest.raises(SchedulerConfigError, match="a curve needs the run's size"):
        curve("cosine", base_lr=0.1, horizon=100)  # type: ignore[arg-type]
    with pytest.raises(SchedulerConfigError) as refused:
        curve("exponential", base_lr=0.1, horizon=Horizon(steps=100))
    assert str(refused.value) == (
        "horizon=Horizon(epochs=None, steps_per_epoch=None, steps=100): the schedule advances by epochs, and the run's "
        "length in epochs is not known. Write Horizon(epochs=90, steps_per_epoch=391)."
    )


# ---------------------------------------------------------------------------------------- any valid config

share = st.integers(20, 100).map(lambda p: f"{p}%")
factor = st.floats(0.01, 1.0)
LEAVES = {
    "none": st.just({}),
    "lambda": st.sampled_from(["0.9 ** t", "1 - t / T", "0.5 if t < T / 2 else 0.25", "1 / sqrt(1 + t)"]).map(
        lambda f: {"lr_lambda": f}
    ),
    "multiplicative": st.sampled_from(["0.9", "1 - 1 / (2 + t)"]).map(lambda f: {"lr_lambda": f}),
    "step": st.fixed_dictionaries({"step_size": share, "gamma": factor}),
    "multi_step": st.fixed_dictionaries({"milestones": st.just(["30%", "75%"]), "gamma": factor}),
    "constant": st.fixed_dictionaries({"factor": factor, "total_iters": share}),
    "linear": st.fixed_dictionaries({"start_factor": factor, "end_factor": factor, "total_iters": share}),
    "exponential": st.fixed_dictionaries({"gamma": factor}),
    "polynomial": st.fixed_dictionaries({"total_iters": share, "power": st.floats(0.1, 4)}),
    "cosine": st.fixed_dictionaries({"T_max": share, "eta_min": st.floats(0, 0.05)}),
    "cosine_warm_restarts": st.fixed_dictionaries(
        {"T_0": share, "T_mult": st.integers(1, 4), "eta_min": st.floats(0, 0.05)}
    ),
    "cyclic": st.fixed_dictionaries(
        {
            "step_size_up": share,
            "step_size_down": st.none() | share,
            "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
            "gamma": factor,
        }
    ),
    "one_cycle": st.fixed_dictionaries(
        {
            "pct_start": st.floats(0, 1),
            "anneal_strategy": st.sampled_from(["cos", "linear"]),
            "div_factor": st.floats(1, 100),
            "final_div_factor": st.floats(1, 1e5),
        }
    ),
}
leaf = st.sampled_from(sorted(LEAVES)).flatmap(lambda name: LEAVES[name].map(lambda params: {"name": name, **params}))


def warmed(schedule: Any) -> Any:
    return st.builds(
        lambda node, warm, shape, start: {**node, "warmup": warm, "warmup_shape": shape, "warmup_start_factor": start},
        schedule,
        st.sampled_from([0, 1, "10%", "25%"]),
        st.sampled_from(["linear", "cosine", "exponential", "constant"]),
        st.floats(0.01, 1),
    )


def composed(schedule: Any) -> Any:
    sequence = st.builds(
        lambda a, b: {"name": "sequential", "stages": {"a": {**a, "length": "40%"}, "b": b}}, schedule, schedule
    )
    product = st.builds(lambda a, b: {"name": "chained", "stages": {"a": a, "b": b}}, schedule, schedule)
    return sequence | product


schedules = st.recursive(warmed(leaf), lambda inner: warmed(composed(inner)), max_leaves=3)
horizons = st.builds(lambda e, s: Horizon(epochs=e, steps_per_epoch=s), st.integers(2, 6), st.integers(8, 20))
relaxed = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def built(node: dict[str, Any], horizon: Horizon, groups: int = 1) -> tuple[Any, Any]:
    opt = optimizer(groups)
    opt._opt_called = True
    try:
        return opt, build({**node, "interval": "step"}, opt, horizon)
    except SchedulerConfigError as error:
        assume(
            "half a step" not in error.rule and "leaves none" not in error.rule and "no step is left" not in error.rule
        )
        assume("lowest rate is above" not in error.rule)
        raise


@relaxed
@given(schedules, horizons)
def test_rates_are_finite_and_the_array_equals_stepping(node: dict[str, Any], horizon: Horizon) -> None:
    opt, schedule = built(node, horizon)
    stepped = []
    for _ in range(horizon.total_steps or 0):
        stepped.append(rates(opt)[0])
        schedule.step()
    array = curve({**node, "interval": "step"}, base_lr=0.1, horizon=horizon)
    assert np.isfinite(array).all()
    assert (array >= 0).all()
    scale = float(np.max(array))
    np.testing.assert_allclose(array, stepped, rtol=4 * np.finfo(float).eps, atol=scale * 1e-15)


@relaxed
@given(schedules, horizons, st.data())
def test_jumping_saving_and_loading(node: dict[str, Any], horizon: Horizon, data: Any) -> None:
    k = data.draw(st.integers(0, (horizon.total_steps or 1) - 1))
    (opt, walk), (other, jump), (third, loaded) = (built(node, horizon, 2) for _ in range(3))
    for _ in range(k):
        walk.step()
    jump.jump(k)
    loaded.load_state_dict(jump.state_dict())
    assert rates(opt) == rates(other) == rates(third)
    walk.step()
    loaded.step()
    assert rates(opt) == rates(third)


@relaxed
@given(leaf, leaf, leaf, horizons)
def test_nested_sequences_equal_flat_ones(a: Any, b: Any, c: Any, horizon: Horizon) -> None:
    n = horizon.total_steps or 0
    first, second = n // 3, n // 4
    flat = {"name": "sequential", "stages": [{**a, "length": first}, {**b, "length": second}, c]}
    inner = {
        "name": "sequential",
        "stages": [{**a, "length": first}, {**b, "length": second}],
        "length": first + second,
    }
    nested = {"name": "sequential", "stages": [inner, c]}
    (one, left), (other, right) = built(flat, horizon), built(nested, horizon)
    for _ in range(n):
        assert rates(one) == rates(other)
        left.step()
        right.step()


@relaxed
@given(leaf, leaf, leaf, horizons)
def test_products_are_associative(a: Any, b: Any, c: Any, horizon: Horizon) -> None:
    flat = {"name": "chained", "stages": [a, b, c]}
    nested = {"name": "chained", "stages": [{"name": "chained", "stages": [a, b]}, c]}
    (one, left), (other, right) = built(flat, horizon), built(nested, horizon)
    for _ in range(horizon.total_steps or 0):
        np.testing.assert_allclose(rates(one), rates(other), rtol=1e-13, atol=1e-300)
        left.step()
        right.step()


@relaxed
@given(leaf, horizons, st.sampled_from(["linear", "cosine", "exponential", "constant"]), st.floats(0.01, 1))
def test_warmup_scales_the_first_value(node: Any, horizon: Horizon, shape: str, start: float) -> None:
    W = 5
    _, plain = built(node, Horizon(steps=(horizon.total_steps or 0) - W))
    warm_node = {**node, "warmup": W, "warmup_shape": shape, "warmup_start_factor": start}
    opt, warm = built(warm_node, Horizon(steps=horizon.total_steps))
    first = plain.rates_at(0)[0]
    for t in range(W):
        x = t / W
        part = {"linear": x, "cosine": (1 - np.cos(np.pi * x)) / 2, "constant": 0.0}.get(shape)
        expected = start ** (1 - x) if part is None else start + (1 - start) * part
        assert rates(opt)[0] == pytest.approx(first * expected, rel=1e-12)
        warm.step()
    for t in range((horizon.total_steps or 0) - W):
        assert rates(opt)[0] == pytest.approx(plain.rates_at(t)[0], rel=1e-15, abs=1e-300)
        warm.step()


@pytest.mark.parametrize("name", ["step", "exponential", "cosine", "linear", "polynomial"])
def test_linear_warmup_equals_torchs_sequence(name: str) -> None:
    from helpers import T, sequence

    params, twin = TWINS[name]
    mine, theirs = optimizer(2), optimizer(2)
    schedule = build({"name": name, **params, "warmup": 20, "warmup_start_factor": 0.1}, mine)
    warm = T.LinearLR(theirs, 0.1, 1.0, 20)
    reference = sequence(theirs, [warm, twin(theirs)], [20])
    if name == "linear":
        return  # torch multiplies the two first factors there
    for _ in range(100):
        np.testing.assert_allclose(rates(mine), rates(theirs), rtol=1e-11)
        mine.step()
        schedule.step()
        theirs.step()
        reference.step()


def test_warmup_before_one_cycle_warms_up_to_its_own_first_value() -> None:
    opt = optimizer()
    schedule = build({"name": "one_cycle", "total_steps": 100, "warmup": 10, "interval": "step"}, opt)
    assert rates(opt)[0] == pytest.approx(0.004 * 0.01)
    schedule.jump(10)
    assert rates(opt)[0] == pytest.approx(0.004)


def test_one_cycle_holds_its_last_value() -> None:
    opt = optimizer()
    schedule = build({"name": "one_cycle", "total_steps": 100}, opt)
    schedule.jump(99)
    last = rates(opt)[0]
    schedule.jump(5000)
    assert rates(opt)[0] == last


def test_a_last_stage_that_ends_early_holds() -> None:
    node = {
        "name": "sequential",
        "interval": "step",
        "stages": {"a": {"name": "none", "length": 10}, "b": {"name": "cosine", "length": 50, "eta_min": 0.01}},
    }
    values = curve(node, base_lr=0.1, horizon=Horizon(steps=100))
    assert (values[60:] == 0.01).all()


@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_the_same_yaml_is_the_same_curve_at_either_interval(interval: str) -> None:
    node = {"name": "step", "step_size": "50%", "gamma": 0.5, "warmup": "10%", "warmup_shape": "constant"}
    values = curve({**node, "interval": interval}, base_lr=0.1, horizon=Horizon(epochs=20, steps_per_epoch=7))
    if interval == "epoch":
        values = np.repeat(values, 7)
    # two epochs of warmup, then halves of the eighteen that remain
    np.testing.assert_array_equal(values, np.repeat([0.001, 0.1, 0.05], [14, 63, 63]))


def test_batch_size_does_not_change_the_curve() -> None:
    node = {"name": "multi_step", "milestones": ["50%", "75%"], "interval": "step"}
    coarse = curve(node, base_lr=0.1, horizon=Horizon(epochs=20, steps_per_epoch=7))
    fine = curve(node, base_lr=0.1, horizon=Horizon(epochs=20, steps_per_epoch=70))
    np.testing.assert_array_equal(np.repeat(coarse, 10), fine)


def test_importing_and_drawing_needs_no_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, lr_configs as l; l.curve('cosine', base_lr=0.1, horizon=l.Horizon(epochs=9));"
        "l.scheduler(name='sequential'); l.available();"
        "assert not {'torch', 'pytorch_lightning', 'lightning', 'hydra'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(subprocess.CalledProcessError):  # the test can fail
        subprocess.run(
            [sys.executable, "-c", code.replace("import sys, ", "import sys, torch, ")], check=True, capture_output=True
        )


def test_resolving_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in CURVED:
            resolve(name, Horizon(epochs=10, steps_per_epoch=10))


def test_a_formula_that_has_passed_is_refused_in_a_longer_run() -> None:
    """What was checked once is remembered for that run alone, and what failed is not."""
    node = {"name": "lambda", "lr_lambda": "1 - t / 20", "interval": "step"}
    for _ in range(2):
        assert curve(node, 0.1, Horizon(steps=20))[-1] == pytest.approx(0.005)
        with pytest.raises(SchedulerConfigError, match=r"the factor is -0\.05 at t=21"):
            curve(node, 0.1, Horizon(steps=22))


@pytest.mark.parametrize("text", ["1 - 1 / (9 + t)", "1.00001", "1.5 if t < 20 else 0.9"])
def test_a_product_in_pieces_and_in_any_order(text: str) -> None:
    product, factor = Product(Formula(text, "lr_lambda", None)), Formula(text, "lr_lambda", None)
    exact = [Fraction(1)]
    for t in range(1, 60):
        exact.append(exact[-1] * Fraction(factor(t)))
    steps = np.arange(60, dtype=np.float64)
    for part in (steps[:7], steps[7:30], steps[30:], steps[40:45], steps[::7], steps[[3, 3, 4]], steps[1:2]):
        found = product.array(part)
        np.testing.assert_array_equal(found, [float(exact[int(t)]) for t in part])


def test_a_product_that_leaves_the_numbers_is_refused_where_it_does() -> None:
    node = {"name": "multiplicative", "lr_lambda": "0.5 if t < 500 else 4", "interval": "step"}
    # 2 ** -499, and from there times 4 up to 1e300
    first = next(t for t in range(500, 2000) if -499 + 2 * (t - 499) > math.log2(1e300))
    with pytest.raises(SchedulerConfigError, match=f"infinite at t={first}, and the run has 2000 steps"):
        curve(node, 0.1, Horizon(steps=2000))
    assert np.isfinite(curve(node, 0.1, Horizon(steps=first))).all()
