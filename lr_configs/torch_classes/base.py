"""What every drop-in class has in front of its torch class: the interface is torch's, the rates are the curve's."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor
from torch.optim import lr_scheduler

from lr_configs.config import Parameters, SchedulerConfig
from lr_configs.curve_tree import Curve, Leaf, surround
from lr_configs.errors import SchedulerConfigError
from lr_configs.torch_classes import state as states
from lr_configs.torch_classes.order import check_order
from lr_configs.torch_classes.proxy import Proxy
from lr_configs.torch_classes.verbose import announce
from lr_configs.writer import Writer

if TYPE_CHECKING:
    from lr_configs.plan import Plan

#: what torch's recurrences may have drifted by in a checkpoint
DRIFT = 1e-4
#: attributes that no curve depends on
_BOOKKEEPING = frozenset(
    {
        "optimizer", "last_epoch", "_step_count", "_last_lr", "_get_lr_called_within_step", "_is_initial", "fraction",
        "plan", "curve", "leaf", "writer", "param", "view", "gate", "printer",
    }
)  # fmt: skip
#: lists with one value per group, which the curve extends in place
_PER_GROUP = frozenset({"base_lrs", "max_lrs", "base_momentums", "max_momentums"})


class CurveScheduler:
    """Makes the torch scheduler that follows it in the bases a pure function of the step.

    ``step()`` evaluates a curve and writes it; hand edits of the groups, groups that join later, tensors and warmup are the
    writer's and the curve's affair. An instance has torch's attributes and ``state_dict`` keys; parameters that are set on it
    take effect.

    Attributes:
        plan: the resolved schedule, where it was built from a config.
        curve: its curve.
        leaf: the part of it that is the schedule itself, without warmup and hold.
        writer: what writes it; None for a stage, which the schedule around it drives.
        param: the hyper-parameter that is driven.
        view: the optimizer seen through that hyper-parameter, where it is not the rate.
        gate: asked when somebody calls :meth:`step`; where it returns False, that call does nothing.
        printer: takes the lines of `verbose`.
    """

    schedule: ClassVar[type[SchedulerConfig]]
    #: a new scheduler continues from a rate that is no longer the initial one, as torch's recurrence does
    multiplies: ClassVar[bool] = True
    #: keys of a ``state_dict`` without which it is another class's
    needs: ClassVar[tuple[str, ...]] = ()
    #: whether get_lr is ours: a user's own rule must get torch's step
    follows_curve: ClassVar[bool] = True

    optimizer: Any
    base_lrs: list[float]
    last_epoch: Any
    _step_count: int

    plan: Plan | None = None
    curve: Curve
    leaf: Leaf
    writer: Writer | None = None
    param: str = "lr"
    view: Any = None
    gate: Callable[[Any], bool] | None = None
    printer: Callable[[str], None] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        ours = (CurveScheduler.get_lr, CurveScheduler._get_closed_form_lr)
        cls.follows_curve = (cls.get_lr, cls._get_closed_form_lr) == ours

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name == "gate" and self.writer is not None:
            self.writer.alone = False
        elif name not in _BOOKKEEPING and "leaf" in self.__dict__:
            self.rebind()

    # ---------------------------------------------------------------- building

    @property
    def groups(self) -> list[Any]:
        """The parameter groups, with `lr` standing for the hyper-parameter that is driven."""
        return (self.optimizer if self.view is None else self.view).param_groups  # type: ignore[no-any-return]

    @property
    def is_stage(self) -> bool:
        """Whether a schedule around this one drives it."""
        return self.writer is None

    @property
    def verbose(self) -> bool:
        """Whether a line is printed at every change."""
        return self.plan is not None and self.plan.config.verbose and not self.is_stage

    def parameters(self) -> dict[str, Any]:
        """What the formula reads, out of torch's attributes; lists with one value per group are the very same ones."""
        fields = self.schedule.__dataclass_fields__
        found = {key: fields[key].default for key in self.schedule.beyond_torch}
        found |= {key: getattr(self, key) for key in fields if key in self.__dict__}
        return {**found, "base_lrs": self.base_lrs}

    def make_curve(self) -> Curve:
        """The curve of this scheduler, with what its plan puts around it."""
        self.leaf = leaf = Leaf(self.schedule, Parameters(**self.parameters()))
        return leaf if self.plan is None else surround(leaf, self.plan)

    def rebind(self) -> None:
        """Parameters have changed: let the curve follow."""
        self.leaf.p.__dict__.update(self.parameters())
        self.leaf.rebind()

    def _initial_step(self) -> None:
        if not self.follows_curve:
            super()._initial_step()  # type: ignore[misc]
            return
        self._step_count = 0
        self._get_lr_called_within_step = False
        self._is_initial = True
        self.step()  # as torch does, where somebody counts the calls
        self._is_initial = False

    def begin(self, started_at: int = -1) -> None:
        """Take over the optimizer's rates and write the first ones.

        Args:
            started_at: torch's `last_epoch`: -1 for a fresh start, else the step behind which it goes on.
        """
        self.become_curve()
        self.writer = writer = Writer(self.optimizer, self.curve)
        held = writer.held()
        if started_at >= 0:
            writer.scales = self._scales_by_hand(held, started_at)
        elif self.multiplies:
            initial = [float(group.get("initial_lr", group["lr"])) for group in self.groups]
            writer.scales = [
                r / i if i and not math.isclose(r, i, rel_tol=1e-13) else 1.0
                for r, i in zip(held, initial, strict=True)
            ]
        writer.write(self.last_epoch)
        if self.verbose:
            announce(self, held)

    def become_curve(self) -> None:
        """Make the curve; a stage is no more than that."""
        self.base_lrs = [float(base) for base in self.base_lrs]
        self.curve = self.make_curve()
        self.writer = None

    def _scales_by_hand(self, held: list[float], t: int) -> list[float]:
        """The optimizer holds the rates of step `t + 1`, or of `t`, or its base ones; everything else is an edit of the first."""
        known = [self.curve.rates(t + 1), self.curve.rates(t), self.group_bases()]
        return [
            rate / expected[0]
            if expected[0] and not any(math.isclose(rate, one, rel_tol=DRIFT) for one in expected)
            else 1.0
            for rate, *expected in zip(held, *known, strict=True)
        ]

    def group_bases(self) -> list[float]:
        """The groups' own rates."""
        return list(self.base_lrs)

    # ---------------------------------------------------------------- stepping

    @property
    def position(self) -> float:
        """The step that the rates are of."""
        return float(self.last_epoch) if self.last_epoch % 1 else int(self.last_epoch)

    def step(self, epoch: Any = None) -> None:
        """Advance by one step, or to step `epoch` (any step, in constant time)."""
        own, writer = self.__dict__, self.writer
        if epoch is None and writer is not None and writer.alone:
            own["_step_count"] += 1
            own["last_epoch"] = t = own["last_epoch"] + 1
            writer.move(t)
            return
        self._step_fully(epoch)

    def _step_fully(self, epoch: Any) -> None:
        if not self.follows_curve:
            super().step(epoch)  # type: ignore[misc]
            return
        if self._is_initial:
            self.last_epoch += 1
            self._step_count += 1
            self.begin(self.last_epoch - 1)
            return
        if self.gate is not None and not self.gate(self):
            return
        if self._step_count == 1:
            self.check_order()
        self._step_count += 1
        if epoch is not None:
            self.warn_epoch()
        self.go(self.position + 1 if epoch is None else epoch)
        if self.writer is not None:
            self.writer.alone = self.gate is None and not self.verbose and self.steps_plainly()

    def steps_plainly(self) -> bool:
        """Whether a step is no more than a move of the writer."""
        return True

    def check_order(self) -> None:
        """Torch's warnings where the optimizer has not stepped yet."""
        if self.param == "lr":  # the order of the calls is the rate's affair
            check_order(self.optimizer, 5)

    def warn_epoch(self) -> None:
        """Torch's warning where `step` is given an epoch."""
        warnings.warn(lr_scheduler.EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=4)

    def advance(self) -> None:
        """One step, by whoever drives this schedule: no warning, and nobody is asked."""
        self._step_count += 1
        self.go(self.position + 1)

    def jump(self, t: float) -> None:
        """Go to step `t`, forwards or backwards, in constant time and without a warning; `t` may lie between steps."""
        self.go(t)

    def go(self, t: float) -> None:
        """Write the rates of step `t`, and say what changes."""
        self.last_epoch = t
        writer = self.writer
        assert writer is not None, "a stage is driven by the schedule around it"
        before = writer.held() if self.verbose else []
        writer.move(t)
        if self.verbose:
            announce(self, before)

    # ---------------------------------------------------------------- what a driver asks

    @property
    def metric_driven(self) -> bool:
        """Whether values of a metric change the rates."""
        return False

    def rates_at(self, t: float) -> list[float]:
        """The rates of step `t`, one per group, hand edits included; nothing is written."""
        if self.writer is None:
            return self.curve.rates(t)
        self.writer.settle()  # groups may have joined since the last step
        return self.writer.rates_at(t)

    def held(self) -> list[float]:
        """What the groups hold now."""
        return [] if self.writer is None else self.writer.held()

    def place(self, t: float) -> None:
        """This is a stage, at its own step `t`."""
        self.last_epoch = t
        self._step_count = int(t) + 1

    def put(self, rates: list[float]) -> None:
        """Write rates that no curve gives; groups beyond the list go along with the first one."""
        before = self.held()
        if self.writer is not None:
            self.writer.put(rates)
        if self.verbose:
            announce(self, before)

    def react(self, value: Any) -> None:
        """A new value of the metric: nothing here follows one."""

    # ---------------------------------------------------------------- torch's interface

    def get_lr(self) -> list[Any]:
        """The rates of the present step."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=2,
            )
        return self.rates_at(self.position)

    def _get_closed_form_lr(self) -> list[float]:
        return self.curve.rates(self.position)

    @property
    def _last_lr(self) -> list[Any]:
        # Read when it is asked for, not at every step.
        if not self.follows_curve:
            return self.__dict__["_last_lr"]  # type: ignore[no-any-return]
        if self.is_stage and isinstance(self.optimizer, Proxy):
            return self.curve.rates(max(self.position, 0))
        rates = (group["lr"] for group in self.groups)
        return [lr.clone() if isinstance(lr, Tensor) else lr for lr in rates]

    @_last_lr.setter
    def _last_lr(self, value: list[Any]) -> None:
        if not self.follows_curve:
            self.__dict__["_last_lr"] = value

    def torch_state(self) -> dict[str, Any]:
        """The entries that torch's class has in its state, without `_last_lr`."""
        own = super().state_dict()  # type: ignore[misc]
        return {k: list(v) if k in _PER_GROUP else v for k, v in own.items() if k not in states.OURS}

    def state_dict(self) -> dict[str, Any]:
        """Torch's keys; one more, ``_lr_configs``, where there is something to remember that torch's class has no place for."""
        if not self.follows_curve:
            own = super().state_dict()  # type: ignore[misc]
            return {k: v for k, v in own.items() if k not in states.OURS}
        if self.writer is not None:
            self.writer.settle()
        state = self.torch_state()
        state["_last_lr"] = list(self._last_lr)
        extra = self.extra_state()
        if extra:
            state["_lr_configs"] = {**extra, "rates": [float(lr) for lr in state["_last_lr"]], "step": self.position}
        return state

    def extra_state(self) -> dict[str, Any]:
        """What torch's class has no place for: hand edits, late groups, rates that are not the curve's."""
        return states.of_writer(self.writer)

    def load_torch_state(self, state: dict[str, Any]) -> None:
        """Take over torch's entries of a state."""
        for key in self.schedule.beyond_torch:  # a state that has none is of a schedule without it
            self.__dict__.pop(key, None)
        super().load_state_dict(state)  # type: ignore[misc]
        self.__dict__["base_lrs"] = [float(base) for base in self.base_lrs]

    def load_extra(self, extra: dict[str, Any]) -> None:
        """Take over what :meth:`extra_state` gave."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of this class or of torch's, and write the rates that belong to it.

        The optimizer's own state may be loaded before or after.

        Raises:
            ValueError: for the state of another class, or a damaged one.
        """
        if not self.follows_curve:
            super().load_state_dict(state_dict)  # type: ignore[misc]
            return
        states.check(self, state_dict)
        state = states.copied(state_dict)
        extra, last = state.pop("_lr_configs", {}), state.pop("_last_lr", None)
        self.load_torch_state(state)
        self.load_extra(extra)
        self.rebind()
        if self.writer is not None:
            states.write_loaded(self, self.writer, last, extra)

    def restore(self, state: Any, position: float) -> None:
        """Go on exactly where a checkpoint was, at step `position`.

        Only what nothing else knows is taken from `state`: hand edits, late groups, the counters of a metric. The
        rest is compared with this schedule.

        Raises:
            SchedulerConfigError: where it is damaged, or another schedule's.
        """
        if self.position != position:  # a jump ends the arrival of late groups
            self.jump(position)
        try:
            states.compare(self.state_dict(), state, type(self).__name__)
            self.load_state_dict(state)
        except SchedulerConfigError:
            raise
        except Exception as error:  # whatever a damaged state raises
            raise states.damaged("lr_schedulers", state, f"it cannot be read ({error})") from None
        if self.writer is not None and not self.writer.off_curve and self.position != position:
            self.jump(position)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("printer", "gate")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
