"""How the rates of one set of ends are computed and written: once for groups that share them, without a look at the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lr_configs.curve_tree import Weights
from lr_configs.slots import Slot

#: up to so many distinct rates are written bucket by bucket
_BUCKETS = 8


class Layout:
    """How the rates of one set of ends are computed and written.

    Args:
        groups: the parameter groups.
        *columns: the ends, edits included: a list with one number per group for each end.
        slots: the tensors among the rates.
        alone: every group has a weight of its own.

    Attributes:
        rows: for each group, which of the distinct rates it has.
        columns: the ends of the distinct rates.
        count: number of groups.
        groups: the groups as they were.
        listed: the optimizer's own list of groups, of which loading a state makes another.
        single: the one end, or the two ends, that all groups share; None where it is not as simple.
    """

    def __init__(
        self, groups: list[Any], *columns: list[float], slots: list[Slot | None] | None = None, alone: bool = False
    ) -> None:
        self.count = len(groups)
        self.slots = slots or []
        table: dict[Any, int] = {}
        keys = list(zip(*columns, strict=True)) if len(columns) > 1 else columns[0]
        self.rows = [table.setdefault(key, len(table)) for key in keys] if not alone else list(range(self.count))
        bucketed = not alone and (len(table) == 1 or (len(table) <= _BUCKETS and 4 * len(table) <= self.count))
        if not bucketed:
            self.rows = list(range(self.count))
            self.columns: tuple[list[float], ...] = columns
        elif len(columns) > 1:
            self.columns = tuple(list(column) for column in zip(*table, strict=True))
        else:
            self.columns = (list(table),)
        self.groups, self.listed = list(groups), groups
        self._buckets: list[list[Any]] = []
        self._tensors: list[Slot] = []
        self.single: Any = None
        self.write: Callable[[list[Any], list[float], list[float]], bool] = self._chosen(len(table) if bucketed else 0)

    @classmethod
    def known(cls, rows: list[int], columns: tuple[list[float], ...]) -> Layout:
        """One that compares, and writes nothing before it is made anew."""
        made = cls([], [1.0])
        made.rows, made.columns, made.count = rows, columns, len(rows)
        made.write = _never
        made.single = None
        return made

    def _chosen(self, distinct: int) -> Callable[[list[Any], list[float], list[float]], bool]:
        if any(slot is not None for slot in self.slots):
            own = self._tensors = [slot for slot in self.slots if slot is not None and slot.quick]
            each = len(own) == self.count == len({id(slot) for slot in own})
            return self._write_tensors if each else _never
        if not self.count:
            return _never
        if distinct == 1:
            row = tuple([column[0] for column in self.columns])
            self.single = row[0] if len(row) == 1 else row if len(row) < 4 else None
            return _write_one
        if distinct:
            self._buckets = [
                [g for g, row in zip(self.groups, self.rows, strict=True) if row == k] for k in range(distinct)
            ]
            return self._write_buckets
        return _write_each

    def values(self, weights: Weights) -> list[float]:
        """The distinct rates."""
        columns = self.columns
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

    def _write_buckets(self, groups: list[Any], old: list[float], new: list[float]) -> bool:
        # Dictionaries that are exchanged within the list are looked for at both ends of it.
        known = self.groups
        if groups[0] is not known[0] or groups[-1] is not known[-1] or not _same(groups, known):
            return False
        for bucket, was, value in zip(self._buckets, old, new):  # noqa: B905 - made together
            for group in bucket:
                if group["lr"] is not was:
                    return False
                group["lr"] = value
        return True

    def _write_tensors(self, groups: list[Any], old: list[float], new: list[float]) -> bool:
        for group, slot, row in zip(groups, self._tensors, self.rows):  # noqa: B905
            tensor, view = slot.tensor, slot.view
            if group["lr"] is not tensor or tensor.data_ptr() != slot.address or view[0] != slot.seen:
                return False
            view[0] = new[row]
            slot.seen = view[0]
        return True


def _same(groups: list[Any], known: list[Any]) -> bool:
    """Whether the dictionaries are the known ones, which a list compares by identity first."""
    try:
        return groups == known
    except (RuntimeError, ValueError):  # others hold tensors, which have no one truth
        return False


def _never(groups: list[Any], old: list[float], new: list[float]) -> bool:
    return False


def _write_one(groups: list[Any], old: list[float], new: list[float]) -> bool:
    was, value = old[0], new[0]
    for group in groups:
        if group["lr"] is not was:
            return False
        group["lr"] = value
    return True


def _write_each(groups: list[Any], old: list[float], new: list[float]) -> bool:
    for group, was, value in zip(groups, old, new):  # noqa: B905 - counted before
        if group["lr"] is not was:
            return False
        group["lr"] = value
    return True
