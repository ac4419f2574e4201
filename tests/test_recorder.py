"""The recorder without a trainer: what it keeps, what it marks, and what it warns of."""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import CURVED, TWINS, optimizer, rates

from lr_configs import Horizon, available, curve, register, registry
from lr_configs.departures import Departures
from lr_configs.driver import Driver
from lr_configs.recorder import BINS, GROUPS, ROOM, Recorder, Series, Watch
from lr_configs.run import PlainRun

EPOCHS, PER_EPOCH = 12, 10
RUN = Horizon(epochs=EPOCHS, steps_per_epoch=PER_EPOCH)


@pytest.mark.parametrize(
    ("planned", "actual", "expected"),
    [
        ([1, 1, 1], [2, 1, 1], [(1, "edited by hand (x0.5)")]),  # the first ratio is what there was before
        ([0, 1, 1], [0, 2, 2], []),
        ([0, 0, 0], [0, 0, 0], []),
        ([1, 1, 1, 1], [1, 3, 3, 3], [(1, "edited by hand (x3)")]),
        ([1, 0, 1, 1], [1, 0, 1, 2], [(3, "edited by hand (x2)")]),
        ([1, 0.5, 0, 0.5], [2, 1, 0, 2], [(3, "edited by hand (x2)")]),
        ([1, 1 + 1e-10, 1], [1, 1, 1], []),
    ],
)
def test_where_a_ratio_changes(planned: list[float], actual: list[float], expected: list[tuple[int, str]]) -> None:
    x = np.arange(len(planned))
    found = Departures().edits(x, [0] * len(planned), np.array(planned, float), np.array(actual, float))
    assert list(found) == expected


