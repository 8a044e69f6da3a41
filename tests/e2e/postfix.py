"""A private Postfix for tests and the demo.

    with Sink() as sink, Postfix(workdir, sink=sink, milters=["/…/milter.sock"]) as postfix:
        submit(postfix.smtp_port, "a@shop.test", ["b@example.org"], message)

Debian's real Postfix, unpacked aside (aside.sh) and run from there: its own
configuration, queue, data and log below WORKDIR/postfix, ports of 127.0.0.1 that
were free, every outgoing message relayed to the sink. Nothing of the host's mail
system is read, changed or started. Needs root, and the users that
prepare.sh makes.

WORKDIR must have a short name (a Unix socket's path ends at 107 bytes) and let
others pass (mode 711 at least): Postfix's programs run as the user postfix.
"""

import grp
import json
import os
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import time
from pathlib import Path

# The queue directories with the owner and mode that Postfix wants of them.
_QUEUE = {
    "active": ("postfix", "root", 0o700),
    "bounce": ("postfix", "root", 0o700),
    "corrupt": ("postfix", "root", 0o700),
    "defer": ("postfix", "root", 0o700),
    "deferred": ("postfix", "root", 0o700),
    "flush": ("postfix", "root", 0o700),
    "hold": ("postfix", "root", 0o700),
    "incoming": ("postfix", "root", 0o700),
    "private": ("postfix", "root", 0o700),
    "saved": ("postfix", "root", 0o700),
    "trace": ("postfix", "root", 0o700),
    "maildrop": ("postfix", "postdrop", 0o1730),
    "public": ("postfix", "postdrop", 0o2710),
    "pid": ("root", "root", 0o755),
}

# No chroot anywhere: the unpacked programs and the milters' sockets lie outside.
_MASTER = """\
postlog    unix-dgram n - n - 1 postlogd
127.0.0.1:{smtp} inet n - n - - smtpd
{submission_service}\
pickup     unix  n - n 1 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
verify     unix  - - n - 1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n - - proxymap
proxywrite unix  - - n - 1 proxymap
smtp       unix  - - n - - smtp
relay      unix  - - n - - smtp
showq      unix  n - n - - showq
error      unix  - - n - - error
retry      unix  - - n - - error
discard    unix  - - n - - discard
local      unix  - n n - - local
virtual    unix  - n n - - virtual
lmtp       unix  - - n - - lmtp
anvil      unix  - - n - 1 anvil
scache     unix  - - n - 1 scache
"""


def aside(package, program=None):
    """The folder where PACKAGE was unpacked aside; FileNotFoundError if it was
    not."""
    top = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("TIDINGS_ASIDE") or Path(os.environ.get("TIDINGS_BUILD", top / "build")) / "aside")
    if not (folder / package / ".version").exists():
        raise FileNotFoundError(f"{package} is not in {folder}: run tests/e2e/aside.sh {package}")
    return folder / package


_given = set()


def free_port():
    """A port of 127.0.0.1 that nobody listens on, never the same twice. Below
    the range the kernel gives to clients, so that none takes it meanwhile."""
    try:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        low = 32768
    ports = list(range(10240, low)) or list(range(10240, 65536))
    start = int.from_bytes(os.urandom(4), "big") % len(ports)
    for port in ports[start:] + ports[:start]:
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise OSError("no free port on 127.0.0.1")


def wait_until(condition, timeout=20, what="condition", interval=0.02):
    """Calls CONDITION until it is true and gives its value; AssertionError
    after TIMEOUT seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout} s still not: {what}")
        time.sleep(interval)


def answers(port):
    """True if something accepts connections on 127.0.0.1:PORT."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def submit(port, sender, recipients, data, login=None, options=(), timeout=60):
    """Sends DATA (bytes, as they are; the final CRLF is added if missing) by
    SMTP and gives Postfix's queue id. LOGIN: as if that user had authenticated
    (XCLIENT, which Postfix takes from 127.0.0.1 here). OPTIONS: of MAIL FROM,
    such as "BODY=8BITMIME". smtplib's SMTPException if anything is refused, a
    single recipient included."""
    if isinstance(recipients, str):
        recipients = [recipients]
    with smtplib.SMTP("127.0.0.1", port, "client.test", timeout=timeout) as client:
        client.ehlo()
        if login is not None:
            code, text = client.docmd("XCLIENT", f"LOGIN={login}")
            if code != 220:
                raise smtplib.SMTPResponseException(code, text)
            client.ehlo()
        code, text = client.mail(sender, list(options))
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, text, sender)
        for recipient in recipients:
            code, text = client.rcpt(recipient)
            if code not in (250, 251):
                raise smtplib.SMTPRecipientsRefused({recipient: (code, text)})
        code, text = client.data(data)
        if code != 250:
            raise smtplib.SMTPDataError(code, text)
        # "2.0.0 Ok: queued as 4XYZ"
        return text.decode().rsplit(" ", 1)[-1]


