"""The house as its syntax tree shows it: private names, import circles, sizes, and who may import torch."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "lr_configs"
LONGEST_CLASS, LONGEST_FILE = 350, 600

#: private names of other libraries -> the one module of ours that may touch them
FOREIGN = {
    # Lightning
    "_batches_that_stepped": "lightning_run",
    "_checkpoint_connector": "lightning_run",
    "_combined_loader": "lightning_run",
    "_data_fetcher": "lightning_run",
    "_get_cache": "lightning_run",
    "_loaded_checkpoint": "lightning_run",
    "_logger_connector": "lightning_run",
    "_num_ready_batches_reached": "lightning_run",
    "_results": "lightning_run",
    "_train_progress_bar": "lightning_run",
    # Hydra
    "_return_value": "sweeps.hydra_callback",
    # Hydra
    "_query": "commands.hydra_completion",
    # torch
    "_anneal_func_type": "convert.from_torch",
    "_get_closed_form_lr": "torch_classes.base",
    "_milestones": "convert.from_torch",
    "_opt_called": "torch_classes.order",
    "_scale_fn_custom": "convert.from_torch",
    "_schedule_phases": "convert.from_torch",
    "_schedulers": "convert.from_torch",
    "_torchdynamo_orig_callable": "optimizers",
    "_version": "slots",
    "_with_counter": "torch_classes.order",
    "_wrapped_by_lr_sched": "torch_classes.order",
}

#: imports inside functions that close a circle: (importer, imported) -> why that is right
LATE_IMPORTS: dict[tuple[str, str], str] = {}

#: modules, or packages ending in ".*", that are used where torch takes too long to import
TORCH_FREE = (
    "lr_configs",
    "__main__",
    "arguments",
    "checking",
    "commands.*",
    "composed",
    "config_tree",
    "run_size",
    "optimizer_keys",
    "config",
    "convert.*",
    "described",
    "errors",
    "formula",
    "horizon",
    "kinds",
    "landmarks",
    "own",
    "plan",
    "preview.*",
    "registry",
    "report",
    "run",
    "curve_tree",
    "whole_run",
    "resume",
    "schedules.*",
    "schema",
    "sweeps",
    "sweeps.folder",
    "sweeps.grid",
    "sweeps.hydra_callback",
    "sweeps.manifest",
)


def modules() -> dict[str, str]:
    """Name -> text of every module of ours."""
    return {module_name(path): path.read_text() for path in sorted((ROOT / PACKAGE).rglob("*.py"))}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def inside(name: str) -> str:
    """A module's name without the package's."""
    return name.removeprefix(f"{PACKAGE}.")


# --- private names ----------------------------------------------------------------------------------------------------

OWNERS = {"self", "cls"}
BY_NAME = {"getattr", "setattr", "hasattr", "delattr"}


def private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__")) and name != "_"


def owner(node: ast.expr) -> bool:
    """Whether an attribute of `node` is one of the object that the code belongs to."""
    if isinstance(node, ast.Name):
        return node.id in OWNERS
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("super", "type") and all(map(owner, node.args))


def touched(text: str) -> Iterator[tuple[int, str]]:
    """Lines and private names of other objects that are touched there, also by getattr and by import."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and private(node.attr) and not owner(node.value):
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, each.name) for each in node.names if private(each.name))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in BY_NAME and len(node.args) > 1:
            of, name = node.args[:2]
            if isinstance(name, ast.Constant) and private(str(name.value)) and not owner(of):
                yield node.lineno, str(name.value)


def trespasses(texts: dict[str, str], foreign: dict[str, str]) -> list[str]:
    """What is touched from outside of its object, but for other libraries' names in the module that is theirs."""
    found = ((module, line, name) for module, text in texts.items() for line, name in touched(text))
    return [f"{module}:{line} {name}" for module, line, name in found if foreign.get(name) != inside(module)]


def test_no_private_name_is_touched_from_outside_its_object():
    found = trespasses(modules(), FOREIGN)
    assert not found, "\n".join(found)


