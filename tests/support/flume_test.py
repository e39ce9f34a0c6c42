"""Real Flume for tests: programs of tests/broker/flume, as processes."""
import os
import subprocess
import tempfile

from leat_test import ROOT, Skip, write

SCRIPT = ROOT / "tests/broker/flume"


def fetched():
    """Raises Skip, or fails where brokers are required, if Flume cannot be had."""
    done = subprocess.run([SCRIPT, "fetch"], capture_output=True, text=True, timeout=400)
    if done.returncode == 77 and os.environ.get("LEAT_REQUIRE_BROKERS") != "1":
        raise Skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr


def certificates(dir):
    """ca.crt, srv.crt and srv.key for localhost, and trust.p12 (password geheim-1) with the CA."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=dir, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=leat-test-ca",
            "-keyout", "ca.key", "-out", "ca.crt")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "srv.key",
            "-out", "srv.csr")
    write(dir, "ext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    openssl("x509", "-req", "-in", "srv.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "30", "-extfile", "ext", "-out", "srv.crt")
    subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", f"{dir}/ca.crt",
                    "-keystore", f"{dir}/trust.p12", "-storetype", "PKCS12", "-storepass", "geheim-1"],
                   check=True, capture_output=True)


class Peer:
    """A running program of tests/broker/flume; its lines so far are in `lines`."""

    def __init__(self, *words):
        self.file = tempfile.TemporaryFile("w+")
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([SCRIPT, *map(str, words)], stdin=subprocess.PIPE,
                                        stdout=self.file, stderr=self.errors)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        if kind:
            self.errors.seek(0)
            print("--- flume:", *self.lines[-20:], self.errors.read()[-2000:], sep="\n")
        self.file.close()
        self.errors.close()

    @property
    def lines(self):
        size = os.fstat(self.file.fileno()).st_size
        text = os.pread(self.file.fileno(), size, 0).decode()
        return text[:text.rfind("\n") + 1].splitlines()

    @property
    def acked(self):
        """The last number that the client saw acknowledged, or -1."""
        found = [int(line.split()[1]) for line in self.lines if line.startswith("acked ")]
        return max(found, default=-1)

    def wait(self, seconds=60):
        return self.process.wait(timeout=seconds)
