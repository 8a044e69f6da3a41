"""Disks that are full, folders that may not be written, files that are damaged
or held by others. Mail passes, unchanged where it must, and nothing that was
acknowledged is lost; when the fault is gone, all goes on without a restart."""

import json
import os
import shutil
import smtplib
import sqlite3
import subprocess
import threading
import time

import pytest

import house
from house import PAGE, Mail, Policy, closed, events, fill, is_tracked, locked, mail_row, message, remount, small_disk
from postfix import wait_until
from tidings import MILTER, MILTER_JOURNAL, POLICYD, READERS, Tidings, build_folder


@pytest.fixture(scope="module")
def mail(workdir):
    mail = Mail(workdir)
    yield mail
    mail.close()


def end(milter):
    """libmilter takes five seconds to stop in the ordinary way, and leaves nothing
    in order that SIGKILL does not."""
    milter.kill()
    milter.check()


@pytest.fixture
def stopped(mail):
    """The milter is not running, before and after."""
    end(mail.milter)
    mail.milter.output.unlink(missing_ok=True)
    for file in mail.journal.iterdir():
        file.unlink()
    yield mail
    end(mail.milter)


@pytest.fixture
def policy(fresh_workdir):
    policy = Policy(fresh_workdir)
    yield policy
    policy.close()


# --- the milter's journal


def test_milter_full_disk(stopped):
    """Each message arrives, tracked as long as there is room and as it was from
    then on; with room it goes on."""
    mail = stopped
    links = "".join(f'<a href="https://example.com/{"x" * 400}/{n}">{n}</a>\r\n' for n in range(150)).encode()
    long = b"Content-Type: text/html\r\n\r\n" + links
    with small_disk(mail.journal, MILTER, MILTER_JOURNAL):
        mail.milter.start()
        tracked = left = 0
        while left < 3:
            sent = message(long)
            got = mail.send(sent)
            if got.untraced == sent:
                left += 1
            else:
                tracked += 1
                assert got.data.count(b'<a href="https://t.shop.test/c/') == 150
            assert tracked + left < 100
        assert tracked > 0 and "the disk is full" in mail.milter.log() and "left reason=journal" in mail.milter.log()
        # Full to the last byte.
        fill(mail.journal)
        mail.check_left("journal", long)
        remount(mail.journal, "size=4m")
        mail.check_tracked()
        actions = [data["action"] for *_, data in events(mail.tidings)]
        assert actions.count("tracked") == tracked + 1
        end(mail.milter)
    print(f"count: full disk: {tracked} mails tracked, {left + 1} passed unchanged, 0 lost")


def test_milter_starts_on_a_full_disk(stopped):
    mail = stopped
    with small_disk(mail.journal, MILTER, MILTER_JOURNAL):
        fill(mail.journal)
        mail.milter.start()
        assert "journal-failed" in mail.milter.log()
        mail.check_left("journal")
        (mail.journal / "filler").unlink()
        time.sleep(1.1)  # the folder is looked at once a second
        mail.check_tracked()
        end(mail.milter)


def test_milter_read_only_folder(stopped):
    mail = stopped
    with closed(mail.journal):
        mail.milter.start()
        assert "check that this user may write in the folder" in mail.milter.log()
        mail.check_left("journal")
    time.sleep(1.1)
    mail.check_tracked()
    with closed(mail.journal):
        mail.check_tracked()  # the file that is open still takes it


def test_milter_journal_in_use(stopped):
    mail = stopped
    with locked(mail.journal / "lock"):
        status, text = mail.run()
    assert status == 75 and "another process writes this journal; stop it first" in text, text


