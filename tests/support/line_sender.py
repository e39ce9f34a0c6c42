"""Senders of lines for tests of stores: by HTTP each line once and told, by a socket all at once."""
import http.client
import socket
import threading

from leat_test import wait_for


def can_connect(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def send_lines(port, lines):
    wait_for("the port", lambda: can_connect(port))
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"".join(b"%s\n" % line for line in lines))


class Sender(threading.Thread):
    """POSTs one line after the other, each once; knows which were answered with 204."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.prefix = port, name
        self.acknowledged, self.sent, self.over = [], 0, False

    def run(self):
        while not self.over:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            try:
                while not self.over:
                    line = f"{self.prefix}-{self.sent}"
                    self.sent += 1
                    connection.request("POST", "/", line)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status == 204:
                        self.acknowledged.append(line)
            except (OSError, http.client.HTTPException):
                connection.close()


class Senders:
    """Several of them at a time: `with` starts them, `stop` waits until the last one has its answer."""

    def __init__(self, port, names="abcd"):
        self.all = [Sender(port, name) for name in names]

    def __enter__(self):
        for s in self.all:
            s.start()
        return self

    def __exit__(self, *_):
        for s in self.all:
            s.over = True

    def stop(self):
        self.__exit__()
        for s in self.all:
            s.join(60)

    @property
    def acknowledged(self):
        return [line for s in self.all for line in list(s.acknowledged)]

    def wait_more(self, count, seconds=60):
        before = len(self.acknowledged)
        wait_for(f"{count} more answers", lambda: len(self.acknowledged) >= before + count, seconds)
