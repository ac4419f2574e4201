"""How many seeded mistakes in lr_configs/ the tests notice: ``make mutants``, or ``python -m benchmarks.mutants``.

A sample of mutants is drawn: cosmic-ray's (a comparison turned, an off-by-one, an operator exchanged, a condition negated)
and dropped statements. First every test runs once under coverage. Then each mutant meets the tests that reach its lines,
the quick ones first, until one fails or `--seconds` of them are over. Every run is a fork of one process that has imported
torch and Lightning already, and has a copy of the checkout of its own: the working tree is never touched.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cosmic_ray.plugins
import coverage
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

ROOT = Path(__file__).parents[1]
PACKAGE = "lr_configs"
#: tests of other projects, of the text of the source and of this tool say nothing of what the code does
LEFT_OUT = ("tests/upstream/", "tests/test_structure.py", "tests/test_mutants.py")
PRELOADED = ("torch", "numpy", "hydra", "pytorch_lightning", "lightning.pytorch", "sklearn.datasets")
PYTEST = ["-p", "no:cacheprovider", "-o", "addopts=--doctest-modules --strict-markers", "-q"]
PYTEST += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # what is preloaded holds a pytest plugin
TEST_NAME = "LR_CONFIGS_TEST"  # environment: the test that runs, for processes that it starts
FORK = get_context("fork")


# --- what can be mutated ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """One mistake: the text of a file with it, and the lines of the statement that it sits in."""

    path: str
    kind: str
    lines: range
    make: Callable[[], str | None] = field(compare=False, repr=False)


def operators() -> dict[str, Any]:
    """Cosmic-ray's operators that need no arguments."""
    classes = {name: cosmic_ray.plugins.get_operator(name) for name in cosmic_ray.plugins.operator_names()}
    return {name.removeprefix("core/"): cls() for name, cls in classes.items() if not cls.arguments()}


def sites(path: str, text: str) -> Iterator[list[Mutant]]:
    """Places of a file that can be mutated, each with the ways to do it."""
    tree = ast.parse(text)
    silent, statements = silent_ranges(tree), statement_lines(tree)
    found: dict[tuple[Any, ...], list[Mutant]] = defaultdict(list)
    nodes = list(ast_nodes(get_ast(text)))
    for name, operator in operators().items():
        positions = (position for node in nodes for position in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(positions):
            if not any(first <= start and end <= last for first, last in silent):
                mutant = Mutant(path, name, statements[start[0]], by_operator(text, operator, occurrence))
                found[(name.split("Operator_")[0], start, end)].append(mutant)
    yield from found.values()
    for statement in droppable(tree):
        yield [Mutant(path, "DropStatement", statements[statement.lineno], by_dropping(text, statement))]


def by_operator(text: str, operator: Any, occurrence: int) -> Callable[[], str | None]:
    return lambda: mutate_code(text, operator, occurrence)


def by_dropping(text: str, statement: ast.stmt) -> Callable[[], str | None]:
    def make() -> str:
        lines = text.splitlines(keepends=True)
        first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
        before = lines[first].encode()[: statement.col_offset].decode()
        after = lines[last].encode()[statement.end_col_offset :].decode()
        return "".join([*lines[:first], before, "pass", after, *lines[last + 1 :]])

    return make


def droppable(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements of functions that do something for others to see."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
                stored = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript)
                if called or stored or isinstance(node, ast.AugAssign | ast.Raise | ast.Delete):
                    yield node  # type: ignore[misc]


Span = tuple[tuple[int, int], tuple[int, int]]


def silent_ranges(tree: ast.Module) -> list[Span]:
    """Where a change cannot be seen: annotations, overloads, imports for the type checker, lists of names."""
    return [span(node) for node in ast.walk(tree) for node in silent_parts(node)]


def silent_parts(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
        yield node.annotation
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from filter(None, [node.returns])
        if any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list):
            yield node
        yield from (decorator for decorator in node.decorator_list if ast.unparse(decorator).endswith("overload"))
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        yield node
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        yield node
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("cast", "TypeVar")) and node.args:
        yield node.args[0]


