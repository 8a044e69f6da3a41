"""Mails to several recipients, split into a copy for each: identity, secrecy, and
that nothing is lost whatever dies."""

import os
import re
import signal
import smtplib
import sqlite3
import threading
import time
from collections import Counter

import pytest

from circle import SOON, Arrived, html_mail, running
from house import fill, small_disk
from killing import Killer, Work
from postfix import Postfix, wait_until
from sink import Sink
from tidings import MILTER, MILTER_JOURNAL, Tidings

SENDER = "a@split.test"
ANNA, BOB, CAROL = "anna@reader.test", "bob@reader.test", "carol@reader.test"
BODY = '<p><a href="https://split.test/x">Go</a></p>'
TO_CC = f"{ANNA}\nCc: Bob <{BOB}>"


@pytest.fixture(scope="module")
def circle(workdir):
    # sendmail(1) has no login: what comes from this host is the tenant's own.
    with running(workdir, milter_trusted="{127.0.0.1}") as circle:
        circle.tenant("split", "split.test", "--split", "yes", lists=["news"])
        circle.tenant("whole", "whole.test")
        yield circle


def spooled(circle):
    return [file.name for file in (circle.tidings.state / "spool/milter").iterdir()]


def send(circle, recipients, sender=SENDER, subject="Hello", headers="", body=BODY, envelope=(), rcpt=()):
    """Sends, and gives the queue id and what arrived, by recipient."""
    before = {address: len(circle.sink.to(address)) for address in recipients}
    message = html_mail(sender, TO_CC, body, subject=subject, headers=headers)
    with smtplib.SMTP("127.0.0.1", circle.postfix.submission_port, timeout=30) as client:
        client.ehlo()
        assert client.mail(sender, list(envelope))[0] == 250
        for address in recipients:
            assert client.rcpt(address, list(rcpt))[0] == 250, address
        code, reply = client.data(message)
    assert code == 250, reply
    return reply.decode().rpartition(" ")[2], message, {
        address: circle.sink.wait_to(address, before[address] + 1)[before[address]] for address in recipients
    }


def mail_of(circle, tenant, address):
    return circle.timeline(tenant, address, "mail")[-1]


def test_own_copies(circle):
    """Three recipients, one of them a Bcc: three mails with their own tokens, To and
    Cc as written, and hits that name the right contact."""
    for address in (ANNA, BOB, CAROL):
        circle.ctl("contact", "add", "split", address)
    queue_id, message, arrived = send(circle, [ANNA, BOB, CAROL], subject="Three")
    original = Arrived(next(iter(arrived.values())))
    tokens = set()
    for address, delivery in arrived.items():
        mail = Arrived(delivery)
        assert delivery.recipients == [address] and delivery.sender == SENDER
        assert (mail["To"], mail["Cc"], mail["Message-ID"]) == (original["To"], original["Cc"], original["Message-ID"])
        assert mail["Bcc"] is None and "X-Tidings-Send" not in mail.message
        assert CAROL.encode() not in delivery.data.replace(b"for <" + CAROL.encode(), b""), "a Bcc is disclosed"
        assert len(mail.links) == 1 and mail.pixel
        tokens |= {mail.links[0], mail.pixel}
        # Apart from the edits nothing has changed.
        bare = re.sub(rb'<img src="[^"]*/o/[^>]*>', b"", delivery.untraced)
        assert re.sub(rb'href="[^"]*"', b'href=""', bare) == re.sub(rb'href="[^"]*"', b'href=""', message)
    assert len(tokens) == 6
    assert re.search(rf"{queue_id}: split tenant=split copies=3 ", circle.tidings.milter.log())
    circle.advance(SOON)
    circle.hit(Arrived(arrived[BOB]).links[0])
    circle.wait_timeline("split", BOB, "click")
    circle.round()
    assert not circle.timeline("split", ANNA, "click") and not circle.timeline("split", CAROL, "click")
    for address in (ANNA, BOB, CAROL):
        assert mail_of(circle, "split", address)["data"]["per"] == "recipient"
        assert len(circle.timeline("split", address, "spooled")) == 1
    wait_until(lambda: not spooled(circle), 10, "the spool is empty")
    # The sender saw one answer, and the mail server forgot the original.
    assert circle.postfix.maillog.read_text().count(f"{queue_id}: milter-discard") == 1


