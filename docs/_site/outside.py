"""A hook of MkDocs: links to files outside of `docs/` lead to the repository.

On GitHub, GitLab and a disk they are relative links, and stay so in the pages; a site has only what is below
`docs/`. Whether the files are there is asked by `tests/contract/test_docs.py`. What does not exist is left
alone, so that MkDocs complains of it.
"""

import os.path
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

_LINK = re.compile(r"(?<=\]\()(?P<path>\.\./[^)#\s]+)(?P<heading>#[^)\s]*)?(?=\))")


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """The page with those links made absolute; `extra.repository` in mkdocs.yml is where they lead."""
    docs = Path(config.docs_dir)
    top = docs.parent

    def absolute(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(docs / Path(page.file.src_uri).parent / link["path"]))
        if target.is_relative_to(docs) or not target.is_relative_to(top) or not target.exists():
            return link[0]
        kind = "tree" if target.is_dir() else "blob"
        heading = link["heading"] or ""
        return f"{config.extra['repository']}/{kind}/main/{target.relative_to(top).as_posix()}{heading}"

    return _LINK.sub(absolute, markdown)
