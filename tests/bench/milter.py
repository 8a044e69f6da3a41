"""The milter's CPU a message, without and with signing it, beside a milter that does
nothing but replace the body, and beside opendkim signing (RSA-2048 all, opendkim
unpacked aside). They take turns
behind the same real Postfix, which throws the mail away and takes it over eight
connections; each figure is the median of the turns. CPU is that of the milter's process, all its threads.

TIDINGS_BENCH_MESSAGES: how many of 5 kB in a turn (default 400).
"""

import base64
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from postfix import Postfix, wait_until  # noqa: E402
from tidings import MILTER, READERS, Tidings, build_folder  # noqa: E402

MESSAGES = int(os.environ.get("TIDINGS_BENCH_MESSAGES", 400))
TURNS = 3
CONNECTIONS = 8
AIM_NOOP, AIM_OPENDKIM, AIM_SIGNING, AIM_RSS = 1.5, 0.25, 0.6, 20
FACTS = "tenant 1 shop all https://t.shop.test\ndomain 1 shop.test\n"


def skip(why):
    print(f"milter bench: not run: {why}")
    sys.exit(77)


# --- the messages

HEADER = b"From: Anna <a@shop.test>\r\nTo: b@example.org\r\nSubject: News\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
PAGE = b"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body>\r\n%s</body></html>\r\n"
LINE = b'<p style="margin:0;padding:4px">The quick brown fox jumps over the lazy dog, and so on.</p>\r\n'


