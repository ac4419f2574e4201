"""The config of a schedule that is made of others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lr_configs.config import OUTER, SchedulerConfig, config_field, data
from lr_configs.errors import SchedulerConfigError
from lr_configs.kinds import Kind, Schema, check_length
from lr_configs.own import SteppedConfig
from lr_configs.registry import parse


class Stages(Kind):
    """A mapping of named stages, or a list of them.

    Args:
        part: what one of them is called in the schema that this is a part of: ``stage``, which has a length, or ``factor``.
    """

    words = "a mapping of named stages, or a list of them"

    def __init__(self, part: str) -> None:
        self.part = part

    def __call__(self, value: Any, key: str) -> Any:
        """The stages, not yet read."""
        if not isinstance(value, (Mapping, list, tuple)):
            raise SchedulerConfigError(
                key, value, f"stages are {self.words}", "Write {warmup: {name: linear, length: 10%}}"
            )
        return value

    def schema(self) -> Schema:
        """Objects and lists of them."""
        stage = {"$ref": f"#/$defs/{self.part}"}
        return {
            "type": ["object", "array"],
            "minProperties": 1,
            "additionalProperties": stage,
            "minItems": 1,
            "items": stage,
        }


def stages(default: Any, part: str = "stage") -> Any:
    """Named stages, or a list of them."""
    return config_field(default, Stages(part))


@data
class StagesConfig(SchedulerConfig):
    """A schedule that is made of others."""

    stages: Any = stages({})

    def __post_init__(self) -> None:
        super().__post_init__()
        named = isinstance(self.stages, Mapping)
        items = self.stages.items() if named else enumerate(self.stages)
        parsed: dict[str, tuple[Any, SchedulerConfig]] = {}
        for stage_name, stage in items:
            if stage is not None:  # null takes a stage out of a merged mapping
                parsed[str(stage_name)] = self._stage(stage, f"stages.{stage_name}")
        if not parsed:
            raise SchedulerConfigError("stages", self.stages, "at least one stage", "Write {decay: {name: cosine}}")
        self._parsed = parsed
        # Plain data again, checked and filled in, so that equal schedules compare equal.
        plain = {k: {**({} if size is None else {"length": size}), **c.stage_dict()} for k, (size, c) in parsed.items()}
        self.stages = plain if named else list(plain.values())
        order = list(parsed)
        for stage_name, (size, config) in parsed.items():
            self.check_stage(f"stages.{stage_name}", stage_name == order[-1], size, config)

    def check_stage(self, key: str, last: bool, size: Any, config: SchedulerConfig) -> None:
        """Refuse a stage that cannot stand where it stands."""
        raise NotImplementedError

    def _stage(self, stage: Any, key: str) -> tuple[Any, SchedulerConfig]:
        size = None
        if isinstance(stage, Mapping):
            stage = {"param": self.param, **stage}
            size = stage.pop("length", None)
            if size is not None:
                size = check_length(size, f"{key}.length")
        try:
            config = parse(stage)
        except SchedulerConfigError as error:
            raise error.within(key) from None
        if isinstance(config, SteppedConfig):
            raise SchedulerConfigError(
                f"{key}.name",
                config.name,
                f"{config.wraps.__name__} is stepped as it is, and a stage needs a curve, of which it has none",
                "Register the schedule as a function f(t, T) instead",
            )
        defaults = {item.name: item.default for item in dataclasses.fields(SchedulerConfig)}
        for outer in OUTER:
            value = getattr(config, outer)
            if value not in (defaults[outer], getattr(self, outer)):
                raise SchedulerConfigError(
                    f"{key}.{outer}",
                    value,
                    "the stages of one schedule share this key",
                    f"Write it once, as {outer} of the whole schedule",
                )
        return size, config

    def children(self) -> Iterator[tuple[str, SchedulerConfig]]:
        """The stages, with their dotted keys."""
        return ((f"stages.{name}", config) for name, (_, config) in self._parsed.items())

    def stage_lengths(self) -> Sequence[Any]:
        """The length of every stage as written, None where there is none."""
        return [size for size, _ in self._parsed.values()]
