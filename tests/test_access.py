"""Goal: every route answers every role as the table below says; what belongs to others looks, byte for byte, like what does
not exist; and what the API answers is what its OpenAPI document says.

Method: the table has a row for each route that the server knows ("updraftd routes --json"): a route without a row, or a row
without a route, fails. Each row is walked against the running server with every role, for an own object, for another's and
for one that there is not. Every answer of the API on the way is held against the schema that the document gives for it.
"""
import json
import re
import subprocess

import jsonschema
import pytest

import images
from daemon import PASSWORD, Daemon, administrator, first_token
from test_server import find_server

ROLES = ["administrator", "developer", "operator", "viewer", "other", "owner", "device", "nobody"]
# "other" is a developer of another product; "owner" owns the device and is no member; "device" shows its device key.

PRODUCT = "/api/v1/products/{product}"
RELEASE = PRODUCT + "/releases/{version}"
DEVICE = "/api/v1/devices/{device}"
MY = "/api/v1/my/devices/{device}"
IMAGE = object()
GIVEN = {}  # a body without fields
DOWNLOADED = object()

# Route: status by role (in the order of ROLES), body. "fresh": each call gets objects of its own, because it changes them.
SEES = "200 200 200 200 404 404 401 401"        # viewers of the product
USERS = "200 200 200 200 200 200 401 401"       # who is logged in
DEVELOPS = "200 200 403 403 404 404 401 401"
OPERATES = "200 200 200 403 404 404 401 401"
TABLE = {
    # The server itself.
    "GET /healthz": ("200 " * 8, None),
    "GET /metrics": ("200 " * 8, None),  # the tests are on this machine
    "GET /ca.crt": ("200 " * 8, None),
    "GET /api/v1/openapi.json": ("200 " * 8, None),
    "GET /api/v1/server": (USERS, None),
    "GET /api/v1/overview": (USERS, None),
    "GET /api/v1/events": (USERS, "stream"),
    "POST /api/v1/simulation": ("409/422 403 403 403 403 403 401 401", {"no": 1}),
    "DELETE /api/v1/simulation": ("204 403 403 403 403 403 401 401", None),
    # Logging in: whoever knows the words.
    "POST /api/v1/setup": ("401/429 " * 8, {"token": "x", "user": "x", "password": "x" * 10}),
    "POST /api/v1/session": ("401/429 " * 8, {"user": "x", "password": "x"}),
    "POST /api/v1/tokens/login": ("401/429 " * 8, {"user": "x", "password": "x", "name": "x"}),
    "GET /api/v1/session": (USERS, None),
    "DELETE /api/v1/session": ("204 204 204 204 204 204 401 401", None, "fresh"),
    # Products.
    "GET /api/v1/products": (USERS, None),
    "POST /api/v1/products": ("201 403 403 403 403 403 401 401", {"name": "{new}", "kind": "idf", "chip": "esp32"}),
    "GET " + PRODUCT: (SEES, None),
    "PATCH " + PRODUCT: (DEVELOPS, {"reply_unknown": 404}),
    "DELETE " + PRODUCT: ("204 403 403 403 403 403 401 401", None, "fresh"),
    "GET " + PRODUCT + "/members": (DEVELOPS, None),
    "PUT " + PRODUCT + "/members/{user}": ("204 204 403 403 404 404 401 401", {"role": "viewer"}, "fresh"),
    "DELETE " + PRODUCT + "/members/{user}": ("204 204 403 403 404 404 401 401", None, "fresh"),
    "GET " + PRODUCT + "/paste": (SEES, None),
    "POST " + PRODUCT + "/images": ("201 201 403 403 404 404 401 401", IMAGE),
    "GET " + PRODUCT + "/config": (SEES, None),
    "PUT " + PRODUCT + "/config": (DEVELOPS, {"a": 1}),
    "DELETE " + PRODUCT + "/config": ("204 204 403 403 404 404 401 401", None, "fresh"),
    "GET " + PRODUCT + "/configs": (SEES, None),
    "GET " + PRODUCT + "/resources": (SEES, None),
    "PUT " + PRODUCT + "/resources/{path...}": (DEVELOPS, IMAGE),
    "DELETE " + PRODUCT + "/resources/{path...}": ("204 204 403 403 404 404 401 401", None, "fresh"),
    # Releases.
    "GET " + PRODUCT + "/releases": (SEES, None),
    "POST " + PRODUCT + "/releases": ("201 201 403 403 404 404 401 401", {"version": "{new}", "images": {"app": "{sha256}"}}),
    "GET " + RELEASE: (SEES, None),
    "GET " + RELEASE + "/compare/{other}": (SEES, None),
    "GET " + RELEASE + "/forecast": (SEES, None),
    "GET " + RELEASE + "/images/{part}": (SEES, None),
    "POST " + RELEASE + "/current": (OPERATES, GIVEN, "fresh"),
    "POST " + RELEASE + "/withdraw": (OPERATES, GIVEN, "fresh"),
    "POST " + RELEASE + "/stop": (OPERATES, GIVEN, "fresh"),
    # Devices, for who runs them.
    "GET /api/v1/devices": (USERS, None),
    "POST " + PRODUCT + "/devices": ("201 201 201 403 404 404 401 401", {"serial": "{new}"}),
    "GET " + DEVICE: ("200 200 200 200 404 200 401 401", None),
    "PATCH " + DEVICE: ("200 200 200 403 404 403 401 401", {"name": "lamp"}),
    "DELETE " + DEVICE: ("204 204 204 403 404 403 401 401", None, "fresh"),
    "GET " + DEVICE + "/decision": ("200 200 200 200 404 200 401 401", None),
    "POST " + DEVICE + "/update": ("200 200 200 403 404 403 401 401", {"version": "1.0"}, "fresh"),
    "POST " + DEVICE + "/reboot": ("200 200 200 403 404 200 401 401", GIVEN, "fresh"),
    "POST " + DEVICE + "/block": ("200 200 200 403 404 403 401 401", {"blocked": True}, "fresh"),
    "POST " + DEVICE + "/rpc": ("409 409 409 403 404 409 401 401", {"action": "x"}),  # it holds no link
    # Devices, for who owns them.
    "POST /api/v1/devices/claim": ("200 200 200 200 200 200 401 401", {"code": "{code}"}, "fresh"),
    "GET /api/v1/my/devices": (USERS, None),
    "GET " + MY: ("404 404 404 404 404 200 401 401", None),
    "POST " + MY + "/answer": ("404 404 404 404 404 200 401 401", {"update": "{update}", "answer": "now"}, "fresh"),
    "POST " + MY + "/reboot": ("404 404 404 404 404 200 401 401", GIVEN, "fresh"),
    # Updates.
    "GET /api/v1/updates": (USERS, None),
    "GET /api/v1/updates/{update}": ("200 200 200 200 404 200 401 401", None),
    "DELETE /api/v1/updates/{update}": ("204 204 204 403 404 403 401 401", None, "fresh"),
    # Users: the administrators' affair, but for oneself; {user} is another user here.
    "GET /api/v1/users": ("200 403 403 403 403 403 401 401", None),
    "POST /api/v1/users": ("201 403 403 403 403 403 401 401", {"name": "{new}", "password": PASSWORD}),
    "GET /api/v1/users/{user}": ("200 404 404 404 404 404 401 401", None),
    "PATCH /api/v1/users/{user}": ("200 404 404 404 404 404 401 401", {"language": "vi"}),
    "DELETE /api/v1/users/{user}": ("204 403 403 403 403 403 401 401", None, "fresh"),
    # Tokens: one's own; {token} is the administrator's.
    "GET /api/v1/tokens": (USERS, None),
    "POST /api/v1/tokens": ("201 201 201 201 201 201 401 401", {"name": "ci"}),
    "DELETE /api/v1/tokens/{token}": ("204 404 404 404 404 404 401 401", None, "fresh"),
    "GET /api/v1/audit": ("200 403 403 403 403 403 401 401", None),
    # Devices' own paths: a key in path, query or header tells who asks, and nobody's role counts.
    "GET /update/{key}": ("401 " * 8, None),  # no key
    **{f"{method} /{base}/{{call...}}": ("401 " * 8, GIVEN if method == "POST" else None)  # alive, without a key
       for method in ("GET", "POST") for base in ("DeviceApi", "deviceapi", "DeviceAPI", "deviceApi", "DEVICEAPI")},
    "GET /{product}/release.txt": ("200 " * 8, None),
    "GET /{product}/{file}.bin": ("200 " * 8, None),  # released files are for everybody
    "GET /v1/ping/": ("200 " * 8, None),
    "POST /v1/ping/": ("200 " * 8, GIVEN),
    "POST /v1/key/": ("403 " * 8, GIVEN),
    "POST /v1/user/join/": ("403 " * 8, GIVEN),
    "POST /v1/key/share/": ("403 " * 8, GIVEN),
    "POST /v1/user/login/": ("401/429 " * 8, {"email": "x", "password": "x"}),
    # By a key of Espressif's kind; users show their tokens of the API in its place. A key that opens nothing is
    # answered 500, as the cloud did.
    "GET /v1/device/": ("200 200 200 200 404 200 200 500", None, "espressif"),
    "GET /v1/device/rpc/": ("404 404 404 404 404 404 500 500", None, "espressif"),  # it holds no link, or does not exist
    "GET /v1/device/rom/": ("500 500 500 500 500 500 200 500", None, "espressif"),
    "GET /v1/user/devices/": ("200 200 200 200 200 200 401 401", None, "espressif"),
    "POST /v1/key/authorize/": ("404 404 404 404 404 404 401 401", {"token": "x" * 40}, "espressif"),
}
WEB = re.compile(r"GET /(\w+/\{rest\.\.\.\}|assets/.*|[\w.-]*)")  # the page: the same for everybody


