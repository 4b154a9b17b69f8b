"""The update server as a program: its configuration, its port that speaks HTTP and HTTPS, its certificates, clients that
are slow or leave, backup and restore.

Goal: what the help and the documents promise, seen from outside; nothing that a client or a file says makes the server
end, grow, or tell a secret. Method: the program on an own directory and a port that the system picks; curl, openssl
and raw sockets as clients.
"""
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from conftest import ROOT


def find_server():
    named = os.environ.get("UPDRAFTD_BIN")
    for path in [Path(named)] if named else [ROOT / "out" / "updraftd", ROOT / "build" / "dev" / "server" / "updraftd"]:
        if path.exists():
            return path.resolve()
    pytest.exit("no server to test: run ./dev build, or set UPDRAFTD_BIN", 1)


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("UPDRAFT_")}
    return {**kept, **more}


def run(*words, code=0, **env):
    done = subprocess.run([find_server(), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120, env=environment(**env))
    assert done.returncode == code, f"exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
    return done


class Server:
    """A running updraftd; `with` ends it and demands that it ended well."""

    def __init__(self, data, *words):
        self.data = data
        self.log = open(data.parent / f"{data.name}.log", "w+")
        self.process = subprocess.Popen([find_server(), "serve", "--data", data, "--listen", "127.0.0.1:0", "--link", "",
                                         "--link-tls", "", *map(str, words)], stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env=environment())
        self.said = self.process.stdout.readline()
        assert self.said.startswith("listening on"), self.errors()
        self.port = json.loads((data / "ports.json").read_text())["http"]

    def errors(self):
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0, self.errors()
        assert not (self.data / "ports.json").exists()
        self.process.stdout.close()
        self.log.close()

    def curl(self, path, *words, https=False, code=0):
        url = f"{'https://localhost' if https else 'http://127.0.0.1'}:{self.port}{path}"
        trust = ["--cacert", self.data / "tls" / "ca.crt"] if https else []
        done = subprocess.run(["curl", "-gsS", "--max-time", "60", *trust, *words, url], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        assert done.returncode == code, done.stderr
        return done.stdout.decode()

    def status(self, path, *words, https=False):
        return int(self.curl(path, "-o", os.devnull, "-w", "%{http_code}", *words, https=https))

    def metric(self, name):
        for line in self.curl("/metrics").splitlines():
            if line.startswith(f"updraft_{name} "):
                return int(line.split()[1])
        raise AssertionError(name)

    def memory(self):
        """Kilobytes in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


# --- The command line and the configuration ------------------------------------------------------

def test_every_command_has_help_and_says_what_is_wrong():
    run("--version")
    words = run("help").stdout
    for verb in ("serve", "init", "check-config", "backup", "restore", "version", "help", "completion"):
        assert f"  {verb} " in words
        assert run(verb, "--help").stdout.startswith(f"updraftd {verb}: ")
    run(code=2)
    assert "there is no command brew" in run("brew", code=2).stderr
    assert "unknown option --brew" in run("serve", "--brew", "1", code=2).stderr
    assert "a value is missing after --data" in run("serve", "--data", code=2).stderr
    assert "nothing is expected at x" in run("serve", "x", code=2).stderr


def test_man_page_and_completion_are_sound(tmp_path):
    page = tmp_path / "updraftd.8"
    page.write_text(run("help", "man").stdout)
    done = subprocess.run(["man", "--warnings", "-l", page], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0 and done.stderr == "" and "--link-tls" in done.stdout
    script = run("completion").stdout + "\nCOMP_WORDS=(updraftd che); COMP_CWORD=1; _updraftd; echo ${COMPREPLY[@]}"
    done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, text=True)
    assert done.stdout.strip() == "check-config"


@pytest.mark.parametrize("text, says", [
    ("listen = :1\nliste = :2\n", 'updraftd.conf:2: there is no key "liste"'),
    ("# a\n\n[http]\nlisten = :1\n", "updraftd.conf:4: there are no sections"),
    ("threads = many\n", 'updraftd.conf:1: threads: "many" is not a number from 0 to 256'),
    ("threads = 257\n", "updraftd.conf:1: threads"),
    ("log = xml\n", 'updraftd.conf:1: log: "xml" is not text|json'),
    ("log_requests = true\n", "updraftd.conf:1: log_requests"),
    ("log = text\nlog = json\n", 'updraftd.conf:2: a second value for the key "log"'),
    ("log\n", "updraftd.conf:1: this is not KEY = VALUE"),
    ("certificate = a.pem\n", "certificate and key: one is given without the other"),
    ("listen =\n", "listen: there has to be an address"),
    ("accel = blobs\n", "accel"),
])
def test_a_wrong_configuration_is_refused_by_file_line_and_key(tmp_path, text, says):
    (tmp_path / "updraftd.conf").write_text(text)
    for verb in ("check-config", "serve", "init"):
        assert says in run(verb, "--data", tmp_path, code=2).stderr
    assert os.listdir(tmp_path) == ["updraftd.conf"]


def test_flags_win_over_environment_over_file_over_defaults(tmp_path):
    def value(*words, **env):
        lines = run("check-config", "--data", tmp_path, *words, **env).stdout.splitlines()
        return dict(line.split(" = ") for line in lines if " = " in line)["workers"]

    assert value() == "8"
    (tmp_path / "updraftd.conf").write_text("workers = 3\n")
    assert value() == "3"
    assert value(UPDRAFT_WORKERS="4") == "4"
    assert value("--workers", "5", UPDRAFT_WORKERS="4") == "5"
    assert "UPDRAFT_WORKERS" in run("check-config", "--data", tmp_path, code=2, UPDRAFT_WORKERS="0").stderr
    # What is shown is a configuration.
    (tmp_path / "other.conf").write_text(run("check-config", "--data", tmp_path).stdout)
    run("check-config", "--config", tmp_path / "other.conf")


def test_a_start_that_cannot_be_ends_with_one_sentence(tmp_path, server):
    for words, says in [(["--listen", f"127.0.0.1:{server.port}"], "Address already in use"),
                        (["--listen", "nonsense"], '"nonsense" is not ADDRESS:PORT'),
                        (["--proxies", "nonsense"], "not the address of a proxy"),
                        (["--certificate", "none.pem", "--key", "none.key"], "none.pem")]:
        done = run("serve", "--data", tmp_path / "data", "--link", "", "--link-tls", "", *words, code=1)
        assert says in done.stderr and done.stderr.startswith("updraftd: ") and done.stderr.count("\n") == 1
    again = run("serve", "--data", server.data, "--listen", "127.0.0.1:0", code=1)
    assert "another updraftd runs on this directory" in again.stderr


# --- HTTP and HTTPS on one port ------------------------------------------------------------------

def test_one_port_speaks_both(server):
    assert server.curl("/healthz") == "ok\n"
    assert server.curl("/healthz", https=True) == "ok\n"
    assert server.curl("/healthz", "--http1.0") == "ok\n"
    assert server.curl("/ca.crt") == (server.data / "tls" / "ca.crt").read_text()
    assert server.status("/nothing") == 404
    assert server.status("/healthz", "-X", "DELETE") == 405


def test_the_own_certificate_is_what_it_should_be(server):
    text = subprocess.run(["openssl", "x509", "-in", server.data / "tls" / "server.crt", "-noout", "-text"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1" in text
    assert "CA:FALSE" in text and "TLS Web Server Authentication" in text
    subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile",
                    server.data / "tls" / "ca.crt", server.data / "tls" / "server.crt"], check=True,
                   stdout=subprocess.DEVNULL)
    for name in ("ca.key", "server.key"):
        assert (server.data / "tls" / name).stat().st_mode & 0o77 == 0


def openssl(server, *words):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
                           server.data / "tls" / "ca.crt", *words], input="GET /healthz HTTP/1.0\r\n\r\n",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.stdout


def test_old_versions_are_refused_and_sessions_resumed(server, tmp_path):
    assert "Protocol  : TLSv1.2" in openssl(server, "-tls1_2")
    assert "Cipher is (NONE)" in openssl(server, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    # The key exchange of the oldest clients.
    assert "AES128-GCM-SHA256" in openssl(server, "-tls1_2", "-cipher", "AES128-GCM-SHA256")
    kept = tmp_path / "session"
    openssl(server, "-tls1_2", "-sess_out", kept)
    assert "\nReused, " in openssl(server, "-tls1_2", "-sess_in", kept)


@pytest.mark.parametrize("size", [512, 1024, 2048, 4096])
def test_clients_with_small_buffers_get_small_records(server, size):
    said = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2", "-maxfraglen",
                           str(size), "-msg", "-quiet", "-ign_eof"],
                          input="GET /metrics HTTP/1.0\r\n\r\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60).stdout
    records = [line for line in said.splitlines() if line.startswith("<<<") and "RecordHeader" in line]
    # Handshake and data: what arrives is never longer than was asked for, plus what encryption adds.
    sizes = [int("".join(said.splitlines()[said.splitlines().index(line) + 1].split()[3:5]), 16) for line in records]
    assert sizes and max(sizes) <= size + 256
    assert "updraft_http_requests_total" in said


def test_a_new_certificate_is_taken_without_a_restart(tmp_path):
    def fingerprint(server):
        der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", server.port)))
        return ssl.DER_cert_to_PEM_cert(der)

    with Server(tmp_path / "data") as server:
        stream = socket.create_connection(("127.0.0.1", server.port))
        first = fingerprint(server)
        (server.data / "tls" / "server.crt").unlink()
        run("init", "--data", tmp_path / "other", "--names", "localhost")
        for name in ("server.crt", "server.key"):
            (server.data / "tls" / name).write_text((tmp_path / "other" / "tls" / name).read_text())
        server.process.send_signal(signal.SIGHUP)
        while fingerprint(server) == first:
            time.sleep(0.02)
        # A key that does not fit is refused, and the certificate stays.
        second = fingerprint(server)
        (server.data / "tls" / "server.key").write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        while "stays as it was" not in server.errors():
            time.sleep(0.02)
        assert fingerprint(server) == second
        stream.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 200 OK" in stream.recv(1000)
        stream.close()


def test_log_in_and_api_want_https_except_from_here_or_a_proxy(server):
    # From this machine, plain HTTP will do; one who passes on what others say is not this machine.
    assert server.status("/api/v1/users") == 401
    assert server.status("/api/v1/users", "-H", "X-Forwarded-For: 192.0.2.1") == 403
    assert server.status("/api/v1/users", "-H", "X-Forwarded-For: 192.0.2.1", https=True) == 401


def test_a_configured_proxy_is_believed(tmp_path):
    with Server(tmp_path / "data", "--proxies", "127.0.0.1") as server:
        forwarded = ["-H", "X-Forwarded-For: 10.0.0.1, 192.0.2.1", "-H"]
        assert server.status("/api/v1/users", *forwarded, "X-Forwarded-Proto: https") == 401
        assert server.status("/api/v1/users", *forwarded, "X-Forwarded-Proto: http") == 403


# --- Hostile clients -----------------------------------------------------------------------------

def test_a_thousand_slow_senders_do_not_matter(tmp_path):
    with Server(tmp_path / "data", "--head-seconds", "2", "--connections", "3000") as server:
        server.curl("/healthz")
        before = server.memory()
        slow = []
        for number in range(1000):
            client = socket.create_connection(("127.0.0.1", server.port))
            # Silent, in the middle of the first line, of a header, of a TLS handshake.
            client.sendall([b"", b"GE", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"\x16\x03\x01\x02\x00"][number % 4])
            slow.append(client)
        for _ in range(20):
            assert server.curl("/healthz") == "ok\n"
            assert server.curl("/healthz", https=True) == "ok\n"
        if "asan" not in str(find_server()):
            assert server.memory() - before < 40 * 1024
        # Each is sent away, without a byte more from it.
        for client in slow:
            client.settimeout(60)
            try:
                while client.recv(1000):
                    pass
            except ConnectionResetError:
                pass
            client.close()
        while server.metric("http_connections") > 2:
            time.sleep(0.05)


def test_a_head_without_end_and_a_body_without_limit(server):
    client = socket.create_connection(("127.0.0.1", server.port))
    client.settimeout(60)
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
    answer = b""
    try:
        for number in range(100000):
            client.sendall(b"X-%d: %s\r\n" % (number, b"x" * 100))
    except (BrokenPipeError, ConnectionResetError):
        pass
    try:
        answer = client.recv(1000)
    except ConnectionResetError:
        pass
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    assert server.status("/api/v1/session", "-d", "x" * 100000, https=True) == 413
    assert server.status("/" + "a" * 9000) in (414, 431)
    assert server.curl("/healthz") == "ok\n"


def test_the_log_tells_requests_and_no_keys(tmp_path):
    with Server(tmp_path / "data", "--log", "json", "--log-requests", "yes") as server:
        server.curl("/healthz?key=secret-of-a-device")
        server.status("/%0d%0a%1b[31mred")
        while len(server.errors().splitlines()) < 3:
            time.sleep(0.02)
        lines = [json.loads(line) for line in server.errors().splitlines()]
        told = [line for line in lines if line.get("method") == "GET"]
        assert [line["status"] for line in told] == [200, 400]
        assert "secret" not in server.errors() and "\x1b" not in server.errors()


# --- Backup and restore --------------------------------------------------------------------------

def test_backup_while_it_runs_and_restore(tmp_path):
    backup = tmp_path / "backup"
    with Server(tmp_path / "data") as server:
        (server.data / "blobs" / "tmp").mkdir(parents=True, exist_ok=True)
        (server.data / "blobs" / "tmp" / "half").write_text("not complete")
        run("backup", "--data", server.data, backup)
        assert "File exists" in run("backup", "--data", server.data, backup, code=1).stderr
        assert "is there already" in run("restore", "--data", server.data, backup, code=1).stderr
        trust = (server.data / "tls" / "ca.crt").read_text()
    assert not list(backup.rglob("half"))
    run("restore", "--data", tmp_path / "again", backup)
    with Server(tmp_path / "again") as server:
        assert server.curl("/healthz", https=True) == "ok\n"
        assert server.curl("/ca.crt") == trust


def test_a_damaged_backup_is_not_restored(tmp_path):
    run("init", "--data", tmp_path / "data")
    run("backup", "--data", tmp_path / "data", tmp_path / "backup")
    for name in ("updraft.db", "tls/server.key", "manifest"):
        path = tmp_path / "backup" / name
        good = path.read_bytes()
        for bad in (good[:-1], bytes([good[0] ^ 1]) + good[1:]):
            path.write_bytes(bad)
            if name != "manifest" or bad != good[:-1]:
                assert "nothing was restored" in run("restore", "--data", tmp_path / "new", tmp_path / "backup",
                                                     code=3).stderr
                assert not (tmp_path / "new").exists()
        path.write_bytes(good)
    (tmp_path / "backup" / "manifest").write_text(f"{'0' * 64}  ../../escape\n")
    assert "not a line" in run("restore", "--data", tmp_path / "new", tmp_path / "backup", code=3).stderr
    (tmp_path / "backup" / "manifest").unlink()
    run("restore", "--data", tmp_path / "new", tmp_path / "backup", code=1)


def test_init_prints_the_token_once(tmp_path):
    first = json.loads(run("init", "--data", tmp_path / "data", "--json").stdout)
    assert first["schema"] == 1 and first["ok"] is True and len(first["token"]) >= 32
    with Server(tmp_path / "data") as server:
        body = json.dumps({"token": first["token"], "user": "ada", "password": "correct horse battery"})
        assert server.status("/api/v1/setup", "-H", "Content-Type: application/json", "-d", body) in (200, 201)
        assert server.status("/api/v1/setup", "-H", "Content-Type: application/json", "-d", body) in (401, 403, 409)
    assert "has been set up already" in run("init", "--data", tmp_path / "data", code=1).stderr
