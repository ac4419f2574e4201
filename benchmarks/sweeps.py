"""Sweeps: what our sweeper and manifests add to a job that does nothing, and a comparison of ten thousand jobs."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import synthetic

JOBS = 10_000
#: the clock runs in our code alone: Hydra's own part of a job varies by more than ours is
APP = """import json, os, time
import hydra
from lr_configs.sweeps import folder, grid, hydra_callback

spent = flushed = 0.0
flush = os.fsync

def fsync(file):
    global flushed
    start = time.perf_counter()
    flush(file)
    flushed += time.perf_counter() - start

os.fsync = fsync

def timed(owner, name):
    old = getattr(owner, name)
    def new(*arguments, **options):
        global spent
        start = time.perf_counter()
        try:
            return old(*arguments, **options)
        finally:
            spent += time.perf_counter() - start
    setattr(owner, name, new)

timed(hydra_callback.JobManifest, "on_job_start")
timed(hydra_callback.JobManifest, "on_job_end")

def launched(old):
    def run(config, asked, size, launch):
        global spent
        inside = []
        def mine(jobs, first):
            start = time.perf_counter()
            results = launch(jobs, first)
            inside.append(time.perf_counter() - start)
            return results
        start = time.perf_counter()
        results = old(config, asked, size, mine)
        spent += time.perf_counter() - start - sum(inside)
        print(json.dumps([spent, flushed, sum(inside), len(asked)]))
        return results
    return run

grid.run = launched(grid.run)

@hydra.main(config_path=None, version_base=None)
def main(config):
    pass

main()
"""


def bench_sweeps(quick: bool) -> list[str]:
    """Milliseconds per job, and seconds for ten thousand."""
    lines = [
        "",
        "### A sweep of jobs that do nothing, ms per job",
        "",
        "| Hydra | ours beside it | of that, waiting for the disk |",
        "|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "app.py").write_text(APP)
        found = [_sweep(Path(folder), number, 20 if quick else 100) for number in range(1 if quick else 5)]
    hydras, ours, flushes = (statistics.median(some) for some in zip(*found, strict=True))
    lines.append(f"| {hydras:.0f} | {ours:.1f} | {flushes:.1f} |")
    with tempfile.TemporaryDirectory() as folder:
        jobs = JOBS // 10 if quick else JOBS
        synthetic.sweep(Path(folder, "sweep"), jobs)
        lines += ["", f"### `lr-configs compare` of {jobs:,} jobs, whole process", "", "| | s |", "|---|---|"]
        for name, words in {
            "table": ["--top", "20"],
            "CSV": ["--csv"],
            "page": ["-o", "report.html", "--force"],
        }.items():
            lines.append(f"| {name} | {_compared(Path(folder), words, 1 if quick else 3):.1f} |")
        shown = _shown(Path(folder, "report.html"))
        lines.append(
            f"| the page's first table in a browser | {'no browser here' if shown is None else f'{shown:.1f}'} |"
        )
    return lines


def _sweep(folder: Path, number: int, jobs: int) -> tuple[float, float, float]:
    """Milliseconds per job that Hydra took, that we did, and that we waited for the disk."""
    words = [
        "app.py",
        "-m",
        "hydra.searchpath=[lr-configs://]",
        "hydra/sweeper=lr_grid",
        f"hydra.sweep.dir=sweep{number}",
    ]
    done = subprocess.run(
        [sys.executable, *words, f"+x=range({jobs})"], cwd=folder, capture_output=True, text=True, check=True
    )
    ours, flushed, whole, count = json.loads(done.stdout.splitlines()[-1])
    # The jobs' own hooks run within the launch.
    return 1000 * (whole - ours) / count, 1000 * ours / count, 1000 * flushed / count


def _compared(folder: Path, words: list[str], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "lr_configs", "compare", "sweep", *words],
            cwd=folder,
            capture_output=True,
            check=True,
        )
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _shown(page: Path) -> float | None:
    """Seconds until the first rows are there; None without a browser."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_context(offline=True).new_page()
        start = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="commit")
        tab.wait_for_selector(".body .row")
        took = time.perf_counter() - start
        browser.close()
    return took
