#!/usr/bin/python3
"""Compares lib/mail with the corpus of stalwart's mail-parser.

Each message, with LF and with CR LF: the tree of parts, their types and decoded
bodies; and each value of the header tables. A difference must stand in one of the
tables below with its reason, or the test fails; one that stands there and is no
more fails too.
"""
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

CORPUS = Path(os.environ["TIDINGS_CORPORA"]) / "mime/stalwart"
DUMP = os.environ["TIDINGS_BUILD"] + "/tests/conformance/mail-dump"

# message -> why we see it otherwise
UUENCODED = "x-uuencode: we do not decode it; flagged, so never edited"
NO_BASE64 = "base64 with bytes that are none: they give up, we skip them; the part is never edited"
CHARSET = "bytes that are not of the declared charset: they put U+FFFD, this test shows them as Latin 1"
PREFIX = "a line that begins with a boundary and goes on: they take it for one; we do not, and flag the message"
UNENDED = "inner multiparts without end: they go on to the end of the message, we return to the outer; flagged"
HEADER = "a boundary inside a header section: they read over it, we end the section there; flagged"
TREES = {
    "legacy/017": UUENCODED,
    "legacy/026": UUENCODED,
    "legacy/048": UUENCODED,
    "legacy/033": CHARSET,
    "legacy/052": CHARSET,
    "legacy/049": "a bare CR: they take it for a line end; flagged",
    "malformed/000": HEADER,
    "malformed/001": HEADER,
    "malformed/007": HEADER,
    "malformed/019": HEADER,
    "malformed/020": HEADER,
    "malformed/021": HEADER,
    "thirdparty/015": HEADER,
    "malformed/002": "a multipart without a boundary line: they make it text; flagged",
    "malformed/004": PREFIX,
    "malformed/008": UNENDED,
    "malformed/009": UNENDED,
    "malformed/011": UNENDED,
    "malformed/012": UNENDED,
    "malformed/013": UNENDED,
    "malformed/014": "a boundary line at the very end: they open no part, we an empty one; flagged",
    "malformed/016": "boundaries that begin with one another: they find one level less; flagged",
    "malformed/022": "a message/rfc822 that begins with no field: they make it text, we a message without header",
    "rfc/000": NO_BASE64,
    "thirdparty/002": NO_BASE64,
    "rfc/008": "a message/rfc822 in base64: they walk into it; we never touch what is in a message",
    "thirdparty/004": "unknown transfer encodings: they take the bytes as they are; flagged, so never edited",
    "thirdparty/005": "UTF-16 in binary: bytes of half a character, and an end boundary within a line",
}

# (table, row from 0) -> why
LINKS = "a link is no mailbox: this reader is for From, To and the like"
COMMENT = "they join comments to a name; we take one only where there is no name"
SPACE = "they keep obsolete white space and comments inside an address or identifier"
LOOSE_ID = "no angle brackets: to match a reply it must be an identifier, so we take none"
VALUES = {
    ("address", 8): COMMENT,
    ("address", 9): COMMENT,
    ("address", 10): COMMENT,
    ("address", 11): COMMENT,
    ("address", 22): COMMENT,
    ("address", 56): COMMENT,
    ("address", 13): SPACE,
    ("address", 14): SPACE,
    ("address", 37): LINKS,
    ("address", 38): LINKS,
    ("address", 39): LINKS,
    ("address", 40): LINKS,
    ("address", 41): LINKS,
    ("address", 43): LINKS,
    ("address", 44): LINKS,
    ("address", 45): LINKS,
    ("address", 46): LINKS,
    ("address", 47): LINKS,
    ("address", 42): "they take a single word for an address; we for a name",
    ("address", 55): "a name behind the address: they take it, the grammar does not have it",
    ("date", 10): "a month by its number",
    ("date", 12): "numbers alone",
    ("date", 28): "a date behind a Received field: this reader is for Date",
    ("id", 6): SPACE,
    ("id", 8): LOOSE_ID,
    ("id", 9): LOOSE_ID,
    ("id", 10): LOOSE_ID,
    ("unstructured", 21): "they put a space between text and an encoded word beside it",
    ("unstructured", 27): "they put a space between text and an encoded word beside it",
    ("unstructured", 28): "they put a space between text and an encoded word beside it",
}


def content_type(part):
    for header in part["headers"]:
        if header["name"] == "content_type" and isinstance(header["value"], dict):
            return header["value"]["ContentType"]
    return None


def theirs(message, i=0):
    """(kind, type or None, content) of a part; the content of a container is a list."""
    part = message["parts"][i]
    (kind, value), = part["body"].items()
    field = content_type(part)
    name = f"{field['c_type']}/{field['c_subtype'] or ''}".lower() if field else None
    if kind == "Multipart":
        return "multipart", name, [theirs(message, k) for k in value]
    if kind == "Message":
        return "message", name, [theirs(value)]
    return "leaf", name, value if kind in ("Text", "Html") else bytes(value)


def ours(parts, i=0):
    part = parts[i]
    inside = [ours(parts, k) for k in range(i + 1, len(parts)) if parts[k]["parent"] == i]
    kind = "multipart" if part["multipart"] else "message" if inside else "leaf"
    content = inside if kind != "leaf" else (base64.b64decode(part.get("decoded", "")), part["charset"])
    return kind, part["type"] + "/" + part["subtype"], content


def text(decoded, charset):
    try:
        return decoded.decode(charset or "utf-8")
    except (LookupError, UnicodeDecodeError):
        return decoded.decode("latin-1")


