"""How many seeded mistakes in lr_configs/ the tests notice: ``make mutants``, or ``python -m benchmarks.mutants``.

A sample of mutants is drawn: cosmic-ray's (a comparison turned, an off-by-one, an operator exchanged, a condition negated)
and dropped statements. First every test runs once under coverage; what a file of tests reaches is kept in `.mutants/` for as
long as that file and everything that is no test stay the same. Then each mutant meets the tests that reach its lines, the
quick ones first, until one fails or `--seconds` of them are over; what has noticed others leads. Every run is a fork of one
process that has imported torch and Lightning already, and has a copy of the checkout of its own: the working tree is never
touched. `--again` tries only those that survived when the same sample was drawn last.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import gc
import hashlib
import importlib
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
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
KEPT = ROOT / ".mutants"
PACKAGE = "lr_configs"
#: tests of other projects, of the text of the source and of this tool say nothing of what the code does
LEFT_OUT = ("tests/upstream/", "tests/test_structure.py", "tests/test_mutants.py")
PRELOADED = (
    "torch", "numpy", "hydra", "pytorch_lightning", "lightning.pytorch", "sklearn.datasets", "hypothesis", "jsonargparse",
)  # fmt: skip
PYTEST = ["-p", "no:cacheprovider", "-o", "addopts=--doctest-modules --strict-markers", "-q"]
PYTEST += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # what is preloaded holds a pytest plugin
TEST_NAME = "LR_CONFIGS_TEST"  # environment: the test that runs, for processes that it starts
FORK = get_context("fork")
NOTICED = ("killed", "hung")
MANY = 100  # tests that have noticed the most


# --- what can be mutated ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)  # two of a kind in one statement are two
class Mutant:
    """One mistake: the text of a file with it, and the lines of the statement and of the function that it sits in."""

    path: str
    kind: str
    lines: range
    function: range  # empty where it runs at import
    make: Callable[[], str | None] = field(repr=False)


def operators() -> dict[str, Any]:
    """Cosmic-ray's operators that need no arguments."""
    classes = {name: cosmic_ray.plugins.get_operator(name) for name in cosmic_ray.plugins.operator_names()}
    return {name.removeprefix("core/"): cls() for name, cls in classes.items() if not cls.arguments()}


def sites(path: str, text: str) -> Iterator[list[Mutant]]:
    """Places of a file that can be mutated, each with the ways to do it."""
    tree = ast.parse(text)
    silent, same = silent_ranges(tree), identities(tree)
    statements, functions = statement_lines(tree), function_lines(tree)
    found: dict[tuple[Any, ...], list[Mutant]] = defaultdict(list)
    nodes = list(ast_nodes(get_ast(text)))
    for name, operator in operators().items():
        positions = (position for node in nodes for position in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(positions):
            unseen = [*silent, *same] if name in _IDENTITY else silent
            if not any(first <= start and end <= last for first, last in unseen):
                make = by_operator(text, operator, occurrence)
                mutant = Mutant(path, name, statements[start[0]], functions[start[0]], make)
                found[(name.split("Operator_")[0], start, end)].append(mutant)
    yield from found.values()
    for statement in droppable(tree):
        lines, function = statements[statement.lineno], functions[statement.lineno]
        yield [Mutant(path, "DropStatement", lines, function, by_dropping(text, statement))]


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
                abstract = isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node)
                if called or stored or (isinstance(node, ast.AugAssign | ast.Raise | ast.Delete) and not abstract):
                    yield node  # type: ignore[misc]


Span = tuple[tuple[int, int], tuple[int, int]]
_IDENTITY = ("ReplaceComparisonOperator_Is_Eq", "ReplaceComparisonOperator_IsNot_NotEq")


def silent_ranges(tree: ast.Module) -> list[Span]:
    """Where a change cannot be seen.

    Annotations, overloads and what else is for the type checker, lists of names; and what only states that something always holds:
    assertions, ``strict=True`` of `zip`, ``frozen=True`` of a dataclass, abstract methods. And caches, which only time shows.
    """
    found = [span(part) for node in ast.walk(tree) for part in silent_parts(node)]
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", []):
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if ast.unparse(called).endswith(("overload", "abstractmethod", "dataclass_transform", "lru_cache")):
                found.append(((decorator.lineno, 0), (decorator.lineno + 1, 0)))  # its sign and line end included
    return found


