"""The tracker beside nginx: durable hits a second, CPU a hit, and memory.

nginx (unpacked aside, on a port of its own) serves the same 43 bytes with its
module empty_gif, once without and once with an access log; the tracker answers
after its commit. All three take turns under wrk, with one thread and keep-alive,
and each figure is the median of its turns. CPU is user and system time of all
processes of a server, from /proc.

TIDINGS_BENCH_SECONDS: length of a turn (default 3).
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from postfix import free_port  # noqa: E402
from tidings import READERS, Tidings  # noqa: E402

SECONDS = int(os.environ.get("TIDINGS_BENCH_SECONDS", 3))
TURNS = 3
AIM = 2.0  # CPU of a durable hit at 1,000 connections, against nginx with its log
AIM_RSS = 20
URL = "https://shop.example/spring?utm_source=mail&utm_campaign=spring#top"


def skip(why):
    print(f"tracker bench: not run: {why}")
    sys.exit(77)


def nginx_conf(folder, port):
    temp = "".join(f"{name}_temp_path {folder}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""
daemon off; pid {folder}/pid; worker_processes 1; error_log {folder}/error;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; {temp}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location /off {{ empty_gif; }}
    location /log {{ empty_gif; access_log {folder}/access; }}
  }}
}}
"""


class Nginx:
    def __init__(self, folder):
        program = Path(os.environ.get("TIDINGS_ASIDE", Path(os.environ["TIDINGS_BUILD"]) / "aside")) / "nginx/usr/sbin/nginx"
        done = subprocess.run([HERE.parent / "e2e/aside.sh", "nginx"], capture_output=True, text=True)
        if done.returncode or not program.exists():
            skip(f"no nginx: {done.stderr.strip()}")
        self.port = free_port()
        folder.mkdir()
        (folder / "nginx.conf").write_text(nginx_conf(folder, self.port))
        command = [program, "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid

    def stop(self):
        self.process.terminate()
        self.process.wait()


def start_tracker(folder):
    tidings = Tidings(folder)
    tidings.keys.write_text("1 " + "5a" * 32 + " 2026-01-01T00:00:00Z\n")
    os.chown(tidings.keys, 0, READERS)
    tidings.keys.chmod(0o640)
    tidings.tracker.start()
    return tidings


def token(tidings, kind, destination):
    command = [tidings.build / "tests/e2e/token-tool", tidings.keys, kind, "1", "1", "1", destination]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def family(pid):
    """PID and its children."""
    pids = [pid]
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int(entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                pids.append(int(entry.name))
        except OSError:
            pass
    return pids


def cpu(pid):
    """Seconds of user and system time."""
    ticks = 0
    for each in family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss(pid):
    """Resident memory in MB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def turn(pid, url, connections):
    """(hits a second, microseconds of CPU a hit)"""
    before, start = cpu(pid), time.monotonic()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "10s", url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent, lasted = cpu(pid) - before, time.monotonic() - start
    trouble = re.search(r"(Socket errors|Non-2xx).*", output)
    if trouble and not re.search(r"connect 0, read 0, write 0, timeout \d+$", trouble[0]) and "/c/" not in url:
        print(f"  wrk: {trouble[0]}")
    hits = int(re.search(r"(\d+) requests in", output)[1])
    return hits / lasted, 1e6 * spent / hits


def compare(servers, connections):
    """Each server in turn; the medians by name."""
    figures = {name: [] for name in servers}
    for _ in range(TURNS):
        for name, (pid, url) in servers.items():
            figures[name].append(turn(pid, url, connections))
    return {name: [statistics.median(column) for column in zip(*turns)] for name, turns in figures.items()}


def report(connections, figures):
    base = figures["nginx with log"][1]
    print(f"{connections} connections:")
    for name, (hits, micro) in figures.items():
        print(f"  {name:<22} {hits:>8.0f} hits/s {micro:>7.2f} us CPU a hit  {micro / base:>5.2f} x nginx with log")
    return figures["tracker, open"][1] / base


def main():
    if os.geteuid() != 0:
        skip("needs root, since the tracker runs as its own user")
    if not shutil.which("wrk"):
        skip("needs wrk")
    folder = Path(tempfile.mkdtemp(prefix="tb-", dir="/tmp"))
    folder.chmod(0o711)
    nginx = tidings = None
    try:
        nginx = Nginx(folder / "nginx")
        tidings = start_tracker(folder)
        idle = rss(tidings.tracker.pid)
        base = f"http://127.0.0.1:{tidings.tracker_port}"
        opened, clicked = token(tidings, "o", ""), token(tidings, "c", URL)
        servers = {
            "nginx": (nginx.pid, f"http://127.0.0.1:{nginx.port}/off"),
            "nginx with log": (nginx.pid, f"http://127.0.0.1:{nginx.port}/log"),
            "tracker, open": (tidings.tracker.pid, f"{base}/o/{opened}.gif"),
            "tracker, click": (tidings.tracker.pid, f"{base}/c/{clicked}"),
        }
        print(f"a durable hit against nginx empty_gif; {TURNS} turns of {SECONDS} s each, medians")
        for connections in (64, 1000):
            ratio = report(connections, compare(servers, connections))
        print(f"  at 1,000: {ratio:.2f} x (aim {AIM}: {'met' if ratio <= AIM else 'missed'})")
        print(f"tracker RSS: {idle:.1f} MB idle (aim {AIM_RSS}), {rss(tidings.tracker.pid):.1f} MB after the load")
    finally:
        if tidings:
            tidings.kill()
        if nginx:
            nginx.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
