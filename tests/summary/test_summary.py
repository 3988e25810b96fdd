#!/usr/bin/env python3
"""Tests of scripts/test-summary, whose last line decides whether CI passes: test_summary.py SCRIPT"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

SCRIPT = sys.argv[1]
TWO_OF_THREE = ("[  PASSED  ] 2 test(s).\n[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] c\n\n"
                " 1 FAILED TEST(S)\n")


class Summary(unittest.TestCase):
    def summary(self, *builds):
        """(last line, exit code) for builds, each a list of (result, output)."""
        with tempfile.TemporaryDirectory() as root:
            for number, logs in enumerate(builds):
                os.makedirs(os.path.join(root, str(number), "meson-logs"))
                log = os.path.join(root, str(number), "meson-logs", "testlog.json")
                with open(log, "w", encoding="utf-8") as file:
                    for result, output in logs:
                        entry = {"name": "t", "result": result, "stdout": "", "stderr": output}
                        file.write(json.dumps(entry) + "\n")
            folders = [os.path.join(root, str(number)) for number in range(len(builds))]
            done = subprocess.run([SCRIPT] + folders, stdout=subprocess.PIPE, text=True, check=False)
            return done.stdout.rstrip("\n").split("\n")[-1], done.returncode

    # A cmocka program counts with its cases, any other program as one.
    def test_cases_are_added_up_over_programs_and_builds(self):
        self.assertEqual(self.summary([("OK", "[  PASSED  ] 7 test(s).\n"), ("OK", "")], [("OK", "")]),
                         ("9 passed, 0 failed", 0))

    def test_failed_cases_are_counted(self):
        self.assertEqual(self.summary([("FAIL", TWO_OF_THREE), ("OK", "")]), ("3 passed, 1 failed", 1))

    # A crash after good cases leaves no failed case; a sanitizer may fail a program whose cases all pass.
    def test_a_bad_end_is_a_failure_whatever_the_cases_say(self):
        for result in ("FAIL", "TIMEOUT", "ERROR", "INTERRUPT", "UNEXPECTEDPASS"):
            summary = self.summary([(result, "[  PASSED  ] 7 test(s).\n")])
            self.assertEqual(summary, ("7 passed, 1 failed", 1), result)

    def test_skipped_is_neither(self):
        self.assertEqual(self.summary([("SKIP", ""), ("OK", "")]), ("1 passed, 0 failed", 0))

    # Nothing run is not a success.
    def test_nothing_run_is_no_success(self):
        self.assertEqual(self.summary([]), ("0 passed, 0 failed", 1))


unittest.main(argv=sys.argv[:1])
