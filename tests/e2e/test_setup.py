"""tidings setup postfix: against a real Postfix, and against configurations of many
kinds with the real postconf."""

import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from circle import html_mail
from postfix import Postfix, aside, submit, wait_until
from sink import Sink
from test_milter import BASE
from tidings import MILTER, Tidings, build_folder

PAGE = '<p>Gruss</p><a href="https://example.com/">Go</a>'


class Setup:
    """tidings(1) with a postconf in its PATH."""

    def __init__(self, conf, folder, environment):
        self.conf, self.folder, self.environment = conf, Path(folder), environment
        self.kept = Path(conf).parent / "before-setup-postfix"

    def __call__(self, *words, status=0, environment=None, **options):
        # Postfix waits a second or two before it trusts a file that has only just changed.
        for name in ("main.cf", "master.cf"):
            if (self.folder / name).exists():
                os.utime(self.folder / name, (1, 1))
        command = [build_folder() / "ctl/tidings", "-c", self.conf, "setup", "postfix", "--config-directory", self.folder, *words]
        done = subprocess.run(command, env=environment or self.environment, capture_output=True, text=True, timeout=60, **options)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    def files(self):
        paths = [self.folder / name for name in ("main.cf", "master.cf")]
        return [(p.read_bytes(), p.stat().st_mode, p.stat().st_uid, p.stat().st_gid) for p in paths]

    def get(self, name):
        flag = "-P" if "/" in name else "-n"
        out = subprocess.run(["postconf", "-c", self.folder, flag, name], env=self.environment, capture_output=True, text=True, check=True).stdout
        return out.partition(" =")[2].strip() if out else None

    def set(self, flag, value):
        subprocess.run(["postconf", "-c", self.folder, flag, value], env=self.environment, check=True)


# --- with mail

MASTER_LINES = """\
reinject unix - n n - - pipe user=nobody argv={script} ${{sender}}
"""


class House:
    """A Postfix that knows nothing of Tidings, its smtpd and cleanup in a chroot, and
    the socket below its queue folder."""

    def __init__(self, workdir, sink):
        self.sink = sink
        self.postfix = Postfix(workdir, sink=sink, transport_maps="inline:{ pipe.test=reinject: }")
        script = workdir / "reinject"
        script.write_text(f'#!/bin/sh\nexec {self.postfix.aside}/usr/sbin/sendmail -i -f "$1" -- after@example.org\n')
        script.chmod(0o755)
        self.postfix._make_folders()
        # The pipe's program runs without postdrop's set-group-id bit.
        (self.postfix.spool / "maildrop").chmod(0o1777)
        socket = self.postfix.spool / "tidings"
        socket.mkdir()
        os.chown(socket, MILTER, pwd.getpwnam("postfix").pw_gid)
        socket.chmod(0o2750)
        self.tidings = Tidings(workdir, milter_socket=f"unix:{socket}/milter.sock")
        self.tidings.milter_socket = socket / "milter.sock"
        lines = self.postfix.etc / "master.cf"
        text = lines.read_text()
        start = text.index("  -o milter_macro_daemon_name")
        text = text[:start] + text[text.index("pickup "):]
        text = text.replace("inet n - n - - smtpd", "inet n - y - - smtpd").replace("cleanup    unix  n - n", "cleanup    unix  n - y")
        self.postfix._write("master.cf", "# as an administrator left it\n" + text + MASTER_LINES.format(script=script))
        self.setup = Setup(self.tidings.conf, self.postfix.etc, self.postfix.environment)

    def paths(self):
        """What arrives by each way in: tracked or not."""
        number = len(self.sink.mails)

        def message(name):
            return html_mail("a@shop.test", f"{name}@example.org", PAGE, subject=name)

        submit(self.postfix.submission_port, "a@shop.test", "submission@example.org", message("submission"))
        submit(self.postfix.smtp_port, "a@shop.test", "login@example.org", message("login"), login="shop")
        submit(self.postfix.smtp_port, "a@shop.test", "stranger@example.org", message("stranger"))
        self.postfix.sendmail("a@shop.test", "pickup@example.org", message("pickup").replace(b"\r\n", b"\n"))
        submit(self.postfix.smtp_port, "a@shop.test", "x@pipe.test", message("pipe"))
        mails = self.sink.wait_for(number + 5)[number:]
        found = {m.headers("Subject")[0]: m.body.count(BASE.encode()) for m in mails}
        assert all(PAGE.encode() in m.body for m in mails if not found[m.headers("Subject")[0]])
        return found


