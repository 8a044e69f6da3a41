"""Fixtures of the end-to-end tests.

Each test file gets a working folder, a sink and a Postfix of its own (`workdir`,
`sink`, `postfix`); a test that needs an untouched folder asks for `fresh_workdir`.
All of it ends with the file, however the tests went. When a test fails, its
report shows the end of every log in the folder, and the logs are kept in
build/tests/e2e/kept/.
"""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from postfix import Postfix
from sink import Sink

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TIDINGS_BUILD", TOP / "build"))
KEPT = BUILD / "tests/e2e/kept"

# The lines of each log that a failed test's report shows.
LOG_LINES = 60

_folders = []  # the working folders in use, the newest last
_failed = set()  # those in which a test failed


def pytest_configure():
    # A run that is told to end still stops what it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _logs(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".log", ".out", ".conf", ".cf") and p.is_file())


def _keep(folder, name):
    """Copies the logs and configurations of a folder where a test failed."""
    for log in _logs(folder):
        target = KEPT / name / log.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, target)


@pytest.fixture(scope="session")
def base():
    """The folder of this run, short for the sake of Unix sockets' paths, and
    open to pass through: the daemons run as other users."""
    folder = Path(tempfile.mkdtemp(prefix="te-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _work(base, name):
    folder = Path(tempfile.mkdtemp(dir=base, prefix="w"))
    folder.chmod(0o711)
    _folders.append(folder)
    yield folder
    _folders.remove(folder)
    if folder in _failed:
        _keep(folder, name)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def workdir(base, request):
    yield from _work(base, request.module.__name__)


@pytest.fixture
def fresh_workdir(base, request):
    yield from _work(base, request.node.name)


@pytest.fixture(scope="module")
def sink():
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def postfix(workdir, sink):
    with Postfix(workdir, sink=sink) as postfix:
        yield postfix


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    for folder in _folders:
        _failed.add(folder)
        for log in _logs(folder):
            if log.suffix in (".log", ".out"):
                lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
                report.sections.append((str(log.relative_to(folder)), "\n".join(lines)))


def pytest_terminal_summary(terminalreporter):
    def number(*names):
        return sum(len(terminalreporter.stats.get(name, [])) for name in names)

    failed = number("failed", "error")
    terminalreporter.write_line(f"count: e2e: {number('passed')} passed, {failed} failed, {number('skipped')} skipped")
