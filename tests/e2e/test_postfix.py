"""The ground under the other tests: the private Postfix hands a message on byte
for byte, from each door, and the sink keeps what came."""

import os
import smtplib
import socket
import struct
import subprocess
import threading

import pytest

from postfix import Postfix, answers, submit, wait_until
from sink import Sink
from tidings import MILTER, Tidings

HEAD = (
    b"From: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= <shop@sender.test>\r\n"
    b"To: reader@example.test\r\n"
    b"Subject:  two spaces,\r\n\tand a folded line\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
    b"Message-ID: <one@sender.test>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n"
    b"\r\n"
)

BODIES = {
    "plain": b"hello\r\n",
    "empty": b"",
    "dots": b".\r\n..\r\n.leading\r\n...\r\nend.\r\n",
    "eight bits": "Grüße, 日本\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n",
    "white space": b"trailing \t \r\n\r\n \r\n\r\n",
    "long line": b"x" * 990 + b"\r\n",
    "looks like a header": b"Received: not a trace\r\nFrom someone\r\n",
    "large": b"0123456789abcdef" * 5 + b"\r\n" + b"y" * 78 + b"\r\n" * 20000,
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("door", ["smtp", "submission", "sendmail"])
def test_bytes(postfix, sink, door, name):
    message = HEAD + BODIES[name]
    sink.clear()
    if door == "sendmail":
        postfix.sendmail("shop@sender.test", "reader@example.test", message.replace(b"\r\n", b"\n"), user="nobody")
    else:
        port = postfix.smtp_port if door == "smtp" else postfix.submission_port
        submit(port, "shop@sender.test", "reader@example.test", message)
    mail = sink.wait_for(1)[0]
    assert mail.sender == "shop@sender.test"
    assert mail.recipients == ["reader@example.test"]
    assert mail.untraced == message
    assert len(mail.data) > len(message), "Postfix adds its Received"


def test_swaks(postfix, sink, fresh_workdir):
    """A client that is not ours sends, and what it sent arrives."""
    sink.clear()
    message = HEAD + BODIES["dots"]
    file = fresh_workdir / "message.eml"
    file.write_bytes(message.replace(b"\r\n", b"\n"))
    command = ["swaks", "--silent", "2", "--server", "127.0.0.1", "--port", str(postfix.smtp_port)]
    command += ["--from", "shop@sender.test", "--to", "reader@example.test", "--data", f"@{file}"]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)
    # swaks ends the data with an empty line of its own.
    assert sink.wait_for(1)[0].untraced.rstrip(b"\r\n") == message.rstrip(b"\r\n")


def test_envelope(postfix, sink):
    """Several recipients and a null sender are kept as they were."""
    sink.clear()
    recipients = [f"r{n}@example.test" for n in range(5)]
    submit(postfix.smtp_port, "", recipients, HEAD + b"x\r\n")
    mail = sink.wait_for(1)[0]
    assert mail.sender == ""
    assert sorted(mail.recipients) == recipients


def test_login(postfix, sink):
    """The log, which is also where milters' macros come from, shows the user."""
    sink.clear()
    queue_id = submit(postfix.submission_port, "a@sender.test", "b@example.test", HEAD + b"x\r\n", login="alice")
    sink.wait_for(1)
    wait_until(lambda: f"{queue_id}: removed" in postfix.log(), what="the message leaves the queue")
    lines = [line for line in postfix.log().splitlines() if queue_id in line]
    assert any("sasl_username=alice" in line and "submission/smtpd" in line for line in lines), lines


def test_refused_by_sink(postfix, sink):
    """A 4xx keeps the message in the queue until the sink takes it; a 5xx makes
    a bounce, which comes to the sink as well."""
    sink.clear()
    sink.replies["late@example.test"] = "450 4.2.0 later"
    sink.replies["gone@example.test"] = "550 5.1.1 no such user"
    submit(postfix.smtp_port, "shop@sender.test", "late@example.test", HEAD + b"late\r\n")
    submit(postfix.smtp_port, "shop@sender.test", "gone@example.test", HEAD + b"gone\r\n")
    bounce = sink.wait_to("shop@sender.test")[0]
    assert bounce.sender == ""
    assert b"5.1.1" in bounce.data
    queued = wait_until(postfix.queue, what="the message is deferred")
    assert [r["address"] for m in queued for r in m["recipients"]] == ["late@example.test"]
    assert not sink.to("late@example.test")
    del sink.replies["late@example.test"]
    postfix.flush()
    assert sink.wait_to("late@example.test")[0].body == b"late\r\n"
    postfix.wait_empty()


def test_refused_by_postfix(postfix):
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        submit(postfix.smtp_port, "a@sender.test", ["b@example.test", ""], HEAD)


