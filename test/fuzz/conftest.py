"""Fuzzing: a few cases of each kind in the suite, and for as long as `make fuzz MINUTES=…` says.

The numbers of cases are written to the folder LOFTR_ROS_FUZZ_OUTPUT.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

_HERE = Path(__file__).parent
# CPU time of a case: hostile input may not stop the program.
_MOST_SECONDS = 3.0
_ROUND = 200

Fuzz = Callable[..., None]


def _load(name: str, path: Path) -> ModuleType:
    """Import a module of the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def simulator() -> ModuleType:
    """The simulated world of the tests of the odometry."""
    return _load("fuzz_simulator", _HERE.parent / "odometry" / "simulator.py")


@pytest.fixture(scope="session")
def adversary() -> ModuleType:
    """The module `adversary`."""
    return _load("fuzz_adversary", _HERE / "adversary.py")


@pytest.fixture(scope="session")
def damaged_files() -> ModuleType:
    """The module `test_damaged_files`, which writes and damages sequences."""
    return _load("fuzz_damaged_files", _HERE.parent / "test_damaged_files.py")


@pytest.fixture(scope="session")
def bag_maker() -> type[Any]:
    """The class that writes small bags, of the tests of recordings."""
    conftest = _load("fuzz_bags", _HERE.parent / "sequences" / "recordings" / "conftest.py")
    return conftest.BagMaker  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def run_writer() -> Callable[..., Path]:
    """The function that writes the results of a run, of the tests of reports."""
    return _load("fuzz_pages", _HERE.parent / "reports" / "test_page.py").write_run  # type: ignore[no-any-return]


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Fuzz:
    """Run `check(case)` on cases of a strategy: `quick` in the suite, those of the same seed each time."""
    kind = request.node.name.removeprefix("test_")
    minutes = float(os.environ.get("LOFTR_ROS_FUZZ_MINUTES", "0"))
    share = minutes / sum("fuzz" in item.fixturenames for item in request.session.items)  # type: ignore[attr-defined]

    def run(check: Callable[[Any], None], cases: SearchStrategy[Any], quick: int) -> None:
        count = 0
        failures: dict[str, str] = {}

        def timed(case: Any) -> float:
            began = time.thread_time()
            check(case)
            return time.thread_time() - began

        def checked(case: Any) -> None:
            nonlocal count
            count += 1
            try:
                # Again if it is slow: the first use of a module or of much memory takes its time once.
                assert timed(case) < _MOST_SECONDS or timed(case) < _MOST_SECONDS, "too slow"
            except Exception as error:
                failures.setdefault(_kind_of(error), f"{case!r:.3000}\n{traceback.format_exc()}")

        def start(examples: int, *, same_each_time: bool) -> None:
            # All kinds of failures are reported, none of them shrunk, which would take minutes.
            options = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
            decorate = settings(max_examples=examples, derandomize=same_each_time, **options)
            decorate(given(cases)(checked))()

        end = time.monotonic() + 60 * share
        try:
            if not minutes:
                start(quick, same_each_time=True)
            while time.monotonic() < end:
                start(_ROUND, same_each_time=False)
        finally:
            _count(kind, count)
        if failures:
            texts = [f"{kind}\n{text}" for kind, text in failures.items()]
            pytest.fail(f"{len(texts)} kinds of failures in {count} cases\n" + "\n".join(texts), pytrace=False)

    return run


def _kind_of(error: Exception) -> str:
    """Return the exception and where it was raised: of the package, if it was there."""
    places = traceback.extract_tb(error.__traceback__)
    place = next((p for p in reversed(places) if "loftr_ros/" in p.filename), places[-1])
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"


def _count(kind: str, count: int) -> None:
    folder = os.environ.get("LOFTR_ROS_FUZZ_OUTPUT")
    if folder:
        path = Path(folder) / "cases.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        counts = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**counts, kind: counts.get(kind, 0) + count}, indent=1) + "\n")
