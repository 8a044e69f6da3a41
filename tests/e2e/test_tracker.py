"""tidings-tracker(8) on its own: real sockets, a real journal, no MTA.

Tokens come from token-tool. What the tracker recorded is read from its journal's
segments, which are SQLite files with a table `event`.
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

from tidings import READERS, TRACKER, TRACKER_JOURNAL, Tidings

KEY = "1 " + "5a" * 32 + " 2026-01-01T00:00:00Z\n"
URL = "https://shop.example/a%20b?x=1&y=%C3%BC+#top"
GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
EVENT = {"open": 2, "click": 3, "unsubscribed": 4}


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Connection:
    """A socket to the tracker and the answers that come out of it."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def response(self, head=False):
        """The next answer; None if the connection ends before one. HEAD: no
        body follows."""
        try:
            while b"\r\n\r\n" not in self.buffer:
                if not self._more():
                    return None
        except ConnectionResetError:
            return None
        text, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = text.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            assert name.lower() not in headers, f"{name} stands twice"
            headers[name.lower()] = value.strip()
        if status == 100:
            return self.response(head)
        length = 0 if head else int(headers["content-length"])
        while len(self.buffer) < length:
            assert self._more(), "the body is cut"
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Response(status, headers, body)

    def get(self, path, method="GET", headers="", body=b""):
        self.send(f"{method} {path} HTTP/1.1\r\nHost: t\r\n{headers}\r\n".encode("latin-1") + body)
        return self.response(head=method == "HEAD")

    def is_closed(self):
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class Tracker:
    """The daemon with folders and keys of its own."""

    def __init__(self, workdir, program=None, **settings):
        self.tidings = Tidings(workdir, **settings)
        self.build = self.tidings.build
        self.port = self.tidings.tracker_port
        self.journal = self.tidings.state / "journal/tracker"
        self.daemon = self.tidings.tracker
        if program:
            self.daemon.command[0] = str(self.build / program)
        self.write_keys(KEY)

    def write_keys(self, text):
        self.tidings.keys.write_text(text)
        os.chown(self.tidings.keys, 0, READERS)
        self.tidings.keys.chmod(0o640)

    def tokens(self, kind, destination="", mail=1, tenant=7, link=1, count=1):
        words = [self.tidings.keys, kind, tenant, mail, link, destination, count]
        command = [self.build / "tests/e2e/token-tool", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    def token(self, *words, **named):
        return self.tokens(*words, **named)[0]

    def connect(self, **named):
        return Connection(self.port, **named)

    def get(self, path, **named):
        with self.connect() as connection:
            return connection.get(path, **named)

    def metrics(self):
        text = self.get("/metrics").body.decode()
        return {name: int(value) for name, value in re.findall(r"^tidings_tracker_(\S+) (\d+)$", text, re.M)}

    def events(self):
        """All events of the journal, oldest first, as (kind, tenant, mail, data)."""
        found = []
        for segment in sorted(self.journal.glob("*.db")):
            with contextlib.closing(sqlite3.connect(f"file:{segment}?mode=ro", uri=True)) as db:
                rows = db.execute("SELECT kind, tenant, mail, data FROM event ORDER BY seq").fetchall()
            found += [(kind, tenant, mail, json.loads(data)) for kind, tenant, mail, data in rows]
        return found


@pytest.fixture(scope="module")
def tracker(workdir):
    tracker = Tracker(workdir)
    tracker.daemon.start()
    yield tracker
    assert tracker.daemon.stop() == 0


@pytest.fixture
def make_tracker(fresh_workdir):
    """Trackers of a test's own, in a fresh folder, ended with the test."""
    made = []

    def make(**settings):
        made.append(Tracker(fresh_workdir, **settings))
        return made[-1]

    yield make
    for tracker in made:
        tracker.daemon.stop()


@pytest.fixture
def fresh(tracker):
    """The events since the test began."""
    before = len(tracker.events())
    return lambda: tracker.events()[before:]


# --- opens and clicks


@pytest.mark.parametrize("suffix", ["", ".gif", "?x=1", ".gif?utm=a&b"])
def test_open(tracker, fresh, suffix):
    answer = tracker.get(f"/o/{tracker.token('o', mail=42)}{suffix}", headers="User-Agent: Mail/1.0 (x)\r\n")
    assert (answer.status, answer.body) == (200, GIF)
    assert len(GIF) == 43
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert fresh() == [(EVENT["open"], 7, 42, {"method": "GET", "ua": "Mail/1.0 (x)"})]


@pytest.mark.parametrize(
    "url, location",
    [
        (URL, URL),
        ("http://x.example", "http://x.example"),
        ("HTTPS://User:p%40ss@[2001:db8::1]:8443/?", "HTTPS://User:p%40ss@[2001:db8::1]:8443/?"),
        ("https://x.example/a?b=c&amp;d=%2f%2F+~#!/a/b", "https://x.example/a?b=c&amp;d=%2f%2F+~#!/a/b"),
        ("https://x.example/../%2e%2e//a", "https://x.example/../%2e%2e//a"),
        ("https://x.example/grün", "https://x.example/gr%C3%BCn"),
        ("https://x.example/" + "a" * 1800, "https://x.example/" + "a" * 1800),
    ],
)
def test_click(tracker, fresh, url, location):
    answer = tracker.get(f"/c/{tracker.token('c', url, mail=5, link=3)}")
    assert (answer.status, answer.headers["location"]) == (302, location)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert fresh() == [(EVENT["click"], 7, 5, {"method": "GET", "link": 3, "url": url})]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/relative", "https://x.example/\r\nSet-Cookie: a=b", "\thttp://x"])
def test_click_that_may_not_redirect(tracker, fresh, url):
    answer = tracker.get(f"/c/{tracker.token('c', url)}")
    assert answer.status == 404
    assert "location" not in answer.headers
    assert fresh() == []


def test_head(tracker, fresh):
    with tracker.connect() as connection:
        pixel = connection.get(f"/o/{tracker.token('o')}", method="HEAD")
        click = connection.get(f"/c/{tracker.token('c', URL)}", method="HEAD")
        page = connection.get(f"/u/{tracker.token('u', 'news' + chr(10) + 'a@b.example')}", method="HEAD")
        after = connection.get("/health")
    assert (pixel.status, pixel.headers["content-length"]) == (200, "43")
    assert (click.status, click.headers["location"]) == (302, URL)
    assert page.status == 200
    assert after.body == b"ok\n"
    assert [(kind, data["method"]) for kind, _, _, data in fresh()] == [(2, "HEAD"), (3, "HEAD")]


def test_user_agent_is_cut_and_clean(tracker, fresh):
    tracker.get(f"/o/{tracker.token('o')}", headers="User-Agent: " + "ü" * 300 + "\xff\r\n")
    agent = fresh()[0][3]["ua"]
    assert len(agent.encode()) <= 3 * 256
    tracker.get(f"/o/{tracker.token('o')}", headers='User-Agent: "\\\x01<b>\r\n')
    assert fresh()[1][3]["ua"] == '"\\\x01<b>'


# --- unsubscribe

LEAVE = "news\nsomeone@example.org"
ONE_CLICK = b"List-Unsubscribe=One-Click"
MULTIPART = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


def length(body):
    return f"Content-Length: {len(body)}\r\n"


def chunks(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


def test_get_shows_a_page_and_changes_nothing(tracker, fresh):
    path = f"/u/{tracker.token('u', LEAVE)}"
    for method in ("GET", "HEAD", "GET"):
        answer = tracker.get(path, method=method)
        assert answer.status == 200
    text = answer.body.decode()
    assert '<form method="post">' in text and "<button" in text and 'lang="en"' in text
    assert "someone@" not in text and "s…@example.org" in text
    assert "script" not in text and "http" not in text.replace("http-equiv", "")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert fresh() == []


@pytest.mark.parametrize(
    "headers, body, how",
    [
        (FORM + length(ONE_CLICK), ONE_CLICK, "one-click"),
        ("Content-Type: multipart/form-data; boundary=b\r\n" + length(MULTIPART), MULTIPART, "one-click"),
        ("Content-Length: 0\r\n", b"", "one-click"),
        ("", b"", "one-click"),
        (FORM + "Transfer-Encoding: chunked\r\n", chunks(ONE_CLICK[:5], ONE_CLICK[5:]), "one-click"),
        ("Content-Length: 5\r\n", b"\x00\xff\r\n\r", "one-click"),
        (FORM + "Content-Length: 6\r\n", b"page=1", "page"),
    ],
)
def test_post_unsubscribes(tracker, fresh, headers, body, how):
    path = f"/u/{tracker.token('u', LEAVE, mail=9)}"
    with tracker.connect() as connection:
        for _ in range(2):
            answer = connection.get(path, method="POST", headers=headers, body=body)
            assert answer.status == 200
            assert b"You are unsubscribed" in answer.body
            assert "location" not in answer.headers and "set-cookie" not in answer.headers
    event = (EVENT["unsubscribed"], 7, 9, {"list": "news", "address": "someone@example.org", "how": how})
    assert fresh() == [event, event]


def test_post_waits_for_100_continue(tracker, fresh):
    path = f"/u/{tracker.token('u', LEAVE)}"
    with tracker.connect() as connection:
        connection.send(f"POST {path} HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n{length(ONE_CLICK)}\r\n".encode())
        assert connection.socket.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert fresh() == []
        connection.send(ONE_CLICK)
        assert connection.response().status == 200
    assert len(fresh()) == 1


def test_post_that_is_too_large(tracker, fresh):
    path = f"/u/{tracker.token('u', LEAVE)}"
    body = b"x" * 9000
    assert tracker.get(path, method="POST", headers=length(body), body=body).status == 413
    chunked = "Transfer-Encoding: chunked\r\n"
    assert tracker.get(path, method="POST", headers=chunked, body=chunks(*[b"y" * 1000] * 9)).status == 413
    with tracker.connect() as connection:
        try:
            answer = connection.get(path, method="POST", headers=chunked, body=chunks(*[b"z" * 4000] * 300))
            assert answer is None
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert tracker.get("/health").status == 200
    assert fresh() == []


# --- what is refused


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PURGE", "PATCH", "get"])
def test_methods(tracker, fresh, method):
    for path, allow in (
        (f"/o/{tracker.token('o')}", "GET, HEAD"),
        (f"/c/{tracker.token('c', URL)}", "GET, HEAD"),
        (f"/u/{tracker.token('u', LEAVE)}", "GET, HEAD, POST"),
        ("/health", "GET, HEAD"),
    ):
        if method == "POST" and "POST" in allow:
            continue
        answer = tracker.get(path, method=method)
        assert (answer.status, answer.headers.get("allow")) == (405, allow), path
    assert fresh() == []


def test_forged_tokens_get_one_neutral_page(tracker, fresh):
    """Cut at each byte, each character changed, the wrong path, a key that is
    not ours: nothing tells them apart, and none redirects."""
    click = tracker.token("c", URL)
    paths = [f"/c/{click[:n]}" for n in range(len(click))]
    paths += [f"/c/{click[:n]}{'A' if click[n] != 'A' else 'B'}{click[n + 1:]}" for n in range(len(click))]
    paths += [f"/c/{click}A", f"/c/{click}=", f"/c/{click}/", f"/o/{click}", f"/u/{click}", f"/c/{click.swapcase()}"]
    paths += [f"/c/{tracker.token('o')}", f"/o/{tracker.token('u', LEAVE)}", f"/u/{tracker.token('c', URL)}"]
    paths += ["/", "/c", "/c/", "/x/" + click, "/favicon.ico", "/robots.txt", "/.well-known/x", "/c/" + "A" * 2800]
    with tracker.connect() as connection:
        answers = [connection.get(path) for path in paths]
        good = connection.get(f"/c/{click}")
    bodies = set()
    for path, answer in zip(paths, answers):
        assert (answer.status, "location" in answer.headers) == (404, False), path
        bodies.add(answer.body)
    assert len(bodies) == 1
    assert good.status == 302
    assert len(fresh()) == 1
    print(f"count: forged and cut tokens refused: {len(paths)}")


def test_foreign_key(tracker, fresh, tmp_path):
    other = tmp_path / "token.keys"
    other.write_text("1 " + "a5" * 32 + " 2026-01-01T00:00:00Z\n")
    other.chmod(0o640)
    command = [tracker.build / "tests/e2e/token-tool", other, "c", "7", "1", "1", URL]
    token = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert tracker.get(f"/c/{token}").status == 404
    assert fresh() == []


RAW = [
    # name, request with TOKEN in place of a good click token, status (None: the connection just ends)
    ("absolute-form", b"GET http://t.example/c/TOKEN HTTP/1.1\r\nHost: t\r\n\r\n", 302),
    ("absolute-form of another host", b"GET http://evil.example/c/TOKEN HTTP/1.1\r\nHost: t\r\n\r\n", 302),
    ("double slash", b"GET //c/TOKEN HTTP/1.1\r\nHost: t\r\n\r\n", 404),
    ("dot segment", b"GET /./c/TOKEN HTTP/1.1\r\nHost: t\r\n\r\n", 404),
    ("dot segments", b"GET /o/../c/TOKEN HTTP/1.1\r\nHost: t\r\n\r\n", 404),
    ("escaped letter", b"GET /%63/TOKEN HTTP/1.1\r\nHost: t\r\n\r\n", 404),
    ("escaped NUL", b"GET /c/TOKEN%00 HTTP/1.1\r\nHost: t\r\n\r\n", 404),
    ("escaped CRLF", b"GET /c/TOKEN%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: t\r\n\r\n", 404),
    ("overlong UTF-8", b"GET /c/TOKEN\xc0\xae HTTP/1.1\r\nHost: t\r\n\r\n", 404),
    ("NUL before the token", b"GET /\0c/TOKEN HTTP/1.1\r\nHost: t\r\n\r\n", 404),
    ("NUL in a header", b"GET /c/TOKEN HTTP/1.1\r\nHost: t\r\nX: a\0b\r\n\r\n", 302),
    ("NULs alone", b"\0" * 100 + b"\r\n\r\n", None),
    ("bare LF", b"GET /c/TOKEN HTTP/1.1\nHost: t\n\n", 302),
    ("space in the path", b"GET /c/TOKEN x HTTP/1.1\r\nHost: t\r\n\r\n", None),
    ("no version", b"GET /c/TOKEN\r\n\r\n", None),
    ("HTTP/9.9", b"GET /c/TOKEN HTTP/9.9\r\nHost: t\r\n\r\n", 505),
    ("HTTP/1.0", b"GET /c/TOKEN HTTP/1.0\r\n\r\n", 302),
    ("no Host", b"GET /c/TOKEN HTTP/1.1\r\n\r\n", 400),
    ("asterisk", b"OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n", 404),
    ("CONNECT", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: t\r\n\r\n", 404),
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)) + b"\r\n\r\n", None),
    ("length and chunks", b"GET /c/TOKEN HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("two lengths", b"GET /c/TOKEN HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
    ("two codings", b"GET /c/TOKEN HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("gzip coding", b"GET /c/TOKEN HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    ("length -1", b"GET /c/TOKEN HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n", 400),
    ("length 10^30", b"GET /c/TOKEN HTTP/1.1\r\nHost: t\r\nContent-Length: 1" + b"0" * 30 + b"\r\n\r\n", 413),
    ("1 MB URL", b"GET /c/" + b"A" * 1000000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 414),
    ("9 kB URL", b"GET /c/TOKEN?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 414),
    ("1 MB header", b"GET /c/TOKEN HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 1000000 + b"\r\n\r\n", 431),
    ("10,000 headers", b"GET /c/TOKEN HTTP/1.1\r\nHost: t\r\n" + b"X: a\r\n" * 10000 + b"\r\n", 431),
]


@pytest.mark.parametrize("name, request_bytes, status", RAW, ids=[row[0] for row in RAW])
def test_raw(tracker, name, request_bytes, status):
    token = tracker.token("c", URL).encode()
    # An unfinished request whose end comes in the same packet as the last bytes is
    # closed by the tracker's own timeout of 15 s at the latest.
    with tracker.connect(timeout=30) as connection:
        try:
            connection.send(request_bytes.replace(b"TOKEN", token))
            connection.socket.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError, OSError):
            pass
        answer = connection.response()
    if status is None:
        assert answer is None or answer.status in (400, 404), name
    else:
        assert answer and answer.status == status, name
        assert answer.headers.get("location", URL) == URL
    assert answer is None or "set-cookie" not in answer.headers
    assert tracker.get("/health").status == 200


def test_mutated_requests(tracker):
    """Good requests with bytes changed, cut out and doubled: whatever comes back,
    it is one of our answers, and a redirect leads to the sealed address alone."""
    chance = random.Random(7)
    click, leave = tracker.token("c", URL), tracker.token("u", LEAVE)
    seeds = [
        f"GET /c/{click} HTTP/1.1\r\nHost: t\r\nUser-Agent: x\r\n\r\n".encode(),
        f"POST /u/{leave} HTTP/1.1\r\nHost: t\r\n{FORM}{length(ONE_CLICK)}\r\n".encode() + ONE_CLICK,
        f"POST /u/{leave} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks(ONE_CLICK),
    ]
    statuses = {}
    for _ in range(600):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            at, many = chance.randrange(len(data)), chance.randint(1, 8)
            kind = chance.randrange(3)
            if kind == 0:
                data[at] = chance.choice([0, 10, 13, 32, 37, 47, 58, 127, 255, chance.randrange(256)])
            elif kind == 1:
                del data[at : at + many]
            else:
                data[at:at] = data[at : at + many] * chance.randint(1, 3)
        with tracker.connect(timeout=0.5) as connection:
            try:
                connection.send(data)
                connection.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            try:
                answer = connection.response()
            except TimeoutError:
                continue  # it waits for the rest, until the tracker's own timeout
        if answer:
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            assert answer.status in (200, 302, 400, 404, 405, 413, 414, 431, 500, 501, 505), bytes(data)
            assert answer.headers.get("location", URL) == URL and "set-cookie" not in answer.headers
    assert tracker.get("/health").status == 200
    print(f"count: mutated requests: 600, answered {sorted(statuses.items())}")


# --- connections


def test_keep_alive_and_pipelining(tracker, fresh):
    tokens = tracker.tokens("c", URL, mail=100, count=50)
    with tracker.connect() as connection:
        connection.send(b"".join(f"GET /c/{t} HTTP/1.1\r\nHost: t\r\n\r\n".encode() for t in tokens))
        assert [connection.response().status for _ in tokens] == [302] * 50
        assert connection.get("/health").status == 200
    assert [mail for _, _, mail, _ in fresh()] == list(range(100, 150))


def test_split_at_every_byte(tracker, fresh):
    path = f"/u/{tracker.token('u', LEAVE)}"
    whole = f"POST {path} HTTP/1.1\r\nHost: t\r\n{FORM}{length(ONE_CLICK)}\r\n".encode() + ONE_CLICK
    with tracker.connect() as connection:
        for n in range(1, len(whole)):
            connection.send(whole[:n])
            time.sleep(0.0005)
            connection.send(whole[n:])
            assert connection.response().status == 200, n
    assert len(fresh()) == len(whole) - 1
    print(f"count: requests split in two: {len(whole) - 1}")


def test_clients_that_leave(tracker, fresh):
    """Whether or not the client waits for its answer: a request that arrived
    is recorded, and nothing breaks."""
    request = f"GET /o/{tracker.token('o')} HTTP/1.1\r\nHost: t\r\n\r\n".encode()
    for n in range(200):
        with tracker.connect() as connection:
            if n % 2:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.send(request)
    assert tracker.get("/health").status == 200
    assert 100 <= len(fresh()) <= 200


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_rests_while_clients_stand_still(tracker):
    """No connection, in whatever state it is left, keeps the loop turning."""
    path = f"/u/{tracker.token('u', LEAVE)}"
    states = [
        b"",
        b"GET",
        b"GET /health HTTP/1.1\r\nHost: t\r\n",
        b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n",
        f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc".encode(),
        f"POST {path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab".encode(),
        f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 9000\r\n\r\nabc".encode(),
        f"POST {path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + b"1000\r\n" + b"x" * 4096 + b"\r\n" + b"3e8\r\n" * 9,
        f"POST {path} HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n".encode(),
        b"GET / HTTP/9.9\r\n\r\nmore",
    ]
    held = []
    for request in states:
        for half_closed in (False, True):
            connection = tracker.connect()
            connection.send(request)
            if half_closed:
                connection.socket.shutdown(socket.SHUT_WR)
            held.append(connection)
    time.sleep(0.2)
    before = cpu_seconds(tracker.daemon.pid)
    time.sleep(0.5)
    used = cpu_seconds(tracker.daemon.pid) - before
    for connection in held:
        connection.socket.close()
    assert used < 0.1, f"{used:.2f} s of CPU in half a second of rest"


def test_slow_clients(make_tracker):
    tracker = make_tracker(tracker_timeout="1 s")
    tracker.daemon.start()
    with tracker.connect() as dripping, tracker.connect() as idle, tracker.connect() as busy:
        dripping.send(b"GET /health HTTP/1.1\r\nHost: t\r\nX: ")
        ends = {}
        for name, connection in (("dripping", dripping), ("idle", idle)):
            connection.socket.settimeout(0.01)
        start = time.monotonic()
        while len(ends) < 2 and time.monotonic() < start + 10:
            assert busy.get("/health").status == 200
            for name, connection in (("dripping", dripping), ("idle", idle)):
                if name in ends:
                    continue
                try:
                    if name == "dripping":
                        connection.send(b"a")
                    if connection.socket.recv(100) == b"":
                        ends[name] = time.monotonic() - start
                except TimeoutError:
                    pass
                except (BrokenPipeError, ConnectionResetError):
                    ends[name] = time.monotonic() - start
            time.sleep(0.05)
        assert set(ends) == {"dripping", "idle"}
        assert all(0.9 < end < 5 for end in ends.values()), ends


def test_connection_cap(make_tracker):
    tracker = make_tracker(tracker_connections=8)
    tracker.daemon.start()
    held = [tracker.connect() for _ in range(8)]
    assert all(connection.get("/health").status == 200 for connection in held)
    extra = tracker.connect(timeout=0.3)
    with pytest.raises(TimeoutError):
        extra.get("/health")
    held.pop().socket.close()
    extra.socket.settimeout(10)
    assert extra.response().status == 200
    for connection in (*held, extra):
        connection.socket.close()


def test_reload_keeps_connections(make_tracker):
    tracker = make_tracker()
    tracker.daemon.start()
    old = tracker.token("c", URL)
    with tracker.connect() as connection:
        assert connection.get(f"/c/{old}").status == 302
        tracker.write_keys(KEY + "2 " + "77" * 32 + " 2026-02-01T00:00:00Z\n")
        new = tracker.token("c", URL)
        assert new != old
        assert connection.get(f"/c/{new}").status == 404
        for number, wait in ((signal.SIGHUP, "reloaded"), (signal.SIGUSR1, "reloaded")):
            before = tracker.daemon.log().count(wait)
            tracker.daemon.signal(number)
            wait_for(lambda: tracker.daemon.log().count(wait) > before)
        assert connection.get(f"/c/{new}").status == 302
        assert connection.get(f"/c/{old}").status == 302
        tracker.write_keys("rubbish\n")
        tracker.daemon.reload()
        wait_for(lambda: "reload-failed" in tracker.daemon.log())
        assert connection.get(f"/c/{new}").status == 302


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)


def test_metrics_are_for_this_machine(tracker):
    assert tracker.get("/metrics").status == 200
    assert tracker.get("/metrics", headers="X-Forwarded-For: 127.0.0.1\r\n").status == 200
    for foreign in ("203.0.113.9", "127.0.0.1, 203.0.113.9", "2001:db8::1"):
        assert tracker.get("/metrics", headers=f"X-Forwarded-For: {foreign}\r\n").status == 404
    before = tracker.metrics()
    tracker.get(f"/o/{tracker.token('o')}")
    after = tracker.metrics()
    assert after['hits_total{kind="open"}'] == before['hits_total{kind="open"}'] + 1


def test_ipv6(make_tracker):
    tracker = make_tracker()
    tracker.tidings.config(tracker_listen=f"[::1]:{tracker.port}")
    tracker.daemon.start()
    with socket.create_connection(("::1", tracker.port), 10) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_configuration_is_tested(make_tracker):
    tracker = make_tracker()

    def status(**settings):
        tracker.tidings.config(**settings)
        command = [*tracker.daemon.command, "-n"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        return done.returncode, done.stdout + done.stderr

    assert status() == (0, f"{tracker.tidings.conf}: good\n")
    code, text = status(tracker_trusted_proxies="{localhost}")
    assert code == 78 and re.search(r"tidings.conf:\d+: tracker.trusted_proxies: 'localhost' is not an address", text)
    code, text = status(tracker_trusted_proxies="{}", tracker_listen="localhost:80")
    assert code == 78 and re.search(r"tidings.conf:\d+: tracker.listen: 'localhost:80'", text)
    tracker.tidings.config(tracker_listen="127.0.0.1:80")
    tracker.write_keys("rubbish\n")
    code, text = status()
    assert code == 78 and "token.keys:1: " in text
    tracker.tidings.keys.chmod(0o644)
    code, text = status()
    assert code == 78 and "chmod" in text


# --- what the directory says


def publish(tracker, mode):
    """Publishes tenant 7 with one list, measured by MODE."""
    folder = tracker.tidings.state / "directory"
    subprocess.run([tracker.build / "tests/e2e/directory-tool", folder, "7", "Acme & Söhne <AG>", mode, "news", "The “News”"], check=True)
    for path in (folder, *folder.iterdir()):
        os.chown(path, 0, READERS, follow_symlinks=False)
    time.sleep(0.1)  # a reader may lag by 50 ms


def test_directory(make_tracker):
    tracker = make_tracker()
    tracker.daemon.start()
    page = f"/u/{tracker.token('u', LEAVE)}"
    assert "of the list “news”" in tracker.get(page).body.decode()
    recorded = {}
    for mode in ("none", "clicks", "all"):
        publish(tracker, mode)
        before = len(tracker.events())
        assert tracker.get(f"/o/{tracker.token('o')}").body == GIF
        assert tracker.get(f"/c/{tracker.token('c', URL)}").headers["location"] == URL
        assert tracker.get(page, method="POST").status == 200
        recorded[mode] = [kind for kind, *_ in tracker.events()[before:]]
    assert recorded == {"none": [4], "clicks": [3, 4], "all": [2, 3, 4]}
    text = tracker.get(page).body.decode()
    assert "From: Acme &amp; Söhne &lt;AG&gt;" in text and "of the list “The “News””" in text


# --- when the journal cannot take it


def check_loss(tracker):
    """What must hold while nothing can be recorded."""
    before = tracker.metrics()
    with tracker.connect() as connection:
        for _ in range(3):
            click = connection.get(f"/c/{tracker.token('c', URL)}")
            assert (click.status, click.headers["location"]) == (302, URL)
            assert connection.get(f"/o/{tracker.token('o')}").body == GIF
        page = connection.get(f"/u/{tracker.token('u', LEAVE)}")
        post = connection.get(f"/u/{tracker.token('u', LEAVE)}", method="POST")
        health = connection.get("/health")
    assert page.status == 200
    assert post.status == 503 and int(post.headers["retry-after"]) > 0
    assert b"nothing has changed" in post.body and b"You are unsubscribed" not in post.body
    assert health.status == 503 and b"cannot be recorded" in health.body
    after = tracker.metrics()
    assert after["lost_total"] - before["lost_total"] == 6
    assert after["unsubscribe_refused_total"] - before["unsubscribe_refused_total"] == 1
    assert tracker.daemon.log().count("hits-lost") == 1


def check_mended(tracker):
    before = len(tracker.events())
    with tracker.connect() as connection:
        assert connection.get(f"/o/{tracker.token('o')}").status == 200
        assert connection.get(f"/u/{tracker.token('u', LEAVE)}", method="POST").status == 200
        assert connection.get("/health").status == 200
    assert len(tracker.events()) == before + 2
    assert "journal-mended" in tracker.daemon.log()


def test_read_only_folder(make_tracker):
    tracker = make_tracker()
    os.chown(tracker.journal, 0, 0)
    tracker.journal.chmod(0o755)
    tracker.daemon.start()
    assert "journal-missing" in tracker.daemon.log()
    check_loss(tracker)
    os.chown(tracker.journal, TRACKER, TRACKER_JOURNAL)
    tracker.journal.chmod(0o2770)
    check_mended(tracker)


@pytest.fixture
def small_disk(make_tracker):
    """A tracker whose journal is on a file system of 1 MB."""
    tracker = make_tracker()
    mount = ["mount", "-t", "tmpfs", "-o", f"size=1m,mode=2770,uid={TRACKER},gid={TRACKER_JOURNAL}", "none"]
    done = subprocess.run([*mount, tracker.journal], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount: {done.stderr.strip()}")
    try:
        tracker.daemon.start()
        yield tracker
    finally:
        tracker.daemon.stop()
        subprocess.run(["umount", tracker.journal], check=True)


def test_full_disk(small_disk):
    tracker = small_disk
    token = tracker.token("c", URL)
    # One hit after the other until the disk is full: each redirect goes out.
    with tracker.connect() as connection:
        for _ in range(20000):
            answer = connection.get(f"/c/{token}", headers="User-Agent: " + "x" * 250 + "\r\n")
            assert (answer.status, answer.headers["location"]) == (302, URL)
            if "hits-lost" in tracker.daemon.log():
                break
        else:
            pytest.fail("1 MB took 20,000 hits")
    (tracker.journal / "filler").write_bytes(b"x" * 4096) if shutil.disk_usage(tracker.journal).free >= 4096 else None
    check_loss(tracker)
    recorded = len(tracker.events())
    hits = tracker.metrics()['hits_total{kind="click"}'] + tracker.metrics()['hits_total{kind="open"}']
    assert recorded == hits - tracker.metrics()["lost_total"]
    subprocess.run(["mount", "-o", "remount,size=4m", tracker.journal], check=True)
    check_mended(tracker)
    print(f"count: full disk: {recorded} hits recorded, {tracker.metrics()['lost_total']} lost and counted")


def test_corrupt_journal(make_tracker):
    tracker = make_tracker()
    tracker.daemon.start()
    assert tracker.get(f"/o/{tracker.token('o')}").status == 200
    tracker.daemon.stop()
    (segment,) = tracker.journal.glob("*.db")
    segment.write_bytes(b"rubbish" * 1000)
    tracker.daemon.start()
    assert tracker.get(f"/o/{tracker.token('o')}").status == 200
    assert len([e for e in tracker.events()]) == 1
    assert list(tracker.journal.glob("*.corrupt"))


def test_locked_journal(make_tracker):
    """A stranger holds the database's lock."""
    tracker = make_tracker()
    tracker.daemon.start()
    assert tracker.get(f"/o/{tracker.token('o')}").status == 200
    (segment,) = tracker.journal.glob("*.db")
    with contextlib.closing(sqlite3.connect(segment, isolation_level=None)) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        check_loss(tracker)
        stranger.execute("ROLLBACK")
    check_mended(tracker)


def test_journal_in_use(make_tracker):
    tracker = make_tracker()
    tracker.daemon.start()
    second = subprocess.run(
        [tracker.daemon.command[0], "-c", second_conf(tracker)], capture_output=True, text=True, timeout=20
    )
    assert second.returncode == 75
    assert "another process" in second.stderr
    assert tracker.get("/health").status == 200


def second_conf(tracker):
    other = tracker.tidings.root / "second.conf"
    port = re.search(r"127\.0\.0\.1:(\d+)", tracker.tidings.conf.read_text())[1]
    other.write_text(tracker.tidings.conf.read_text().replace(f"127.0.0.1:{port}", "127.0.0.9:" + port))
    return other


# --- dead in the middle


class Load(threading.Thread):
    """Sends hits, each with a token of its own, and remembers which were
    answered."""

    def __init__(self, tracker, tokens):
        super().__init__(daemon=True)
        self.tracker, self.tokens = tracker, tokens
        self.answered, self.unanswered = [], []  # mails
        self.in_flight = False
        self.ended = False

    def run(self):
        while self.tokens and not self.ended:
            try:
                with self.tracker.connect(timeout=5) as connection:
                    self._send(connection)
            except OSError:
                time.sleep(0.005)

    def _send(self, connection):
        while self.tokens and not self.ended:
            mail, token = self.tokens.pop()
            self.unanswered.append(mail)
            self.in_flight = True
            answer = connection.get(f"/o/{token}")
            self.in_flight = False
            if answer is None:
                return
            assert answer.status == 200
            self.answered.append(self.unanswered.pop())


def test_killed_under_load(make_tracker):
    """Every hit that was answered is in the journal, exactly once; and the kills
    fell both before and after the commit of hits that waited for their answer."""
    kills = int(os.environ.get("TIDINGS_KILLS", 100))
    tracker = make_tracker()
    tracker.daemon.start()
    tokens = list(enumerate(tracker.tokens("o", mail=0, count=200000)))
    loads = [Load(tracker, tokens[n::8]) for n in range(8)]
    for load in loads:
        load.start()
    in_flight = 0
    for _ in range(kills):
        time.sleep(random.uniform(0.02, 0.2))
        in_flight += any(load.in_flight for load in loads)
        tracker.daemon.kill()
        tracker.daemon.start()
    for load in loads:
        load.ended = True
    for load in loads:
        load.join(10)
    assert in_flight == kills, "a kill without work in flight shows nothing"
    answered = {mail for load in loads for mail in load.answered}
    unanswered = {mail for load in loads for mail in load.unanswered}
    recorded = [mail for _, _, mail, _ in tracker.events()]
    missing = answered.difference(recorded)
    assert not missing, f"{len(missing)} hits were answered and lost"
    assert len(set(recorded)) == len(recorded), "a hit is recorded twice"
    after = len(unanswered.intersection(recorded))
    before = len(unanswered) - after
    print(f"count: {kills} kills, {len(answered)} hits answered and recorded; of those that waited,")
    print(f"count: {before} died before their commit and {after} between commit and answer")
    assert before and after, "the kills missed a phase"
    assert len(answered) > 10 * kills


# --- first the disk, then the answer


CALL = re.compile(r"^(?:\d+ +)?(\w+)\((\d+)(?:, (.*))?\) += (-?\d+)")


def answers_before_sync(trace):
    """From strace's output: how many answers there were, and how many of them
    left before an fdatasync that began after their request had come."""
    synced = {}  # connection -> was there a sync since its request?
    answers = early = 0
    for line in trace.splitlines():
        match = CALL.match(line)
        if not match:
            continue
        call, fd, words, result = match[1], match[2], match[3] or "", int(match[4])
        if result < 0:
            continue
        if call == "recvfrom" and '"GET /o/' in words:
            synced[fd] = False
        elif call in ("fdatasync", "fsync"):
            synced = dict.fromkeys(synced, True)
        elif call in ("sendto", "sendmsg", "write", "writev") and "HTTP/1.1 200" in words:
            answers += 1
            early += not synced.pop(fd, False)
    return answers, early


def traced(tracker, hits=20, connections=8):
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    output = tracker.tidings.root / "trace"
    calls = "trace=fdatasync,fsync,recvfrom,sendto,sendmsg,write,writev"
    tracker.daemon.start(prefix=["strace", "-f", "-o", output, "-s", "64", "-e", calls, "-E", "ASAN_OPTIONS=detect_leaks=0"])
    path = f"/o/{tracker.token('o')}"
    open_connections = [tracker.connect() for _ in range(connections)]
    for _ in range(hits):
        for connection in open_connections:
            connection.send(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
        for connection in open_connections:
            assert connection.response().body == GIF
    for connection in open_connections:
        connection.socket.close()
    # strace keeps SIGTERM to itself, and ends with what it traces.
    os.kill(int(re.search(r"started .*pid=(\d+)", tracker.daemon.log())[1]), signal.SIGTERM)
    tracker.daemon.process.wait(20)
    return answers_before_sync(output.read_text())


def test_disk_first(make_tracker):
    answers, early = traced(make_tracker())
    assert answers == 160
    assert early == 0
    print(f"count: answers traced: {answers}, of them before their fdatasync: {early}")


def test_disk_first_can_fail(make_tracker):
    """The same look at a tracker that is built to answer too early."""
    answers, early = traced(make_tracker(program="tests/e2e/tracker-ack-early"))
    assert answers == 160
    assert early > 0
