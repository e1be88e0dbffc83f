"""Tests of the harness, and of the peers named in PEERS (default: the two bare ones), which must be built."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import types
import unittest
import unittest.mock

from . import load, report, servers
from .processes import Invalid, descendants, pinned

SUMMARY = ("summary requests=10 bytes=1330 duration_us=1000000 connect=0 read=0 write=0 status=0 timeout=0 "
           "latency_us_p50=1 latency_us_p99=2 latency_us_max=3\n")


class Parsing(unittest.TestCase):
    def test_figures_of_wrk(self):
        figures = load.parse_wrk("Running 1s test\n" + SUMMARY)
        self.assertEqual((figures["requests"], figures["bytes"], figures["latency_us_p99"]), (10, 1330, 2))

    def test_what_is_not_an_answer_makes_a_window_invalid(self):
        for output in (
            "nothing",
            "  Non-2xx or 3xx responses: 4\n" + SUMMARY,
            "  Socket errors: connect 0, read 1, write 0, timeout 0\n" + SUMMARY,
            SUMMARY.replace("status=0", "status=1"),
            SUMMARY.replace("timeout=0", "timeout=1"),
            SUMMARY.replace("requests=10", "requests=0"),
        ):
            with self.subTest(output), self.assertRaises(Invalid):
                load.parse_wrk(output)

    def test_sets_of_cpus(self):
        for text, expected in (("0", {0}), ("0-2,4\n", {0, 1, 2, 4})):
            self.assertEqual(report.cpu_list(text), expected)

    def test_a_spec_may_name_a_path(self):
        for text, expected in (("bare", ("bare", "GET", "/a", "bare")), ("bare:/b", ("bare", "GET", "/b", "bare:/b")),
                               ("ringmill:POST/b", ("ringmill", "POST", "/b", "ringmill:POST/b"))):
            spec = servers.Spec(text, "/a")
            self.assertEqual((spec.name, spec.method, spec.path, spec.label), expected)

    def test_acknowledged_rows_that_are_not_there_make_a_round_invalid(self):
        server = types.SimpleNamespace(spec=servers.Spec("ringmill:POST/api/users", "/"), url="", pids=lambda: [],
                                       rows=lambda: 5, reply=servers.Reply(201, b"", b""))
        plan = types.SimpleNamespace(load_cpu=0, server_cpu=0, connections=1, headers=[], warm_up=0, seconds=1)
        figures = load.parse_wrk(SUMMARY)
        with unittest.mock.patch.object(load, "wrk", lambda *_, **__: figures), self.assertRaisesRegex(Invalid, "10 rows"):
            load.measure(server, plan, 1)

    def test_padding_is_exact_or_none(self):
        for missing, expected in ((-3, 0), (0, 0), (3, 0), (4, 4), (90, 90)):
            self.assertEqual(len(servers.padding(missing)), expected, missing)


class Summary(unittest.TestCase):
    def turn(self, number, server, cpu_us, invalid=None):
        figures = dict.fromkeys(("requests_per_second", "server_busy", "others_busy", "stolen", "reply_bytes",
                                 "latency_us_p50", "latency_us_p99"), 1.0)
        return {"round": number, "server": server, "pipeline": 1, "invalid": invalid, "cpu_us_per_request": cpu_us,
                **figures}

    def test_ratios_are_taken_within_a_round(self):
        turns = [self.turn(1, "bare", 2.0), self.turn(1, "other", 3.0),
                 self.turn(2, "other", 12.0), self.turn(2, "bare", 4.0),
                 self.turn(3, "bare", 1.0, "broken"), self.turn(3, "other", 9.0)]
        bare, other = report.summarize(turns, ["bare", "other"], [1], "bare")
        self.assertEqual(bare["ratio_to_base"], {"median": 1.0, "min": 1.0, "max": 1.0})
        self.assertEqual(other["ratio_to_base"], {"median": 2.25, "min": 1.5, "max": 3.0})
        self.assertEqual((bare["rounds"], other["rounds"]), (2, 3))
        self.assertIn("(1.50–3.00)", report.table([bare, other], [1], "bare"))

    def test_a_server_without_a_valid_round_is_named(self):
        rows = report.summarize([self.turn(1, "bare", 2.0, "broken")], ["bare"], [1], "bare")
        self.assertIn("no valid round", report.table(rows, [1], "bare"))


class Clock(unittest.TestCase):
    def test_time_of_threads_and_children_counts_and_sleep_does_not(self):
        burn = "import time\nend = time.thread_time() + 0.2\nwhile time.thread_time() < end: pass\n"
        program = (f"import os, threading, time\nburn = {burn!r}\n"
                   "thread = threading.Thread(target=exec, args=(burn, {})); thread.start(); thread.join()\n"
                   "if not os.fork(): exec(burn, {}); print('done', flush=True)\n"
                   "time.sleep(60)\n")
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE,
                              preexec_fn=pinned(min(os.sched_getaffinity(0)))) as process:
            pids = [process.pid]
            try:
                process.stdout.readline()
                pids = descendants(process.pid)
                before = load.cpu_ns(pids)
                time.sleep(0.2)
                after = load.cpu_ns(pids)
            finally:
                for pid in pids:
                    os.kill(pid, 9)
        self.assertEqual(len(pids), 2)
        self.assertGreater(before, 0.4e9)
        self.assertLess(after - before, 0.05e9)


class Peers(unittest.TestCase):
    """Each request is answered once, however it is cut and however many come at once."""

    REQUEST = b"GET /api/data HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def each_peer(self):
        names = os.environ.get("PEERS", "bare bare_single bare_epoll").split()
        plan = types.SimpleNamespace(body=servers.DEFAULT_BODY, head_extra={}, headers=[],
                                     server_cpu=min(os.sched_getaffinity(0)))
        for name in names:
            with self.subTest(name), servers.running(servers.Spec(name, "/api/data"), plan) as server:
                yield server

    def answers(self, server, pieces):
        """How many answers come to these pieces; fails on anything else that comes."""
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                connection.sendall(piece)
            wanted = b"".join(pieces).count(b"\r\n\r\n")
            received = b""
            while len(received) < wanted * server.reply.size:
                received += servers.receive(connection)
            # Nothing follows.
            connection.settimeout(0.05)
            with self.assertRaises(TimeoutError):
                received += connection.recv(1)
        self.assertEqual(received.count(b"HTTP/1.1 200"), wanted)
        self.assertEqual(received.count(server.reply.body), wanted)

    def test_cut_requests(self):
        for server in self.each_peer():
            three = self.REQUEST * 3
            for at in range(1, len(self.REQUEST) + 4):
                self.answers(server, [three[:at], three[at:]])

    def test_more_at_once_than_one_send_carries(self):
        for server in self.each_peer():
            self.answers(server, [self.REQUEST * 700])

    def test_clients_that_go_away(self):
        for server in self.each_peer():
            for _ in range(20):
                connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
                for connection in connections:
                    connection.sendall(self.REQUEST * 50 + self.REQUEST[:9])
                for connection in connections:
                    connection.close()
            self.answers(server, [self.REQUEST])


class Command(unittest.TestCase):
    def test_a_small_measurement(self):
        with tempfile.TemporaryDirectory() as folder:
            result = pathlib.Path(folder) / "result.json"
            done = subprocess.run(
                [servers.ROOT / "bench/cpu", "--servers", "bare,bare_epoll", "--rounds", "1", "--seconds", "1",
                 "--warm-up", "0", "--pipeline", "1,4", "--no-build", "--json", result],
                capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn('"ratio_to_base"', result.read_text())
