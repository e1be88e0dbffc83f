"""From single measurements to what is printed: medians, ratios within a round, the machine."""

import datetime
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import sys

from .servers import PEERS, ROOT, nginx

# Beyond this share of the server's CPU, what else ran there is worth a warning.
OTHERS_BUSY_MAX = 0.05

# Crates that stand behind a peer, as named in bench/peers/Cargo.lock.
CRATES = {
    "bare": "io-uring", "bare_single": "io-uring", "may_minihttp": "may_minihttp", "axum": "axum",
    "actix": "actix-web", "monoio": "monoio", "glommio": "glommio", "actix_sqlite": "actix-web",
}


def spread(values):
    """Median, least and greatest; None of nothing."""
    values = list(values)
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarize(turns, labels, pipelines, base):
    """A row for each server and pipeline. Ratios are taken within a round, then summed up, so that what
    changes from round to round touches both sides."""
    valid = {(turn["round"], turn["server"], turn["pipeline"]): turn for turn in turns if not turn["invalid"]}
    rows = []
    for pipeline in pipelines:
        for label in labels:
            own = {key[0]: turn for key, turn in valid.items() if key[1:] == (label, pipeline)}
            ratios = [turn["cpu_us_per_request"] / valid[number, base, pipeline]["cpu_us_per_request"]
                      for number, turn in own.items() if (number, base, pipeline) in valid]
            rows.append({
                "server": label,
                "pipeline": pipeline,
                "rounds": len(own),
                "ratio_to_base": spread(ratios),
                **{name: spread(turn[name] for turn in own.values())
                   for name in ("cpu_us_per_request", "requests_per_second", "server_busy", "others_busy", "stolen",
                                "reply_bytes", "latency_us_p50", "latency_us_p99")},
            })
    return rows


def table(rows, pipelines, base):
    """The rows as text, one table for each pipeline."""
    lines = []
    for pipeline in pipelines:
        lines += ["", "one request at a time on each connection" if pipeline == 1 else f"{pipeline} pipelined"]
        cells = [["server", "CPU µs/request", "(min–max)", f"× {base}", "(min–max)", "requests/s", "busy", "bytes", "rounds"]]
        cells += [cells_of(row) for row in rows if row["pipeline"] == pipeline]
        widths = [max(map(len, column)) for column in zip(*cells)]
        for first, *others in cells:
            padded = [cell.rjust(width) for cell, width in zip(others, widths[1:])]
            lines.append("  ".join([first.ljust(widths[0]), *padded]).rstrip())
    return "\n".join(lines).strip("\n")


def cells_of(row):
    cpu, ratio = row["cpu_us_per_request"], row["ratio_to_base"]
    if not cpu:
        return [row["server"], "no valid round", "", "", "", "", "", "", "0"]
    ratios = [f"{ratio['median']:.2f}", f"({ratio['min']:.2f}–{ratio['max']:.2f})"] if ratio else ["–", ""]
    return [
        row["server"], f"{cpu['median']:.3f}", f"({cpu['min']:.3f}–{cpu['max']:.3f})", *ratios,
        f"{row['requests_per_second']['median']:,.0f}", f"{row['server_busy']['median']:.0%}",
        f"{row['reply_bytes']['median']:.0f}", str(row["rounds"]),
    ]


def noise(turns):
    """What else the server's CPU did, in a sentence."""
    valid = [turn for turn in turns if not turn["invalid"]]
    if not valid:
        return ""
    others, stolen = spread(turn["others_busy"] for turn in valid), spread(turn["stolen"] for turn in valid)
    sentence = (f"Others used the server's CPU for {others['median']:.0%} of the time (at most {others['max']:.0%}); "
                f"the hypervisor took {stolen['median']:.0%} (at most {stolen['max']:.0%}).")
    if others["max"] > OTHERS_BUSY_MAX or stolen["max"] > OTHERS_BUSY_MAX:
        sentence += " That is noisy: trust the ratios, and only where their spread is small."
    return sentence


def machine(specs, plan):
    """Where and with what it was measured, by name."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    found = {
        "cpu": model[1] if model else os.uname().machine,
        "cpus": os.cpu_count(),
        "virtual": bool(re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.MULTILINE)),
        "kernel": os.uname().release,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    governor = pathlib.Path(f"/sys/devices/system/cpu/cpu{plan.server_cpu}/cpufreq/scaling_governor")
    if governor.exists():
        found["governor"] = governor.read_text().strip()
    siblings = pathlib.Path(f"/sys/devices/system/cpu/cpu{plan.server_cpu}/topology/thread_siblings_list")
    found["shares_a_core_with_the_load"] = (
        siblings.exists() and plan.load_cpu in cpu_list(siblings.read_text()))
    found["versions"] = versions(specs, plan)
    return found


def cpu_list(text):
    """The kernel's form of a set of CPUs: "0-2,4"."""
    cpus = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


def versions(specs, plan):
    names = {spec.name for spec in specs}
    found = {"wrk": first_match(["wrk", "-v"], r"wrk \S*?([\d.]+)"), "rustc": first_match(["rustc", "-V"], r"rustc (\S+)")}
    if "nginx" in names:
        found["nginx"] = first_match([nginx(), "-v"], r"nginx/(\S+)")
    lock = (PEERS / "Cargo.lock").read_text()
    for crate in sorted({CRATES[name] for name in names if name in CRATES}):
        of_crate = re.findall(rf'^name = "{crate}"\nversion = "([^"]+)"', lock, re.MULTILINE)
        # A peer's own dependency is the newest where another peer brings an older one.
        found[crate] = max(of_crate, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])
    if "ringmill" in names:
        commit = first_match(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], r"(\S+)")
        found["ringmill"] = f"{plan.ringmill}, tree {commit}"
    return found


def first_match(command, pattern):
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError:
        return "?"
    match = re.search(pattern, done.stdout + done.stderr)
    return match[1] if match else "?"


def heading(found, plan):
    """Machine, versions, command and settings: all that a figure needs beside it."""
    virtual = ", virtual" if found["virtual"] else ""
    governor = f", governor {found['governor']}" if "governor" in found else ""
    lines = [
        f"{found['cpu']} ({found['cpus']} CPUs{virtual}{governor}), Linux {found['kernel']}, {found['date']}",
        ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
        command_line(),
        f"{plan.connections} connections; rounds: {plan.rounds}, each {plan.seconds} s after {plan.warm_up} s of warm-up; "
        f"server on CPU {plan.server_cpu}, load on CPU {plan.load_cpu}",
    ]
    if found["shares_a_core_with_the_load"]:
        lines.append("Warning: these two CPUs are threads of one core; what the load does slows the server.")
    return "\n".join(lines)


def command_line():
    return shlex.join(["bench/cpu", *sys.argv[1:]])
