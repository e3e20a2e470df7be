"""Looks into the store all the time: whether a stale epoch ever wrote, and how long it took others to go on for the dead."""

import threading
import time

import databases

EVERY = 0.1         # seconds between looks: how exact the times are


class Watch:
    """What was seen so far. Thread safety: `died` and `look` from any thread."""

    def __init__(self, look):
        self.look_into = look
        self.turn = threading.Lock()
        self.partitions = {}                     # partition -> the last (epoch, node, written, log_end, server)
        self.ends, self.epochs = {}, {}          # partition -> the last position seen, and its epoch
        self.deaths = []                         # (time, node, {partition: epoch}) that are not over
        self.taken, self.committed = [], []      # (time of a death, seconds to another's lease), and to its first commit
        self.entries, self.unseen, self.looks, self.away = 0, 0, 0, 0
        self.problems = []

    def look(self):
        with self.turn:
            try:
                seen = self.look_into(dict(self.ends))
            except databases.Away:
                self.away += 1
                return False
            self.take(seen, time.monotonic())
            return True

    def take(self, look, now):
        self.looks += 1
        moved = {partition for partition, state in look.partitions.items()
                 if partition in self.partitions and state[4] != self.partitions[partition][4]}
        for partition in moved:  # another server has it: what only the old one had was never acknowledged; its log is read from its start
            self.ends.pop(partition, None)
            self.epochs.pop(partition, None)
            del self.partitions[partition]
        for partition, position, epoch in look.entries:
            if partition not in moved:
                self.entry(partition, position, epoch)
        for partition, state in look.partitions.items():
            before = self.partitions.get(partition)
            if before and state[0] < before[0]:
                self.problems.append(f"partition {partition}: the epoch fell from {before[0]} to {state[0]}")
            self.takeovers(partition, state, now)
        self.partitions = {**self.partitions, **{partition: state for partition, state in look.partitions.items() if partition not in moved}}

    def entry(self, partition, position, epoch):
        """One that is new since the last look."""
        self.entries += 1
        current = self.partitions[partition][0] if partition in self.partitions else 0
        if epoch < current:
            self.problems.append(f"stale: entry {position} of partition {partition} was committed under epoch {epoch} after epoch {current} began")
        if epoch < self.epochs.get(partition, 0):
            self.problems.append(f"stale: along the log of partition {partition} the epoch falls to {epoch} at entry {position}")
        if partition in self.ends:
            self.unseen += position - self.ends[partition] - 1
        self.ends[partition], self.epochs[partition] = position, epoch

    def died(self, node):
        """Of a node that was killed just now."""
        with self.turn:
            held = {partition: state[0] for partition, state in self.partitions.items() if state[1] == node}
            self.deaths.append((time.monotonic(), node, held, set()))

    def takeovers(self, partition, state, now):
        epoch, node, written = state[:3]
        for died, dead, held, taken in self.deaths:
            if partition not in held or epoch == held[partition]:
                continue
            if node == dead:  # it is back, and was faster than the others
                del held[partition]
                continue
            if partition not in taken:
                taken.add(partition)
                self.taken.append((died, now - died))
            if written > 0:
                self.committed.append((died, now - died))
                del held[partition]

    def run(self, over):
        """Until the event."""
        while not over.wait(EVERY):
            self.look()


def percentile(values, share):
    """By the nearest rank; None of nothing."""
    ordered = sorted(values)
    return round(ordered[max(0, -(-len(ordered) * share // 100) - 1)], 2) if ordered else None


def times(takeovers, disturbed=()):
    """How many there were and how long they took, but for those during which one of the times (from, to) fell."""
    seconds = [taken for died, taken in takeovers if all(died + taken < begin or end < died for begin, end in disturbed)]
    return {"count": len(seconds), "p50": percentile(seconds, 50), "p99": percentile(seconds, 99), "longest": percentile(seconds, 100)}
