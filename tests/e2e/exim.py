"""A private Exim for tests, as postfix.py is a private Postfix.

    with Sink() as sink, Exim(workdir, sink=sink) as exim:
        exim.submit("a@shop.test", ["b@example.org"], message, login="shop")

Debian's exim4-daemon-heavy, unpacked aside: its own configuration, spool and logs
below WORKDIR/exim, a port of 127.0.0.1 that was free, all mail sent to the sink. It
includes the files of contrib/exim as an administrator would. All of it runs as
the user Debian-exim (Exim asks for that name) from the start: with a configuration
named on its command line it keeps no root privilege.
"""

import os
import pwd
import re
import shutil
import signal
import smtplib
import subprocess
from pathlib import Path

from postfix import answers, aside, free_port, wait_until
from tidings import MILTER_JOURNAL, READERS, build_folder

CONTRIB = Path(__file__).resolve().parents[2] / "contrib/exim"

_CONF = """\
exim_path = {root}/exim4
exim_user = {uid}
exim_group = {gid}
spool_directory = {root}/spool
log_file_path = {root}/log/%s.log
pid_file_path = {root}/exim.pid
deliver_drop_privilege = true
keep_environment =
primary_hostname = mx.tidings.test
qualify_domain = tidings.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
disable_ipv6 = true
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_queue_per_connection = 0
tls_advertise_hosts =
ignore_bounce_errors_after = 0s
delay_warning =
acl_smtp_rcpt = accept_all
acl_smtp_data = tidings_own
acl_not_smtp = tidings_own
TIDINGS_FILTER = {filter}
TIDINGS_SAME_USER = yes
{main}
.include {contrib}/main.conf

begin acl
accept_all:
  accept
.include {contrib}/acl.conf

begin routers
out:
  driver = manualroute
  route_list = * 127.0.0.1::{sink} byname
  self = send
  transport = TIDINGS_TRANSPORT

begin transports
remote_smtp:
  driver = smtp
  allow_localhost
  hosts_try_fastopen =
.include {contrib}/transport.conf
  allow_localhost
  hosts_try_fastopen =
{transport}

begin retry
* * F,1h,1s

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{secret}}}}
  server_set_id = $auth2
  server_advertise_condition = yes
"""


class Exim:
    """One instance. TIDINGS: the Tidings whose filter it runs. TRANSPORT: further lines
    of the transport that has the filter; MAIN: of the main section; FILTER: the
    command instead of tidings-filter with the configuration of TIDINGS."""

    def __init__(self, workdir, tidings, sink, transport="", main="", filter=None):
        self.root = Path(workdir).resolve() / "exim"
        self.conf = self.root / "exim.conf"
        self.port = free_port()
        self.uid = pwd.getpwnam("Debian-exim").pw_uid
        self.daemon = None
        # In the groups of the keys and of the filter's journal.
        self._user = {"user": self.uid, "group": READERS, "extra_groups": [MILTER_JOURNAL]}
        for folder in (self.root, self.root / "spool", self.root / "log"):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            os.chown(folder, self.uid, READERS)
        # Without its set-user-id bit.
        shutil.copyfile(aside("exim4-daemon-heavy") / "usr/sbin/exim4", self.root / "exim4")
        (self.root / "exim4").chmod(0o755)
        self.program = build_folder() / "milter/tidings-filter"
        self._facts = {
            "root": self.root,
            "uid": self.uid,
            "gid": READERS,
            "port": self.port,
            "contrib": CONTRIB,
            "sink": sink.port,
            "filter": filter or f"{self.program} -c {tidings.conf}",
        }
        self.config(transport=transport, main=main)

    def config(self, **facts):
        """Writes the configuration anew, with FACTS as of the constructor. Deliveries
        see it at once."""
        self._facts.update(facts)
        self.conf.write_text(_CONF.format(**self._facts))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        with open(self.root / "exim.out", "ab") as output:
            self.daemon = subprocess.Popen(
                [self.root / "exim4", "-C", self.conf, "-bdf"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True, **self._user,
            )

        def up():
            assert self.daemon.poll() is None, f"Exim ended at once:\n{self.log()[-4000:]}"
            return answers(self.port)

        wait_until(up, 20, "Exim listens")

    def stop(self):
        """Ends the daemon and what it started: deliveries lead no session of their own."""
        if self.daemon:
            os.killpg(self.daemon.pid, signal.SIGTERM)
            self.daemon.wait(20)
        self.daemon = None

    def run(self, *words, input=None, check=True):
        command = [self.root / "exim4", "-C", self.conf, *words]
        done = subprocess.run(command, input=input, capture_output=True, timeout=120, cwd="/", **self._user)
        assert not check or done.returncode == 0, f"exim {words}: exit {done.returncode}: {done.stderr.decode()}{self.log()[-2000:]}"
        return done

    def submit(self, sender, recipients, data, login=None):
        """Sends DATA by SMTP, authenticated as LOGIN, and gives Exim's id of it."""
        with smtplib.SMTP("127.0.0.1", self.port, "client.test", timeout=60) as client:
            client.ehlo()
            if login:
                client.login(login, "secret", initial_response_ok=True)
            code, text = client.mail(sender)
            assert code == 250, text
            for recipient in recipients:
                code, text = client.rcpt(recipient)
                assert code == 250, text
            code, text = client.data(data)
            assert code == 250, text
            return text.decode().rpartition("id=")[2]

    def sendmail(self, sender, recipients, data):
        """As sendmail(1), DATA with LF line ends."""
        self.run("-i", "-f", sender, "--", *recipients, input=data)

    def queue(self):
        """The ids of what waits."""
        return re.findall(r"\b\w{6}-\w{6}-\w{2}\b", self.run("-bpr").stdout.decode())

    def flush(self):
        """Tries all that waits now, and returns when it was tried."""
        self.run("-qff")

    def log(self):
        files = [self.root / "exim.out", *sorted((self.root / "log").glob("*.log"))]
        return "".join(f.read_text(errors="replace") for f in files if f.exists())
