"""The whole product on loopback, for the tests of the circle: a sink, a Postfix, the
three daemons on a clock that stands, and what one does with them.

    @pytest.fixture(scope="module")
    def circle(workdir):
        with running(workdir) as circle:
            circle.tenant("kitchen", "kitchen.test")
            yield circle

The clock moves only when a test moves it. round() returns when policyd has looked at
everything that was there before, at the time that the clock shows: what has not
happened then does not happen at this time.
"""

import base64
import email
import email.policy
import json
import re
import textwrap
import time
from contextlib import contextmanager
from datetime import datetime, timedelta

from postfix import Postfix, submit, wait_until
from sink import Sink
from tidings import UTC, Tidings

# A Friday noon; the clocks of Europe change two nights later.
START = datetime(2026, 3, 27, 12, tzinfo=UTC)
# What a person's mail program says of itself, and what others say.
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.0"
PREFETCHER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
SCANNER = "python-requests/2.31"
# After this a hit is not too soon for a person.
SOON = timedelta(minutes=2)
# A reader of the directory sees what was published within 50 ms (directory/directory.h).
PUBLISHED = 0.06

ONE_CLICK = b"List-Unsubscribe=One-Click"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# The pixel, and a tracked address, as they stand in decoded HTML.
PIXEL = re.compile(r'<img src="([^"]*/o/[^"]*)" width="1" height="1" alt="" style="[^"]*">')


def crlf(text):
    """TEXT with the indent of its lines taken off, as the bytes of a message."""
    return textwrap.dedent(text).replace("\n", "\r\n").encode()


def html_mail(sender, to, body, subject="Hello", headers=""):
    """A whole message with one HTML body, 8 bit."""
    return (
        f"From: {sender}\nTo: {to}\nSubject: {subject}\nDate: Fri, 27 Mar 2026 13:00:00 +0100\n"
        f"Message-ID: <{time.monotonic_ns()}@{sender.rpartition('@')[2]}>\n{headers}MIME-Version: 1.0\n"
        f"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{body}\n"
    ).replace("\n", "\r\n").encode()


class Arrived:
    """A delivered message, as its reader sees it."""

    def __init__(self, delivery):
        self.delivery = delivery
        self.message = email.message_from_bytes(delivery.data, policy=email.policy.default)

    def __getitem__(self, name):
        return self.message[name]

    @property
    def html(self):
        return self.message.get_body(("html",)).get_content()

    @property
    def pixels(self):
        return PIXEL.findall(self.html)

    @property
    def pixel(self):
        assert len(self.pixels) == 1, self.html
        return self.pixels[0]

    @property
    def links(self):
        """The tracked addresses, from top to bottom."""
        return re.findall(r"""["']?(https?://[^"'\s>]*/c/[^"'\s>]*)""", self.html)

    @property
    def unsubscribe(self):
        """The one-click address of the header."""
        return re.fullmatch(r"<(.*)>", self.message["List-Unsubscribe"])[1]


def key_id(url):
    """The id of the key that sealed the token of URL (lib/token/token.h)."""
    segment = url.rpartition("/")[2].removesuffix(".gif")
    return base64.urlsafe_b64decode(segment[:4])[1]


