"""The rates of a run as they really were, beside those that were planned.

A recorder hears of every update before the schedule moves on, and notes what the groups hold. What was planned is evaluated
from the curve tree, many updates at once; of both, as much is kept as no peak and no jump is lost::

    driver.drive({"name": "cosine"}, optimizer)
    recorder = Recorder(driver, [optimizer])
    recorder.begin()                          # in front of driver.start()
    driver.start()
    ...
    recorder.write(folder / "lr_curve.csv")

A change that lasts (``group["lr"] *= 0.5``) is an edit by hand, and is marked. Where a rate changes at one update, or in one
epoch, after another, and the plan does not, something else drives it as well: a warning names the first update.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.optim import Optimizer

from lr_configs import optimizers
from lr_configs.curve_tree import Curve, bind
from lr_configs.departures import Departures
from lr_configs.driver import Driver
from lr_configs.logged import labels
from lr_configs.own import SteppedConfig
from lr_configs.preview import thin
from lr_configs.preview.picture import Line, Mark, Panel, Picture
from lr_configs.preview.series import epoch_knots
from lr_configs.resume import Timeline
from lr_configs.track import Track

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: groups of an optimizer that are followed
GROUPS = 8
#: equal parts of a run, of each of which the first, the lowest, the highest and the last rate are kept
BINS = 256
#: points of a series from which on it is thinned out again
ROOM = 8192
#: updates between two looks at what was noted; the first ones come sooner
LOOK, FIRST_LOOK = 1024, 16
#: things that happen to a series, and are marked
MARKS = 24


class Series:
    """What one group held, and what was planned for it: of what repeats, the two ends.

    Args:
        name: ``lr/SGD/0``.

    Attributes:
        x: the updates that are kept.
        planned: the planned values; not a number where there is no plan.
        actual: what the group held.
        end: updates that have been made.
        thinned: whether some that do not repeat were left out.
        marks: what happened, by update.
        departures: what nobody has planned.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.x: NDArray[Any] = np.zeros(0, dtype=np.int64)
        self.planned: NDArray[Any] = np.zeros(0)
        self.actual: NDArray[Any] = np.zeros(0)
        self.end, self.thinned = 0, False
        self.marks: dict[int, str] = {}
        self.departures = Departures()

    def mark(self, x: int, word: str) -> None:
        """Something happened at an update."""
        if len(self.marks) < MARKS:
            self.marks[x] = word

    def extend(self, x: NDArray[Any], planned: NDArray[Any], actual: NDArray[Any]) -> None:
        """Take what was noted at more updates."""
        done = max(len(self.x) - 2, 0)  # the last two may turn out to repeat
        parts = [np.concatenate(pair) for pair in zip(self._columns(done), (x, planned, actual), strict=True)]
        before = self.x[:done], self.planned[:done], self.actual[:done]
        chosen = self._changes(*parts)
        chosen[0] = True
        self.x, self.planned, self.actual = (
            np.concatenate([old, new[chosen]]) for old, new in zip(before, parts, strict=True)
        )
        self.end = int(x[-1]) + 1
        if len(self.x) >= ROOM:
            self.thin()

    def _columns(self, start: int = 0) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        return self.x[start:], self.planned[start:], self.actual[start:]

    def _changes(self, x: NDArray[Any], *columns: NDArray[Any]) -> NDArray[Any]:
        """Which points are an end of something that repeats, or are marked."""
        chosen = np.isin(x, list(self.marks)) if self.marks else np.zeros(len(x), dtype=bool)
        for one in columns:
            change = np.diff(np.nan_to_num(one, nan=-1.0), prepend=np.nan, append=np.nan) != 0
            chosen |= change[:-1] | change[1:]
        return chosen

    def thin(self) -> None:
        """Leave out what is no extreme of its part of the run, and is not marked."""
        self.thinned = True
        values = np.nan_to_num(self.planned, nan=-1.0), self.actual
        kept = [thin.kept(self.x, one, self.end, BINS, thinned=True) for one in values]
        marked = np.flatnonzero(np.isin(self.x, list(self.marks)))
        chosen = np.unique(np.concatenate([*kept, marked]))
        self.x, self.planned, self.actual = (one[chosen] for one in self._columns())

    def begin_at(self, x: int) -> None:
        """Forget what is not before an update: the run goes on from there."""
        before = self.x < x
        self.x, self.planned, self.actual = self.x[before], self.planned[before], self.actual[before]
        self.marks = {at: word for at, word in self.marks.items() if at < x}

    def to_data(self) -> dict[str, Any]:
        """Plain data, of some thousand numbers at most."""
        if len(self.x) > 8 * BINS:
            self.thin()
        lists = {key: getattr(self, key).tolist() for key in ("x", "planned", "actual")}
        return {
            **lists,
            "end": self.end,
            "thinned": self.thinned,
            "marks": [[at, word] for at, word in self.marks.items()],
        }

    @classmethod
    def from_data(cls, name: str, data: Mapping[str, Any]) -> Series:
        """What :meth:`to_data` gave."""
        made = cls(name)
        made.x = np.array(data["x"], dtype=np.int64)
        made.planned, made.actual = (np.array(data[key], dtype=np.float64) for key in ("planned", "actual"))
        made.thinned = bool(data["thinned"])
        made.end, made.marks = int(data["end"]), {int(at): str(word) for at, word in data["marks"]}
        return made