def differences(a, b, path="1"):
    if a[0] != b[0]:
        return [f"{path}: {a[0]}, ours {b[0]}"]
    found = [f"{path}: type {a[1]}, ours {b[1]}"] if a[1] not in (None, b[1]) else []
    if a[0] == "leaf":
        same = text(*b[2]) == a[2] if isinstance(a[2], str) else b[2][0] == a[2]
        return found + ([] if same else [f"{path}: body {a[2][:40]!r}, ours {b[2][0][:40]!r}"])
    if len(a[2]) != len(b[2]):
        return found + [f"{path}: {len(a[2])} parts, ours {len(b[2])}"]
    for n, (x, y) in enumerate(zip(a[2], b[2]), 1):
        found += differences(x, y, f"{path}.{n}")
    return found


def count(part):
    return 1 if part[0] == "leaf" else 1 + sum(count(inner) for inner in part[2])


def compare_messages(folder):
    """{name: differences}, and how many messages and parts."""
    found, files, parts = {}, [], 0
    for path in sorted(CORPUS.glob("eml/**/*.eml")):
        for suffix, line_end in (".json", b"\n"), (".crlf.json", b"\r\n"):
            copy = folder / f"{len(files)}.eml"
            copy.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", line_end))
            files.append((copy, path, path.with_suffix(suffix)))
    run = subprocess.run([DUMP, *(copy for copy, _, _ in files)], capture_output=True, check=True)
    for (copy, path, tree), line in zip(files, run.stdout.splitlines()):
        expected, read = theirs(json.loads(tree.read_text())), json.loads(line)
        name = f"{path.parent.name}/{path.stem}"
        parts += count(expected)
        if different := differences(expected, ours(read)):
            found.setdefault(name, []).append(f"{tree.suffixes[0][1:]} {different[0]}")
            if "parts" in different[0] and all(part["ambiguity"] == "clear" for part in read):
                found[name + " is not flagged"] = different
    return found, len(files), parts


# ---- values of header fields: what the corpus expects, in the form mail-dump gives ----

def squeezed(value):
    return re.sub(r"\s+", " ", value or "").strip()


def expected_address(expected):
    if not expected:
        return []
    lists = [("", expected["List"])] if "List" in expected else [
        (group["name"] or "", group["addresses"]) for group in expected["Group"]]
    return [{"name": squeezed(a["name"]), "address": a["address"] or "", "group": squeezed(name)}
            for name, addresses in lists for a in addresses]


def expected_content(expected):
    if not expected:
        return {"type": "", "subtype": "", "params": {}}
    params = {}
    for name, value in expected["attributes"] or []:
        params.setdefault(name, squeezed(value))
    return {"type": expected["c_type"].lower(), "subtype": (expected["c_subtype"] or "").lower(), "params": params}


def expected_date(expected):
    if not expected:
        return None
    e = expected
    offset = (e["tz_hour"] * 3600 + e["tz_minute"] * 60) * (-1 if e["tz_before_gmt"] else 1)
    try:
        wall = datetime(e["year"], e["month"], e["day"], e["hour"], e["minute"], min(e["second"], 59))
    except ValueError:
        return None
    return [int((wall - datetime(1970, 1, 1)).total_seconds()) + max(0, e["second"] - 59) - offset, offset]


def plain(kind, value):
    """What mail-dump gave, without what the corpus does not say."""
    if kind == "text":
        return squeezed(value)
    if kind == "address":
        return [{**a, "name": squeezed(a["name"]), "group": squeezed(a["group"])} for a in value]
    if kind == "content":
        return {"type": value["type"], "subtype": value["subtype"],
                "params": {name: squeezed(v) for name, v in value["params"].items()}}
    return value


KINDS = {
    "address": ("address", expected_address),
    "content_type": ("content", expected_content),
    "date": ("date", expected_date),
    "id": ("ids", lambda expected: expected or []),
    "unstructured": ("text", squeezed),
}


def first_field(value):
    """The tables put another field behind some values: ours are given one field."""
    return re.split(r"\n(?![ \t])", value.replace("\r\n", "\n"), maxsplit=1)[0]


def compare_values():
    found, total = {}, 0
    for table, (kind, expect) in KINDS.items():
        rows = json.loads((CORPUS / f"{table}.json").read_text())
        values = [first_field(row["header"]) for row in rows]
        run = subprocess.run([DUMP, "--values", kind], input=json.dumps(values).encode(), capture_output=True,
                             check=True)
        total += len(rows)
        for i, (row, result) in enumerate(zip(rows, json.loads(run.stdout))):
            expected, result = expect(row["expected"]), plain(kind, result)
            if expected != result:
                found[table, i] = [f"{expected}, ours {result}"]
    return found, total


def report(found, known):
    """How many differences are not as the table says."""
    faults = 0
    for name in sorted(found.keys() - known.keys(), key=str):
        faults += 1
        print(f"{name}: " + "; ".join(found[name]))
    for name in sorted(known.keys() - found.keys(), key=str):
        faults += 1
        print(f"{name}: there is no difference any more ({known[name]})")
    return faults


def main():
    if not CORPUS.is_dir():
        print(f"SKIP: no corpus in {CORPUS}")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        trees, messages, parts = compare_messages(Path(folder))
    values, total = compare_values()
    faults = report(trees, TREES) + report(values, VALUES)
    print(f"count: {messages} messages with {parts} parts and {total} header values compared with stalwart's, "
          f"{len(trees)} and {len(values)} differ for the reasons listed, {faults} are faults")
    return 1 if faults else 0


sys.exit(main())
