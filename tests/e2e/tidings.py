"""A private Tidings for tests and the demo: its folders, configuration, clock and
the three daemons, each as a user of its own.

    tidings = Tidings(workdir, clock=datetime(2026, 3, 27, 12, tzinfo=UTC))
    with Sink() as sink, Postfix(workdir, sink=sink, milters=[tidings.milter_socket]) as postfix:
        tidings.submit_to(postfix)
        with tidings:
            tidings.ctl("tenant", "add", …)
            tidings.clock_advance(timedelta(days=2))

All is below WORKDIR/tidings. The programs are those of $TIDINGS_BUILD (default:
build/ of this checkout), started by root with numeric users that need not exist,
as a service manager would: they open their sockets, drop their privileges and
say READY=1.
"""

import grp
import http.client
import os
import signal
import socket
import struct
import subprocess
import time
import urllib.parse
from datetime import datetime, timedelta, timezone
from pathlib import Path

from postfix import free_port

UTC = timezone.utc

# Users and groups, by number: nobody else's.
MILTER, TRACKER, POLICYD = 64101, 64102, 64103
# Who may read the token keys and the directory; who shares each journal.
READERS, MILTER_JOURNAL, TRACKER_JOURNAL = 64110, 64111, 64112

# Signs of a sanitizer or an assertion in a daemon's output: always a failure.
CRASHES = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "assertion failed", "** ERROR", "stack smashing")


def build_folder():
    """The build whose programs are tested."""
    return Path(os.environ.get("TIDINGS_BUILD", Path(__file__).resolve().parents[2] / "build"))


def microseconds(when):
    """A datetime (with its zone) or an int of microseconds, as the latter."""
    if isinstance(when, datetime):
        return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return int(when)


