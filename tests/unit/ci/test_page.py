from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_lib.ci.page import page
from ci_lib.domain.text import code, markdown
from ci_lib.report.markdown import bullets, details, fence, link, table
from ci_lib.report.summary import summary
from tests.golden.outcomes import HOSTILE, NOW, OUTCOMES

OURS = {
    *("html", "head", "meta", "title", "style", "body", "h3", "p", "table", "tr", "th", "td", "ul", "li"),
    *("br", "blockquote", "pre", "code", "strong", "a", "details", "summary"),
}


class Seen(HTMLParser):
    """Elements, links and text of a page; elements that are left open are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.open else ""


def test_what_report_writes_becomes_elements() -> None:
    seen = Seen(
        page(
            "### ✅ shop `production` runs **sha-2**\n\n"
            + table(("", "Check"), [("✅", markdown("a|b")), ("", code("<x>"))])
            + bullets(["one", "two"])
            + details("More", fence("<b>\n```\n"))
            + "> ⚠️ **forced**\n\n"
            + link("open", "https://ci.example/1?a=b&c=d")
        )
    )
    assert seen.elements.count("td") == 4
    assert seen.elements.count("li") == 2
    assert seen.elements.count("strong") == 2
    assert [seen.elements.count(name) for name in ("h3", "details", "pre", "blockquote")] == [1, 1, 1, 1]
    assert seen.links == ["https://ci.example/1?a=b&c=d"]
    for text in ("a|b", "<x>", "<b>\n```", "production", "forced"):
        assert text in seen.text


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_summary_is_a_page_of_our_elements_alone(name: str) -> None:
    seen = Seen(page(summary(OUTCOMES[name], now=NOW)))
    assert set(seen.elements) <= OURS
    assert seen.attributes <= {"lang", "charset", "http-equiv", "content", "href", "rel"}
    assert all(link.startswith("https://github.com/acme/") for link in seen.links)
    assert "**" not in seen.text.replace("**bold**", "")
    assert "| ---" not in seen.text


def test_foreign_text_is_shown_letter_by_letter() -> None:
    seen = Seen(page(table(("Note",), [(markdown(HOSTILE.split("\n")[0]),)])))
    assert HOSTILE.split("\n")[0].replace("`code`", "code") in seen.text


@settings(deadline=None, max_examples=300)
@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(
            [
                *("<script>", "</details>", "<details><summary>", "</summary>", "**", "`", "```", "\n"),
                *("| ", "| --- |", "> ", "&", "&#60;", "<!-- ", "-->", "</code>", "<img src=x>"),
                *("[x](<javascript:1>)", '[x](<https://a/"onclick=1>)'),
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_no_markdown_at_all_makes_another_element(text: str) -> None:
    found: list[str] = []

    class Loose(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append(tag)
            assert {name for name, _ in attrs} <= {"lang", "charset", "http-equiv", "content", "href", "rel"}
            assert all((value or "").startswith("https://") for name, value in attrs if name == "href")

    Loose().feed(page(text))
    assert set(found) <= OURS | {f"h{number}" for number in range(1, 7)}