def span(node: Any) -> Span:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def statement_lines(tree: ast.Module) -> dict[int, range]:
    """Line -> lines of the innermost statement (of a compound one: its head) that it belongs to."""
    found: dict[int, range] = defaultdict(lambda: range(0))
    for node in ast.walk(tree):  # outer ones first
        if isinstance(node, ast.stmt | ast.excepthandler):
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
            inner = [child.lineno for child in getattr(node, "body", []) if isinstance(child, ast.stmt)]
            last = max(first, inner[0] - 1) if inner else (node.end_lineno or first)
            found.update(dict.fromkeys(range(first, last + 1), range(first, last + 1)))
    return found


def draw(number: int, seed: int, only: str) -> list[tuple[Mutant, str]]:
    """A sample of mutants, each with its text: places are equally likely, and so are the ways at a place."""
    chance = random.Random(seed)
    texts = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / PACKAGE).rglob("*.py"))}
    places = [place for path, text in texts.items() if only in path for place in sites(path, text)]
    print(f"{len(places)} places in {len(texts)} files", flush=True)
    chance.shuffle(places)
    drawn: list[tuple[Mutant, str]] = []
    for place in places:
        mutant = chance.choice(place)
        text = mutant.make()
        if text is not None and different(texts[mutant.path], text):
            drawn.append((mutant, text))
        if len(drawn) == number:
            break
    return drawn


def different(text: str, mutated: str) -> bool:
    """Whether it is a program, and another one."""
    try:
        return ast.dump(ast.parse(text)) != ast.dump(ast.parse(mutated))
    except SyntaxError:
        return False


# --- runs of the tests ------------------------------------------------------------------------------------------------


def copied(folder: Path) -> Path:
    """A copy of the checkout as it is, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def enter(folder: Path, log: Path) -> None:
    """Make this process, a fork, one that belongs to `folder`."""
    os.setsid()
    os.chdir(folder)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry and Path(entry).resolve() != ROOT)]
    os.environ["PYTHONPATH"] = str(folder)
    for name in [name for name in sys.modules if name.split(".")[0] in (PACKAGE, "hydra_plugins", "benchmarks")]:
        del sys.modules[name]


class Watcher:
    """A pytest plugin that says how long each test took, whether it passed, and which lines it reached."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured = measured
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        os.environ[TEST_NAME] = item.nodeid
        self.measured.switch_context(item.nodeid)
        begun = time.perf_counter()
        result = yield
        self.seconds[item.nodeid] = time.perf_counter() - begun
        self.measured.switch_context("")
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)


def watch(folder: Path, files: list[str], into: Path) -> None:
    """Run tests under coverage, their processes included; in a process of its own."""
    enter(folder, into / "log")
    settings, data = into / "coveragerc", into / "data"
    settings.write_text(
        f"[run]\nsource = {folder / PACKAGE}\ndata_file = {data}\nparallel = true\ncontext = ${{{TEST_NAME}-}}\n"
    )
    os.environ["COVERAGE_PROCESS_START"] = str(settings)
    measured = coverage.Coverage(
        data_file=str(data), data_suffix=True, source=[str(folder / PACKAGE)], config_file=False
    )
    watcher = Watcher(measured)
    measured.start()
    try:
        pytest.main([*PYTEST, *files], plugins=[watcher])
    finally:
        measured.stop()
        measured.save()
    (into / "tests.json").write_text(json.dumps([watcher.seconds, sorted(watcher.failed)]))


class Chosen:
    """A pytest plugin that runs these tests, in this order."""

    def __init__(self, names: list[str]) -> None:
        self.order = {name: place for place, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid]
        )


