"""JSON Schema (2020-12) of what a schedule may say in YAML, for editors and validators.

It is made from the config classes: their kinds of keys and their docstrings. Wherever a value may stand, so may an interpolation
(``${...}``) or ``???``. What several keys together make wrong, or the size of the run, is no affair of a schema: that is
refused when the schedule is read.

Three forms: a *node* is complete, with its name; the file of a config *group* may have a defaults list, which may say what
the schedule is; in the config of a whole *app* the node lies under a key, and may change only some of its keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lr_configs.config import COMMON, SchedulerConfig, copy_plain, own_keys
from lr_configs.described import meanings, summary, text
from lr_configs.errors import SchedulerConfigError
from lr_configs.kinds import Kind, Schema, check_length
from lr_configs.own import SteppedConfig
from lr_configs.registry import CLASS_MODULES, HYDRA_KEYS, TARGET, available, entry

FORMS = ("node", "group", "app")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: text that OmegaConf replaces, or that it wants to be replaced
_OPEN = r"[\s\S]*\$\{[\s\S]*\}[\s\S]*|\?\?\?"

Schedules = Mapping[str, type[SchedulerConfig]]


def json_schema(form: str = "node", *, name: str | None = None, keys: Sequence[str] = ()) -> Schema:
    """The schema of a schedule's YAML.

    Args:
        form: ``node``, a complete node; ``group``, a file of a config group; ``app``, the config of an app.
        name: of the one schedule that is meant; all of them by default.
        keys: for an app, the dotted keys of its schedules (``scheduler``); ``*`` stands for any one part.

    Returns:
        A JSON Schema as plain data.

    Raises:
        SchedulerConfigError: for an unknown form or name, and for keys that do not go with the form.

    >>> json_schema(name="step")["$defs"]["schedule.step"]["properties"]["gamma"]["minimum"]
    0
    """
    if form not in FORMS:
        raise SchedulerConfigError("form", form, f"this is one of {', '.join(FORMS)}", "Write node")
    if (form == "app") != bool(keys) or not all(part for key in keys for part in key.split(".")):
        raise SchedulerConfigError(
            "keys",
            list(keys),
            "an app's config has schedules under dotted keys, and no other form has",
            "Write ['scheduler']",
        )
    made = _Definitions({} if name is None else {name: entry(name)}, complete=form == "node")
    body = made.app(keys) if form == "app" else made.group() if form == "group" else made.node()
    return {"$schema": _DIALECT, "title": "A learning-rate schedule", **body, "$defs": made.definitions}


def written(schema: Schema) -> str:
    """A schema as a file has it."""
    return json.dumps(schema, indent=1) + "\n"


def usable() -> tuple[dict[str, type[SchedulerConfig]], list[SchedulerConfigError]]:
    """All schedules by name, and an error for each that is offered by a package that cannot be imported."""
    found, errors = {}, []
    for name in available():
        try:
            found[name] = entry(name)
        except SchedulerConfigError as error:
            errors.append(error)
    return found, errors


# ---------------------------------------------------------------------------------------- values


def opened(schema: Schema, words: str = "") -> Schema:
    """A schema that lets interpolations through as well, wherever there is a value.

    Args:
        schema: of plain values, as :meth:`lr_configs.kinds.Kind.schema` gives it.
        words: what is right, for the messages of editors.

    >>> opened({"enum": ["min", "max"]})
    {'anyOf': [{'enum': ['min', 'max']}, {'$ref': '#/$defs/interpolation'}]}
    """
    if "enum" in schema:
        return {"anyOf": [schema, _ref("interpolation")]}
    if "type" not in schema:
        return schema
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    out = {**schema, "type": [*types, *([] if "string" in types else ["string"])]}
    if "pattern" in schema or "string" not in types:
        out["pattern"] = _whole(*filter(None, [schema.get("pattern")]), _OPEN)
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            out[keyword] = opened(schema[keyword], words)
    if "prefixItems" in schema:
        out["prefixItems"] = [opened(one, words) for one in schema["prefixItems"]]
    if words:  # VS Code and yaml-language-server show these
        out["errorMessage"] = out["patternErrorMessage"] = f"Write {words}"
    return out


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _escaped(text: str) -> str:
    """Text as a pattern; what `re.escape` adds to a hyphen, ECMAScript refuses."""
    return re.sub(r"[.*+?^${}()|\[\]\\/]", r"\\\g<0>", text)


def _one_of(words: Iterable[str]) -> Schema:
    """One of these words; editors that complete take the beginning of a word for one of an ``enum``."""
    return {"type": "string", "pattern": _whole(*map(_escaped, words))}


def _whole(*patterns: str) -> str:
    """A pattern of the whole text."""
    return f"^(?:{'|'.join(patterns)})$"


def _keys(config: type[SchedulerConfig], keys: Iterable[str]) -> Schema:
    meant = meanings(config)
    return {key: {**_key(config, key), "description": meant.get(key, "")} for key in keys}


def _key(config: type[SchedulerConfig], key: str) -> Schema:
    field = config.__dataclass_fields__[key]
    kind: Any = field.metadata["check"]
    value = opened(kind.schema(), kind.words) if isinstance(kind, Kind) else {}
    make: Any = field.default_factory
    default = make() if callable(make) else copy_plain(field.default)
    return {**value, "default": default}


def _schedule(config: type[SchedulerConfig]) -> Schema:
    """The keys of one schedule."""
    own = own_keys(config)
    common = {key: _ref(f"key.{key}") for key in COMMON[2:] if key not in own}
    return {"description": text(config), "properties": {**_keys(config, own), **common}}


def _union(schedules: Schedules) -> Schema:
    """All keys of all schedules, each as any of them has it."""
    forms: dict[str, list[Schema]] = {}
    meant: dict[str, dict[str, list[str]]] = {}
    for name, config in schedules.items():
        for key, schema in _schedule(config)["properties"].items():
            words = schema.pop("description", "")
            schema.pop("default", None)
            if schema not in forms.setdefault(key, []):
                forms[key].append(schema)
            if words:
                meant.setdefault(key, {}).setdefault(words, []).append(name)
    return {
        "properties": {
            key: {
                **(several[0] if len(several) == 1 else {"anyOf": several}),
                **(
                    {"description": "\n".join(f"{', '.join(of)}: {words}" for words, of in meant[key].items())}
                    if key in meant
                    else {}
                ),
            }
            for key, several in forms.items()
        }
    }


# ---------------------------------------------------------------------------------------- mappings


def _when(condition: Schema, then: Schema) -> Schema:
    return {"if": condition, "then": then}


def _unless(condition: Schema, then: Schema) -> Schema:
    return {"if": condition, "else": then}


def _named(schedules: Schedules) -> Schema:
    """Whether a node says that it is one of these: by name, or by a class as its target."""
    words = [word for name, config in schedules.items() for word in (name, config.torch_name)]
    return {
        "anyOf": [
            {"required": ["name"], "properties": {"name": _one_of(words)}},
            {"not": {"required": ["name"]}, **_targeted(schedules)},
        ]
    }


def _targeted(schedules: Schedules) -> Schema:
    """Whether a node's target is the class of one of these."""
    return {"required": ["_target_"], "properties": {"_target_": _one_of(_targets(schedules))}}


