"""Goal: no run of tests looks better in the totals than it was.

Method: summary.py over reports as ctest and pytest write them, for programs that end in every way.
"""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SUMMARY = Path(__file__).parent / "summary.py"


def summarise(*reports):
    result = subprocess.run([sys.executable, SUMMARY, *reports], capture_output=True, text=True, check=False)
    *lines, totals = result.stdout.splitlines()
    return lines, totals, result.returncode


@pytest.fixture
def ctest(tmp_path):
    """ctest(script): the report of a run with one test, the shell script."""
    if not shutil.which("ctest"):
        pytest.skip("no ctest")

    def run(command):
        (tmp_path / "CTestTestfile.cmake").write_text(f"add_test(core/x {command})\n")
        report = tmp_path / "report.xml"
        subprocess.run(["ctest", "--test-dir", tmp_path, "--output-junit", report], capture_output=True, check=False)
        return report
    return run


@pytest.mark.parametrize("script, totals, lines", [
    ("echo '2 passed, 0 failed, 0 skipped'", "2 passed, 0 failed, 0 skipped", []),
    ("echo 'FAILED a'; echo '1 passed, 1 failed, 0 skipped'; exit 1", "1 passed, 1 failed, 0 skipped", ["FAILED core/x: a"]),
    ("echo 'skipped: no files'; echo 'skipped a'; echo '1 passed, 0 failed, 1 skipped'", "1 passed, 0 failed, 1 skipped",
     ["skipped core/x: a: no files"]),
    ("echo 'FAILED a'; echo '1 passed, 1 failed, 0 skipped'", "1 passed, 1 failed, 0 skipped", ["FAILED core/x: a"]),
])
def test_a_program_counts_by_its_last_line(ctest, script, totals, lines):
    assert summarise(ctest(f'sh "-c" "{script}"')) == (lines, totals, int(" 0 failed" not in totals))


CMOCKA = "printf '[==========] Running 3 test(s).\\\\n[ RUN      ] a\\\\n[       OK ] a\\\\n{}[==========] 3 test(s) run.\\\\n'"


@pytest.mark.parametrize("rest, totals, lines", [
    ("[       OK ] b\\\\n[  SKIPPED ] c\\\\n", "2 passed, 0 failed, 1 skipped", []),
    ("[  FAILED  ] b\\\\n[       OK ] c\\\\n", "2 passed, 1 failed, 0 skipped", ["FAILED core/x: b"]),
    ("[       OK ] b\\\\n", "0 passed, 1 failed, 0 skipped",
     ["FAILED core/x: it ended before its time, or failed without a failed test"]),
])
def test_a_program_of_cmocka_counts_by_its_tests(ctest, rest, totals, lines):
    assert summarise(ctest(f'sh "-c" "{CMOCKA.format(rest)}"')) == (lines, totals, int(" 0 failed" not in totals))


@pytest.mark.parametrize("command, failed", [
    ('sh "-c" "echo passed a; kill -SEGV $$"', "0 passed, 1 failed, 0 skipped"),
    ('sh "-c" "echo 2 passed, 0 failed, 0 skipped; exit 99"', "2 passed, 1 failed, 0 skipped"),
    ('sh "-c" "echo passed a"', "0 passed, 1 failed, 0 skipped"),
    ('true', "0 passed, 1 failed, 0 skipped"),
    ('/absent', "0 passed, 1 failed, 0 skipped"),
])
def test_a_crash_is_a_failure(ctest, command, failed):
    lines, totals, status = summarise(ctest(command))
    assert (totals, status) == (failed, 1)
    assert lines == ["FAILED core/x: it ended before its time, or failed without a failed test"]


PYTEST = """
import pytest
def test_good(): pass
def test_bad(): assert 0
@pytest.mark.parametrize("x", [1, 2])
def test_no_files(x): pytest.skip("no files")
@pytest.fixture
def broken(): yield; assert 0
def test_teardown(broken): pass
"""


def test_pytest_counts_by_its_cases(tmp_path):
    (tmp_path / "test_x.py").write_text(PYTEST)
    report = tmp_path / "report.xml"
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml", report, tmp_path / "test_x.py"],
                   cwd=tmp_path, capture_output=True, check=False)
    lines, totals, status = summarise(report)
    assert (totals, status) == ("1 passed, 2 failed, 2 skipped", 1)
    assert [line.rpartition("/")[2] for line in lines] == [
        "test_bad", "test_no_files: no files (2 cases)", "test_teardown"]


def test_nothing_is_a_failure(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text("<testsuites><testsuite/></testsuites>")
    assert summarise(report) == (["FAILED: no test ran"], "0 passed, 1 failed, 0 skipped", 1)


def test_a_missing_report_has_no_totals(tmp_path):
    result = subprocess.run([sys.executable, SUMMARY, tmp_path / "absent"], capture_output=True, text=True, check=False)
    assert result.returncode != 0 and result.stdout == ""