class Circle:
    """See the top of this file."""

    def __init__(self, tidings, postfix, sink):
        self.tidings, self.postfix, self.sink = tidings, postfix, sink
        self.ctl = tidings.ctl
        self._probe = None

    # --- what the administrator does

    def json(self, *words):
        """What tidings(1) --json prints: a list of objects, one a line."""
        return [json.loads(line) for line in self.ctl(*words, "--json").splitlines()]

    def url(self, domain):
        """Where tracked links of a domain begin."""
        return f"http://t.{domain}:{self.tidings.tracker_port}"

    def tenant(self, name, domain, *words, track="all", zone="UTC", lists=()):
        self.ctl(
            "tenant", "add", name, "--title", f"The {name}", "--domain", domain, "--track", track,
            "--url", self.url(domain), "--zone", zone, *words,
        )
        for entry in lists:
            self.ctl("list", "add", name, entry)
        self.published()

    def published(self):
        """Waits until milter and tracker have seen what policyd has published."""
        time.sleep(PUBLISHED)

    def workflow(self, tenant, yaml, **messages):
        """Loads a workflow; MESSAGES: name of the file without .eml, text."""
        folder = self.tidings.root / f"flow-{time.monotonic_ns()}"
        folder.mkdir()
        for name, text in messages.items():
            (folder / f"{name}.eml").write_text(textwrap.dedent(text))
        (folder / "flow.yaml").write_text(textwrap.dedent(yaml))
        return self.ctl("workflow", "load", tenant, str(folder / "flow.yaml"))

    def contact(self, tenant, address):
        """All that is known of a contact: {"contact", "subscriptions", "journeys",
        "timeline"}."""
        return self.json("contact", "show", tenant, address)[0]

    def timeline(self, tenant, address, *kinds):
        """The events of these KINDS of a contact, in the order of time."""
        rows = [row for row in self.contact(tenant, address)["timeline"] if row["kind"] in kinds]
        return sorted(rows, key=lambda row: row["id"])

    def wait_timeline(self, tenant, address, kind, count=1):
        def there():
            rows = self.timeline(tenant, address, kind)
            return rows if len(rows) >= count else None

        rows = wait_until(there, 10, f"{count} {kind} of {address}")
        assert len(rows) == count, rows
        return rows

    def journey(self, tenant, address, workflow):
        """The one journey of a contact through a workflow; None if there is none."""
        rows = [row for row in self.contact(tenant, address)["journeys"] if row["workflow"] == workflow]
        assert len(rows) <= 1, rows
        return rows[0] if rows else None

    def wait_journey(self, tenant, address, workflow, **facts):
        """Waits until the journey shows FACTS (step="…", active=False, outcome="…")."""

        def shows():
            if self.ctl("contact", "show", tenant, address, check=False).returncode != 0:
                return None  # made when the mail is folded
            row = self.journey(tenant, address, workflow)
            return row if row and all(row.get(key) == value for key, value in facts.items()) else None

        return wait_until(shows, 10, f"journey of {address} through {workflow}: {facts}")

    def report(self, tenant):
        """The counts by scope: {"tenant": {"mails": 3, …}, "list:news": …}."""
        return self.json("report", tenant)[0]["scopes"]

    # --- what a program does

    def submit(self, sender, recipients, message, **options):
        """By SMTP at the door for own mail; gives the queue id."""
        return submit(self.postfix.submission_port, sender, recipients, message, **options)

    def send(self, sender, recipient, message, **options):
        """The same to one recipient, and what arrived there of it."""
        before = len(self.sink.to(recipient))
        self.submit(sender, recipient, message, **options)
        return Arrived(self.sink.wait_to(recipient, before + 1)[before])

    def reason(self, queue_id):
        """Why the milter left the message as it was."""
        found = wait_until(
            lambda: re.search(rf"\b{queue_id}: (\S+)(.*)", self.tidings.milter.log()), 10, f"a log line for {queue_id}"
        )
        word = re.search(r"\breason=(\S+)", found[2])
        return found[1], word[1] if word else None

    # --- what a reader, or a machine, does

    def hit(self, url, method="GET", agent=BROWSER, body=None, headers=None):
        headers = {**({"User-Agent": agent} if agent is not None else {}), **(headers or {})}
        return self.tidings.http(method, url, body=body, headers=headers)

    def one_click(self, url):
        """RFC 8058, as a mailbox provider does it."""
        status, _, body = self.hit(url, "POST", body=ONE_CLICK, headers=FORM)
        assert status == 200, body
        return body

    # --- time

    def at(self, when):
        """Sets the clock, and waits until policyd has done what is due then."""
        self.tidings.clock_set(when)
        self.round()

    def advance(self, delta=SOON):
        self.tidings.clock_advance(delta)

    def round(self):
        """Returns after a whole round of policyd: a hit that came after all else has
        been folded, and control answers between rounds."""
        if not self._probe:
            self.tenant("probe", "probe.test")
            mail = self.send("a@probe.test", "probe@reader.test", html_mail("a@probe.test", "probe@reader.test", "<p>x</p>"))
            self._probe = mail.pixel
            wait_until(self._probe_events, 10, "the probe is folded")
        before = self._probe_events()
        assert self.hit(self._probe)[0] == 200
        wait_until(lambda: self._probe_events() > before, 10, "a round of policyd")

    def _probe_events(self):
        return len(self.json("events", "probe", "--limit", "1000"))


@contextmanager
def running(workdir, clock=START, smtp_milter=True, **settings):
    """A Circle. SMTP_MILTER: does the plain SMTP port ask the milter too? SETTINGS: of
    tidings.conf."""
    tidings = Tidings(workdir, clock=clock, **settings)
    socket = tidings.milter_socket
    with Sink() as sink, Postfix(
        workdir,
        sink=sink,
        milters=[socket] if smtp_milter else [],
        non_smtpd_milters=[socket],
        submission_milters=[socket],
    ) as postfix:
        tidings.submit_to(postfix)
        with tidings:
            yield Circle(tidings, postfix, sink)