def page(size, links):
    text = b"".join(b'<p><a href="https://shop.test/p/%d?utm_source=mail&amp;n=%d">Read more</a></p>\r\n' % (i, i) for i in range(links))
    return PAGE % (text + LINE * ((size - len(text)) // len(LINE)))


def attachment(size):
    blob = base64.encodebytes(os.urandom(size * 3 // 4)).replace(b"\n", b"\r\n")
    return (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + page(5000, 3) + b"\r\n--b\r\nContent-Type: application/pdf\r\n"
        b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\n" + blob + b"\r\n--b--\r\n"
    )


CASES = {
    "5 kB, 3 links": (HEADER + page(5000, 3), MESSAGES),
    "50 kB, 30 links": (HEADER + page(50000, 30), MESSAGES),
    "5 MB attachment": (HEADER + attachment(5000000), max(MESSAGES // 20, 8)),
}


def load(port, message, count):
    """COUNT messages over all connections at once."""
    share = -(-count // CONNECTIONS)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(send, port, message, share) for _ in range(CONNECTIONS)]:
            done.result()
    return share * CONNECTIONS


def send(port, message, count):
    """COUNT times over one connection, each command in one segment."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        replies = client.makefile("rb")

        def expect(code):
            while (line := replies.readline())[3:4] == b"-":
                pass
            assert line.startswith(code), line

        expect(b"220")
        client.sendall(b"EHLO bench.test\r\n")
        expect(b"250")
        for _ in range(count):
            client.sendall(b"MAIL FROM:<a@shop.test>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
            for code in (b"250", b"250", b"354"):
                expect(code)
            client.sendall(message + b".\r\n")
            expect(b"250")
        client.sendall(b"QUIT\r\n")
        expect(b"221")


# --- the milters

def cpu(pid):
    """Seconds of CPU of a process, threads that ended included, to the
    nanosecond: the clock id that clock_getcpuclockid(3) gives."""
    return time.clock_gettime((~pid << 3) | 2)


def rss(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


def start(command, path):
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(path.exists, what=f"{command[0]} listens")
    path.chmod(0o777)
    return process


def start_noop(folder):
    path = folder / "noop.sock"
    return start([build_folder() / "tests/bench/noop-milter", f"unix:{path}"], path), path


def start_opendkim(folder):
    aside = Path(os.environ.get("TIDINGS_ASIDE", build_folder() / "aside")) / "opendkim/usr/sbin/opendkim"
    done = subprocess.run([HERE.parent / "e2e/aside.sh", "opendkim"], capture_output=True, text=True)
    if done.returncode or not aside.exists():
        print(f"opendkim: not here to compare with: {done.stderr.strip()}")
        return None
    key, conf, path = folder / "dkim.key", folder / "opendkim.conf", folder / "dkim.sock"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    key.chmod(0o600)
    conf.write_text(
        f"Domain shop.test\nSelector s\nKeyFile {key}\nSocket local:{path}\nMode s\nCanonicalization relaxed/relaxed\n"
        "InternalHosts 127.0.0.1\nSyslog no\nBackground no\nRequireSafeKeys no\n"
    )
    return start([aside, "-f", "-x", conf], path), path


def make_key(tidings):
    folder = tidings.root / "dkim/shop.test"
    folder.mkdir(parents=True)
    key = folder / "s.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    key.chmod(0o600)
    for path in (folder.parent, folder, key):
        os.chown(path, MILTER, MILTER)


def start_ours(folder, signing=False):
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    tidings = Tidings(folder)
    if signing:
        make_key(tidings)
    tidings.keys.write_text("1 " + "5a" * 32 + " 2026-01-01T00:00:00Z\n")
    os.chown(tidings.keys, 0, READERS)
    tidings.keys.chmod(0o640)
    subprocess.run([build_folder() / "tests/e2e/publish", tidings.state / "directory"], input=FACTS, text=True, check=True)
    for file in (tidings.state / "directory").iterdir():
        if not file.is_symlink():
            os.chown(file, 0, READERS)
            file.chmod(0o640)
    tidings.milter.start()
    return tidings


# --- turns

def measure(folder, servers):
    """Seconds of CPU a message: by case, by milter, a list of the turns."""
    figures = {case: {name: [] for name in servers} for case in CASES}
    with Postfix(folder, sink=None, default_transport="discard:") as postfix:
        for _ in range(TURNS):
            for name, (pid, path) in servers.items():
                postfix.config(smtpd_milters=f"unix:{path}")
                port = submission_with(postfix, path)
                for case, (message, count) in CASES.items():
                    load(port, message, CONNECTIONS)
                    before = cpu(pid)
                    sent = load(port, message, count)
                    figures[case][name].append((cpu(pid) - before) / sent)
    return figures


def submission_with(postfix, path):
    """Lets the listener for own mail ask the milter at PATH, and gives its port."""
    postfix._submission = [path]
    postfix.config()
    postfix.reload()
    time.sleep(0.5)
    return postfix.submission_port


def report(figures):
    met = True
    for case, by_name in figures.items():
        median = {name: statistics.median(turns) for name, turns in by_name.items()}
        print(f"{case}:")
        for name, seconds in median.items():
            print(f"  {name:<10} {1000 * seconds:>8.3f} ms CPU a message  {seconds / median['no-op']:>6.2f} x no-op")
        ours = median["tidings"]
        print(f"  tidings: {ours / median['no-op']:.2f} x no-op (aim {AIM_NOOP})", end="")
        met = met and ours <= AIM_NOOP * median["no-op"]
        if "opendkim" in median:
            print(f", {ours / median['opendkim']:.2f} x opendkim (aim {AIM_OPENDKIM})", end="")
            met = met and ours <= AIM_OPENDKIM * median["opendkim"]
            print(f"\n  signing: {median['signing'] / median['opendkim']:.2f} x opendkim (aim {AIM_SIGNING})", end="")
            met = met and median["signing"] <= AIM_SIGNING * median["opendkim"]
        print()
    print(f"milter: the aims are {'met' if met else 'missed'}")


def main():
    if os.geteuid() != 0:
        skip("needs root: Postfix and the milter run as their own users")
    subprocess.run([HERE.parent / "e2e/prepare.sh"], check=True)
    folder = Path(tempfile.mkdtemp(prefix="mb-", dir="/tmp"))
    folder.chmod(0o711)
    tidings, signing, others = None, None, []
    try:
        tidings, signing = start_ours(folder / "t"), start_ours(folder / "s", signing=True)
        idle = rss(tidings.milter.pid)
        servers = {}
        for name, started in (("no-op", start_noop(folder)), ("opendkim", start_opendkim(folder))):
            if started:
                others.append(started[0])
                servers[name] = (started[0].pid, started[1])
        servers["tidings"] = (tidings.milter.pid, tidings.milter_socket)
        servers["signing"] = (signing.milter.pid, signing.milter_socket)
        print(f"CPU of a milter for a message through Postfix; {TURNS} turns, medians")
        report(measure(folder, servers))
        for ours in (tidings, signing):
            assert "left reason" not in ours.milter.log(), "a message of the bench was not tracked"
        assert "unsigned" not in signing.milter.log(), "a message of the bench was not signed"
        print(f"milter RSS: {idle:.1f} MB idle (aim {AIM_RSS}), {rss(tidings.milter.pid):.1f} MB after the load")
    finally:
        for process in others:
            process.kill()
            process.wait()
        for ours in filter(None, (tidings, signing)):
            ours.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
