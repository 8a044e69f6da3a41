"""SIGUSR1 to each daemon, with work in hand: nothing is lost and nobody is cut off. New
keys seal what is new, and open what is old."""

import http.client
import os
import signal
import smtplib
import socket
import stat
import threading

import pytest

from circle import BROWSER, Arrived, html_mail, key_id, running
from postfix import submit, wait_until

NEWS = "news@shop.test"
LINK = '<p><a href="https://k.test/?a=1&amp;b=2#c">x</a></p>'

HELLO = """\
    workflow: hello
    from: news@shop.test
    trigger: {event: hello}
    steps:
      - send: hello.eml
    """


@pytest.fixture(scope="module")
def circle(workdir):
    with running(workdir) as circle:
        circle.tenant("shop", "shop.test", lists=["news"])
        circle.workflow("shop", HELLO, hello="Subject: Hello\n\nHello.\n")
        yield circle


def mail(to):
    return html_mail(NEWS, to, LINK, "News", "X-Tidings-List: news\n")


def reload(circle):
    """Reloads all three, and waits until each says that it has."""
    before = [daemon.log().count(" reloaded ") for daemon in circle.tidings.daemons]
    pids = [daemon.pid for daemon in circle.tidings.daemons]
    for daemon in circle.tidings.daemons:
        daemon.reload()
    for daemon, count in zip(circle.tidings.daemons, before):
        wait_until(lambda: daemon.log().count(" reloaded ") > count, 10, f"{daemon.name} has reloaded")
    assert [daemon.pid for daemon in circle.tidings.daemons if daemon.alive] == pids


