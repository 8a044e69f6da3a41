"""An SMTP sink: takes every message and keeps it byte for byte.

    with Sink() as sink:
        ...                                  # something delivers to sink.port
        mails = sink.wait_for(3, timeout=10)
        mails[0].sender, mails[0].recipients, mails[0].data

`data` is what went over the wire between DATA and the final dot, dots
unstuffed, line ends as they came. A test makes the sink refuse or defer:
sink.replies["bob@example.org"] = "450 4.2.0 later" answers that RCPT, and
sink.data_reply = "451 4.3.0 busy" answers the final dot (the message is then
not kept). Everything here may be used from any thread.
"""

import re
import socketserver
import threading
import time
from dataclasses import dataclass, field

# What a client may send on one line outside DATA, and in one message.
MAX_LINE = 65536
MAX_MESSAGE = 512 * 1024 * 1024

_PATH = re.compile(rb"^(?:MAIL FROM|RCPT TO):\s*<([^>]*)>\s*(.*)$", re.IGNORECASE)


@dataclass
class Delivery:
    """One message as the sink took it."""

    sender: str
    recipients: list
    data: bytes
    at: float
    sender_parameters: str = ""
    recipient_parameters: list = field(default_factory=list)

    @property
    def header(self):
        """The header bytes, with the CRLF of the last header line."""
        head, found, _ = self.data.partition(b"\r\n\r\n")
        return head + b"\r\n" if found else self.data

    @property
    def body(self):
        """The bytes after the empty line."""
        return self.data.partition(b"\r\n\r\n")[2]

    def headers(self, name):
        """All values of header NAME, unfolded, as text, from top to bottom."""
        pattern = rb"(?im)^" + re.escape(name.encode()) + rb"[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)\r?$"
        found = re.findall(pattern, self.header)
        return [re.sub(rb"\r\n(?=[ \t])", b"", v).strip().decode("utf-8", "surrogateescape") for v in found]

    @property
    def untraced(self):
        """The data without the Received: headers at its top: what the sender
        of the message wrote, if no one on the way changed it."""
        data = self.data
        while True:
            match = re.match(rb"Received:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", data)
            if not match:
                return data
            data = data[match.end():]


class _Session(socketserver.StreamRequestHandler):
    """One connection; the commands RFC 5321 requires, and pipelining."""

    # Without this, Nagle's algorithm holds each reply back for 40 ms.
    disable_nagle_algorithm = True

    def reply(self, *lines):
        self.wfile.write("".join(line + "\r\n" for line in lines).encode())

    def handle(self):
        try:
            self.converse()
        except (ConnectionError, TimeoutError, ValueError):
            pass  # the client went away or broke the rules: nothing was taken

    def converse(self):
        self.reset()
        self.reply("220 sink.test ESMTP")
        while line := self.rfile.readline(MAX_LINE):
            command = line.rstrip(b"\r\n")
            verb = command.split(b" ", 1)[0].upper().decode("ascii", "replace")
            if verb == "QUIT":
                self.reply("221 2.0.0 bye")
                return
            getattr(self, "do_" + verb, self.unknown)(command)

    def reset(self):
        self.sender = None
        self.sender_parameters = ""
        self.recipients = []
        self.recipient_parameters = []

    def unknown(self, _command):
        self.reply("500 5.5.1 what?")

    def do_EHLO(self, _command):
        lines = ["sink.test", "PIPELINING", "SIZE"] + list(self.server.sink.extensions)
        self.reply(*("250-" + line for line in lines[:-1]), "250 " + lines[-1])

    def do_HELO(self, _command):
        self.reply("250 sink.test")

    def do_NOOP(self, _command):
        self.reply("250 2.0.0 ok")

    def do_RSET(self, _command):
        self.reset()
        self.reply("250 2.0.0 ok")

    def do_MAIL(self, command):
        match = _PATH.match(command)
        if not match:
            self.reply("501 5.1.7 bad sender")
            return
        self.reset()
        self.sender = match[1].decode("utf-8", "surrogateescape")
        self.sender_parameters = match[2].decode("utf-8", "surrogateescape")
        self.reply("250 2.1.0 ok")

    def do_RCPT(self, command):
        match = _PATH.match(command)
        if not match or self.sender is None:
            self.reply("501 5.1.3 bad recipient")
            return
        address = match[1].decode("utf-8", "surrogateescape")
        answer = self.server.sink.replies.get(address, "250 2.1.5 ok")
        if answer.startswith("2"):
            self.recipients.append(address)
            self.recipient_parameters.append(match[2].decode("utf-8", "surrogateescape"))
        self.reply(answer)

    def do_DATA(self, _command):
        if not self.recipients:
            self.reply("554 5.5.1 no valid recipients")
            return
        self.reply("354 go on")
        data = self.read_data()
        self.reply(self.server.sink.take(self, data))
        self.reset()

    def read_data(self):
        """Reads to the final dot. Only CRLF ends a line: a bare LF or CR is
        part of the message, and a dot behind it means nothing."""
        data = bytearray()
        at_start = True
        while True:
            line = self.rfile.readline(MAX_LINE)
            if not line:
                raise ConnectionError("the client left within DATA")
            if at_start and line == b".\r\n":
                return bytes(data)
            if at_start and line.startswith(b"."):
                line = line[1:]
            data += line
            if len(data) > MAX_MESSAGE:
                raise ValueError("message too large")
            at_start = data.endswith(b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class Sink:
    """A sink on a free port of 127.0.0.1; see the top of this file."""

    def __init__(self, port=0):
        self.replies = {}
        self.data_reply = None
        self.extensions = ["8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8"]
        self._mails = []
        self._arrived = threading.Condition()
        self._server = _Server(("127.0.0.1", port), _Session)
        self._server.sink = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, session, data):
        """Keeps a message (or not, if data_reply says so); gives the reply."""
        if self.data_reply:
            return self.data_reply
        mail = Delivery(
            sender=session.sender,
            recipients=list(session.recipients),
            data=data,
            at=time.time(),
            sender_parameters=session.sender_parameters,
            recipient_parameters=list(session.recipient_parameters),
        )
        with self._arrived:
            self._mails.append(mail)
            self._arrived.notify_all()
        return "250 2.0.0 taken"

    @property
    def mails(self):
        """All messages so far, in the order of their arrival."""
        with self._arrived:
            return list(self._mails)

    def clear(self):
        """Forgets the messages, and how to refuse."""
        with self._arrived:
            self._mails.clear()
        self.replies.clear()
        self.data_reply = None

    def to(self, address):
        """The messages that had ADDRESS among their recipients."""
        return [mail for mail in self.mails if address in mail.recipients]

    def wait_for(self, count, timeout=20, match=None):
        """Waits until COUNT messages (that MATCH, if given: a function of the
        Delivery) have arrived, and gives them all. AssertionError when TIMEOUT
        seconds pass first."""

        def found():
            return [mail for mail in self._mails if match is None or match(mail)]

        with self._arrived:
            if not self._arrived.wait_for(lambda: len(found()) >= count, timeout):
                raise AssertionError(f"{len(found())} of {count} messages in the sink after {timeout} s")
            return found()

    def wait_to(self, address, count=1, timeout=20):
        """wait_for() of messages to one recipient."""
        return self.wait_for(count, timeout, lambda mail: address in mail.recipients)
