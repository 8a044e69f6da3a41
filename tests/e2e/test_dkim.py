"""Signatures through a real Postfix: what is delivered verifies by three verifiers,
and nothing is signed for somebody else."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from postfix import wait_until
from test_milter import PLAIN, SHAPES, Setting, html_part, multipart, publish
from tidings import MILTER, TRACKER, build_folder

sys.path.append(str(Path(__file__).resolve().parents[1] / "conformance"))
import dkim_verify  # noqa: E402

FACTS = """\
tenant 1 shop all https://t.shop.test
tenant 2 quiet none https://t.quiet.test
user 1 anna
domain 1 shop.test
domain 1 news.shop.test
domain 1 b\u00fccher.test
domain 2 quiet.test
domain 2 rented.shop.test
list 5 1 news - yes
"""


class Signing(Setting):
    def __init__(self, workdir):
        super().__init__(workdir)
        publish(self.tidings, FACTS)
        self.records = {}
        for domain in ("shop.test", "quiet.test", "xn--bcher-kva.test", "foreign.test"):
            done = json.loads(self.tidings.ctl("dkim", "new", "--json", domain))
            self.records[domain] = done["record"]
        self.reload()

    def reload(self):
        before = self.log().count(": reloaded")
        self.tidings.milter.reload()
        wait_until(lambda: self.log().count("reloaded") > before, what="the reload")

    def restart(self, **settings):
        self.tidings.config(**settings)
        self.tidings.milter.stop()
        self.tidings.milter.start()

    def verdicts(self, got, domain="shop.test"):
        return dkim_verify.verify_all(got.data, self.records[domain])

    def good(self, got, domain="shop.test"):
        assert self.verdicts(got, domain) == {"libopendkim": None, "dkimpy": None, "ours": None}
        (value,) = got.headers("DKIM-Signature")
        tags = dkim_verify.tags(value)
        assert (tags["d"], tags["a"], tags["c"]) == (domain, "rsa-sha256", "relaxed/relaxed") and "l" not in tags
        return tags


@pytest.fixture(scope="module")
def setting(workdir):
    setting = Signing(workdir)
    yield setting
    setting.stop()


def unsigned(got):
    return got.headers("DKIM-Signature") == []


@pytest.mark.parametrize("shape", [*SHAPES, "text"])
def test_signed(setting, shape):
    """Rewritten or left: what is delivered verifies."""
    got = setting.send(setting.message(SHAPES.get(shape, PLAIN)))
    assert got.body == PLAIN.partition(b"\r\n\r\n")[2] or shape != "text"
    setting.good(got)


def test_place(setting):
    """K4: below the MTA's Received, above all that it signs."""
    got = setting.send(setting.message(SHAPES["plain"], b"X-Tidings-List: news\r\n"))
    names = [name.decode().lower() for name in map(dkim_verify.name_of, dkim_verify.split(got.data)[0])]
    assert names.index("dkim-signature") == names.index("received") + 1
    assert "x-tidings-list" not in names


def test_added_fields(setting):
    """The fields that we add are signed, and cannot be added to."""
    got = setting.send(setting.message(SHAPES["plain"], b"X-Tidings-List: news\r\n"))
    tags = setting.good(got)
    names = dkim_verify.squeezed(tags["h"]).lower().split(":")
    assert names.count("list-unsubscribe") == names.count("list-unsubscribe-post") == 2
    assert names.count("from") == 2 and names.count("cc") == 1
    assert len(got.headers("List-Unsubscribe")) == len(got.headers("List-Unsubscribe-Post")) == 1
    for field in (b"List-Unsubscribe: <https://evil.test/>", b"Subject: x", b"From: x@evil.test"):
        changed = got.data.replace(b"DKIM-Signature:", field + b"\r\nDKIM-Signature:", 1)
        assert None not in dkim_verify.verify_all(changed, setting.records["shop.test"]).values()