def attempt(folder: Path, names: list[str], log: Path) -> None:
    """Run tests until one fails; in a process of its own, whose exit code is pytest's."""
    enter(folder, log)
    files = sorted({name.partition("::")[0] for name in names})
    os._exit(pytest.main([*PYTEST, "-x", *files], plugins=[Chosen(names)]))


# --- the measurement --------------------------------------------------------------------------------------------------


@dataclass
class Reach:
    """What the tests reach, and how long they take."""

    seconds: dict[str, float]
    failed: set[str]
    by_line: dict[str, dict[int, set[str]]]  # file -> line -> tests ("" at import)

    def tests(self, mutant: Mutant, budget: float) -> list[str]:
        """Tests to run, the quick ones first, as many as fit into the budget."""
        lines = self.by_line.get(mutant.path, {})
        found = set().union(*(lines.get(line, set()) for line in mutant.lines))
        if "" in found:  # runs at import: whatever uses the file may notice
            found = set().union(*lines.values())
        usable = sorted(
            (self.seconds[name], name) for name in found if name in self.seconds and name not in self.failed
        )
        kept, spent = [], 0.0
        for seconds, name in usable:
            spent += seconds
            if kept and spent > budget:
                break
            kept.append(name)
        return kept


def reach(scratch: Path, jobs: int) -> Reach:
    """Run every test once."""
    folder = copied(scratch / "baseline")
    tests = sorted((folder / "tests").rglob("test_*.py"), key=lambda path: path.stat().st_size)
    named = [path.relative_to(folder).as_posix() for path in tests]
    named = [name for name in named if not name.startswith(LEFT_OUT)] + [PACKAGE]
    running = []
    for job in range(jobs):
        into = scratch / f"watch{job}"
        into.mkdir()
        running.append(FORK.Process(target=watch, args=(folder, named[job::jobs], into)))
        running[-1].start()
    for process in running:
        process.join()
    found = Reach({}, set(), defaultdict(lambda: defaultdict(set)))
    for job in range(jobs):
        into = scratch / f"watch{job}"
        if not (into / "tests.json").exists():
            raise SystemExit("the tests did not run:\n" + (into / "log").read_text()[-3000:])
        seconds, failed = json.loads((into / "tests.json").read_text())
        found.seconds.update(seconds)
        found.failed.update(failed)
        for data in into.glob("data.*"):
            add_lines(found, data, folder)
    return found


def add_lines(found: Reach, data: Path, folder: Path) -> None:
    read = coverage.CoverageData(basename=str(data))
    read.read()
    for path in read.measured_files():
        for line, tests in read.contexts_by_lineno(path).items():
            found.by_line[Path(path).relative_to(folder).as_posix()][line].update(tests)


@dataclass
class Trial:
    """A mutant that meets its tests now."""

    mutant: Mutant
    text: str
    folder: Path
    process: Any
    until: float

    def verdict(self) -> str | None:
        """ "killed", "survived" or "hung"; None while it runs."""
        code = self.process.exitcode
        if code is None and time.monotonic() < self.until:
            return None
        if code is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.join()
            return "hung"
        if code == pytest.ExitCode.USAGE_ERROR:
            raise SystemExit(f"pytest could not run:\n{self.folder.with_suffix('.log').read_text()[-3000:]}")
        return "survived" if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else "killed"


def begin(mutant: Mutant, text: str, names: list[str], folder: Path, limit: float) -> Trial:
    (folder / mutant.path).write_text(text)
    process = FORK.Process(target=attempt, args=(folder, names, folder.with_suffix(".log")))
    process.start()
    return Trial(mutant, text, folder, process, time.monotonic() + limit)


