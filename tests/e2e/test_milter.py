"""tidings-milter beside a real Postfix, without the other daemons: the directory
is published by a program of the tests."""

import email
import email.policy
import html.parser
import json
import random
import re
import smtplib
import subprocess
import threading
import time

import pytest

from postfix import Postfix, submit, wait_until
from sink import Sink
from tidings import MILTER, READERS, Tidings, build_folder

BASE = "https://t.shop.test"
LINK = "https://example.com/a?b=1&c=2#d"
HTML = '<html><body><p>Gr\u00fc\u00dfe</p><a href="https://example.com/a?b=1&amp;c=2#d">Go</a></body></html>\r\n'
FACTS = f"""\
tenant 1 shop all {BASE}
tenant 2 quiet clicks https://t.quiet.test
tenant 3 silent none https://t.silent.test
user 1 anna
domain 1 shop.test
domain 2 quiet.test
domain 3 silent.test
list 5 1 news - yes
list 6 1 offers offers@shop.test yes
suppress 1 5 gone@example.org
suppress 1 5 away@example.org
suppress 2 0 gone@example.org
"""


def publish(tidings, facts=FACTS):
    directory = tidings.state / "directory"
    subprocess.run([build_folder() / "tests/e2e/publish", directory], input=facts, text=True, check=True)
    for file in directory.iterdir():
        if not file.is_symlink():
            subprocess.run(["chgrp", str(READERS), file], check=True)
            file.chmod(0o640)


def journal(tidings):
    """The events in the milter's journal as (kind, tenant, mail, data)."""
    out = subprocess.run(
        [build_folder() / "tests/e2e/publish", "-j", tidings.state / "journal/milter"],
        capture_output=True, text=True, check=True,
    ).stdout
    events = [line.split(" ", 3) for line in out.splitlines()]
    return [(kind, int(tenant), int(mail), json.loads(data)) for kind, tenant, mail, data in events]


def event_of(tidings, mid):
    found = [e for e in journal(tidings) if e[0] == "mail" and e[3].get("mid") == mid]
    assert len(found) == 1, found
    return found[0]


class Setting:
    def __init__(self, workdir, **settings):
        self.tidings = Tidings(workdir, **settings)
        self.tidings.make_keys()
        publish(self.tidings)
        self.sink = Sink().__enter__()
        self.postfix = Postfix(workdir, sink=self.sink, milters=[self.tidings.milter_socket])
        self.tidings.milter.start()
        self.postfix.start()
        self.number = 0

    def stop(self):
        self.postfix.stop()
        self.sink.__exit__(None, None, None)
        self.tidings.milter.stop()

    def message(self, body, header=b"", sender="a@shop.test"):
        """A whole message; BODY with the fields of its content."""
        self.number += 1
        self.mid = f"<{self.number}.{random.getrandbits(32)}@shop.test>"
        return (
            b"From: Anna <%s>\r\nTo: b@example.org\r\nSubject: Hi\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
            b"Message-ID: %s\r\nMIME-Version: 1.0\r\n" % (sender.encode(), self.mid.encode())
        ) + header + body

    def send(self, message, sender="a@shop.test", to=("b@example.org",), port=None, login=None):
        """Through Postfix and the milter to the sink: the delivery."""
        before = len(self.sink.mails)
        submit(port or self.postfix.submission_port, sender, list(to), message, login=login)
        wait_until(lambda: len(self.sink.mails) > before, what="the message in the sink")
        return self.sink.mails[before]

    def log(self):
        return self.tidings.milter.log()


@pytest.fixture(scope="module")
def setting(workdir):
    setting = Setting(workdir)
    yield setting
    setting.stop()


