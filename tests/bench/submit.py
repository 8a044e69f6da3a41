"""Hand-over to Postfix: messages a second over 8 connections, beside smtp-source.

Both send the same number of messages of the same size into one private Postfix,
which throws them away behind its queue, so that the hand-over is what is measured.
smtp-source is Postfix's own load generator, here with connections kept (-d), as
ours are, and in its ordinary form, with a connection a message. They take turns;
each figure is the median of its turns.

TIDINGS_BENCH_MESSAGES: messages of a turn (default 3000).
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from postfix import Postfix  # noqa: E402

MESSAGES = int(os.environ.get("TIDINGS_BENCH_MESSAGES", 3000))
CONNECTIONS = 8
TURNS = 5
AIM = 0.8
TOOL = Path(os.environ["TIDINGS_BUILD"]) / "tests/e2e/submit-tool"


def skip(why):
    print(f"submit bench: not run: {why}")
    sys.exit(77)


def ours(postfix, size):
    command = [TOOL, "-q", "-c", str(CONNECTIONS), "-n", str(MESSAGES), "-s", str(size)]
    done = subprocess.run([*command, "-t", "r@example.test", str(postfix.smtp_port)], capture_output=True, text=True)
    match = re.search(r"(\d+) accepted of \d+ in ([\d.]+) seconds", done.stdout)
    if done.returncode or int(match[1]) != MESSAGES:
        raise SystemExit(f"submit bench: not all were accepted: {done.stdout}{done.stderr}")
    return MESSAGES / float(match[2])


def theirs(postfix, size, *options):
    # Its length is that of the body; ours has about 200 bytes of header.
    arguments = ["-s", CONNECTIONS, "-m", MESSAGES, "-l", size - 200, "-f", "s@sender.test", "-t", "r@example.test"]
    start = time.monotonic()
    postfix.run("smtp-source", *options, *map(str, arguments), f"127.0.0.1:{postfix.smtp_port}")
    return MESSAGES / (time.monotonic() - start)


def measure(postfix, size):
    ways = {
        "lib/submit": lambda: ours(postfix, size),
        "smtp-source -d": lambda: theirs(postfix, size, "-d"),
        "smtp-source": lambda: theirs(postfix, size),
    }
    rates = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, way in ways.items():
            rates[name].append(way())
            postfix.wait_empty(120)
    median = {name: statistics.median(all_) for name, all_ in rates.items()}
    for name, all_ in rates.items():
        print(f"submit  {size:6d} bytes  {name:16s} {median[name]:7.0f} messages/s  ({min(all_):.0f} to {max(all_):.0f})")
    kept, fresh = (median["lib/submit"] / median[name] for name in ("smtp-source -d", "smtp-source"))
    met = "met" if kept >= AIM else "NOT met"
    print(f"submit  {size:6d} bytes  {kept:.2f} x smtp-source -d, {fresh:.2f} x smtp-source (aim >= {AIM}: {met})")


def main():
    if os.getuid() != 0:
        skip("needs root")
    with tempfile.TemporaryDirectory(prefix="tb-", dir="/tmp") as folder:
        os.chmod(folder, 0o711)
        try:
            postfix = Postfix(folder, default_transport="discard:bench")
        except (FileNotFoundError, KeyError) as missing:
            skip(missing)
        with postfix:
            for size in (5000, 50000):
                measure(postfix, size)


main()
