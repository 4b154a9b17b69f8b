"""Goal: a body that is wrong in one thing is refused in one clear sentence that names the field, and changes nothing.

Method: every route of the API that takes JSON, every field of it as the OpenAPI document has it: every wrong type, every
limit by one, words that are none of the choices, texts that are no text; fields that are missing, unknown, there twice. The
rest of the body is good. What changes something stands in the audit log, which must not grow.
"""
import json
import re
import sqlite3

import pytest

from daemon import PASSWORD
from test_access import World

GOOD = {
    "NewProduct": {"name": "new", "kind": "idf", "chip": "esp32"},
    "NewRelease": {"version": "9.9", "images": {"app": "{sha256}"}},
    "Membership": {"role": "viewer"},
    "Block": {"blocked": True},
    "Claim": {"code": "{code}"},
    "Answer": {"update": "{update}", "answer": "now"},
    "NewUser": {"name": "new", "password": PASSWORD},
    "NewToken": {"name": "new"},
    "TokenLogIn": {"user": "ada", "password": PASSWORD, "name": "new"},
    "LogIn": {"user": "ada", "password": PASSWORD},
    "Setup": {"token": "x", "user": "x", "password": PASSWORD},
}
TYPES = {"string": "text", "integer": 5, "boolean": True, "number": 1.5, "object": {}, "array": [], "null": None}
# What is no text of a name: not UTF-8, half a character, characters that control.
NO_TEXTS = [b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\u0000"', b'"a\\u0007b"', b'"a\\u001b[31m"',
            b'"a\\u007f"']


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("bad") / "data")
    yield made
    made.daemon.stop()


def changes(world):
    """How often something was changed so far."""
    with sqlite3.connect(f"file:{world.daemon.data}/updraft.db?mode=ro", uri=True) as db:
        return db.execute("SELECT max(no) FROM audit").fetchone()[0]


def routes(world):
    """(method, path, name of the schema, schema)"""
    for path, methods in world.document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content:
                name = content["schema"]["$ref"].rsplit("/", 1)[1]
                yield method.upper(), path, name, world.document["components"]["schemas"][name]


def wrong_values(schema):
    """Values, as JSON, that a field of this schema must not take."""
    allowed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    for kind, value in TYPES.items():
        if kind not in allowed and not (kind == "integer" and "number" in allowed):
            yield json.dumps(value).encode()
    if "string" in allowed:
        yield from NO_TEXTS
        if "maxLength" in schema:
            yield json.dumps("x" * (schema["maxLength"] + 1)).encode()
        if schema.get("minLength", 0) > 0:
            yield json.dumps("x" * (schema["minLength"] - 1)).encode()
        if "enum" in schema:
            yield b'"none of these"'
            yield b'""'
    if "integer" in allowed:
        yield json.dumps(schema["minimum"] - 1).encode()
        yield json.dumps(schema.get("maximum", 2 ** 63 - 1) + 1).encode()
        yield b"1e400"


def put_together(fields):
    return b"{" + b",".join(json.dumps(name).encode() + b":" + value for name, value in fields) + b"}"


def wrong_bodies(name, schema):
    """(body, the field that has to be named or None, what is wrong)"""
    good = [(key, json.dumps(value).encode()) for key, value in GOOD.get(name, {}).items()]
    for field, its in schema["properties"].items():
        rest = [pair for pair in good if pair[0] != field]
        for value in wrong_values(its):
            yield put_together([*rest, (field, value)]), field, value[:40]
        yield put_together([*rest, (field, b"1"), (field, b"1")]), None, f"{field} twice"
        if field in schema["required"]:
            yield put_together(rest), field, "missing"
    yield put_together([*good, ("no_such_field", b"1")]), "no_such_field", "unknown"
    for body in (b"", b"[]", b"1", b"null", b'"x"', b"{", b"{}}", b"{\"a\"}", b"\xef\xbb\xbf{}", b"[" * 100000):
        yield body, None, body[:10]


def test_every_wrong_body_is_refused_with_the_field_and_changes_nothing(world):
    names = {**world.names("own", False)}
    walked, wrong = 0, []
    for method, path, name, schema in routes(world):
        filled = re.sub(r"{(\w+)}", lambda match: names[match[1]], path)
        role = "owner" if "/my/" in path else "administrator"
        client = world.daemon.client(world.tokens[role])
        before = changes(world)
        for body, field, what in wrong_bodies(name, schema):
            body = re.sub(rb"\{(sha256|code|update)\}", lambda match: names[match[1].decode()].encode(), body)
            try:
                status, _, answer = client.raw(method, filled, body, {"Content-Type": "application/json"})
            except OSError:  # it answered before it had all of a body that is too large, and closed
                client.close()
                continue
            error = json.loads(answer).get("error", {}) if status >= 400 else {}
            message = error.get("message", "")
            walked += 1
            # A text that is none is found before its field is known.
            named = field is None or error.get("field") == field or (status == 400 and error.get("code") == "bad_json")
            if status not in (400, 413, 422) or not named or not re.fullmatch(r"[^\n\0]{8,400}", message):
                wrong.append((method, path, what, status, error))
        if changes(world) != before:
            wrong.append((method, path, "something was changed"))
        client.close()
    assert walked > 600, walked
    assert not wrong, "\n".join(map(str, wrong[:40])) + f"\n{len(wrong)} of {walked}"


def test_a_body_has_to_say_that_it_is_json(world):
    names = world.names("own", False)
    for method, path, name, _ in routes(world):
        filled = re.sub(r"{(\w+)}", lambda match: names[match[1]], path)
        for kind in (None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"):
            client = world.daemon.client(world.tokens["owner" if "/my/" in path else "administrator"])
            status, _, answer = client.raw(method, filled, b"{}", {"Content-Type": kind} if kind else {})
            assert status == 415 and json.loads(answer)["error"]["message"], (method, path, kind, status, answer)
            client.close()
