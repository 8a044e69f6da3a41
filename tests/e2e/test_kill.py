"""Dead in the middle: each daemon dies by SIGKILL at least a hundred times under
load, always with work in flight. No message is lost and none is half-edited;
every hit that was answered is in the state exactly once; the follow-up is sent,
and what went twice is counted."""

import json
import re
import smtplib
import socket
import sqlite3
import threading
import time
from collections import Counter

import pytest

from killing import KILLS, Killer, Work
from postfix import Postfix, submit, wait_until
from sink import Sink
from tidings import Tidings

SHOP = "shop@kill.test"
LINKS = 12


def message(number):
    """A mail whose HTML is long enough for several packets to the milter."""
    paragraphs = "".join(
        f'<p>Paragraph {n} of mail {number}: <a href="https://kill.test/{number}/{n}?a=1&amp;b=2#x">here</a> '
        + "lorem ipsum dolor sit amet\r\n" * 40
        + "</p>\r\n"
        for n in range(LINKS)
    )
    return (
        f"From: Shop <{SHOP}>\r\nTo: r{number}@reader.test\r\nSubject: Mail {number}\r\n"
        f"Message-ID: <kill-{number}@kill.test>\r\nDate: Fri, 27 Mar 2026 12:00:00 +0000\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        f"<html><body>\r\n{paragraphs}</body></html>\r\n"
    ).encode()


@pytest.fixture
def house(fresh_workdir):
    tidings = Tidings(fresh_workdir)
    with Sink() as sink, Postfix(
        fresh_workdir, sink=sink, milters=[tidings.milter_socket], smtpd_delay_open_until_valid_rcpt="no"
    ) as postfix:
        tidings.submit_to(postfix)
        with tidings:
            tidings.ctl(
                "tenant", "add", "shop", "--domain", "kill.test", "--track", "all",
                "--url", f"http://127.0.0.1:{tidings.tracker_port}",
            )
            time.sleep(0.2)
            yield tidings, postfix, sink


def state(tidings, sql, *values):
    """Rows of policyd's state, read beside it."""
    database = sqlite3.connect(f"file:{tidings.state / 'state/tidings.db'}?mode=ro", uri=True, timeout=20)
    try:
        return database.execute(sql, values).fetchall()
    finally:
        database.close()


# --- milter


def is_complete(delivery):
    """All of the edits are there: every link, one pixel, and the original gone."""
    text = delivery.data.decode()
    tracked = len(re.findall(r'href="http://127\.0\.0\.1:\d+/c/[\w-]+"', text))
    return tracked == LINKS and text.count("/o/") == 1 and text.endswith("</body></html>\r\n")


def without_edits(delivery):
    """The delivered text with each edit taken out again."""
    text = re.sub(r'href="http://127\.0\.0\.1:\d+/c/[\w-]+"', 'href=""', delivery.untraced.decode())
    return re.sub(r"<img src=\"http://127\.0\.0\.1:\d+/o/[^>]*>", "", text)


def send_until_accepted(port, work, numbers, stop, accepted):
    """A client that does what a mail program does: it tries again after 4xx."""
    while not stop.is_set():
        number = next(numbers)
        while True:
            try:
                work.enter("connecting")
                with smtplib.SMTP("127.0.0.1", port, "client.test", timeout=30) as client:
                    client.ehlo()
                    work.enter("envelope")
                    client.mail(SHOP)
                    client.rcpt(f"r{number}@reader.test")
                    code, _ = client.docmd("DATA")
                    if code == 354:
                        data = message(number)
                        work.enter("content")
                        for at in range(0, len(data), 4096):
                            client.send(data[at : at + 4096])
                            time.sleep(0.005)  # a slow line: kills shall fall into this phase, too
                        work.enter("end of message")
                        client.send(b".\r\n")
                        code, _ = client.getreply()
                        if code == 250:
                            accepted.add(number)
            except (smtplib.SMTPException, OSError):
                pass
            finally:
                work.leave()
            if number in accepted:
                break
            # The rest of what was begun is sent again even after the stop.
            time.sleep(0.01)