def test_unsubscribe_header(circle):
    """Only a copy has an identity, so only a copy can have List-Unsubscribe: also
    where there is no link to track."""
    headers = "X-Tidings-List: news\nX-Tidings-Track: none\n"
    _, _, arrived = send(circle, [ANNA, BOB], headers=headers)
    urls = {Arrived(delivery).unsubscribe for delivery in arrived.values()}
    assert len(urls) == 2
    for delivery in arrived.values():
        assert not Arrived(delivery).links and b"X-Tidings-" not in delivery.data


def test_who_is_not_split(circle):
    """One recipient; a tenant that does not want it; and a message that would not be
    touched: they go as they always went."""
    copies = circle.tidings.milter.log().count(" split tenant=")
    _, _, arrived = send(circle, [ANNA])
    assert Arrived(arrived[ANNA]).links
    queue_id, _, arrived = send(circle, [ANNA, BOB], sender="a@whole.test")
    assert Arrived(arrived[ANNA]).links == Arrived(arrived[BOB]).links
    _, _, arrived = send(circle, [ANNA, BOB], headers="Auto-Submitted: auto-generated\n")
    assert not Arrived(arrived[ANNA]).links
    assert circle.tidings.milter.log().count(" split tenant=") == copies


@pytest.mark.parametrize(
    "envelope, rcpt",
    [
        (["RET=HDRS"], []),
        (["ENVID=abc"], []),
        ([], ["NOTIFY=SUCCESS,FAILURE"]),
        ([], ["ORCPT=rfc822;x@example.org"]),
    ],
)
def test_dsn(circle, envelope, rcpt):
    """What asks for delivery reports passes as one, and the log and the event say so."""
    queue_id, _, arrived = send(circle, [ANNA, BOB], envelope=envelope, rcpt=rcpt)
    assert Arrived(arrived[ANNA]).links == Arrived(arrived[BOB]).links != []
    assert re.search(rf"{queue_id}: unsplit tenant=split reason=envelope", circle.tidings.milter.log())
    circle.round()
    event = [row for row in circle.json("events", "split", "--limit", "100") if row["kind"] == "mail"][-1]
    assert (event["data"]["per"], event["data"]["unsplit"]) == ("message", "envelope")
    assert "per=message" in circle.ctl("events", "split", "--limit", "100")
    assert circle.report("split")["tenant"]["per-message"] >= 1
    # What says nothing to a later hop does not hinder.
    log = len(circle.tidings.milter.log())
    send(circle, [ANNA, BOB], envelope=["SIZE=2000", "BODY=8BITMIME"])
    assert " split tenant=split copies=2 " in circle.tidings.milter.log()[log:]


def test_suppressed(circle):
    """Who has unsubscribed gets no copy; the others do."""
    circle.ctl("contact", "add", "split", "gone@reader.test", "--list", "news")
    circle.ctl("contact", "unsubscribe", "split", "gone@reader.test", "news")
    circle.published()
    log = len(circle.tidings.milter.log())
    message = html_mail(SENDER, TO_CC, BODY, headers="X-Tidings-List: news\n")
    before = {address: len(circle.sink.to(address)) for address in (ANNA, BOB)}
    circle.submit(SENDER, [ANNA, "gone@reader.test", BOB], message)
    for address in (ANNA, BOB):
        assert Arrived(circle.sink.wait_to(address, before[address] + 1)[-1]).links
    assert re.search(r"split tenant=split copies=2 ", circle.tidings.milter.log()[log:])
    circle.postfix.wait_empty()
    assert not circle.sink.to("gone@reader.test")