def judge(drawn: list[tuple[Mutant, str]], found: Reach, scratch: Path, jobs: int, budget: float) -> dict[Mutant, str]:
    """Mutant -> verdict."""
    verdicts: dict[Mutant, str] = {}
    waiting = list(reversed(drawn))
    free = [copied(scratch / f"worker{job}") for job in range(jobs)]
    trials: list[Trial] = []
    while waiting or trials:
        while waiting and free:
            mutant, text = waiting.pop()
            names = found.tests(mutant, budget)
            if names:
                expected = sum(found.seconds[name] for name in names)
                trials.append(begin(mutant, text, names, free.pop(), 30 + 4 * expected))
            else:
                verdicts[mutant] = "unreached"
        for trial in list(trials):
            verdict = trial.verdict()
            if verdict:
                trials.remove(trial)
                verdicts[trial.mutant] = verdict
                shutil.copy2(ROOT / trial.mutant.path, trial.folder / trial.mutant.path)
                free.append(trial.folder)
                progress(verdicts, len(drawn))
        time.sleep(0.02)
    return verdicts


def control(drawn: list[tuple[Mutant, str]], found: Reach, scratch: Path, jobs: int, budget: float) -> None:
    """See that the tests pass where nothing is mutated."""
    unchanged = [(mutant, (ROOT / mutant.path).read_text()) for mutant, _ in drawn[: 2 * jobs]]
    verdicts = judge(unchanged, found, scratch, jobs, budget)
    wrong = [mutant for mutant, verdict in verdicts.items() if verdict in ("killed", "hung")]
    if wrong:
        logs = [path.read_text()[-2000:] for path in scratch.glob("worker*.log")]
        raise SystemExit("tests that passed fail without any mutation:\n" + "\n".join(logs))


def progress(verdicts: dict[Mutant, str], number: int) -> None:
    if len(verdicts) % 20 == 0:
        print(f"{len(verdicts)} of {number}: {dict(Counter(verdicts.values()))}", flush=True)


def report(drawn: list[tuple[Mutant, str]], verdicts: dict[Mutant, str]) -> None:
    noticed = {"killed", "hung"}
    print("\nSurvivors:")
    for mutant, text in sorted(drawn, key=lambda each: (each[0].path, each[0].lines.start)):
        if verdicts[mutant] not in noticed:
            print(f"\n{mutant.path}:{mutant.lines.start} {mutant.kind} ({verdicts[mutant]})")
            print("\n".join(changes((ROOT / mutant.path).read_text(), text)))
    print("\nnoticed / mutants, by file")
    for path in sorted({mutant.path for mutant in verdicts}):
        here = [verdict for mutant, verdict in verdicts.items() if mutant.path == path]
        print(f"{sum(verdict in noticed for verdict in here):4} / {len(here):3}  {path}")
    total = sum(verdict in noticed for verdict in verdicts.values())
    print(
        f"\n{total} of {len(verdicts)} mutants noticed: {total / max(1, len(verdicts)):.1%} {dict(Counter(verdicts.values()))}"
    )


def changes(text: str, mutated: str) -> list[str]:
    lines = difflib.unified_diff(text.splitlines(), mutated.splitlines(), lineterm="", n=0)
    return ["  " + line for line in lines if not line.startswith(("---", "+++", "@@"))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=300, help="how many mutants (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which sample (%(default)s)")
    parser.add_argument("--only", default="", help="only files whose path contains this")
    parser.add_argument("--seconds", type=float, default=45, help="of tests per mutant, at most (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time (%(default)s)")
    given = parser.parse_args()
    begun = time.monotonic()
    os.environ.update(OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1", PL_DISABLE_FORK="1")
    sys.dont_write_bytecode = True
    drawn = draw(given.number, given.seed, given.only)
    for name in PRELOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        scratch = Path(folder)
        found = reach(scratch, given.jobs)
        left = f", {len(found.failed)} of which fail as it is and are left out" if found.failed else ""
        print(f"{len(found.seconds)} tests{left}; {time.monotonic() - begun:.0f} s", flush=True)
        control(drawn, found, scratch, given.jobs, given.seconds)
        verdicts = judge(drawn, found, scratch, given.jobs, given.seconds)
    report(drawn, verdicts)
    print(f"seed {given.seed}, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
