"""./bootstrap demo --once ends well only if every step truly happened: not with any one of
the daemons put out."""

import os
import subprocess
from pathlib import Path

import pytest

from postfix import aside
from tidings import build_folder

TOP = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "milter": "milter/tidings-milter",
    "tracker": "tracker/tidings-tracker",
    "policyd": "policyd/tidings-policyd",
    "tidings": "ctl/tidings",
}


def demo(folder, replaced=None, by=None):
    """Runs the demo with the programs of the build, one of them replaced."""
    for name, path in PROGRAMS.items():
        link = folder / path
        link.parent.mkdir(parents=True)
        link.symlink_to(by if name == replaced else build_folder().resolve() / path)
    environment = {
        **os.environ,
        "TIDINGS_BUILD": str(folder),
        "TIDINGS_ASIDE": str(aside("postfix").parent),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        ["/usr/bin/python3", TOP / "contrib/demo/demo.py", "--once"],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )


def test_every_step(fresh_workdir):
    done = demo(fresh_workdir / "build")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every step happened" in done.stdout and done.stderr == ""


@pytest.mark.parametrize("replaced", PROGRAMS)
def test_not_without(fresh_workdir, replaced):
    done = demo(fresh_workdir / "build", replaced, "/bin/true")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Every step happened" not in done.stdout and "The demo failed" in done.stdout
    assert "Traceback" not in done.stderr


# It says that it is ready and does nothing.
DO_NOTHING = """\
#!/usr/bin/python3
import os, socket, time
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(600)
"""


@pytest.mark.parametrize("replaced", ["milter", "tracker", "policyd"])
def test_not_with_an_idle(fresh_workdir, replaced):
    """Nor with one that starts and then sleeps."""
    idle = fresh_workdir / "idle"
    idle.write_text(DO_NOTHING)
    idle.chmod(0o755)
    done = demo(fresh_workdir / "build", replaced, idle)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Every step happened" not in done.stdout and "The demo failed" in done.stdout