def test_same_address_twice(circle):
    before = len(circle.sink.to(ANNA))
    circle.submit(SENDER, [ANNA, ANNA.upper(), BOB], html_mail(SENDER, TO_CC, BODY))
    circle.sink.wait_to(ANNA, before + 1)
    wait_until(lambda: not spooled(circle), 10, "the spool is empty")
    circle.postfix.wait_empty()
    assert len(circle.sink.to(ANNA)) == before + 1


def test_forged_marker(circle):
    """A marker that is not ours is no marker: the mail is split, and it goes."""
    _, _, arrived = send(circle, [ANNA, BOB], headers="X-Tidings-Send: AAAA\nX-Tidings-Send: BBBB\n")
    assert Arrived(arrived[ANNA]).links != Arrived(arrived[BOB]).links
    assert b"X-Tidings-Send" not in arrived[ANNA].data


def test_too_many(circle):
    recipients = [f"r{n}@many.test" for n in range(1001)]
    # Through sendmail(1): by SMTP, Postfix takes no more than a thousand.
    circle.postfix.sendmail(SENDER, recipients, html_mail(SENDER, ANNA, BODY).replace(b"\r\n", b"\n"))
    wait_until(lambda: "unsplit tenant=split reason=too-many" in circle.tidings.milter.log(), 20, "the mail at the milter")
    circle.postfix.wait_empty()
    assert circle.sink.to("r1000@many.test")


def test_sendmail(circle):
    """What a program hands to sendmail(1) is split, too."""
    before = {address: len(circle.sink.to(address)) for address in (ANNA, CAROL)}
    circle.postfix.sendmail(SENDER, [ANNA, CAROL], html_mail(SENDER, TO_CC, BODY).replace(b"\r\n", b"\n"))
    arrived = [Arrived(circle.sink.wait_to(address, before[address] + 1)[-1]) for address in (ANNA, CAROL)]
    assert arrived[0].links != arrived[1].links and len(arrived[0].links) == 1


def test_refused_later(circle):
    """A copy that the mail server refuses comes back to its sender as a report."""
    circle.ctl("contact", "add", "split", "late@reader.test", "--list", "news")
    circle.tidings.policyd.stop()
    before = len(circle.sink.to(ANNA)), len(circle.sink.to(SENDER))
    message = html_mail(SENDER, TO_CC, BODY, subject="Late", headers="X-Tidings-List: news\n")
    circle.submit(SENDER, [ANNA, "late@reader.test"], message)
    assert len(spooled(circle)) == 2
    # Between the split and the sending the contact leaves the list.
    circle.tidings.policyd.start()
    circle.sink.wait_to(ANNA, before[0] + 1)
    circle.sink.wait_to("late@reader.test", 1)
    circle.tidings.policyd.stop()
    circle.submit(SENDER, [ANNA, "late@reader.test"], message)
    files = circle.tidings.state / "spool/milter"
    lost = next(f for f in files.iterdir() if b'"to":"late@' in f.read_bytes())
    text = lost.read_bytes()
    # The recipient is one that the mail server does not take (RCPT refused).
    head, _, rest = text.partition(b"\n")
    head = head.replace(b"late@reader.test", b"late@reader..test")
    lost.write_bytes(head + b"\n" + rest)
    circle.tidings.policyd.start()
    report = Arrived(circle.sink.wait_to(SENDER, before[1] + 1, timeout=20)[before[1]])
    assert report.delivery.sender == "" and report["Auto-Submitted"] == "auto-replied"
    assert report.message.get_content_type() == "multipart/report"
    status = report.message.get_payload(1).get_payload()
    assert status[1]["Action"] == "failed" and status[1]["Status"].startswith("5.")
    assert "Subject: Late" in report.message.get_payload(2).get_payload()
    wait_until(lambda: not spooled(circle), 10, "the spool is empty")


