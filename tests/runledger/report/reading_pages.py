"""A page taken apart with Python's own HTML parser, strict about what it closes."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_INLINE = frozenset({"a", "b", "code", "time"})
VOID = frozenset({"meta", "link", "br"})


@dataclass
class Element:
    """One element with its text, and that of everything in it."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its text with white space as a browser shows it."""
        return " ".join("".join(self.pieces).split())

    def within(self, tag: str) -> bool:
        """Whether it lies in an element of a kind."""
        above = self.parent
        while above is not None and above.tag != tag:
            above = above.parent
        return above is not None

    def all(self, tag: str) -> list[Element]:
        """Every element of a kind below it."""
        found = [each for each in self.children if each.tag == tag]
        for child in self.children:
            found += child.all(tag)
        return found


class Page(HTMLParser):
    """A parsed page; raises where an element is closed that was not open, or left open."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.elements: list[Element] = []
        self.root = Element("", {}, None)
        self._open = [self.root]
        self.feed(html)
        self.close()
        assert len(self._open) == 1, f"left open: {[each.tag for each in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>: {names}"
        if tag not in _INLINE:
            self.handle_data(" ")
        element = Element(tag, {name: value or "" for name, value in attrs}, self._open[-1])
        self.elements.append(element)
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert self.root.all("svg"), f"<{tag}/> closes itself outside of a drawing"
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.pieces.append(data)

    # -- finding things --------------------------------------------------------

    def all(self, tag: str) -> list[Element]:
        """Every element of a kind."""
        return [each for each in self.elements if each.tag == tag]

    def id(self, id: str) -> Element:
        """The element with an id."""
        (found,) = [each for each in self.elements if each.attributes.get("id") == id]
        return found

    @property
    def text(self) -> str:
        """All text of the page's body."""
        (body,) = self.all("body")
        return body.text
