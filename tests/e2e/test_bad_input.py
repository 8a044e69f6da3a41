"""Messages, requests, configurations and workflows that no one should write:
a message passes as it was, and everything else gets an error that says what,
where, and what to do. Never a crash."""

import json
import quopri
import re
import shutil
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import house
from house import Control, Mail, Policy, is_tracked, message
from postfix import submit, wait_until
from sink import Sink
from tidings import MILTER, MILTER_JOURNAL, READERS, Tidings, build_folder

# --- messages


@pytest.fixture(scope="module")
def mail(workdir):
    mail = Mail(workdir)
    mail.milter.start()
    # Where the milter's user may execute it.
    mail.filter = mail.tidings.root / "tidings-filter"
    shutil.copy(build_folder() / "milter/tidings-filter", mail.filter)
    mail.filter.chmod(0o755)
    yield mail
    mail.close()


def html(text, field=b""):
    return message(b"Content-Type: text/html; charset=utf-8\r\n" + field + b"\r\n" + text)


LINK = b'<a href="https://example.com/a">Go</a>'
END = LINK + b"</body></html>\r\n"
PART = b"Content-Type: text/html\r\n\r\n" + LINK + b"\r\n"


def multipart(lead, *parts, boundary=b"b", end=True, tail=b""):
    text = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return message(lead + b"\r\n\r\n" + text + (b"--" + boundary + b"--\r\n" if end else b"") + tail)


MIXED = b"Content-Type: multipart/mixed; boundary=b"


def nested(depth):
    head, body, tail = b"Content-Type: multipart/mixed; boundary=n0\r\n\r\n", b"", b""
    for n in range(depth):
        body += b"--n%d\r\nContent-Type: multipart/mixed; boundary=n%d\r\n\r\n" % (n, n + 1)
        tail = b"\r\n--n%d--\r\n" % n + tail
    return message(head + body + b"--n%d\r\n" % depth + PART + b"\r\n--n%d--\r\n" % depth + tail)