def test_full_disk(fresh_workdir):
    """A spool that cannot be written: the mail passes as one, and nothing is left."""
    with running(fresh_workdir) as circle:
        circle.tenant("split", "split.test", "--split", "yes")
        folder = circle.tidings.state / "spool/milter"
        with small_disk(folder, MILTER, MILTER_JOURNAL):
            fill(folder)
            queue_id, _, arrived = send(circle, [ANNA, BOB])
            assert Arrived(arrived[ANNA]).links == Arrived(arrived[BOB]).links != []
            assert re.search(rf"{queue_id}: unsplit tenant=split reason=spool because=.*space", circle.tidings.milter.log())
            assert spooled(circle) == ["filler"]
            (folder / "filler").unlink()
            # Room for the first copy and not for the second.
            big = BODY + "<!-- " + "x" * 700_000 + " -->"
            _, _, arrived = send(circle, [ANNA, BOB], body=big)
            assert Arrived(arrived[ANNA]).links == Arrived(arrived[BOB]).links != []
            assert spooled(circle) == []
            _, _, arrived = send(circle, [ANNA, BOB])
            assert Arrived(arrived[ANNA]).links != Arrived(arrived[BOB]).links
            wait_until(lambda: spooled(circle) == [], 10, "the spool is empty")
        os.chown(folder, 0, 0)
        folder.chmod(0o700)
        _, _, arrived = send(circle, [ANNA, BOB])
        assert Arrived(arrived[ANNA]).links == Arrived(arrived[BOB]).links != []