def test_every_foreign_name_is_touched():
    used = {(name, inside(module)) for module, text in modules().items() for _, name in touched(text)}
    assert set(FOREIGN.items()) <= used


TOUCHED = """
other._x
other._x = 1
del other._x
self.part._x
type(other)._x
getattr(other, '_x', None)
hasattr(other, '_x')
setattr(self.part, '_x', 1)
from torch.optim import _x
from lr_configs.plan import _x
"""


@pytest.mark.parametrize("code", TOUCHED.split("\n")[1:-1])
def test_a_private_name_is_found(code):
    assert trespasses({"lr_configs.writer": code}, {}) == ["lr_configs.writer:1 _x"]
    assert not trespasses({"lr_configs.writer": code}, {"_x": "writer"})
    assert trespasses({"lr_configs.torch_classes.leaf": code}, {"_x": "writer"})


@pytest.mark.parametrize(
    "code",
    ["self._x", "cls._x", "super()._x", "type(self)._x", "getattr(self, '_x')", "other.__dict__", "_x = 1", "other.x"],
)
def test_ones_own_names_are_not(code):
    assert not trespasses({"lr_configs.writer": code}, {})


# --- imports ----------------------------------------------------------------------------------------------------------


def imported(module: str, text: str, known: set[str], is_package: bool) -> Iterator[tuple[str, bool]]:
    """Modules of ours that `module` imports, and whether inside a function; what only a type checker imports is not."""
    tree = ast.parse(text)
    for_types = {id(each) for node in ast.walk(tree) if types_only(node) for each in ast.walk(node)}
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    late = {id(each) for function in functions for each in ast.walk(function)}
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        for name in names_imported(node, module if is_package else module.rpartition(".")[0], known):
            yield name, id(node) in late