def test_completed_header(setting):
    """K8: Postfix adds what is missing, and the signature is over that."""
    message = b"From: a@shop.test\r\nTo: b@example.org\r\nSubject: bare\r\n\r\nHello\r\n"
    got = setting.send(message)
    assert got.headers("Date") and got.headers("Message-ID")
    setting.good(got)


def test_sendmail(setting):
    """The same from sendmail(1), whose mail is our own where the configuration says
    so; and one field of it is folded with LF alone."""
    setting.restart(milter_originating="{ORIGINATING, mx.tidings.test}")
    before = len(setting.sink.mails)
    message = b"From: a@shop.test\nTo: b@example.org\nSubject: bare\n and folded\n\nHello\n"
    setting.postfix.sendmail("a@shop.test", "b@example.org", message)
    wait_until(lambda: len(setting.sink.mails) > before, what="the message in the sink")
    setting.restart(milter_originating="ORIGINATING")
    got = setting.sink.mails[before]
    assert got.headers("Date") and got.headers("Message-ID")
    setting.good(got)


def test_missing_recipient_field(setting):
    got = setting.send(b"From: a@shop.test\r\nSubject: nobody named\r\n\r\nHello\r\n")
    setting.good(got)


@pytest.mark.parametrize(
    "name, sender",
    [
        ("no tenant's, though there is a key", "a@foreign.test"),
        ("another tenant's", "a@quiet.test"),
        ("another tenant's below ours", "a@rented.shop.test"),
        ("not known", "a@elsewhere.test"),
    ],
)
def test_foreign_from(setting, name, sender):
    """T27: the authenticated tenant must own the domain in From."""
    got = setting.send(setting.message(PLAIN, sender=sender), sender="a@shop.test", port=setting.postfix.smtp_port, login="anna")
    assert unsigned(got)


def test_several_from(setting):
    for field in (b"From: a@shop.test, x@elsewhere.test", b"From: a@shop.test\r\nFrom: x@elsewhere.test"):
        message = setting.message(PLAIN).replace(b"From: Anna <a@shop.test>", field)
        assert unsigned(setting.send(message))


def test_not_ours(setting):
    """By the listener for the world nothing is signed, whatever From says."""
    assert unsigned(setting.send(setting.message(PLAIN), port=setting.postfix.smtp_port))


def test_domains(setting):
    """Each tenant's own key; a sub-domain's is that of the domain above; K7."""
    got = setting.send(setting.message(PLAIN, sender="a@quiet.test"), sender="a@quiet.test")
    setting.good(got, "quiet.test")
    got = setting.send(setting.message(SHAPES["plain"], sender="a@news.shop.test"), sender="a@news.shop.test")
    setting.good(got)
    message = setting.message(PLAIN).replace(b"a@shop.test", "a@b\u00fccher.test".encode())
    got = setting.send(message, login="anna")
    setting.good(got, "xn--bcher-kva.test")


def test_signed_before(setting):
    """A signature that is there is left alone, and the log says that somebody signs
    before us."""
    sent = setting.message(SHAPES["plain"])
    first = setting.send(sent)
    again = setting.send(first.untraced)
    assert again.headers("DKIM-Signature") == first.headers("DKIM-Signature")
    setting.good(again)
    assert "signer-before" not in setting.log()
    other = b"DKIM-Signature: v=1; a=rsa-sha256; d=Shop.test; s=theirs; h=from; bh=AA==; b=AA==\r\n"
    got = setting.send(other + setting.message(SHAPES["plain"]))
    assert len(got.headers("DKIM-Signature")) == 1 and b"t.shop.test" not in got.body
    assert setting.log().count("signer-before tenant=shop") == 1


def test_what_breaks_on_the_way(setting):
    """A line that the MTA would break: delivered, unsigned, and logged."""
    part = b"Content-Type: text/plain\r\n\r\n" + b"x" * 1200 + b"\r\n"
    got = setting.send(setting.message(part))
    assert unsigned(got)
    wait_until(lambda: "unsigned reason=" in setting.log(), what="the line in the log")
    assert "a line of more than 998 bytes" in setting.log()


