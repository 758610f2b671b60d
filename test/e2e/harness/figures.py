"""Whether two series of measured times differ by more than their noise."""

import statistics


def quartiles(seconds):
    """In whole microseconds."""
    return [round(q * 1e6) for q in statistics.quantiles(seconds, n=4)]


def mann_whitney(a, b):
    """How sure one can be that one of the two tends to be greater: z, 0 for not at all."""
    ranks, ordered = {}, sorted(a + b)
    for at, value in enumerate(ordered):
        ranks.setdefault(value, []).append(at + 1)
    total = sum(sum(ranks[v]) / len(ranks[v]) for v in a)
    n, m = len(a), len(b)
    middle, width = n * (n + m + 1) / 2, (n * m * (n + m + 1) / 12) ** 0.5
    return (total - middle) / width


class Comparison:
    """Two series, measured in turns so that both meet the same noise."""

    def __init__(self, measure, one, other, attempts):
        """measure(one) and measure(other) return seconds; the first of each is not counted."""
        self.times = {one: [], other: []}
        for what in self.times:
            measure(what)
        for i in range(attempts):
            for what in (one, other) if i % 2 else (other, one):
                self.times[what].append(measure(what))
        self.a, self.b = map(quartiles, self.times.values())
        self.z = mann_whitney(*self.times.values())
        self.apart = abs(self.a[1] - self.b[1])

    def alike(self):
        return self.apart < max(self.a[2] - self.a[0], 1) and abs(self.z) < 4.5

    def __str__(self):
        (one, a), (other, b) = zip(self.times, (self.a, self.b))
        return (f"{len(self.times[one])} attempts each, quartiles in µs: {one} {a}, {other} {b}; "
                f"medians {self.apart} µs apart, Mann-Whitney z = {self.z:+.2f}")
