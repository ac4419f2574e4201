"""The statements of the notes, one by one, on our schedulers and on our arrays."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import BASE, optimizer, rates

from lr_configs import Horizon, build, curve


def trace(name: str, steps: int = 500, **params: object) -> np.ndarray:
    """Rates of `steps` steps, stepped; the array must be the same."""
    opt = optimizer()
    schedule = build({"name": name, "interval": "epoch", **params}, opt)
    values = []
    for _ in range(steps):
        values.append(rates(opt)[0])
        opt.step()
        schedule.step()
    array = curve({"name": name, "interval": "epoch", **params}, base_lr=BASE, horizon=Horizon(epochs=steps))
    np.testing.assert_allclose(values, array, rtol=4 * np.finfo(float).eps)
    return np.array(values)


def test_lambda_is_a_formula() -> None:
    np.testing.assert_allclose(trace("lambda", lr_lambda="0.95 ** epoch"), BASE * 0.95 ** np.arange(500), rtol=1e-14)


def test_lambda_is_piecewise() -> None:
    lr = trace("lambda", lr_lambda="0.5 if epoch < 40 else 0.25 if epoch < 70 else 0.125 if epoch < 90 else 0.0625")
    for at, factor in (
        (0, 0.5),
        (39, 0.5),
        (40, 0.25),
        (69, 0.25),
        (70, 0.125),
        (89, 0.125),
        (90, 0.0625),
        (499, 0.0625),
    ):
        assert lr[at] == BASE * factor


def test_step_is_halved_at_200_and_400() -> None:
    lr = trace("step", step_size=200, gamma=0.5)
    assert (np.flatnonzero(np.diff(lr)) + 1).tolist() == [200, 400]
    assert lr[[0, 200, 400]].tolist() == [0.1, 0.05, 0.025]


def test_multi_step_drops_at_200_and_350() -> None:
    lr = trace("multi_step", milestones=[200, 350], gamma=0.5)
    assert (np.flatnonzero(np.diff(lr)) + 1).tolist() == [200, 350]
    assert lr[[0, 200, 350]].tolist() == [0.1, 0.05, 0.025]


def test_exponential_decays() -> None:
    lr = trace("exponential", gamma=0.95)
    np.testing.assert_allclose(lr[1:] / lr[:-1], 0.95, rtol=1e-14)


def test_cosine_oscillates() -> None:
    lr = trace("cosine", T_max=100, eta_min=0.001)
    assert lr[[0, 200, 400]].tolist() == [0.1, 0.1, 0.1]
    assert lr[[100, 300]].tolist() == [0.001, 0.001]
    assert (np.diff(lr[:101]) < 0).all()
    assert (np.diff(lr[100:201]) > 0).all()


def test_cyclic_is_up_over_50_and_down_over_100() -> None:
    lr = trace("cyclic", base_lr=0.001, max_lr=0.1, step_size_up=50, step_size_down=100, mode="triangular")
    np.testing.assert_allclose(lr[[0, 50, 150, 200, 300]], [0.001, 0.1, 0.001, 0.1, 0.001], rtol=1e-14)
    assert (np.diff(lr[:51]) > 0).all()
    assert (np.diff(lr[50:151]) < 0).all()


@pytest.mark.parametrize("down", [None, 50])
def test_triangular2_halves_its_peak_every_cycle(down: int | None) -> None:
    lr = trace("cyclic", base_lr=0.001, max_lr=0.1, step_size_up=50, step_size_down=down, mode="triangular2")
    peaks = lr[50::100] - 0.001
    np.testing.assert_allclose(peaks, 0.099 * 0.5 ** np.arange(5), rtol=1e-12)


def test_exp_range_peak_falls_exponentially() -> None:
    lr = trace("cyclic", base_lr=0.001, max_lr=0.1, step_size_up=50, step_size_down=None, mode="exp_range", gamma=0.995)
    at = np.arange(50, 500, 100)
    np.testing.assert_allclose(lr[at] - 0.001, 0.099 * 0.995**at, rtol=1e-12)


def test_warm_restarts_double_their_period() -> None:
    lr = trace("cosine_warm_restarts", T_0=50, T_mult=2, eta_min=0.001)
    restarts = np.flatnonzero(np.diff(lr) > 0) + 1
    assert restarts.tolist() == [50, 150, 350]
    assert lr[restarts].tolist() == [0.1, 0.1, 0.1]


def test_a_hand_edit_mid_training_is_lived_with() -> None:
    opt = optimizer()
    schedule = build({"name": "step", "step_size": 10, "gamma": 0.5}, opt)
    for _ in range(5):
        opt.step()
        schedule.step()
    opt.param_groups[0]["lr"] /= 2
    for _ in range(5):
        opt.step()
        schedule.step()
    assert rates(opt) == [0.025]


def test_verbose_prints_every_change(capsys: pytest.CaptureFixture[str]) -> None:
    opt = optimizer()
    schedule = build({"name": "step", "step_size": 2, "gamma": 0.5, "verbose": True}, opt)
    for _ in range(5):
        opt.step()
        schedule.step()
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 00002: adjusting learning rate of group 0 to 5.0000e-02.",
        "Epoch 00004: adjusting learning rate of group 0 to 2.5000e-02.",
    ]


def test_verbose_says_step_where_the_interval_is_step(capsys: pytest.CaptureFixture[str]) -> None:
    opt = optimizer()
    schedule = build({"name": "step", "step_size": 12, "gamma": 0.5, "verbose": True, "interval": "step"}, opt)
    for _ in range(12):
        opt.step()
        schedule.step()
    assert capsys.readouterr().out == "Step 00012: adjusting learning rate of group 0 to 5.0000e-02.\n"
