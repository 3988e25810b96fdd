"""The package and its use, checked by mypy --strict. Skipped where mypy is not installed; CI installs it."""
import os
import shutil
import subprocess
import tempfile
import unittest

import holt

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(holt.__file__)))

GOOD = """
import holt
from typing import Optional

with holt.open("data", durability="interval", memory="64M", kind="btree") as db:
    db["a"] = b"1"
    db.put(b"a", bytearray(b"x"), if_absent=True, ttl=5.0)
    total: int = db.add("n", 5) + len(db)
    found: bool = "a" in db and db.exists("a")
    users: holt.Collection = db.collection("users", kind="lsm", text=True)
    with db.transaction(serializable=True) as t:
        inside: holt.Collection = t.collection(users)
        inside.update({"a": "b"})
        with t.savepoint() as point:
            point.rollback()
    number: int = db.transact(lambda t: t.add("n"))
    with db.snapshot() as s, db.batch() as b:
        b["x"] = s["a"]
    for key, value in users.range("a", "b", limit=3, reverse=True):
        print(key, value)
    names: list[str] = db.collections()
    figures: dict[str, int] = db.stats()
    expires: Optional[float] = users.expiry("a")
    with users.load() as load:
        load.put("a", "b")
    table: holt.Table = db.create_table("t", {"id": int, "name": holt.Column(str, not_null=True)},
                                        primary_key="id", indexes={"t_name": holt.Index("name", unique=True)})
    new_id: Optional[int] = table.insert(name="a")
    for row in table.where(id__gte=5, name="a").limit(5).select("id"):
        print(row.id)
    changed: int = table.where(id=5).update(name="b")
    sound: bool = table.check().sound
    try:
        db["none"]
    except holt.NotFound as error:
        print(error.status, error.message, error.file)
"""

BAD = """
import holt
db = holt.open("data", durability="sometimes")
db[1] = b"x"
db.put("a", 5)
db.range(limit="x")
db.collection("x", kind="heap")
db.transact(5)
db.table("t").insert(5)
db.table(5)
"""


class Types(unittest.TestCase):
    def mypy(self, *args):
        mypy = shutil.which("mypy")
        if not mypy:
            self.skipTest("mypy is not installed (Debian: mypy)")
        done = subprocess.run([mypy, "--strict", "--cache-dir", self.directory, "--no-error-summary", *args],
                              cwd=PACKAGE, stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "MYPYPATH": PACKAGE, "LD_PRELOAD": ""})
        return done.stdout.splitlines()

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="holt-python-")
        self.addCleanup(shutil.rmtree, self.directory)

    def file(self, text):
        name = os.path.join(self.directory, "program.py")
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
        return name

    def test_the_package_is_typed(self):
        self.assertEqual(self.mypy("-p", "holt"), [])

    def test_a_program_that_is_right(self):
        self.assertEqual(self.mypy(self.file(GOOD)), [])

    # Each of its lines but the first two is wrong.
    def test_a_program_that_is_wrong(self):
        found = {line.split(":")[1] for line in self.mypy(self.file(BAD)) if "error" in line}
        self.assertEqual(found, {"3", "4", "5", "6", "7", "8", "9", "10"})


if __name__ == "__main__":
    unittest.main()
