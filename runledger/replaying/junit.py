"""A what-if as a JUnit report, so that CI shows which decisions a change would change."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from ledger.new_files import replaced
from ledger.text.characters import xml_text


class Case:
    """One test case: passed unless told otherwise."""

    def __init__(self, name: str, group: str) -> None:
        self.element = ElementTree.Element(
            "testcase", name=xml_text(name), classname=xml_text(group)
        )

    def fail(self, message: str, detail: str = "") -> None:
        """It failed."""
        failure = ElementTree.SubElement(self.element, "failure", message=xml_text(message))
        failure.text = xml_text(detail)

    def error(self, message: str) -> None:
        """It could not be judged."""
        ElementTree.SubElement(self.element, "error", message=xml_text(message))


def write_junit(path: Path, suite: str, cases: Iterable[Case]) -> None:
    """Write a report; the file appears whole or not at all."""
    elements = [case.element for case in cases]
    root = ElementTree.Element(
        "testsuite",
        name=suite,
        tests=str(len(elements)),
        failures=str(sum(each.find("failure") is not None for each in elements)),
        errors=str(sum(each.find("error") is not None for each in elements)),
    )
    root.extend(elements)
    with replaced(path) as part:
        ElementTree.ElementTree(root).write(part, encoding="utf-8", xml_declaration=True)
