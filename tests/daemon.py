"""The update server as the longer tests and the benchmarks use it: a process that can be killed, and a client of its API.

Servers listen on 127.0.0.1, on ports that the system picks, and are ended by their process id.
"""
import atexit
import http.client
import json
import os
import signal
import subprocess
import time
from pathlib import Path

PASSWORD = "correct horse battery"


class Refused(Exception):
    """An answer that is not a success: status and body."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:300]!r}")
        self.status = status
        self.body = body


class Client:
    """One connection that is kept, and opened again when it was closed."""

    def __init__(self, port, token=None):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def raw(self, method, path, body=None, headers=None):
        """(status, headers, body)"""
        self.http.request(method, path, body, {**self.headers, **(headers or {})})
        answer = self.http.getresponse()
        return answer.status, answer.headers, answer.read()

    def __call__(self, method, path, body=None):
        """The JSON of a success; `body` is bytes, or something to write as JSON."""
        headers = {"Content-Type": "application/octet-stream"}
        if body is not None and not isinstance(body, bytes):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        status, _, answer = self.raw(method, path, body, headers)
        if not 200 <= status < 300:
            raise Refused(status, answer)
        return json.loads(answer) if answer else None

    def close(self):
        self.http.close()


class Daemon:
    """updraftd on a data directory. `words` are more options of serve, `before` what runs in the child before it."""

    def __init__(self, program, data, *words, before=None):
        self.data = Path(data)
        self.log = open(f"{data}.log", "ab")
        began = time.monotonic()
        self.process = subprocess.Popen(
            [program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0", "--link-tls",
             "127.0.0.1:0", *map(str, words)], stdout=subprocess.PIPE, stderr=self.log, preexec_fn=before,
            env={k: v for k, v in os.environ.items() if not k.startswith("UPDRAFT_")})
        # What a failed test leaves ends with its run; nothing happens to one that has ended.
        atexit.register(self.process.kill)
        self.ports = None
        self.began = began

    def wait(self):
        """Wait until it serves; the seconds that this took."""
        line = self.process.stdout.readline()
        if not line.startswith(b"listening on"):
            raise RuntimeError(f"the server did not start: {Path(self.log.name).read_text()[-2000:]}")
        self.ports = json.loads((self.data / "ports.json").read_text())
        Client(self.ports["http"]).raw("GET", "/healthz")
        return time.monotonic() - self.began

    def client(self, token=None):
        return Client(self.ports["http"], token)

    def memory(self, what="VmRSS"):
        """Bytes in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{what}:")[1].split()[0]) * 1024

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=120)
        self.close()
        if code != 0:
            raise RuntimeError(f"the server ended with {code}: {Path(self.log.name).read_text()[-2000:]}")

    def close(self):
        self.process.stdout.close()
        self.log.close()


def first_token(program, daemon_data):
    """Make the data directory; what the first administrator sets himself up with."""
    done = subprocess.run([program, "init", "--data", daemon_data, "--json"], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)["token"]


def administrator(daemon, token):
    """Set the server up; the text of an API token of its first administrator."""
    client = daemon.client()
    client("POST", "/api/v1/setup", {"token": token, "user": "ada", "password": PASSWORD})
    return client("POST", "/api/v1/tokens/login", {"user": "ada", "password": PASSWORD, "name": "tests"})["token"]
