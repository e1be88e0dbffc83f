"""Starting processes so that they can be measured and never outlive the measurement."""

import contextlib
import ctypes
import os
import pathlib
import signal

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Invalid(Exception):
    """A measurement that must not be counted."""


class Unavailable(Exception):
    """Something that has to be there before anything can be measured; says what to do."""


def pinned(cpu):
    """What a new process does before it becomes its program: keep to one CPU, with all threads that it
    will have, and end when this process is killed outright."""

    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        os.sched_setaffinity(0, {cpu})

    return prepare


def descendants(pid):
    """A process and all that came of it, in order of their ids."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The command's name, in parentheses, may hold anything.
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return sorted(found)
        found |= more


def check_pinned(pids, cpu):
    """Invalid if a thread of these could run elsewhere, where its caches and its load are not ours."""
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                if os.sched_getaffinity(int(task.name)) != {cpu}:
                    raise Invalid(f"thread {task.name} of process {pid} does not keep to CPU {cpu}")
