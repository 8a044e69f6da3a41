"""The harness of Tidings itself: what it says of a daemon is true, and its clock
file is the one of lib/clock/clock.h."""

import os
import stat
import struct
import time
from datetime import datetime, timedelta

import pytest

from tidings import MILTER, UTC, Daemon, Tidings

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
READY = "import os,socket,sys,time; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n"
READY += "s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET']); print('up', flush=True)\n"


def python(code):
    return ["/usr/bin/python3", "-c", code]


def test_ready_and_stopped(fresh_workdir):
    daemon = Daemon("good", python(READY + "time.sleep(60)"), fresh_workdir).start()
    assert daemon.alive
    assert daemon.stop() == -15
    assert not daemon.alive
    daemon.start()
    daemon.kill()
    assert not daemon.alive


def test_ends_at_once(fresh_workdir):
    """As when a daemon is replaced by /bin/true."""
    with pytest.raises(AssertionError, match="ended with 0"):
        Daemon("true", ["/bin/true"], fresh_workdir).start()


def test_never_ready(fresh_workdir):
    with pytest.raises(AssertionError, match="not ready"):
        Daemon("mute", python("import time; time.sleep(60)"), fresh_workdir).start(timeout=0.5)


def test_crash_is_seen(fresh_workdir):
    code = READY + "print('x.c:1:2: runtime error: shift', file=sys.stderr, flush=True); time.sleep(60)"
    daemon = Daemon("bad", python(code), fresh_workdir).start()
    deadline = time.monotonic() + 10
    while "runtime error" not in daemon.log() and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(AssertionError, match="runtime error"):
        daemon.stop()


def test_clock(fresh_workdir):
    tidings = Tidings(fresh_workdir, clock=NOON)
    start, since = struct.unpack("=qq", tidings.clock.path.read_bytes())
    assert (start, since) == (1774612800000000, 0)
    tidings.clock_advance(timedelta(hours=1))
    assert tidings.clock.now() == start + 3600 * 1000000
    tidings.clock.run()
    before = tidings.clock.now()
    time.sleep(0.05)
    assert 40000 < tidings.clock.now() - before < 10000000
    tidings.clock_set(NOON)
    assert start <= tidings.clock.now() < start + 10000000
    tidings.clock.stop()
    assert tidings.clock.now() == tidings.clock.now()
    assert f"--clock {tidings.clock.path}" in " ".join(tidings.milter.command)


def test_folders(fresh_workdir):
    tidings = Tidings(fresh_workdir, milter_max_size="20M", zone="Europe/Berlin")
    assert len(os.fsencode(tidings.milter_socket)) < 108
    state = (tidings.state / "journal/milter").stat()
    assert (state.st_uid, stat.S_IMODE(state.st_mode)) == (MILTER, 0o2770)
    text = tidings.conf.read_text()
    assert 'zone = "Europe/Berlin"' in text
    assert 'max_size = "20M"' in text