def all_routes():
    done = subprocess.run([find_server(), "routes", "--json"], check=True, stdout=subprocess.PIPE)
    return {f"{row['method']} {row['path']}" for row in json.loads(done.stdout)["routes"]}


def test_every_route_has_a_row_and_every_row_a_route():
    routes = all_routes()
    assert {route for route in routes - set(TABLE) if not WEB.fullmatch(route)} == set()
    assert set(TABLE) - routes == set()
    for route, row in TABLE.items():
        assert len(row[0].split()) == len(ROLES), route


class World:
    """Two products with a device, a release, an update each, and somebody for every role."""

    def __init__(self, data):
        secret = first_token(find_server(), data)
        self.daemon = Daemon(find_server(), data)
        self.daemon.wait()
        self.tokens = {"administrator": administrator(self.daemon, secret), "nobody": None}
        self.call = self.daemon.client(self.tokens["administrator"])
        self.made = 0
        self.users = {"administrator": self.call("GET", "/api/v1/session")["user"]}
        for role in ("developer", "operator", "viewer", "other", "owner"):
            self.users[role] = self.call("POST", "/api/v1/users", {"name": role, "password": PASSWORD})["id"]
            self.tokens[role] = self.daemon.client()(
                "POST", "/api/v1/tokens/login", {"user": role, "password": PASSWORD, "name": "test"})["token"]
        self.users["somebody"] = self.fresh_user()
        self.kept = {"own": self.objects(), "another's": self.objects(other=True)}
        self.tokens["device"] = self.kept["own"]["device_key"]
        self.connections = {}
        self.document = self.call("GET", "/api/v1/openapi.json")

    def new(self):
        self.made += 1
        return f"new-{self.made}"

    def objects(self, other=False):
        """Everything that a path may name."""
        product = self.call("POST", "/api/v1/products", {"name": self.new(), "kind": "idf", "chip": "esp32",
                                                         "consent": "ask_download", "strangers": "admit"})
        members = {"other": "developer"} if other else {role: role for role in ("developer", "operator", "viewer")}
        for user, role in members.items():
            self.call("PUT", f"/api/v1/products/{product['id']}/members/{self.users[user]}", {"role": role})
        sha256 = self.call("POST", f"/api/v1/products/{product['id']}/images", images.esp32())["sha256"]
        for version in ("1.0", "0.9"):
            self.call("POST", f"/api/v1/products/{product['id']}/releases",
                      {"version": version, "images": {"app": sha256}, "current": version == "1.0"})
        device = self.call("POST", f"/api/v1/products/{product['id']}/devices", {"serial": "1"})
        if not other:
            owner = self.daemon.client(self.tokens["owner"])
            owner("POST", "/api/v1/devices/claim", {"code": device["claim_code"]})
            owner.close()
        unowned = self.call("POST", f"/api/v1/products/{product['id']}/devices", {"serial": "2"})
        poll = self.daemon.client()
        poll.raw("GET", f"/update/{product['key']}?serial=1&version=0.5")
        poll.close()
        update = self.call("GET", f"/api/v1/devices/{device['id']}")["update"]
        for path, body in (("config", b"{}"), ("resources/a", b"a")):
            self.call.raw("PUT", f"/api/v1/products/{product['id']}/{path}", body)
        user = self.users["other" if other else "somebody"]
        return {"product": product["id"], "version": "1.0", "other": "0.9", "device": device["id"], "file": "app",
                "device_key": device["device_key"], "update": update["id"], "user": user, "path...": "a", "part": "app", "key": "0" * 36,
                "call...": "alive", "sha256": sha256, "code": unowned["claim_code"], "token": "t_0000000000000000"}

    NONE = {"product": "p_0000000000000000", "version": "1.0", "other": "0.9", "device": "d_0000000000000000", "file": "app",
            "update": "x_0000000000000000", "user": "u_0000000000000000", "path...": "a", "part": "app", "key": "1" * 36, "call...": "alive",
            "sha256": "0" * 64, "code": "XXXXXXXX", "token": "t_0000000000000000", "device_key": "1" * 40}

    def names(self, whose, fresh):
        if whose == "none":
            return {**self.NONE, "new": self.new()}
        found = self.objects(whose != "own") if fresh else self.kept[whose]
        return {**found, "new": self.new()}

    def fresh_user(self):
        return self.call("POST", "/api/v1/users", {"name": self.new(), "password": PASSWORD})["id"]

    def ask(self, route, role, names, body, token=None, flag=None):
        """(status, headers but for the date, body)"""
        method, path = route.split(" ", 1)
        path = re.sub(r"{([\w.]+)}", lambda match: names[match[1]], path)
        headers = {}
        token = token or self.tokens[role]
        if token:
            headers["Authorization"] = f"token {token}" if flag == "espressif" or role == "device" else f"Bearer {token}"
        if flag == "espressif" and role != "device" and path.startswith("/v1/device/"):
            path += f"?device_id={names['device']}&deliver_to_device=true&action=x"
            path = path if "rom" not in path else path.split("?")[0]
        if body is IMAGE:
            body, headers["Content-Type"] = images.esp32(), "application/octet-stream"
        elif body is not None:
            body = re.sub(r"{(\w+)}", lambda match: names[match[1]], json.dumps(body)).encode()
            headers["Content-Type"] = "application/json"
        client = self.connections.get(role)
        if client is None:
            client = self.connections[role] = self.daemon.client()
        status, got, data = client.raw(method, path, body, headers)
        return status, sorted((k, v) for k, v in got.items() if k not in ("Date", "Retry-After")), data

    def schema(self, route, status):
        """What the document says of this answer; None for what is no JSON."""
        method, path = route.split(" ", 1)
        operation = self.document["paths"][path.replace("...", "")][method.lower()]
        found = operation["responses"].get("default" if status >= 400 else "204" if status == 204 else "2XX")
        if found is None:
            found = operation["responses"]["200"]
        content = found.get("content")
        return {**content["application/json"]["schema"], "components": self.document["components"]} if content else None


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("access") / "data")
    yield made
    made.daemon.stop()


