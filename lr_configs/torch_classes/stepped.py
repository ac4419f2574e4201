"""A scheduler class of somebody else, stepped as it is, with what a driver asks of a schedule of ours."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from lr_configs.errors import SchedulerConfigError
from lr_configs.own import SteppedConfig
from lr_configs.slots import slots_of
from lr_configs.torch_classes import state as states
from lr_configs.torch_classes.base import CurveScheduler
from lr_configs.torch_classes.order import order_is_known
from lr_configs.torch_classes.verbose import announce


class SteppedScheduler(CurveScheduler):
    """In front of the class that is stepped: its steps, its state, its rates.

    There is no curve: the rates of another step are not known before it is made. Going back is going on from the
    beginning.
    """

    schedule: type[SteppedConfig]
    multiplies = False
    curve: Any = None
    beginning: tuple[dict[str, Any], list[float]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.follows_curve = False

    def __init__(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        if not self.schedule.takes_last_epoch:
            kwargs.pop("last_epoch", None)
        self._theirs("__init__")(optimizer, *args, **kwargs)
        self.beginning = copy.deepcopy(self.state_dict()), self.held()

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _theirs(self, name: str) -> Any:
        """The method of the class that is stepped."""
        return getattr(super(CurveScheduler, self), name)

    def _initial_step(self) -> None:
        self._theirs("_initial_step")()

    @property
    def is_stage(self) -> bool:
        """Never."""
        return False

    def get_lr(self) -> list[Any]:
        """The class's own rule."""
        return self._theirs("get_lr")()  # type: ignore[no-any-return]

    def _get_closed_form_lr(self) -> list[float]:
        return self._theirs("_get_closed_form_lr")()  # type: ignore[no-any-return]

    # ---------------------------------------------------------------- stepping

    def step(self, *args: Any, **kwargs: Any) -> None:
        """The class's own."""
        if self.gate is None or self.gate(self):
            self._theirs("step")(*args, **kwargs)

    def advance(self) -> None:
        """One step of the class's own, by whoever drives this schedule."""
        before = self.held()
        order_is_known(self.optimizer)
        self._theirs("step")()
        if self.verbose:
            announce(self, before)

    def go(self, t: float) -> None:
        """Step up to `t`; backwards, from the beginning again, with what hand edits have made of it."""
        if t < self.position:
            now, held, first = self.position, self.held(), self.beginning[1]
            self._step_anew(first, now)
            edits = [rate / own if own else 1.0 for rate, own in zip(held, self.held(), strict=True)]
            self._step_anew([rate * edit for rate, edit in zip(first, edits, strict=False)], t)
        while self.position < math.floor(t):
            self.advance()

    def _step_anew(self, rates: list[float], t: float) -> None:
        """From the beginning, with these rates, up to `t`."""
        self._theirs("load_state_dict")(copy.deepcopy(self.beginning[0]))
        self.put(rates)
        order_is_known(self.optimizer)
        while self.position < math.floor(t):
            self._theirs("step")()

    def held(self) -> list[float]:
        """What the groups hold now."""
        return [float(group["lr"]) for group in self.groups]

    def rates_at(self, t: float) -> list[float]:
        """What the groups hold: the rates of another step are not known."""
        return self.held()

    def put(self, rates: list[float]) -> None:
        """Write rates; groups beyond the list go along with the first one."""
        for i, (group, slot) in enumerate(zip(self.groups, slots_of(self.groups), strict=True)):
            rate = rates[i] if i < len(rates) else rates[0]
            if slot is None:
                group["lr"] = rate
            else:
                slot.write(rate)

    # ---------------------------------------------------------------- states

    def state_dict(self) -> dict[str, Any]:
        """The class's own."""
        return {k: v for k, v in self._theirs("state_dict")().items() if k not in states.OURS and k != "beginning"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The class's own."""
        self._theirs("load_state_dict")(state_dict)

    def restore(self, state: Any, position: float) -> None:
        """Go on from the state of a checkpoint; the rates are the optimizer's own.

        Raises:
            SchedulerConfigError: where it is damaged.
        """
        try:
            self.load_state_dict(state)
        except Exception as error:  # whatever the class raises
            raise states.damaged("lr_schedulers", state, f"it cannot be read ({error})") from None
        if self.position != math.floor(position):  # a stretched clock stands between two steps of the class
            raise states.damaged("lr_schedulers", state, f"it is at step {self.position}, the run at {position}")


def stepped(config: type[SteppedConfig]) -> Any:
    """The class that steps another one.

    Raises:
        SchedulerConfigError: for a class that cannot be extended.
    """
    own: dict[str, Callable[..., Any] | Any] = {
        "__doc__": config.__doc__,
        "__module__": "lr_configs.schedulers",
        "schedule": config,
    }
    try:
        return type(config.torch_name, (SteppedScheduler, config.wraps), own)
    except TypeError as error:
        raise SchedulerConfigError("name", config.torch_name, f"its class cannot be stepped: {error}", "") from None