@pytest.fixture(scope="module")
def house(workdir):
    with Sink() as sink:
        house = House(workdir, sink)
        house.tidings.start()
        house.tidings.ctl("tenant", "add", "shop", "--title", "Shop", "--domain", "shop.test", "--track", "all", "--url", BASE)
        with house.postfix:
            yield house
        house.tidings.stop()


NOTHING = {"submission": 0, "login": 0, "stranger": 0, "pickup": 0, "pipe": 0}


def test_every_way(house):
    """After it each way in is tracked, a stranger's mail is not, and what a pipe hands
    in is ours; after --undo the files are what they were, and nothing is tracked."""
    before = house.setup.files()
    assert house.paths() == NOTHING
    dry = house.setup("--dry-run").stdout
    assert house.setup.files() == before and not house.setup.kept.exists()
    done = house.setup()
    assert not done.stderr, "no warning"
    assert [l for l in dry.splitlines() if l.startswith("postconf")] == [l for l in done.stdout.splitlines() if l.startswith("postconf")]
    assert house.setup.get("smtpd_milters") == "unix:tidings/milter.sock"
    house.postfix.reload()
    # A link and a pixel each.
    assert house.paths() == {"submission": 2, "login": 2, "stranger": 0, "pickup": 2, "pipe": 2}
    after = house.setup.files()
    assert "Nothing is to be changed" in house.setup().stdout
    assert house.setup.files() == after
    house.setup("--undo")
    assert house.setup.files() == before and not house.setup.kept.exists()
    house.postfix.reload()
    assert house.paths() == NOTHING


def test_milter_away(house):
    """A milter that does not answer is said beforehand, and mail waits for it."""
    house.tidings.milter.stop()
    try:
        assert "nobody answers at" in house.setup("--dry-run").stderr
    finally:
        house.tidings.milter.start()
    assert not house.setup("--dry-run").stderr


# --- with configurations

MASTER = """\
# a comment
smtp      inet  n       -       {chroot}       -       -       smtpd
#submission inet n       -       y       -       -       smtpd
#  -o smtpd_sasl_auth_enable=yes
{more}pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       {chroot}       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
"""


@pytest.fixture
def make(fresh_workdir):
    """Makes a configuration, and a Setup of it."""

    def made(main="", more="", chroot="n", socket=None, conf=""):
        folder = fresh_workdir / "postfix"
        folder.mkdir()
        queue = fresh_workdir / "spool"
        (folder / "main.cf").write_text(f"# a comment\ncompatibility_level = 3.6\nqueue_directory = {queue}\n{main}")
        (folder / "master.cf").write_text(MASTER.format(more=more, chroot=chroot))
        (folder / "main.cf").chmod(0o640)
        file = fresh_workdir / "tidings.conf"
        file.write_text(f'milter {{ socket = "{socket or "unix:/run/tidings/m.sock"}" }}\n{conf}'.replace("SPOOL", str(queue)))
        postfix = aside("postfix")
        environment = {"PATH": f"{postfix}/usr/sbin:/usr/bin:/bin", "LD_LIBRARY_PATH": f"{postfix}/usr/lib/postfix", "LANG": "C"}
        return Setup(file, folder, environment)

    return made


OURS = "unix:/run/tidings/m.sock"
OWN_ACTION = f"{{ {OURS}, default_action=tempfail, protocol=6 }}"
SUBMISSION = "submission inet n - n - - smtpd\n  -o syslog_name=postfix/submission\n"
MACRO = "submission/inet/milter_macro_daemon_name"

