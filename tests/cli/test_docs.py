#!/usr/bin/env python3
"""The committed reference is what the program prints; documentation names what exists."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import ROOT, leat, main  # noqa: E402

TOPICS = ["connectors", "sinks", "stores", "ops", "functions", "formats", "metrics"]


def test_the_committed_reference_is_what_leat_docs_prints():
    for topic in TOPICS:
        code, out, err = leat("docs", topic)
        assert code == 0, err
        page = ROOT / "docs/reference" / f"{topic}.md"
        assert page.read_text() == out, (
            f"docs/reference/{topic}.md differs; scripts/docs writes it anew")


def test_every_link_between_pages_leads_somewhere():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"),
             *ROOT.glob("engine/*/README.md"), *ROOT.glob("tests/*/README.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_every_page_is_in_the_map_of_the_readme():
    named = set(re.findall(r"\]\((docs/[\w-]+\.md)\)", (ROOT / "README.md").read_text()))
    pages = {str(page.relative_to(ROOT)) for page in ROOT.glob("docs/*.md")}
    assert named == pages, named ^ pages


def test_every_module_of_leat_docs_has_a_row_in_the_readme_of_its_folder():
    for topic in ("connectors", "sinks"):
        modules = re.findall(r"^## (\w+)", leat("docs", topic)[1], re.M)
        rows = "".join(re.findall(r"^\|(.*?)\|", (ROOT / topic / "README.md").read_text(), re.M))
        missing = [name for name in modules if f"`{name}`" not in rows]
        assert modules and not missing, f"{topic}/README.md has no row for {missing}"


def test_every_folder_of_code_has_a_readme():
    folders = {p.parent for pattern in ("engine/**/*.c", "connectors/*.c", "sinks/*.c", "config/*.c")
               for p in ROOT.glob(pattern)} | {ROOT / "languages", ROOT / "tests", ROOT / "scripts"}
    missing = sorted(str(f.relative_to(ROOT)) for f in folders if not (f / "README.md").exists())
    assert not missing, f"no README.md in {missing}"


def test_one_module_is_printed_by_name():
    code, out, _ = leat("docs", "ops", "window")
    assert code == 0 and out.startswith("## window")
    code, out, _ = leat("docs", "functions", "split")
    assert code == 0 and "split" in out


main(sys.modules[__name__])
