"""How the rates of one set of ends are computed and written: once for groups that share them, without a look at the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lr_configs.curve_tree import Weights
from lr_configs.slots import Slot

#: groups that share few rates are written bucket by bucket: up to so many rates, or so many groups for each
_FEW, _SHARERS = 8, 3


class Layout:
    """How the rates of one set of ends are computed and written.

    What was written is known by its weights. Groups with equal ends share one float object, so that a look at its identity
    tells whether it is still there; the others are compared with what they should hold.

    Args:
        groups: the parameter groups.
        *columns: the ends, edits included: a list with one number per group for each end.
        slots: the tensors among the rates.
        kind: of the weights: numbers, tuples with one for each end, or lists with one for each group.

    Attributes:
        kind: see above.
        rows: for each group, which of the distinct rates it has.
        columns: the ends of the distinct rates.
        count: number of groups.
        last: the last group as it was.
        listed: the optimizer's own list of groups, of which loading a state makes another.
        single: the one end, or the two or three ends, that all groups share; None where it is not as simple.
        write: write the rates of new weights where the groups hold those of old ones, as ``write(groups, old, new)``; returns
            False where one holds something else, and then nothing is changed, but for tensors, which know what they hold.
    """

    def __init__(
        self, groups: list[Any], *columns: list[float], slots: list[Slot | None] | None = None, kind: type = float
    ) -> None:
        self.count, self.kind = len(groups), kind
        self.slots = slots or []
        table: dict[Any, int] = {}
        keys = list(zip(*columns, strict=True)) if len(columns) > 1 else columns[0]
        self.rows = [table.setdefault(key, len(table)) for key in keys] if kind is not list else list(range(self.count))
        distinct = len(table)
        bucketed = distinct > 0 and (distinct <= _FEW or _SHARERS * distinct <= self.count)
        if not bucketed:
            self.rows = list(range(self.count))
            self.columns: tuple[list[float], ...] = columns
        elif len(columns) > 1:
            self.columns = tuple(list(column) for column in zip(*table, strict=True))
        else:
            self.columns = (list(table),)
        self._groups, self.listed = list(groups), groups
        self.last = groups[-1] if groups else None
        self.single: Any = None
        self._shared: Any = None  # the object that they hold
        self._records: list[Any] = []  # for each rate: its groups, its first end, and the object that they hold
        self._tensors: list[Slot] = []
        self.write: Callable[[list[Any], Weights, Weights], bool] = self._chosen(distinct if bucketed else 0)

    @classmethod
    def known(cls, rows: list[int], columns: tuple[list[float], ...]) -> Layout:
        """One that compares, and writes nothing before it is made anew."""
        made = cls([], [1.0])
        made.rows, made.columns, made.count = rows, columns, len(rows)
        return made

    def _chosen(self, distinct: int) -> Callable[[list[Any], Weights, Weights], bool]:
        columns = self.columns
        if any(slot is not None for slot in self.slots):
            own = self._tensors = [slot for slot in self.slots if slot is not None and slot.quick]
            each = len(own) == self.count == len({id(slot) for slot in own})
            return self._write_tensors if each else _never
        if not self.count:
            return _never
        if distinct == 1 and len(columns) < 4:
            self.single = columns[0][0] if len(columns) == 1 else tuple([column[0] for column in columns])
            return self._write_one
        if distinct:
            self._records = [[[], end, None] for end in columns[0]]
            for group, row in zip(self._groups, self.rows, strict=True):
                self._records[row][0].append(group)
            return self._write_buckets
        return self._write_factors if len(columns) == 1 and self.kind is not list else self._write_each

    def values(self, weights: Weights) -> list[float]:
        """The distinct rates."""
        columns = self.columns
        if weights.__class__ is float:
            return [weights * e for e in columns[0]]
        if weights.__class__ is tuple:
            if len(columns) == 2:
                x, y = weights
                return [x * a + y * b for a, b in zip(*columns)]  # noqa: B905 - columns of one table
            if len(columns) == 3:
                x, y, z = weights
                return [x * a + y * b + z * c for a, b, c in zip(*columns)]  # noqa: B905
            return [sum([w * e for w, e in zip(weights, row)]) for row in zip(*columns)]  # noqa: B905
        if weights.__class__ is list:
            return [w * e for w, e in zip(weights, columns[0])]  # noqa: B905
        return [weights * e for e in columns[0]]

    def hold(self, values: list[float]) -> None:
        """The groups now hold these very objects, one for each of the distinct rates."""
        if self.single is not None:
            self._shared = values[0]
        for record, value in zip(self._records, values, strict=False):
            record[2] = value

    # ---------------------------------------------------------------- writing

    def _write_one(self, groups: list[Any], old: Weights, new: Weights) -> bool:
        row, held = self.single, self._shared
        if new.__class__ is tuple:
            value = new[0] * row[0] + new[1] * row[1]
            if len(new) > 2:
                value += new[2] * row[2]
        else:
            value = new * row
        done = False
        try:
            for group in groups:
                if group["lr"] is not held:
                    break
                group["lr"] = value
            else:
                self._shared, done = value, True
        finally:  # also where it is interrupted
            if not done:
                _replace(groups, value, held)
        return done

    def _write_buckets(self, groups: list[Any], old: Weights, new: Weights) -> bool:
        coming = iter(self.values(new)) if new.__class__ is tuple else None
        done = False
        try:
            for record in self._records:
                bucket, end, held = record
                record[2] = value = new * end if coming is None else next(coming)
                for group in bucket:
                    if group["lr"] is not held:
                        break
                    group["lr"] = value
                else:
                    continue
                break
            else:
                done = _same(groups, self._groups)
        finally:
            if not done:
                for record, value in zip(self._records, self.values(old), strict=True):
                    _replace(record[0], record[2], value)
                    record[2] = value
        return done

    def _write_factors(self, groups: list[Any], old: Weights, new: Weights) -> bool:
        done, other = False, None
        try:
            for group, end in zip(groups, self.columns[0]):  # noqa: B905 - counted before
                if (group["lr"] == old * end) is not True:  # a tensor's answer would be a tensor
                    other = group
                    break
                group["lr"] = new * end
            else:
                done = True
        finally:
            if not done:
                self._put_back(groups, other, old, new)
        return done

    def _write_each(self, groups: list[Any], old: Weights, new: Weights) -> bool:
        done, other = False, None
        try:
            for group, held, value in zip(groups, self.values(old), self.values(new), strict=True):
                if (group["lr"] == held) is not True:
                    other = group
                    break
                group["lr"] = value
            else:
                done = True
        finally:
            if not done:
                self._put_back(groups, other, old, new)
        return done

    def _put_back(self, groups: list[Any], other: Any, old: Weights, new: Weights) -> None:
        """Undo a write that came as far as `other`, or was interrupted."""
        for group, held, value in zip(groups, self.values(old), self.values(new), strict=True):
            if group is other or (group["lr"] == value) is not True:
                break
            group["lr"] = held

    def _write_tensors(self, groups: list[Any], old: Weights, new: Weights) -> bool:
        values = self.values(new)
        for group, slot, row in zip(groups, self._tensors, self.rows):  # noqa: B905
            tensor, view = slot.tensor, slot.view
            if group["lr"] is not tensor or tensor.data_ptr() != slot.address or view[0] != slot.seen:
                return False
            view[0] = values[row]
            slot.seen = view[0]
        return True


def _replace(groups: list[Any], value: float, held: Any) -> None:
    """Undo what was written of a write that has not been finished."""
    for group in groups:
        if group["lr"] is value:
            group["lr"] = held


def _same(groups: list[Any], known: list[Any]) -> bool:
    """Whether the dictionaries are the known ones, which a list compares by identity first; a copy has not the new rate."""
    try:
        return groups == known
    except (RuntimeError, ValueError):  # others hold tensors, which have no one truth
        return False


def _never(groups: list[Any], old: Weights, new: Weights) -> bool:
    return False
