"""What the tests of bad input share: a Tidings of which parts are broken on
purpose."""

import contextlib
import fcntl
import json
import os
import re
import socket
import sqlite3
import subprocess

from postfix import Postfix, submit, wait_until
from sink import Sink
from tidings import MILTER, MILTER_JOURNAL, POLICYD, READERS, TRACKER, TRACKER_JOURNAL, Tidings, build_folder

BASE = "https://t.shop.test"
FACTS = f"""\
tenant 1 shop all {BASE}
domain 1 shop.test
list 5 1 news - yes
suppress 1 5 gone@example.org
"""

HEAD = (
    b"From: Anna <a@shop.test>\r\nTo: b@example.org\r\nSubject: Hi\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <%s@shop.test>\r\nMIME-Version: 1.0\r\n"
)
PAGE = b'Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><a href="https://example.com/a">Go</a></body></html>\r\n'

_numbers = iter(range(1, 1_000_000))


def message(body=PAGE, field=b""):
    """A whole message, each with a Message-ID of its own."""
    return HEAD % b"%d" % next(_numbers) + field + body


def is_tracked(data):
    return b'<a href="%s/c/' % BASE.encode() in data and b'<img src="%s/o/' % BASE.encode() in data


def publish(tidings, facts=FACTS):
    """A directory of one generation, by a program of the tests instead of policyd."""
    directory = tidings.state / "directory"
    for file in directory.iterdir():
        file.unlink()
    subprocess.run([build_folder() / "tests/e2e/publish", directory], input=facts, text=True, check=True)
    for file in directory.iterdir():
        os.chown(file, POLICYD, READERS, follow_symlinks=False)
        if not file.is_symlink():
            file.chmod(0o640)


def events(tidings, producer="milter"):
    """What is in a journal: (kind, tenant, mail, data)."""
    rows = []
    for segment in sorted((tidings.state / "journal" / producer).glob("*.db")):
        database = sqlite3.connect(f"file:{segment}?mode=ro", uri=True)
        rows += database.execute("SELECT kind, tenant, mail, data FROM event ORDER BY seq").fetchall()
        database.close()
    return [(kind, tenant, mail, json.loads(data)) for kind, tenant, mail, data in rows]


# --- the disk


@contextlib.contextmanager
def small_disk(folder, user, group, mode="2770", size="1m"):
    """FOLDER is a file system of 1 MB."""
    options = f"size={size},mode={mode},uid={user},gid={group}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def fill(folder):
    """Takes all the room that is left."""
    with open(folder / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096) == 4096:
            pass
        while file.write(b"x"):
            pass


@contextlib.contextmanager
def closed(folder):
    """FOLDER is somebody else's, and may only be read."""
    before = folder.stat()
    os.chown(folder, 0, 0)
    folder.chmod(0o555)
    try:
        yield
    finally:
        os.chown(folder, before.st_uid, before.st_gid)
        folder.chmod(before.st_mode & 0o7777)


@contextlib.contextmanager
def locked(path):
    """Another process holds PATH's lock, as flock(2) has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o660)
    os.chown(path, path.parent.stat().st_uid, path.parent.stat().st_gid)
    path.chmod(0o660)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


# --- the milter beside a real Postfix


class Mail:
    """A milter with a published directory behind a real Postfix's submission port;
    mail to its other port passes no milter. The milter is not started."""

    def __init__(self, workdir, **settings):
        self.tidings = Tidings(workdir, **settings)
        self.milter = self.tidings.milter
        self.journal = self.tidings.state / "journal/milter"
        self.tidings.make_keys()
        publish(self.tidings)
        self.sink = Sink()
        self.postfix = Postfix(workdir, sink=self.sink, submission_milters=[self.tidings.milter_socket], message_size_limit="60000000")
        self.postfix.start()

    def close(self):
        try:
            self.postfix.stop()
            self.milter.stop()
        finally:
            self.tidings.kill()
            self.sink.close()

    def send(self, data, to="b@example.org", port=None):
        before = len(self.sink.mails)
        submit(port or self.postfix.submission_port, "a@shop.test", to, data)
        wait_until(lambda: len(self.sink.mails) > before, 20, "the message in the sink")
        return self.sink.mails[before]

    def check_left(self, reason, body=PAGE):
        """A message passes as it was, for REASON."""
        marks = len(self.milter.log())
        sent = message(body)
        assert self.send(sent).untraced == sent
        assert re.search(rf" left reason={reason}\b", self.milter.log()[marks:]), self.milter.log()[marks:]

    def check_tracked(self):
        """A message is tracked, and its event is in the journal."""
        assert is_tracked(self.send(message()).data), self.milter.log()[-2000:]
        assert events(self.tidings)[-1][3]["action"] == "tracked"

    def run(self):
        """The milter as a command that is expected to end: (status, what it says)."""
        return run_daemon(self.milter)


def run_daemon(daemon, *words, timeout=20):
    done = subprocess.run([*daemon.command, *words], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    return done.returncode, done.stderr + done.stdout


# --- policyd


class Control:
    """The control socket as a program sees it that we did not write."""

    def __init__(self, path, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.settimeout(timeout)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def line(self, data):
        """Sends DATA as a line and gives the last line of the answer."""
        self.socket.sendall(data + b"\n")
        return self.answer()

    def answer(self):
        while True:
            line = self.file.readline()
            if not line:
                return None
            answer = json.loads(line)
            if "ok" in answer or "error" in answer:
                return answer

    def ask(self, do, **args):
        return self.line(json.dumps({"do": do, "args": args}).encode())

    def good(self, do, **args):
        answer = self.ask(do, **args)
        assert answer and "ok" in answer, (do, args, answer)
        return answer["ok"]


# The form of a journal's segment, lib/journal/segment.c.
SEGMENT = """
PRAGMA journal_mode=WAL; PRAGMA application_id=0x54644a6c; PRAGMA user_version=1;
CREATE TABLE event (seq INTEGER PRIMARY KEY, id INTEGER NOT NULL, at INTEGER NOT NULL, kind INTEGER NOT NULL,
 tenant INTEGER NOT NULL, mail INTEGER NOT NULL, data TEXT, last INTEGER);
