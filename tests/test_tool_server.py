"""Goal: the tool talks to a server as the API wants it, and says what went wrong when something does.

Method: a server made for the purpose, which notes what it was asked and answers what a test wants.
"""
import json
import os
import re
import socket
import stat
import subprocess

import pytest

import conftest
import images
from fake_api import ITEM, TOKEN, FakeApi
from test_server import find_server

COMMANDS = conftest.Program(conftest.find_program())("help", "--json").json["commands"]


@pytest.fixture
def api():
    with FakeApi() as server:
        yield server


@pytest.fixture
def call(updraft, api, tmp_path):
    """The tool with this server, in a home of its own, with the files that its commands name."""
    (tmp_path / "config.json").write_text('{"every": 30}')
    (tmp_path / "password.txt").write_text("correct horse\n")

    def run(*words, **kwargs):
        env = {"UPDRAFT_SERVER": api.url, "UPDRAFT_TOKEN": TOKEN, "HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "TZ": "UTC"}
        env.update(kwargs.pop("env", {}))
        return updraft(*words, env=env, cwd=kwargs.pop("cwd", tmp_path), **kwargs)
    return run


def asked(api):
    return [(method, path, json.loads(body) if body[:1] == b"{" else body) for method, path, _, body in api.asked]


REQUESTS = [
    (["product", "list"], "GET", "/products?limit=500", b""),
    (["product", "show", "lamp"], "GET", "/products/lamp", b""),
    (["product", "show", "a/b c?&"], "GET", "/products/a%2Fb%20c%3F%26", b""),
    (["product", "show", "đèn"], "GET", "/products/%C4%91%C3%A8n", b""),
    (["product", "create", "clock", "--chip", "esp8266", "--map", "2", "--ptype", "45772", "--consent", "ask_reboot"], "POST",
     "/products", {"name": "clock", "chip": "esp8266", "kind": "nonos", "map": 2, "ptype": 45772, "consent": "ask_reboot"}),
    (["product", "create", "lamp", "--chip", "esp8266"], "POST", "/products",
     {"name": "lamp", "chip": "esp8266", "kind": "arduino"}),
    (["release", "list", "lamp"], "GET", "/products/lamp/releases?limit=500", b""),
    (["release", "set-current", "clock", "v1.0.1t45772(a)"], "POST",
     "/products/clock/releases/v1.0.1t45772%28a%29/current", b""),
    (["release", "withdraw", "lamp", "1.0"], "POST", "/products/lamp/releases/1.0/withdraw", b""),
    (["release", "show", "lamp", "1.0"], "GET", "/products/lamp/releases/1.0", b""),
    (["device", "list", "--product", "lamp", "--state", "silent", "--search", "a&b"], "GET",
     "/devices?limit=500&product=lamp&state=silent&q=a%26b", b""),
    (["device", "show", "d_1"], "GET", "/devices/d_1", b""),
    (["device", "create", "clock", "--serial", "0001"], "POST", "/products/clock/devices", {"serial": "0001"}),
    (["device", "create", "clock", "--device-key", "5" * 40], "POST", "/products/clock/devices", {"device_key": "5" * 40}),
    (["device", "update", "d_1"], "POST", "/devices/d_1/update", {"downgrade": False}),
    (["device", "update", "--version", "1.0", "--downgrade", "d_1"], "POST", "/devices/d_1/update",
     {"downgrade": True, "version": "1.0"}),
    (["device", "edit", "d_1", "--name", "Đèn", "--serial", "2", "--group", "", "--channel", "beta", "--variant", "v2"], "PATCH",
     "/devices/d_1", {"name": "Đèn", "serial": "2", "group": "", "channel": "beta", "variant": "v2"}),
    (["device", "delete", "d_1"], "DELETE", "/devices/d_1", b""),
    (["device", "admit", "d_1"], "POST", "/devices/d_1/block", {"blocked": False}),
    (["device", "unblock", "d_1"], "POST", "/devices/d_1/block", {"blocked": False}),
    (["device", "block", "d_1"], "POST", "/devices/d_1/block", {"blocked": True}),
    (["device", "claim", "7KQ2M9XA"], "POST", "/devices/claim", {"code": "7KQ2M9XA"}),
    (["mine", "list"], "GET", "/my/devices", b""),
    (["mine", "show", "d_1"], "GET", "/my/devices/d_1", b""),
    (["mine", "reboot", "d_1"], "POST", "/my/devices/d_1/reboot", b""),
    (["mine", "answer", "d_1", "tonight", "--update", "x_1"], "POST", "/my/devices/d_1/answer",
     {"update": "x_1", "answer": "tonight", "offset": 0}),
    (["update", "list", "--state", "failed", "--product", "lamp", "--device", "d_1", "--version", "1", "--reason", "crc"], "GET",
     "/updates?limit=500&product=lamp&device=d_1&version=1&state=failed&reason=crc", b""),
    (["update", "show", "x_1"], "GET", "/updates/x_1", b""),
    (["update", "cancel", "x_1"], "DELETE", "/updates/x_1", b""),
    (["product", "edit", "lamp", "--name", "light", "--reply-unknown", "304", "--reply-blocked", "404", "--strangers", "hold",
      "--channel", "stable", "--channel", "beta", "--consent", "operator", "--map", "6"], "PATCH", "/products/lamp",
     {"name": "light", "reply_unknown": 304, "reply_blocked": 404, "strangers": "hold", "channels": ["stable", "beta"],
      "consent": "operator", "map": 6}),
    (["product", "delete", "lamp"], "DELETE", "/products/lamp", b""),
    (["product", "paste", "lamp"], "GET", "/products/lamp/paste", b""),
    (["config", "show", "lamp"], "GET", "/products/lamp/config", b""),
    (["config", "show", "lamp", "--group", "a b"], "GET", "/products/lamp/config?group=a%20b", b""),
    (["config", "list", "lamp"], "GET", "/products/lamp/configs", b""),
    (["config", "set", "lamp", "config.json", "--group", "bếp"], "PUT", "/products/lamp/config?group=b%E1%BA%BFp", {"every": 30}),
    (["config", "remove", "lamp"], "DELETE", "/products/lamp/config", b""),
    (["resource", "list", "lamp"], "GET", "/products/lamp/resources", b""),
    (["resource", "put", "lamp", "/www/a b.html", "config.json"], "PUT", "/products/lamp/resources/www/a%20b.html", {"every": 30}),
    (["resource", "remove", "lamp", "www//x"], "DELETE", "/products/lamp/resources/www/x", b""),
    (["resource", "list", "lamp", "--group", "bếp"], "GET", "/products/lamp/resources?group=b%E1%BA%BFp", b""),
    (["resource", "put", "lamp", "a b", "config.json", "--group", "a b"], "PUT", "/products/lamp/resources/a%20b?group=a%20b", {"every": 30}),
    (["resource", "remove", "lamp", "x", "--group", "&"], "DELETE", "/products/lamp/resources/x?group=%26", b""),
    (["release", "forecast", "lamp", "2.0"], "GET", "/products/lamp/releases/2.0/forecast", b""),
    (["release", "compare", "lamp", "2.0", "1.0"], "GET", "/products/lamp/releases/2.0/compare/1.0", b""),
    (["release", "download", "lamp", "2.0", "app", "-o", "out.bin"], "GET", "/products/lamp/releases/2.0/images/app", b""),
    (["user", "show", "u_1"], "GET", "/users/u_1", b""),
    (["user", "edit", "u_1", "--name", "an", "--role", "administrator", "--language", "vi", "--password-file", "password.txt",
      "--old-password-file", "password.txt"], "PATCH", "/users/u_1",
     {"name": "an", "role": "administrator", "language": "vi", "password": "correct horse", "old_password": "correct horse"}),
    (["user", "delete", "u_1"], "DELETE", "/users/u_1", b""),
    (["audit", "list"], "GET", "/audit?limit=500", b""),
    (["audit", "check"], "GET", "/audit?limit=1", b""),
    (["device", "reboot", "d_1"], "POST", "/devices/d_1/reboot", b""),
    (["device", "decide", "d_1"], "GET", "/devices/d_1/decision", b""),
    (["device", "explain", "d_1"], "GET", "/devices/d_1/decision", b""),
    (["device", "rpc", "d_1", "sys_upgrade", "version=v1.0.1", "x="], "POST", "/devices/d_1/rpc",
     {"action": "sys_upgrade", "version": "v1.0.1", "x": ""}),
    (["user", "list"], "GET", "/users?limit=500", b""),
    (["user", "disable", "u_1"], "PATCH", "/users/u_1", {"disabled": True}),
    (["user", "enable", "u_1"], "PATCH", "/users/u_1", {"disabled": False}),
    (["token", "create", "ci", "--days", "90"], "POST", "/tokens", {"name": "ci", "days": 90}),
    (["member", "list", "clock"], "GET", "/products/clock/members", b""),
    (["member", "set", "clock", "u_1", "--role", "operator"], "PUT", "/products/clock/members/u_1", {"role": "operator"}),
    (["member", "remove", "clock", "u_1"], "DELETE", "/products/clock/members/u_1", b""),
    (["token", "list"], "GET", "/tokens?limit=500", b""),
    (["token", "revoke", "t_1"], "DELETE", "/tokens/t_1", b""),
]


@pytest.mark.parametrize("words, method, path, body", REQUESTS, ids=[" ".join(row[0][:2]) + str(i) for i, row in enumerate(REQUESTS)])
def test_each_command_asks_for_what_it_says(call, api, words, method, path, body):
    assert call(*words).out or "-o" in words
    assert asked(api) == [(method, path, body)]
    assert api.asked[0][2]["Authorization"] == f"Bearer {TOKEN}"
    found = call(*words, "--json").json
    assert found["ok"] and found["schema"] == 1


def test_every_command_of_a_server_is_asked_for_here():
    covered = {tuple(row[0][:2]) for row in REQUESTS} | {("release", "upload"), ("user", "create")}
    groups = ("product", "member", "release", "config", "resource", "device", "mine", "update", "user", "token", "audit")
    assert {(command["group"], command["name"]) for command in COMMANDS if command.get("group") in groups} == covered


# What has no verb of its own, and why.
WITHOUT = {
    "POST /api/v1/setup": "is the page's; updraftd init prints a token",
    "POST /api/v1/session": "is a browser's: programs have tokens", "GET /api/v1/session": "likewise", "DELETE /api/v1/session": "likewise",
    "POST /api/v1/tokens/login": "login", "GET /api/v1/server": "overview", "GET /api/v1/overview": "overview",
    "GET /api/v1/events": "events", "POST /api/v1/simulation": "is the demonstration's", "DELETE /api/v1/simulation": "likewise",
    "GET /api/v1/openapi.json": "is for programmers",
    "POST /api/v1/products/{product}/images": "release upload", "POST /api/v1/products/{product}/releases": "release upload",
    "POST /api/v1/products/{product}/releases/{version}/stop": "is withdraw by another name",
    "POST /api/v1/users": "user create",
}


def test_every_route_of_the_api_has_a_verb():
    run = subprocess.run([find_server(), "routes", "--json"], check=True, stdout=subprocess.PIPE)
    routes = [f"{row['method']} {row['path']}" for row in json.loads(run.stdout)["routes"]]
    verbs = [f"{method} /api/v1{path.split('?')[0]}" for _, method, path, _ in REQUESTS]
    patterns = {route: re.sub(r"\\{\w+\\}", "[^/]+", re.sub(r"\\{\w+\\.\\.\\.\\}", ".+", re.escape(route))) for route in routes}
    assert set(WITHOUT) <= set(routes)
    assert {route for route, pattern in patterns.items() if "/api/v1/" in route and
            not any(re.fullmatch(pattern, verb) for verb in verbs)} - set(WITHOUT) == set()
    assert {verb for verb in verbs if not any(re.fullmatch(pattern, verb) for pattern in patterns.values())} == set()


@pytest.mark.parametrize("words", [["device", "edit", "d_1"], ["product", "edit", "p"], ["user", "edit", "u_1"]])
def test_an_edit_that_changes_nothing_is_a_mistake(call, api, words):
    assert "nothing to change" in call(*words, code=2).err and api.asked == []


def test_an_answer_is_to_the_question_that_waits(call, api):
    api.answers["/my/devices/d_1"] = 200, {"id": "d_1", "offer": {"update": "x_7", "version": "2.0", "question": "reboot"}}
    call("mine", "answer", "d_1", "now")
    assert asked(api)[1] == ("POST", "/my/devices/d_1/answer", {"update": "x_7", "answer": "now", "offset": 0})
    api.answers["/my/devices/d_1"] = 200, {"id": "d_1", "offer": None}
    result = call("mine", "answer", "d_1", "no", "--json", code=1)
    assert result.json["problem"]["reason"] == "no_question" and len(api.asked) == 3


def test_a_log_that_was_changed_fails(call, api):
    api.answers["/audit?limit=1"] = 200, {"items": [], "next": None, "total": 9, "chain": {"ok": False, "checked": 9, "broken_at": 4}}
    assert "line 4 is not what was written" in call("audit", "check", code=3).err
    found = call("audit", "check", "--json", code=3).json
    assert found["chain"]["broken_at"] == 4 and found["problem"]["reason"] == "broken"


def test_the_whole_fleet_on_one_page(call, api):
    api.answers["/server"] = 200, {"version": "1.2", "setup": True}
    api.answers["/overview"] = 200, {"devices": 3, "online": 1, "versions": [], "attention": [{"kind": "new", "count": 2}]}
    found = call("overview", "--json").json
    assert (found["version"], found["devices"], found["attention"][0]["count"]) == ("1.2", 3, 2)
    assert "devices          3" in call("overview").out


def test_a_configuration_is_shown_as_it_was_given(call, api):
    text = b'{ "a" :1,\n "b": [2] }'
    api.answers["/products/lamp/config"] = 200, text
    assert call("config", "show", "lamp").out == text.decode() + "\n"
    assert call("config", "show", "lamp", "--json").json["config"] == {"a": 1, "b": [2]}


def test_lines_to_paste_cannot_steer_a_terminal(call, api):
    api.answers["/products/lamp/paste"] = 200, {"steps": [{"title": "Sketch", "text": "one\n  two \x1b[2J\n"}]}
    assert call("product", "paste", "lamp").out == "# Sketch\none\n  two \\x1b[2J\n"
    assert call("product", "paste", "lamp", "--json").json["steps"][0]["title"] == "Sketch"


def test_an_image_is_written_to_the_byte(call, api, tmp_path):
    image = bytes(range(256)) * 100
    api.answers["/products/lamp/releases/1.0/images/app"] = 200, image
    assert call("release", "download", "lamp", "1.0", "app", "-o", "a.bin", "--json").json["size"] == len(image)
    assert (tmp_path / "a.bin").read_bytes() == image
    api.answers["/products/lamp/releases/1.0/images/app"] = 404, {"error": {"code": "not_found", "message": "no such"}}
    call("release", "download", "lamp", "1.0", "app", "-o", "b.bin", code=1)
    assert not (tmp_path / "b.bin").exists()


def test_what_is_shown(call):
    assert call("product", "show", "lamp", "--json").json["key"] == ITEM["key"]
    out = call("product", "list").out
    assert out.splitlines()[0].split() == ["ID", "NAME", "KIND", "CHIP", "CURRENT", "DEVICES", "ONLINE"]
    assert "Đèn số 1" in out
    rows = call("device", "explain", "d_1").out
    assert "  yes  the device is not blocked" in rows and "  no   something else runs" in rows and "  -    it helped before" in rows


def test_an_answer_cannot_steer_a_terminal(call, api):
    api.answers["/products/p"] = 200, {"id": "p", "name": "a\x1b[31m\x9b"}
    out = call("product", "show", "p").out
    assert "\x1b" not in out and "\\x1b[31m" in out
    api.answers["/products/p"] = 422, {"error": {"code": "x", "message": "bad \x1b[2J thing"}}
    assert "\x1b" not in call("product", "show", "p", code=1).err


def test_a_list_is_read_to_its_end(call, api):
    pages = {"": "a b&c", "a%20b%26c": "d", "d": None}
    for after, following in pages.items():
        path = "/products?limit=500" + (f"&after={after}" if after else "")
        api.answers[path] = 200, {"items": [{"id": f"after {after}"}], "next": following, "total": 3}
    found = call("product", "list", "--json").json
    assert [item["id"] for item in found["products"]] == ["after ", "after a%20b%26c", "after d"] and found["total"] == 3


def test_a_pair_is_uploaded_and_then_released(call, api, tmp_path):
    files = {"user1": images.user_image(1, 0x40201010), "user2": images.user_image(2, 0x40281010)}
    for part, data in files.items():
        (tmp_path / f"{part}.bin").write_bytes(data)
        api.answers[f"/products/clock/images?part={part}"] = 201, {"sha256": part * 8}
    call("release", "upload", "clock", "v1.0.1t45772(a)", "--user1", "user1.bin", "--user2", "user2.bin", "--current",
         "--notes", "nhanh hơn")
    assert [(row[1], row[2]) for row in asked(api)[:2]] == [(f"/products/clock/images?part={part}", data)
                                                          for part, data in files.items()]
    assert asked(api)[2] == ("POST", "/products/clock/releases", {
        "version": "v1.0.1t45772(a)", "current": True, "notes": "nhanh hơn", "images": {"user1": "user1" * 8, "user2": "user2" * 8}})


def test_a_refused_image_makes_no_release(call, api, tmp_path):
    (tmp_path / "app.bin").write_bytes(b"no image")
    api.answers["/products/lamp/images?part=app"] = 422, {
        "error": {"code": "magic", "message": "no firmware image begins like this", "field": "app", "detail": {"offset": 0}}}
    result = call("release", "upload", "lamp", "1.0", "--app", "app.bin", "--json", code=1)
    assert result.json["problem"]["reason"] == "magic" and result.json["problem"]["field"] == "app"
    assert result.json["problem"]["detail"] == {"offset": 0}
    assert "updraft: no firmware image begins like this" in result.err
    assert len(api.asked) == 1


def test_an_upload_of_what_is_not_there(call, api):
    assert "missing.bin" in call("release", "upload", "lamp", "1.0", "--app", "missing.bin", code=1).err
    call("release", "upload", "lamp", "1.0", code=2)
    assert api.asked == []


def test_a_device_key_is_written_as_the_sector_that_devices_carry(call, tmp_path):
    call("device", "create", "clock", "-o", "key.bin")
    assert (tmp_path / "key.bin").read_bytes() == b"5" * 40 + b"\xFF" * (4096 - 40)


@pytest.mark.parametrize("status, body, code, reason", [
    (401, {"error": {"code": "login", "message": "log in"}}, 1, "login"),
    (404, {"error": {"code": "not_found", "message": "no such thing"}}, 1, "not_found"),
    (409, {"error": {"code": "taken", "message": "the name is taken", "field": "name"}}, 1, "taken"),
    (500, {"error": {"code": "store", "message": "the database is gone"}}, 4, "store"),
    (502, b"<html>bad gateway</html>", 4, "server"),
    (200, b"<html>a proxy's page</html>", 4, "server"),
    (200, b"", 0, None),
    (404, b"", 4, "server"),
])
def test_failures_have_their_exit_code_and_reason(call, api, status, body, code, reason):
    api.answers["/products/p"] = status, body
    found = call("product", "show", "p", "--json", code=code).json
    assert found["ok"] == (code == 0)
    assert reason is None or found["problem"]["reason"] == reason


def test_a_server_that_is_not_there(call):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        result = call("product", "list", "--json", env={"UPDRAFT_SERVER": url}, code=4)
    assert result.json["problem"]["reason"] == "network" and url in result.err


def test_a_server_and_a_token_have_to_be_named(updraft, tmp_path):
    home = {"HOME": str(tmp_path), "UPDRAFT_TOKEN": "", "XDG_CONFIG_HOME": ""}
    assert "which server?" in updraft("product", "list", env=home, code=2).err
    assert "who asks?" in updraft("product", "list", "--server", "http://127.0.0.1:1", env=home, code=2).err
    assert "http://HOST:PORT" in updraft("product", "list", "--server", "127.0.0.1", env=home, code=2).err


def test_options_of_the_server_may_stand_in_front(updraft, api, tmp_path):
    (tmp_path / "token").write_text("from-file\nsecond line\n")
    updraft("--token-file", tmp_path / "token", "--server", api.url + "/", "product", "list", env={"HOME": str(tmp_path)})
    assert api.asked[0][2]["Authorization"] == "Bearer from-file"
    assert "needs a value" in updraft("--server", code=2).err


def test_a_token_file_without_a_token(call, tmp_path):
    (tmp_path / "token").write_text("\n")
    assert "its first line is empty" in call("product", "list", "--token-file", "token", code=1).err


def test_login_keeps_a_token_for_its_server_alone(updraft, api, tmp_path):
    home = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": "", "UPDRAFT_TOKEN": ""}
    (tmp_path / "home").mkdir()
    (tmp_path / "password").write_text("correct horse\n")
    updraft("login", "--server", api.url, "--user", "an", "--password-file", tmp_path / "password", "--name", "laptop", env=home)
    assert asked(api)[0] == ("POST", "/tokens/login", {"user": "an", "password": "correct horse", "name": "laptop"})
    assert "Authorization" not in api.asked[0][2]
    kept = tmp_path / "home/.config/updraft/server.json"
    assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600
    assert "correct horse" not in kept.read_text()
    api.asked.clear()
    updraft("product", "list", env=home)
    assert api.asked[0][2]["Authorization"] == f"Bearer {TOKEN}"
    with FakeApi() as other:
        updraft("product", "list", "--server", other.url, env=home, code=2)
        assert other.asked == []


def test_a_wrong_password_keeps_nothing(updraft, api, tmp_path):
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "UPDRAFT_TOKEN": ""}
    api.answers["/tokens/login"] = 401, {"error": {"code": "login", "message": "name or password is wrong"}}
    result = updraft("login", "--server", api.url, "--user", "an", env=home, input=b"wrong\n", code=1)
    assert "name or password is wrong" in result.err
    assert not (tmp_path / ".config").exists()


def test_events_go_on_where_a_connection_ended(call, api):
    out = call("events", "--after", "10", "--count", "5").out.splitlines()
    assert [line.split()[0] for line in out] == ["11", "12", "13", "14", "15"]
    assert json.loads(out[4].split(" ", 1)[1]) == {"kind": "device.changed", "n": 15}
    assert [headers.get("Last-Event-ID") for _, _, headers, _ in api.asked] == ["10", "13"]


def test_a_refused_event_stream_ends(call, api):
    api.answers["/events"] = 401, {"error": {"code": "login", "message": "log in"}}
    assert "401" in call("events", code=1).err


def test_events_as_json_are_a_line_each(call):
    lines = call("events", "--json", "--count", "4").out.split("\n", 4)
    assert [json.loads(line) for line in lines[:4]] == [
        {"seq": n, "event": None, "data": {"kind": "device.changed", "n": n}} for n in (1, 2, 3, 4)]
    assert json.loads(lines[4]) == {"schema": 1, "ok": True}