def stream_status(world, token):
    """Of an event stream, which does not end."""
    client = world.daemon.client(token)
    client.http.request("GET", "/api/v1/events", headers=client.headers)
    answer = client.http.getresponse()
    client.close()
    return answer.status


SLOW = {"POST /api/v1/session", "POST /api/v1/tokens/login", "POST /v1/user/login/", "POST /api/v1/setup"}


@pytest.mark.parametrize("route", TABLE)
def test_route_by_role(world, route):
    statuses, body, *flags = TABLE[route]
    fresh, flag = "fresh" in flags, "espressif" if "espressif" in flags else None
    wrong = []
    for role, want in zip(ROLES, statuses.split()):
        if body == "stream":
            assert stream_status(world, world.tokens[role]) == int(want), role
            continue
        if route in SLOW and role not in ("nobody", "viewer"):
            continue  # wrong words are counted, and slowed down
        names = dict(world.names("own", fresh))
        token = None
        if fresh and "{user}" in route:
            names["user"] = world.fresh_user()
        if fresh and "{token}" in route and role == "administrator":
            names["token"] = world.call("POST", "/api/v1/tokens", {"name": "x"})["id"]
        if route == "DELETE /api/v1/session" and world.tokens[role] and role != "device":
            client = world.daemon.client(world.tokens[role])
            token = client("POST", "/api/v1/tokens", {"name": "x"})["token"]
            client.close()
        if route == "DELETE " + PRODUCT and want == "204":
            for device in world.call("GET", f"/api/v1/devices?product={names['product']}")["items"]:
                world.call("DELETE", f"/api/v1/devices/{device['id']}")
        status, headers, answer = world.ask(route, role, names, body, token, flag)
        if str(status) not in want.split("/"):
            wrong.append((role, status, want, answer[:100]))
        if route.split(" ")[1].startswith("/api/"):
            schema = world.schema(route, status)
            if schema is not None:
                assert ("Content-Type", "application/json") in headers or \
                    ("Content-Type", "application/json; charset=utf-8") in headers, headers
                jsonschema.validate(json.loads(answer), schema)
    assert not wrong, wrong