def test_milter_corrupt_segment(stopped):
    """Rubbish in the newest segment, before the start and under a running milter:
    it is put aside, and ids do not come twice."""
    mail = stopped
    mail.milter.start()
    mail.check_tracked()
    before = events(mail.tidings)[-1][2]
    end(mail.milter)
    (segment,) = mail.journal.glob("*.db")
    segment.write_bytes(b"rubbish" * 3000)
    mail.milter.start()
    mail.check_tracked()
    assert [p.name for p in mail.journal.glob("*.corrupt")] == [segment.name + ".corrupt"]
    assert events(mail.tidings)[-1][2] > before
    for path in mail.journal.glob("*.db*"):
        if "corrupt" not in path.name and not path.name.endswith("-shm"):
            size = path.stat().st_size
            path.write_bytes(os.urandom(size))
    # Whatever the engine notices and when: mail passes, and then it is tracked again.
    for _ in range(5):
        sent = message()
        got = mail.send(sent)
        assert got.untraced == sent or is_tracked(got.data)
    mail.milter.kill()
    mail.milter.start()
    mail.check_tracked()


def test_milter_locked_segment(stopped):
    """A stranger holds the database: after half a second mail passes."""
    mail = stopped
    mail.milter.start()
    mail.check_tracked()
    (segment,) = mail.journal.glob("*.db")
    stranger = sqlite3.connect(segment, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    mail.check_left("journal")
    assert time.monotonic() - began < 2
    stranger.execute("ROLLBACK")
    stranger.close()
    mail.check_tracked()


# --- the directory, as the milter reads it


def garble(path, data=b"\xa5" * 8192):
    path.write_bytes(data)


def snapshot(directory):
    return directory / os.readlink(directory / "current")


def with_null(path):
    """A whole database with values that the schema forbids."""
    database = sqlite3.connect(path)
    database.executescript(
        "PRAGMA writable_schema=ON;"
        "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '');"
        "PRAGMA writable_schema=RESET;"
    )
    database.execute("UPDATE tenant SET name = NULL, url = NULL, title = NULL")
    database.execute("UPDATE list SET name = NULL")
    database.commit()
    database.close()


def with_strange_mode(path):
    database = sqlite3.connect(path)
    database.execute("UPDATE tenant SET track = 1000000")
    database.commit()
    database.close()


# What is done to the directory, and what then becomes of a mail.
DIRECTORIES = {
    "missing": (lambda d: shutil.rmtree(d), "no-tenant"),
    "empty": (lambda d: [p.unlink() for p in d.iterdir()], "no-tenant"),
    "unreadable": (lambda d: d.chmod(0), None),
    "corrupt snapshot": (lambda d: garble(snapshot(d)), "directory"),
    "empty snapshot": (lambda d: garble(snapshot(d), b""), "directory"),
    "cut snapshot": (lambda d: os.truncate(snapshot(d), 4096 + 100), "directory"),
    "snapshot of nulls": (lambda d: with_null(snapshot(d)), "directory"),
    "unknown mode": (lambda d: with_strange_mode(snapshot(d)), "directory"),
    "snapshot unreadable": (lambda d: snapshot(d).chmod(0), "directory"),
    "current is a file": (lambda d: ((d / "current").unlink(), (d / "current").write_bytes(b"x")), "tracked"),
    "current is elsewhere": (lambda d: ((d / "current").unlink(), (d / "current").symlink_to("/etc/passwd")), "tracked"),
    "no delta": (lambda d: [p.unlink() for p in d.glob("delta-*")], "directory"),
    "corrupt delta": (lambda d: [garble(p) for p in d.glob("delta-*")], "tracked"),
}


@pytest.mark.parametrize("name", DIRECTORIES)
def test_milter_directory(stopped, name):
    """Broken before the start; and broken while it runs, when the last good one
    counts."""
    mail = stopped
    directory = mail.tidings.state / "directory"
    spoil, reason = DIRECTORIES[name]
    shutil.copytree(directory, whole := directory.with_name("whole"), symlinks=True)
    try:
        spoil(directory)
        if not reason:
            status, text = mail.run()
            assert status == 71 and "check that this user is in its group" in text
        else:
            mail.milter.start()
            mail.check_tracked() if reason == "tracked" else mail.check_left(reason)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        whole.rename(directory)
        os.chown(directory, POLICYD, READERS)
        directory.chmod(0o2750)
        house.publish(mail.tidings)
        if reason == "directory":
            assert "directory-stale" in mail.milter.log()
    if reason:
        wait_until(lambda: is_tracked(mail.send(message()).data), 5, "the mended directory is seen", 0.2)


def test_milter_directory_spoilt_under_it(stopped):
    mail = stopped
    directory = mail.tidings.state / "directory"
    # So many that they are not all in memory.
    house.publish(mail.tidings, house.FACTS + "".join(f"suppress 1 5 r{n}@example.org\n" for n in range(20000)))
    mail.milter.start()
    mail.check_tracked()
    old = snapshot(directory)
    subprocess.run([build_folder() / "tests/e2e/publish", directory], input=house.FACTS, text=True, check=True)
    # A newer one that cannot be read: the one in memory counts.
    garble(snapshot(directory))
    time.sleep(0.1)
    mail.check_tracked()
    # And of the one in memory the file is spoilt: whether somebody is suppressed
    # cannot be known. Nobody's mail is refused for good: it comes again.
    garble(old)
    time.sleep(0.1)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        for n in range(20000, 20050):
            mail.send(message(field=b"X-Tidings-List: news\r\n"), to=f"r{n}@example.org")
    assert 400 <= refused.value.smtp_code < 500
    assert "put-off" in mail.milter.log() and "directory-stale" in mail.milter.log()
    subprocess.run([build_folder() / "tests/e2e/publish", directory], input=house.FACTS, text=True, check=True)
    for file in directory.iterdir():
        os.chown(file, POLICYD, READERS, follow_symlinks=False)
    time.sleep(1.2)  # after a failure it looks once a second
    mail.check_tracked()
    house.publish(mail.tidings)


# --- the milter's socket


def test_milter_sockets(stopped):
    """Stale: replaced. In use: the other keeps it. A file: not touched. Too long,
    or in a folder that is not there: said."""
    mail = stopped
    mail.milter.start()
    mail.milter.kill()
    assert mail.tidings.milter_socket.is_socket()
    mail.milter.start()
    mail.check_tracked()

    second = [mail.milter.command[0], "-c", mail.tidings.root / "second.conf"]

    def run_second(path):
        text = mail.tidings.conf.read_text().replace(str(mail.tidings.milter_socket), str(path))
        (mail.tidings.root / "second.conf").write_text(text)
        done = subprocess.run(second, capture_output=True, text=True, timeout=20)
        return done.returncode, done.stderr

    status, text = run_second(mail.tidings.milter_socket)
    assert status == 75 and f"{mail.tidings.milter_socket}: another milter serves it" in text
    mail.check_tracked()

    file = mail.tidings.run / "milter/file"
    file.write_bytes(b"precious")
    status, text = run_second(file)
    assert status in (71, 78) and str(file) in text and file.read_bytes() == b"precious"

    long = mail.tidings.run / "milter" / ("x" * 120)
    status, text = run_second(long)
    assert status == 78 and "at most 107 bytes" in text, text

    status, text = run_second(mail.tidings.run / "nowhere/socket")
    assert status == 71 and "nowhere" in text and "No such file" in text, text
    mail.check_tracked()


# --- the key file


KEYS = {
    "missing": (lambda k: k.unlink(), 71, "there is no key file; make one with `tidings key new'"),
    "open to others": (lambda k: k.chmod(0o644), 78, "chmod o-rwx"),
    "group may write": (lambda k: k.chmod(0o660), 71, "chmod g-w"),
    "a link": (lambda k: (k.rename(k.with_name("else")), k.symlink_to("else")), 71, "symbolic link"),
    "empty": (lambda k: k.write_text(""), 78, "token.keys:1: there is no key in this file"),
    "rubbish": (lambda k: k.write_bytes(b"\0\xff\n"), 78, "token.keys:1: this is no key file"),
    "short": (lambda k: k.write_text("1 abcd now\n"), 78, "token.keys:1: the key must be 64 hexadecimal digits"),
    "a folder": (lambda k: (k.unlink(), k.mkdir(mode=0o750)), 71, "token.keys"),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys(fresh_workdir, name):
    """No daemon starts on keys it cannot trust, and says what to do."""
    tidings = Tidings(fresh_workdir)
    tidings.make_keys()
    house.publish(tidings)
    spoil, status, text = KEYS[name]
    spoil(tidings.keys)
    for daemon in tidings.daemons:
        got, said = house.run_daemon(daemon)
        assert got == status and text in said, f"{daemon.name}: {got}: {said}"


# --- tidings-filter


class Filter:
    """tidings-filter as the milter's user."""

    def __init__(self, folder):
        self.tidings = Tidings(folder)
        self.tidings.make_keys()
        house.publish(self.tidings)
        self.journal = self.tidings.state / "journal/filter"
        # Where that user may execute it.
        self.program = self.tidings.root / "tidings-filter"
        shutil.copy(build_folder() / "milter/tidings-filter", self.program)
        self.program.chmod(0o755)

    def run(self, data, conf=None):
        return subprocess.run(
            [self.program, "-c", conf or self.tidings.conf, "-t", "shop", "-f", "a@shop.test", "-r", "b@example.org"],
            input=data, capture_output=True, timeout=20,
            user=MILTER, group=MILTER, extra_groups=[READERS, MILTER_JOURNAL],
        )

    def check_tracked(self):
        done = self.run(message())
        assert done.returncode == 0 and is_tracked(done.stdout), done.stderr

    def check_left(self, *signs, conf=None):
        """The bytes go out as they came in, and it says why."""
        sent = message()
        done = self.run(sent, conf)
        assert (done.returncode, done.stdout) == (0, sent), done.stderr
        for sign in signs:
            assert sign in done.stderr.decode(), done.stderr


@pytest.fixture
def filtering(fresh_workdir):
    return Filter(fresh_workdir)


def test_filter_journal(filtering):
    f = filtering
    f.check_tracked()
    (segment,) = f.journal.glob("*.db")
    segment.write_bytes(b"rubbish" * 3000)
    f.check_tracked()
    assert (f.journal / (segment.name + ".corrupt")).exists()
    with closed(f.journal):
        (f.journal / "lock").chmod(0)
        f.check_left("journal-failed", "left reason=journal")
        (f.journal / "lock").chmod(0o660)
    began = time.monotonic()
    with locked(f.journal / "lock"):
        # What is for us alone does not go out, tracked or not.
        sent = message(field=b"X-Tidings-List: news\r\n")
        done = f.run(sent)
        assert done.returncode == 0 and b"X-Tidings" not in done.stdout
        assert done.stdout.endswith(PAGE) and b"left reason=journal" in done.stderr
        assert b"another process writes this journal" in done.stderr
        assert time.monotonic() - began < 4
    f.check_tracked()


def test_filter_full_disk(filtering):
    f = filtering
    with small_disk(f.journal, MILTER, MILTER_JOURNAL):
        fill(f.journal)
        f.check_left("the disk is full", "left reason=journal")
        (f.journal / "filler").unlink()
        f.check_tracked()


def test_filter_configuration(filtering):
    """A filter that cannot work is a pipe."""
    f = filtering
    f.check_left("nowhere.conf", conf=f.tidings.root / "nowhere.conf")
    bad = f.tidings.root / "bad.conf"
    bad.write_text("milter {\n")
    f.check_left("bad.conf:1: section milter is not closed", conf=bad)
    f.tidings.keys.chmod(0o644)
    f.check_left("chmod o=")
    f.tidings.keys.chmod(0o640)
    text = f.tidings.keys.read_text()
    f.tidings.keys.write_text("rubbish\n")
    f.check_left("token.keys:1: ")
    f.tidings.keys.write_text(text)
    garble(snapshot(f.tidings.state / "directory"))
    f.check_left("there is no tenant shop")
    house.publish(f.tidings)
    f.check_tracked()


# --- policyd's state


def small_state(policy, size="1m"):
    return small_disk(policy.tidings.state / "state", POLICYD, POLICYD, "0700", size)


def test_policyd_full_disk(policy):
    """Folding stops and changes nothing; with room it goes on, each event once."""
    with small_state(policy):
        policy.start()
        policy.add_shop()
        events_each, batches = 1000, 6
        for batch in range(batches):
            policy.journal("milter", [mail_row(batch * events_each + n + 1) for n in range(events_each)])
        policy.wait_log("the disk is full")
        fill(policy.tidings.state / "state")
        with policy.control() as control:
            answer = control.ask("contact.add", tenant="shop", address="a@b.test", fields={"x": "y" * 1_000_000})
            assert answer["error"]["kind"] == "sys" and "the disk is full; make room" in answer["error"]["message"]
            assert "now" in control.good("status")
        before = policy.count("event")
        assert before < events_each * batches
        (policy.tidings.state / "state/filler").unlink()
        remount(policy.tidings.state / "state", "size=64m")
        policy.wait_count(events_each * batches, "event")
        assert policy.count("mail") == events_each * batches
        assert policy.state("SELECT sum(n) FROM tally WHERE scope = 'tenant' AND metric = 'mails'") == [(events_each * batches,)]
        policy.good("contact.add", tenant="shop", address="a@b.test")
        policy.daemon.stop()


def test_policyd_result_that_cannot_be_recorded(policy):
    """The MTA has taken a mail, and the disk is full before that is recorded: it
    is recorded later, and the mail is sent once."""
    with small_state(policy, "4m"):
        policy.start()
        policy.add_shop()
        policy.load()
        hold = policy.sink.hold = threading.Event()
        take = policy.sink.take
        policy.sink.take = lambda session, data: (hold.wait(20), take(session, data))[1]
        policy.order("c@reader.test")
        wait_until(lambda: policy.count("send", "state = 1"), 5, "the mail is handed over")
        fill(policy.tidings.state / "state")
        # The log that is there has room for small changes; use it up.
        with policy.control() as control:
            for n in range(400):
                if "error" in control.ask("contact.add", tenant="shop", address=f"n{n}@b.test", fields={"x": "y" * 3000}):
                    break
            else:
                raise AssertionError("the disk does not get full")
            while "error" not in control.ask("contact.add", tenant="shop", address=f"m{n}@b.test"):
                n += 1
        hold.set()
        policy.sink.wait_for(1)
        policy.wait_log("round-failed")
        time.sleep(6.5)  # a doubt would rest for five seconds
        (policy.tidings.state / "state/filler").unlink()
        wait_until(lambda: policy.count("send", "state = 2"), 10, "the result is recorded")
        time.sleep(1)
        assert len(policy.sink.mails) == 1
        policy.daemon.stop()


def test_policyd_read_only(policy):
    """A state folder that cannot be written at the start: said, with what to do."""
    folder = policy.tidings.state / "state"
    with closed(folder):
        status, text = house.run_daemon(policy.daemon)
        assert status == 71 and "tidings.db" in text and "check" in text
    policy.start()
    policy.add_shop()
    policy.daemon.stop()
    policy.database.chmod(0o400)
    with closed(folder):
        status, text = house.run_daemon(policy.daemon)
        assert status == 71 and "tidings.db" in text and "check" in text, text
    policy.database.chmod(0o600)
    policy.start()


def test_policyd_locked(policy):
    """A stranger holds the database for longer than policyd waits."""
    policy.start()
    policy.add_shop()
    stranger = sqlite3.connect(policy.database, isolation_level=None, timeout=20)
    stranger.execute("BEGIN EXCLUSIVE")
    policy.journal("milter", [mail_row(n + 1) for n in range(100)])
    time.sleep(1)
    stranger.execute("COMMIT")
    policy.wait_count(100)
    assert "round-failed" not in policy.daemon.log()
    stranger.execute("BEGIN EXCLUSIVE")
    policy.journal("milter", [mail_row(n + 101) for n in range(100)])
    policy.wait_log("another process holds it")
    stranger.execute("ROLLBACK")
    stranger.close()
    policy.wait_count(200)
    policy.order("c@reader.test")
    policy.daemon.stop()


# What is done to the database before the start, the exit status, and what is said.
DATABASES = {
    "rubbish": (lambda p: p.write_bytes(b"rubbish" * 3000), 71, "move it away or restore it"),
    "cut": (lambda p: os.truncate(p, 5000), 71, "damaged"),
    "newer schema": (lambda p: sql(p, "PRAGMA user_version=99"), 71, ": run the newer version, or restore a backup"),
    "another program's": (lambda p: sql(p, "PRAGMA application_id=7"), 71, "it is a database of another program"),
    "a link": (lambda p: (p.rename(p.with_name("else")), p.symlink_to("else")), 71, "it is a symbolic link; name the file itself"),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), 71, "it is not a regular file"),
    "unreadable": (lambda p: (os.chown(p, 0, 0), p.chmod(0o600)), 71, "check"),
    "a table is missing": (lambda p: sql(p, "DROP TABLE meta"), 71, "tidings.db"),
}