class Watch:
    """Notes what one hyper-parameter of an optimizer is at every update.

    Args:
        optimizer: the optimizer.
        track: the schedule that drives it; None where none does.
        name: what its series are called, without the group.
        earlier: series of the run's part before a checkpoint, by name.
        updates: that were made before, where no schedule counts them.
    """

    def __init__(
        self, optimizer: Optimizer, track: Track | None, name: str, earlier: dict[str, Series], updates: int = 0
    ) -> None:
        self.optimizer, self.track, self.name, self._earlier = optimizer, track, name, earlier
        self._key, _, index = ("lr" if track is None else track.plan.config.param).partition(".")
        self._index = int(index) if index else None
        self.series: dict[int, Series] = {}  # by group
        self._made, self._count = updates, 0
        self._tree: Curve | None = None
        self._free = False  # whether what the rate is follows from no plan any more
        self._room = FIRST_LOOK
        self._x: list[int] = []
        self._ticks: list[int] = []
        self._epochs: list[int] = []
        self._held: list[tuple[int, list[float]]] = []

    # ------------------------------------------------------------------------------------ at every update

    def note(self, epoch: int) -> None:
        """The optimizer has made an update, with what its groups hold."""
        track, groups = self.track, self.optimizer.param_groups
        if len(groups) != self._count:
            self._choose(groups)
        if track is None:
            self._x.append(self._made)
            self._made += 1
        else:
            self._x.append(track.updates)
            self._ticks.append(track.ticks)
            self._epochs.append(epoch)
            if not self._free and (track.ending is not None or track.replaced or track.module_steps):
                self._set_free(track)
        for i, held in self._held:
            value = groups[i][self._key]
            held.append(value if value.__class__ is float else self._read(value))
        if len(self._x) >= self._room:
            self.look()

    def _read(self, value: Any) -> Any:
        if self._index is not None:
            value = value[self._index]
        if not isinstance(value, torch.Tensor):
            return float(value)
        # The same tensor has another value at the next update; one on a device is read with many others.
        return float(value) if value.device.type == "cpu" else value.detach().clone()

    def _choose(self, groups: Sequence[Any]) -> None:
        """Follow all groups, or of many those that differ."""
        self.look()
        self._count = len(groups)
        self.series = {i: one for i, one in self.series.items() if i < len(groups)}
        seen = {self._value(groups[i]) for i in self.series} if len(groups) > GROUPS else set()
        for i, group in enumerate(groups):
            if i in self.series or len(self.series) >= GROUPS:
                continue
            value = self._value(group)
            if len(groups) <= GROUPS or value not in seen:
                self._follow(i, group)
            seen.add(value)
        self._held = [(i, []) for i in self.series]

    def _value(self, group: Any) -> float:
        return float(self._read(group[self._key]))

    def _follow(self, i: int, group: Any) -> None:
        name = f"{self.name}/{group.get('name', i)}"
        known = self._earlier.pop(name, None)
        made = self.series[i] = Series(name) if known is None else known
        value = group[self._key]
        if isinstance(value, torch.Tensor):
            made.departures.tolerance = 4 * torch.finfo(value.dtype).eps
        if known is None:
            made.departures.ratio = 1.0
        else:
            start = self._made if self.track is None else self.track.updates
            made.begin_at(start)
            made.mark(start, "resumed")

    def _set_free(self, track: Track) -> None:
        """From here on something else than the plan says what the rate is, and that is on purpose."""
        at = self._x.pop()
        self.look()
        self._x.append(at)
        self._free = True
        word = "ends early" if track.ending is not None else "replaced" if track.replaced else "stepped by the module"
        for one in self.series.values():
            one.mark(at, word)

    # ------------------------------------------------------------------------------------ once in a while

    def look(self) -> None:
        """Compare what was noted with the plan, and keep what is worth it."""
        if not self._x:
            return
        x, count = np.array(self._x, dtype=np.int64), len(self._x)
        epochs, rows = self._epochs[:count], self._planned(x, self._ticks[:count])
        for i, held in self._held:
            one, actual = self.series[i], np.array([float(value) for value in held[:count]])
            planned = rows[i] if rows is not None and i < len(rows) else np.full(count, np.nan)
            if rows is not None and i < len(rows) and self._holds_to_plan():
                self._compare(one, x, epochs, planned, actual)
            one.extend(x, planned, actual)
            del held[:count]
        del self._x[:], self._ticks[:count], self._epochs[:count]
        self._room = min(2 * self._room, LOOK)
        self._follow_parted()

    def _follow_parted(self) -> None:
        """Follow groups that are no longer what those are that stood for them."""
        groups = self.optimizer.param_groups
        if self._count <= GROUPS or len(groups) != self._count:
            return
        seen = {self._value(groups[i]) for i in self.series}
        for i, group in enumerate(groups):
            if len(self.series) < GROUPS and self._value(group) not in seen:
                seen.add(self._value(group))
                self._follow(i, group)
                self.series[i].departures.ratio = None
                self._held.append((i, []))

    def _holds_to_plan(self) -> bool:
        return self.track is not None and not self._free and not self.track.plan.config.metric_driven

    def _planned(self, x: NDArray[Any], ticks: list[int]) -> NDArray[Any] | None:
        """The planned rates, one row for each group that there was when training began; None where there is no plan."""
        track = self.track
        if track is None or isinstance(track.plan.config, SteppedConfig) or track.module_steps:
            return None
        if self._tree is None:
            names = [group.get("name") for group in self.optimizer.param_groups[: len(track.bases)]]
            self._tree = bind(track.plan, track.bases[: len(names)], names)
        places, back = np.unique(_positions(track.timeline, x, ticks, track.plan.frequency), return_inverse=True)
        rows: NDArray[Any] = self._tree.array(places)[:, back]
        return rows

    def _compare(
        self, one: Series, x: NDArray[Any], epochs: list[int], planned: NDArray[Any], actual: NDArray[Any]
    ) -> None:
        """Mark the edits, and warn where there are too many."""
        departures = one.departures
        if departures.first is not None:
            return
        for at, word in departures.edits(x, epochs, planned, actual):
            one.mark(at, word)
        if departures.first is None or self.track is None:
            return
        one.marks = {at: word for at, word in one.marks.items() if at < departures.first}
        one.mark(departures.first, "leaves the plan")
        unit, name = departures.unit, self.track.plan.config.name
        warnings.warn(
            f"{one.name} leaves the plan at update {departures.first}: from there on it changes {unit} after {unit} as {name} "
            "does not. Something else drives it as well: another callback, a second scheduler, or the module itself",
            UserWarning,
            stacklevel=2,
        )


