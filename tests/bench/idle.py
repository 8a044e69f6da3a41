"""The resident memory of each daemon when it has nothing to do, beside that of
Postfix's own idle daemons."""

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from postfix import Postfix, submit  # noqa: E402
from sink import Sink  # noqa: E402
from tidings import Tidings  # noqa: E402

AIM = 20.0


def rss(pid):
    """Megabytes, as the kernel counts them."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main():
    with tempfile.TemporaryDirectory(prefix="tb-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        tidings = Tidings(folder)
        with Sink() as sink, Postfix(folder, sink=sink, milters=[tidings.milter_socket]) as postfix:
            tidings.submit_to(postfix)
            with tidings:
                tidings.ctl("tenant", "add", "shop", "--domain", "shop.test", "--track", "all", "--url", "https://t.shop.test")
                submit(postfix.submission_port, "a@shop.test", "b@example.org", b"From: a@shop.test\r\n\r\nhello\r\n")
                sink.wait_for(1)
                for daemon in (tidings.milter, tidings.tracker, tidings.policyd):
                    size = rss(daemon.pid)
                    print(f"idle: {daemon.name:16} {size:5.1f} MB (aim <= {AIM:.0f}: ratio {size / AIM:.2f})")
                names = {}
                for pid in postfix._processes():
                    name = Path(f"/proc/{pid}/comm").read_text().strip()
                    names[name] = max(names.get(name, 0), rss(pid))
                print("idle: beside them   " + ", ".join(f"{name} {size:.1f}" for name, size in sorted(names.items())))


if __name__ == "__main__":
    main()
