#!/usr/bin/python3
"""Compares lib/mail with Python's email, and looks for doubts it does not have.

Every message of the corpora, with LF and with CR LF, and each of them damaged in
some places: where we see no ambiguity, Python must see the same parts, types and
decoded bodies. Where it does not, readers disagree, and we would have edited.
"""
import base64
import email
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CORPORA = Path(os.environ["TIDINGS_CORPORA"])
DUMP = os.environ["TIDINGS_BUILD"] + "/tests/conformance/mail-dump"
DAMAGED = int(os.environ.get("DAMAGED", "20"))  # copies of each message


def theirs(message):
    kind = message.get_content_type()
    if kind in ("message/rfc822", "message/global") and message.is_multipart():
        return kind, [theirs(message.get_payload(0))]
    if message.get_content_maintype() == "message":
        return kind, None  # Python reads messages where we read none; not compared
    if message.is_multipart():
        return kind, [theirs(part) for part in message.get_payload()]
    return kind, message.get_payload(decode=True)


def ours(parts, i=0):
    part = parts[i]
    kind = part["type"] + "/" + part["subtype"]
    inside = [ours(parts, k) for k in range(i + 1, len(parts)) if parts[k]["parent"] == i]
    if inside or part["multipart"]:
        return kind, inside
    return kind, base64.b64decode(part["decoded"]) if "decoded" in part else b""


def unpadded(text):
    """RFC 2045 section 6.7 (3): white space at the end of a line does not count. Python keeps it."""
    return re.sub(rb"[ \t]+(?=\r?\n|$)", b"", text) if isinstance(text, bytes) else None


def difference(a, b, parts, path="1"):
    """Where the two differ in a part that we call clear, or None."""
    mine = next(part for part in parts if part["path"] == path)
    if isinstance(a[1], list) and isinstance(b[1], list) and len(a[1]) == len(b[1]):
        inner = [difference(x, y, parts, f"{path}.{n}") for n, (x, y) in enumerate(zip(a[1], b[1]), 1)]
        found = next((d for d in inner if d), None)
        if found:
            return found
        same = True
    else:
        same = a[1] is None or a[1] == b[1] or (
            mine["encoding"] == "quoted-printable" and unpadded(a[1]) == unpadded(b[1]))
    if a[0] == b[0] and same:
        return None
    if mine["ambiguity"] != "clear" or mine.get("broken") or mine["embedded"]:
        return None
    show = [x if isinstance(x, bytes) or x is None else f"{len(x)} parts" for x in (a[1], b[1])]
    return f"{path}: {a[0]} {show[0]!r:.200}, ours {b[0]} {show[1]!r:.200}"


def damage(raw, line_end, rng):
    """A copy with one to three lines lost, doubled, moved, joined, cut or changed."""
    lines = raw.split(line_end)
    for _ in range(rng.randint(1, 3)):
        # Most damage goes where the structure is.
        marked = [k for k, line in enumerate(lines) if line[:2] == b"--" or b":" in line or b"=" in line or not line]
        i = rng.choice(marked) if marked and rng.random() < 0.8 else rng.randrange(len(lines))
        line = lines[i]
        at = rng.randint(0, len(line))
        kind = rng.randrange(9)
        if kind == 0 and len(lines) > 1:
            del lines[i]
        elif kind == 1:
            lines.insert(rng.randint(0, len(lines)), line)
        elif kind == 2:
            lines[i] = line[:at] + rng.choice([b" ", b"\t", b"-", b"--", b";", b"\"", b"(", b")", b":", b"=", b"*0",
                                               b"\\", b"x", b"\r", b"\0", b"\xe4", b",", b"/"]) + line[at:]
        elif kind == 3:
            lines[i] = line[:at]
        elif kind == 4:
            lines[i] = line[at:]
        elif kind == 5 and i + 1 < len(lines):
            lines[i:i + 2] = [line + lines[i + 1]]
        elif kind == 6:
            lines[i:i + 1] = [line[:at], line[at:]]
        elif kind == 7:
            lines[i] = line.swapcase()
        else:
            lines.insert(i, rng.choice([b"", b" ", b"Content-Type: text/html", b"Content-Transfer-Encoding: base64",
                                        b"Content-Type: multipart/mixed; boundary=x", b"--x", b"junk"]))
    return line_end.join(lines)


def messages():
    rng = random.Random(1)
    for path in sorted(CORPORA.glob("**/*.eml")):
        original = path.read_bytes().replace(b"\r\n", b"\n")
        for line_end in b"\n", b"\r\n":
            raw = original.replace(b"\n", line_end)
            name = f"{path.relative_to(CORPORA)} with {'CR LF' if len(line_end) > 1 else 'LF'}"
            yield name, raw
            for copy in range(DAMAGED // 2):
                yield f"{name} damaged {copy}", damage(raw, line_end, rng)


def compare(batch, folder, totals):
    files = []
    for i, (_, raw) in enumerate(batch):
        files.append(folder / f"{i}.eml")
        files[-1].write_bytes(raw)
    run = subprocess.run([DUMP, *files], capture_output=True, check=True)
    for (name, raw), line in zip(batch, run.stdout.splitlines()):
        parts = json.loads(line)
        totals["messages"] += 1
        totals["parts"] += len(parts)
        totals["clear"] += parts[0]["ambiguity"] == "clear"
        found = difference(theirs(email.message_from_bytes(raw)), ours(parts), parts)
        if found:
            totals["faults"] += 1
            print(f"{name}: {found}")
            if "KEEP" in os.environ:
                Path(os.environ["KEEP"], name.replace("/", "_")).write_bytes(raw)


def main():
    if not CORPORA.is_dir():
        print(f"SKIP: no corpora in {CORPORA}")
        return 77
    totals = {"messages": 0, "parts": 0, "clear": 0, "faults": 0}
    with tempfile.TemporaryDirectory() as folder:
        batch = []
        for message in messages():
            batch.append(message)
            if len(batch) == 200:
                compare(batch, Path(folder), totals)
                batch = []
        compare(batch, Path(folder), totals)
    print("count: {messages} messages with {parts} parts compared with Python's email, {clear} without ambiguity; "
          "{faults} where it differs and we do not doubt".format(**totals))
    return 1 if totals["faults"] or not totals["clear"] else 0


sys.exit(main())