class Loop:
    """A training loop with a recorder; `seen` has what the first group held at each update.

    Args:
        node: the schedule, or several.
        before: called in front of each update with its number and the optimizer.
        after: the same behind it, when the schedule has moved.
    """

    def __init__(
        self,
        node: Any,
        before: Callable[[int, Any], Any] = lambda u, o: None,
        after: Callable[[int, Any], Any] = lambda u, o: None,
        *,
        of: Any = None,
        horizon: Horizon = RUN,
        resume: str = "strict",
        saved: Any = None,
    ) -> None:
        self.optimizer = optimizer() if of is None else of
        self.before, self.after, self.horizon = before, after, horizon
        self.driver = Driver(PlainRun(horizon, say=lambda line: None), resume)
        self.schedulers = [
            self.driver.drive(one, self.optimizer) for one in (node if isinstance(node, list) else [node])
        ]
        self.seen: list[float] = []
        self.done = 0
        self.recorder = Recorder(self.driver, [self.optimizer])
        if saved is not None:
            self.driver.load(saved["schedule"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.recorder.load(saved["curve"])
            self.done = saved["done"]
        self.recorder.begin()
        self.driver.start()

    def train(self, until: int = EPOCHS * PER_EPOCH) -> Loop:
        while self.done < until:
            self.before(self.done, self.optimizer)
            self.seen.append(rates(self.optimizer)[0])
            self.optimizer.step()
            self.done += 1
            if self.done % PER_EPOCH == 0:
                self.driver.end_epoch(self.done // PER_EPOCH - 1)
            self.after(self.done, self.optimizer)
        return self

    def save(self) -> Any:
        state = {
            "schedule": self.driver.save(),
            "optimizer": self.optimizer.state_dict(),
            "curve": json.loads(json.dumps(self.recorder.state_dict())),
            "done": self.done,
        }
        file = io.BytesIO()
        torch.save(state, file)
        file.seek(0)
        return torch.load(file, weights_only=True)

    def table(self, name: str = "lr/SGD/0") -> list[dict[str, Any]]:
        return [row for row in csv.DictReader(io.StringIO(self.recorder.text())) if row["name"] == name]

    def column(self, key: str, name: str = "lr/SGD/0") -> list[float]:
        """One value per update, from the table."""
        rows = self.table(name)
        places = [int(row["update"]) for row in rows]
        assert places == sorted(set(places))
        values = [float(row[key]) if row[key] else np.nan for row in rows]
        return [values[i] for i in np.searchsorted(places, range(places[-1] + 1), side="right") - 1]

    def events(self, name: str = "lr/SGD/0") -> dict[int, str]:
        return {int(row["update"]): row["event"] for row in self.table(name) if row["event"]}


def quiet(loop: Loop) -> Loop:
    """Train, and look at everything; a warning is an error in the tests."""
    assert loop.train().recorder.text()
    return loop


# ---------------------------------------------------------------------------------------- what is kept


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("name", CURVED)
def test_the_table_has_what_was_held_and_what_was_planned(name: str, interval: str) -> None:
    node = {"name": name, **TWINS[name][0], "interval": interval}
    if name == "one_cycle":
        node["total_steps"] = 120
    if name == "sequential":
        node["stages"] = {"a": {"name": "linear", "total_iters": 2, "length": 2}, "b": {"name": "exponential"}}
    loop = quiet(Loop(node))
    assert loop.column("actual") == loop.seen
    planned = np.repeat(curve(node, 0.1, RUN), 1 if interval == "step" else PER_EPOCH)
    np.testing.assert_allclose(loop.column("planned"), planned, rtol=1e-15)
    assert loop.events() == {}


def test_of_what_repeats_the_two_ends_are_kept() -> None:
    loop = quiet(Loop({"name": "step", "step_size": 5, "interval": "epoch"}))
    assert [int(row["update"]) for row in loop.table()] == [0, 49, 50, 99, 100, 119]


def test_a_run_that_goes_on_earlier_forgets_what_came_later() -> None:
    series = Series("lr")
    x = np.arange(10)
    series.extend(x, x / 10, x / 20)
    for at in (2, 5, 6):
        series.mark(at, f"edit {at}")
    series.begin_at(5)
    assert series.x.tolist() == [0, 1, 2, 3, 4]
    assert series.planned.tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert series.actual.tolist() == [0.0, 0.05, 0.1, 0.15, 0.2]
    assert series.marks == {2: "edit 2"}


def test_every_schedule_of_an_optimizer_has_its_series() -> None:
    of = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.1, weight_decay=0.04)
    of.param_groups[0]["params"][0].grad = torch.ones(1)
    nodes = [
        "cosine",
        {"name": "linear", "param": "weight_decay", "start_factor": 1, "end_factor": 10, "total_iters": "100%"},
    ]
    loop = quiet(Loop([*nodes, {"name": "none", "param": "betas.0", "interval": "step"}], of=of))
    assert [one.name for one in loop.recorder.series] == ["lr/AdamW/0", "weight_decay/AdamW/0", "betas.0/AdamW/0"]
    decay = loop.column("actual", "weight_decay/AdamW/0")
    np.testing.assert_allclose(decay, 0.04 * curve(nodes[1], 1, RUN))
    assert loop.column("planned", "weight_decay/AdamW/0") == pytest.approx(decay)
    assert set(loop.column("actual", "betas.0/AdamW/0")) == {0.9}
    assert [panel.title for panel in loop.recorder.picture().panels] == ["lr", "weight_decay", "betas.0"]


def test_groups_by_name_and_floors_of_their_own() -> None:
    of = torch.optim.SGD(
        [
            {"params": [torch.zeros(1)], "lr": 0.1, "name": "body"},
            {"params": [torch.zeros(1)], "lr": 0.5, "name": "head"},
        ]
    )
    loop = quiet(Loop({"name": "cosine", "eta_min": {"head": 0.1}}, of=of))
    head = loop.column("planned", "lr/SGD/head")
    np.testing.assert_allclose(head, curve({"name": "cosine", "eta_min": 0.1}, 0.5, RUN))
    assert loop.column("actual", "lr/SGD/head") == pytest.approx(head)
    assert loop.column("actual", "lr/SGD/body") == loop.seen


def test_of_many_groups_those_that_differ_are_followed() -> None:
    of = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": 0.1 if i < 20 else 0.05} for i in range(30)], lr=0.1)

    def edit(update: int, _: Any) -> None:
        if update == 30:
            of.param_groups[7]["lr"] *= 0.3

    loop = quiet(Loop("cosine", edit, of=of))
    assert loop.column("actual", "lr/SGD/7")[-1] == pytest.approx(loop.seen[-1] * 0.3)
    assert [one.name for one in loop.recorder.series] == ["lr/SGD/0", "lr/SGD/20", "lr/SGD/7"]
    wild = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": 0.1 / (i + 1)} for i in range(30)], lr=0.1)
    assert len(quiet(Loop("cosine", of=wild)).recorder.series) == GROUPS


def test_a_group_that_joins_has_no_plan_and_one_that_leaves_ends() -> None:
    of = optimizer(2)

    def change(update: int, _: Any) -> None:
        if update == 30:
            of.add_param_group({"params": [torch.zeros(1)], "lr": 0.01})
        if update == 60:
            del of.param_groups[1:]

    loop = quiet(Loop({"name": "cosine"}, change, of=of))
    assert loop.column("actual") == loop.seen
    assert [one.name for one in loop.recorder.series] == ["lr/SGD/0"]


def test_an_optimizer_without_a_schedule() -> None:
    other = optimizer(lr=0.3)
    driver = Driver(PlainRun(RUN, say=lambda line: None))
    recorder = Recorder(driver, [other])
    recorder.begin(updates=5)
    driver.start()
    for step in range(10):
        other.param_groups[0]["lr"] = 0.3 / (step + 1)
        other.step()
    recorder.close()
    other.step()
    (one,) = recorder.series
    assert (one.x.tolist(), one.end) == (list(range(5, 15)), 15)
    assert np.isnan(one.planned).all()
    np.testing.assert_allclose(one.actual, 0.3 / np.arange(1, 11))
    assert [line.label for line in recorder.picture().panels[0].lines] == ["actual"]


def test_it_begins_in_front_of_the_driver() -> None:
    loop = Loop("cosine")
    with pytest.raises(RuntimeError, match="in front of the driver"):
        Recorder(loop.driver, [loop.optimizer]).begin()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_tensor_rates_are_read_and_rounding_is_no_edit(dtype: torch.dtype) -> None:
    loop = quiet(Loop("cosine", of=optimizer(2, tensor=dtype)))
    assert loop.column("actual") == loop.seen
    assert loop.events() == {}


class SkipsTheEighth(torch.optim.SGD):
    """As a fused optimizer that finds infinities."""

    steps = 0

    def step(self, closure: Any = None) -> Any:
        vars(self).pop("found_inf", None)
        super().step(closure)
        self.found_inf, self.steps = torch.tensor(float(self.steps == 7)), self.steps + 1


def test_updates_that_the_gradient_scaler_skips_are_none() -> None:
    of = SkipsTheEighth([torch.zeros(1, requires_grad=True)], lr=0.1)
    loop = Loop({"name": "cosine", "interval": "step"}, of=of).train()
    assert loop.seen[7] == loop.seen[8]
    assert loop.column("actual", "lr/SkipsTheEighth/0") == [*loop.seen[:7], *loop.seen[8:]]


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("name", [name for name in available() if name != "reduce_on_plateau"])
def test_no_schedule_leaves_its_own_plan(name: str, interval: str) -> None:
    size = 100  # of which every share is whole
    horizon = Horizon(epochs=size, steps_per_epoch=PER_EPOCH) if interval == "epoch" else Horizon(steps=size)
    for more in ({"warmup": "20%"}, {"warmup": "20%", "cooldown": "10%"}, {"warmup": "5%", "warmup_overlap": True}):
        loop = Loop({"name": name, "interval": interval, **more}, of=optimizer(3), horizon=horizon)
        loop.train(horizon.total_steps or 0).recorder.text()
        for i in range(3):
            assert loop.events(f"lr/SGD/{i}") == {}
            planned, actual = (loop.column(key, f"lr/SGD/{i}") for key in ("planned", "actual"))
            np.testing.assert_allclose(planned, actual, rtol=1e-12, atol=1e-18)


# ---------------------------------------------------------------------------------------- memory


def test_a_long_run_is_bounded_and_loses_no_peak_and_no_jump() -> None:
    size, chunk = 10**7, 1 << 17
    node = {"name": "chained", "stages": {
        "steps": {"name": "multi_step", "milestones": ["1234567st", "5000001st", "7777777st"], "gamma": 0.5},
        "waves": {"name": "cosine_warm_restarts", "T_0": "400003st"},
    }}  # fmt: skip
    whole = curve(node, 0.1, Horizon(steps=size))
    actual = whole.copy()
    actual[3_141_592] = 7.0  # one update alone
    series, largest = Series("lr/SGD/0"), 0
    for start in range(0, size, chunk):
        part = slice(start, start + chunk)
        series.extend(np.arange(start, min(start + chunk, size)), whole[part], actual[part])
        largest = max(largest, len(series.x))
    assert largest < ROOM + chunk
    series.thin()
    assert len(series.x) <= 12 * BINS
    assert len(json.dumps(series.to_data())) < 300_000
    kept = dict(zip(series.x.tolist(), zip(series.planned.tolist(), series.actual.tolist(), strict=True), strict=True))
    assert kept[3_141_592][1] == 7.0
    for at, (planned, held) in kept.items():
        assert (planned, held) == (whole[at], actual[at])
    for restart in range(400_003, size, 400_003):
        assert kept[restart][0] == whole[restart]  # the top of every wave
    assert (min(kept), max(kept)) == (0, size - 1)
    # What lies between two points that are kept lies between their values, but for a bin's width.
    drawn = np.interp(np.arange(size), series.x, series.planned)
    flat = np.abs(np.diff(whole)) < 1e-3
    assert np.quantile(np.abs(drawn - whole)[:-1][flat], 0.95) < 4e-3


@pytest.mark.parametrize(("limit", "saved"), [(8 * BINS, True), (ROOM - 1, False)])
def test_nothing_is_left_out_up_to_a_limit(limit: int, saved: bool) -> None:
    for size in (limit, limit + 1):
        values = np.linspace(1, 2, size)
        series = Series("lr")
        series.extend(np.arange(size), values, values)
        data = series.to_data() if saved else {"x": series.x.tolist(), "thinned": series.thinned}
        assert data["thinned"] == series.thinned == (size > limit)
        assert (data["x"] == [*range(size)]) == (size == limit)


def test_few_changes_of_a_long_run_are_kept_exactly() -> None:
    size, chunk = 10**6, 1000
    whole = curve({"name": "step", "step_size": "99991st"}, 0.1, Horizon(steps=size))
    series = Series("lr")
    for start in range(0, size, chunk):
        series.extend(np.arange(start, start + chunk), whole[start : start + chunk], whole[start : start + chunk])
    jumps = np.flatnonzero(np.diff(whole)) + 1
    assert series.x.tolist() == sorted({0, *jumps.tolist(), *(jumps - 1).tolist(), size - 1})
    assert not series.thinned


def test_what_is_noted_at_an_update_is_bounded() -> None:
    loop = Loop({"name": "cosine", "interval": "step"}, horizon=Horizon(steps=30_000, steps_per_epoch=1000))
    (watch,) = loop.recorder.watches
    for _ in range(30_000):
        loop.optimizer.step()
    (one,) = loop.recorder.series
    assert one.thinned
    assert len(one.x) < ROOM
    assert one.end == 30_000
    assert isinstance(watch, Watch)


# ---------------------------------------------------------------------------------------- what is marked


def test_an_edit_by_hand_is_marked() -> None:
    def edit(update: int, of: Any) -> None:
        if update in (30, 80):
            of.param_groups[0]["lr"] *= 0.5

    for interval in ("step", "epoch"):
        loop = quiet(Loop({"name": "cosine", "interval": interval}, edit))
        assert loop.events() == {30: "edited by hand (x0.5)", 80: "edited by hand (x0.5)"}
        assert loop.column("actual") == loop.seen
        planned = np.repeat(
            curve({"name": "cosine", "interval": interval}, 0.1, RUN), 1 if interval == "step" else PER_EPOCH
        )
        np.testing.assert_allclose(loop.column("planned"), planned)


def test_edits_of_the_very_first_update_and_of_one_group() -> None:
    def edit(update: int, of: Any) -> None:
        if update == 0:
            of.param_groups[1]["lr"] *= 0.1

    loop = quiet(Loop("cosine", edit, of=optimizer(3)))
    assert loop.events("lr/SGD/1") == {0: "edited by hand (x0.1)"}
    assert loop.events() == loop.events("lr/SGD/2") == {}


def test_an_early_ending_is_marked_and_is_no_departure() -> None:
    loop: Any = None

    def end(update: int, _: Any) -> None:
        if update == 60:
            loop.driver.decay_now("20%", "cosine")

    loop = Loop({"name": "warmup_stable_decay"}, end)
    quiet(loop)
    assert list(loop.events().values()) == ["ends early"]
    assert 60 <= min(loop.events()) <= 61
    assert loop.column("planned")[70] == pytest.approx(0.1)
    assert loop.column("actual")[70] < 0.1


def test_a_metric_explains_what_it_does() -> None:
    loop: Any = None

    def measure(done: int, _: Any) -> None:
        if done % 4 == 0:
            loop.driver.metric("loss", 1.0)

    node = {"name": "reduce_on_plateau", "monitor": "loss", "patience": 0, "factor": 0.9, "warmup": "1ep"}
    loop = Loop(node, after=measure)
    quiet(loop)
    assert loop.seen[-1] < 0.02
    assert loop.events() == {}
    assert loop.column("planned")[-1] == pytest.approx(0.1)


def test_a_class_that_is_stepped_as_it_is_has_no_plan() -> None:
    class Halving(torch.optim.lr_scheduler.StepLR):
        pass

    register("halving_recorded", Halving, defaults={"step_size": 1, "gamma": 0.5})
    try:
        loop = quiet(Loop("halving_recorded"))
        assert loop.column("actual") == loop.seen
        assert np.isnan(loop.column("planned")).all()
    finally:
        registry.remove("halving_recorded")


# ---------------------------------------------------------------------------------------- what leaves the plan


def warned(loop: Loop) -> str:
    """The one warning of a run."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop.train().recorder.text()
    (one,) = caught
    assert one.category is UserWarning
    return str(one.message)


def test_another_callback_that_writes_at_every_update() -> None:
    def write(update: int, of: Any) -> None:
        if update >= 33:
            of.param_groups[0]["lr"] = 0.001 * (update % 7 + 1)

    loop = Loop({"name": "cosine", "interval": "step"}, write)
    message = warned(loop)
    assert message.startswith(
        "lr/SGD/0 leaves the plan at update 33: from there on it changes update after update as cosine"
    )
    assert loop.events() == {33: "leaves the plan"}
    assert loop.column("actual") == loop.seen


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_second_scheduler_on_the_optimizer(interval: str) -> None:
    of = optimizer()
    other: Any = None

    def step(done: int, _: Any) -> None:
        if done % PER_EPOCH == 0:
            other.step()

    loop = Loop({"name": "cosine", "interval": interval, "T_max": 1000}, after=step, of=of)
    other = torch.optim.lr_scheduler.ExponentialLR(of, 0.9)
    message = warned(loop)
    assert "leaves the plan at update 10: from there on it changes epoch after epoch as cosine does not" in message


def test_a_warmup_of_the_modules_own() -> None:
    def warm(update: int, of: Any) -> None:
        if update < 20:
            of.param_groups[0]["lr"] = 0.1 * (update + 1) / 20

    assert "leaves the plan at update 0" in warned(Loop({"name": "none", "interval": "step"}, warm))


def test_a_scheduler_that_somebody_steps_as_well() -> None:
    loop: Any = None

    def step(done: int, _: Any) -> None:
        if done > 40:
            loop.schedulers[0].step()

    loop = Loop({"name": "cosine", "interval": "step"}, after=step)
    assert "leaves the plan at update 41" in warned(loop)


def test_a_parameter_that_is_changed_on_the_way() -> None:
    loop: Any = None

    def change(update: int, _: Any) -> None:
        if update == 50:
            loop.schedulers[0].T_max = 60

    loop = Loop({"name": "cosine", "interval": "step"}, change)
    assert "leaves the plan at update 51" in warned(loop)


def test_a_few_edits_in_a_row_are_edits_and_more_are_not() -> None:
    def edits(count: int) -> Callable[[int, Any], None]:
        def edit(update: int, of: Any) -> None:
            if 20 <= update < 20 + count:
                of.param_groups[0]["lr"] *= 0.9

        return edit

    loop = quiet(Loop({"name": "cosine", "interval": "step"}, edits(4)))
    assert loop.events() == dict.fromkeys(range(20, 24), "edited by hand (x0.9)")
    assert "leaves the plan at update 20" in warned(Loop({"name": "cosine", "interval": "step"}, edits(5)))


def test_it_is_said_once_and_soon() -> None:
    def write(update: int, of: Any) -> None:
        of.param_groups[0]["lr"] = 0.001 * (update % 7 + 1)

    loop = Loop({"name": "cosine", "interval": "step"}, write)
    with pytest.warns(UserWarning, match="leaves the plan at update 0"):
        loop.train(20)
    quiet(loop)


# ---------------------------------------------------------------------------------------- going on


def edit_at_15(update: int, of: Any) -> None:
    if update == 15:
        of.param_groups[0]["lr"] *= 0.5


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_going_on_from_a_checkpoint(interval: str) -> None:
    node = {"name": "cosine", "interval": interval, "warmup": 2}
    whole = quiet(Loop(node, edit_at_15))
    first = Loop(node, edit_at_15).train(47)
    saved = first.save()
    first.train(60)  # which is lost
    again = quiet(Loop(node, edit_at_15, saved=saved))
    assert again.column("actual") == whole.column("actual")
    assert again.column("planned") == whole.column("planned")
    assert again.events() == {**whole.events(), 47: "resumed"}


@pytest.mark.parametrize("resume", ["keep", "stretch", "restart"])
def test_going_on_with_another_schedule_is_no_departure(resume: str) -> None:
    first = Loop({"name": "cosine", "interval": "step"}).train(47)
    longer = Horizon(epochs=2 * EPOCHS, steps_per_epoch=PER_EPOCH)
    again = Loop({"name": "cosine", "interval": "step"}, horizon=longer, resume=resume, saved=first.save())
    again.train(2 * EPOCHS * PER_EPOCH).recorder.text()
    assert again.column("actual") == first.seen[:47] + again.seen
    assert again.events() == {47: "resumed"}
    np.testing.assert_allclose(again.column("planned"), again.column("actual"), rtol=1e-12, atol=1e-15)


# ---------------------------------------------------------------------------------------- files and pictures


def test_the_loop_of_the_documentation() -> None:
    text = (Path(__file__).parents[1] / "docs" / "run_curve.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "run_curve.md", "exec"), names)
    (series,) = names["recorder"].series
    np.testing.assert_allclose(
        series.planned, curve({"name": "cosine", "warmup": "10%"}, 0.1, Horizon(epochs=4, steps_per_epoch=50))
    )


def test_the_file_is_written_whole(tmp_path: Path) -> None:
    loop = quiet(Loop("cosine"))
    loop.recorder.write(tmp_path / "deep" / "curve.csv")
    assert (tmp_path / "deep" / "curve.csv").read_text() == loop.recorder.text()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["curve.csv"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        loop.recorder.write(tmp_path / "file" / "curve.csv")


def test_the_picture_shows_both_and_what_happened() -> None:
    loop = quiet(Loop({"name": "cosine", "interval": "step"}, edit_at_15))
    picture = loop.recorder.picture("a run")
    (panel,) = picture.panels
    planned, actual = panel.lines
    assert (picture.title, picture.unit, picture.end) == ("a run", "update", 120)
    assert (planned.label, actual.label) == ("planned", "actual")
    assert [actual.at(i) for i in range(120)] == loop.seen
    np.testing.assert_allclose(
        [planned.at(i) for i in range(120)], curve({"name": "cosine", "interval": "step"}, 0.1, RUN)
    )
    (mark,) = actual.marks
    assert (mark.x, mark.y, mark.word) == (15, loop.seen[15], "edited by hand (x0.5)")
    several = quiet(Loop("cosine", of=optimizer(2))).recorder.picture().panels[0].lines
    assert [line.label for line in several] == ["planned SGD/0", "actual SGD/0", "planned SGD/1", "actual SGD/1"]
    assert len({line.style for line in several}) == 4
