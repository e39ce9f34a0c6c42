"""A connection that breaks: stands between a client and a service, and cuts where it is told to."""
import socket
import threading


class Cutter:
    def __init__(self, address):
        self.to = address.rsplit(":", 1)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.pairs, self.cuts, self.lock = [], 0, threading.Lock()
        self.left = None  # bytes of either side until the next cut; None: there will be none
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.cut()

    def serve(self):
        try:
            while True:
                client = self.listener.accept()[0]
                service = socket.create_connection((self.to[0], int(self.to[1])))
                self.pairs.append((client, service))
                for a, b in ((client, service), (service, client)):
                    threading.Thread(target=self.copy, args=(a, b), daemon=True).start()
        except OSError:
            pass

    def copy(self, a, b):
        try:
            while data := a.recv(777):
                data, whole = self.until_cut(data)
                b.sendall(data)
                if not whole:
                    break
        except OSError:
            pass
        self.end(a, b)

    def until_cut(self, data):
        with self.lock:
            if self.left is None or self.left >= len(data):
                self.left = self.left and self.left - len(data)
                return data, True
            data, self.left = data[:self.left], None
            self.cuts += 1
            return data, False

    def cut_after(self, size):
        """When so many more bytes have passed; what is behind them is lost."""
        with self.lock:
            self.left = size

    def cut(self):
        while self.pairs:
            self.end(*self.pairs.pop())

    @staticmethod
    def end(*sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)  # a close would wait for who reads from it
            except OSError:
                pass
