"""What the tests share: a database in a temporary directory, and seeds.

HOLT_SEED runs a random test with another seed than the usual one; HOLT_PYTHON_ROUNDS makes it longer.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import holt

KINDS = ("lsm", "btree")


def seed() -> int:
    number = int(os.environ.get("HOLT_SEED") or 20260101)
    print(f"HOLT_SEED={number}", file=sys.stderr, flush=True)
    return number


def rounds(number):
    return int(os.environ.get("HOLT_PYTHON_ROUNDS") or number)


class TestCase(unittest.TestCase):
    """A test with a directory for its databases, self.path being one. What it opens is closed afterwards."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="holt-python-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.path = os.path.join(self.directory, "data")

    def open(self, **options):
        options.setdefault("memory", "8M")
        options.setdefault("durability", "process")
        db = holt.open(self.path, **options)
        self.addCleanup(db.close)
        return db

    def run_python(self, code, *args, status=0, **environment):
        """Runs a program in another interpreter, and returns its output. A warning is a failure."""
        done = subprocess.run([sys.executable, "-X", "dev", "-c", code, *args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=300,
                              env={**os.environ, **environment})
        self.assertEqual((done.returncode, done.stderr), (status, ""), done.stdout)
        return done.stdout
