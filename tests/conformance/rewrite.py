"""The rewriter against Python's email and html.parser, over all corpora.

Each message is rewritten by tests/conformance/rewrite-run and compared with what
it was: every part that is not a rewritten HTML body is byte-identical, in HTML
only link values and one image differ, the set of links is the set an independent
parser finds, and a second pass changes nothing.
"""

import collections
import email
import email.message
import email.policy
import html
import html.parser
import json
import os
import quopri
import re
import subprocess
import sys
from base64 import encodebytes
from pathlib import Path

CORPORA = Path(os.environ.get("TIDINGS_CORPORA", ""))
RUN = Path(os.environ["TIDINGS_BUILD"]) / "tests/conformance/rewrite-run"
BASE = "https://t.tidings.example"
SPACE = "".join(map(chr, range(33)))

count = collections.Counter()
faults = []


class Runner:
    def __init__(self):
        self.process = subprocess.Popen([RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, message):
        self.process.stdin.write(b"%d\n" % len(message) + message)
        self.process.stdin.flush()
        out = self.process.stdout
        result = json.loads(out.readline())
        once, twice = map(int, out.readline().split())
        return result, out.read(once), out.read(twice)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0, "rewrite-run failed"


def trim(url):
    """WHATWG: C0 controls and spaces at both ends, tabs and line ends anywhere."""
    return re.sub("[\t\n\r]", "", url.strip(SPACE))


class Page(html.parser.HTMLParser):
    """What is on a page, with the value of each link apart. HIDDEN pages are the
    inside of conditional comments."""

    def __init__(self, text, hidden=False):
        super().__init__(convert_charrefs=False)
        self.hidden = hidden
        self.events = []
        self.links = []
        self.pixels = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        raw = self.get_starttag_text()
        if tag == "img" and any(k == "src" and (v or "").startswith(BASE + "/o/") for k, v in attrs):
            self.pixels += 1
            return
        if tag in ("a", "area") or (self.hidden and tag.startswith("v:")):
            # The first href counts; html.parser has decoded its references.
            value = next((v or "" for k, v in attrs if k == "href"), None)
            if value is not None:
                self.links.append(trim(value))
                done = []
                for k, v in attrs:
                    if k == "href" and "href" not in [d[0] for d in done]:
                        v = None
                    done.append((k, v))
                self.events.append(("link", tag, done))
                return
        self.events.append(("start", raw))

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        self.events.append(("end", tag))

    def _text(self, kind, data):
        if self.events and self.events[-1][0] == kind == "data":
            data = self.events.pop()[1] + data
        self.events.append((kind, data))

    def handle_data(self, data):
        self._text("data", data)

    def handle_entityref(self, name):
        self._text("data", "&" + name)

    def handle_charref(self, name):
        self._text("data", "&#" + name)

    def handle_decl(self, decl):
        self.events.append(("decl", decl))

    def unknown_decl(self, data):
        self.events.append(("unknown", data))

    def handle_pi(self, data):
        self.events.append(("pi", data))

    def handle_comment(self, data):
        match = re.match(r"(?is)\[if.*?\]>", data)
        if not match:
            self.events.append(("comment", data))
            return
        inner = Page(data[match.end():], hidden=True)
        self.links += inner.links
        self.pixels += inner.pixels
        self.events.append(("conditional", match[0], inner.events))


def leaves(message):
    """The parts as (path, part); what is in an attached message is one leaf."""
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        yield message
        for part in message.get_payload():
            yield from leaves(part)
    else:
        yield message


def raw(part):
    """The body's bytes, not decoded: get_payload() would take 8-bit text for its
    charset."""
    payload = part._payload
    if isinstance(payload, list):
        return b"".join(p.as_bytes() for p in payload)
    return payload if payload is None else payload.encode("ascii", "surrogateescape")


def longest(data):
    return max(map(len, re.split(rb"\r?\n", data)))


def check(name, message, run):
    result, once, twice = run(message)
    count["messages"] += 1
    count[result["message"]["action"]] += 1

    def fault(text):
        faults.append(f"{name}: {text}")

    if twice != once:
        fault("a second pass changes it")
    if result["message"]["action"] == "left":
        if once != message:
            fault("left, but changed")
        return
    for bad in (b"\0", b"\r"):
        if once.replace(b"\r\n", b"").count(bad) > message.replace(b"\r\n", b"").count(bad):
            fault(f"a {bad!r} was added")
    if b"\r\n" in message and once.replace(b"\r\n", b"").count(b"\n") > message.replace(b"\r\n", b"").count(b"\n"):
        fault("a bare LF was added")
    if longest(message) <= 998 < longest(once):
        fault("a line is over 998 now")

    policy = email.policy.compat32
    before = list(leaves(email.message_from_bytes(message, policy=policy)))
    after = list(leaves(email.message_from_bytes(once, policy=policy)))
    if len(before) != len(after):
        fault(f"{len(before)} parts became {len(after)}")
        return
    pixels = 0
    found = collections.Counter()
    skip = False
    touched = {p["path"] for p in result["parts"] if p["action"] == "tracked"}
    n_touched = 0
    for old, new in zip(before, after):
        stale = ("content-transfer-encoding", "content-length", "lines")
        if [h for h in old.items() if h[0].lower() not in stale] != [h for h in new.items() if h[0].lower() not in stale]:
            fault("a header field changed")
        if old.is_multipart():
            if (old.preamble, old.epilogue) != (new.preamble, new.epilogue):
                fault("preamble or epilogue changed")
            if old.get_content_maintype() == "multipart":
                continue
        count["parts"] += 1
        if raw(old) == raw(new):
            if old.items() != new.items() and old is not before[0]:
                fault("the header of an equal part changed")
            continue
        n_touched += 1
        if old.get_content_type() != "text/html":
            fault(f"a {old.get_content_type()} part changed")
            continue
        count["html parts"] += 1
        a, b = (p.get_payload(decode=True) for p in (old, new))
        pixels += compare(a, b, old, result, found, fault)
        skip = skip or b"<base" in a.lower()
    if n_touched != len(touched):
        fault(f"{len(touched)} parts said to be tracked, {n_touched} changed")
    if pixels != (result["message"]["pixel"] == "tracked"):
        fault(f"{pixels} pixels")
    reported = collections.Counter(
        link["url"] for link in result["links"] if link["part"] in touched
    )
    if found != reported and not skip:
        fault(f"links differ: only Python {found - reported}, only we {reported - found}")


def compare(a, b, part, result, found, fault):
    """One HTML body before and after; gives the pixels added."""
    # Bytes as characters, except that references give what they give.
    utf8 = (part.get_content_charset() or "").lower() in ("utf-8", "utf8")
    code = "utf-8" if utf8 else "latin-1"
    old, new = (Page(x.decode(code, "surrogateescape")) for x in (a, b))
    if len(old.links) != len(new.links):
        fault(f"{len(old.links)} links became {len(new.links)}")
        return 0
    if old.events != new.events:
        for x, y in zip(old.events, new.events):
            if x != y:
                fault(f"HTML changed: {x!r:.200} became {y!r:.200}")
                return 0
        fault("HTML changed at its end")
    tracked = {link["tracked_url"]: link["url"] for link in result["links"] if link["tracked_url"]}
    for x, y in zip(old.links, new.links):
        found[x] += 1
        if x == y:
            count["links left"] += 1
        elif tracked.get(y) == x:
            count["links tracked"] += 1
        elif "<base" not in a.decode("latin-1").lower():
            fault(f"link {x!r:.100} became {y!r:.100}")
    return new.pixels - old.pixels


# --- what is made of a template

def crlf(data):
    return re.sub(rb"\r?\n", b"\r\n", data)


def header(encoding, charset="utf-8"):
    return b"Content-Type: text/html; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n" % (
        charset.encode(),
        encoding.encode(),
    )


# What the templates have none of: a VML button with its twin, and an image map.
BUTTONS = b"""<!--[if mso]><v:roundrect xmlns:v="urn:schemas-microsoft-com:vml" href="https://shop.example/b?a=1&amp;b=2"
 style="height:40px"><center><![endif]--><a href="https://shop.example/b?a=1&amp;b=2">Buy</a><!--[if mso]></center>
</v:roundrect><![endif]--><![if !mso]><a href='https://shop.example/c'>Look</a><![endif]>
<map name=m><area href=https://shop.example/d shape=default></map>
"""


def forms(page):
    """A template as it is, and with its placeholders filled in."""
    yield "empty", page
    numbers = iter(range(10**6))
    yield "filled", re.sub(rb"{{[^}]*}}", lambda _: b"https://shop.example/p/%d?a=1&amp;b=\xc3\xbc" % next(numbers), page)
    yield "buttons", page.replace(b"</body>", BUTTONS + b"</body>", 1)
    yield "one line", re.sub(rb"\s*[\r\n]\s*", b" ", re.sub(rb"{{[^}]*}}", b"https://shop.example/", page))


def encoded(page):
    """A page as a part, in each encoding."""
    page = crlf(page)
    yield "8bit", header("8bit") + page
    yield "quoted-printable", header("quoted-printable") + quopri.encodestring(page.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    base64 = encodebytes(page)
    yield "base64", header("base64") + base64.replace(b"\n", b"\r\n")
    flat = base64.replace(b"\n", b"")
    yield "base64 60", header("base64") + b"\r\n".join(flat[i:i + 60] for i in range(0, len(flat), 60)) + b"\r\n"


PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n\r\nSee https://example.com/ \r\n"
IMAGE = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <x>\r\n\r\niVBORw0KGgo=\r\n"


def multipart(kind, boundary, *parts):
    text = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    return b'Content-Type: multipart/%s; boundary="%s"\r\n\r\npreamble\r\n%s--%s--\r\nepilogue\r\n' % (kind, boundary, text, boundary)


def wrapped(part):
    """A part as messages of different structure."""
    top = b"From: a@example.com\r\nTo: b@example.org\r\nSubject: =?utf-8?q?=C3=BC?=\r\nMIME-Version: 1.0\r\n"
    yield "alone", top + part
    yield "alternative", top + multipart(b"alternative", b"a", PLAIN, part)
    yield "nested", top + multipart(b"mixed", b"=_m", multipart(b"related", b"r", multipart(b"alternative", b"a", PLAIN, part), IMAGE), IMAGE)


def main():
    if not CORPORA.is_dir():
        print(f"SKIP: there are no corpora in {CORPORA} (TIDINGS_CORPORA)")
        return 77
    run = Runner()
    mails = sorted(CORPORA.glob("mime/**/*.eml")) + sorted(CORPORA.glob("bounces/*.eml"))
    for path in mails:
        data = path.read_bytes()
        check(path.name, data, run)
        check(f"{path.name} (CRLF)", crlf(data), run)
    templates = sorted(CORPORA.glob("templates/**/*.html"))
    for path in templates:
        for form, page in forms(path.read_bytes()):
            for encoding, part in encoded(page):
                for shape, message in wrapped(part):
                    check(f"{path.relative_to(CORPORA)} {form} {encoding} {shape}", message, run)
    run.close()
    for text in faults[:40]:
        print("FAULT", text)
    print(
        f"count: rewrite: {len(mails)} messages and {len(templates)} templates, {count['messages']} runs: "
        f"{count['tracked']} tracked, {count['left']} left; {count['html parts']} HTML parts, "
        f"{count['links tracked']} links tracked, {count['links left']} left; {len(faults)} faults"
    )
    return 1 if faults or not count["tracked"] else 0


sys.exit(main())
