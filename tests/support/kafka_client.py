"""A Kafka client that has nothing in common with leat: confluent-kafka from PyPI, whose wheel brings
a librdkafka of its own, newer than the one leat is linked with.

    from kafka_client import client
    kafka = client()            the module; made once, into ${LEAT_CACHE:-~/.cache/leat}

Where it cannot be had tests are skipped, or fail when LEAT_REQUIRE_BROKERS is set.
"""
import fcntl
import importlib
import os
import pathlib
import shutil
import subprocess
import sys

from leat_test import Skip

VERSION = "2.16.1"


def cache():
    root = pathlib.Path(os.environ.get("LEAT_CACHE", pathlib.Path.home() / ".cache/leat"))
    return root / f"confluent-kafka-{VERSION}-py{sys.version_info.major}.{sys.version_info.minor}"


def fetch(folder):
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
                        f"confluent-kafka=={VERSION}"], check=True, capture_output=True, timeout=300)
        (made / "packages").rename(folder)
        shutil.rmtree(made)


def client():
    folder = cache()
    try:
        if not folder.is_dir():
            fetch(folder)
    except (OSError, subprocess.SubprocessError) as why:
        more = (getattr(why, "stderr", None) or b"").decode(errors="replace").strip()
        why = f"confluent-kafka {VERSION} cannot be had from PyPI: {why} {more[-300:]}"
        if os.environ.get("LEAT_REQUIRE_BROKERS"):
            raise AssertionError(why) from None
        raise Skip(why) from None
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.import_module("confluent_kafka.admin")
    return importlib.import_module("confluent_kafka")
