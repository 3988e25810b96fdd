"""The manual: every example in docs/PYTHON.md runs, and prints what the page says."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docs", "PYTHON.md")

EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)


class Manual(unittest.TestCase):
    def test_every_example_prints_what_the_page_says(self):
        with open(PAGE, encoding="utf-8") as file:
            page = file.read()
        examples = EXAMPLE.findall(page)
        self.assertEqual(len(examples), page.count("```python"))
        self.assertGreaterEqual(len(examples), 6)
        for code, expected in examples:
            with self.subTest(code=code.splitlines()[:12]), tempfile.TemporaryDirectory() as directory:
                done = subprocess.run([sys.executable, "-c", code], cwd=directory, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, timeout=120)
                self.assertEqual((done.stdout, done.stderr), (expected, ""))


if __name__ == "__main__":
    unittest.main()