def test_milter(house):
    tidings, postfix, sink = house
    work, stop, accepted = Work(), threading.Event(), set()
    lock, counter = threading.Lock(), iter(range(1_000_000))

    class Numbers:
        def __next__(self):
            with lock:
                return next(counter)

    clients = [
        threading.Thread(
            target=send_until_accepted, args=(postfix.submission_port, work, Numbers(), stop, accepted), daemon=True
        )
        for _ in range(6)
    ]
    for client in clients:
        client.start()
    phases = Killer(tidings.milter, work.phases).run()
    stop.set()
    for client in clients:
        client.join(60)
        assert not client.is_alive()
    deliveries = sink.wait_for(len(accepted), timeout=60)
    postfix.wait_empty()
    print(f"count: milter killed {KILLS} times with work in flight: {dict(phases)}; {len(accepted)} mails accepted")
    arrived = Counter(int(re.search(r"r(\d+)@", d.recipients[0])[1]) for d in sink.mails)
    assert set(arrived) == accepted, "lost or unasked for"
    assert set(arrived.values()) == {1}, "a mail came twice"
    complete = untouched = 0
    for delivery in deliveries:
        number = int(re.search(r"r(\d+)@", delivery.recipients[0])[1])
        original = message(number).decode()
        if delivery.untraced.decode() == original:
            untouched += 1
            continue
        assert is_complete(delivery), f"mail {number} is half-edited"
        bare = re.sub(r'href="https://kill\.test/[^"]*"', 'href=""', original)
        assert without_edits(delivery) == bare, f"mail {number} is harmed"
        complete += 1
    print(f"count: of these {complete} complete, {untouched} untouched, 0 lost, 0 half-edited")
    assert complete > 0
    for phase in ("envelope", "content", "end of message"):
        assert phases[phase] > 0, f"no kill in phase {phase}"
    # What the milter acknowledged is in its journal, and so in the state.
    wait_until(
        lambda: {row[0] for row in state(tidings, "SELECT recipient FROM mail WHERE action = 'tracked'")}
        >= {d.recipients[0] for d in deliveries if is_complete(d)},
        30,
        "every rewritten mail is in the state",
    )


# --- tracker


def click_all(port, work, paths, stop, answered):
    """A client that follows tracked links over a kept connection; what got a
    whole answer is noted."""
    connection = None
    for key, path in paths:
        if stop.is_set():
            break
        try:
            if connection is None:
                work.enter("connecting")
                connection = socket.create_connection(("127.0.0.1", port), 5)
                connection.settimeout(5)
            work.enter("asking")
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: t\r\nUser-Agent: Mozilla/5.0 Test\r\n\r\n".encode())
            work.enter("waiting for the answer")
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = connection.recv(65536)
                if not piece:
                    raise ConnectionError
                answer += piece
            if answer.startswith(b"HTTP/1.1 302 "):
                answered.add(key)
        except OSError:
            if connection:
                connection.close()
            connection = None
        finally:
            work.leave()
        time.sleep(0.02)  # the links must last for all kills
    if connection:
        connection.close()


def test_tracker(house):
    tidings, postfix, sink = house
    # One mail with many links: each is followed at most once, so that every hit
    # can be told from every other.
    per_mail, mails, clients = 900, 16, 8
    paths = []
    for number in range(mails):
        links = "".join(f'<a href="https://kill.test/{number}/{n}">x</a>\r\n' for n in range(per_mail))
        head = message(number).partition(b"\r\n\r\n")[0]
        submit(postfix.submission_port, SHOP, f"r{number}@reader.test", head + b"\r\n\r\n" + links.encode())
    for delivery in sink.wait_for(mails, timeout=60):
        for url in re.findall(r'href="http://127\.0\.0\.1:\d+(/c/[^"]+)"', delivery.data.decode()):
            paths.append((len(paths), url))
    assert len(paths) == per_mail * mails
    work, stop, answered = Work(), threading.Event(), set()
    shares = [iter(paths[i::clients]) for i in range(clients)]
    threads = [
        threading.Thread(target=click_all, args=(tidings.tracker_port, work, share, stop, answered), daemon=True)
        for share in shares
    ]
    for thread in threads:
        thread.start()
    phases = Killer(tidings.tracker, work.phases).run(least=0.005, most=0.05)
    stop.set()
    for thread in threads:
        thread.join(30)
    print(f"count: tracker killed {KILLS} times with work in flight: {dict(phases)}; {len(answered)} hits answered")
    assert len(answered) > KILLS
    for phase in ("connecting", "waiting for the answer"):
        assert phases[phase] > 0, f"no kill in phase {phase}"
    # All of the journal is folded once a later hit is.
    last = next(path for key, path in paths if key not in answered)
    tidings.http("GET", last)
    marks = {}
    for key, path in paths:
        marks[path] = key

    def folded():
        rows = state(tidings, "SELECT mail, json_extract(data, '$.link'), count(*) FROM event WHERE kind = 3 GROUP BY 1, 2")
        return rows if sum(row[2] for row in rows) > len(answered) else None

    rows = wait_until(folded, 30, "the hits are folded")
    urls = Counter()
    for _, data in state(tidings, "SELECT mail, data FROM event WHERE kind = 3"):
        urls[json.loads(data)["url"]] += 1
    assert max(urls.values()) == 1, "a hit counts twice"
    # The n-th link of a mail is the URL …/n: find each answered one.
    known = {}
    for number, delivery in enumerate(sink.mails):
        for n, url in enumerate(re.findall(r'href="http://127\.0\.0\.1:\d+(/c/[^"]+)"', delivery.data.decode())):
            recipient = re.search(r"r(\d+)@", delivery.recipients[0])[1]
            known[marks[url]] = f"https://kill.test/{recipient}/{n}"
    lost = [key for key in answered if known[key] not in urls]
    assert not lost, f"{len(lost)} acknowledged hits are lost"
    print(f"count: all {len(answered)} acknowledged hits are in the state exactly once ({len(rows)} in all)")
    for segment in (tidings.state / "journal/tracker").glob("*.db"):
        check = sqlite3.connect(segment)
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",), segment
        check.close()


