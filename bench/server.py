#!/usr/bin/env python3
"""The update server under load, against nginx that returns the same bytes, in the same run.

Usage: server.py [--json] [--only PART,...] [--seconds N] [--devices N] [--links N]

Parts: checks (update checks by 100,000 registered devices, connections kept and one for each, plain and TLS),
downloads (400 KB, plain, TLS, and behind nginx as a proxy with an internal redirect), links (memory of idle links, one
release that becomes current told to all of them), start (memory and time to start with a million devices).

The load comes from wrk on the same machine, so that both servers have what wrk leaves; both have a thread (a worker) for
each processor, and the same certificate, version of TLS, cipher and group, which is looked at before. A ratio is ours over
nginx's: ROUNDS short runs of each are made, ours and nginx's in turn, and the median of their ratios counts, since what
else the machine does changes more slowly than they do. Beside it stands what one of them costs each server in microseconds
of processor time, which the client and others on the machine take no part in. wrk resumes TLS sessions, as clients do; full
handshakes have rows of their own.

Behind nginx the answer is an X-Accel-Redirect, and nginx sends the file: set up as docs/operation.md says. Its peers are nginx
that finds the file without asking anybody, and nginx before another nginx which answers every request with that redirect: what
is between the two is the price of asking. The processor time is that of all servers that take part.

What TLS costs at least: the same with GnuTLS alone, without sockets and HTTP (server/bench/tls_bench.c), as a ratio to what
it costs the server.
"""
import argparse
import hashlib
import json
import os
import re
import resource
import selectors
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import images  # noqa: E402
from daemon import Daemon, administrator, first_token  # noqa: E402

RELEASE = ROOT / "build/release"
UPDRAFTD = RELEASE / "server/updraftd"
IMAGE_SIZE = 400_000
# What the Arduino core's ESPhttpUpdate sends, beside the chip's number and address.
HEADERS = ["User-Agent: ESP8266-http-Update", "Connection: keep-alive", "x-ESP8266-AP-MAC: 1A:FE:34:00:00:01",
           "x-ESP8266-free-space: 1048576", "x-ESP8266-sketch-size: 400000", "x-ESP8266-sketch-md5: " + "0" * 32,
           "x-ESP8266-chip-size: 4194304", "x-ESP8266-sdk-version: 2.2.2", "x-ESP8266-mode: sketch",
           "x-ESP8266-version: 1.0.0"]
ROUNDS = 9