NAMED = [route for route in TABLE if re.search(r"{(product|device|update|user|token)}", route) or "{update}" in str(TABLE[route][1])
         if not route.endswith((".bin", "release.txt"))] + ["GET /v1/device/", "GET /v1/device/rpc/"]


@pytest.mark.parametrize("route", NAMED)
def test_what_belongs_to_others_looks_like_what_does_not_exist(world, route):
    _, body, *flags = TABLE[route]
    flag = "espressif" if "espressif" in flags else None
    for role in ROLES[1:]:
        whose = "own" if role == "other" else "another's"
        names = dict(world.names(whose, False))
        if "{token}" in route:
            names["token"] = world.call("GET", "/api/v1/tokens")["items"][0]["id"]
        if "{user}" in route and "members" not in route:
            names["user"] = world.users["owner" if role == "other" else "other"]
        theirs = world.ask(route, role, names, body, flag=flag)
        none = world.ask(route, role, world.names("none", False), body, flag=flag)
        assert theirs == none, role
        # A device's key opens the device, whatever else is said.
        assert theirs[0] in (401, 403, 404) or (role, flag, theirs[0]) == ("nobody", "espressif", 500) or (role, flag) == ("device", "espressif")


def test_everybody_is_somebody_to_himself(world):
    for role in ROLES[1:6]:
        path = f"/api/v1/users/{world.users[role]}"
        client = world.daemon.client(world.tokens[role])
        assert client("GET", path)["name"] == role
        assert client("PATCH", path, {"language": "zh"})["language"] == "zh"
        for more in ({"role": "administrator"}, {"disabled": True}, {"name": "ada2"}):
            status, _, answer = client.raw("PATCH", path, json.dumps(more), {"Content-Type": "application/json"})
            assert status == 403, (role, more, answer)
        client.close()