def test_sweep(fresh_workdir):
    """Files that belong to nothing are removed, and only those."""
    with running(fresh_workdir) as circle:
        circle.tenant("split", "split.test", "--split", "yes")
        folder = circle.tidings.state / "spool/milter"
        young, old = (circle.tidings.clock.now() // 1000 - 1_704_067_200_000 - back for back in (0, 2 * 3_600_000))
        for number, suffix in ((young, ""), (young, ".new"), (old, ""), (old, ".new")):
            (folder / f"1.{number << 22:016x}{suffix}").write_bytes(b"x")
        circle.tidings.policyd.stop()
        circle.tidings.policyd.start()
        wait_until(lambda: len(spooled(circle)) == 2, 10, "the old ones are gone")
        assert sorted(spooled(circle)) == sorted(f"1.{young << 22:016x}{suffix}" for suffix in ("", ".new"))


# --- order

STEPS = (
    ("file ", r"fsync\(\d+<[^>]*/spool/milter/1\.[0-9a-f]{16}\.new>"),
    ("name ", r'rename\("[^"]*/spool/milter/1\.[0-9a-f]{16}\.new"'),
    ("folder ", r"fsync\(\d+<[^>]*/spool/milter>"),
    ("journal ", r"f(data)?sync\(\d+<[^>]*/journal/milter/\d+\.db-wal>"),
    ("answer ", r'(write|sendto|sendmsg|writev)\(.*\\0\\0\\0\\1.?d|(write|sendto|sendmsg|writev)\(.*"d"'),
)


def test_order(fresh_workdir):
    """Every file, its name, the journal, and only then the answer."""
    with running(fresh_workdir) as circle:
        circle.tenant("split", "split.test", "--split", "yes")
        milter, output = circle.tidings.milter, circle.tidings.root / "trace"
        milter.stop()
        calls = "trace=fsync,fdatasync,rename,write,writev,sendto,sendmsg"
        milter.start(prefix=["strace", "-f", "-y", "-o", output, "-s", "96", "-e", calls, "-E", "ASAN_OPTIONS=detect_leaks=0"])
        try:
            send(circle, [ANNA, BOB, CAROL])
            os.kill(int(re.findall(r"started .*pid=(\d+)", milter.log())[-1]), signal.SIGTERM)
            milter.process.wait(20)
        finally:
            milter.kill()
        steps = "".join(
            next((step for step, pattern in STEPS if re.search(pattern, line)), "")
            for line in output.read_text(errors="replace").splitlines()
        )
        assert re.match(r"(file name ){3}folder (journal )+answer ", steps), steps


# --- sudden death

KILLS = 25
COPIES = 3


@pytest.fixture
def mill(fresh_workdir):
    tidings = Tidings(fresh_workdir)
    with Sink() as sink, Postfix(
        fresh_workdir, sink=sink, milters=[tidings.milter_socket], smtpd_delay_open_until_valid_rcpt="no"
    ) as postfix:
        tidings.submit_to(postfix)
        with tidings:
            tidings.ctl(
                "tenant", "add", "shop", "--domain", "split.test", "--track", "all", "--split", "yes",
                "--url", f"http://127.0.0.1:{tidings.tracker_port}",
            )
            time.sleep(0.2)
            yield tidings, postfix, sink


def state(tidings, sql):
    database = sqlite3.connect(f"file:{tidings.state / 'state/tidings.db'}?mode=ro", uri=True, timeout=20)
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


def client(port, work, numbers, stop, accepted, tries):
    """Sends mails to three, and tries each again until it is taken."""
    for number in numbers:
        while number not in accepted and not (stop.is_set() and number not in tries):
            tries[number] += 1
            try:
                with smtplib.SMTP("127.0.0.1", port, "client.test", timeout=30) as smtp:
                    smtp.ehlo()
                    smtp.mail(SENDER)
                    for copy in range(COPIES):
                        smtp.rcpt(f"r{number}.{copy}@reader.test")
                    work.enter("message")
                    code, _ = smtp.data(html_mail(SENDER, TO_CC, BODY, subject=f"Mail {number}"))
                    if code == 250:
                        accepted.add(number)
            except (smtplib.SMTPException, OSError):
                time.sleep(0.01)
            finally:
                work.leave()
        if stop.is_set():
            return


def run_kills(tidings, postfix, sink, daemon, phases_of):
    """Kills DAEMON under load, and counts what arrived: (accepted, lost, duplicates)."""
    work, stop, accepted, tries = Work(), threading.Event(), set(), Counter()
    threads = [
        threading.Thread(target=client, args=(postfix.submission_port, work, range(i, 10**6, 3), stop, accepted, tries), daemon=True)
        for i in range(3)
    ]
    for thread in threads:
        thread.start()
    phases = Killer(daemon, phases_of(work), kills=KILLS).run(least=0.05, most=0.4)
    stop.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()

    def settled():
        try:
            return not state(tidings, "SELECT 1 FROM send WHERE state < 2 LIMIT 1")
        except sqlite3.Error:
            return False

    time.sleep(0.5)
    wait_until(settled, 90, "no copy is under way")
    postfix.wait_empty()
    arrived = Counter(address for d in sink.mails for address in d.recipients)
    expected = {f"r{number}.{copy}@reader.test" for number in accepted for copy in range(COPIES)}
    lost = expected - set(arrived)
    twice = sum(n - 1 for n in arrived.values())
    retried = sum(n - 1 for n in tries.values())
    print(
        f"count: split: {daemon.name} killed {KILLS} times: {dict(phases)}; {len(accepted)} mails taken after"
        f" {retried} retries, {len(expected)} copies, {len(lost)} lost, {twice} duplicates"
    )
    assert len(accepted) > KILLS
    assert not lost, sorted(lost)[:5]
    for delivery in sink.mails:
        text = delivery.data.decode()
        assert text.count("/c/") in (0, 1) and "X-Tidings" not in text
        if "/c/" not in text:
            assert BODY in text, "harmed"
    return accepted, twice, retried


def test_milter_dies(mill):
    tidings, postfix, sink = mill
    accepted, twice, retried = run_kills(tidings, postfix, sink, tidings.milter, lambda work: work.phases)
    # A duplicate needs a milter that died after its journal had the copies and
    # before the answer: the client was told to try again.
    assert twice <= COPIES * retried


def test_policyd_dies(mill):
    tidings, postfix, sink = mill

    def phases_of(work):
        def phases():
            found = Counter(work.phases())
            try:
                for value, n in state(tidings, "SELECT state, count(*) FROM send WHERE state < 2 GROUP BY 1"):
                    found["handed" if value else "planned"] += n
            except sqlite3.Error:
                pass
            return found

        return phases

    accepted, twice, retried = run_kills(tidings, postfix, sink, tidings.policyd, phases_of)
    assert retried == 0, "policyd's death is nothing to who sends"
    assert twice <= len(accepted) * COPIES / 100
