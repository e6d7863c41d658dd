"""Mutation testing: does any test notice when one small thing in the code is wrong?

    python -m scripts.mutants [PART ...]   # alarm limits orders agent plan backstop; all if none

Pytest collects the tests once; a first fork runs them under coverage to learn which test runs which
line, and every mutant is then one more fork that changes a function in place and runs the tests of
its lines until one fails. Nothing is imported twice, and Hypothesis draws the same examples each
time. A survivor fails the run unless tests/survivors.toml lists it with a reason, and so does an
entry of that list that is noticed or gone.
"""

from __future__ import annotations

import argparse
import os
import pickle
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import coverage
import pytest

from scripts import mutations
from scripts.mutations import ROOT, Mutant

LISTED = ROOT / "tests" / "survivors.toml"
PARTS: Mapping[str, str] = {  # modules and packages
    "alarm": "src/seawall/alarm.py",
    "limits": "src/seawall/limits",
    "orders": "src/seawall/venue/dydx/orders.py",
    "agent": "src/seawall/agent",
    "plan": "src/seawall/plan",
    "backstop": "src/seawall/backstop",
}
TESTS: Mapping[str, str] = {  # those that state what the part does
    "alarm": "tests/test_alarm.py",
    "limits": "tests/limits",
    "orders": "tests/venue/dydx/test_orders.py tests/venue/dydx/test_stops.py",
    "agent": "tests/agent",
    "plan": "tests/plan tests/decide/test_preview.py",
    "backstop": "tests/backstop",
}
# Files and tests: seconds to minutes of searching, not once per mutant; what only these notice is
# stated nowhere.
SLOW = (
    "test_crash_points.py",
    "test_optimality.py",
    "test_feasibility.py",
    "test_claims.py",
    "test_no_plan_for_a_random_account_near_its_initial_margin_has_a_fill_refused",
    "test_where_some_choice_of_so_few_positions_reaches_all_a_plan_as_cheap_is_found",
)
MEMORY_MOST = 6 * 2**30


@dataclass
class Known:
    """What the unchanged code's tests run and take."""

    lines: dict[str, dict[int, list[int]]] = field(default_factory=dict)  # file, line: tests
    seconds: list[float] = field(default_factory=list)  # of CPU, by test
    failed: list[str] = field(default_factory=list)


