#!/usr/bin/python3
"""Compares lib/tz with Python's zoneinfo (PEP 495, fold=0), both directions.

Every zone the system has; every transition from 2020 to 2037, an hour before and
after it in steps of 15 minutes; and instants spread from 1900 to 2100, and in the
year 9999. Python reads the same files, so the releases are the same.
"""
import os
import random
import subprocess
import sys
import tempfile
import zoneinfo
from datetime import datetime, timedelta, timezone
from pathlib import Path

FOLDER = "/usr/share/zoneinfo"
ZIC = "/usr/sbin/zic"
EPOCH = datetime(1970, 1, 1)
UTC_EPOCH = EPOCH.replace(tzinfo=timezone.utc)
STEP, HOUR, DAY = 900, 3600, 86400


def seconds(*date):
    return int((datetime(*date) - EPOCH).total_seconds())


def show(zone, t):
    """(wall clock seconds, abbreviation) at the instant t."""
    local = (UTC_EPOCH + timedelta(seconds=t)).astimezone(zone)
    return int((local.replace(tzinfo=None) - EPOCH).total_seconds()), local.tzname()


def resolve(zone, wall):
    """The instant of wall clock seconds: civil minus offset, fold=0."""
    civil = (EPOCH + timedelta(seconds=wall)).replace(tzinfo=zone)
    return wall - int(civil.utcoffset().total_seconds())


def transitions(zone, start, end):
    """The instants at which what the clocks show changes, found by halving."""
    found, step = [], 14 * DAY  # Ramadan zones change twice within 30 days
    before = show(zone, start)
    for t in range(start, end, step):
        after = show(zone, t + step)
        if (after[0] - t - step, after[1]) != (before[0] - t, before[1]):
            low, high, offset = t, t + step, before[0] - t
            while high - low > 1:
                middle = (low + high) // 2
                at = show(zone, middle)
                if (at[0] - middle, at[1]) == (offset, before[1]):
                    low = middle
                else:
                    high = middle
            found.append(high)
        before = after
    return found


def questions(zone, rng):
    instants, walls = set(), set()
    for at in transitions(zone, seconds(2020, 1, 1), seconds(2038, 1, 1)):
        around = range(-HOUR, HOUR + 1, STEP)
        instants.update(at + d for d in around)
        instants.update((at - 1,))
        for side in (show(zone, at - 1)[0] + 1, show(zone, at)[0]):
            walls.update(side + d for d in around)
            walls.update((side - 1,))
    for start, end, n in (((1900, 1, 1), (2100, 1, 1), 100), ((9999, 1, 2), (9999, 12, 31), 10)):
        for _ in range(n):
            t = rng.randrange(seconds(*start), seconds(*end))
            instants.add(t)
            walls.add(t)
    return sorted(instants), sorted(walls)


def ask_python():
    """Questions for tz-dump, and Python's answers."""
    zoneinfo.reset_tzpath([FOLDER])
    rng = random.Random(2026)
    asked, expected = [], []
    for name in sorted(n for n in zoneinfo.available_timezones() if os.path.isfile(f"{FOLDER}/{n}")):
        zone = zoneinfo.ZoneInfo(name)
        instants, walls = questions(zone, rng)
        asked.append(f"z {name}")
        expected.append("ok")
        for t in instants:
            asked.append(f"u {t}")
            expected.append("%d %s" % show(zone, t))
        for w in walls:
            asked.append(f"w {w}")
            expected.append(str(resolve(zone, w)))
    return asked, expected


def compare(what, folder, asked, expected):
    """Asks tz-dump about the zones in folder; prints and gives whether all is well."""
    dump = Path(os.environ.get("TIDINGS_BUILD", "build")) / "tests/conformance/tz-dump"
    run = subprocess.run([dump, folder], input="\n".join(asked) + "\n", text=True, capture_output=True, check=True)
    answers = run.stdout.splitlines()
    if len(answers) != len(asked):
        sys.exit(f"{len(asked)} questions, {len(answers)} answers")
    name, zones, different = None, 0, 0
    for question, want, got in zip(asked, expected, answers):
        if question.startswith("z "):
            name, zones = question[2:], zones + 1
        if want != got:
            different += 1
            if different <= 20:
                print(f"{name}: {question}: expected {want}, got {got}")
    print(f"count: {len(asked) - zones} comparisons in {zones} zones {what}, {different} differ")
    if zones < 300 or len(asked) < 100000:
        print("too few comparisons to mean anything")
        return False
    return different == 0


def main():
    source = f"{FOLDER}/tzdata.zi"
    if not os.path.isdir(FOLDER):
        print(f"skipped: {FOLDER} is missing; install tzdata")
        return 77
    asked, expected = ask_python()
    good = compare("as installed", FOLDER, asked, expected)
    if os.path.exists(ZIC) and os.path.exists(source):
        # The same release as slim files: no transitions after the last change of the
        # rules, so the footer does the work. The answers must be those of the installed
        # files; Python itself reads some slim files of an old zic otherwise (Ojinaga in
        # November 2022, where the footer contradicts the last transition), and such a zic
        # leaves out what is foretold for Gaza after 2037, so the comparison ends there.
        with tempfile.TemporaryDirectory() as slim:
            subprocess.run([ZIC, "-b", "slim", "-d", slim, source], check=True)
            known = set(p.relative_to(slim).as_posix() for p in Path(slim).rglob("*") if p.is_file())
            end, kept, keep = seconds(2038, 1, 1), [], False
            for i, question in enumerate(asked):
                if question.startswith("z "):
                    keep = question[2:] in known
                if keep and (question.startswith("z ") or int(question[2:]) < end):
                    kept.append(i)
            good &= compare("compiled slim", slim, [asked[i] for i in kept], [expected[i] for i in kept])
    return 0 if good else 1


sys.exit(main())
