"""Makes the Nth fdatasync, pwrite64, ... of a producer fail, for every N it makes.

Whatever fails: the program lives, each failure is one sentence with a path, and
each acknowledged event is read exactly once. A failure that stays (the disk is
gone) acknowledges nothing after it that is not on disk.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

program = os.path.join(os.environ["TIDINGS_BUILD"], "tests/conformance/journal-io")
SITES = [("fdatasync", "EIO", 40), ("pwrite64", "EIO", 60), ("pwrite64", "ENOSPC", 60), ("openat", "EMFILE", 45),
         ("fsync", "EIO", 3), ("rename", "EIO", 2)]

top = tempfile.mkdtemp(prefix="tidings-io-")


def run(call, error, when):
    folder = os.path.join(top, "j")
    shutil.rmtree(folder, ignore_errors=True)
    return subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e", f"inject={call}:error={error}:when={when}", program, folder],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


def faults(done):
    """What is wrong with this run; an empty list if nothing is."""
    out = done.stdout
    if done.returncode != 0:
        return [f"exit {done.returncode}"]
    if out.startswith("open: "):
        return []
    read = re.search(r"^read:(.*)$", out, re.M)
    if not read:
        return ["no end"]
    found = [int(n) for n in read[1].split()]
    acknowledged = [int(n) for n in re.findall(r"^append (\d+): ok$", out, re.M)]
    wrong = [f"event {n} is there {found.count(n)} times" for n in acknowledged if found.count(n) != 1]
    refusals = re.findall(r"^append \d+: (?!ok$)(.*)$", out, re.M)
    return wrong + [f"no path in: {text}" for text in refusals if top not in text]


try:
    if subprocess.run(["strace", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise OSError
except OSError:
    print("SKIP: strace is missing or may not trace here")
    sys.exit(77)

runs = bad = failing = 0
try:
    for call, error, most in SITES:
        for n in range(1, most + 1):
            done = run(call, error, n)
            runs += 1
            failing += re.search(r"^(open|append \d+): (?!ok$)", done.stdout, re.M) is not None
            for fault in faults(done):
                bad += 1
                print(f"{call} {error} when={n}: {fault}\n{done.stdout}")
        # From the Nth on and for ever; reading back needs a disk that reads, so openat is left out.
        if call in ("fdatasync", "pwrite64"):
            for n in (12, 16, 20, 24):
                done = run(call, error, f"{n}+")
                runs += 1
                for fault in faults(done):
                    if "no end" not in fault:
                        bad += 1
                        print(f"{call} {error} when={n}+: {fault}\n{done.stdout}")
finally:
    shutil.rmtree(top, ignore_errors=True)
print(f"count: {runs} runs with a failing system call, {failing} of which refused an event or to open; {bad} faults")
sys.exit(1 if bad or failing < 20 else 0)
