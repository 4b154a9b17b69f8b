"""Goal: the tool says of version names what the cloud's rules say.

Method: every row of the rules' tables (docs/formats/rom_version.md), as a command line.
"""
import json

import pytest

ACCEPTED = ["v1.0.2t45772(a)", "b1.0.3t23701(l)", "v0.0.0t1(n)", "v999.999.999t45772(o)", "b10.20.30t2355(o)"]
REJECTED = ["v1.0.2.t45772(a)", "V1.0.2t45772(a)", "v1.0t45772(a)", "v1.0.1000t45772(a)", "v1.0.02t45772(a)", "v1.0.2t45772",
            "v1.0.2t45772(x)", "v1.0.2t(a)", "v1.0.2t045772(a)", "v-1.0.2t45772(a)", "v1.0.2t45772(a) ", " v1.0.2t45772(a)",
            "v1.0.2t45772(oa)", "", "v1.0.2t45772(A)", "x" * 70000]


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_name_is_accepted(updraft, name):
    value = updraft("rom-version", "check", "--json", name).json["version"]
    number = name[1:name.index("t")].split(".")
    assert value["name"] == name and value["number"] == [int(n) for n in number]
    assert value["value"] == int(number[0]) * 1000000 + int(number[1]) * 1000 + int(number[2])
    assert value["ptype"] == int(name[name.index("t") + 1:name.index("(")])


@pytest.mark.parametrize("name", REJECTED, ids=range(len(REJECTED)))
def test_a_name_is_rejected_at_the_place_where_it_goes_wrong(updraft, name):
    result = updraft("rom-version", "check", "--json", name, code=3)
    problem = json.loads(result.bytes)["problem"]
    assert problem["reason"] == "format" and 0 <= problem["offset"] <= len(name)
    assert result.err.count("\n") == 1


CLASHES = [
    # existing, then adding, with --strict; clash or not
    (["b1.0.3t45772(o)"], "v1.0.3t45772(o)", False, True), (["b1.0.3t45772(o)"], "v1.0.3t45772(l)", False, True),
    (["b1.0.3t45772(o)"], "v1.0.3t45772(a)", False, True), (["b1.0.3t45772(o)"], "b1.0.3t45772(l)", False, True),
    (["b1.0.3t45772(n)"], "v1.0.3t45772(n)", False, True), (["b1.0.3t45772(n)"], "v1.0.3t45772(o)", False, False),
    (["b1.0.3t45772(n)"], "v1.0.3t45772(o)", True, True),
    (["b1.0.3t45772(n)", "v1.0.3t45772(o)"], "b1.0.3t45772(a)", False, True),
    (["v1.0.3t45772(a)"], "b1.0.3t45772(n)", False, False), (["b1.0.3t45772(n)"], "b1.0.3t12335(n)", False, False),
    (["v1.0.2t45772(a)"], "v1.0.2t45772(a)", False, True), (["v1.0.2t45772(a)"], "v1.0.4t45772(a)", False, False),
    ([], "v1.0.2t45772(a)", True, False),
]


@pytest.mark.parametrize("existing, name, strict, clash", CLASHES)
def test_uniqueness(updraft, tmp_path, existing, name, strict, clash):
    words = ["--strict"] if strict else []
    (tmp_path / "list").write_text("".join(f"{n}\n" for n in existing))
    for way in (sum((["--existing", n] for n in existing), []), ["--existing-file", tmp_path / "list"]):
        result = updraft("rom-version", "check", "--json", name, *words, *way, code=3 if clash else 0)
        if clash:
            assert json.loads(result.bytes)["problem"]["with"] in existing


@pytest.mark.parametrize("one, other, order", [
    ("v1.0.3t45772(a)", "v1.0.2t45772(a)", "newer"), ("v1.0.2t45772(a)", "v1.0.3t45772(a)", "older"),
    ("v1.0.2t45772(a)", "b1.0.2t45772(n)", "same"), ("v1.0.3t45772(a)", "v1.0.2t45773(a)", "other-product"),
    ("v2.0.0t1(a)", "v1.999.999t1(a)", "newer")])
def test_order(updraft, one, other, order):
    assert updraft("rom-version", "compare", one, other).out == order + "\n"
    assert updraft("rom-version", "compare", "--json", one, other).json["order"] == order
    updraft("rom-version", "compare", one, "nonsense", code=2)


ALLOWED = [
    # running, latest, online, local
    ("v1.0.0t23701(a)", "v1.0.1t23701(a)", True, True), ("v1.0.0t23701(o)", "v1.0.1t23701(a)", True, False),
    ("v1.0.0t23701(O)", "v1.0.1t23701(a)", True, False),
    ("v1.0.0t23701(l)", "v1.0.1t23701(a)", False, True), ("v1.0.0t23701(n)", "v1.0.1t23701(a)", False, False),
    ("v1.0.1t23701(a)", "b1.0.1t23701(n)", False, False), ("v1.0.0t23701(a)", "v1.0.1t45772(a)", False, False),
    ("nonsense", "v1.0.1t45772(a)", False, False), ("v1.0.0t23701(a)", "v1.0.1t23701(n)", False, False),
    ("v1.0.0t23701(a)", "b1.0.1t23701(a)", False, False),
]


@pytest.mark.parametrize("running, target, online, local", ALLOWED)
def test_permission(updraft, running, target, online, local):
    result = updraft("rom-version", "allowed", "--json", running, target, code=0 if online or local else 3)
    value = json.loads(result.bytes)
    assert (value["online"]["allowed"], value["local"]["allowed"]) == (online, local)
    for way, allowed in (("online", online), ("local", local)):
        updraft("rom-version", "allowed", "--way", way, running, target, code=0 if allowed else 3)


def test_an_operator_may_allow_more(updraft):
    for words, running, target in ((["--allow-unknown"], "nonsense", "v1.0.1t1(a)"),
                                   (["--allow-beta"], "v1.0.0t1(a)", "b1.0.1t1(a)"),
                                   (["--allow-final"], "v1.0.0t1(a)", "v1.0.1t1(n)")):
        updraft("rom-version", "allowed", running, target, code=3)
        updraft("rom-version", "allowed", *words, running, target)


def test_names_that_devices_cannot_keep_are_warned_of(updraft):
    for words, name, warned in ((["--device", "at"], "v1.0.2t45772(a)", True), ([], "v1.0.2t45772(a)", False),
                                ([], "v1.0.20t45772(a)", True), ([], "v1.0.2t4(a)", True),
                                (["--device", "any"], "v1.0.20t45772(a)", False)):
        result = updraft("rom-version", "check", "--json", name, *words)
        assert ("warnings" in result.json) == warned == ("warning" in result.err)