def silent_parts(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
        yield node.annotation
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from filter(None, [node.returns])
        if any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list):
            yield node
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        yield node
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        yield node
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("cast", "TypeVar")) and node.args:
        yield node.args[0]
    if isinstance(node, ast.Assert) or (isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node)):
        yield node
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("zip", "dataclass"):
        yield from (keyword for keyword in node.keywords if ast.unparse(keyword) in ("strict=True", "frozen=True"))


def identities(tree: ast.Module) -> list[Span]:
    """Comparisons by identity with a class or one of the only objects, where equality is the same."""
    return [span(node) for node in ast.walk(tree) if isinstance(node, ast.Compare) and _by_identity(node)]


def _by_identity(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    return any(
        (isinstance(side, ast.Constant) and side.value in (None, True, False))
        or ast.unparse(side).endswith(".__class__")
        or (isinstance(side, ast.Call) and ast.unparse(side.func) == "type")
        for side in sides
    )


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


def function_lines(tree: ast.Module) -> dict[int, range]:
    """Line -> lines of the body of the innermost function around it; of all others none, which run at import."""
    found: dict[int, range] = defaultdict(lambda: range(0))
    for node in ast.walk(tree):  # outer ones first
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = range(node.body[0].lineno, (node.end_lineno or 0) + 1)
            found.update(dict.fromkeys(lines, lines))
    return found


def draw(number: int, seed: int, only: str) -> list[tuple[Mutant, str]]:
    """A sample of mutants, each with its text: places are equally likely, and so are the ways at a place."""
    chance = random.Random(seed)
    texts = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / PACKAGE).rglob("*.py"))}
    places = [
        place
        for path, text in texts.items()
        if any(part in path for part in only.split(","))
        for place in sites(path, text)
    ]
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


def names_of_files() -> list[str]:
    """The files of the checkout, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return sorted(name for name in filter(None, listed.stdout.decode().split("\0")) if (ROOT / name).is_file())


def copied(folder: Path) -> Path:
    """A copy of the checkout as it is."""
    for name in names_of_files():
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


class Failing:
    """A pytest plugin that says which tests failed."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.names.add(report.nodeid)


class Watcher(Failing):
    """A pytest plugin that says how long each test took, whether it passed, and which lines it reached."""

    def __init__(self, measured: coverage.Coverage) -> None:
        super().__init__()
        self.measured = measured
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        os.environ[TEST_NAME] = item.nodeid
        self.measured.switch_context(item.nodeid)
        begun = sum(os.times()[:4])  # of the processor, here and in processes that ended: others may be using it too
        result = yield
        self.seconds[item.nodeid] = sum(os.times()[:4]) - begun
        self.measured.switch_context("")
        return result


def watch(folder: Path, files: list[str], into: Path) -> None:
    """Run tests under coverage, their processes included; in a process of its own.

    Those that fail run again without it: Hydra, for one, shows another page of errors where somebody traces it.
    """
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
    failing = Failing()
    if watcher.names:
        del os.environ["COVERAGE_PROCESS_START"]
        pytest.main([*PYTEST, *sorted(watcher.names)], plugins=[failing])
    (into / "tests.json").write_text(json.dumps([watcher.seconds, sorted(failing.names)]))


class Chosen:
    """A pytest plugin that runs these tests, in this order."""

    def __init__(self, names: list[str]) -> None:
        self.order = {name: place for place, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid]
        )


