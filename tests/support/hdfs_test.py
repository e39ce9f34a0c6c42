"""A real NameNode and DataNode for end-to-end tests, and what a test does with them over REST."""
import http.client
import json
import shutil
import urllib.parse

from leat_test import wait_for
from service import Service

USER = "tester"


class Refused(Exception):
    pass


class Hdfs(Service):
    script = "hdfs"
    optional = True

    def missing(self):
        for tool in ("curl", "java"):
            if not shutil.which(tool):
                return f"{tool} is not installed"
        return None

    def at(self, path, user=None):
        return f"hdfs://{user + '@' if user else ''}{self.address}{path}"

    def request(self, method, path, op, body=None, **more):
        """The bytes of the answer; None: there is no such thing. What only looks is tried again: a node that has
        just been started fails at requests over connections that it had with the other one before."""
        self.up()
        if method != "GET":
            return self.once(method, path, op, body, **more)

        def look():
            try:
                return (self.once(method, path, op, **more),)
            except (OSError, http.client.HTTPException, Refused):
                return None
        return wait_for(f"{op} of {path}", look)[0]

    def once(self, method, path, op, body=None, **more):
        """Redirects are followed with the body."""
        query = urllib.parse.urlencode({"op": op, "user.name": USER, **more})
        url = f"http://{self.address}/webhdfs/v1{urllib.parse.quote(path)}?{query}"
        for step in range(2):
            parts = urllib.parse.urlsplit(url)
            link = http.client.HTTPConnection(parts.netloc, timeout=60)
            try:
                link.request(method, f"{parts.path}?{parts.query}", body=body if step else None,
                             headers={"Content-Type": "application/octet-stream"})
                answer = link.getresponse()
                data, to = answer.read(), answer.getheader("Location")
            finally:
                link.close()
            if answer.status == 307:
                url = to
                continue
            if answer.status == 404 and b"FileNotFoundException" in data:
                return None
            if answer.status not in (200, 201):
                raise Refused(f"{op} {path}: {answer.status} {data[:300]}")
            return data
        raise AssertionError(f"{op} {path}: redirected twice")

    def put(self, path, data):
        """Written under another name first, as a careful writer does, so that readers see it whole."""
        hidden = f"{path}._COPYING_"
        self.request("PUT", hidden, "CREATE", data or b"", overwrite="true")
        self.request("PUT", hidden, "RENAME", destination=path)

    def append(self, path, data):
        self.request("POST", path, "APPEND", data)

    def get(self, path):
        return self.request("GET", path, "OPEN")

    def status(self, path):
        answer = self.request("GET", path, "GETFILESTATUS")
        return answer and json.loads(answer)["FileStatus"]

    def list(self, path):
        """Names in a directory, with what HDFS knows of them; empty where there is none."""
        answer = self.request("GET", path, "LISTSTATUS")
        found = json.loads(answer)["FileStatuses"]["FileStatus"] if answer else []
        return {f["pathSuffix"]: f for f in found}

    def remove(self, path):
        self.request("DELETE", path, "DELETE", recursive="true")

    def node(self, verb, which):
        """kill, restart, pause or resume: `name` or `data`."""
        self.verb(verb, which)

    def batches(self, parent, name):
        """{directory: {part: bytes}} of what save_as_... wrote there and finished."""
        found = {}
        for dir in self.list(parent):
            if dir.startswith(name + "-"):
                files = self.list(f"{parent}/{dir}")
                assert "_SUCCESS" in files, f"{dir} is there and not whole: {sorted(files)}"
                found[dir] = {f: self.get(f"{parent}/{dir}/{f}") for f in files if f != "_SUCCESS"}
        return found

    def lines(self, parent, name):
        return [line for parts in self.batches(parent, name).values()
                for data in parts.values() for line in data.decode().splitlines()]

    def wait_lines(self, parent, name, count):
        wait_for(f"{count} lines in {parent}", lambda: len(self.lines(parent, name)) >= count, 180)
        return self.lines(parent, name)
