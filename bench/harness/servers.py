"""The servers: how each is built, started pinned to one CPU, filled, asked and ended.

A server runs in a temporary folder of its own and is told what to do by its environment or command line.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

from .processes import Invalid, Unavailable, descendants, pinned

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench/peers"

DEFAULT_BODY = '{"data":"Your data here"}'
USER_PATH = re.compile(r"/api/user/([1-9][0-9]?)")

READY_SECONDS = 20
STOP_SECONDS = 5
START_ATTEMPTS = 3


class Kind:
    """What is known of a server before it runs."""

    # Answers any path with the body that it is given.
    constant = True
    # Writes its own head, so that it can be made as long as another's.
    pads_head = False
    package = None

    def command(self, plan, folder, port):
        raise NotImplementedError

    def environment(self, spec, plan, port):
        return {}

    def ready_path(self, path):
        return path

    def database(self, folder):
        """The SQLite file that a POST writes to."""
        raise Unavailable("only servers with a database take a POST")


class Peer(Kind):
    """A binary of bench/peers."""

    def __init__(self, package, *, constant=True, pads_head=False, environment=None):
        self.package = package
        self.constant = constant
        self.pads_head = pads_head
        self.extra = environment or {}

    def command(self, plan, folder, port):
        binary = PEERS / "target/release" / f"peer-{self.package.replace('_', '-')}"
        if not binary.exists():
            raise Unavailable(f"{binary} is missing: run bench/peers/build {self.package}")
        return [str(binary)]

    def environment(self, spec, plan, port):
        head_extra = plan.head_extra.get(spec.label, "")
        return {"PORT": str(port), "BODY": plan.body, "HEAD_EXTRA": head_extra, **self.extra}

    def ready_path(self, path):
        return path if self.constant else "/api/user/0"

    def database(self, folder):
        return super().database(folder) if self.constant else folder / "peer.db"


class Nginx(Kind):
    """`return 200`, from bench/peers/nginx.conf.in."""

    def command(self, plan, folder, port):
        if "$" in plan.body:
            raise Unavailable("nginx cannot answer a body with a dollar sign")
        body = plan.body.replace("\\", "\\\\").replace("'", "\\'")
        template = (PEERS / "nginx.conf.in").read_text()
        (folder / "nginx.conf").write_text(template.replace("@PORT@", str(port)).replace("@BODY@", body))
        return [nginx(), "-e", "stderr", "-p", f"{folder}/", "-c", "nginx.conf"]


class Ringmill(Kind):
    """The product, with the API it has built in and a database of its own."""

    constant = False

    def __init__(self, before=False):
        self.before = before

    def command(self, plan, folder, port):
        binary = plan.before if self.before else plan.ringmill
        if binary is None:
            raise Unavailable("ringmill_before is another binary: say --before PATH")
        if not binary.exists():
            raise Unavailable(f"{binary} is missing: run cargo build --release, or say --ringmill PATH")
        (folder / "data").mkdir(exist_ok=True)
        return [str(binary), "serve", "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{free_port()}",
                "--cores", "1", "--data", str(folder / "data"), *plan.ringmill_args]

    def ready_path(self, path):
        return "/ready"

    def database(self, folder):
        return folder / "data/ringmill.db"


KINDS = {
    "bare": Peer("bare", pads_head=True),
    "bare_single": Peer("bare", pads_head=True, environment={"RECEIVE": "single"}),
    "bare_epoll": Peer("bare_epoll", pads_head=True),
    "may_minihttp": Peer("may_minihttp"),
    "nginx": Nginx(),
    "axum": Peer("axum"),
    "actix": Peer("actix"),
    "monoio": Peer("monoio", pads_head=True),
    "glommio": Peer("glommio", pads_head=True),
    "actix_sqlite": Peer("actix_sqlite", constant=False),
    "ringmill": Ringmill(),
    "ringmill_before": Ringmill(before=True),
}


def nginx():
    # Not every user's PATH has sbin.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which("nginx", path=path)
    if not found:
        raise Unavailable("nginx is missing: apt-get install nginx-light")
    return found


class Spec:
    """One of --servers: `name`, `name:/path` or `name:POST/path`."""

    def __init__(self, text, default_path):
        self.name, _, path = text.partition(":")
        path = path or default_path
        self.method = "POST" if path.startswith("POST/") else "GET"
        if self.name not in KINDS:
            raise Unavailable(f"no server is called {self.name!r}; there are {', '.join(KINDS)}")
        self.kind = KINDS[self.name]
        self.path = path.removeprefix("POST")
        if not self.path.startswith("/"):
            raise Unavailable(f"{text!r}: a path begins with a slash, or with POST/")
        self.label = text


class Reply:
    """One whole answer, as it came."""

    def __init__(self, status, head, body):
        self.status, self.head, self.body = status, head, body
        self.size = len(head) + len(body)


def ask(port, path, *, method="GET", headers=(), body=None):
    """One request on a connection of its own, in the bytes that wrk sends."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += receive(connection)
        head, _, rest = received.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        if not length:
            raise Invalid(f"an answer without Content-Length:\n{head.decode(errors='replace')}")
        while len(rest) < int(length[1]):
            rest += receive(connection)
        return Reply(int(head.split()[1]), head + b"\r\n\r\n", rest)


def new_row():
    """A user that no other has the e-mail address of."""
    return json.dumps({"name": "Ada Lovelace", "email": f"ada{time.time_ns()}@example.com"}, separators=(",", ":")).encode()


