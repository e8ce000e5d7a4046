"""The documentation as a site: it builds without a warning, and shows what GitHub shows."""

import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.contract.generate import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
SHAPES = ("h1", "h2", "h3", "ol", "ul", "li", "pre", "table", "tr", "blockquote")


class Article(HTMLParser):
    """What the text of a page is made of, and from where it fetches something by itself."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.shapes: Counter[str] = Counter()
        self.fetched: list[str] = []
        self._within = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._within |= tag == "article"
        if self._within and tag in SHAPES:
            self.shapes[tag] += 1
        if tag != "a":
            self.fetched += [given[name] for name in ("src", "href") if name in given]

    def handle_endtag(self, tag: str) -> None:
        self._within &= tag != "article"


def build(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # Not --quiet: what is not logged is not counted, and --strict would find nothing.
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder, *words]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def shown(site: Path, page: str) -> Article:
    path = site / page if page == "index.md" else site / page.removesuffix(".md") / "index"
    return Article(path.with_suffix(".html").read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_the_site_makes_the_same_lists_tables_and_blocks_of_a_page_as_github(site: Path, page: str) -> None:
    """Python's Markdown wants four spaces where GitHub takes two, and a blank line before a list."""
    github = MarkdownIt("commonmark").enable("table").render((DOCS / page).read_text("utf-8"))
    assert shown(site, page).shapes == Article(f"<article>{github}</article>").shapes


@pytest.mark.parametrize("page", PAGES)
def test_a_reader_of_the_site_asks_no_other_server(site: Path, page: str) -> None:
    assert [url for url in shown(site, page).fetched if re.match(r"(https?:)?//", url)] == []


def test_links_out_of_the_docs_lead_to_the_repository(site: Path) -> None:
    html = (site / "index.html").read_text("utf-8")
    assert 'href="https://github.com/org/deploy-actions/blob/main/CONTRIBUTING.md"' in html
    assert 'href="https://github.com/org/deploy-actions/blob/main/README.md#what-does-not-work-yet"' in html


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[gone](no-such-page.md)", "no-such-page.md"),
        ("[gone](../no-such-file.py)", "no-such-file.py"),
        ("[gone](how-to/force.md#no-such-heading)", "no-such-heading"),
    ],
)
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, text: str, complaint: str) -> None:
    docs = tmp_path / "docs"
    for name in ("index.md", "how-to/force.md", "_site/outside.py"):
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text((DOCS / name).read_text("utf-8"))
    (docs / "index.md").write_text(f"# A page\n\n{text}\n")
    (docs / "how-to" / "force.md").write_text("# Another\n")
    config, _, _ = (ROOT / "mkdocs.yml").read_text("utf-8").partition("nav:\n")
    (tmp_path / "mkdocs.yml").write_text(f"{config}nav: [index.md, how-to/force.md]\n")
    done = build(tmp_path / "site", "--config-file", str(tmp_path / "mkdocs.yml"))
    assert done.returncode == 1
    assert complaint in done.stdout + done.stderr