def attempt(folder: Path, names: list[str], log: Path, seconds: int) -> None:
    """Run tests until one fails; in a process of its own, whose exit code is pytest's."""
    enter(folder, log)
    sys.dont_write_bytecode = False  # the files of tests stay the same
    used = int(sum(os.times()[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, used + seconds + 5))
    files = sorted({name.partition("::")[0] for name in names})
    failing = Failing()
    code = pytest.main([*PYTEST, "-x", *files], plugins=[Chosen(names), failing])
    log.with_suffix(".failed").write_text("\n".join(failing.names))
    os._exit(code)


# --- the measurement --------------------------------------------------------------------------------------------------


@dataclass
class Reach:
    """What the tests reach, and how long they take."""

    seconds: dict[str, float]
    failed: set[str]
    by_line: dict[str, dict[int, set[str]]]  # file -> line -> tests ("" at import)
    killers: Counter[str] = field(default_factory=Counter)  # tests that have noticed a mutant, and how many

    def tests(self, mutant: Mutant, budget: float) -> list[str]:
        """Tests to run, of each kind as many as fit into the budget, the quick ones first: those that reach it, then others.

        What one test has computed, a cache or a fixture keeps for the others of its file; what runs at import, any test may
        look at; and what a killed process has reached, nobody knows: tests of the function around it, or of the file, may
        have been there.
        """
        lines = self.by_line.get(mutant.path, {})
        found = set().union(*(lines.get(line, set()) for line in mutant.lines))
        if not found:
            found = set().union(*(lines.get(line, set()) for line in mutant.function))
        if not found or "" in found or not mutant.function:  # whatever uses the file may notice
            found = set().union(*lines.values())
        files = {name.partition("::")[0] for name in (found if mutant.function else self.seconds)}
        beside = {name for name in self.seconds if name.partition("::")[0] in files} - found
        rest = budget / 4 if mutant.function else budget
        return [*self._quickest(found, budget), *self._quickest(beside, rest)] if found else []

    def _quickest(self, names: set[str], budget: float) -> list[str]:
        """As many as fit into the budget, and at least one."""
        usable = sorted(
            (self.seconds[name], name) for name in names if name in self.seconds and name not in self.failed
        )
        spent = list(itertools.accumulate(seconds for seconds, _ in usable))
        return [name for _, name in usable[: max(1, bisect_right(spent, budget))]]

    def batches(self, names: list[str], quick: float = 3) -> list[list[str]]:
        """What has noticed others, and what three files test quickly; then the rest.

        Collecting many files takes longer than most mutants live.
        """
        usable = set(names)
        known = [name for name, _ in self.killers.most_common(MANY) if name in usable]
        files = Counter(name.partition("::")[0] for name in names)
        near = {file for file, _ in files.most_common(3)}
        chosen: dict[str, None] = {}
        for some in (known, [name for name in names if name.partition("::")[0] in near]):
            spent = 0.0
            for name in some:
                if spent < quick and name not in chosen:
                    chosen[name] = None
                    spent += self.seconds[name]
        first = [*chosen]
        return [batch for batch in (first, [name for name in names if name not in chosen]) if batch]

    def add(self, record: dict[str, Any]) -> None:
        """Take in what the tests of one file reach."""
        self.seconds.update(record["seconds"])
        self.failed.update(record["failed"])
        tests = [*record["seconds"], ""]  # the same text objects at every line
        for path, line, numbers in record["lines"]:
            self.by_line[path][line].update(tests[number] for number in numbers)


def is_test(name: str) -> bool:
    return name.startswith("tests/") and Path(name).name.startswith("test_")


def watched_files() -> dict[str, str]:
    """Files of tests, and the package for its doctests, each with a digest of all that its tests may depend on."""

    def digest(names: list[str], first: str) -> str:
        parts = (f"{name}\0{hashlib.sha256((ROOT / name).read_bytes()).hexdigest()}" for name in names)
        return hashlib.sha256("\0".join([first, *parts]).encode()).hexdigest()

    names = names_of_files()
    common = digest([name for name in names if not is_test(name) and not name.startswith("benchmarks/")], sys.version)
    tests = [name for name in names if is_test(name) and not name.startswith(LEFT_OUT)]
    tests.sort(key=lambda name: (ROOT / name).stat().st_size)
    return {name: digest([name], common) for name in tests} | {PACKAGE: digest([], common)}


def reach(scratch: Path, jobs: int) -> Reach:
    """What every test reaches: run once, or kept from the last time."""
    KEPT.mkdir(exist_ok=True)
    digests = watched_files()
    unknown = [name for name, digest in digests.items() if not (KEPT / f"{digest}.json").exists()]
    if unknown:
        watch_all(scratch, unknown, digests, jobs)
    wanted = {f"{digest}.json" for digest in digests.values()}
    found = Reach({}, set(), defaultdict(lambda: defaultdict(set)))
    for record in KEPT.glob("*.json"):
        if record.name in wanted:
            found.add(json.loads(record.read_text()))
        elif time.time() - record.stat().st_mtime > 7 * 86400:
            record.unlink()
    return found


def watch_all(scratch: Path, files: list[str], digests: dict[str, str], jobs: int) -> None:
    """Run the tests of these files, and keep what they reach."""
    folder = copied(scratch / "baseline")
    running = []
    for job in range(jobs):
        into = scratch / f"watch{job}"
        into.mkdir()
        running.append(FORK.Process(target=watch, args=(folder, files[job::jobs], into)))
        running[-1].start()
    for process in running:
        process.join()
    for job in range(jobs):
        into = scratch / f"watch{job}"
        if not (into / "tests.json").exists():
            raise SystemExit("the tests did not run:\n" + (into / "log").read_text()[-3000:])
        seconds, failed = json.loads((into / "tests.json").read_text())
        by_line = read_lines(into, folder)
        for name in files[job::jobs]:
            mine = {test for test in seconds if test.partition("::")[0] == name or test.startswith(name + "/")}
            record = {
                "seconds": {test: seconds[test] for test in sorted(mine)},  # the tests in the order of their numbers
                "failed": sorted(mine & set(failed)),
                "lines": numbered(by_line, mine),
            }
            (KEPT / f"{digests[name]}.json").write_text(json.dumps(record))


def numbered(by_line: dict[str, dict[int, set[str]]], mine: set[str]) -> list[tuple[str, int, list[int]]]:
    """File, line, numbers of the tests that reach it; -1 at import."""
    numbers = {test: number for number, test in enumerate(sorted(mine))} | {"": -1}
    return [
        (path, line, sorted(numbers[test] for test in tests & numbers.keys()))
        for path, lines in by_line.items()
        for line, tests in lines.items()
        if tests & numbers.keys()
    ]


def read_lines(into: Path, folder: Path) -> dict[str, dict[int, set[str]]]:
    """File -> line -> tests ("" at import), out of coverage's data."""
    found: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for data in into.glob("data.*"):
        try:
            read = coverage.CoverageData(basename=str(data))
            read.read()
            reached = {path: read.contexts_by_lineno(path) for path in read.measured_files()}
        except coverage.exceptions.DataError:  # a test has killed the process that wrote it
            continue
        for path, lines in reached.items():
            for line, tests in lines.items():
                found[Path(path).relative_to(folder).as_posix()][line].update(tests)
    return found


class Trial:
    """A mutant that meets its tests now."""

    #: a modification time of its own for every text, which compiled files are known by
    stamps = itertools.count(int(time.time()))

    def __init__(self, mutant: Mutant, text: str, found: Reach, batches: list[list[str]], folder: Path) -> None:
        self.mutant, self.found, self.batches, self.folder = mutant, found, batches, folder
        path, stamp = folder / mutant.path, next(self.stamps)
        path.write_text(text)
        os.utime(path, (stamp, stamp))
        self.begin()

    def begin(self) -> None:
        """Run the next batch."""
        names = self.batches.pop(0)
        self.log.with_suffix(".failed").unlink(missing_ok=True)
        limit = int(30 + 4 * sum(self.found.seconds[name] for name in names))
        self.process = FORK.Process(target=attempt, args=(self.folder, names, self.log, limit))
        self.process.start()
        self.until = time.monotonic() + 5 * limit  # where it waits for nothing

    @property
    def log(self) -> Path:
        """What pytest has printed."""
        return self.folder.with_suffix(".log")

    def verdict(self) -> str | None:
        """ "killed", "survived" or "hung"; None while it runs."""
        code = self.process.exitcode
        if code is None and time.monotonic() < self.until:
            return None
        if code is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.join()
            return "hung"
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return "hung"
        if code == pytest.ExitCode.USAGE_ERROR:
            raise SystemExit(f"pytest could not run:\n{self.log.read_text()[-3000:]}")
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return "killed"
        if not self.batches:
            return "survived"
        self.begin()
        return None

    def failed(self) -> list[str]:
        """The tests that have failed."""
        path = self.log.with_suffix(".failed")
        return path.read_text().splitlines() if path.exists() else []

    def restore(self) -> Path:
        """The folder, without the mistake."""
        shutil.copy2(ROOT / self.mutant.path, self.folder / self.mutant.path)
        return self.folder


def judge(drawn: list[tuple[Mutant, str]], found: Reach, scratch: Path, jobs: int, budget: float) -> dict[Mutant, str]:
    """Mutant -> verdict."""
    verdicts: dict[Mutant, str] = {}
    waiting = list(reversed(drawn))
    free = [copied(scratch / f"worker{job}") for job in range(jobs)]
    trials: list[Trial] = []

    def done(mutant: Mutant, verdict: str) -> None:
        verdicts[mutant] = verdict
        if len(verdicts) % 20 == 0:
            print(f"{len(verdicts)} of {len(drawn)}: {dict(Counter(verdicts.values()))}", flush=True)

    while waiting or trials:
        while waiting and free:
            mutant, text = waiting.pop()
            names = found.tests(mutant, budget)
            if names:
                trials.append(Trial(mutant, text, found, found.batches(names), free.pop()))
            else:
                done(mutant, "unreached")
                show(mutant, text, "unreached")
        for trial in list(trials):
            verdict = trial.verdict()
            if verdict:
                trials.remove(trial)
                if verdict == "killed":
                    found.killers.update(trial.failed())
                if verdict == "survived":
                    show(trial.mutant, (trial.folder / trial.mutant.path).read_text(), verdict)
                free.append(trial.restore())
                done(trial.mutant, verdict)
        time.sleep(0.02)
    return verdicts


def show(mutant: Mutant, text: str, verdict: str) -> None:
    """Print a mistake that no test has noticed."""
    changed = changes((ROOT / mutant.path).read_text(), text)
    if changed:
        print(f"\n{mutant.path}:{mutant.lines.start} {mutant.kind} ({verdict})", *changed, sep="\n", flush=True)


def control(drawn: list[tuple[Mutant, str]], found: Reach, scratch: Path, jobs: int, budget: float) -> None:
    """See that the tests pass where nothing is mutated."""
    unchanged = [(mutant, (ROOT / mutant.path).read_text()) for mutant, _ in drawn[:jobs]]
    verdicts = judge(unchanged, found, scratch, jobs, budget)
    wrong = [mutant for mutant, verdict in verdicts.items() if verdict in NOTICED]
    if wrong:
        logs = [path.read_text()[-2000:] for path in scratch.glob("worker*.log")]
        raise SystemExit("tests that passed fail without any mutation:\n" + "\n".join(logs))


def report(verdicts: dict[Mutant, str]) -> None:
    print("\nnoticed / mutants, by file")
    for path in sorted({mutant.path for mutant in verdicts}):
        here = [verdict for mutant, verdict in verdicts.items() if mutant.path == path]
        print(f"{sum(verdict in NOTICED for verdict in here):4} / {len(here):3}  {path}")
    total = sum(verdict in NOTICED for verdict in verdicts.values())
    print(
        f"\n{total} of {len(verdicts)} mutants noticed: {total / max(1, len(verdicts)):.1%} {dict(Counter(verdicts.values()))}"
    )


def identity(mutant: Mutant, text: str) -> str:
    """What a mistake is known by, where the file around it is changed or moved."""
    changed = "\n".join(changes((ROOT / mutant.path).read_text(), text))
    return hashlib.sha256(f"{mutant.path}\0{mutant.kind}\0{changed}".encode()).hexdigest()


def changes(text: str, mutated: str) -> list[str]:
    lines = difflib.unified_diff(text.splitlines(), mutated.splitlines(), lineterm="", n=0)
    return ["  " + line for line in lines if not line.startswith(("---", "+++", "@@"))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=300, help="how many mutants (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which sample (%(default)s)")
    parser.add_argument(
        "--only", default="", help="only files whose path contains this, or one of several: plan,horizon"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=45,
        help="of tests that reach a mutant, and as much of others, at most (%(default)s)",
    )
    parser.add_argument("--again", action="store_true", help="only the survivors of this sample's last measurement")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time (%(default)s)")
    given = parser.parse_args()
    begun = time.monotonic()
    os.environ.update(OMP_NUM_THREADS="1", PL_DISABLE_FORK="1", LR_CONFIGS_SLOW="1")
    sys.dont_write_bytecode = True
    drawn = draw(given.number, given.seed, given.only)
    only = hashlib.sha256(given.only.encode()).hexdigest()[:8]
    survivors = KEPT / f"survivors-{given.seed}-{given.number}-{only}"
    if given.again:
        drawn = [each for each in drawn if identity(*each) in survivors.read_text().split()]
    for name in PRELOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        scratch = Path(folder)
        found = reach(scratch, given.jobs)
        left = f", {len(found.failed)} of which fail as it is and are left out" if found.failed else ""
        print(f"{len(found.seconds)} tests{left}; {time.monotonic() - begun:.0f} s", flush=True)
        gc.freeze()  # what forks do not touch they share
        control(drawn, found, scratch, given.jobs, given.seconds)
        verdicts = judge(drawn, found, scratch, given.jobs, given.seconds)
    report(verdicts)
    left = [identity(*each) for each in drawn if verdicts[each[0]] not in NOTICED]
    survivors.write_text("\n".join(left))
    print(f"seed {given.seed}, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
