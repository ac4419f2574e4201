"""When schedules advance: clocks, metrics, early endings, and going on from checkpoints.

A :class:`Driver` counts the updates that optimizers make, is told when an epoch has ended and when a metric has a new
value, and moves its schedules. It computes no rate, and knows of the run what :class:`lr_configs.run.Run` tells::

    driver = Driver(PlainRun(Horizon(epochs=4, steps_per_epoch=50)))
    driver.drive({"name": "cosine", "warmup": "10%"}, optimizer)
    if checkpoint:
        driver.load(checkpoint["schedule"])
        optimizer.load_state_dict(checkpoint["optimizer"])
    driver.start()
    for epoch in range(driver.epoch + 1, 4):
        for batch in loader:
            ...
            optimizer.step()                  # the schedules advance by themselves
        driver.end_epoch(epoch)
        checkpoint = {"optimizer": optimizer.state_dict(), "schedule": driver.save()}
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from torch.optim import Optimizer

from lr_configs import optimizers, report, resume
from lr_configs.builder import build_plan
from lr_configs.config import SchedulerConfig
from lr_configs.errors import SchedulerConfigError
from lr_configs.optimizer_keys import check_apart
from lr_configs.plan import Plan, resolve
from lr_configs.registry import parse
from lr_configs.report import Facts
from lr_configs.rest import Made
from lr_configs.resume import Asked, Continue, Data, Decision, Place, Restart, Saved
from lr_configs.run import Run, in_whole
from lr_configs.track import Track, check_ending


class Driver:
    """Moves the schedules of a run.

    Args:
        run: the run.
        resume: what to do where a checkpoint's schedule is another one than this run asks for: ``strict`` refuses,
            ``keep`` goes on with the old one and holds its last rate, ``stretch`` spreads what was left of it over what is
            left of the run, ``restart`` begins the new one.

    Attributes:
        tracks: the schedules at work.
        epoch: index of the last epoch that has ended, -1 before.
        resuming: whether it goes on from a checkpoint.
        running: between :meth:`start` and :meth:`close`.
    """

    def __init__(self, run: Run, resume: str = "strict") -> None:
        self.run, self.resume = run, resume
        self.tracks: list[Track] = []
        self.epoch = -1
        self.resuming = False
        self._groups: dict[int, list[optimizers.Group]] = {}  # of every optimizer, as it was before any schedule
        self._decisions: dict[str, Decision] = {}
        self._loaded: tuple[Any, list[Any]] | None = None
        self._requested: tuple[Any, str] | None = None
        self._hooks: list[optimizers.Handle] = []
        self._lost: list[tuple[int, int, int]] = []  # where the trainer has lost its place
        self._overrun: set[str] = set()  # schedules of which it has been said
        self.running = False

    # -------------------------------------------------------------------------------- schedules

    def remember(self, optimizer: Optimizer, groups: list[optimizers.Group] | None = None) -> None:
        """Keep what the groups of an optimizer are before any schedule writes into them."""
        self._groups.setdefault(id(optimizer), optimizers.groups_of(optimizer) if groups is None else groups)

    def drive(self, scheduler: Any, optimizer: Optimizer, key: str = "0") -> Any:
        """Build a schedule on an optimizer, and drive it.

        Args:
            scheduler: a composed node, a dict, a config object, or the name of a schedule.
            optimizer: the optimizer, in the state that it was made in.
            key: a name for the optimizer, where there are several.

        Returns:
            The scheduler.

        Raises:
            SchedulerConfigError: where the schedule does not fit the run or the optimizer.
        """
        config = parse(scheduler)
        self._check_apart(config, optimizer, key)
        self.remember(optimizer)
        plan = self.run.resolve(config, key=key, optimizer=optimizer)
        built = build_plan(plan, optimizer, printer=self.run.say)
        self._add(key, optimizer, built, plan)
        return built

    def adopt(self, scheduler: Any, key: str = "0") -> None:
        """Drive a scheduler of ours that is built already, by its own plan."""
        self._check_apart(scheduler.plan.config, scheduler.optimizer, key)
        self.remember(scheduler.optimizer)
        self._add(key, scheduler.optimizer, scheduler, scheduler.plan)

    def _check_apart(self, config: SchedulerConfig, optimizer: Optimizer, key: str) -> None:
        there = [track.plan.config for track in self.tracks if track.optimizer is optimizer]
        check_apart("schedulers", config.name, config, [(one.name, one) for one in there], key)

    def _add(self, key: str, optimizer: Optimizer, scheduler: Any, plan: Plan) -> None:
        bases = tuple(optimizers.base_rates(self._groups[id(optimizer)], plan.config.param))
        self.tracks.append(Track(key, optimizer, scheduler, Asked(plan, bases, ()), self.run))

    # -------------------------------------------------------------------------------- going on

    def load(self, state: Any, schedulers: Iterable[Any] | None = None, *, step: int | None = None) -> None:
        """Decide how to go on from a checkpoint; the optimizers are restored after this, and :meth:`start` comes last.

        Args:
            state: what :meth:`save` gave, or :meth:`state_dict` alone; None for a checkpoint without it.
            schedulers: the states of its schedulers, where they were kept apart.
            step: the run's step at the checkpoint, for errors.

        Raises:
            SchedulerConfigError: where it is refused, before anything is changed.
        """
        if schedulers is None and isinstance(state, dict) and "schedulers" in state:
            state, schedulers = state.get("driver"), state["schedulers"]
        self.resuming, self._loaded = True, (state, list(schedulers or ()))
        self._know_the_whole_run()
        saved, content = _read(state, step)
        asked = {track.name: track.asked for track in self.tracks}
        self._decisions = resume.decide_all(saved, asked, self.resume)
        for track in self.tracks:
            decision = self._decisions[track.name]
            if isinstance(decision, Continue):
                self._take_over(track, decision)
                track.check_state(decision.saved, self._scheduler_state(decision.saved))
        if content is None or not isinstance(saved, dict):
            return
        self.epoch = content["epoch"]
        if any(isinstance(decision, Continue) for decision in self._decisions.values()):
            self._requested = content["requested"] and tuple(content["requested"])
        for track in self.tracks:
            if track.name in saved:
                track.updates, track.epoch_updates = saved[track.name].updates, saved[track.name].epoch_updates

    def _take_over(self, track: Track, decision: Continue) -> None:
        if decision.rebuild:
            self._put_back(track)
            bases = [*decision.bases, *track.asked.bases[len(decision.bases) :]][: len(track.optimizer.param_groups)]
            scheduler = build_plan(decision.plan, track.optimizer, printer=_say_nothing, bases=bases)
            self.run.exchange(track.scheduler, scheduler)
            track.begin(scheduler, decision.plan, decision.bases, decision.end)

    def _put_back(self, track: Track) -> None:
        params = {track.plan.config.param, track.asked.plan.config.param}
        if "lr" in params:  # the checkpoint may have driven what this run leaves alone
            params |= resume.params(self._loaded[0] if self._loaded else None, track.key)
        beside = [one for one in self.tracks if one.optimizer is track.optimizer and one is not track]
        others = set().union(*(one.plan.config.drives for one in beside))
        optimizers.put_back(track.optimizer, self._groups[id(track.optimizer)], params, others)

    def start(self, updates: int = 0, epochs: int = 0) -> None:
        """Begin, over what remains of the run where it has no checkpoint; or go on: everything else is restored.

        Args:
            updates: that the run has made with each optimizer, where no checkpoint of ours tells.
            epochs: that have ended.

        Raises:
            SchedulerConfigError: where the schedule does not fit the run, or the checkpoint is damaged.
        """
        if not self.resuming:
            self._know_the_whole_run()
            if updates or epochs:
                self._decisions = {track.name: Restart() for track in self.tracks}
        self.epoch = self.epoch if self.epoch >= 0 else epochs - 1
        decided = [(track, self._decisions.get(track.name)) for track in self.tracks]
        for track, decision in decided:
            if isinstance(decision, (Restart, Place)):
                self._begin_again(track, decision, updates)
        for track, decision in decided:
            if isinstance(decision, Continue):
                track.restore(decision, self._scheduler_state(decision.saved))
            track.rest = track.asked.rest(track.made(self.epoch + 1))
        self._lost = [one for one in {track.asked.lost(track.made(self.epoch + 1)) for track in self.tracks} if one]
        self.epoch = min([self.epoch, *(e.ended - 1 for t in self.tracks if (e := t.asked.epoch) and e.left is None)])
        self._decisions, self._loaded = {}, None
        self._listen()
        self.begin_ending()

    def _scheduler_state(self, saved: Saved) -> Any:
        states = self._loaded[1] if self._loaded else []
        if saved.slot is None:
            return None
        if not 0 <= saved.slot < len(states):
            raise resume.damaged(len(states), "a scheduler's state is missing")
        return states[saved.slot]

    def _begin_again(self, track: Track, decision: Restart | Place, updates: int) -> None:
        self._put_back(track)
        done, epochs = track.updates or updates, self.epoch + 1
        left = track.asked.rest(track.made(epochs) if track.updates else Made(done, epochs, None))
        horizon, plan = track.asked.horizon, track.asked.plan
        if isinstance(decision, Restart) and left is not None:
            horizon = left.horizon
            plan = resolve(plan.config, horizon)
        scheduler = build_plan(plan, track.optimizer, printer=_say_nothing)
        bases = tuple(optimizers.base_rates(self._groups[id(track.optimizer)], plan.config.param))
        self.run.exchange(track.scheduler, scheduler)
        track.begin(scheduler, plan, bases, plan.end(horizon))
        if not track.updates:
            track.updates = done
            track.epoch_updates = done - (0 if left is None else left.made.within or 0)
        if isinstance(decision, Place):
            track.place(done, epochs, left)
        else:
            track.origin = done

    def _know_the_whole_run(self) -> None:
        """What was not needed to build the schedules is needed to check them, and to compare runs."""
        epoch = self.run.epoch() if self.tracks else None
        for track in self.tracks:
            asked = Asked(track.asked.plan, track.asked.bases, self.run.limits(track.key), epoch)
            plan = in_whole(asked.plan, asked.horizon)
            track.asked, track.plan, track.end = replace(asked, plan=plan), plan, plan.end(asked.horizon)

    # -------------------------------------------------------------------------------- the clock

    def _listen(self) -> None:
        """Count updates from here on."""
        me = weakref.ref(self)

        def updated(optimizer: Any) -> None:
            driver = me()
            if driver is not None:
                driver.updated(optimizer)

        self.close()
        for optimizer in {id(track.optimizer): track.optimizer for track in self.tracks}.values():
            self._hooks.append(optimizers.on_update(optimizer, updated))
        self.running = True

    def updated(self, optimizer: Any) -> None:
        """An optimizer has made a step: an update, unless the gradient scaler found infinities."""
        skipped = optimizers.skipped(optimizer)
        for track in self.tracks:
            if track.optimizer is not optimizer:
                continue
            if skipped:
                track.skipped += 1
            else:
                track.update()

    def end_epoch(self, epoch: int) -> None:
        """The epoch of this index has ended; telling it twice changes nothing."""
        if epoch <= self.epoch:
            return
        self.epoch = epoch
        for track in self.tracks:
            track.end_epoch()
        for key, line in report.overruns(self.describe()).items():
            if key not in self._overrun:
                self._overrun.add(key)
                self.run.say(line)

    def metric(self, name: str, value: float) -> None:
        """A metric has a new value; the processes agree on its mean."""
        following = [track for track in self.tracks if track.monitor == name]
        if following:
            value = self.run.mean(value)
        for track in following:
            track.react(value)

    def module_stepped(self, scheduler: Any) -> bool:
        """Somebody called ``step()``; returns whether that call should move the schedule."""
        for track in self.tracks:
            if track.scheduler is scheduler:
                return track.stepped_by_module()
        return True

    def let_the_module_step(self) -> None:
        """From the first ``step()`` that the module calls on a schedule, the module drives it."""
        me = weakref.ref(self)

        def gate(scheduler: Any) -> bool:
            driver = me()
            return driver is None or driver.module_stepped(scheduler)

        for track in self.tracks:
            track.scheduler.gate = gate

    def close(self) -> None:
        """Let go of the optimizers."""
        for hook in self._hooks:
            hook.remove()
        self._hooks, self.running = [], False
        for track in self.tracks:
            track.scheduler.gate = None

    # -------------------------------------------------------------------------------- ending early

    def decay_now(self, over: Any = "5%", shape: str = "linear", *, wait: bool = False) -> None:
        """End early: bring every rate down to its end value, from wherever it is.

        The end value is what the schedule would have at the run's last step, or 0 where it would not fall below the
        present rate.

        Args:
            over: a length; a share is one of the whole run.
            shape: ``linear``, ``cosine`` or ``one_minus_sqrt``.
            wait: whether to begin only when :meth:`begin_ending` is called. Otherwise the next update is decayed.

        Raises:
            SchedulerConfigError: for what is no length or no shape.
        """
        self._requested = check_ending(over, shape)
        if not wait:
            self.begin_ending()

    def begin_ending(self) -> None:
        """Begin what :meth:`decay_now` asked for, if anything. What cannot be is said, and costs no run."""
        if self._requested is None:
            return
        (over, shape), self._requested = self._requested, None
        for track in self.tracks:
            if track.ending is not None or track.plan.config.param != "lr":
                continue
            horizon = self.run.horizon(track.key)
            try:
                # An ending is a length of the run like every other one.
                written = {"name": "linear", "total_iters": over, "interval": "step"}
                steps = resolve(written, horizon).params["total_iters"]
            except SchedulerConfigError as error:
                self.run.say(f"no early ending: over={over!r}: {error.rule}")
                return
            ending = track.end_early(steps, shape, horizon)
            self.run.say(
                f"{track.plan.config.name}: ending early | {steps} updates, {shape} | "
                f"lr {ending.begin[0]:.4g} -> {ending.end[0]:.4g}"
            )

    # -------------------------------------------------------------------------------- state

    def state_dict(self) -> Data:
        """What is driven and how far its clocks are: plain data, without the schedulers' own states."""
        if self._loaded is not None:  # nothing has begun: what was loaded still holds
            return dict(self._loaded[0] or {})
        return resume.seal(
            {
                "epoch": self.epoch,
                "requested": None if self._requested is None else list(self._requested),
                "schedules": {t.name: t.save(self.epoch + 1, self._slot(t)) for t in self.tracks},
            }
        )

    def _slot(self, track: Track) -> int | None:
        """Which of a checkpoint's scheduler states is that of `track`."""
        saved = self.run.schedulers()
        if saved is None:
            return self.tracks.index(track)
        return next((i for i, scheduler in enumerate(saved) if scheduler is track.scheduler), None)

    def save(self) -> Data:
        """All that :meth:`load` needs, for a checkpoint of a loop of one's own."""
        return {"driver": self.state_dict(), "schedulers": [track.scheduler.state_dict() for track in self.tracks]}

    # -------------------------------------------------------------------------------- words

    def describe(self) -> list[Facts]:
        """What can be said about the schedules."""
        return [
            Facts(
                key=track.name, plan=track.plan, scheduler=track.scheduler, rest=track.rest,
                ticks=track.ticks, updates=track.updates, epochs=self.epoch + 1, bases=track.bases,
                last=track.last_position(track.asked.horizon), timeline=track.timeline, ending=track.ending, resumed=self.resuming, processes=self.run.processes,
            )
            for track in self.tracks
        ]  # fmt: skip

    def announce(self) -> None:
        """Say what will happen."""
        for line in (*(report.lost(*lost) for lost in self._lost), *report.lines(self.describe())):
            self.run.say(line)
        for track in self.tracks:
            for note in track.plan.notes:
                self.run.say(f"{track.plan.config.name}: {note}")


def _say_nothing(line: str) -> None:
    """Where the lines of `verbose` go while a schedule is built anew."""


def _read(state: Any, step: int | None) -> tuple[dict[str, Saved] | resume.Foreign | SchedulerConfigError, Data | None]:
    if state is None:
        return resume.Foreign(step), None
    try:
        content = resume.unseal(state)
        return resume.read(content), content
    except SchedulerConfigError as error:
        return error, None
