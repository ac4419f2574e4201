"""Which metrics a Lightning loop has logged."""

from __future__ import annotations

from typing import Any


def logged_names(results: Any) -> set[str]:
    """Names under which a loop has logged something, as callback_metrics spells them."""
    names = set()
    for metric in (results or {}).values():
        meta = metric.meta
        suffix = "" if meta.dataloader_idx is None else f"/dataloader_idx_{meta.dataloader_idx}"
        names.add(f"{meta.name}{suffix}")
        if meta.on_step and meta.on_epoch:
            names |= {f"{meta.name}_step{suffix}", f"{meta.name}_epoch{suffix}"}
    return names


def logged_on_step(results: Any, monitor: str) -> bool:
    """Whether the metric gets a new value with every batch, and not only with every epoch."""
    for metric in (results or {}).values():
        meta = metric.meta
        if (meta.name == monitor and meta.on_step and not meta.on_epoch) or (
            f"{meta.name}_step" == monitor and meta.on_step and meta.on_epoch
        ):
            return bool(metric.update_called if hasattr(metric, "update_called") else True)
    return False
