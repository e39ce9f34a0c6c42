#!/usr/bin/env python3
"""Every file of tests/pipelines holds its own tests: `leat test` passes all of them."""
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import ROOT, leat, main  # noqa: E402

for path in sorted((ROOT / "tests/pipelines").glob("*.yaml")):
    def test(path=path):
        code, out, err = leat("test", path)
        assert code == 0 and " passed, 0 failed" in out and "0 passed" not in out, out + err
    setattr(sys.modules[__name__], "test_" + path.stem, test)

if __name__ == "__main__":
    main(sys.modules[__name__])