class Hrefs(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.images = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.links.append(dict(attrs).get("href"))
        if tag == "img":
            self.images.append(dict(attrs).get("src"))


def page_of(data):
    """The one HTML part of a message, decoded."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    pages = [part for part in message.walk() if part.get_content_type() == "text/html"]
    assert len(pages) == 1
    return pages[0].get_content()


def html_part(encoding):
    head = b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: "
    text = HTML.encode()
    if encoding == "quoted-printable":
        import quopri

        text = quopri.encodestring(text.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    if encoding == "base64":
        import base64

        text = base64.encodebytes(text).replace(b"\n", b"\r\n")
    if encoding == "7bit":
        text = HTML.replace("\u00fc\u00df", "uss").encode()
    return head + encoding.encode() + b"\r\n\r\n" + text


PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n\r\nSee https://example.com/ there.\r\n"
BLOB = b"Content-Type: application/octet-stream\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n"


def multipart(kind, boundary, *parts):
    text = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: multipart/" + kind + b"; boundary=" + boundary + b"\r\n\r\n" + text + b"--" + boundary + b"--\r\n"


SHAPES = {
    "plain": html_part("7bit"),
    "alternative": multipart(b"alternative", b"a", PLAIN, html_part("7bit")),
    "quoted-printable": html_part("quoted-printable"),
    "base64": html_part("base64"),
    "8-bit": html_part("8bit"),
    "nested": multipart(
        b"mixed", b"m", multipart(b"related", b"r", multipart(b"alternative", b"a", PLAIN, html_part("quoted-printable")), BLOB), BLOB
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_tracked(setting, shape):
    """Link and pixel through each transfer encoding and structure; all else is
    what was sent."""
    sent = setting.message(SHAPES[shape])
    got = setting.send(sent)
    page = Hrefs(page_of(got.data))
    assert len(page.links) == 1 and page.links[0].startswith(BASE + "/c/")
    assert len(page.images) == 1 and page.images[0].startswith(BASE + "/o/")
    kind, tenant, _, data = event_of(setting.tidings, setting.mid)
    assert (tenant, data["action"], data["pixel"], data["per"]) == (1, "tracked", True, "recipient")
    assert data["links"] == [{"n": 1, "url": LINK}]
    assert data["to"] == ["b@example.org"] and data["from"] == "a@shop.test"
    assert f"{data['qid']}: tracked tenant=shop mail=" in setting.log()
    # The rest byte for byte: with the link back and the pixel gone it is what it was.
    old = email.message_from_bytes(sent, policy=email.policy.default)
    new = email.message_from_bytes(got.data, policy=email.policy.default)
    assert [p.get_content_type() for p in old.walk()] == [p.get_content_type() for p in new.walk()]
    for a, b in zip(old.walk(), new.walk()):
        if a.is_multipart() or a.get_content_type() == "text/html":
            continue
        assert a.as_bytes() == b.as_bytes()
    back = re.sub(r"<img [^>]*>", "", page_of(got.data)).replace(page.links[0], LINK.replace("&", "&amp;"))
    assert back.replace("\r\n", "\n") == page_of(sent).replace("\r\n", "\n")
    assert max(map(len, got.data.split(b"\r\n"))) <= 998


def test_second_pass(setting):
    """K13: what we have rewritten is not rewritten again."""
    got = setting.send(setting.message(SHAPES["quoted-printable"]))
    again = setting.send(got.untraced)
    assert again.body == got.body


def test_left(setting):
    """No HTML, signed, calendar: the body is what was sent, and the log has the
    reason."""
    for reason, part in {
        "no-html": PLAIN,
        "signed": multipart(b"signed", b"s", html_part("7bit"), BLOB),
        "calendar": multipart(b"alternative", b"c", html_part("7bit"), b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n"),
    }.items():
        sent = setting.message(part)
        got = setting.send(sent)
        assert got.untraced == sent
        assert f"left reason={reason} tenant=shop" in setting.log()


def test_not_ours(setting):
    """By the listener for the world, unauthenticated: untouched, whatever the
    sender's address; but no control field passes."""
    sent = setting.message(SHAPES["plain"])
    got = setting.send(sent, port=setting.postfix.smtp_port)
    assert got.untraced == sent
    control = b"X-Tidings-List: news\r\n"
    sent = setting.message(SHAPES["plain"], control)
    got = setting.send(sent, port=setting.postfix.smtp_port)
    assert got.untraced == sent.replace(control, b"")
    assert "left reason=not-ours" in setting.log()


def test_authenticated(setting):
    """A user's tenant counts, not the sender's domain."""
    sent = setting.message(SHAPES["plain"], sender="a@elsewhere.test")
    got = setting.send(sent, sender="a@elsewhere.test", port=setting.postfix.smtp_port, login="anna")
    assert BASE.encode() + b"/c/" in got.body


def test_modes(setting):
    sent = setting.message(SHAPES["plain"], sender="a@quiet.test")
    got = setting.send(sent, sender="a@quiet.test")
    assert b"https://t.quiet.test/c/" in got.body and b"<img" not in got.body
    sent = setting.message(SHAPES["plain"], sender="a@silent.test")
    assert setting.send(sent, sender="a@silent.test").untraced == sent


def test_control_fields(setting):
    """T5: eight copies in all spellings are gone, and the least that was asked
    for counts."""
    fields = b"X-Tidings-Track: all\r\nx-tidings-track: clicks\r\nX-TIDINGS-Campaign: spring\r\n" + b"X-Tidings-List: news\r\n" * 5
    got = setting.send(setting.message(SHAPES["plain"], fields))
    assert b"tidings-" not in got.header.lower()
    assert b"<img" not in got.body and BASE.encode() + b"/c/" in got.body
    data = event_of(setting.tidings, setting.mid)[3]
    assert (data["list"], data["campaign"]) == ("news", "spring")


def test_unsubscribe_fields(setting):
    """K4: below Received; both fields, once; not with several recipients."""
    got = setting.send(setting.message(PLAIN, b"X-Tidings-List: news\r\n"))
    names = [line.split(b":")[0] for line in got.header.split(b"\r\n") if line and line[:1] not in b" \t"]
    received = [i for i, name in enumerate(names) if name == b"Received"]
    assert names.index(b"List-Unsubscribe") > received[-1]
    assert re.fullmatch(re.escape(BASE) + r"/u/[\w-]+", got.headers("List-Unsubscribe")[0].strip("<>"))
    assert got.headers("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
    # A list may be known by its sender.
    got = setting.send(setting.message(PLAIN), sender="offers@shop.test")
    assert len(got.headers("List-Unsubscribe")) == 1
    several = setting.send(setting.message(SHAPES["plain"], b"X-Tidings-List: news\r\n"), to=("b@example.org", "c@example.org"))
    assert several.headers("List-Unsubscribe") == []
    assert event_of(setting.tidings, setting.mid)[3]["per"] == "message"
    own = b"List-Unsubscribe: <mailto:x@shop.test>\r\n"
    got = setting.send(setting.message(PLAIN, b"X-Tidings-List: news\r\n" + own))
    assert got.headers("List-Unsubscribe") == ["<mailto:x@shop.test>"]


def test_suppressed(setting):
    message = setting.message(SHAPES["plain"], b"X-Tidings-List: news\r\n")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        setting.send(message, to=("gone@example.org",))
    assert refused.value.smtp_code == 550
    assert refused.value.smtp_error == b"5.7.1 gone@example.org has unsubscribed from news of shop"
    assert event_of(setting.tidings, setting.mid)[3]["action"] == "refused"
    with pytest.raises(smtplib.SMTPDataError):
        setting.send(setting.message(SHAPES["plain"], b"X-Tidings-List: news\r\n"), to=("gone@example.org", "away@example.org"))
    # Of several, the others get it; and the one that remains is a recipient of his own.
    got = setting.send(setting.message(SHAPES["plain"], b"X-Tidings-List: news\r\n"), to=("gone@example.org", "b@example.org"))
    assert got.recipients == ["b@example.org"]
    data = event_of(setting.tidings, setting.mid)[3]
    assert (data["to"], data["per"]) == (["b@example.org"], "recipient")
    # Other mail still reaches him.
    assert setting.send(setting.message(PLAIN), to=("gone@example.org",)).recipients == ["gone@example.org"]
    suppressed = [e[3]["address"] for e in journal(setting.tidings) if e[0] == "suppressed"]
    assert suppressed == ["gone@example.org", "gone@example.org", "away@example.org", "gone@example.org"]
    # A tenant-wide one is about all of that tenant's mail, and no other's.
    with pytest.raises(smtplib.SMTPDataError) as refused:
        setting.send(setting.message(PLAIN), sender="a@quiet.test", to=("gone@example.org",))
    assert b"has asked for no more mail of quiet" in refused.value.smtp_error


def test_connection_reuse(setting):
    """K14: an aborted message leaves nothing to the next."""
    with smtplib.SMTP("127.0.0.1", setting.postfix.submission_port) as client:
        client.ehlo()
        client.mail("x@quiet.test")
        client.rcpt("gone@example.org")
        client.rset()
        for _ in range(3):
            before = len(setting.sink.mails)
            message = setting.message(SHAPES["plain"])
            client.sendmail("a@shop.test", ["b@example.org"], message)
            wait_until(lambda: len(setting.sink.mails) > before, what="the message")
            got = setting.sink.mails[before]
            assert got.recipients == ["b@example.org"] and got.body.count(b"<img") == 1
            assert event_of(setting.tidings, setting.mid)[3]["per"] == "recipient"


def test_null_sender(setting):
    """K12."""
    sent = setting.message(SHAPES["plain"])
    got = setting.send(sent, sender="", login="anna")
    assert got.untraced == sent


def test_big(setting):
    """M27: a body of many chunks, with links where they meet."""
    filler = ("x" * 70 + "\r\n") * 12000
    part = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + (
        filler[:65400] + "".join(f'<a href="https://example.com/{i}">n{i}</a>\r\n' for i in range(200)) + filler
    ).encode()
    got = setting.send(setting.message(part))
    page = Hrefs(page_of(got.data))
    assert len(page.links) == 200 and all(url.startswith(BASE + "/c/") for url in page.links)
    assert got.data.replace(b"\r\n", b"").count(b"\n") == 0


def test_reload(setting):
    """SIGUSR1: a new key seals from then on."""
    key = lambda got: Hrefs(page_of(got.data)).links[0][len(BASE + "/c/"):][:4]
    before = key(setting.send(setting.message(SHAPES["plain"])))
    setting.tidings.ctl("key", "rotate")
    subprocess.run(["chgrp", str(READERS), setting.tidings.keys], check=True)
    setting.tidings.milter.reload()
    wait_until(lambda: "reloaded" in setting.log(), what="the reload")
    after = key(setting.send(setting.message(SHAPES["plain"])))
    assert before != after
    # A faulty file changes nothing.
    good = setting.tidings.keys.read_bytes()
    setting.tidings.keys.write_bytes(b"nonsense\n")
    setting.tidings.milter.reload()
    wait_until(lambda: "reload-failed" in setting.log(), what="the failed reload")
    assert key(setting.send(setting.message(SHAPES["plain"]))) == after
    setting.tidings.keys.write_bytes(good)


def test_new_directory(setting):
    """What policyd publishes is seen without a reload."""
    publish(setting.tidings, FACTS.replace("tenant 3 silent none", "tenant 3 silent all"))
    time.sleep(0.2)
    got = setting.send(setting.message(SHAPES["plain"], sender="a@silent.test"), sender="a@silent.test")
    assert b"https://t.silent.test/c/" in got.body


def test_killed(setting):
    """SIGKILL at random under load: what Postfix accepts is tracked in full, and
    its event is in the journal; nothing is lost."""
    accepted, put_off, stop = [], [], threading.Event()

    def load(n):
        while not stop.is_set():
            mid = f"<{n}.{random.getrandbits(48)}@shop.test>"
            message = setting.message(SHAPES["nested"]).replace(setting.mid.encode(), mid.encode())
            try:
                submit(setting.postfix.submission_port, "a@shop.test", ["b@example.org"], message, timeout=20)
                accepted.append(mid)
            except (smtplib.SMTPException, OSError) as error:
                put_off.append(error)
                time.sleep(0.02)

    threads = [threading.Thread(target=load, args=(n,)) for n in range(3)]
    start = len(setting.sink.mails)
    for thread in threads:
        thread.start()
    in_flight = 0
    for _ in range(20):
        time.sleep(random.uniform(0.05, 0.2))
        before = len(put_off)
        setting.tidings.milter.kill()
        time.sleep(0.05)
        setting.tidings.milter.start()
        in_flight += len(put_off) > before
    stop.set()
    for thread in threads:
        thread.join()
    setting.send(setting.message(SHAPES["plain"]))
    wait_until(lambda: {m.headers("Message-ID")[0] for m in setting.sink.mails[start:]} >= set(accepted), what="all accepted mail")
    got = [m for m in setting.sink.mails[start:] if m.headers("Message-ID")[0] in set(accepted)]
    assert len(got) == len(accepted) > 20
    events = {e[3]["mid"]: e for e in journal(setting.tidings) if e[0] == "mail"}
    for mail in got:
        page = Hrefs(page_of(mail.data))
        assert len(page.links) == 1 and page.links[0].startswith(BASE + "/c/") and len(page.images) == 1
        assert mail.headers("Message-ID")[0] in events
    for error in put_off:
        code = getattr(error, "smtp_code", 400)
        assert 400 <= code < 500 or code == -1, error
    assert in_flight > 0
    print(f"count: milter kills: 20, {in_flight} with mail in flight, {len(accepted)} accepted, {len(put_off)} put off")


def test_no_journal(fresh_workdir):
    """A journal that cannot be written stops no mail."""
    tidings_journal = None
    setting = None
    try:
        tidings = Tidings(fresh_workdir)
        tidings_journal = tidings.state / "journal/milter"
        subprocess.run(["chown", "root:root", tidings_journal], check=True)
        tidings_journal.chmod(0o555)
        make = Tidings._make_folders
        Tidings._make_folders = lambda self: None
        try:
            setting = Setting(fresh_workdir)
        finally:
            Tidings._make_folders = make
        sent = setting.message(SHAPES["plain"])
        assert setting.send(sent).untraced == sent
        assert "journal-failed" in setting.log() and "left reason=journal tenant=shop" in setting.log()
    finally:
        if setting:
            setting.stop()


def test_too_large_and_sendmail(fresh_workdir):
    """Over the limit a message passes unchanged; sendmail(1) is ours where its
    address is trusted."""
    setting = Setting(fresh_workdir, milter_max_size="64K", milter_trusted="{127.0.0.1}")
    try:
        sent = setting.message(SHAPES["plain"] + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 1500, b"X-Tidings-Track: all\r\n")
        got = setting.send(sent)
        assert got.untraced == sent.replace(b"X-Tidings-Track: all\r\n", b"")
        assert "left reason=too-large" in setting.log()
        before = len(setting.sink.mails)
        setting.postfix.sendmail("a@shop.test", ["b@example.org"], setting.message(SHAPES["plain"]).replace(b"\r\n", b"\n"))
        wait_until(lambda: len(setting.sink.mails) > before, what="sendmail's message")
        assert BASE.encode() + b"/c/" in setting.sink.mails[before].body
    finally:
        setting.stop()


def test_over_time(fresh_workdir):
    """A message that takes too long passes unchanged; a small one is tracked, at
    least where this machine lets the milter run for so long at a time."""
    setting = Setting(fresh_workdir, milter_max_time="20 ms")
    try:
        tags = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + (b"<b>" * 300 + b"\r\n") * 10000 + HTML.encode()
        sent = setting.message(tags)
        got = setting.send(sent)
        assert got.untraced == sent
        assert "left reason=over-time tenant=shop" in setting.log()
        assert event_of(setting.tidings, setting.mid)[3]["reason"] == "over-time"
        small = (setting.send(setting.message(SHAPES["plain"])) for _ in range(5))
        assert any(BASE.encode() + b"/c/" in got.data for got in small)
    finally:
        setting.stop()


def test_metrics_file(fresh_workdir):
    """The counters: a file at the start, with what happened after a reload, and
    to the end."""
    folder = fresh_workdir / "metrics"
    file = folder / "tidings.prom"
    folder.mkdir()
    setting = Setting(fresh_workdir, milter_metrics_file=file)

    def counts():
        lines = file.read_text().splitlines() if file.exists() else []
        return {line.split()[0]: int(line.split()[1]) for line in lines if not line.startswith("#")}

    tracked, left = (f'tidings_milter_messages_total{{action="{word}"}}' for word in ("tracked", "left"))
    try:
        wait_until(lambda: "metrics-failed" in setting.log(), what="the line that it cannot be written")
        folder.chmod(0o777)
        setting.send(setting.message(SHAPES["plain"]))
        setting.tidings.milter.reload()
        wait_until(lambda: counts().get(tracked) == 1, what="the count after a reload")
        assert counts()[left] == 0 and file.stat().st_mode & 0o777 == 0o644
        setting.send(setting.message(PLAIN))
    finally:
        setting.stop()
    assert counts()[tracked] == 1 and counts()[left] == 1
    assert [path.name for path in folder.iterdir()] == ["tidings.prom"]
    assert setting.log().count("metrics-failed") == 1


# --- tidings-filter(1)

class Filter:
    """The filter with a configuration of its own, run by root."""

    def __init__(self, workdir):
        self.tidings = Tidings(workdir)
        self.tidings.make_keys()
        publish(self.tidings)

    def __call__(self, message, *options, check=0, **pipes):
        command = [build_folder() / "milter/tidings-filter", "-c", self.tidings.conf, *options]
        done = subprocess.run(command, input=message, capture_output=not pipes, timeout=60, **pipes)
        assert done.returncode == check, done.stderr
        return done

    def events(self):
        out = subprocess.run(
            [build_folder() / "tests/e2e/publish", "-j", self.tidings.state / "journal/filter"],
            capture_output=True, text=True, check=True,
        ).stdout
        return [json.loads(line.split(" ", 3)[3]) for line in out.splitlines()]


@pytest.fixture(scope="module")
def run_filter(workdir):
    folder = workdir / "f"
    folder.mkdir(mode=0o711)
    return Filter(folder)


MAIL = b"From: a@shop.test\r\nTo: b@example.org\r\nMIME-Version: 1.0\r\n"
ENVELOPE = ("-t", "shop", "-f", "a@shop.test", "-r", "b@example.org")


@pytest.mark.parametrize("shape", SHAPES)
def test_filter(run_filter, shape):
    out = run_filter(MAIL + SHAPES[shape], *ENVELOPE).stdout
    page = Hrefs(page_of(out))
    assert page.links[0].startswith(BASE + "/c/") and len(page.images) == 1
    assert run_filter.events()[-1]["action"] == "tracked"
    # LF line ends stay.
    unix = (MAIL + SHAPES[shape]).replace(b"\r\n", b"\n")
    out = run_filter(unix, *ENVELOPE).stdout
    assert b"\r" not in out and Hrefs(page_of(out)).links[0].startswith(BASE)


def test_filter_leaves(run_filter):
    """Whatever is wrong, what came in goes out."""
    message = MAIL + SHAPES["plain"]
    for options in (("-f", "a@shop.test"), ("-t", "nobody", "-f", "a@shop.test"), ("-t", "shop")):
        assert run_filter(message, *options).stdout == message
    for junk in (b"", b"x", b"\0\r\n", bytes(range(256)) * 300, message[:60]):
        assert run_filter(junk, *ENVELOPE).stdout == junk
    bad = run_filter.tidings.root / "bad.conf"
    bad.write_text("milter { nonsense = 1 }\n")
    assert run_filter(message, "-c", bad, *ENVELOPE).stdout == message
    # Suppressed: refusing is not for the filter.
    control = b"X-Tidings-List: news\r\n"
    out = run_filter(control + message, "-t", "shop", "-f", "a@shop.test", "-r", "gone@example.org").stdout
    assert out == message


def test_filter_output_fails(run_filter):
    with open("/dev/full", "wb") as full:
        run_filter(MAIL + SHAPES["plain"], *ENVELOPE, check=75, stdout=full, stderr=subprocess.DEVNULL)
    run_filter(b"", "--nonsense", check=64)


def test_filters_at_once(run_filter):
    """They share the journal one after the other, and none loses its event."""
    before = len(run_filter.events())
    command = [build_folder() / "milter/tidings-filter", "-c", run_filter.tidings.conf, *ENVELOPE]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(12)]
    for process in running:
        process.stdin.write(MAIL + SHAPES["plain"])
        process.stdin.close()
    outs = [process.stdout.read() for process in running]
    assert all(process.wait() == 0 for process in running)
    assert all(BASE.encode() + b"/c/" in out for out in outs)
    assert len(run_filter.events()) == before + 12


def words(**values):
    import base64

    return b"X-Tidings-Envelope: " + b"\r\n ".join(
        f"{k}=".encode() + base64.b64encode(v.encode()) for k, v in values.items()) + b"\r\n"


WORDS = words(tenant="shop", user="", sender="a@shop.test", recipient="b@example.org")


def test_filter_envelope(run_filter):
    """The envelope in a field, which goes away whatever happens."""
    message = MAIL + SHAPES["plain"]
    for sent in (WORDS + message, MAIL + WORDS + SHAPES["plain"]):
        out = run_filter(sent, "-e").stdout
        assert Hrefs(page_of(out)).links[0].startswith(BASE + "/c/") and b"X-Tidings" not in out
        assert run_filter.events()[-1]["to"] == ["b@example.org"]
        assert run_filter.events()[-1]["from"] == "a@shop.test"
    unusable = {
        "none": b"",
        "two": WORDS + WORDS,
        "no base64": WORDS.replace(b"=", b"-"),
        "a word twice": WORDS.replace(b"user=", b"tenant=c2hvcA==\r\n sender=YUBi user="),
        "unknown": WORDS.replace(b"user", b"loser"),
        "a line end": words(tenant="shop", sender="a@shop.test\r\nX: y", recipient="b@example.org"),
        "a NUL": words(tenant="shop", sender="a@shop.test\0", recipient="b@example.org"),
        "no such tenant": words(tenant="shops", sender="a@shop.test", recipient="b@example.org"),
        "long": words(tenant="shop", sender="a" * 4000, recipient="b@example.org"),
        "the null sender": words(tenant="shop", sender="", recipient="b@example.org"),
        "nobody's": words(sender="a@shop.test", recipient="b@example.org", client="192.0.2.1"),
    }
    for name, field in unusable.items():
        assert run_filter(field + message, "-e").stdout == message, name
    assert run_filter(WORDS * 50000 + message, "-e").stdout == message
    # Without a configuration it goes away all the same.
    assert run_filter(WORDS + message, "-e", "-c", "/nonexistent").stdout == message


def test_filter_same_id(run_filter):
    """The same id gives the same bytes at any time; another recipient other ones."""
    message = MAIL + SHAPES["plain"]
    again = [run_filter(message, *ENVELOPE, "-i", "1pAbCd-000001-2x", "--received", "1795348800").stdout for _ in range(2)]
    assert again[0] == again[1] and BASE.encode() in again[0]
    others = [
        run_filter(message, *ENVELOPE[:-1], "c@example.org", "-i", "1pAbCd-000001-2x", "--received", "1795348800"),
        run_filter(message, *ENVELOPE, "-i", "1pAbCd-000001-2y", "--received", "1795348800"),
        run_filter(message, *ENVELOPE),
    ]
    assert len({again[0], *(o.stdout for o in others)}) == 4
    for options in (("-i", "x"), ("--received", "1795348800")):
        run_filter(message, *ENVELOPE, *options, check=64)


def test_filter_one_pipe(run_filter):
    """Where output and errors are one pipe, no complaint stands in the message."""
    message = MAIL + SHAPES["plain"]
    for options in (("-c", "/nonexistent"), ("-t", "nobody"), ("-e",)):
        done = run_filter(message, *ENVELOPE, *options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.stdout == message
    done = run_filter(message, *ENVELOPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.stdout.startswith(b"From: ") and b"tidings-filter" not in done.stdout
    assert Hrefs(page_of(done.stdout)).links[0].startswith(BASE)
    done = run_filter(b"", "-x", check=64, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.stdout == b""