def receive(connection):
    received = connection.recv(65536)
    if not received:
        raise ConnectionError("the server closed the connection")
    return received


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A running server, filled and looked at."""

    def __init__(self, spec, plan, folder):
        self.spec, self.plan, self.folder = spec, plan, folder
        self.process = None
        self.reply = None

    def start(self):
        """Tried again if it ends at once: another process may have taken the port in between, and one
        that has just ended gives the memory of its rings back a moment later."""
        for attempt in range(START_ATTEMPTS):
            self.port = free_port()
            self.url = f"http://127.0.0.1:{self.port}{self.spec.path}"
            command = self.spec.kind.command(self.plan, self.folder, self.port)
            environment = {**os.environ, **self.spec.kind.environment(self.spec, self.plan, self.port)}
            with open(self.folder / "output", "wb") as output:
                self.process = subprocess.Popen(
                    command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=pinned(self.plan.server_cpu))
            if self.wait_ready():
                self.fill()
                self.look()
                return
            time.sleep(0.3 * (attempt + 1))
        raise Invalid(f"{self.spec.name} ended as soon as it was started:\n{self.output()}")

    def wait_ready(self):
        """False if it has ended. A constant server is ready when it answers 200, another when it answers
        anything but 503."""
        deadline = time.monotonic() + READY_SECONDS
        said = "it accepts no connection"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            try:
                reply = ask(self.port, self.spec.kind.ready_path(self.spec.path), headers=self.plan.headers)
                if reply.status == 200 or (not self.spec.kind.constant and reply.status != 503):
                    return True
                said = f"it answers {reply.status}"
            except OSError:
                pass
            time.sleep(0.02)
        raise Invalid(f"{self.spec.name} was not ready in {READY_SECONDS} s: {said}\n{self.output()}")

    def fill(self):
        """The rows that its path asks for."""
        user = USER_PATH.fullmatch(self.spec.path)
        self.expected = None
        if self.spec.method == "POST":
            self.rows()
            return
        if self.spec.kind.constant:
            self.expected = self.plan.body
        elif user:
            for number in range(1, int(user[1]) + 1):
                row = {"name": f"User {number}", "email": f"user{number}@example.com"}
                reply = ask(self.port, "/api/users", method="POST", headers=self.plan.headers,
                            body=json.dumps(row).encode())
                if reply.status != 201:
                    raise Invalid(f"POST /api/users was answered {reply.status} {reply.body[:200]!r}")
            self.expected = json.dumps({"id": int(user[1]), **row}, separators=(",", ":"))
        elif self.spec.path == "/api/data":
            self.expected = DEFAULT_BODY

    def look(self):
        """Asks twice, so that a cache has been filled, and looks at the second answer."""
        body, wanted = None, 200
        for _ in range(2):
            if self.spec.method == "POST":
                body, wanted = new_row(), 201
            self.reply = ask(self.port, self.spec.path, method=self.spec.method, headers=self.plan.headers, body=body)
        if self.reply.status != wanted:
            raise Invalid(f"{self.spec.label} answers {self.reply.status} {self.reply.body[:200]!r}")
        if self.expected is not None and self.reply.body != self.expected.encode():
            raise Invalid(f"{self.spec.label} answers {self.reply.body[:200]!r} instead of {self.expected!r}")

    def rows(self):
        """How many users its database has: what it acknowledged has to be among them."""
        with contextlib.closing(sqlite3.connect(self.spec.kind.database(self.folder), timeout=5)) as database:
            return database.execute("SELECT count(*) FROM users").fetchone()[0]

    def pids(self):
        return descendants(self.process.pid)

    def output(self):
        """The last that it printed."""
        lines = (self.folder / "output").read_text(errors="replace").splitlines()
        return "\n".join("    " + line for line in lines[-10:])

    def stop(self):
        """Asks it to end, then insists; its own processes only."""
        if not self.process:
            return
        pids = self.pids() if self.process.poll() is None else []
        # The second time a server that drains ends at once.
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        # A master that was killed leaves its workers.
        for pid in set(pids) - {self.process.pid}:
            with contextlib.suppress(OSError):
                if os.getsid(pid) == self.process.pid:
                    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def uninterrupted():
    """A second Ctrl-C must not leave a server behind."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


@contextlib.contextmanager
def running(spec, plan):
    """A server that answers rightly, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="ringmill-bench-") as folder:
        server = Server(spec, plan, pathlib.Path(folder))
        try:
            server.start()
            yield server
        finally:
            with uninterrupted():
                server.stop()


def build(specs, *, ringmill_given):
    """Builds what the servers need and this machine has not got yet."""
    packages = sorted({spec.kind.package for spec in specs if spec.kind.package})
    if any(spec.name == "nginx" for spec in specs):
        nginx()
    commands = []
    if packages:
        commands.append([str(PEERS / "build"), *packages])
    if any(spec.name == "ringmill" for spec in specs) and not ringmill_given:
        commands.append(["cargo", "build", "--release", "--bin", "ringmill"])
    if commands and not shutil.which("cargo"):
        raise Unavailable("cargo is missing: install Rust (https://rustup.rs), or say --no-build")
    for command in commands:
        if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode:
            raise Unavailable(f"{' '.join(command)} failed")


def padding(missing):
    """A field of exactly `missing` bytes, or of none if that cannot be."""
    shortest = len("P:\r\n")
    return "P:" + "x" * (missing - shortest) + "\r\n" if missing >= shortest else ""