# name: (how it is, what is so afterwards, what is warned of)
PLANS = {
    "nothing there": (
        {"more": SUBMISSION},
        {"smtpd_milters": OURS, "non_smtpd_milters": OURS, MACRO: "ORIGINATING", "milter_default_action": None,
         "cleanup/unix/milter_macro_daemon_name": "ORIGINATING"}, []),
    "no submission": ({}, {"smtpd_milters": OURS}, ["no submission service"]),
    "a signer": (
        {"main": "smtpd_milters = inet:localhost:8891\nnon_smtpd_milters = inet:localhost:8891\n", "more": SUBMISSION},
        {"smtpd_milters": f"{OURS}, inet:localhost:8891", "non_smtpd_milters": f"{OURS}, inet:localhost:8891"}, []),
    "a reference": (
        {"main": "smtpd_milters = unix:opendkim/opendkim.sock,inet:localhost:11332\nnon_smtpd_milters = $smtpd_milters\n", "more": SUBMISSION},
        {"smtpd_milters": f"{OURS}, unix:opendkim/opendkim.sock, inet:localhost:11332", "non_smtpd_milters": "$smtpd_milters"}, []),
    "behind a signer": (
        {"main": f"smtpd_milters = inet:localhost:11332, {OURS}\nnon_smtpd_milters = {OURS}\n", "more": SUBMISSION},
        {"smtpd_milters": f"{OURS}, inet:localhost:11332", "non_smtpd_milters": OURS}, ["inet:localhost:11332 stands before Tidings"]),
    "behind another": (
        {"main": f"smtpd_milters = unix:/clamav/milter.sock {OURS}\nnon_smtpd_milters = {OURS}\n", "more": SUBMISSION},
        {"smtpd_milters": f"unix:/clamav/milter.sock {OURS}"}, []),
    "behind an unknown name": (
        {"main": f"signer = inet:localhost:1\nsmtpd_milters = $signer {OURS}\nnon_smtpd_milters = {OURS}\n", "more": SUBMISSION},
        {"smtpd_milters": f"{OURS}, $signer"}, ["$signer stands before"]),
    "accept, alone": (
        {"main": "milter_default_action = accept\nmilter_protocol = 2\n", "more": SUBMISSION},
        {"milter_default_action": "tempfail", "milter_protocol": "6", "smtpd_milters": OURS}, []),
    "accept, and others": (
        {"main": "milter_default_action = accept\nsmtpd_milters = { inet:localhost:8891, connect_timeout=10s }\n", "more": SUBMISSION},
        {"milter_default_action": "accept", "non_smtpd_milters": OWN_ACTION,
         "smtpd_milters": f"{OWN_ACTION}, {{ inet:localhost:8891, connect_timeout=10s }}"}, []),
    "a list of its own": (
        {"more": SUBMISSION + "  -o { smtpd_milters = inet:localhost:8891 { inet:localhost:2, default_action = accept } }\n"},
        {"submission/inet/smtpd_milters": f"{OURS},inet:localhost:8891,{{inet:localhost:2,default_action=accept}}"}, []),
    "a list elsewhere": (
        {"more": SUBMISSION + "127.0.0.1:10025 inet n - n - - smtpd\n  -o smtpd_milters=\n"},
        {"127.0.0.1:10025/inet/smtpd_milters": ""}, ["127.0.0.1:10025/inet has smtpd_milters of its own"]),
    "ports by number, and authentication": (
        {"more": "[::1]:465 inet n - n - - smtpd\n192.0.2.1:2525 inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n"},
        {"[::1]:465/inet/milter_macro_daemon_name": "ORIGINATING", "192.0.2.1:2525/inet/milter_macro_daemon_name": "ORIGINATING",
         "smtp/inet/milter_macro_daemon_name": None}, []),
    "another macro": (
        {"more": SUBMISSION + "  -o milter_macro_daemon_name=MSA\n"}, {MACRO: "MSA"}, ["add that to milter.originating"]),
    "another macro that is ours": (
        {"more": SUBMISSION + "  -o milter_macro_daemon_name=MSA\n", "socket": 'unix:/run/tidings/m.sock" originating = {"OWN", "MSA"} socket_group = "'},
        {MACRO: "MSA", "cleanup/unix/milter_macro_daemon_name": "OWN"}, []),
    "no milters": (
        {"more": SUBMISSION + "  -o receive_override_options=no_milters\n"}, {}, ["submission/inet asks no milter"]),
    "a content filter": ({"main": "content_filter = smtp:[127.0.0.1]:10024\n", "more": SUBMISSION}, {}, ["content filter smtp:[127.0.0.1]:10024"]),
    "a late macro": (
        {"main": "milter_end_of_data_macros = i {daemon_name}\n", "more": SUBMISSION},
        {"cleanup/unix/milter_macro_daemon_name": None}, ["milter_end_of_data_macros tells"]),
    "in a chroot": (
        {"more": SUBMISSION, "chroot": "y", "socket": "unix:SPOOL/tidings/m.sock"}, {"smtpd_milters": "unix:tidings/m.sock"}, []),
    "there already, from the root": (
        {"more": SUBMISSION, "main": "smtpd_milters = unix:$queue_directory/x unix:tidings/m.sock\n", "chroot": "y", "socket": "unix:SPOOL/tidings/m.sock"},
        {"smtpd_milters": "unix:tidings/m.sock, unix:$queue_directory/x"}, ["stands before"]),
    "by the network": (
        {"more": SUBMISSION, "chroot": "y", "socket": "inet:8899@127.0.0.1"}, {"smtpd_milters": "inet:127.0.0.1:8899"}, []),
}