def build():
    for command in (["cmake", "--preset", "release"],
                    ["cmake", "--build", str(RELEASE), "--target", "updraftd", "fleet_bench", "tls_bench"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stand:
    """A server with so many devices and a current release of IMAGE_SIZE bytes."""

    def __init__(self, folder, devices, *words, kind="arduino"):
        self.data = folder / "data"
        said = subprocess.run([RELEASE / "server/fleet_bench", "fill", self.data, str(devices), kind], check=True,
                              capture_output=True, text=True).stdout
        self.product, self.key = re.findall(r" (\S+)", said)
        secret = first_token(UPDRAFTD, self.data)
        self.daemon = Daemon(UPDRAFTD, self.data, *words)
        self.daemon.wait()
        self.api = self.daemon.client(administrator(self.daemon, secret))

    def upload(self, image):
        return self.api("POST", f"/api/v1/products/{self.product}/images", image)["sha256"]

    def release(self, version, current=True):
        image = images.arduino(irom=version.encode().ljust(IMAGE_SIZE - 0x1000 - 300, b"\0"))
        self.image = image
        made = self.api("POST", f"/api/v1/products/{self.product}/releases",
                        {"version": version, "images": {"app": self.upload(image)}, "current": current})
        return made["images"][0]["file"]


NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes auto;
{user}
events {{ worker_connections 30000; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 75;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve X25519; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; # as ours
    upstream updraftd {{ server 127.0.0.1:{upstream}; keepalive 64; }}
    upstream another {{ server 127.0.0.1:{another}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{plain} backlog=4096; listen 127.0.0.1:{tls} ssl backlog=4096;
        default_type application/octet-stream;
        location /update/ {{ return 304; }}
        location /files/ {{ alias {folder}/files/; }}
        proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_buffering off;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $host;
        location /proxy/ {{ proxy_pass http://updraftd/; }}
        location /another/ {{ proxy_pass http://another/redirect/; }}
        location /redirect/ {{ add_header X-Accel-Redirect /blobs/{blob}; return 200; }}
        location /blobs/ {{ internal; alias {blobs}/; add_header x-MD5 $upstream_http_x_md5;
                            add_header x-version $upstream_http_x_version; }}
    }}
}}
"""


class Nginx:
    """Before the daemon of `stand`, and before another nginx if there is one."""

    def __init__(self, folder, stand, another=None):
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.ports = {"plain": free_port(), "tls": free_port()}
        (folder / "files").mkdir(exist_ok=True)
        (folder / "files" / "image.bin").write_bytes(stand.image)
        folder.chmod(0o755)
        config = folder / "nginx.conf"
        digest = hashlib.sha256(stand.image).hexdigest()
        config.write_text(NGINX.format(
            folder=folder, certificate=stand.data / "tls/server.crt", key=stand.data / "tls/server.key",
            upstream=stand.daemon.ports["http"], another=another.ports["plain"] if another else 1,
            blobs=stand.data / "blobs", blob=f"{digest[:2]}/{digest[2:]}", **self.ports,
            user="user root;" if Path("/proc/self/loginuid").exists() and __import__("os").geteuid() == 0 else ""))
        self.process = subprocess.Popen([program, "-p", folder, "-c", config], stderr=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.ports["plain"])).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    sys.exit((folder / "error.log").read_text())
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def session(port):
    """What a client and the server on this port agree on."""
    said = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"], input="", capture_output=True, text=True,
                          check=False).stdout
    return [re.search(pattern, said)[1] for pattern in (r"New, (.*)", r"Server Temp Key: (.*)", r"Server public key is (.*)",
                                                        r"Peer signature type: (.*)")]


def processor_s(processes):
    """Processor time that processes and their children have taken so far."""
    ticks = 0
    for pid in [pid for one in processes for pid in (
            one.pid, *map(int, Path(f"/proc/{one.pid}/task/{one.pid}/children").read_text().split()))]:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


# wrk asks this for each request. The numbers of devices jump, and each comes once before any comes twice.
LUA = """
local number = 0
local bit = require("bit")
request = function()
    number = (number + 61803) % {devices}
    return {head} .. number .. "\\r\\nx-ESP8266-STA-MAC: " .. string.format("18:FE:34:%02X:%02X:%02X",
        bit.band(bit.rshift(number, 16), 255), bit.band(bit.rshift(number, 8), 255), bit.band(number, 255)) .. {tail}
end
"""


def wrk(folder, url, seconds, headers=(), devices=0, path="", close=False, connections=64):
    """Requests, and seconds; none may fail."""
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "20"]
    if devices:
        headers = [line.replace("keep-alive", "close") if close else line for line in headers]
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
        script = folder / "request.lua"
        script.write_text(LUA.format(devices=devices, head=json.dumps("\r\n".join(lines) + "\r\nx-ESP8266-Chip-ID: "),
                                     tail=json.dumps("\r\n\r\n")))
        words += ["-s", script]
    elif close:
        words += ["-H", "Connection: close"]
    said = subprocess.run([*words, url], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or re.search(r"Socket errors:.*(connect|write|timeout) [1-9]", said):
        sys.exit(f"{url}: {said}")
    found = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m),", said)
    return int(found[1]), float(found[2]) * {"ms": 0.001, "s": 1, "m": 60}[found[3]]


def handshakes(port, seconds):
    """As wrk(): connections with full handshakes. One process is soon at its limit, so there is one for each processor."""
    words = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds)]
    clients = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(os.cpu_count())]
    return sum(int(re.search(r"(\d+) connections in \d+ real seconds", client.communicate()[0])[1]) for client in clients), seconds


def measured(run, *processes):
    """How many a second, and what one of them costs the processes in microseconds."""
    before = processor_s(processes)
    count, seconds = run()
    return count / seconds, (processor_s(processes) - before) * 1e6 / count


def versus(rows, name, ours, theirs):
    """Measure both in turn, each what loads it and its processes; a row, and what it costs us."""
    pairs = [(*measured(*ours), *measured(*theirs)) for _ in range(ROUNDS)]
    mine, my_cost, peer, peer_cost = (statistics.median(column) for column in zip(*pairs))
    ratio = statistics.median(pair[0] / pair[2] for pair in pairs)
    rows.append({"figure": name, "updraft": round(mine), "nginx": round(peer), "ratio": round(ratio, 2),
                 "unit": "per second", "updraft_us": round(my_cost, 1), "nginx_us": round(peer_cost, 1)})
    print(f"{name:52}{mine:>10.0f}{peer:>10.0f}{ratio:>8.2f}{my_cost:>10.1f}{peer_cost:>10.1f}", flush=True)
    return my_cost


def least(rows, name, floor, cost):
    """What GnuTLS alone takes, as a part of what the server takes."""
    rows.append({"figure": name, "gnutls_us": round(floor, 1), "updraft_us": round(cost, 1), "ratio": round(floor / cost, 2),
                 "unit": "microseconds"})
    print(f"{name:52}{'':20}{floor / cost:>8.2f}{cost:>10.1f}{floor:>10.1f} GnuTLS alone", flush=True)


def floors(stand):
    said = subprocess.run([RELEASE / "server/tls_bench", stand.data / "tls/server.crt", stand.data / "tls/server.key"], check=True,
                          capture_output=True, text=True).stdout
    return {name: float(us) for name, us in (line.split() for line in said.splitlines())}


def single(rows, name, value, unit):
    rows.append({"figure": name, "updraft": round(value, 3), "unit": unit})
    print(f"{name:52}{value:>10.6g} {unit}", flush=True)


def warm_up(run, options):
    """Until each device was heard once: the first contact writes down what a device says of itself, later ones find it so.
    wrk begins with the same devices each time, so that one run has to reach them all."""
    seconds = options.seconds
    while run(seconds)[0] < options.devices:
        seconds *= 2


def bench_checks(options, rows):
    with tempfile.TemporaryDirectory(prefix="updraft-bench-") as name:
        folder = Path(name)
        stand = Stand(folder, options.devices)
        stand.release("1.0.0")
        nginx = Nginx(folder, stand)
        path = f"/update/{stand.key}"

        def run(port, scheme, close):
            return wrk(folder, f"{scheme}://127.0.0.1:{port}", options.seconds, HEADERS, options.devices, path, close)

        ours = stand.daemon.ports["http"]
        warm_up(lambda seconds: wrk(folder, f"http://127.0.0.1:{ours}", seconds, HEADERS, options.devices, path), options)
        if (agreed := session(ours)) != session(nginx.ports["tls"]):
            sys.exit(f"the two do not speak the same TLS: {agreed} and {session(nginx.ports['tls'])}")
        costs = {}
        for scheme, kind in (("http", "plain"), ("https", "tls")):
            for close in (False, True):
                costs[kind, close] = versus(
                    rows, f"update checks, {kind}, {'a connection each' if close else 'connections kept'}",
                    (lambda s=scheme, c=close: run(ours, s, c), stand.daemon.process),
                    (lambda s=scheme, k=kind, c=close: run(nginx.ports[k], s, c), nginx.process))
        print("TLS: " + ", ".join(agreed))
        floor = floors(stand)
        least(rows, "processor time of a check by TLS, connections kept", floor["request"], costs["tls", False])
        least(rows, "processor time of a check by TLS, a connection each", floor["resumed"], costs["tls", True])
        nginx.stop()
        stand.daemon.stop()
        for kind in ("rsa", "ecdsa"):
            full_handshakes(options, rows, folder, stand, kind)


def full_handshakes(options, rows, folder, stand, kind):
    """Of clients that come for the first time. The keys are made anew."""
    shutil.rmtree(stand.data / "tls")
    stand.daemon = Daemon(UPDRAFTD, stand.data, "--key-kind", kind)
    stand.daemon.wait()
    nginx = Nginx(folder, stand)
    full = versus(rows, f"TLS connections with a full handshake, {kind}",
                  (lambda: handshakes(stand.daemon.ports["http"], options.seconds), stand.daemon.process),
                  (lambda: handshakes(nginx.ports["tls"], options.seconds), nginx.process))
    least(rows, f"processor time of a full handshake, {kind}", floors(stand)["full"], full)
    nginx.stop()
    stand.daemon.stop()


def bench_downloads(options, rows):
    with tempfile.TemporaryDirectory(prefix="updraft-bench-") as name:
        folder = Path(name)
        stand = Stand(folder, 1000)
        file = stand.release("1.0.0")
        nginx = Nginx(folder, stand)

        def run(url):
            return lambda: wrk(folder, url, options.seconds)

        for scheme, kind in (("http", "plain"), ("https", "tls")):
            cost = versus(rows, f"downloads of 400 KB, {kind}",
                          (run(f"{scheme}://127.0.0.1:{stand.daemon.ports['http']}/{stand.product}/{file}"), stand.daemon.process),
                          (run(f"{scheme}://127.0.0.1:{nginx.ports[kind]}/files/image.bin"), nginx.process))
        least(rows, "processor time of a download by TLS", floors(stand)["file"], cost)
        nginx.stop()
        stand.daemon.stop()
        stand.daemon = Daemon(UPDRAFTD, stand.data, "--accel", "/blobs/", "--proxies", "127.0.0.1")
        stand.daemon.wait()
        behind = folder / "behind"
        behind.mkdir()
        another = Nginx(behind, stand)
        nginx = Nginx(folder, stand, another)
        url = f"http://127.0.0.1:{nginx.ports['plain']}"
        ours = (run(f"{url}/proxy/{stand.product}/{file}"), nginx.process, stand.daemon.process)
        versus(rows, "downloads of 400 KB, nginx before us", ours, (run(f"{url}/files/image.bin"), nginx.process))
        versus(rows, "nginx before us, beside nginx before nginx, 400 KB", ours,
               (run(f"{url}/another/"), nginx.process, another.process))
        nginx.stop()
        another.stop()
        stand.daemon.stop()


# --- Links ---------------------------------------------------------------------------------------

def identify(number):
    return (f'{{"nonce": 1, "path": "/v1/device/identify", "method": "GET","meta": '
            f'{{"Authorization": "token {number:040x}"}}}}\n').encode()


def open_links(stand, count, tls):
    """Links of so many devices that have identified themselves."""
    context = ssl.create_default_context(cafile=stand.data / "tls/ca.crt")
    links = []
    for number in range(count):
        link = socket.socket()
        # Several local addresses: one alone has fewer ports than there are links.
        link.bind((f"127.0.0.{1 + number % 4}", 0))
        link.connect(("127.0.0.1", stand.daemon.ports["link_tls" if tls else "link"]))
        if tls:
            link = context.wrap_socket(link, server_hostname="localhost")
        link.sendall(identify(number))
        links.append(link)
    for link in links:
        answer = b""
        while not answer.endswith(b"\n"):
            answer += link.recv(4096)
        if b'"status": 200' not in answer:
            sys.exit(f"a link was refused: {answer}")
    return links


def settled_memory(daemon):
    before = daemon.memory()
    while True:
        time.sleep(0.5)
        after = daemon.memory()
        if abs(after - before) < 1 << 16:
            return after
        before = after


def bench_links(options, rows):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(options.links, hard - 200)
    with tempfile.TemporaryDirectory(prefix="updraft-bench-") as name:
        stand = Stand(Path(name), count, kind="nonos")
        user = [stand.upload(images.user_image(slot, link)) for slot, link in ((1, 0x40201010), (2, 0x40281010))]
        stand.api("POST", f"/api/v1/products/{stand.product}/releases",
                  {"version": "v2.0.0t23701(a)", "images": {"user1": user[0], "user2": user[1]}})
        idle = stand.daemon.memory()
        secure = open_links(stand, count, True)
        single(rows, f"memory of an idle TLS link, {count} of them", (settled_memory(stand.daemon) - idle) / count, "bytes")
        for link in secure:
            link.close()
        stand.api.http.close()  # was idle for longer than the server keeps it
        while json_metric(stand, "link_connections", 0) > 0:
            time.sleep(0.1)
        stand.daemon.stop()
        stand.daemon = Daemon(UPDRAFTD, stand.data)
        stand.daemon.wait()
        stand.api.http.port = stand.daemon.ports["http"]
        stand.api.http.close()
        idle = stand.daemon.memory()
        begin = time.monotonic()
        links = open_links(stand, count, False)
        single(rows, f"{count} links open and identify", time.monotonic() - begin, "s")
        single(rows, f"memory of an idle link, {count} of them", (settled_memory(stand.daemon) - idle) / count, "bytes")
        fan_out(stand, links, rows)
        for link in links:
            link.close()
        stand.daemon.stop()


def json_metric(stand, name, default):
    found = re.search(rf"^updraft_{name} (\d+)", stand.api.raw("GET", "/metrics")[2].decode(), re.MULTILINE)
    return int(found[1]) if found else default


def fan_out(stand, links, rows):
    """A release becomes current: until the last linked device has its order, and has been heard to take it."""
    selector = selectors.DefaultSelector()
    for link in links:
        selector.register(link, selectors.EVENT_READ)
    begin = time.monotonic()
    order = threading.Thread(target=stand.api, args=(
        "POST", f"/api/v1/products/{stand.product}/releases/v2.0.0t23701(a)/current", {}))
    order.start()
    left = set(links)
    while left:
        if not (ready := selector.select(60)):
            sys.exit(f"{len(left)} of {len(links)} devices were never told of the release")
        for key, _ in ready:
            said = key.fileobj.recv(4096)
            if b"sys_upgrade" in said:
                nonce = re.search(rb'"nonce": *(\d+)', said)[1]
                key.fileobj.sendall(b'{"status": 200, "nonce": ' + nonce + b', "deliver_to_device": true}\n')
                left.discard(key.fileobj)
    single(rows, f"a release told to {len(links)} links", time.monotonic() - begin, "s")
    order.join()


# --- A large fleet -------------------------------------------------------------------------------

def bench_start(options, rows):
    with tempfile.TemporaryDirectory(prefix="updraft-bench-") as name:
        stand = Stand(Path(name), options.fleet)
        stand.release("1.0.0")
        stand.daemon.stop()
        begin = time.monotonic()
        stand.daemon = Daemon(UPDRAFTD, stand.data)
        stand.daemon.wait()
        client = stand.daemon.client()
        status = client.raw("GET", f"/update/{stand.key}", headers={"x-ESP8266-Chip-ID": "77", "x-ESP8266-version": "1.0.0",
                                                                    "User-Agent": "ESP8266-http-Update"})[0]
        single(rows, f"start to the first check, {options.fleet} devices", time.monotonic() - begin, "s")
        if status != 304:
            sys.exit(f"a check was answered with {status}")
        count, seconds = wrk(Path(name), f"http://127.0.0.1:{stand.daemon.ports['http']}", options.seconds * 2, HEADERS, options.fleet,
                   f"/update/{stand.key}")
        single(rows, f"update checks, connections kept, {options.fleet} devices", count / seconds, "per second")
        single(rows, f"memory with {options.fleet} devices, after them", stand.daemon.memory() / 2**20, "MiB")
        single(rows, "per device", stand.daemon.memory() / options.fleet, "bytes")
        single(rows, "on disk", sum(path.stat().st_size for path in stand.data.glob("updraft.db*")) / options.fleet,
               "bytes per device")
        stand.daemon.stop()


PARTS = {"checks": bench_checks, "downloads": bench_downloads, "links": bench_links, "start": bench_start}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--fleet", type=int, default=1_000_000)
    parser.add_argument("--links", type=int, default=20_000)
    options = parser.parse_args()
    build()
    rows = []
    print(f"{'':52}{'updraft':>10}{'nginx':>10}{'ratio':>8}{'us each':>10}{'nginx':>10}")
    for part in options.only.split(","):
        PARTS[part](options, rows)
    if options.json:
        print(json.dumps({"schema": 1, "rows": rows}))


if __name__ == "__main__":
    main()
