"""What the tests of sudden death share: a daemon that dies again and again under
load, and a count of what was in flight each time."""

import random
import threading
import time
from collections import Counter

KILLS = 100


class Work:
    """What is in flight: each worker says in which phase it is. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._phases = {}

    def enter(self, phase):
        with self._lock:
            self._phases[threading.get_ident()] = phase

    def leave(self):
        with self._lock:
            self._phases.pop(threading.get_ident(), None)

    def phases(self):
        """The phases of now, a Counter."""
        with self._lock:
            return Counter(self._phases.values())


class Killer:
    """Kills DAEMON with SIGKILL KILLS times at random instants, each time with
    work in flight, and starts it again. CONDITION gives the phases of what is in
    flight (a Counter, empty: wait a little longer)."""

    def __init__(self, daemon, condition, kills=KILLS, seed=7):
        self.daemon = daemon
        self.condition = condition
        self.kills = kills
        self.random = random.Random(seed)
        self.by_phase = Counter()

    def run(self, least=0.02, most=0.15, give_up=120):
        end = time.monotonic() + give_up
        for done in range(self.kills):
            time.sleep(self.random.uniform(least, most))
            while not (phases := self.condition()):
                assert time.monotonic() < end, f"after {done} kills no work was in flight any more"
                time.sleep(0.001)
            self.daemon.kill()
            for phase in phases:
                self.by_phase[phase] += 1
            self.daemon.check()
            self.daemon.start()
            assert time.monotonic() < end, f"only {done + 1} kills in {give_up} s"
        return self.by_phase
