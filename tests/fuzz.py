"""Goes on for longer than the tests do: ``python tests/fuzz.py [KIND] [SEED] [--seconds N]``, or ``make fuzz``.

Without a seed it draws one, prints it, and goes on from there, kind by kind; with KIND and SEED it repeats that one case.
Every failure is printed as the line that repeats it. The exit status is 1 where there was one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

import conftest  # noqa: F401
import test_events
import test_histories
import test_kills
import test_mutated_state
import test_places
import test_run_facts
import test_runs
import torch


def kinds(worker: Callable[[], test_kills.Worker]) -> dict[str, Callable[[int], list[str]]]:
    return {
        "runs": test_runs.check,
        "plans": test_run_facts.check_plan,
        "metrics": test_run_facts.check_metrics,
        "endings": test_events.check_ending,
        "joining": test_events.check_joining,
        "skipping": test_events.check_skipping,
        "histories": test_histories.check,
        "together": test_histories.check_together,
        "plateau": test_histories.check_plateau,
        "mutations": test_mutated_state.check,
        "configs": test_mutated_state.check_config,
        "places": test_places.check,
        "kills": lambda seed: test_kills.check(seed, worker()),
    }


#: cases in a row of one kind, so that each kind gets its share of the time
ROUND = {
    "runs": 30,
    "plans": 1000,
    "metrics": 10,
    "endings": 30,
    "joining": 60,
    "skipping": 30,
    "histories": 1000,
    "together": 400,
    "plateau": 200,
    "mutations": 200,
    "configs": 1000,
    "places": 10,
    "kills": 3,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", nargs="?", help=", ".join(ROUND))
    parser.add_argument("seed", nargs="?", type=int)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--show", type=int, default=20, help="failures of one kind that are printed in full")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    workers: list[test_kills.Worker] = []

    def worker() -> test_kills.Worker:
        if not workers:
            workers.append(test_kills.Worker())
        return workers[0]

    checks = kinds(worker)
    try:
        if given.seed is not None:
            problems = checks[given.kind](given.seed)
            print("".join(problems) or "nothing is wrong")
            return int(bool(problems))
        return endless(checks, given)
    finally:
        for one in workers:
            one.close()


def endless(checks: dict[str, Callable[[int], list[str]]], given: argparse.Namespace) -> int:
    start = random.SystemRandom().randrange(10**6, 10**9)
    print(f"seeds from {start}, for {given.seconds:g} s", flush=True)
    chosen = [given.kind] if given.kind else list(checks)
    cases, failures, seed, end = (
        dict.fromkeys(chosen, 0),
        dict.fromkeys(chosen, 0),
        start,
        time.monotonic() + given.seconds,
    )
    while time.monotonic() < end:
        for kind in chosen:
            for _ in range(ROUND[kind]):
                with contextlib.redirect_stdout(io.StringIO()):
                    problems = checks[kind](seed)
                seed += 1
                cases[kind] += 1
                for problem in problems:
                    failures[kind] += 1
                    if failures[kind] <= given.show:
                        print(problem, flush=True)
            if time.monotonic() > end:
                break
    print("; ".join(f"{kind}: {failures[kind]} of {cases[kind]} cases wrong" for kind in chosen))
    return int(any(failures.values()))


if __name__ == "__main__":
    sys.exit(main())
