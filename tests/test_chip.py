"""Goal: what a chip cannot bear is found in the objects: what link.py and sizes.py say of planted mistakes.

Method: small sources, compiled as the lx106 preset compiles, one mistake each.
"""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import link
import sizes

COMPILER = "xtensa-lx106-elf-gcc"
TOOLCHAIN = Path(__file__).parent.parent / "cmake" / "lx106.cmake"
pytestmark = pytest.mark.skipif(not shutil.which(COMPILER), reason=f"no {COMPILER}")

GOOD = """
#include <stddef.h>
#include <stdint.h>
void *memcpy(void *target, const void *source, size_t size);
static const uint8_t table[20] = {1};
static __attribute__((noinline)) uint32_t inner(const uint8_t *p, uint32_t n)
{
    volatile uint8_t copy[40] = {0};
    memcpy((void *)copy, p, n % 40);
    return copy[0] % n + table[n % 20];
}
uint32_t outer(const uint8_t *p, uint32_t n) { volatile uint32_t k = inner(p, n); return k + 1; }
"""


def build(folder, **sources):
    """Compile sources as the library updraft_core of a build in folder; return its archive."""
    flags = " ".join(re.findall(r'CMAKE_C_FLAGS_INIT "([^"]+)"', TOOLCHAIN.read_text())).split()
    objects = folder / "core" / "CMakeFiles" / "updraft_core.dir" / "src"
    objects.mkdir(parents=True)
    for name, text in sources.items():
        (folder / f"{name}.c").write_text(text)
        subprocess.run([COMPILER, "-Os", *flags, "-c", folder / f"{name}.c", "-o", objects / f"{name}.c.obj"], check=True)
    archive = folder / "core" / "libupdraft_core.a"
    subprocess.run(["xtensa-lx106-elf-ar", "crs", archive, *sorted(objects.glob("*.obj"))], check=True)
    return archive


def problems(folder):
    modules, _ = sizes.measure(folder, ["core"])
    return [problem for module in modules for problem in module.problems]


def test_a_good_module_is_measured_and_passes(tmp_path):
    defined, missing = link.needs([build(tmp_path, good=GOOD)])
    modules, stacks = sizes.measure(tmp_path, ["core"])
    [module] = modules
    assert (defined, missing) == (1, {})
    assert module.name == "core/src/good.c" and module.problems == []
    assert module.text > 60 and module.constants == 20 and module.data == 0
    assert module.code["outer"] + module.code["inner"] == module.text
    frames = {sizes.short(title): (frame, stacks.deepest(title)) for title, frame in module.frame.items()}
    inner, outer = frames["inner"][0], frames["outer"][0]
    assert inner >= 40 + 4
    assert frames == {"inner": (inner, (inner, False)), "outer": (outer, (outer + inner, False))}
    assert any(re.fullmatch(rf" +outer +{module.code['outer']} +{outer} +{outer + inner} *", line)
               for line in sizes.report(modules, stacks))


def test_what_one_object_lacks_another_may_have(tmp_path):
    archive = build(tmp_path, one="int two(void); int one(void) { return two(); }", two="int two(void) { return 2; }")
    assert link.needs([archive]) == (2, {})


@pytest.mark.parametrize("name, code", [
    ("malloc", "void *malloc(unsigned); void *f(void) { return malloc(4); }"),
    ("strlen", "unsigned strlen(const char *); unsigned f(const char *s) { return strlen(s) + 1; }"),
    ("printf", "int printf(const char *, ...); int f(int n) { return printf(\"%d\", n); }"),
    ("__udivdi3", "unsigned long long f(unsigned long long a, unsigned long long b) { return a / b; }"),
    ("__divdi3", "long long f(long long a, long long b) { return a / b; }"),
    ("__umoddi3", "unsigned long long f(unsigned long long a, unsigned long long b) { return a % b; }"),
    ("__addsf3", "float f(float a, float b) { return a + b; }"),
    ("__muldf3", "double f(double a, double b) { return a * b; }"),
])
def test_a_need_that_chips_do_not_meet_is_named(tmp_path, name, code):
    _, missing = link.needs([build(tmp_path, good=GOOD, planted=code)])
    assert list(missing) == [name]
    assert "planted.c.obj" in missing[name][0]


@pytest.mark.parametrize("problem, code", [
    (r"f\(\): its frame has no fixed size \(dynamic.*\)",
     "int g(char *); int f(int n) { char x[n + 1]; return g(x); }"),
    (r"f\(\): \d+ bytes of stack; the limit is 512", "int g(char *); int f(void) { char x[513]; return g(x); }"),
    (r"f\(\) calls itself", "int f(int n) { volatile int k = n; return n < 2 ? 1 : f(n - 1) * f(n - 2) + k; }"),
    (r"uses malloc\(\)", "void *malloc(unsigned); void *f(void) { return malloc(4); }"),
    (r"4 bytes of variables outside functions", "static int count; int f(void) { return ++count; }"),
    (r"4 bytes of variables outside functions", "int count = 7; int f(void) { return ++count; }"),
])
def test_a_hazard_is_named(tmp_path, problem, code):
    build(tmp_path, good=GOOD, planted=code)
    [found] = problems(tmp_path)
    assert re.fullmatch(problem, found)


def test_recursion_through_two_modules_is_found(tmp_path):
    build(tmp_path, one="int two(int); int one(int n) { return n ? two(n - 1) + 1 : 0; }",
          two="int one(int); int two(int n) { return n ? one(n - 1) + 1 : 0; }")
    assert any("calls itself" in problem for problem in problems(tmp_path))


def test_a_call_through_a_pointer_is_marked(tmp_path):
    build(tmp_path, one="int f(int (*g)(void)) { return g() + 1; } int h(int (*g)(void)) { return f(g) + 1; }")
    _, stacks = sizes.measure(tmp_path, ["core"])
    assert stacks.deepest("f")[1] and stacks.deepest("h")[1]
