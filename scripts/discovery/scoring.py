"""Labels, and how far a tool's findings agree with them.

A place is (table, column, path): the path is None outside of documents, `$.contact.mail` in them. One
class is counted for each place, the first that a tool names, as a catalog has one for each column.
"""

import re
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Labels:
    must: dict = field(default_factory=dict)        # place -> class
    maybe: dict = field(default_factory=lambda: defaultdict(set))
    columns: set = field(default_factory=set)       # (table, column) of every label

    @classmethod
    def read(cls, path):
        labels = cls()
        for table, entries in tomllib.loads(path.read_text()).items():
            for kind, places in entries.items():
                if kind != "maybe":
                    labels._add(table, kind, places)
            for kind, places in entries.get("maybe", {}).items():
                for written in places:
                    labels.maybe[labels._place(table, written)].add(kind)
        return labels

    def _add(self, table, kind, places):
        for written in places:
            place = self._place(table, written)
            if kind != "none":
                assert place not in self.must, place
                self.must[place] = kind

    def _place(self, table, written):
        column, _, path = written.partition("$")
        self.columns.add((table, column))
        return table, column, f"${path}" if path else None

    def check(self, columns):
        """Every column has a label, and every label a column."""
        if self.columns != columns:
            raise SystemExit(f"labels: missing {sorted(columns - self.columns)}, "
                             f"of no column {sorted(self.columns - columns)}")


def place(table, column, path):
    """Elements of arrays have their array's path; what is all of a column has none."""
    path = re.sub(r"\[[^]]*\]", "", path or "").rstrip(".")
    return table, column, None if path in ("", "$") else path


@dataclass
class Tally:
    right: int = 0
    wrong: int = 0
    missed: int = 0

    def precision(self):
        return ratio(self.right, self.right + self.wrong)

    def recall(self):
        return ratio(self.right, self.right + self.missed)

    def f1(self):
        return ratio(2 * self.right, 2 * self.right + self.wrong + self.missed)

    def __add__(self, other):
        return Tally(self.right + other.right, self.wrong + other.wrong,
                     self.missed + other.missed)


def ratio(part, whole):
    """None: nothing was there to find, and nothing was found."""
    return part / whole if whole else None


def score(labels, found):
    """`found`: place -> class. Tallies by class, and the mistakes as (place, expected, found)."""
    tallies, mistakes = defaultdict(Tally), []
    inside = defaultdict(set)
    for (table, column, path), kind in labels.must.items():
        if path:
            inside[table, column].add(kind)
    for spot, kind in found.items():
        expected = labels.must.get(spot)
        if kind == expected:
            tallies[kind].right += 1
        elif kind in labels.maybe.get(spot, ()):
            continue
        elif spot[2] is None and kind in inside[spot[:2]]:
            continue                        # said of a document of which a part is it
        else:
            tallies[kind].wrong += 1
            mistakes.append((spot, expected, kind))
    for spot, kind in labels.must.items():
        if found.get(spot) != kind:
            tallies[kind].missed += 1
            if spot not in found:
                mistakes.append((spot, kind, None))
    return dict(tallies), mistakes


def overall(tallies):
    return sum(tallies.values(), Tally())