def _targets(schedules: Schedules) -> list[str]:
    return [f"{module}.{config.torch_name}" for module in CLASS_MODULES for config in schedules.values()]


def _name(schedules: Schedules) -> Schema:
    classes = "|".join(_escaped(config.torch_name) for config in schedules.values())
    return {
        "description": "which schedule",
        "anyOf": [
            {"enum": list(schedules), "enumDescriptions": [summary(config) for config in schedules.values()]},
            {"type": "string", "pattern": _whole(classes, _OPEN)},
        ],
    }


def _hydra(schedules: Schedules) -> Schema:
    """The keys that Hydra reads."""
    flag = opened({"type": "boolean"}, "true or false")
    words = {
        "_partial_": flag,
        "_recursive_": flag,
        "_convert_": opened({"enum": ["none", "partial", "object", "all"]}),
    }
    target = {
        "description": "what Hydra calls: lr_configs.scheduler for every schedule",
        "anyOf": [
            {"enum": [TARGET]},
            {"type": "string", "pattern": _whole(*map(_escaped, _targets(schedules)), _OPEN)},
        ],
    }
    how = "how Hydra calls it"
    return {"_target_": target, **{key: {**words[key], "description": how} for key in HYDRA_KEYS}}


class _Definitions:
    """What the parts of one schema are called, and the forms that are made of them.

    Args:
        chosen: the schedules that are meant; all where there is none.
        complete: whether every node says its name.
    """

    def __init__(self, chosen: Schedules, complete: bool) -> None:
        every = {**usable()[0], **chosen}
        self.chosen, self.complete = chosen or every, complete
        composed = any(config.arrangement is not None for config in self.chosen.values())
        self.all: Schedules = every if composed else self.chosen
        self.definitions: dict[str, Schema] = {
            "interpolation": {"type": "string", "pattern": _whole(_OPEN)},
            **{f"key.{key}": schema for key, schema in _keys(SchedulerConfig, COMMON[2:]).items()},
            **{f"schedule.{name}": _schedule(config) for name, config in self.all.items()},
            "named": {
                "allOf": [_when(_named({name: one}), _ref(f"schedule.{name}")) for name, one in self.all.items()]
            },
            "known": _named(self.all),
            "name": _name(self.chosen),
            **_hydra(self.all),
            "any": _union(self.all),
        }
        if composed:
            length = opened(check_length.schema(), check_length.words)
            length["type"] = [*length["type"], "null"]
            length["description"] = "length of the stage; one stage may leave it out, and takes what the others leave"
            self.definitions["stage"] = self._stage(length)
            self.definitions["factor"] = self._stage({"type": "null"})

    @staticmethod
    def _mapping(name: Schema, otherwise: Schema, **properties: Schema) -> Schema:
        """A node with the keys of the schedule that it names, and of `otherwise` where it names none."""
        return {
            "type": "object",
            "properties": {"name": name, **properties, **{key: _ref(key) for key in ("_target_", *HYDRA_KEYS)}},
            "allOf": [_ref("named"), _unless(_ref("known"), otherwise)],
            "unevaluatedProperties": False,
        }

    @staticmethod
    def _or_name(mapping: Schema, *types: str) -> Schema:
        """A node, a schedule's name alone, an interpolation, or one of `types`."""
        alone = _when({"type": "string"}, mapping["properties"]["name"])
        return {**mapping, "type": ["object", "string", *types], "allOf": [*mapping["allOf"], alone]}

    def _needs_name(self) -> Schema:
        return _when({"type": "object"}, _unless(_targeted(self.all), {"required": ["name"]}))

    def _stage(self, length: Schema) -> Schema:
        curved = {name: one for name, one in self.all.items() if not issubclass(one, SteppedConfig)}
        self.definitions["name.stage"] = _name(curved)
        made = self._or_name(self._mapping(_ref("name.stage"), _ref("any"), length=length), "null")
        made["description"] = "a schedule, its relative lengths shares of the stage; null takes the stage out"
        if self.complete:
            made["allOf"].append(self._needs_name())
        return made

    def node(self) -> Schema:
        """A complete node."""
        made = self._mapping(_ref("name"), _ref("any"))
        made["allOf"].append(self._needs_name())
        return made

    def group(self) -> Schema:
        """A file of a config group, whose defaults list may say which schedule it changes."""
        by_name = r"(?:[^@]*/)?{}(?:\.yaml)?(?:@.*)?"
        otherwise = self._by_defaults(by_name, ".*", lambda name: _ref(f"schedule.{name}"), _ref("any"))
        return self._mapping(
            _ref("name"), otherwise, defaults={"type": "array", "description": "Hydra's defaults list"}
        )

    def app(self, keys: Iterable[str]) -> Schema:
        """The config of an app, whose defaults list may say which schedule is under a key."""
        for name, keys_of in {"any": "any", **{name: f"schedule.{name}" for name in self.chosen}}.items():
            made = self._or_name(self._mapping(_ref("name"), _ref(keys_of)), "null", "array")
            self.definitions[f"at.{name}"] = {**made, "items": _ref("at.any")}
        return {"type": ["object", "null"], "allOf": [self._under(key.split(".")) for key in keys]}

    def _under(self, key: list[str]) -> Schema:
        group = _escaped(key[-1])
        return self._by_defaults(
            rf"(?:.*/)?{group}/{{}}(?:\.yaml)?(?:@.*)?",
            rf"(?:(?:override|optional) +)*(?:.*/)?{group}(?:@.*)?",
            lambda name: _at(key, _ref(f"at.{name}")),
            _at(key, _ref("at.any")),
        )

    def _by_defaults(self, item: str, group: str, then: Any, otherwise: Schema) -> Schema:
        """What holds for the schedule that the defaults list names: as an `item`, or as the option of a `group`."""
        names = list(self.chosen)
        by_name = [_when(_in_defaults(item.format(_escaped(name)), group, [name]), then(name)) for name in names]
        some = _in_defaults(item.format(f"(?:{'|'.join(map(_escaped, names))})"), group, names)
        return {"allOf": [*by_name, _unless(some, otherwise)]}


def _in_defaults(item: str, group: str, options: list[str]) -> Schema:
    """Whether the defaults list has text like `item`, or one of the options for a key like `group`."""
    chosen = {"type": "object", "not": {"patternProperties": {_whole(group): {"not": _one_of(options)}}}}
    found = {"anyOf": [{"type": "string", "pattern": _whole(item)}, chosen]}
    return {
        "type": "object",
        "required": ["defaults"],
        "properties": {"defaults": {"type": "array", "contains": found}},
    }


def _at(key: list[str], schema: Schema) -> Schema:
    """The schema of a mapping that has `schema` under a dotted key."""
    for part in reversed(key):
        schema = {"additionalProperties": schema} if part == "*" else {"properties": {part: schema}}
    return schema