class Postfix:
    """One instance; see the top of this file. Parameters:

    sink                a Sink (or a port) that gets all outgoing mail; None:
                        mail stays deferred
    milters             sockets that smtpd asks: a path or Postfix's own form
                        ("unix:/…", "inet:host:port")
    non_smtpd_milters   the same for mail of sendmail(1); default: as milters
    submission_milters  the same for the submission port; default: as milters
    overrides           further main.cf parameters, as keywords
    """

    def __init__(
        self, workdir, sink=None, milters=(), non_smtpd_milters=None, submission_milters=None, **overrides
    ):
        if os.getuid() != 0:
            raise PermissionError("a private Postfix needs root: its programs run as the user postfix")
        self.root = Path(workdir).resolve() / "postfix"
        self.aside = self._within_reach(aside("postfix"))
        self.etc = self.root / "etc"
        self.spool = self.root / "spool"
        self.data = self.root / "data"
        self.maillog = self.root / "mail.log"
        self.smtp_port = free_port()
        self.submission_port = free_port()
        self.master = None
        self._sink_port = getattr(sink, "port", sink)
        self._milters = list(milters)
        self._non_smtpd = list(milters if non_smtpd_milters is None else non_smtpd_milters)
        self._submission = list(milters if submission_milters is None else submission_milters)
        self._overrides = overrides
        self.environment = {
            "PATH": f"{self.aside}/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LD_LIBRARY_PATH": f"{self.aside}/usr/lib/postfix",
            "MAIL_CONFIG": str(self.etc),
            "LANG": "C",
        }
        self._make_folders()
        self.config()

    # --- folders and configuration

    def _within_reach(self, folder):
        """FOLDER, or a copy of it below the root when other users cannot get to
        it (a checkout in /root), since sendmail(1) may run as one of them."""
        if all(parent.stat().st_mode & 0o001 for parent in folder.resolve().parents):
            return folder
        copy = self.root / "aside"
        if not copy.exists():
            shutil.copytree(folder, copy, symlinks=True)
        return copy

    def _make_folders(self):
        mail, drop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        for folder in (self.root, self.etc, self.spool):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.data.mkdir(mode=0o700, exist_ok=True)
        os.chown(self.data, mail, -1)
        for name, (owner, group, mode) in _QUEUE.items():
            folder = self.spool / name
            folder.mkdir(exist_ok=True)
            os.chown(folder, mail if owner == "postfix" else 0, drop if group == "postdrop" else 0)
            os.chmod(folder, mode)
        # Made here, since postlogd would make it for root's eyes alone.
        self.maillog.touch()
        self.maillog.chmod(0o644)
        for name in ("post-install", "postfix-files", "postfix-script"):
            shutil.copy2(self.aside / "etc/postfix" / name, self.etc / name)

    @staticmethod
    def _milter_list(milters):
        return " ".join(f"unix:{m}" if str(m).startswith("/") else str(m) for m in milters)

    def _parameters(self):
        base = {
            # Where things are: all aside or below the workdir.
            "compatibility_level": "3.6",
            "queue_directory": self.spool,
            "data_directory": self.data,
            "command_directory": self.aside / "usr/sbin",
            "daemon_directory": self.aside / "usr/lib/postfix/sbin",
            "shlib_directory": self.aside / "usr/lib/postfix",
            "meta_directory": self.etc,
            "sendmail_path": self.aside / "usr/sbin/sendmail",
            "mailq_path": self.aside / "usr/bin/mailq",
            "newaliases_path": self.aside / "usr/bin/newaliases",
            "alternate_config_directories": self.etc,
            "html_directory": "no",
            "readme_directory": "no",
            "manpage_directory": self.root,
            "sample_directory": self.root,
            "import_environment": "MAIL_CONFIG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME LD_LIBRARY_PATH",
            "export_environment": "TZ MAIL_CONFIG LANG LD_LIBRARY_PATH",
            "maillog_file": self.maillog,
            "maillog_file_prefixes": self.root,
            # Who it is: loopback only, no names looked up, nothing is local.
            "myhostname": "mx.tidings.test",
            "mydomain": "tidings.test",
            "myorigin": "$myhostname",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "mydestination": "",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "smtp_host_lookup": "native",
            "smtp_dns_support_level": "disabled",
            "smtpd_peername_lookup": "no",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
            "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
            "smtpd_tls_security_level": "none",
            "smtp_tls_security_level": "none",
            # Where mail goes.
            "default_transport": "smtp" if self._sink_port else "retry:no sink",
            "relayhost": f"[127.0.0.1]:{self._sink_port}" if self._sink_port else "",
            # Milters.
            "smtpd_milters": self._milter_list(self._milters),
            "non_smtpd_milters": self._milter_list(self._non_smtpd),
            "milter_default_action": "tempfail",
            "milter_protocol": "6",
            # Quick to retry and not to be slowed down by a test's load.
            "in_flow_delay": "0",
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s",
            "smtp_connect_timeout": "5s",
            "smtp_connection_cache_on_demand": "yes",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_error_sleep_time": "0",
            "smtpd_client_restrictions": "",
            "smtpd_soft_error_limit": "1000",
            "smtpd_hard_error_limit": "1000",
            "default_destination_concurrency_limit": "20",
            "transport_retry_time": "1s",
            "message_size_limit": "104857600",
            "mailbox_size_limit": "0",
        }
        base.update(self._overrides)
        return base

    def config(self, **overrides):
        """Writes the configuration, with OVERRIDES of main.cf added to those
        given before. A running instance sees it after reload()."""
        self._overrides.update(overrides)
        lines = [f"{key} = {value}\n" for key, value in self._parameters().items()]
        self._write("main.cf", "".join(lines))
        submission = (
            f"127.0.0.1:{self.submission_port} inet n - n - - smtpd\n"
            "  -o syslog_name=postfix/submission\n"
            "  -o milter_macro_daemon_name=ORIGINATING\n"
            f"  -o {{ smtpd_milters = {self._milter_list(self._submission)} }}\n"
        )
        self._write("master.cf", _MASTER.format(smtp=self.smtp_port, submission_service=submission))

    def _write(self, name, text):
        """Writes a configuration file, dated back: Postfix waits a second or
        two before it trusts a file that has only just changed."""
        aside = self.etc / (name + ".new")
        aside.write_text(text)
        old = time.time() - 60
        os.utime(aside, (old, old))
        aside.rename(self.etc / name)

    # --- life

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, timeout=20):
        """Starts it, and waits until both ports answer."""
        # master wants to lead its own session: it stops its process group.
        with open(self.root / "master.out", "ab") as output:
            self.master = subprocess.Popen(
                [self.aside / "usr/lib/postfix/sbin/master", "-d", "-c", self.etc],
                env=self.environment,
                cwd=self.spool,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

        def up():
            if self.master.poll() is not None:
                raise AssertionError(f"Postfix ended at once:\n{self.log()[-4000:]}")
            return answers(self.smtp_port) and answers(self.submission_port)

        wait_until(up, timeout, "Postfix listens")

    def stop(self):
        """Stops it in the ordinary way; the queue stays. No harm if it is not
        running."""
        if self.master is None:
            return
        self._signal(signal.SIGTERM, 10)
        self.kill()

    def kill(self):
        """SIGKILL to all of it at once, as if the power went."""
        if self.master is None:
            return
        if not self._signal(signal.SIGKILL, 10):
            raise AssertionError("Postfix survives SIGKILL")
        self.master = None

    def _signal(self, number, timeout):
        """Signals all of the instance's processes; true when they are gone."""
        for pid in self._processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        end = time.monotonic() + timeout
        while self.master.poll() is None or self._processes():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def _processes(self):
        """The processes of master's session that have not ended."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                # pid (name) state parent group session ...
                state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(session) == self.master.pid and state != "Z":
                found.append(int(stat.parent.name))
        return found

    def reload(self):
        """Makes the running instance read its configuration again."""
        self.run("postfix", "reload")

    # --- its commands

    def run(self, program, *arguments, check=True, **options):
        """Runs one of Postfix's commands for this instance; gives the
        CompletedProcess with bytes."""
        command = [self.aside / "usr/sbin" / program, *arguments]
        done = subprocess.run(command, env=self.environment, cwd="/", capture_output=True, timeout=120, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{program} {arguments}: exit {done.returncode}: {done.stderr.decode()}")
        return done

    def sendmail(self, sender, recipients, data, user=None):
        """Hands DATA (LF line ends) to sendmail(1), as USER if given."""
        if isinstance(recipients, str):
            recipients = [recipients]
        options = {"input": data}
        if user is not None:
            # Debian's postdrop has a set-group-id bit, which the loader would
            # answer by ignoring where its libraries are: give the group itself.
            entry = pwd.getpwnam(user)
            options |= {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [grp.getgrnam("postdrop").gr_gid]}
        self.run("sendmail", "-i", "-f", sender, "--", *recipients, **options)

    def queue(self):
        """What is in the queue: a list of dicts (queue_name, queue_id, sender,
        recipients, …) as `postqueue -j` gives them."""
        out = self.run("postqueue", "-j").stdout
        return [json.loads(line) for line in out.splitlines() if line.strip()]

    def flush(self):
        """Tries all deferred mail now."""
        self.run("postqueue", "-f")

    def wait_empty(self, timeout=30):
        """Waits until no message is in the queue, maildrop included."""
        wait_until(lambda: not self.queue(), timeout, "the queue is empty", 0.1)

    def log(self):
        """The mail log so far, and what master wrote to its terminal."""
        text = ""
        for file in (self.root / "master.out", self.maillog):
            if file.exists():
                text += file.read_text(errors="replace")
        return text
