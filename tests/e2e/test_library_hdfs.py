#!/usr/bin/env python3
"""A C program with HDFS: a file stream from it, all three ways of saving to it; Hadoop reads what was saved."""
import io
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from hadoop_test import read  # noqa: E402
from hdfs_test import Hdfs  # noqa: E402
from installed import Running, built, installed  # noqa: E402
from leat_test import ROOT, Skip, folder, main  # noqa: E402
from pypi import fastavro  # noqa: E402

HDFS = Hdfs()
SOURCE = ROOT / "tests/support/named_stages.c"
FILES = {f"file {n}": [f"line {n}.{i}" for i in range(50)] for n in range(3)}
LINES = sorted(line for lines in FILES.values() for line in lines)


def need_hdfs():
    if not (installed() / "leat/hdfs.so").exists():
        raise Skip("this build has no module 'hdfs'")
    HDFS.up()


def saves_all(root, static, *settings):
    """Files that come into ROOT/in are saved as text, objects and pairs below ROOT."""
    HDFS.request("PUT", f"{root}/in", "MKDIRS")
    with folder() as dir:
        words = [*settings, "+set", f"modules={installed()}/leat",
                 "+files", HDFS.at(f"{root}/in"), "+text", HDFS.at(f"{root}/text"),
                 "+objects", HDFS.at(f"{root}/objects"), "+pairs", "+hadoop", HDFS.at(f"{root}/hadoop")]
        with Running(built(SOURCE, static), dir, *words) as program:
            for name, lines in FILES.items():
                HDFS.put(f"{root}/in/{name}", "".join(f"{line}\n" for line in lines).encode())
            program.wait("all lines", lambda: len(HDFS.lines(root, "text")) >= len(LINES))
            program.stop()


def is_saved(root):
    assert sorted(HDFS.lines(root, "text")) == LINES
    objects = [record for parts in HDFS.batches(root, "objects").values() for data in parts.values()
               for record in fastavro().reader(io.BytesIO(data))]
    assert sorted(record["value"] for record in objects) == LINES
    assert all(record["key"] is None for record in objects)
    pairs = []
    for batch, parts in HDFS.batches(root, "hadoop").items():
        for part in parts:
            rows, header = read(f"webhdfs://{HDFS.address}{root}/{batch}/{part}")
            assert header[:2] == ["Text", "Text"], header
            pairs += rows
    assert sorted(pairs) == [(line, str(len(line))) for line in LINES], pairs[:5]


def test_a_program_streams_files_from_hdfs_and_saves_to_it_what_hadoop_reads():
    need_hdfs()
    saves_all("/shared", False)
    is_saved("/shared")


def test_a_program_that_holds_the_library_does_so_too():
    need_hdfs()
    saves_all("/static", True)
    is_saved("/static")


def test_what_cannot_be_a_place_in_hdfs_is_a_mistake_of_the_program():
    need_hdfs()
    with folder() as dir:
        with Running(built(SOURCE), dir, "+files", "in", "+text", "hdfs://127.0.0.1/x") as program:
            assert program.process.wait(120) == 1
            assert "write host and port of the NameNode's web server" in program.said(), program.said()
            assert "named_stages.c:" in program.said(), program.said()


if __name__ == "__main__":
    main(sys.modules[__name__])