class HalfMail:
    """A message whose first half has been sent."""

    def __init__(self, circle, to):
        self.client = smtplib.SMTP("127.0.0.1", circle.postfix.submission_port, "client.test", timeout=30)
        self.client.ehlo()
        self.client.mail(NEWS)
        self.client.rcpt(to)
        assert self.client.docmd("DATA")[0] == 354
        data = mail(to)
        self.rest = data[len(data) // 2 :] + b".\r\n"
        self.client.sock.sendall(data[: len(data) // 2])

    def finish(self):
        self.client.sock.sendall(self.rest)
        code, text = self.client.getreply()
        self.client.quit()
        return code


class HalfRequest:
    """A kept connection to the tracker on which half of the next request has been sent."""

    def __init__(self, circle, url):
        self.path = "/" + url.split("/", 3)[3]
        self.socket = socket.create_connection(("127.0.0.1", circle.tidings.tracker_port), 30)
        self.request = f"GET {self.path} HTTP/1.1\r\nHost: {url.split('/')[2]}\r\nUser-Agent: {BROWSER}\r\n\r\n".encode()
        assert self.exchange(self.request) == 302
        self.socket.sendall(self.request[:30])

    def exchange(self, data):
        self.socket.sendall(data)
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        response.read()
        return response.status

    def finish(self):
        status = self.exchange(self.request[30:])
        self.socket.close()
        return status


def test_in_the_middle(circle):
    """A message and a request of which each daemon has seen the first half."""
    circle.ctl("contact", "add", "shop", "first@reader.test")
    first = circle.send(NEWS, "first@reader.test", mail("first@reader.test"))
    circle.advance()
    half_mail = HalfMail(circle, "half@reader.test")
    half_request = HalfRequest(circle, first.links[0])
    control = socket.socket(socket.AF_UNIX)
    control.connect(str(circle.tidings.control_socket))
    control.sendall(b'{"do":"sta')
    reload(circle)
    assert half_mail.finish() == 250
    assert half_request.finish() == 302
    control.sendall(b'tus","args":{}}\n')
    control.settimeout(10)
    assert b'"ok"' in control.recv(65536)
    control.close()
    arrived = Arrived(circle.sink.wait_to("half@reader.test")[0])
    assert len(arrived.links) == 1 and arrived.pixel and arrived.unsubscribe
    circle.wait_timeline("shop", "first@reader.test", "click", 2)


class Load(threading.Thread):
    """Calls WORK over and over until stopped; counts, and keeps what it raised."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.done, self.error, self.ended = work, 0, None, threading.Event()

    def run(self):
        try:
            while not self.ended.is_set():
                self.work(self.done)
                self.done += 1
        except Exception as error:  # noqa: BLE001 - shown by the test
            self.error = error

    def stop(self):
        self.ended.set()
        self.join(60)
        assert self.error is None, repr(self.error)
        return self.done


def test_under_load(circle):
    """Reloads under load: each message arrives once and tracked, each hit is answered and
    counted once, each event starts its workflow, whose mail arrives once."""
    circle.ctl("contact", "add", "shop", "hits@reader.test")
    target = circle.send(NEWS, "hits@reader.test", mail("hits@reader.test"))
    circle.advance()
    circle.sink.clear()

    def send(n):
        submit(circle.postfix.submission_port, NEWS, f"load{n}@reader.test", mail(f"load{n}@reader.test"))

    def click(_):
        status, headers, _ = circle.hit(target.links[0])
        assert (status, headers["Location"]) == (302, "https://k.test/?a=1&b=2#c")

    def happen(n):
        circle.ctl("event", "send", "shop", f"event{n}@reader.test", "hello")

    loads = [Load(send), Load(click), Load(happen)]
    for load in loads:
        load.start()
    for n in range(8):
        seen = [load.done for load in loads]
        reload(circle)
        wait_until(lambda: all(l.done > s or l.error for l, s in zip(loads, seen)), 20, "work goes on")
    sent, clicks, events = (load.stop() for load in loads)
    assert sent >= 8 and clicks >= 8 and events >= 8
    circle.sink.wait_for(sent + events, 60)
    circle.postfix.wait_empty()
    arrived = [Arrived(delivery) for delivery in circle.sink.mails]
    people = [f"load{n}@reader.test" for n in range(sent)] + [f"event{n}@reader.test" for n in range(events)]
    assert sorted(m.delivery.recipients[0] for m in arrived) == sorted(people)
    assert all(len(m.links) == 1 and m.pixel and m.unsubscribe for m in arrived if m["Subject"] == "News")
    wait_until(lambda: circle.report("shop")["tenant"]["clicks"] >= clicks, 20, "the hits are counted")
    wait_until(lambda: circle.report("shop")["step:hello/step-1"]["sent"] == events, 20, "what was sent is counted")
    sums = circle.report("shop")["tenant"]
    assert sums["tracked"] == sent + 3 and sums["mails"] == sent + 3 + events
    assert sums["clicks"] == clicks + 2


def test_key_rotate(circle):
    """After a rotation and a reload new mail is sealed with the new key, and each link
    that was ever sent still works: to click, to open and to leave."""
    keys = circle.tidings.keys
    rights = keys.stat()
    old = circle.send(NEWS, "old-key@reader.test", mail("old-key@reader.test"))
    circle.ctl("key", "rotate")
    assert (keys.stat().st_mode, keys.stat().st_uid, keys.stat().st_gid) == (rights.st_mode, rights.st_uid, rights.st_gid)
    reload(circle)
    new = circle.send(NEWS, "new-key@reader.test", mail("new-key@reader.test"))
    ids = {name: {key_id(url) for url in (m.links[0], m.pixel, m.unsubscribe)} for name, m in (("old", old), ("new", new))}
    assert len(ids["old"]) == len(ids["new"]) == 1 and ids["old"] != ids["new"]
    circle.advance()
    for m in (old, new):
        assert circle.hit(m.links[0])[1]["Location"] == "https://k.test/?a=1&b=2#c"
        assert circle.hit(m.pixel)[0] == 200
        assert b"unsubscribed" in circle.one_click(m.unsubscribe)
    # A restart, and the same again.
    circle.tidings.stop()
    circle.tidings.start()
    assert circle.hit(old.links[0])[0] == circle.hit(new.links[0])[0] == 302


def test_bad_keys_are_refused(circle):
    """A reload with a key file that is wrong leaves all as it was, and says so."""
    keys = circle.tidings.keys
    good = keys.read_bytes()
    link = circle.send(NEWS, "still@reader.test", mail("still@reader.test")).links[0]
    try:
        keys.write_bytes(b"nonsense\n")
        for daemon in circle.tidings.daemons:
            daemon.signal(signal.SIGUSR1)
            wait_until(lambda: "reload-failed" in daemon.log(), 10, f"{daemon.name} complains")
        assert circle.hit(link)[0] == 302
        assert key_id(circle.send(NEWS, "still@reader.test", mail("still@reader.test")).links[0]) == key_id(link)
    finally:
        keys.write_bytes(good)
        os.chmod(keys, stat.S_IMODE(keys.stat().st_mode))
    reload(circle)