@pytest.mark.parametrize("name", PLANS)
def test_plan(make, name):
    given, then, warned = PLANS[name]
    setup = make(**given)
    before = setup.files()
    dry = json.loads(setup("--dry-run", "--json").stdout)
    assert setup.files() == before and not dry["done"]
    done = setup()
    assert [l for l in done.stdout.splitlines() if l.startswith("postconf")] == dry["commands"]
    for parameter, value in then.items():
        assert setup.get(parameter) == value, parameter
    warnings = [w for w in dry["warnings"] if "nobody answers" not in w]
    assert len(warnings) == len(warned) and all(any(w in g for g in warnings) for w in warned), warnings
    # Again: nothing; undone: as it was.
    after = setup.files()
    assert "Nothing is to be changed" in setup().stdout
    assert setup.files() == after
    setup("--undo")
    assert setup.files() == before and not setup.kept.exists()
    assert "nothing to undo" in setup("--undo", status=65).stderr


def test_shell(make):
    """What --dry-run prints does the same in a shell."""
    given = PLANS["accept, and others"][0]
    setup = make(**given)
    commands = [l for l in setup("--dry-run").stdout.splitlines() if l.startswith("postconf")]
    for command in commands:
        subprocess.run(command, shell=True, check=True, env=setup.environment)
    assert "Nothing is to be changed" in setup().stdout


def test_undo_after_changes(make):
    """What somebody changed since stays; ours goes."""
    setup = make(main="smtpd_milters = inet:localhost:8891\n", more=SUBMISSION)
    setup()
    setup.set("-e", f"smtpd_milters = inet:localhost:1, {OURS}, inet:localhost:8891")
    setup.set("-e", "myhostname = changed.test")
    master = (setup.folder / "master.cf").read_bytes()
    dry = setup("--undo", "--dry-run").stdout
    assert "'smtpd_milters = inet:localhost:1, inet:localhost:8891'" in dry and "-X non_smtpd_milters" in dry
    assert (setup.folder / "master.cf").read_bytes() == master
    setup("--undo")
    assert setup.get("smtpd_milters") == "inet:localhost:1, inet:localhost:8891"
    assert setup.get("non_smtpd_milters") is None and setup.get("myhostname") == "changed.test"
    assert (setup.folder / "master.cf").read_bytes() == MASTER.format(more=SUBMISSION, chroot="n").encode()


def test_setup_again(make):
    """A second setup keeps what was there before the first."""
    setup = make(more=SUBMISSION)
    before = setup.files()
    setup()
    setup.set("-P", "submission/inet/smtpd_milters=inet:localhost:8891")
    setup()
    assert setup.get("submission/inet/smtpd_milters") == f"{OURS},inet:localhost:8891"
    setup("--undo")
    assert setup.get("submission/inet/smtpd_milters") == "inet:localhost:8891"
    assert setup.get(MACRO) is None
    assert setup.files()[0] == before[0]


def test_refused(make, fresh_workdir):
    setup = make(chroot="y", more=SUBMISSION)
    before = setup.files()
    done = setup(status=65)
    assert "runs in a chroot" in done.stderr and "/spool/tidings/milter.sock" in done.stderr
    assert not done.stdout and setup.files() == before and not setup.kept.exists()
    assert "is Postfix installed" in setup(status=69, environment={"PATH": "/nonexistent"}).stderr
    shutil.rmtree(setup.folder)
    setup = make(more=SUBMISSION)
    # Without root: only to look.
    nobody = {"user": pwd.getpwnam("nobody").pw_uid, "group": 65534, "extra_groups": []}
    if all(p.stat().st_mode & 1 for p in build_folder().resolve().parents):
        assert "only root" in setup(status=77, **nobody).stderr
    # Another Postfix than the one that was set up.
    setup()
    other = Setup(setup.conf, fresh_workdir / "other", setup.environment)
    shutil.copytree(setup.folder, other.folder)
    other.set("-X", "smtpd_milters")
    assert "undo that one first" in other(status=65).stderr
    assert "undo that one first" in other("--undo", status=65).stderr


def test_failing_half_way(make, fresh_workdir):
    """A command that fails leaves nothing changed."""
    setup = make(more=SUBMISSION)
    before = setup.files()
    folder = fresh_workdir / "bin"
    folder.mkdir()
    real = shutil.which("postconf", path=setup.environment["PATH"])
    (folder / "postconf").write_text(f'#!/bin/sh\ncase "$*" in *-P*=*) echo "no more" >&2; exit 1;; esac\nexec {real} "$@"\n')
    (folder / "postconf").chmod(0o755)
    done = setup(status=71, environment={**setup.environment, "PATH": f"{folder}:{setup.environment['PATH']}"})
    assert "no more" in done.stderr
    assert setup.files() == before and not setup.kept.exists()