class Run:
    """A pytest plugin that runs mutants in place of tests."""

    def __init__(self, mutants: Sequence[Mutant], jobs: int) -> None:
        self.mutants, self.jobs = mutants, jobs
        self.survivors: list[tuple[Mutant, int]] = []  # with the number of tests that ran it
        self.items: list[pytest.Item] = []
        self.known = Known()
        self.kills: Counter[tuple[str, int]] = Counter()  # function and test
        self.failed = False

    def pytest_configure(self) -> None:
        """Let Hypothesis draw the same examples each time, and never shrink them."""
        import hypothesis  # once pytest has seen to its own imports

        hypothesis.settings.register_profile(
            "mutants",
            deadline=None,
            derandomize=True,
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        hypothesis.settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what is too slow."""
        items[:] = [item for item in items if not {item.path.name, item.name} & {*SLOW}]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note that a test has failed."""
        self.failed = self.failed or report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the mutants."""
        self.items = session.items
        everything = range(len(self.items))
        self.known = pickle.loads(_begin(self._learn).said())
        if not self.known.failed:
            noticed = _begin(lambda: self._judge(None, everything)).said()
            self.known.failed += [self.items[int(test)].nodeid for test in noticed.split()]
        if not self.known.failed:
            self._judge_all()
        return True

    def _learn(self) -> bytes:
        """Run every test once on the unchanged code."""
        known = Known()
        files = sorted({one.file for one in self.mutants})
        watch = coverage.Coverage(
            data_file=None, config_file=False, include=[str(ROOT / file) for file in files]
        )
        watch.start()
        for index, item in enumerate(self.items):
            watch.switch_context(str(index))
            begun = time.process_time()
            self._play(item)
            known.seconds.append(time.process_time() - begun)
            if self.failed:
                known.failed.append(item.nodeid)
                self.failed = False
        watch.stop()
        for file in files:
            by_line = watch.get_data().contexts_by_lineno(str(ROOT / file))
            known.lines[file] = {n: [int(c) for c in by if c] for n, by in by_line.items()}
        return pickle.dumps(known)

    def _play(self, item: pytest.Item) -> None:
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)

    def _judge_all(self) -> None:
        waiting, running = list(self.mutants)[::-1], dict[int, tuple[Mutant, int, Fork]]()
        while waiting or running:
            while waiting and len(running) < self.jobs:
                mutant = waiting.pop()
                tests = self._tests_of(mutant)
                fork = _begin(partial(self._judge, mutant, tests))
                running[fork.pid] = (mutant, len(tests), fork)
            pid, status = os.wait()
            mutant, count, fork = running.pop(pid)
            noticed = fork.said(has_ended=True)
            if noticed:
                self.kills[mutant.function, int(noticed)] += 1
            elif os.waitstatus_to_exitcode(status) == 0:  # not ended by a timer
                self.survivors.append((mutant, count))
                print(f"survived: {mutant}", file=sys.stderr, flush=True)

    def _tests_of(self, mutant: Mutant) -> list[int]:
        """Tests that run its lines, those first that noticed others in its function, then quick.

        What a module or a class assigns is run by none: any test of the part may notice it.
        """
        by_line = self.known.lines[mutant.file]
        tests = {test for line in mutant.lines for test in by_line.get(line, ())}
        if mutant.is_assigned_once:
            tests = set(range(len(self.items)))
        killed = {t: self.kills[mutant.function, t] for t in tests}
        return sorted(tests, key=lambda t: (-killed[t], self.known.seconds[t], t))

    def _judge(self, mutant: Mutant | None, tests: Sequence[int]) -> bytes:
        """In a fork: the test that notices, or nothing. One that hangs is ended by a timer."""
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MOST, MEMORY_MOST))
        for sent in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(sent, signal.SIG_DFL)
        if mutant is not None:
            mutations.apply(mutant)
        for test in tests:
            took = self.known.seconds[test]
            signal.setitimer(signal.ITIMER_PROF, 2 + 10 * took)  # of CPU
            signal.setitimer(signal.ITIMER_REAL, 30 + 50 * took)  # where it only waits
            self._play(self.items[test])
            if self.failed:
                return str(test).encode()
        return b""


@dataclass(frozen=True, kw_only=True)
class Fork:
    """Work in a process of its own, so that this one stays as it is."""

    pid: int
    read: int
    folder: Path

    def said(self, *, has_ended: bool = False) -> bytes:
        """What the work gave; waits for it."""
        with os.fdopen(self.read, "rb") as given:
            found = given.read()
        if not has_ended:
            os.waitpid(self.pid, 0)
        shutil.rmtree(self.folder, ignore_errors=True)
        return found


def _begin(work: Callable[[], bytes]) -> Fork:
    folder = Path(tempfile.mkdtemp(prefix="mutant-"))
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return Fork(pid=pid, read=read, folder=folder)
    code = 1
    try:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.tempdir = str(folder)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        with os.fdopen(write, "wb") as out:
            out.write(work())
        code = 0
    finally:
        os._exit(code)


def listed(path: Path = LISTED) -> dict[tuple[str, str, str, str], str]:
    """Reasons of the survivors that are known, by their keys."""
    reasons: dict[tuple[str, str, str, str], str] = {}
    for entry in tomllib.loads(path.read_text()).get("survivor", []):
        key = entry["file"], entry["function"], entry["before"], entry["after"]
        if key in reasons:
            raise ValueError(f"{path.name} lists twice: {' '.join(key[:3])} → {key[3]}")
        reasons[key] = entry["reason"].strip()
    return reasons


def files_of(part: str) -> list[str]:
    """The source files of a part, from the root of the repository."""
    top = ROOT / PARTS[part]
    return [str(path.relative_to(ROOT)) for path in sorted(top.glob("*.py")) or [top]]


def complaints(
    mutants: Iterable[Mutant],
    survivors: Sequence[tuple[Mutant, int]],
    reasons: Mapping[tuple[str, str, str, str], str],
) -> list[str]:
    """What fails the run: survivors not listed, and entries that say what is not so."""
    alive = {mutant.key for mutant, _ in survivors}
    exist = {mutant.key for mutant in mutants}
    files = {mutant.file for mutant in mutants}
    found = [
        f"{mutant}   ({f'{tests} tests ran it' if tests else 'no test runs it'})"
        for mutant, tests in survivors
        if not reasons.get(mutant.key)
    ]
    for key in reasons:
        if key[0] in files and key not in alive:
            what = "is noticed by a test" if key in exist else "exists no more"
            found.append(f"survivors.toml: {key[0]} {key[1]}: {key[2]} → {key[3]} {what}")
    return found


def judge(part: str, jobs: int, only: str | None) -> bool:
    """Run one part, say what was found, and whether it may pass."""
    begun = time.monotonic()
    mutants = [
        mutant
        for file in files_of(part)
        for mutant in mutations.mutants_of(file, (ROOT / file).read_text())
        if only is None or only in f"{mutant.file}:{mutant.line}:{mutant.function}"
    ]
    run = Run(mutants, jobs)
    quiet = ["-p", "no:terminal", "-p", "no:cacheprovider", "--capture=no"]
    quiet += ["--override-ini=addopts=", "--import-mode=importlib"]
    code = pytest.main([*quiet, *(str(ROOT / test) for test in TESTS[part].split())], plugins=[run])
    if code != pytest.ExitCode.OK or run.known.failed:
        print(f"{part}: the tests fail on unchanged code ({code}): {run.known.failed}")
        return False
    run_now = {mutant.key for mutant in mutants}
    reasons = {key: why for key, why in listed().items() if only is None or key in run_now}
    found = complaints(mutants, run.survivors, reasons)
    for line in found:
        print(line)
    print(
        f"{part}: {len(mutants)} mutants, {len(mutants) - len(run.survivors)} noticed by "
        f"{len(run.items)} tests, {len(run.survivors)} survived, {len(found)} to see to; "
        f"{(time.monotonic() - begun) / 60:.1f} min",
        flush=True,
    )
    return not found


def main() -> int:
    """Exit code: 0 where every survivor is listed with a reason, 1 otherwise."""
    words = argparse.ArgumentParser(description="Which small mistakes would no test notice?")
    words.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    words.add_argument("--jobs", type=int, default=2)
    words.add_argument("--only", help="text in FILE:LINE:FUNCTION of the mutants to run")
    given = words.parse_args()
    os.nice(19)
    passed = [_in_own_process(part, given.jobs, given.only) for part in given.parts or PARTS]
    return 0 if all(passed) else 1


def _in_own_process(part: str, jobs: int, only: str | None) -> bool:
    """Each part starts from nothing imported."""
    pid = os.fork()
    if pid == 0:
        sys.stdout.flush()
        passed = judge(part, jobs, only)
        sys.stdout.flush()
        os._exit(0 if passed else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets in the same order each time
        same = os.environ | {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, "-m", "scripts.mutants", *sys.argv[1:]], same)
    sys.exit(main())
