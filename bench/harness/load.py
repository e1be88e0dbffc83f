"""Loading a server with wrk and reading what that cost the server.

CPU is the kernel's own count of nanoseconds on a CPU, per process and with threads that have ended:
the clock behind clock_getcpuclockid(3). It is read while the server is idle, right before wrk starts and
right after it has ended, so nothing that was running is missed and little that was not load is counted.
"""

import os
import pathlib
import re
import subprocess
import time

from .processes import Invalid, check_pinned, pinned

SCRIPT = pathlib.Path(__file__).with_name("load.lua")

# After wrk has ended: until the server has closed its connections.
SETTLE_SECONDS = 0.02

# Beyond what was asked of wrk: it starts, and it ends.
WRK_GRACE_SECONDS = 15

# How far an answer may be, on average, from the one that was looked at: fields such as Age and RateLimit differ by a
# few bytes, another answer by more. It is also what tells a redirect, which wrk does not call an error.
REPLY_BYTES_TOLERANCE = 16


def cpu_ns(pids):
    """Time on a CPU of these processes so far, all threads, ended ones too."""
    # The kernel's encoding of a process's scheduler clock: see clock_getcpuclockid(3).
    return sum(time.clock_gettime_ns(~pid << 3 | 2) for pid in pids)


def cpu_times(cpu):
    """Seconds that a CPU has been busy and that its hypervisor took, from /proc/stat."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{cpu}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            ticks = os.sysconf("SC_CLK_TCK")
            return (user + nice + system + irq + softirq) / ticks, steal / ticks
    raise Invalid(f"CPU {cpu} is not in /proc/stat")


def parse_wrk(output):
    """wrk's own figures, by name; Invalid if an answer was not 2xx or a socket failed."""
    summary = re.search(r"^summary (.*)$", output, re.MULTILINE)
    if not summary:
        raise Invalid("wrk printed no summary:\n" + output)
    figures = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", summary[1])}
    for line in output.splitlines():
        if "Non-2xx" in line or "Socket errors" in line:
            raise Invalid("wrk: " + line.strip())
    for error in ("connect", "read", "write", "status", "timeout"):
        if figures[error]:
            raise Invalid(f"wrk: {figures[error]} {error} errors")
    if not figures["requests"]:
        raise Invalid("wrk: no request was answered")
    return figures


def wrk(url, *, cpu, seconds, connections, pipeline, headers, method="GET"):
    """Runs wrk to its end; its figures. `headers` are whole fields. A POST brings a new user in each request."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(SCRIPT)]
    for header in headers:
        command += ["-H", header]
    command += [url, "--", str(pipeline), method, str(time.time_ns())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=seconds + WRK_GRACE_SECONDS, preexec_fn=pinned(cpu))
    except subprocess.TimeoutExpired:
        raise Invalid("wrk did not end in time") from None
    if done.returncode:
        raise Invalid(f"wrk ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return parse_wrk(done.stdout)


def measure(server, plan, pipeline):
    """One measured window on a running server: a row of figures."""
    load = dict(cpu=plan.load_cpu, connections=plan.connections, pipeline=pipeline, headers=plan.headers,
                method=server.spec.method)
    if plan.warm_up:
        wrk(server.url, seconds=plan.warm_up, **load)
        time.sleep(SETTLE_SECONDS)
    pids = server.pids()
    rows_before = server.rows() if server.spec.method == "POST" else 0
    busy_before, steal_before = cpu_times(plan.server_cpu)
    cpu_before = cpu_ns(pids)
    figures = wrk(server.url, seconds=plan.seconds, **load)
    time.sleep(SETTLE_SECONDS)
    cpu = cpu_ns(pids) - cpu_before
    busy_after, steal_after = cpu_times(plan.server_cpu)
    if server.pids() != pids:
        raise Invalid("the server's processes changed in the middle")
    check_pinned(pids, plan.server_cpu)

    requests, seconds = figures["requests"], figures["duration_us"] / 1e6
    if server.spec.method == "POST" and server.rows() - rows_before < requests:
        raise Invalid(f"{requests} rows were acknowledged, and {server.rows() - rows_before} are there")
    # Of those in flight at the end, wrk counted bytes but no answer.
    in_flight = plan.connections * pipeline * server.reply.size
    if abs(figures["bytes"] - requests * server.reply.size) > requests * REPLY_BYTES_TOLERANCE + in_flight:
        raise Invalid(f"{requests} answers had {figures['bytes']} bytes; the one looked at has {server.reply.size}")
    return {
        "cpu_ns": cpu,
        "requests": requests,
        "seconds": seconds,
        "cpu_us_per_request": cpu / 1e3 / requests,
        "requests_per_second": requests / seconds,
        # Of its CPU, while the load ran. Well below 1, the load was the bottleneck.
        "server_busy": cpu / 1e9 / seconds,
        # What else ran there: another process or the kernel for one. Counted in ticks, so roughly.
        "others_busy": max(0.0, busy_after - busy_before - cpu / 1e9) / seconds,
        "stolen": (steal_after - steal_before) / seconds,
        "reply_bytes": figures["bytes"] / requests,
        **{name: value for name, value in figures.items() if name.startswith("latency_us")},
    }
