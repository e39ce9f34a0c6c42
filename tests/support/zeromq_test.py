"""The other side of ZeroMQ tests: how zeromq_peer.py is run."""
import os
import subprocess

from leat_test import ROOT, Skip

PEER = ["/usr/bin/python3", str(ROOT / "tests/support/zeromq_peer.py")]


def needs_peer():
    done = subprocess.run(["/usr/bin/python3", "-c", "import zmq"], capture_output=True)
    if done.returncode != 0 and os.environ.get("LEAT_REQUIRE_BROKERS") != "1":
        raise Skip("no zmq for Python: apt-get install python3-zmq")
    assert done.returncode == 0, done.stderr