def sql(path, text):
    database = sqlite3.connect(path)
    database.executescript(text)
    database.close()


@pytest.mark.parametrize("name", DATABASES)
def test_policyd_database(policy, name):
    spoil, status, sign = DATABASES[name]
    policy.start()
    policy.add_shop()
    policy.daemon.stop()
    spoil(policy.database)
    got, text = house.run_daemon(policy.daemon)
    assert got == status and str(policy.database) in text and sign in text, f"{got}: {text}"


def test_policyd_damaged_pages(policy):
    """Pages of the state turn into rubbish under it: errors, and no crash."""
    policy.start()
    policy.add_shop()
    policy.journal("milter", [mail_row(n + 1) for n in range(5000)])
    policy.wait_count(5000)
    policy.daemon.stop()
    size = policy.database.stat().st_size
    policy.start()
    with open(policy.database, "r+b") as file:
        file.seek(40 * 4096)
        file.write(os.urandom(size - 40 * 4096))
    answers = []
    with policy.control() as control:
        for after in range(0, 5000, 500):
            answers.append(control.ask("event.list", tenant="shop", limit=1000, after=after << 20))
        answers.append(control.ask("report", tenant="shop"))
        answers.append(control.ask("contact.list", tenant="shop"))
    policy.journal("milter", [mail_row(n + 6001) for n in range(100)])
    assert any("error" in a and "recover" in a["error"]["message"] for a in answers), answers
    policy.wait_log("round-failed")
    assert policy.daemon.alive
    assert policy.daemon.stop() == 0