def test_big(setting):
    """A body of many chunks, as 8 bits and as an attachment."""
    text = ("Gr\u00fc\u00dfe aus der Ferne, \t und so weiter.  \r\n" * 30000).encode()
    setting.good(setting.send(setting.message(b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text)))
    setting.good(setting.send(setting.message(multipart(b"mixed", b"m", html_part("base64"), b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text))))


def test_keys_are_the_milters(setting):
    """T27: no other user, the tracker's for one, can read them."""
    for path in sorted((setting.tidings.root / "dkim").rglob("*")):
        state = path.stat()
        assert state.st_uid == MILTER and not state.st_mode & (stat.S_IRWXG | stat.S_IRWXO), path
        if path.is_file():
            done = subprocess.run(
                [sys.executable, "-c", f"import os; os.setgroups([{os.stat(setting.tidings.keys).st_gid}]); os.setuid({TRACKER}); open({str(path)!r})"],
                capture_output=True, text=True,
            )
            assert "PermissionError" in done.stderr


def test_reload(setting):
    """A new selector signs from the reload on, and a key that others can read is
    refused while the old ones go on."""
    setting.tidings.ctl("dkim", "new", "--selector", "u1", "quiet.test")
    send = lambda: setting.send(setting.message(PLAIN, sender="a@quiet.test"), sender="a@quiet.test")
    old = setting.records["quiet.test"]
    assert setting.good(send(), "quiet.test")["s"] != "u1"
    setting.reload()
    setting.records["quiet.test"] = json.loads(setting.tidings.ctl("dkim", "show", "--json", "quiet.test"))["record"]
    assert setting.records["quiet.test"] != old
    assert setting.good(send(), "quiet.test")["s"] == "u1"
    key = setting.tidings.root / "dkim/quiet.test/u1.pem"
    key.chmod(0o644)
    setting.tidings.milter.reload()
    wait_until(lambda: "reload-failed" in setting.log(), what="the refusal")
    assert f"{key}: refused" in setting.log()
    assert setting.good(send(), "quiet.test")["s"] == "u1"
    key.chmod(0o600)


def test_off(setting):
    setting.restart(dkim_sign="no")
    got = setting.send(setting.message(SHAPES["plain"]))
    setting.restart(dkim_sign="yes")
    assert unsigned(got)
    setting.good(setting.send(setting.message(SHAPES["plain"])))


def test_unsafe_key_at_start(setting):
    key = next((setting.tidings.root / "dkim/shop.test").iterdir())
    setting.tidings.milter.stop()
    key.chmod(0o640)
    try:
        with pytest.raises(AssertionError, match="its owner alone can read"):
            setting.tidings.milter.start()
    finally:
        key.chmod(0o600)
        setting.tidings.milter.start()


# --- tidings dkim

def test_show_and_check(setting):
    ctl, root = setting.tidings.ctl, setting.tidings.root
    zone = ctl("dkim", "show", "shop.test")
    strings = zone.split('"')[1::2]
    assert "".join(strings) == setting.records["shop.test"] and max(map(len, strings)) <= 255
    copy = root / "record.txt"
    copy.write_text(zone)
    assert "is good" in ctl("dkim", "check", "--record", copy, "shop.test")
    copy.write_text(setting.records["foreign.test"])
    done = ctl("dkim", "check", "--record", copy, "shop.test", check=False)
    assert done.returncode == 65 and "another key" in done.stderr
    done = ctl("dkim", "show", "nobody.test", check=False)
    assert done.returncode == 65 and "tidings dkim new nobody.test" in done.stderr
    # Without a network: said in words, within seconds.
    unshare = ["unshare", "-n", build_folder() / "ctl/tidings", "-c", setting.tidings.conf, "dkim", "check", "shop.test"]
    done = subprocess.run(unshare, capture_output=True, text=True, timeout=60)
    if "unshare" not in done.stderr:
        assert done.returncode == 75 and "DNS cannot be asked from here" in done.stderr