# A message and why it is left alone; "tracked": it is not.
MESSAGES = {
    "nul": (lambda: html(b"<p>a\0b</p>" + END), "ambiguous"),
    "nul in the header": (lambda: html(END, b"X-A: a\0b\r\n"), None),
    "nul in text": (lambda: multipart(MIXED, b"\r\na\0b", PART), None),
    "bare CR": (lambda: html(b"<p>a\rb</p>" + END), None),
    "bare LF": (lambda: html(b"<p>a\nb</p>" + END), None),
    "CR CR LF": (lambda: html(b"<p>a\r\r\nb</p>" + END), None),
    "LF dot LF": (lambda: html(b"<p>a\n.\nb</p>" + END), None),
    "no final line end": (lambda: html(LINK), "tracked"),
    "header without colon": (lambda: b"Nonsense\r\n" + html(END), None),
    "From line": (lambda: b"From a@shop.test Sun Nov 22 10:00:00 2026\r\n" + html(END), None),
    "header only": (lambda: b"From: a@shop.test\r\nContent-Type: text/html\r\n", None),
    "body only": (lambda: b"\r\n" + LINK + b"\r\n", "no-html"),
    "empty": (lambda: b"", None),
    "blank": (lambda: b"\r\n\r\n\r\n", "no-html"),
    "only a dot": (lambda: b"\r\n.\r\n", "no-html"),
    "field of 90 kB": (lambda: html(END, b"X-A: " + b"y" * 90 + b"\r\n " + b"\r\n ".join([b"z" * 900] * 100) + b"\r\n"), None),
    "5,000 fields": (lambda: html(END, b"X-A: y\r\n" * 5000), None),
    "line of 100 kB": (lambda: html(b"<p>" + b"x" * 100_000 + END), None),
    "8-bit header": (lambda: html(END, b"X-A: \xff\xfe\x80\r\n"), None),
    "two Content-Types": (lambda: html(END, b"Content-Type: text/plain\r\n"), "ambiguous"),
    "two encodings": (lambda: html(END, b"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n"), "ambiguous"),
    "encoding of junk": (lambda: html(END, b"Content-Transfer-Encoding: 8bit; really\r\n"), None),
    "encoding on a multipart": (lambda: multipart(MIXED + b"\r\nContent-Transfer-Encoding: base64", PART), "ambiguous"),
    "unknown encoding": (lambda: html(END, b"Content-Transfer-Encoding: x-uu\r\n"), None),
    "base64 of junk": (lambda: html(b"!!!!" + LINK, b"Content-Transfer-Encoding: base64\r\n"), None),
    "bad quoted-printable": (lambda: html(b"=ZZ=3" + END + b"=", b"Content-Transfer-Encoding: quoted-printable\r\n"), None),
    "UTF-16": (lambda: message(b"Content-Type: text/html; charset=utf-16le\r\n\r\n" + LINK.decode().encode("utf-16le") + b"\r\n"), None),
    "no boundary": (lambda: multipart(b"Content-Type: multipart/mixed", PART), "ambiguous"),
    "empty boundary": (lambda: multipart(b'Content-Type: multipart/mixed; boundary=""', PART, boundary=b""), "ambiguous"),
    "two boundaries": (lambda: multipart(b"Content-Type: multipart/mixed; boundary=b; boundary=c", PART), "ambiguous"),
    "boundary of 300": (lambda: multipart(b"Content-Type: multipart/mixed; boundary=" + b"b" * 300, PART, boundary=b"b" * 300), None),
    "boundary that is not there": (lambda: multipart(b"Content-Type: multipart/mixed; boundary=other", PART), None),
    "boundary is a prefix": (lambda: multipart(MIXED, b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n" + PART + b"\r\n--bb--"), None),
    "same boundary inside": (lambda: multipart(MIXED, b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + PART + b"\r\n--b--"), "ambiguous"),
    "no end boundary": (lambda: multipart(MIXED, PART, end=False), None),
    "text after the end": (lambda: multipart(MIXED, PART, tail=b"epilogue <a href='https://x.test/'>x</a>\r\n--b\r\n" + PART), None),
    "boundary with blanks": (lambda: multipart(MIXED, PART).replace(b"--b\r\n", b"--b  \t\r\n"), None),
    "comment in the type": (lambda: message(b"Content-Type: text/(what)html\r\n\r\n" + END), None),
    "RFC 2231 boundary": (lambda: multipart(b"Content-Type: multipart/mixed; boundary*0=b; boundary*1=c", PART, boundary=b"bc"), None),
    "no </html>": (lambda: html(b"<html><body>" + LINK + b"\r\n"), "tracked"),
    "open comment": (lambda: html(LINK + b"<!-- </body>\r\n"), "tracked"),
    "open tag": (lambda: html(LINK + b'<a href="https://x.test/\r\n'), "tracked"),
    "open script": (lambda: html(LINK + b"<script>if (a<b) x = '</body>\r\n"), "tracked"),
    "only an open tag": (lambda: html(b'<a href="https://x.test/\r\n'), "nothing"),
    "comments in comments": (lambda: html(b"<!--" * 20000 + LINK + b"\r\n"), None),
    "50,000 divs": (lambda: html((b"<div>" * 100 + b"\r\n") * 500 + END), "tracked"),
    "50,000 angle brackets": (lambda: html((b"<" * 100 + b"\r\n") * 500 + END), None),
    "20,000 links": (lambda: html((LINK + b"\r\n") * 20000), None),
    "2,000 attributes": (lambda: html(b"<a " + b"\r\n".join(b"a%d=1" % n for n in range(2000)) + b' href="https://x.test/">x</a>' + END), None),
    "a URL of 1 MB": (lambda: html(b'<a href="https://x.test/' + b"y" * 1_000_000 + b'">x</a>\r\n'), None),
    "URLs of bad bytes": (lambda: html(b'<a href="https://x\x01.test/\xff">x</a><a href="https://[::1">y</a><a href="http://">z</a>\r\n'), "tracked"),
    "10,000 parts": (lambda: multipart(MIXED, *[b"\r\nx"] * 10000, PART), "over-limit"),
    "nesting of 200": (lambda: nested(200), "over-limit"),
    "rfc822 in rfc822": (lambda: message(b"Content-Type: message/rfc822\r\n\r\n" * 300 + PART), None),
    "9 MB": (lambda: html((b"x" * 76 + b"\r\n") * 115_000 + END), "tracked"),
    "10 MB": (lambda: html((b"x" * 76 + b"\r\n") * 135_000 + END), "too-large"),
}


ENCODED = b"Content-Transfer-Encoding: quoted-printable\r\n"


def original(data, before):
    """DATA with the links back and the pixel gone, for messages with LINK alone;
    and decoded, if long lines had it encoded."""
    head, empty, body = data.partition(b"\r\n\r\n")
    if ENCODED in head and ENCODED not in before:
        data = head.replace(ENCODED, b"") + empty + quopri.decodestring(body)
    data = re.sub(rb'<img src="https://t\.shop\.test/o/[^>]*>', b"", data)
    return re.sub(rb'"https://t\.shop\.test/c/[\w-]+"', b'"https://example.com/a"', data)


def without_postfix(data):
    """DATA without the fields that Postfix adds where they are missing."""
    data = re.sub(rb"(?m)^Message-Id: <[\w.]+@mx\.tidings\.test>\r\n", b"", data)
    return re.sub(rb"(?m)^Date: [^\r]*\(UTC\)\r\n", b"", data)


def check_passed(name, before, after, log):
    """AFTER is BEFORE unless it was tracked; and the reason is in the log."""
    reason = MESSAGES[name][1]
    found = re.findall(r" (?:left reason=([\w-]+)|(tracked) tenant=)", log)
    assert len(found) == 1, log
    got = found[0][0] or found[0][1]
    print(f"reason: {name}: {got}")
    if got == "tracked":
        assert after != before
        assert original(after, before) == before
    else:
        assert after == before
    assert reason in (None, got), f"{name}: {got}, not {reason}"


@pytest.mark.parametrize("name", MESSAGES)
def test_message(mail, name):
    """The milter's port delivers what the port without it delivers."""
    sent = MESSAGES[name][0]()
    plain = mail.send(sent, port=mail.postfix.smtp_port).untraced
    marks = len(mail.milter.log())
    got = mail.send(sent)
    assert mail.milter.alive
    if ENCODED in got.data and ENCODED not in sent:
        plain = sent  # else Postfix breaks its long lines on the way out
    check_passed(name, without_postfix(plain), without_postfix(got.untraced), mail.milter.log()[marks:])


@pytest.mark.parametrize("name", MESSAGES)
def test_message_through_filter(mail, name):
    """The same without an MTA that mends it first."""
    sent = MESSAGES[name][0]()
    done = subprocess.run(
        [mail.filter, "-c", mail.tidings.conf, "-t", "shop", "-f", "a@shop.test", "-r", "b@example.org"],
        input=sent, capture_output=True, timeout=20, user=MILTER, group=MILTER, extra_groups=[READERS, MILTER_JOURNAL],
    )
    assert done.returncode == 0, done.stderr
    log = done.stderr.decode()
    if "over milter.max_size" in log:
        log = " left reason=too-large"
    check_passed(name, sent, done.stdout, log)


def test_milter_protocol(mail):
    """What no MTA sends to the socket: the milter drops it, and serves the next."""
    import socket
    import struct

    def packet(data):
        return struct.pack(">I", len(data)) + data

    start = packet(b"O" + struct.pack(">III", 6, 0x1FF, 0x1FFFFF))
    for data in (
        b"", b"\0", b"\xff\xff\xff\xff", b"GET / HTTP/1.0\r\n\r\n", struct.pack(">I", 0), packet(b"O"), packet(b"O" + b"\0" * 3),
        packet(b"B" + b"x" * 1000), packet(b"E"), packet(b"Q"), start, start + packet(b"E"), start + packet(b"L"), start + packet(b"Lnoend"),
        start + packet(b"R"), start + packet(b"M"), start + packet(b"Mx\0") + packet(b"E"), start + packet(b"B" + b"x" * 65535) * 3 + packet(b"E"),
        start + packet(b"C") + packet(b"H"), start + packet(b"Chost\x004\0"), start + packet(b"D") + packet(b"DMx\0"),
        start + packet(b"Ma@shop.test\0") + packet(b"Rb@c\0") + packet(b"LX\0") + packet(b"N") + packet(b"E") + packet(b"E") + packet(b"A") * 3,
        start + packet(b"Z") + packet(b"\0") + packet(b""),
    ):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(0.2)
            client.connect(str(mail.tidings.milter_socket))
            try:
                client.sendall(data)
                client.recv(4096)
            except OSError:
                pass
        assert mail.milter.alive, data
    mail.check_tracked()


# --- the control socket


@pytest.fixture(scope="module")
def policy(base):
    import tempfile

    folder = Path(tempfile.mkdtemp(dir=base))
    folder.chmod(0o711)
    policy = Policy(folder, clock=datetime(2026, 3, 27, 12, tzinfo=timezone.utc))
    policy.start()
    policy.add_shop()
    policy.good("contact.add", tenant="shop", address="known@reader.test", lists=["news"])
    policy.load("greet", "greeting")
    yield policy
    policy.close()


LINES = {
    "no JSON": (b"hello", "not a line of the control protocol"),
    "half JSON": (b'{"do":"status"', "not a line of the control protocol"),
    "a list": (b"[]", "a JSON object is expected"),
    "a text": (b'"status"', "not a line of the control protocol"),
    "twice a key": (b'{"do":"status","do":"status"}', "duplicate"),
    "bad UTF-8": (b'{"do":"\xff\xfe"}', "not a line of the control protocol"),
    "nul": (b'{"do":"status\0"}', "not a line of the control protocol"),
    "nul escaped": (b'{"do":"status\\u0000"}', "not a line of the control protocol"),
    "lone surrogate": (b'{"do":"\\ud800"}', "not a line of the control protocol"),
    "deep": (b'{"args":' + b"[" * 100_000, "not a line of the control protocol"),
    "a huge number": (b'{"do":"status","args":{"x":1e999999}}', "not a line of the control protocol"),
    "a long number": (b'{"do":"report","args":{"tenant":"shop","from":99999999999999999999}}', "not a line of the control protocol"),
    "nothing asked": (b"{}", "unknown request ''"),
    "unknown": (b'{"do":"sing"}', "unknown request 'sing'"),
    "a number asked": (b'{"do":7}', "unknown request ''"),
    "args a list": (b'{"do":"status","args":[]}', "'args' must be an object"),
    "args a text": (b'{"do":"status","args":"x"}', "'args' must be an object"),
    "unknown argument": (b'{"do":"status","args":{"verbose":true}}', "'verbose' is no argument of this request"),
    "prefix of an argument": (b'{"do":"contact.list","args":{"tenan":"shop"}}', "'tenan' is no argument of this request"),
}


@pytest.mark.parametrize("name", LINES)
def test_control_line(policy, name):
    line, text = LINES[name]
    with policy.control() as control:
        answer = control.line(line)
        assert answer["error"]["kind"] == "input" and text in answer["error"]["message"], answer
        assert "ok" in control.ask("status"), "the connection goes on"


# What each request takes, and good values of it.
REQUESTS = {
    "contact.add": {"tenant": "shop", "address": "x@reader.test", "zone": "Europe/Oslo", "fields": {"a": 1}, "lists": ["news"], "source": "s"},
    "contact.import": {"tenant": "shop", "lists": ["news"], "contacts": [{"address": "y@reader.test", "fields": {}}]},
    "contact.show": {"tenant": "shop", "address": "known@reader.test"},
    "contact.list": {"tenant": "shop", "after": 0, "limit": 5},
    "contact.unsubscribe": {"tenant": "shop", "address": "known@reader.test", "list": "news"},
    "contact.erase": {"tenant": "shop", "address": "gone@reader.test"},
    "event.send": {"tenant": "shop", "address": "z@reader.test", "name": "something", "properties": {"a": [1, None, {}]}},
    "event.list": {"tenant": "shop", "after": 0, "limit": 5},
    "report": {"tenant": "shop", "from": 0, "until": 1 << 60},
    "status": {},
    "tenant.add": {"name": "other", "title": "O", "track": "all", "url": "https://o.test", "zone": "Asia/Tokyo", "domains": ["o.test"], "users": ["o"], "split": True, "text_links": True},
    "tenant.set": {"name": "shop", "title": "S", "track": "all", "url": house.BASE, "zone": "Europe/Oslo", "domains": ["s.test"], "users": ["s"], "split": False, "text_links": False},
    "tenant.list": {},
    "list.add": {"tenant": "shop", "name": "extra", "title": "E", "sender": "e@shop.test", "unsubscribe": True, "track": "all", "utm": True},
    "list.set": {"tenant": "shop", "name": "news", "title": "N", "sender": "n@shop.test", "unsubscribe": True, "track": "all", "utm": True},
    "list.list": {"tenant": "shop"},
    "link.kill": {"tenant": "shop", "url": "https://k.test/", "mail": 0, "prefix": True},
    "link.restore": {"tenant": "shop", "url": "https://k.test/", "mail": 0, "prefix": True},
    "link.list": {"tenant": "shop"},
    "workflow.load": {
        "tenant": "shop", "file": "f.yaml", "messages": {"m.eml": "Subject: x\n\nx\n"},
        "source": "workflow: w\nfrom: a@shop.test\ntrigger: {event: e}\nsteps:\n  - send: m.eml\n",
    },
    "workflow.stop": {"tenant": "shop", "name": "greet"},
    "workflow.list": {"tenant": "shop"},
    "workflow.show": {"tenant": "shop", "name": "greet"},
}
VALUES = [
    5, -1, 1 << 62, -(1 << 63), 0.5, True, False, "", "x", "Ü", "no such thing", "x" * 100_000, "a\nb\r\n\t\x01", "%s%n", "'; DROP TABLE tenant; --",
    "a@b@c", "@", "../../etc/passwd", [], [[]], [5], [None], ["x", {}], {}, {"a": {}}, {"address": 5}, {"": ""}, {"x": "y" * 100_000},
    [{}], [{"address": "q@reader.test", "zone": 5}], [{"address": "q@reader.test", "fields": "x"}], [{"address": "q@reader.test", "zone": "Nowhere"}], ["x"] * 6000,
]
TYPES = {str: "a text", bool: "true or false", int: "a whole number", dict: "an object", list: "a list"}


@pytest.mark.parametrize("do", REQUESTS)
def test_control_arguments(policy, do):
    """Each argument left out, null, and of every wrong type and strange value:
    an answer, and an error whenever the type is wrong."""
    good = REQUESTS[do]
    asked = 0
    with policy.control() as control:
        assert "ok" in control.ask(do, **good)
        for name, value in good.items():
            for without in ({k: v for k, v in good.items() if k != name}, {**good, name: None}):
                answer = control.ask(do, **without)
                assert answer and ("ok" in answer or answer["error"]["message"]), (do, name)
            for strange in VALUES:
                answer = control.ask(do, **{**good, name: strange})
                assert answer and ("ok" in answer or answer["error"]["message"]), (do, name, strange)
                asked += 1
                if type(strange) is not type(value):
                    assert answer["error"]["kind"] == "input", (do, name, strange, answer)
                    assert f"'{name}' must be {TYPES[type(value)]}" in answer["error"]["message"], (do, name, answer)
        assert "ok" in control.ask("status")
    assert policy.daemon.alive and "round-failed" not in policy.daemon.log()
    print(f"count: {do}: {asked} strange arguments answered")


def test_control_commands_are_all_here():
    """A new request gets its row above."""
    source = "".join(p.read_text() for p in (Path(__file__).parents[2] / "policyd").glob("commands_*.c"))
    found = set(re.findall(r'\{"([a-z]+(?:\.[a-z]+)?)", \w+, (?:true|false)', source))
    assert found == set(REQUESTS), found ^ set(REQUESTS)


def test_control_long_line(policy):
    """5 MB without an end: said, and the connection closed; one of 3 MB is taken."""
    with policy.control() as control:
        assert "'x' is no argument" in control.ask("status", x="y" * 3_000_000)["error"]["message"]
        try:
            control.socket.sendall(b"x" * 5_000_000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            answer = control.answer()
            assert answer["error"]["kind"] == "limit" and "over 4194304 bytes" in answer["error"]["message"]
            assert control.answer() is None
        except ConnectionResetError:
            pass
    assert "now" in policy.good("status")


def test_control_halves(policy):
    """A line that comes byte by byte, with others around it; and clients that
    leave in the middle of one."""
    line = json.dumps({"do": "contact.show", "args": {"tenant": "shop", "address": "known@reader.test"}}).encode()
    for at in range(0, len(line), 7):
        with policy.control() as control:
            control.socket.sendall(line[:at])
    with policy.control() as control:
        for byte in b"\n\r\n" + line + b"\r\n" + line + b"\n":
            control.socket.sendall(bytes([byte]))
        assert "ok" in control.answer() and "ok" in control.answer()
        control.socket.sendall((line + b"\n") * 500)
        assert all("ok" in control.answer() for _ in range(500))


def test_control_100_connections(policy):
    """Those that are too many are told so; the others work, and so does the next."""
    clients = [policy.control() for _ in range(100)]
    answers = []
    for client in clients:
        try:
            answers.append(client.ask("status"))
        except OSError:
            answers.append(None)
    assert sum(1 for a in answers if a and "ok" in a) >= 60
    refused = [a for a in answers if not a or "ok" not in a]
    assert all(a is None or "too many connections" in a["error"]["message"] for a in refused)
    for client in clients:
        client.__exit__()

    def works():
        with policy.control() as control:
            return "ok" in control.ask("status")

    wait_until(works, 5, "a new connection")


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) * 1024


def test_control_client_that_never_reads(policy):
    """It is let go of, and costs no more than its share of memory and time."""
    with policy.control() as setup:
        setup.good("contact.import", tenant="shop", contacts=[{"address": f"many{n}@reader.test", "fields": {"x": "y" * 200}} for n in range(1000)])
    greedy = policy.control()
    greedy.socket.settimeout(0.5)
    line = b'{"do":"contact.list","args":{"tenant":"shop","limit":1000}}\n'
    try:
        for _ in range(40):
            greedy.socket.sendall(line * 50)
    except OSError:
        pass
    began = time.monotonic()
    assert "now" in policy.good("status")
    assert time.monotonic() - began < 15  # alone it is a second; a loaded machine is slower
    # A sanitizer keeps what was freed for a while.
    sanitized = b"__asan_init" in open(policy.daemon.command[0], "rb").read()
    assert resident(policy.daemon.pid) < (2000 if sanitized else 400) << 20
    greedy.__exit__()
    assert policy.daemon.alive


# --- configuration

# The lines of a file, and what is said of it: the first with the file's name.
CONFIGURATIONS = {
    "unknown key": ("hostnam = x\n", ":1: there is no key hostnam: did you mean hostname?"),
    "unknown key of a section": ("\nmilter {\n  max_sise = 5M\n}\n", ":3: there is no key milter.max_sise: did you mean milter.max_size?"),
    "key of another section": ("tracker {\n  max_size = 5M\n}\n", ":2: there is no key tracker.max_size: did you mean milter.max_size?"),
    "unknown section": ("sender {\n  x = 5\n}\n", ":2: there is no section sender"),
    "nothing like it": ("x = 5\n", ":1: there is no key x"),
    "duplicate": ("hostname = a\nzone = UTC\nhostname = b\n", ":3: hostname is set a second time, first on line 1: keep one of them"),
    "section twice": ("milter {\n}\nmilter {\n}\n", ":3: section milter is opened a second time: put its keys together"),
    "unclosed section": ("hostname = a\nmilter {\n  max_size = 5M\n", ":2: section milter is not closed: write } at its end"),
    "section in a section": ("milter {\n  tracker {\n  }\n}\n", ":2: section tracker stands inside section milter"),
    "closed too often": ("milter {\n}\n}\n", ":3: this } closes nothing: take it away"),
    "no value": ("hostname =\nzone = UTC\n", ":1: hostname has no value: write hostname = VALUE on one line"),
    "no equals sign": ("hostname mx\n", ":1: after 'hostname' stands"),
    "open quotes": ('hostname = "mx\nzone = UTC\n', ":1: "),
    "variable": ('keys = "${HOME}/keys"\n', ":1: "),
    "variable without quotes": ("keys = ${HOME}/keys\n", ":1: "),
    "relative path": ("state = var/tidings\n", ":1: state: 'var/tidings' is not an absolute path: begin it with /"),
    "bad size": ("milter {\n  max_size = 5X\n}\n", ":2: milter.max_size: '5X' is not a size: write a number with K, M or G"),
    "size out of range": ("milter {\n  max_size = 5G\n}\n", ":2: milter.max_size: '5G' is out of range: write a value of 1K..1G"),
    "huge number": ("node = 99999999999999999999\n", ":1: node: '99999999999999999999'"),
    "negative number": ("node = -1\n", ":1: node: '-1'"),
    "bad duration": ("tracker {\n  timeout = soon\n}\n", ":2: tracker.timeout: 'soon' is not a duration: write a number with ms, s, min, h or d"),
    "bad mode": ("milter {\n  socket_mode = rwx\n}\n", ":2: milter.socket_mode: 'rwx' is not a mode"),
    "bad socket": ("milter {\n  socket = milter.sock\n}\n", ":2: milter.socket: 'milter.sock' is not a socket: write unix:/PATH or inet:PORT@ADDRESS"),
    "bad address": ("tracker {\n  listen = here\n}\n", ":2: tracker.listen: 'here' is not an address with a port"),
    "list for a value": ("hostname = {a, b}\n", ":1: hostname takes one value, not a list: write hostname = VALUE"),
    "open list": ("milter {\n  trusted = {a, b\n}\n", ":1: section milter is not closed"),
    "open comment": ("/* hostname = a\n", ":1: "),
    "nul": ("hostname = a\0b\n", ":1: this is not a text file in UTF-8"),
    "no UTF-8": (b"hostname = \xff\n", ":1: this is not a text file in UTF-8"),
    "include": ('include("/etc/passwd")\n', ":1: "),
    "2 MB": ("# x\n" * 500_000, ":1: larger than 1M"),
    "100,000 braces": ("{" * 100_000, ":1: "),
    "100,000 sections": ("milter {" * 100_000, ":1: "),
    "a folder": (None, "bad.conf"),
}


@pytest.fixture(scope="module")
def daemons(base):
    import tempfile

    folder = Path(tempfile.mkdtemp(dir=base))
    tidings = Tidings(folder)
    tidings.make_keys()
    return tidings


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configuration(daemons, name):
    """-n of each daemon and tidings(1) say file, line and remedy; nothing starts."""
    text, sign = CONFIGURATIONS[name]
    file = daemons.root / "bad.conf"
    if file.is_dir():
        file.rmdir()
    if text is None:
        file.unlink(missing_ok=True)
        file.mkdir()
    else:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for daemon in daemons.daemons:
        for words in (["-n"], []):
            done = subprocess.run([daemon.command[0], "-c", file, *words], capture_output=True, text=True, timeout=20)
            assert done.returncode == 78, (daemon.name, done)
            expected = f"{daemon.name}: {file}{sign}" if text is not None else sign
            assert done.stderr.startswith(expected) or text is None and sign in done.stderr, done.stderr
    done = subprocess.run([daemons.build / "ctl/tidings", "-c", file, "config"], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and str(file) in done.stderr and sign in done.stderr, done


def test_configuration_of_faults_together(daemons):
    """Values are all said at once."""
    file = daemons.root / "many.conf"
    file.write_text("state = a\nrun = b\nnode = c\n")
    done = subprocess.run([daemons.policyd.command[0], "-n", "-c", file], capture_output=True, text=True)
    assert done.returncode == 78
    assert [line.split(": ")[-3 if "tidings-policyd" in line else -3] for line in done.stderr.splitlines()] and len(done.stderr.splitlines()) == 3
    for line in (1, 2, 3):
        assert f"{file}:{line}: " in done.stderr


def test_configuration_secret_and_user(daemons):
    """Keys that others can read are refused, and so is a daemon that would stay root."""
    daemons.keys.chmod(0o644)
    try:
        for daemon in daemons.daemons:
            status, text = house.run_daemon(daemon, "-n")
            assert status == 78 and f"{daemons.keys}: " in text and f"chmod o-rwx {daemons.keys}" in text
    finally:
        daemons.keys.chmod(0o640)
    rootly = daemons.root / "root.conf"
    rootly.write_text(f'keys = "{daemons.keys}"\n')
    unknown = daemons.root / "unknown.conf"
    unknown.write_text(f'keys = "{daemons.keys}"\n' + "".join(f'{d} {{\n  user = "no-such-user"\n}}\n' for d in ("milter", "tracker", "policyd")))
    for daemon in daemons.daemons:
        done = subprocess.run([daemon.command[0], "-n", "-c", rootly], capture_output=True, text=True)
        assert done.returncode == 78 and "does not stay root: set user in section" in done.stderr
        done = subprocess.run([daemon.command[0], "-n", "-c", unknown], capture_output=True, text=True)
        assert done.returncode == 78 and "unknown.conf:" in done.stderr and "no-such-user" in done.stderr
        done = subprocess.run([daemon.command[0], "--what"], capture_output=True, text=True)
        assert done.returncode == 64 and "--what" in done.stderr
        done = subprocess.run([daemon.command[0], "-n", "-c", daemons.root / "nowhere.conf"], capture_output=True, text=True)
        assert done.returncode == 78 and "nowhere.conf" in done.stderr


# --- workflows

GOOD = "workflow: w\nfrom: a@shop.test\ntrigger: {event: e}\nsteps:\n  - send: m.eml\n"
START = "workflow: w\nfrom: a@shop.test\ntrigger: {event: e}\n"
MAIL = "Subject: x\n\nHello\n"

# A workflow, its message, and how what is said of it begins, after the file's name.
WORKFLOWS = {
    "empty": ("", MAIL, "f.yaml:1: "),
    "a text": ("hello\n", MAIL, "f.yaml:1: "),
    "a list": ("- a\n", MAIL, "f.yaml:1: a workflow begins with 'workflow: NAME'"),
    "no name": ("trigger: {event: e}\nsteps: []\n", MAIL, "f.yaml:1: the workflow has no name; write 'workflow: welcome'"),
    "bad name": (GOOD.replace("workflow: w", "workflow: My Flow!"), MAIL, "f.yaml:1: "),
    "no trigger": ("workflow: w\nsteps:\n  - exit\n", MAIL, "f.yaml:1: "),
    "no steps": (START, MAIL, "f.yaml:1: "),
    "steps no list": (START + "steps: 5\n", MAIL, "f.yaml:4: 'steps' needs a list"),
    "unknown key": (GOOD + "titel: x\n", MAIL, "f.yaml:6: a workflow has no key 'titel'; write 'title'"),
    "unknown step": (START + "steps:\n  - sned: m.eml\n", MAIL, "f.yaml:5: "),
    "two verbs": (START + "steps:\n  - send: m.eml\n    wait: 2 days\n", MAIL, "f.yaml:6: a step does one thing"),
    "tab": ("workflow: w\n\ttrigger: x\n", MAIL, "f.yaml:2: indented with a tab; use spaces"),
    "open bracket": ("workflow: [w\ntrigger: x\n", MAIL, "f.yaml:"),
    "twice a key": (GOOD + "workflow: v\n", MAIL, 'f.yaml:6: the key "workflow" is here for the second time'),
    "alias": ("workflow: &a w\ntitle: *a\n", MAIL, "f.yaml:1: anchors (&name) and aliases"),
    "tag": ("workflow: !!python/object:os.system w\n", MAIL, "f.yaml:1: tags (!name) are not used here"),
    "merge key": (START + "<<: {a: b}\n", MAIL, "f.yaml:4: merge keys"),
    "two documents": (GOOD + "---\n" + GOOD, MAIL, "f.yaml:6: "),
    "control character": ("workflow: w\ntitle: a\x01b\n", MAIL, "f.yaml:2: a control character"),
    "deep": ("a: " + "[" * 5000 + "]" * 5000 + "\n", MAIL, "f.yaml:1: "),
    "billion laughs": ("a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", MAIL, "f.yaml:1: anchors"),
    "1 MB": ("workflow: w\ntitle: " + "x" * 1_000_000 + "\n", MAIL, "f.yaml:"),
    "bad wait": (START + "steps:\n  - wait: soon\n", MAIL, "f.yaml:5: "),
    "wait of nothing": (START + "steps:\n  - wait: 0 h\n", MAIL, "f.yaml:5: "),
    "wait too long": (START + "steps:\n  - wait: 99999999999 days\n", MAIL, "f.yaml:5: "),
    "bad time": (START + "steps:\n  - wait: 2 days\n    at: '25:00'\n", MAIL, "f.yaml:6: "),
    "within on a send": (START + "steps:\n  - send: m.eml\n    within: 2 h\n", MAIL, "f.yaml:6: "),
    "no such step": (START + "steps:\n  - wait_for: click\n    within: 1 day\n    then: nowhere\n", MAIL, "f.yaml:"),
    "exit takes nothing": (START + "steps:\n  - exit: now\n", MAIL, "f.yaml:5: 'exit' takes nothing; write '- exit'"),
    "same name": (START + "steps:\n  - name: a\n    wait: 1 h\n  - name: a\n    exit:\n", MAIL, "f.yaml:7: step 1 is already called 'a'"),
    "bad zone": (GOOD + "zone: Europe/Olso\n", MAIL, "f.yaml:6: there is no time zone"),
    "zone of a path": (GOOD + "zone: ../../etc/passwd\n", MAIL, "f.yaml:6: "),
    "bad from": (GOOD.replace("a@shop.test", "shop"), MAIL, "f.yaml:2: "),
    "from of two lines": (GOOD.replace("a@shop.test", '"a@shop.test\\r\\nBcc: x@y"'), MAIL, "f.yaml:2: "),
    "message outside": (GOOD.replace("m.eml", "../../etc/passwd"), MAIL, "f.yaml:5: "),
    "no sender": (GOOD.replace("from: a@shop.test\n", ""), MAIL, "m.eml"),
    "no message": (GOOD, None, "f.yaml:5: step step-1 sends m.eml, which "),
    "open tag in the message": (GOOD, "Subject: {% if x %}\n\nHello\n", "m.eml:1: "),
    "unknown tag": (GOOD, "Subject: x\n\nHello\n\n{% frobnicate %}\n", "m.eml:5: "),
    "unknown filter": (GOOD, "Subject: x\n\n{{ a | frobnicate }}\n", "m.eml:3: "),
    "open output": (GOOD, "Subject: x\n\n{{ a\n", "m.eml:3: "),
    "no subject": (GOOD, "To: x\n\nHello\n", "m.eml"),
    "header without colon": (GOOD, "Subject: x\nNonsense\n\nHello\n", "m.eml:2: "),
    "Bcc": (GOOD, "Subject: x\nBcc: y@z\n\nHello\n", "m.eml:2: "),
    "empty message": (GOOD, "", "m.eml"),
    "bare CR": (GOOD, "Subject: x\rBcc: y@z\n\nHello\n", "m.eml"),
}


def without_fault(text):
    """The sentence without file and line: both doors say the same."""
    return re.sub(r"^\S*?((?:f\.yaml|m\.eml)\b)", r"\1", text.strip())


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow(policy, tmp_path, name):
    """`tidings workflow check` and policyd both refuse it, with file and line."""
    source, text, sign = WORKFLOWS[name]
    (tmp_path / "f.yaml").write_text(source)
    if text is not None:
        (tmp_path / "m.eml").write_bytes(text.encode())
    done = subprocess.run(
        [build_folder() / "ctl/tidings", "-c", policy.tidings.conf, "workflow", "check", tmp_path / "f.yaml"],
        capture_output=True, text=True, timeout=20,
    )
    assert done.returncode == 1, done
    said = [without_fault(line).replace(str(tmp_path) + "/", "") for line in (done.stdout + done.stderr).splitlines()]
    assert any(line.startswith(sign) for line in said), done
    with policy.control() as control:
        answer = control.ask("workflow.load", tenant="shop", file="f.yaml", source=source, messages={"m.eml": text} if text is not None else {})
    assert answer["error"]["kind"] in ("input", "limit"), answer
    if source:
        lines = answer["error"]["message"].splitlines()
        assert any(line.startswith(sign) for line in lines) or not re.match(r"(f\.yaml|m\.eml):", sign), answer
    print("said:", name, "|", said[0][:150], "|", answer["error"]["message"][:150])


def test_workflow_good(policy):
    """The table above says something: without its faults the same is taken."""
    policy.good("workflow.load", tenant="shop", file="f.yaml", source=GOOD, messages={"m.eml": MAIL})


# --- the MTA


def test_mta_out_of_reach(fresh_workdir):
    """Nobody listens, then somebody who has no time, then one who takes it: sent
    once, after waits by the clock."""
    policy = Policy(fresh_workdir, clock=datetime(2026, 3, 27, 12, tzinfo=timezone.utc))
    try:
        port = policy.sink.port
        policy.sink.close()
        policy.start()
        policy.add_shop()
        policy.load()
        policy.order("c@reader.test")
        policy.wait_log("send-deferred")
        assert policy.state("SELECT state, tries FROM send") == [(0, 1)]
        policy.sink = Sink(port)
        policy.sink.replies["c@reader.test"] = "450 4.2.0 later"
        time.sleep(0.3)
        assert policy.count("send", "tries = 1") == 1, "it is not tried before its time"
        policy.tidings.clock_advance(timedelta(minutes=1))
        wait_until(lambda: policy.count("send", "tries = 2 AND state = 0"), 10, "the second try")
        assert "450 4.2.0 later" in policy.daemon.log()
        policy.sink.replies.clear()
        policy.sink.data_reply = "451 4.3.0 busy"
        policy.tidings.clock_advance(timedelta(minutes=2))
        wait_until(lambda: policy.count("send", "tries = 3 AND state = 0"), 10, "the third try")
        policy.sink.data_reply = None
        policy.tidings.clock_advance(timedelta(minutes=4))
        policy.sink.wait_for(1)
        wait_until(lambda: policy.count("send", "state = 2"), 10, "it is recorded")
        policy.tidings.clock_advance(timedelta(days=2))
        time.sleep(0.3)
        assert len(policy.sink.mails) == 1
        assert policy.count("journey", "active = 1") == 0
    finally:
        policy.close()


@pytest.mark.parametrize("where", ["rcpt", "data"])
def test_mta_refuses(fresh_workdir, where):
    """5xx: the journey ends, the reply is kept and shown; others are sent."""
    policy = Policy(fresh_workdir).start()
    try:
        policy.add_shop()
        policy.load()
        if where == "rcpt":
            policy.sink.replies["c@reader.test"] = "550 5.1.1 no such user"
        else:
            policy.sink.data_reply = "554 5.7.1 no"
        policy.order("c@reader.test")
        policy.wait_log("send-failed")
        wait_until(lambda: policy.count("send", "state = 3"), 10, "it is recorded")
        shown = policy.good("contact.show", tenant="shop", address="c@reader.test")
        assert [j["outcome"] for j in shown["journeys"]] == ["failed"]
        assert any("5.1.1" in json.dumps(e) or "5.7.1" in json.dumps(e) for e in shown["timeline"] if e["kind"] == "failed")
        policy.sink.data_reply = None
        policy.order("d@reader.test")
        policy.sink.wait_to("d@reader.test")
        assert len(policy.sink.mails) == 1
    finally:
        policy.close()


def test_mta_talks_nonsense(fresh_workdir):
    """One that says nothing of use, hangs up at each point, or never ends a line."""
    import socket

    server = socket.create_server(("127.0.0.1", 0))
    greetings = [b"", b"hello\r\n", b"\0" * 100 + b"\r\n", b"220 x\r\n", b"220 x\r\n250 y\r\n", b"220-" + b"x" * 200_000 + b"\r\n", b"554 go away\r\n", b"220 x\r\n999 y\r\n"]
    heard = []

    def serve():
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.settimeout(0.2)
                try:
                    client.sendall(greetings[len(heard) % len(greetings)])
                    heard.append(client.recv(65536))
                except OSError:
                    heard.append(b"")

    threading.Thread(target=serve, daemon=True).start()
    policy = Policy(fresh_workdir, clock=datetime(2026, 3, 27, 12, tzinfo=timezone.utc))
    try:
        policy.tidings.config(policyd_submit_port=server.getsockname()[1])
        policy.start()
        policy.add_shop()
        policy.load()
        for n in range(len(greetings)):
            policy.order(f"c{n}@reader.test")
        for tries in range(1, 4):
            wait_until(lambda: policy.count("send", f"state = 0 AND tries = {tries}") == len(greetings), 10, f"try {tries} of each")
            policy.tidings.clock_advance(timedelta(hours=1))
        assert len(heard) >= len(greetings)
        assert policy.daemon.alive and "now" in policy.good("status")
        assert policy.count("send", "state = 2") == 0
    finally:
        server.close()
        policy.close()
