"""Builds the package from Holt's source tree:

    pip install --no-build-isolation ./bindings/python

The extension module is built by Meson, as the rest of Holt, with the library linked in: an installed Holt is
neither needed nor used. That takes Meson, Ninja, a C compiler, the headers of Python and those of xxHash
(`scripts/deps python`), and no network. This folder alone does not suffice: the library's sources are two
folders up.
"""
import os
import shutil
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MODULE = os.path.join("bindings", "python", "holt", "_holt.abi3.so")


def version() -> str:
    script = os.path.join(ROOT, "scripts", "version")
    if not os.path.exists(script):
        sys.exit("holt: build the Python package in Holt's source tree, from bindings/python")
    return subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class MesonExtension(build_ext):
    def build_extension(self, extension: Extension) -> None:
        build = os.path.abspath(os.path.join(self.build_temp, "meson"))
        setup = ["meson", "setup", "--buildtype=release", "-Dtests=disabled", "-Dpython=enabled",
                 # Not that of a virtual environment, which may be gone when the folder is built in again.
                 "-Dpython_program=" + os.path.realpath(sys.executable)]
        if os.path.exists(os.path.join(build, "build.ninja")):
            setup.append("--reconfigure")
        else:
            shutil.rmtree(build, ignore_errors=True)  # an interrupted setup
        subprocess.run(setup + [build, ROOT], check=True)
        subprocess.run(["ninja", "-C", build, MODULE], check=True)
        target = self.get_ext_fullpath(extension.name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(os.path.join(build, MODULE), target)


class NoSourceArchive(sdist):
    def run(self) -> None:
        sys.exit("holt: there is no source archive of the Python package alone; use that of Holt")


setup(version=version(), ext_modules=[Extension("holt._holt", sources=[], py_limited_api=True)],
      options={"bdist_wheel": {"py_limited_api": "cp311"}},
      cmdclass={"build_ext": MesonExtension, "sdist": NoSourceArchive})