# --- the journals, as policyd reads them


def test_policyd_corrupt_segments(policy):
    """A damaged segment that is complete is put aside; its neighbours and the
    other journals are folded, and the log says so."""
    first = policy.journal("milter", [mail_row(n + 1) for n in range(10)], 1)
    policy.journal("milter", [mail_row(n + 101) for n in range(10)], 2)
    policy.journal("milter", [mail_row(n + 201) for n in range(10)], 3)
    policy.journal("tracker", [(2, n + 201, json.dumps({"ua": "Mozilla/5.0", "method": "GET"})) for n in range(10)])
    bad = first.with_name("000000000002.db")
    garble(bad)
    policy.start()
    policy.add_shop()
    policy.wait_count(20, where="kind = 1")
    policy.wait_count(10, where="kind = 2")
    assert policy.count("mail_hits", "opens + machine > 0") == 10, "hits came before their mails"
    assert bad.with_name(bad.name + ".corrupt").exists() and not bad.exists()
    assert "put aside as 000000000002.db.corrupt" in policy.daemon.log()


def test_policyd_corrupt_newest_segment(policy):
    """The newest is the producer's to put aside; meanwhile the others are folded."""
    garble(policy.journal("milter", [mail_row(1)], 1))
    policy.journal("filter", [mail_row(n + 101) for n in range(10)])
    policy.journal("tracker", [(2, n + 101, "{}") for n in range(10)])
    policy.start()
    policy.add_shop()
    policy.wait_count(10, where="kind = 1")
    policy.wait_count(10, where="kind = 2")
    assert "round-failed" in policy.daemon.log() and "000000000001.db" in policy.daemon.log()
    # The producer goes on in a new one.
    policy.journal("milter", [mail_row(n + 201) for n in range(10)], 2)
    policy.wait_count(20, where="kind = 1")