def _positions(timeline: Timeline, updates: NDArray[Any], ticks: list[int], frequency: int) -> NDArray[Any]:
    """Where on its curve a schedule is at many ticks."""
    if timeline.warp is not None:
        pairs = zip(ticks, updates.tolist(), strict=True)
        return np.array([float(timeline.position(*pair, frequency)) for pair in pairs])
    found: NDArray[Any] = np.array(ticks, dtype=np.float64) // frequency
    return found if timeline.last is None else np.minimum(found, float(timeline.last))


class Recorder:
    """Records the rates of a run beside those that were planned.

    Args:
        driver: what drives the schedules.
        optimizers: those of the run; of one without a schedule there is what it really held.

    Raises:
        RuntimeError: by :meth:`begin`, where the driver has been started before.
    """

    def __init__(self, driver: Driver, of: Sequence[Optimizer]) -> None:
        self.driver, self._optimizers = driver, list(of)
        self.watches: list[Watch] = []
        self._hooks: list[optimizers.Handle] = []
        self._earlier: dict[str, Series] = {}
        self._heard = [0] * len(self._optimizers)

    def load(self, state: Mapping[str, Any]) -> None:
        """What :meth:`state_dict` gave before a checkpoint; :meth:`begin` comes later."""
        self._earlier = {name: Series.from_data(name, data) for name, data in state.items()}

    def state_dict(self) -> dict[str, Any]:
        """Plain data, of bounded size: numbers, text, lists and dicts."""
        return {one.name: one.to_data() for one in self.series}

    @property
    def series(self) -> list[Series]:
        """All that has been recorded."""
        for watch in self.watches:
            watch.look()
        found = [one for watch in self.watches for one in watch.series.values() if one.end]
        return found or list(self._earlier.values())

    @property
    def updates(self) -> list[int]:
        """What each optimizer has told of since the beginning."""
        return list(self._heard)

    def begin(self, updates: int = 0) -> None:
        """Listen to the optimizers, in front of the driver.

        Args:
            updates: that were made before, where no schedule counts them.
        """
        if self.driver.running:
            raise RuntimeError("a recorder begins in front of the driver, or it would hear of rates that have moved on")
        for number, optimizer in enumerate(self._optimizers):
            tracks = [track for track in self.driver.tracks if track.optimizer is optimizer]
            name = labels(self._optimizers, self.driver)[number]
            own = [Watch(optimizer, track, f"{track.plan.config.param}/{name}", self._earlier) for track in tracks]
            if not own:
                own.append(Watch(optimizer, None, f"lr/{name}", self._earlier, updates))
            self.watches += own
            self._hooks.append(optimizers.on_update(optimizer, self._noting(own, number)))

    def _noting(self, watches: list[Watch], number: int) -> Callable[[Any], None]:
        driver, heard = self.driver, self._heard

        def note(optimizer: Any) -> None:
            heard[number] += 1
            if not optimizers.skipped(optimizer):
                for watch in watches:
                    watch.note(driver.epoch)

        return note

    def close(self) -> None:
        """Let go of the optimizers."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    # ------------------------------------------------------------------------------------ what is made of it

    def rows(self) -> Iterator[list[Any]]:
        """The table: a series' name, an update, what was planned, what was held from there on, and what happened."""
        for one in self.series:
            for x, planned, actual in zip(one.x.tolist(), one.planned.tolist(), one.actual.tolist(), strict=True):
                yield [one.name, x, "" if planned != planned else planned, actual, one.marks.get(x, "")]

    def text(self) -> str:
        """The table as CSV."""
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["name", "update", "planned", "actual", "event"])
        table.writerows(self.rows())
        return out.getvalue()

    def write(self, path: Path) -> None:
        """Write the table, in one piece.

        Raises:
            OSError: where that cannot be; a file that was there is as it was.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_text(self.text(), encoding="utf-8")
        new.replace(path)

    def picture(self, title: str = "") -> Picture:
        """The rates that were planned and those that were, one above the other where they differ."""
        panels: dict[str, list[Line]] = {}
        for one in self.series:
            lines = panels.setdefault(one.name.split("/")[0], [])
            lines += _lines(one, len(self.series) > 1, len(lines))
        shown = tuple(Panel(name, tuple(lines)) for name, lines in panels.items())
        end = max((one.end for one in self.series), default=0)
        horizons = [track.asked.horizon for track in self.driver.tracks if track.asked.horizon is not None][:1]
        return Picture(shown, "update", end, title, epochs=epoch_knots(horizons, [end]) if horizons else ())


def _lines(one: Series, several: bool, style: int) -> Iterator[Line]:
    """The plan, dashed, above what was held."""
    of = f" {one.name.partition('/')[2]}" if several else ""
    there = ~np.isnan(one.planned)
    if there.any():
        planned = one.x[there].tolist(), one.planned[there].tolist()
        yield Line(f"planned{of}", *planned, one.end, style=style + 1, thinned=one.thinned)
    line = Line(f"actual{of}", one.x.tolist(), one.actual.tolist(), one.end, style=style, thinned=one.thinned)
    yield replace(line, marks=tuple(Mark(at, line.at(at), word) for at, word in sorted(one.marks.items())))
