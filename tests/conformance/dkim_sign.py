"""Signatures against three verifiers (libopendkim, dkimpy, and dkim_verify.py, written
from the RFC): every message of the corpora that can be signed, the corner cases of
canonicalisation (K3), and messages that somebody changed, which all must refuse.
"""

import collections
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append("/usr/lib/python3/dist-packages")  # where Debian has dkimpy, whichever Python this is

try:
    import dkim  # noqa: F401
except ImportError:
    print("dkim_sign: not run: needs python3-dkim")
    sys.exit(77)

import dkim_verify  # noqa: E402

CORPORA = Path(os.environ.get("TIDINGS_CORPORA", ""))
BUILD = Path(os.environ["TIDINGS_BUILD"])
HEAD = b"From: Anna <a@shop.test>\r\nTo: b@example.org\r\nSubject: Hi\r\n"

count = collections.Counter()
refusals = collections.Counter()
faults = []


class Signer:
    def __init__(self, folder):
        self.process = subprocess.Popen(
            [BUILD / "tests/conformance/dkim-run", "sign", folder, "shop.test", "1795348800000000"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )

    def __call__(self, message):
        """The signed message, or None and why it is not."""
        self.process.stdin.write(b"%d\n" % len(message) + message)
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode().strip()
        if line.startswith("- "):
            return None, line[2:]
        return self.process.stdout.read(int(line)), None

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0, "dkim-run failed"


def good(name, signed, record, library):
    for verifier, fault in dkim_verify.verify_all(signed, record, library).items():
        count["verified"] += 1
        if fault:
            faults.append(f"{name}: {verifier} refuses it: {fault}")


def bad(name, changed, record, library):
    for verifier, fault in dkim_verify.verify_all(changed, record, library).items():
        count["changed"] += 1
        if not fault:
            faults.append(f"{name}: {verifier} accepts it")


# --- K3

BODIES = {
    "empty": b"",
    "one line": b"a\r\n",
    "no line end": b"a",
    "only empty lines": b"\r\n\r\n\r\n",
    "trailing empty lines": b"a\r\n\r\n\r\n",
    "trailing lines of blanks": b"a\r\n \t \r\n\t\r\n",
    "blanks at the end of a line": b"a  \t\r\nb \r\n",
    "blanks within a line": b"a  \t b\tc\r\n",
    "blanks at the beginning": b"  a\r\n\tb\r\n",
    "blanks alone": b" \t \r\n",
    "empty lines within": b"a\r\n\r\n \r\n\r\nb\r\n",
    "empty lines first": b"\r\n\r\na\r\n",
    "no line end after blanks": b"a \t",
    "8 bits": bytes(range(128, 256)) + b"\r\n",
    "control bytes": bytes(c for c in range(1, 32) if c not in (10, 13)) + b"\r\n",
    "dots": b".\r\n..\r\n",
    "a line of 998": b"x" * 998 + b"\r\n",
    "long": b"line of text \r\n" * 20000,
}
HEADS = {
    "folded": HEAD + b"References: <1@a>\r\n\t<2@a>\r\n  <3@a> \r\n",
    "many blanks": b"From:   Anna\t \t<a@shop.test>  \r\nTo:b@example.org\r\nSubject:\r\n",
    "empty fields": HEAD + b"Cc:\r\nDate: \r\nMessage-ID:\t\r\n",
    "capitals": b"FROM: a@shop.test\r\nsubject: x\r\nMIME-VERSION: 1.0\r\n",
    "8 bits": HEAD + "Cc: Gr\u00fc\u00df <c@shop.test>\r\n".encode() + b"Reply-To: \xff <d@shop.test>\r\n",
    "twice": HEAD + b"Subject: again\r\nCc: 1\r\nCc: 2\r\nList-Id: <a>\r\nList-Id: <b>\r\n",
    "with what is not signed": b"Received: x\r\nX-A: \x01\r\n" + HEAD + b"Return-Path: <>\r\n",
    "unsubscribe": HEAD + b"List-Unsubscribe: <https://t.shop.test/u/" + b"x" * 300 + b">\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
    "a fold in the middle": HEAD + b"Content-Type: text/html;\r\n charset=\"utf-8\"\r\n",
    "a fold that begins empty": HEAD + b"Cc:\r\n c@shop.test\r\n",
}


def corner_cases(sign, record, library):
    rows = {f"body: {n}": HEAD + b"\r\n" + b for n, b in BODIES.items()}
    rows |= {f"header: {n}": h + b"\r\nHello\r\n" for n, h in HEADS.items()}
    rows["header alone"] = HEAD + b"\r\n"
    for name, message in rows.items():
        signed, why = sign(message)
        if signed is None:
            faults.append(f"{name}: not signed: {why}")
            continue
        # What an MTA sends ends with a line end.
        good(name, signed if signed.endswith(b"\r\n") else signed + b"\r\n", record, library)
        count["corner cases"] += 1


# --- what somebody changed

def changes(signed):
    yield "body", signed[:-3] + b"X\r\n"
    yield "body grown", signed + b"more\r\n"
    yield "Subject", signed.replace(b"Subject: Hi", b"Subject: Ho")
    cut = signed.index(b"From: ")
    # K2: none of these was there; oversigning refuses them all the same.
    for field in (b"From: x@evil.test", b"Subject: x", b"To: x", b"Cc: x", b"Date: x", b"Message-ID: <x@x>",
                  b"MIME-Version: 1.0", b"Content-Type: text/plain", b"Content-Transfer-Encoding: 8bit",
                  b"List-Unsubscribe: <x>", b"List-Unsubscribe-Post: x"):
        yield f"one more {field.decode()}", signed[:cut] + field + b"\r\n" + signed[cut:]


def changed_messages(sign, record, library):
    signed, _ = sign(HEAD + b"\r\nHello\r\n")
    good("as it was", signed, record, library)
    # Relaxed: blanks and folds may change.
    good("blanks", signed.replace(b"Subject: Hi", b"subject:  Hi \t").replace(b"Hello\r\n", b"Hello \r\n\r\n"), record, library)
    good("another field", b"Received: x\r\n" + signed, record, library)
    for name, message in changes(signed):
        assert message != signed, name
        bad(name, message, record, library)


# --- corpora

def messages():
    for path in sorted(CORPORA.glob("mime/**/*.eml")) + sorted(CORPORA.glob("bounces/**/*.eml")):
        data = path.read_bytes()
        yield path.relative_to(CORPORA), data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    for path in sorted(CORPORA.glob("templates/**/*.html")):
        body = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        yield path.relative_to(CORPORA), HEAD + b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body


def corpora(sign, record, library):
    for name, message in messages():
        count["messages"] += 1
        # A signature that was there is another's affair.
        fields, body = dkim_verify.split(message)
        fields = [f for f in fields if dkim_verify.name_of(f) != b"dkim-signature"]
        signed, why = sign(b"".join(fields) + b"\r\n" + body)
        if signed is None:
            refusals[why] += 1
            continue
        count["signed"] += 1
        good(name, signed if signed.endswith(b"\r\n") else signed + b"\r\n", record, library)


def main():
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder, "shop.test")
        inner.mkdir()
        pem = inner / "s1.pem"
        subprocess.run(["openssl", "genrsa", "-out", pem, "2048"], check=True, capture_output=True)
        pem.chmod(0o600)
        public = subprocess.run(["openssl", "rsa", "-in", pem, "-pubout"], check=True, capture_output=True, text=True).stdout
        record = "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1])
        sign, library = Signer(folder), dkim_verify.LibOpenDKIM(record)
        corner_cases(sign, record, library)
        changed_messages(sign, record, library)
        corpora(sign, record, library)
        sign.close()
        library.close()
    for fault in faults:
        print(fault)
    for why, n in refusals.most_common():
        print(f"not signed: {n}: {why}")
    print(
        f"count: dkim: {count['signed']} of {count['messages']} corpus messages and {count['corner cases']} corner cases signed, "
        f"{count['verified']} verdicts of three verifiers on them, {count['changed']} on changed messages, {len(faults)} faults"
    )
    if not count["messages"]:
        print("dkim_sign: no corpora: set TIDINGS_CORPORA")
    return 1 if faults or not count["corner cases"] else 0


if __name__ == "__main__":
    sys.exit(main())
