"""A verifier of DKIM signatures (RFC 6376) from the standard library alone; the RSA
step is openssl(1)'s. Written from the RFC, sharing nothing with our signer.

    verify(message, record) gives None if the topmost signature is good, else why
    it is not. MESSAGE has CR LF; RECORD is the text of the key's DNS record.
    verify_all(message, folder) is the verdict of three verifiers.
"""

import base64
import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

REQUIRED = {"v", "a", "b", "bh", "d", "h", "s"}


class Bad(Exception):
    pass


def split(message):
    """The fields, each as bytes with its line end, and the body."""
    head, found, body = message.partition(b"\r\n\r\n")
    if message.startswith(b"\r\n"):
        return [], message[2:]
    head = head + b"\r\n" if found else message
    fields = []
    for line in re.findall(rb"[^\n]*\n|[^\n]+$", head):
        if line[:1] in b" \t" and fields:
            fields[-1] += line
        else:
            fields.append(line)
    return fields, body


def name_of(field):
    return field.split(b":", 1)[0].strip(b" \t").lower()


def tags(text):
    """A tag list (section 3.2)."""
    found = {}
    for part in text.split(";"):
        if not part.strip(" \t\r\n"):
            continue
        name, equals, value = part.partition("=")
        name = name.strip(" \t\r\n")
        if not equals or name in found:
            raise Bad(f"tag list: {part!r}")
        found[name] = value.strip(" \t\r\n")
    return found


def squeezed(text):
    return re.sub(r"[ \t\r\n]", "", text)


def relaxed_field(field):
    """Section 3.4.2."""
    name, _, value = field.partition(b":")
    value = re.sub(rb"\r\n(?=[ \t])", b"", value)
    value = value[:-2] if value.endswith(b"\r\n") else value
    value = re.sub(rb"[ \t]+", b" ", value).strip(b" \t")
    return name.rstrip(b" \t").lower() + b":" + value + b"\r\n"


def relaxed_body(body):
    """Section 3.4.4."""
    lines = body.split(b"\r\n")
    lines = [re.sub(rb"[ \t]+", b" ", line) for line in lines]
    lines = [line[:-1] if line.endswith(b" ") else line for line in lines]
    while lines and lines[-1] == b"":
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def selected(fields, names):
    """Section 5.4.2: each name takes the last field of it that is left."""
    left = {}
    for field in fields:
        left.setdefault(name_of(field), []).append(field)
    return [left[n].pop() for n in names if left.get(n)]


def rsa_verify(public, signature, data):
    with tempfile.TemporaryDirectory() as folder:
        key, sig = Path(folder, "key"), Path(folder, "sig")
        key.write_bytes(b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(public) + b"-----END PUBLIC KEY-----\n")
        sig.write_bytes(signature)
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", key, "-signature", sig], input=data, capture_output=True)
        return done.returncode == 0


def check(message, record):
    fields, body = split(message)
    at = next((i for i, f in enumerate(fields) if name_of(f) == b"dkim-signature"), None)
    if at is None:
        raise Bad("there is no signature")
    field = fields.pop(at)
    sig = tags(field.partition(b":")[2].decode("ascii"))
    if REQUIRED - set(sig):
        raise Bad(f"tags are missing: {REQUIRED - set(sig)}")
    if (sig["v"], sig["a"], sig.get("c")) != ("1", "rsa-sha256", "relaxed/relaxed") or "l" in sig:
        raise Bad("not as we sign")
    if sig.get("q", "dns/txt") != "dns/txt":
        raise Bad("query")
    names = [n.strip().lower().encode() for n in squeezed(sig["h"]).split(":")]
    if b"from" not in names:
        raise Bad("From is not signed")
    if base64.b64decode(squeezed(sig["bh"]), validate=True) != hashlib.sha256(relaxed_body(body)).digest():
        raise Bad("body hash")
    key = tags(record)
    if key.get("v", "DKIM1") != "DKIM1" or key.get("k", "rsa") != "rsa":
        raise Bad("record")
    bare = re.sub(rb"((?:^|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*", rb"\1", field.partition(b":")[2])
    unsigned = relaxed_field(field.partition(b":")[0] + b":" + bare)[:-2]
    data = b"".join(map(relaxed_field, selected(fields, names))) + unsigned
    if not rsa_verify(base64.b64decode(squeezed(key["p"])), base64.b64decode(squeezed(sig["b"]), validate=True), data):
        raise Bad("signature")


def verify(message, record):
    try:
        check(message, record)
    except (Bad, ValueError) as error:
        return str(error) or repr(error)
    return None


# --- the other two

def verify_dkimpy(message, record):
    import dkim

    try:
        good = dkim.verify(message, dnsfunc=lambda *_, **__: record.encode())
    except dkim.DKIMException as error:
        return repr(error)
    return None if good else "bad"


class LibOpenDKIM:
    """tests/conformance/dkim-run verify."""

    def __init__(self, record):
        self.file = tempfile.NamedTemporaryFile("w")
        self.file.write(record)
        self.file.flush()
        run = Path(os.environ["TIDINGS_BUILD"]) / "tests/conformance/dkim-run"
        self.process = subprocess.Popen([run, "verify", self.file.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, message):
        self.process.stdin.write(b"%d\n" % len(message) + message)
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode().strip()
        return None if answer == "good" else answer or "no answer"

    def close(self):
        self.process.stdin.close()
        status = self.process.wait()
        self.process.stdout.close()
        self.file.close()
        assert status == 0


def verify_all(message, record, library=None):
    """{verifier: why not, or None}."""
    own = library or LibOpenDKIM(record)
    try:
        return {"libopendkim": own(message), "dkimpy": verify_dkimpy(message, record), "ours": verify(message, record)}
    finally:
        if not library:
            own.close()
