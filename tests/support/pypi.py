"""Packages from PyPI for tests that want a second opinion: made once, into ${LEAT_CACHE:-~/.cache/leat}.

    fastavro = package("fastavro", "1.9.7", "fastavro")

Where one cannot be had tests are skipped, or fail when LEAT_REQUIRE_BROKERS is set.
"""
import fcntl
import importlib
import os
import pathlib
import shutil
import subprocess
import sys

from leat_test import Skip


def cache(name, version):
    root = pathlib.Path(os.environ.get("LEAT_CACHE", pathlib.Path.home() / ".cache/leat"))
    return root / f"{name}-{version}-py{sys.version_info.major}.{sys.version_info.minor}"


def fetch(folder, name, version):
    """Into a virtual environment beside it, then moved: what is there is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return
        made = folder.with_name(folder.name + ".new")
        shutil.rmtree(made, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", made], check=True, capture_output=True)
        subprocess.run([made / "bin/pip", "install", "-q", "--disable-pip-version-check",
                        "--only-binary=:all:", "--target", made / "packages",
                        f"{name}=={version}"], check=True, capture_output=True, timeout=300)
        (made / "packages").rename(folder)
        shutil.rmtree(made)


def package(name, version, module):
    folder = cache(name, version)
    try:
        if not folder.is_dir():
            fetch(folder, name, version)
    except (OSError, subprocess.SubprocessError) as why:
        more = (getattr(why, "stderr", None) or b"").decode(errors="replace").strip()
        why = f"{name} {version} cannot be had from PyPI: {why} {more[-300:]}"
        if os.environ.get("LEAT_REQUIRE_BROKERS"):
            raise AssertionError(why) from None
        raise Skip(why) from None
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module(module)


def fastavro():
    """With its codecs, which it looks for when it is imported first."""
    package("cramjam", "2.8.3", "cramjam")
    package("zstandard", "0.22.0", "zstandard")
    return package("fastavro", "1.9.7", "fastavro")