class Clock:
    """The clock file that the daemons follow; lib/clock/clock.h has its form."""

    def __init__(self, path, when):
        self.path = path
        path.write_bytes(struct.pack("=qq", microseconds(when), 0))
        path.chmod(0o644)

    def _words(self):
        return struct.unpack("=qq", self.path.read_bytes())

    def _write(self, start, since):
        """Changes the mapped file in place. Readers take no lock: `since` is 0
        while `start` changes."""
        file = os.open(self.path, os.O_WRONLY)
        try:
            os.pwrite(file, struct.pack("=q", 0), 8)
            os.pwrite(file, struct.pack("=q", start), 0)
            if since:
                os.pwrite(file, struct.pack("=q", since), 8)
        finally:
            os.close(file)

    def now(self):
        """The time it shows, in microseconds."""
        start, since = self._words()
        return start + (time.time_ns() // 1000 - since if since else 0)

    def set(self, when):
        """Shows WHEN, standing or running as before."""
        running = self._words()[1] != 0
        self._write(microseconds(when), time.time_ns() // 1000 if running else 0)

    def advance(self, delta):
        """Moves on by a timedelta or a number of seconds."""
        if not isinstance(delta, timedelta):
            delta = timedelta(seconds=delta)
        self.set(self.now() + delta // timedelta(microseconds=1))

    def run(self):
        """Lets the time run from what it shows."""
        self._write(self.now(), time.time_ns() // 1000)

    def stop(self):
        """Lets it stand still at what it shows."""
        self._write(self.now(), 0)


class Daemon:
    """One daemon as a child process. Its output is kept in OUT/NAME.log."""

    def __init__(self, name, command, out):
        self.name = name
        self.command = [str(word) for word in command]
        self.output = Path(out) / f"{name}.log"
        self.process = None

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def start(self, timeout=20, prefix=()):
        """Starts it and waits for its READY=1. AssertionError with the end of
        its log if it ends before that, or never says so. PREFIX: a command to
        run it under, such as strace."""
        path = self.output.parent / f"{self.name}.notify"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, open(self.output, "ab") as output:
            notify.bind(str(path))
            path.chmod(0o666)
            notify.settimeout(0.1)
            self.process = subprocess.Popen(
                [*map(str, prefix), *self.command],
                env={**os.environ, "NOTIFY_SOCKET": str(path), "G_DEBUG": "fatal-criticals"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            self._wait_ready(notify, timeout)
        return self

    def _wait_ready(self, notify, timeout):
        end = time.monotonic() + timeout
        while True:
            try:
                if b"READY=1" in notify.recv(4096):
                    return
            except TimeoutError:
                pass
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-4000:]}")
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f"{self.name} is not ready after {timeout} s:\n{self.log()[-4000:]}")

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        self.signal(signal.SIGUSR1)

    def stop(self, timeout=20):
        """SIGTERM, and gives the exit status. AssertionError if it does not end
        or its output shows a crash."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} does not end on SIGTERM:\n{self.log()[-4000:]}") from None
        self.process = None
        self.check()
        return status

    def kill(self):
        """SIGKILL, and waits until it is gone."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process = None

    def log(self):
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def check(self):
        """AssertionError if its output shows a crash."""
        for line in self.log().splitlines():
            assert not any(sign in line for sign in CRASHES), f"{self.name}: {line}"


class Tidings:
    """See the top of this file. CLOCK: where its clock stands (a datetime or
    microseconds); None: the system's clock. SETTINGS: further keys of the
    configuration as section_key="value" (or key="value" of the top level)."""

    def __init__(self, workdir, clock=None, **settings):
        self.root = Path(workdir).resolve() / "tidings"
        self.build = build_folder()
        self.conf = self.root / "tidings.conf"
        self.keys = self.root / "token.keys"
        self.state = self.root / "state"
        self.run = self.root / "run"
        self.logs = self.root / "log"
        self.milter_socket = self.run / "milter/milter.sock"
        self.control_socket = self.run / "control/socket"
        self.tracker_port = free_port()
        self._settings = {}
        self._make_folders()
        self.clock = Clock(self.root / "clock", clock) if clock is not None else None
        self.milter = self._daemon("milter")
        self.tracker = self._daemon("tracker")
        self.policyd = self._daemon("policyd")
        self.daemons = [self.policyd, self.tracker, self.milter]
        self.config(**settings)

    # --- folders and configuration

    def _make_folders(self):
        postfix = grp.getgrnam("postfix").gr_gid
        # The owner, the group and the mode of each; set-gid hands the group on
        # to what is made inside.
        for folder, user, group, mode in (
            (self.root, 0, 0, 0o755),
            (self.logs, 0, 0, 0o755),
            (self.run, 0, 0, 0o755),
            (self.run / "milter", MILTER, postfix, 0o2750),
            (self.run / "control", POLICYD, POLICYD, 0o2750),
            (self.state, 0, 0, 0o755),
            (self.state / "journal", 0, 0, 0o755),
            (self.state / "journal/milter", MILTER, MILTER_JOURNAL, 0o2770),
            (self.state / "spool", 0, 0, 0o755),
            (self.state / "spool/milter", MILTER, MILTER_JOURNAL, 0o2770),
            (self.state / "journal/filter", MILTER, MILTER_JOURNAL, 0o2770),
            (self.state / "journal/tracker", TRACKER, TRACKER_JOURNAL, 0o2770),
            (self.state / "state", POLICYD, POLICYD, 0o700),
            (self.state / "directory", POLICYD, READERS, 0o2750),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, user, group)
            folder.chmod(mode)

    def _daemon(self, name):
        command = [self.build / name / f"tidings-{name}", "-c", self.conf]
        if self.clock:
            command += ["--clock", self.clock.path]
        return Daemon(f"tidings-{name}", command, self.logs)

    def _defaults(self):
        def identity(user, *groups):
            return {"user": user, "group": user, "groups": "{" + ", ".join(str(g) for g in groups) + "}"}

        return {
            None: {
                "state": self.state,
                "run": self.run,
                "keys": self.keys,
                "hostname": "mx.tidings.test",
            },
            "milter": {"socket": f"unix:{self.milter_socket}", **identity(MILTER, READERS, MILTER_JOURNAL)},
            "filter": {},
            "dkim": {"keys": self.root / "dkim"},
            "tracker": {"listen": f"127.0.0.1:{self.tracker_port}", **identity(TRACKER, READERS, TRACKER_JOURNAL)},
            "policyd": {
                "control": self.control_socket,
                "fold_interval": "20 ms",
                **identity(POLICYD, READERS, MILTER_JOURNAL, TRACKER_JOURNAL),
            },
        }

    def config(self, **settings):
        """Writes tidings.conf, SETTINGS added to those given before. A daemon
        that runs sees it after its reload()."""
        self._settings.update(settings)
        sections = self._defaults()
        for name, value in self._settings.items():
            section, _, key = name.partition("_")
            if section in sections:
                sections[section][key] = value
            else:
                sections[None][name] = value

        def line(key, value):
            text = str(value)
            return f"{key} = {text}\n" if text.startswith("{") else f'{key} = "{text}"\n'

        text = "".join(line(k, v) for k, v in sections.pop(None).items())
        for section, keys in sections.items():
            if keys:
                text += f"{section} {{\n" + "".join("  " + line(k, v) for k, v in keys.items()) + "}\n"
        self.conf.write_text(text)

    def submit_to(self, postfix):
        """Lets policyd hand its mail to POSTFIX's submission port, and read its
        log."""
        self.config(policyd_submit_port=postfix.submission_port, policyd_mta_log=postfix.maillog)

    def make_keys(self):
        """The token keys, made by our own command, for the readers' group."""
        if not self.keys.exists():
            self.ctl("key", "new")
        os.chown(self.keys, 0, READERS)
        self.keys.chmod(0o640)

    # --- life

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()

    def start(self):
        """Starts the daemons, policyd first, and waits until each is ready."""
        self.make_keys()
        for daemon in self.daemons:
            if not daemon.alive:
                daemon.start()

    def stop(self):
        """Stops them; AssertionError if one crashed on the way."""
        try:
            for daemon in reversed(self.daemons):
                daemon.stop()
        finally:
            self.kill()

    def kill(self):
        for daemon in self.daemons:
            daemon.kill()

    # --- use

    def ctl(self, *words, check=True, input=None):
        """Runs tidings(1) as root; gives its output as text, or, without CHECK,
        the CompletedProcess."""
        command = [self.build / "ctl/tidings", "-c", self.conf, *words]
        if self.clock:
            command[3:3] = ["--clock", self.clock.path]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, input=input)
        if not check:
            return done
        assert done.returncode == 0, f"tidings {words}: exit {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def http(self, method, url, body=None, headers=None, timeout=30):
        """One request to the tracker: URL is a path, or a whole tracked URL whose
        host goes into Host:. Redirects are not followed. Gives (status, headers,
        body); headers as http.client has them."""
        parts = urllib.parse.urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = http.client.HTTPConnection("127.0.0.1", self.tracker_port, timeout=timeout)
        try:
            send = {"Host": parts.netloc} if parts.netloc else {}
            connection.request(method, path, body=body, headers={**send, **(headers or {})})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def clock_set(self, when):
        self.clock.set(when)

    def clock_advance(self, delta):
        self.clock.advance(delta)
