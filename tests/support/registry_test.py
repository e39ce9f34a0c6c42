"""A schema registry for tests that counts, fails and comes back; and records as its clients frame them."""
import base64
import http.server
import io
import json
import struct
import threading
import urllib.request

from pypi import fastavro
from service import Service


class Registry:
    """Confluent's interface over a dict. `fails`: answers 503; `broken`: numbers that it answers 500 to; `user`: wants
    basic authentication."""

    def __init__(self, user=None, port=0):
        self.schemas, self.subjects, self.asked, self.fails, self.refuses = {}, {}, [], False, False
        self.broken = set()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def refused(self):
                registry.asked.append(self.path)
                token = "Basic " + base64.b64encode((user or "").encode()).decode()
                if user and self.headers.get("Authorization") != token:
                    self.answer(401, {"error_code": 40101, "message": "Unauthorized"})
                    return True
                if registry.fails:
                    self.answer(503, {"error_code": 50301, "message": "starting"})
                return registry.fails

            def do_GET(self):
                if self.refused():
                    return
                number = int(self.path.rsplit("/", 1)[1])
                if number in registry.broken:
                    self.answer(500, {"error_code": 50001, "message": "out of order"})
                elif number in registry.schemas:
                    self.answer(200, {"schema": registry.schemas[number]})
                else:
                    self.answer(404, {"error_code": 40403, "message": "Schema not found"})

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.refused():
                    return
                if registry.refuses:
                    self.answer(409, {"error_code": 409, "message": "incompatible"})
                    return
                number = registry.add(json.loads(body)["schema"])
                registry.subjects[self.path.split("/")[-2]] = number
                self.answer(200, {"id": number})

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/apis/ccompat/v7"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, schema):
        for number, known in self.schemas.items():
            if known == schema:
                return number
        self.schemas[len(self.schemas) + 1] = schema
        return len(self.schemas)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Apicurio(Service):
    """A real one, started by the first test that asks for it, stopped at exit."""
    script = "apicurio"

    @property
    def url(self):
        return self.address

    def ask(self, path, body=None, method=None):
        request = urllib.request.Request(self.up().url + path, body and json.dumps(body).encode(), method=method,
                                         headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def add(self, subject, schema):
        return self.ask(f"/subjects/{subject}/versions", {"schema": json.dumps(schema)})["id"]


def framed(number, schema, record):
    out = io.BytesIO()
    fastavro().schemaless_writer(out, fastavro().parse_schema(schema), record)
    return b"\0" + struct.pack(">I", number) + out.getvalue()
