"""A composed config as plain data, with what refers to what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lr_configs.registry import plain

#: a value that is another node
_REFERENCE = re.compile(r"\$\{\s*(\.*)([\w.\[\]/-]+)\s*\}")


class Tree:
    """A composed config, read as far as it can be.

    Attributes:
        data: its values, dicts and lists; text where an interpolation cannot be resolved.
        raw: the same as written, interpolations unresolved.
        unresolved: dotted key -> why the value there cannot be read.
    """

    def __init__(self, config: Any) -> None:
        self.unresolved: dict[str, str] = {}
        if type(config).__module__.startswith("omegaconf"):
            from omegaconf import OmegaConf

            raw = OmegaConf.to_container(config, resolve=False)
            self.data = self._read(config, raw, "")
            self.raw = _text_keys(raw)
        else:
            self.raw = self.data = _text_keys(plain(config))
        if isinstance(self.data, dict):
            self.data.pop("hydra", None)

    def _read(self, node: Any, raw: Any, key: str) -> Any:
        if isinstance(raw, dict):
            return {str(k): self._item(node, k, v, dotted(key, k)) for k, v in raw.items() if (key, k) != ("", "hydra")}
        if isinstance(raw, list):
            return [self._item(node, i, v, dotted(key, i)) for i, v in enumerate(raw)]
        return raw

    def _item(self, node: Any, k: Any, raw: Any, key: str) -> Any:
        from omegaconf import OmegaConf

        if isinstance(raw, (dict, list)):
            return self._read(node[k], raw, key)
        if not isinstance(raw, str):
            return plain(raw)
        try:
            value = node[k]  # which resolves it
            return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else plain(value)
        except Exception as error:  # a resolver is the app's own code, and may raise anything
            self.unresolved[key] = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            return raw

    def nodes(self) -> Iterator[tuple[str, Any]]:
        """Every node that is written out in its place, with its dotted key, the outermost first."""
        yield from _nodes(self.data, self.raw, "")

    def references(self) -> Iterator[tuple[str, str]]:
        """Every key whose value is another node, and the key of that node."""
        for key, value in _values(self.raw, ""):
            match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
            if match is not None:
                yield key, _absolute(match, key)

    def home(self, key: str) -> str:
        """The key at which a value is written out that this key may only refer to."""
        known = dict(self.references())
        for _ in range(len(known)):
            parts = key.split(".")
            for i in range(len(parts), 0, -1):
                head = ".".join(parts[:i])
                if head in known:
                    key = ".".join([known[head], *parts[i:]])
                    break
            else:
                break
        return key

    def at(self, key: str) -> Any:
        """The value at a dotted key; None where there is none."""
        value = self.data
        for part in key.split("."):
            if isinstance(value, dict) and part in value:
                value = value[part]
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value


def _text_keys(raw: Any) -> Any:
    """The same with text for keys, which may be numbers."""
    if isinstance(raw, dict):
        return {str(key): _text_keys(value) for key, value in raw.items()}
    return [_text_keys(value) for value in raw] if isinstance(raw, list) else raw


def dotted(key: str, part: Any) -> str:
    """One key further down."""
    return f"{key}.{part}" if key else str(part)


def _nodes(data: Any, raw: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(raw, dict) and isinstance(data, dict):
        yield key, data
        for k, value in data.items():
            yield from _nodes(value, raw.get(k), dotted(key, k))
    elif isinstance(raw, list) and isinstance(data, list):
        for i, (value, written) in enumerate(zip(data, raw, strict=True)):
            yield from _nodes(value, written, dotted(key, i))


def _values(raw: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(raw, dict):
        for k, value in raw.items():
            if (key, k) != ("", "hydra"):
                yield from _values(value, dotted(key, k))
    elif isinstance(raw, list):
        for i, value in enumerate(raw):
            yield from _values(value, dotted(key, i))
    else:
        yield key, raw


def _absolute(match: re.Match[str], key: str) -> str:
    dots, path = match.groups()
    path = path.replace("[", ".").replace("]", "")
    if not dots:
        return path
    return ".".join([*key.split(".")[: -len(dots)], path])


def target_of(node: Any) -> str:
    """The `_target_` of a node; "" where it has none."""
    target = node.get("_target_")
    return target if isinstance(target, str) else ""


def inside(key: str, places: set[str]) -> bool:
    """Whether a key is one of these places, or in one."""
    return any(key == place or key.startswith(f"{place}.") for place in places)