def test_policyd_strange_events(policy):
    """What makes no sense is passed over; what is behind it counts."""
    policy.start()
    policy.add_shop()
    deep = "[" * 3000 + "]" * 3000
    strange = [
        (0, 1, "{}"), (99, 1, "{}"), (-5, 1, "{}"), (1 << 40, 1, "{}"), (1, 1, None), (1, 2, "rubbish"), (1, 3, "[]"), (1, 4, "7"),
        (1, 5, "{}", 4711), (1, 6, "{}", -1), (1, 7, json.dumps({"to": "x", "links": 5, "from": 7, "action": [], "list": {}})),
        (1, 8, json.dumps({"to": [5], "journey": "x", "step": 5, "visit": []})), (1, 9, deep), (1, 10, '{"a":' + deep + "}"),
        (1, 11, json.dumps({"to": ["x" * 100_000], "subject": "y" * 1_000_000})), (1, 12, json.dumps({"to": ["a@b"], "journey": 1, "step": "s", "visit": 1 << 60})),
        (1, -13, "{}"), (1, 14, '{"a":"\\u0000"}'), (1, 15, b"\xff\xfe{}"), (1, 16, b'{"subject":"\xff"}'),
        (2, 1 << 62, "{}"), (3, 0, json.dumps({"link": "x", "url": 5, "ua": 7})), (3, -1, "[]"),
        (4, 1, "{}"), (4, 1, json.dumps({"list": "news", "address": 5})), (4, 1, json.dumps({"list": "news", "address": ""})),
        (4, 1, json.dumps({"list": "news", "address": "x" * 1000})), (5, 1, json.dumps({"list": 5})), (6, 1, json.dumps({"address": []})),
        (7, 1, json.dumps({"name": 5, "properties": 7})), (8, 1, "{}"), (9, 1, "{}"),
    ]
    policy.journal("tracker", [*strange, *strange, (4, 1, json.dumps({"list": "news", "address": "leaver@reader.test", "how": "page"}))])
    policy.journal("milter", [*strange, mail_row(500)])
    policy.wait_count(1, where="kind = 1 AND mail = 500")
    wait_until(lambda: policy.count("suppression", "source = 'page'"), 10, "the last event is folded")
    assert "event-refused" in policy.daemon.log()
    policy.good("event.list", tenant="shop", limit=1000)
    assert policy.daemon.alive and policy.daemon.stop() == 0


# --- the directory, as policyd writes it


def test_policyd_directory_not_writable(policy):
    """What is asked is done and answered; it is published as soon as it can be."""
    policy.start()
    policy.add_shop()
    policy.good("contact.add", tenant="shop", address="gone@example.org", lists=["news"])
    directory = policy.tidings.state / "directory"
    before = os.readlink(directory / "current")
    with closed(directory):
        [os.chown(p, 0, 0) for p in directory.glob("delta-*")]
        policy.good("contact.unsubscribe", tenant="shop", address="gone@example.org", list="news")
        policy.wait_log("publish-failed")
        policy.good("list.add", tenant="shop", name="more")
    wait_until(lambda: os.readlink(directory / "current") != before, 10, "it is published")
    time.sleep(0.3)
    database = sqlite3.connect(f"file:{snapshot(directory)}?immutable=1", uri=True)
    assert database.execute("SELECT count(*) FROM suppression").fetchone() == (1,)
    assert database.execute("SELECT name FROM list ORDER BY name").fetchall() == [("more",), ("news",)]
    database.close()
    policy.daemon.stop()
    with closed(directory):
        status, text = house.run_daemon(policy.daemon)
        assert status == 71 and str(directory) in text, text