# --- policyd

WORKFLOW = """\
workflow: thanks
from: Shop <shop@kill.test>
trigger:
  event: order
steps:
  - name: thanks
    send: thanks.eml
"""

THANKS = "Subject: Thanks for {{ event.number }}\nContent-Type: text/html\n\n<p>Thanks! <a href=\"https://kill.test/\">Shop</a></p>\n"


def test_policyd(house):
    tidings, postfix, sink = house
    folder = tidings.root / "workflow"
    folder.mkdir()
    (folder / "thanks.yaml").write_text(WORKFLOW)
    (folder / "thanks.eml").write_text(THANKS)
    tidings.ctl("workflow", "load", "shop", str(folder / "thanks.yaml"))
    accepted, stop = [], threading.Event()

    def order_forever():
        """Events come in by the control socket; what was answered must be followed up."""
        number = 0
        while not stop.is_set():
            address = f"c{number}@reader.test"
            done = tidings.ctl("event", "send", "shop", address, "order", f"number={number}", check=False)
            if done.returncode == 0:
                accepted.append(address)
            # Else it may have been taken all the same: it is not asked for again.
            number += 1

    def mail_forever():
        """Mail and hits keep the journals filled, so that kills fall into folds."""
        number = 0
        while not stop.is_set():
            try:
                submit(postfix.submission_port, SHOP, f"m{number}@other.test", message(number))
                number += 1
            except (smtplib.SMTPException, OSError):
                pass

    workers = [threading.Thread(target=order_forever, daemon=True), threading.Thread(target=mail_forever, daemon=True)]
    for worker in workers:
        worker.start()

    def phases():
        """Where the work stands, by state and journal."""
        found = Counter()
        try:
            for value, offered, n in state(
                tidings, "SELECT state, offered IS NOT NULL AND offered <> 0, count(*) FROM send GROUP BY 1, 2"
            ):
                if value == 0:
                    found["planned"] += n
                elif value == 1:
                    found["offered, not recorded" if offered else "claimed"] += n
            newest = max((tidings.state / "journal/milter").glob("*.db"))
            position = dict(state(tidings, "SELECT producer, seq FROM journal_position"))
            journal = sqlite3.connect(f"file:{newest}?mode=ro", uri=True, timeout=5)
            (last,) = journal.execute("SELECT max(seq) FROM event").fetchone()
            journal.close()
            if last and last > position.get("milter", 0):
                found["folding"] += 1
        except (sqlite3.Error, ValueError):
            pass
        return found

    by_phase = Killer(tidings.policyd, phases).run(least=0.0, most=0.12)
    stop.set()
    for worker in workers:
        worker.join(60)
    # Doubts rest for five seconds before they are settled.
    wait_until(lambda: state(tidings, "SELECT count(*) FROM send WHERE state < 2")[0][0] == 0, 60, "no doubt is left")
    postfix.wait_empty()
    print(f"count: policyd killed {KILLS} times with work in flight: {dict(by_phase)}; {len(accepted)} events answered")
    mails = Counter(d.recipients[0] for d in sink.mails if d.recipients[0].startswith("c"))
    lost = [address for address in accepted if mails[address] == 0]
    twice = [address for address, n in mails.items() if n > 1]
    assert not lost, f"{len(lost)} follow-ups are lost: {lost[:5]}"
    ids = Counter(d.headers("Message-ID")[0] for d in sink.mails if d.recipients[0].startswith("c"))
    print(f"count: {len(mails)} follow-ups sent, 0 lost, {len(twice)} sent twice; {len(ids)} Message-IDs")
    assert len(ids) == len(mails), "a follow-up has another Message-ID the second time"
    # Duplicates are the measured window; more than one in a hundred is a fault.
    assert len(twice) <= len(mails) / 100
    journeys = state(tidings, "SELECT count(*), count(DISTINCT contact), sum(active) FROM journey")[0]
    assert journeys[0] == journeys[1] and journeys[2] == 0, f"journeys: {journeys}"
    for phase in ("claimed", "folding"):
        assert by_phase[phase] > 0, f"no kill in phase {phase}"
    # Every mail that passed is in the state exactly once.
    passed = Counter(d.recipients[0] for d in sink.mails if d.recipients[0].startswith("m"))
    known = Counter(row[0] for row in state(tidings, "SELECT recipient FROM mail WHERE recipient LIKE 'm%@other.test'"))
    assert all(known[address] >= 1 for address in passed), "a mail that passed is not in the state"
    check = sqlite3.connect(tidings.state / "state/tidings.db")
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()
