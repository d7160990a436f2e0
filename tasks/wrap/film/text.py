"""Text as it was read: words with the probability that each is right, lines of them, labels of those."""

import re
from dataclasses import dataclass
from itertools import zip_longest


@dataclass(frozen=True)
class TextLine:
    """One line of text: its words with the confidence, 0 to 1, that each was read right."""

    words: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        """The line as read, words parted by a space."""
        return " ".join(word for word, _ in self.words)

    @property
    def letters(self) -> str:
        """Its letters and figures alone, in upper case; a dotted zero is read as \u00a9."""
        return re.sub(r"[\W_]", "", self.text.upper().replace("\u00a9", "0"))

    @property
    def confidence(self) -> float:
        """That of its least certain word."""
        return min((confidence for _, confidence in self.words), default=0.0)

    @property
    def legibility(self) -> float:
        """The mean confidence of its words: how well the line as a whole was read."""
        return sum(confidence for _, confidence in self.words) / max(1, len(self.words))


@dataclass(frozen=True)
class LabelText:
    """One label: its lines as read the first and the second time, and how it lies in the scan.

    Line for line, `first` and `second` are two readings of the same place, by two engines where there are two; a line that one
    of them could not read is empty there. `rectangle` is (left, top, width, height) in pixels of the scan. The text stands
    upright once the picture is mirrored left to right, where `mirrored`, and then turned clockwise by `turn` degrees: 0, 90,
    180 or 270.
    """

    first: tuple[TextLine, ...]
    second: tuple[TextLine, ...]
    mirrored: bool
    turn: int = 0
    rectangle: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def lines(self) -> tuple[TextLine, ...]:
        """The reading of each line that was read better as a whole; lines that neither reading has are left out."""
        pairs = zip_longest(self.first, self.second, fillvalue=TextLine(()))
        return tuple(line for pair in pairs if (line := max(pair, key=lambda line: line.legibility)).words)
