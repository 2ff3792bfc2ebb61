"""The plain part of a mail, made of its HTML."""

import re
from html.parser import HTMLParser
from typing import Final

# Folding of the standard library takes as long as reading the HTML.
_FOLDED: Final = re.compile(r"(.{1,78}|[^ ]+)(?: |$)")
_LEFT_OUT: Final = ("head", "h1")
_SIGNATURE: Final = "--"


def plain_text(html: str) -> str:
    """Write paragraphs one below the other, each link on a line of its own.

    Where a paragraph has several links, each says what it leads to. An element of the class `html-only` and what stands in the head are left out.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return "\n\n".join(reader.blocks) + "\n"


class _Reader(HTMLParser):
    """Collects paragraphs; a link follows its paragraph."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[str] = []
        self._lines = [""]
        self._links: list[tuple[str, str]] = []
        self._left_out: str | None = None
        self._is_link = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if self._left_out:
            return
        if tag in _LEFT_OUT or "html-only" in (values.get("class") or ""):
            self._left_out = tag
        elif tag == "br":
            self._lines.append("")
        elif tag == "a":
            self._links.append(("", values.get("href") or ""))
            self._is_link = True
        elif values.get("class") == "foot":
            self._lines = [_SIGNATURE, ""]

    def handle_endtag(self, tag: str) -> None:
        if self._left_out:
            self._left_out = None if tag == self._left_out else self._left_out
        elif tag == "a":
            self._is_link = False
        elif tag == "p":
            self._end_paragraph()

    def handle_data(self, data: str) -> None:
        if self._left_out:
            return
        self._lines[-1] += data
        if self._is_link:
            words, address = self._links[-1]
            self._links[-1] = (words + data, address)

    def _end_paragraph(self) -> None:
        folded = [_fold(" ".join(line.split())) for line in self._lines]
        has_several = len(self._links) > 1
        links = [f"{words}: {address}" if has_several else address for words, address in self._links]
        self.blocks.append("\n".join([*folded, *links]))
        self._lines, self._links = [""], []


def _fold(line: str) -> str:
    """Fold between words, and neither in a radicado nor in `a. m.`."""
    joined = re.sub(r"(\d) ([ap]\.) (m\.)", "\\1\N{NO-BREAK SPACE}\\2\N{NO-BREAK SPACE}\\3", line)
    folded = "\n".join(_FOLDED.findall(joined))
    return folded.replace("\N{NO-BREAK SPACE}", " ")
