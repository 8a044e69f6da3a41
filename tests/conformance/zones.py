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
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

FOLDER = "/usr/share/zoneinfo"
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


def main():
    if not os.path.isdir(FOLDER):
        print(f"skipped: {FOLDER} is missing")
        return 77
    os.environ["PYTHONTZPATH"] = FOLDER
    rng = random.Random(2026)
    names = sorted(n for n in available_timezones() if os.path.isfile(f"{FOLDER}/{n}"))
    asked, expected, different = [], [], 0
    for name in names:
        zone = ZoneInfo(name)
        instants, walls = questions(zone, rng)
        asked.append(f"z {name}")
        expected.append("ok")
        for t in instants:
            asked.append(f"u {t}")
            expected.append("%d %s" % show(zone, t))
        for w in walls:
            asked.append(f"w {w}")
            expected.append(str(resolve(zone, w)))
    dump = Path(os.environ.get("TIDINGS_BUILD", "build")) / "tests/conformance/tz-dump"
    run = subprocess.run([dump, FOLDER], input="\n".join(asked) + "\n", text=True, capture_output=True, check=True)
    answers = run.stdout.splitlines()
    if len(answers) != len(asked):
        print(f"{len(asked)} questions, {len(answers)} answers")
        return 1
    name = None
    for question, want, got in zip(asked, expected, answers):
        if question.startswith("z "):
            name = question[2:]
        if want != got:
            different += 1
            if different <= 20:
                print(f"{name}: {question}: expected {want}, got {got}")
    compared = len(asked) - len(names)
    print(f"count: {compared} comparisons in {len(names)} zones, {different} differ")
    if len(names) < 300 or compared < 100000:
        print("too few comparisons to mean anything")
        return 1
    return 1 if different else 0


sys.exit(main())