def types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def names_imported(node: ast.AST, package: str, known: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (each.name for each in node.names if each.name in known)
    if isinstance(node, ast.ImportFrom):
        base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
        source = ".".join([*base, *filter(None, [node.module])])
        for each in node.names:
            name = f"{source}.{each.name}"
            yield from [name] if name in known else [source] if source in known else []


Graph = dict[str, set[str]]


def imports(texts: dict[str, str], allowed: dict[tuple[str, str], str], packages: set[str]) -> Graph:
    """Module -> modules that it imports, but for late imports that are allowed."""
    graph: Graph = {module: set() for module in texts}
    for module, text in texts.items():
        for name, late in imported(module, text, set(texts), module in packages):
            if not (late and (inside(module), inside(name)) in allowed):
                graph[module].add(name)
    return graph


def circles(texts: dict[str, str], allowed: dict[tuple[str, str], str], packages: set[str]) -> list[set[str]]:
    """Sets of modules each of which imports, through others, every other one of its set."""
    graph = imports(texts, allowed, packages)
    reach = {module: reachable(graph, module) for module in graph}
    sets = {frozenset(other for other in reach[module] if module in reach[other]) for module in graph}
    return sorted((set(found) for found in sets if found), key=sorted)


def reachable(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += graph[module]
    return found


def packages() -> set[str]:
    return {module_name(path) for path in (ROOT / PACKAGE).rglob("__init__.py")}


def closing(texts: dict[str, str], allowed: dict[tuple[str, str], str], packages: set[str]) -> list[str]:
    """The imports of each circle: the late ones, which close it, if there are any."""
    found = []
    for circle in circles(texts, allowed, packages):
        inner = [
            (late, f"{inside(one)} imports {inside(other)}")
            for one in sorted(circle)
            for other, late in imported(one, texts[one], set(texts), one in packages)
            if other in circle and (inside(one), inside(other)) not in allowed
        ]
        late_ones = {text + " late" for late, text in inner if late}
        found += sorted(late_ones or {text for _, text in inner})
    return found


def test_no_import_circle():
    assert not circles(modules(), LATE_IMPORTS, packages()), "\n".join(closing(modules(), LATE_IMPORTS, packages()))


def test_every_late_import_is_needed():
    for pair in LATE_IMPORTS:
        fewer = {other: why for other, why in LATE_IMPORTS.items() if other != pair}
        assert circles(modules(), fewer, packages()), pair


A, B = "lr_configs.a", "lr_configs.b"


IMPORTS = (
    "import lr_configs.b",
    "from lr_configs import b",
    "from lr_configs.b import x",
    "from . import b",
    "from .b import x",
    "def f():\n    from lr_configs.b import x",
    "try:\n    from lr_configs import b\nexcept ImportError:\n    pass",
)


@pytest.mark.parametrize("text", IMPORTS)
def test_a_circle_is_found(text):
    package = {"lr_configs": ""}
    assert circles(package | {A: text, B: "from lr_configs.a import x"}, {}, {"lr_configs"}) == [{A, B}]
    assert not circles(package | {A: text, B: ""}, {}, {"lr_configs"})


def test_a_circle_over_three_and_through_a_package_is_found():
    three = {A: "from lr_configs import b", B: "from lr_configs import c", "lr_configs.c": "from lr_configs.a import x"}
    assert circles(three, {}, set()) == [set(three)]
    package = {"lr_configs": "from .a import x", A: "from lr_configs import x"}
    assert circles(package, {}, {"lr_configs"}) == [set(package)]


def test_what_is_allowed_is_no_circle():
    back = {B: "from lr_configs.a import x"}
    late = {A: "def f():\n    from lr_configs.b import x"} | back
    early = {A: "from lr_configs.b import x"} | back
    assert not circles(late, {("a", "b"): "a reason"}, set())
    assert circles(early, {("a", "b"): "a reason"}, set())
    assert closing(late, {}, set()) == ["a imports b late"]
    assert closing(early, {}, set()) == ["a imports b", "b imports a"]
    assert not circles({A: "if TYPE_CHECKING:\n    from lr_configs.b import x"} | back, {}, set())


# --- sizes ------------------------------------------------------------------------------------------------------------


def too_long(texts: dict[str, str]) -> list[str]:
    """Files and classes over the limit."""
    found = [f"{name}: {text.count(chr(10))} lines" for name, text in texts.items() if text.count("\n") > LONGEST_FILE]
    for name, text in texts.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and node.end_lineno - node.lineno >= LONGEST_CLASS:
                found.append(f"{name}.{node.name}: {node.end_lineno - node.lineno + 1} lines")
    return found


def test_no_file_and_no_class_is_too_long():
    found = too_long(modules())
    assert not found, "\n".join(found)


def test_what_is_too_long_is_found():
    of = "class A:\n" + "    x = 1\n" * (LONGEST_CLASS - 1)
    assert not too_long({"m": of})
    assert too_long({"m": of + "    x = 1\n"}) == ["m.A: 351 lines"]
    assert not too_long({"m": "x = 1\n" * LONGEST_FILE})
    assert too_long({"m": "x = 1\n" * (LONGEST_FILE + 1)}) == ["m: 601 lines"]


# --- torch ------------------------------------------------------------------------------------------------------------

PROBE = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    slow = {"torch", "lightning", "pytorch_lightning"} & set(sys.modules)
    if slow:
        sys.exit(f"{name} imports {', '.join(sorted(slow))}")
"""


def first_with_torch(names: list[str]) -> str:
    """What the first of these modules that brings torch or Lightning in says; "" if none does."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", PROBE, *names], env=environment, capture_output=True, text=True)
    return done.stderr.strip()


def torch_free() -> list[str]:
    known, found = list(modules()), []
    for entry in TORCH_FREE:
        full = entry if entry == PACKAGE else f"{PACKAGE}.{entry}"
        here = [name for name in known if name == full or (full.endswith(".*") and name.startswith(full[:-1]))]
        assert here, f"there is no {full}"
        found += here
    return found


def test_modules_that_configs_need_do_not_import_torch():
    assert first_with_torch(torch_free()) == ""


def test_a_module_that_imports_torch_is_found():
    assert first_with_torch(["lr_configs.schedulers"]) == "lr_configs.schedulers imports torch"
    assert first_with_torch(["json", "pytorch_lightning"]).startswith("pytorch_lightning imports")