def test_a_session_changes_nothing_without_its_header(world):
    """A cookie comes along with what other sites make a browser send; the header does not."""
    client = world.daemon.client()
    status, headers, answer = client.raw("POST", "/api/v1/session", json.dumps({"user": "ada", "password": PASSWORD}),
                                         {"Content-Type": "application/json"})
    assert status == 200
    cookie, csrf = headers["Set-Cookie"].split(";")[0], json.loads(answer)["csrf"]
    names = world.names("own", False)
    walked = 0
    for route in TABLE:
        method, path = route.split(" ", 1)
        if method == "GET" or not path.startswith("/api/") or route in SLOW:
            continue
        path = re.sub(r"{([\w.]+)}", lambda match: names[match[1]], path)
        for header in ({}, {"X-CSRF-Token": "0" * 40}, {"X-CSRF-Token": ""}):
            body = None if method == "DELETE" else b"{}"
            status, _, answer = client.raw(method, path, body, {"Cookie": cookie, "Content-Type": "application/json", **header})
            assert status == 403 and json.loads(answer)["error"]["code"] == "csrf", (route, status, answer)
            walked += 1
    assert walked > 60
    path = f"/api/v1/devices/{names['device']}"
    status, _, answer = client.raw("PATCH", path, b'{"name": "x"}', {"Cookie": cookie, "Content-Type": "application/json",
                                                                      "X-CSRF-Token": csrf})
    assert status == 200, answer
    client.close()
