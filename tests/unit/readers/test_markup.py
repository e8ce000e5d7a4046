import pytest

from ci_lib.domain.gate import Unreadable
from ci_lib.readers.markup import tag, xml_root

BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
NAMED = '<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">'


@pytest.mark.parametrize("doctype", [True, False])
@pytest.mark.parametrize("before", ["", '<?xml version="1.0"?>\n', "<!-- a --> <?b c?><!---->"])
def test_entities_never_get_to_the_parser(before: str, doctype: bool) -> None:
    with pytest.raises(Unreadable, match="document type declaration"):
        xml_root(f"{before}{BOMB}<x>&b;</x>", "JUnit", doctype=doctype)


def test_a_document_type_may_be_named_where_the_format_does_that() -> None:
    text = f'<?xml version="1.0"?>\n{NAMED}\n<coverage/>'
    assert xml_root(text, "coverage", doctype=True).tag == "coverage"
    with pytest.raises(Unreadable, match="document type declaration"):
        xml_root(text, "JUnit")


@pytest.mark.parametrize("second", [BOMB, NAMED])
def test_a_second_document_type_does_not_slip_through(second: str) -> None:
    with pytest.raises(Unreadable, match="document type declaration"):
        xml_root(f"{NAMED}<!-- -->{second}<x>&b;</x>", "coverage", doctype=True)


def test_an_entity_that_only_the_named_document_type_could_know_is_an_error() -> None:
    with pytest.raises(Unreadable, match="undefined entity"):
        xml_root(f"{NAMED}<coverage>&b;</coverage>", "coverage", doctype=True)


def test_a_document_type_within_a_text_is_text() -> None:
    assert xml_root(f"<x><![CDATA[{BOMB}]]><!-- {BOMB} --></x>", "JUnit").text == BOMB


def test_depth_and_number_of_elements_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreadable, match="too deeply"):
        xml_root("<x>" * 101 + "</x>" * 101, "JUnit")
    assert len(xml_root(f"<x>{'<y/>' * 101}</x>", "JUnit")) == 101
    monkeypatch.setattr("ci_lib.readers.markup._ELEMENTS", 3)
    assert len(xml_root("<x><y/><y/></x>", "JUnit")) == 2
    with pytest.raises(Unreadable, match="too many elements"):
        xml_root("<x><y/><y/><y/></x>", "JUnit")


def test_a_namespace_does_not_matter() -> None:
    assert tag(xml_root('<testsuite xmlns="urn:junit"/>', "JUnit")) == "testsuite"


def test_the_encoding_that_a_document_claims_does_not_matter_once_it_is_text() -> None:
    assert xml_root('<?xml version="1.0" encoding="UTF-16"?><x>ü</x>', "JUnit").text == "ü"