CREATE TABLE start (last INTEGER NOT NULL);
INSERT INTO start VALUES (0);
"""
USERS = {"milter": (MILTER, MILTER_JOURNAL), "tracker": (TRACKER, TRACKER_JOURNAL), "filter": (MILTER, MILTER_JOURNAL)}


def write_segment(path, values):
    """Adds rows to a segment; a new one gets its name when it is whole."""
    making = path if path.exists() else path.with_name("making")
    making.touch()
    database = sqlite3.connect(making, isolation_level=None, timeout=20)
    if making != path:
        making.chmod(0o660)
        database.executescript(SEGMENT)
    database.execute("BEGIN")
    database.executemany("INSERT INTO event (id, at, kind, tenant, mail, data, last) VALUES (?,?,?,?,?,?,?)", values)
    database.execute("COMMIT")
    database.close()
    making.rename(path)


class Policy:
    """policyd with a sink for MTA and journals that the test writes."""

    def __init__(self, workdir, clock=None, **settings):
        self.tidings = Tidings(workdir, clock=clock, **settings)
        self.daemon = self.tidings.policyd
        self.database = self.tidings.state / "state/tidings.db"
        self.sink = Sink()
        self.tidings.config(policyd_submit_port=self.sink.port)
        self.tidings.make_keys()
        self.last_id = 0

    def start(self):
        self.daemon.start()
        return self

    def close(self):
        try:
            self.daemon.stop()
        finally:
            self.tidings.kill()
            self.sink.close()

    def control(self):
        return Control(self.tidings.control_socket)

    def good(self, do, **args):
        with self.control() as control:
            return control.good(do, **args)

    def add_shop(self):
        self.good("tenant.add", name="shop", track="all", url=BASE, domains=["shop.test"])
        self.good("list.add", tenant="shop", name="news")

    def load(self, name="hello", trigger="order", text="Subject: Hello\n\nHello\n"):
        source = f"workflow: {name}\nfrom: a@shop.test\ntrigger:\n  event: {trigger}\nsteps:\n  - name: hello\n    send: hello.eml\n"
        self.good("workflow.load", tenant="shop", source=source, messages={"hello.eml": text})

    def order(self, address):
        self.good("event.send", tenant="shop", address=address, name="order")

    def journal(self, producer, rows, segment=1):
        """Writes events into a segment: ROWS of (kind, mail, data, tenant=1)."""
        path = self.tidings.state / "journal" / producer / f"{segment:012}.db"
        fresh = not path.exists()
        # policyd looks at the folder all the time: a new segment comes in whole,
        # its owner and mode right.
        file = path.with_suffix(".making") if fresh else path
        database = sqlite3.connect(file, isolation_level=None)
        if fresh:
            database.executescript(SEGMENT)
        database.execute("BEGIN")
        for kind, mail, data, *tenant in rows:
            self.last_id += 1
            values = (self.last_id << 20, 1_700_000_000_000_000, kind, tenant[0] if tenant else 1, mail, data, self.last_id << 20)
            database.execute("INSERT INTO event (id, at, kind, tenant, mail, data, last) VALUES (?,?,?,?,?,?,?)", values)
        database.execute("COMMIT")
        database.close()
        for made in path.parent.glob(file.name + "*"):
            os.chown(made, *USERS[producer])
            made.chmod(0o660)
        if fresh:
            file.rename(path)
        return path

    def state(self, sql):
        database = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=20)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def count(self, table, where="1"):
        return self.state(f"SELECT count(*) FROM {table} WHERE {where}")[0][0]

    def wait_count(self, n, table="event", where="1", timeout=20):
        def there():
            try:
                return self.count(table, where) >= n
            except sqlite3.Error:
                return False

        wait_until(there, timeout, f"{n} rows of {table}")
        assert self.count(table, where) == n

    def wait_log(self, text, since=0, timeout=20):
        wait_until(lambda: text in self.daemon.log()[since:], timeout, f"{text!r} in the log")


def mail_row(number, action="left"):
    data = {"from": "a@shop.test", "to": [f"r{number}@reader.test"], "action": action, "subject": "x" * 200, "mid": f"<{number}@x>"}
    return 1, number, json.dumps(data)