def test_milter_missing(fresh_workdir):
    """A milter that does not answer makes Postfix say 4xx (tempfail): nothing
    is lost and nothing goes out unseen."""
    with Sink() as sink, Postfix(fresh_workdir, sink=sink, milters=[fresh_workdir / "none.sock"]) as postfix:
        for port in (postfix.smtp_port, postfix.submission_port):
            with pytest.raises(smtplib.SMTPResponseException) as refused:
                submit(port, "a@sender.test", "b@example.test", HEAD)
            assert 400 <= refused.value.smtp_code < 500
        postfix.sendmail("a@sender.test", "b@example.test", HEAD.replace(b"\r\n", b"\n"))
        assert postfix.queue(), "sendmail's message waits"
        # Without the milter in its configuration it goes out.
        postfix.config(smtpd_milters="", non_smtpd_milters="")
        postfix.reload()
        postfix.flush()
        assert sink.wait_to("b@example.test", timeout=30)
        submit(postfix.smtp_port, "a@sender.test", "c@example.test", HEAD)
        assert sink.wait_to("c@example.test")


class Listener(threading.Thread):
    """Just enough of the milter protocol to hear the macros: asks to be asked
    for no replies, and accepts at the end of the message."""

    NO_REPLIES = 0x000FF080

    def __init__(self, path):
        super().__init__(daemon=True)
        self.macros = {}
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        os.chown(path, MILTER, -1)
        os.chmod(path, 0o660)

    def run(self):
        while True:
            client, _ = self._server.accept()
            with client, client.makefile("rb") as stream:
                while head := stream.read(5):
                    length, command = struct.unpack(">Ic", head)
                    self.answer(client, command, stream.read(length - 1))

    def answer(self, client, command, data):
        if command == b"O":
            version, actions, protocol = struct.unpack(">III", data[:12])
            client.sendall(struct.pack(">IcIII", 13, b"O", version, actions, protocol & self.NO_REPLIES))
        elif command == b"D":
            words = data[1:].split(b"\0")[:-1]
            self.macros.update(zip(words[::2], words[1::2]))
        elif command == b"E":
            client.sendall(struct.pack(">Ic", 1, b"a"))


def test_macros(fresh_workdir):
    """A milter in the folder that Tidings gives it hears who has authenticated,
    and at which listener."""
    tidings = Tidings(fresh_workdir)
    milter = Listener(tidings.milter_socket)
    milter.start()
    with Sink() as sink, Postfix(fresh_workdir, sink=sink, milters=[tidings.milter_socket]) as postfix:
        submit(postfix.smtp_port, "a@sender.test", "b@example.test", HEAD)
        assert b"{auth_authen}" not in milter.macros
        assert milter.macros[b"{daemon_name}"] != b"ORIGINATING"
        queue_id = submit(postfix.submission_port, "a@sender.test", "b@example.test", HEAD, login="alice")
        assert milter.macros[b"{auth_authen}"] == b"alice"
        assert milter.macros[b"{daemon_name}"] == b"ORIGINATING"
        assert milter.macros[b"i"] == queue_id.encode()
        milter.macros.clear()
        postfix.sendmail("a@sender.test", "c@example.test", HEAD.replace(b"\r\n", b"\n"))
        sink.wait_to("c@example.test")
        assert milter.macros[b"{mail_addr}"] == b"a@sender.test"


def test_killed(fresh_workdir):
    """What Postfix acknowledged survives its SIGKILL, and the instance starts
    again on the same ports and queue."""
    with Sink() as sink, Postfix(fresh_workdir, sink=sink) as postfix:
        sink.data_reply = "451 4.3.0 busy"
        submit(postfix.smtp_port, "a@sender.test", "b@example.test", HEAD + b"kept\r\n")
        postfix.kill()
        assert not answers(postfix.smtp_port)
        sink.data_reply = None
        postfix.start()
        assert sink.wait_for(1)[0].body == b"kept\r\n"


def test_two_instances(postfix, fresh_workdir):
    """Instances beside each other do not meet."""
    with Sink() as other_sink, Postfix(fresh_workdir, sink=other_sink) as other:
        assert {other.smtp_port, other.submission_port}.isdisjoint({postfix.smtp_port, postfix.submission_port})
        submit(other.smtp_port, "a@sender.test", "only@other.test", HEAD)
        assert other_sink.wait_to("only@other.test")


def test_sink_takes_what_comes():
    """Bare LF, bare CR, NUL and a dot behind a bare LF are kept as they are:
    only CRLF ends a line."""
    data = b"Subject: x\r\n\r\none\ntwo\rthree\n.\nfour\0\r\n..stuffed\r\n"
    with Sink() as sink, socket.create_connection(("127.0.0.1", sink.port), 10) as client:
        client.sendall(b"HELO c\r\nMAIL FROM:<a@b> SIZE=1\r\nRCPT TO:<c@d>\r\nDATA\r\n" + data + b".\r\nQUIT\r\n")
        mail = sink.wait_for(1)[0]
        assert mail.data == data.replace(b"\r\n..stuffed", b"\r\n.stuffed")
        assert mail.sender_parameters == "SIZE=1"


def test_waiting_fails_in_time():
    with Sink() as sink, pytest.raises(AssertionError, match="0 of 1 messages"):
        sink.wait_for(1, timeout=0.1)
