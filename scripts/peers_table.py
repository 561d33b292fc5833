"""What scripts/bench_peers found out about one kind of work, and how it is shown."""
import json
import statistics


class Row:
    """Rounds of one case, peer by peer, or figures with their limits."""

    def __init__(self, name, batch=1, bars=(None, None), reach=(None, None)):
        self.name, self.batch, self.bars, self.reach = name, batch, bars, reach
        self.rounds = {}  # peer → [(its seconds, edmund's seconds)]
        self.line = {}    # edmund's last one
        self.facts = []   # (text, value, limit, reach)

    def seconds(self, peer):
        return statistics.median(theirs for theirs, _ in self.rounds[peer])

    def own_seconds(self):
        return statistics.median(own for rounds in self.rounds.values() for _, own in rounds)

    def ratios(self, peer):
        return [theirs / own for theirs, own in self.rounds[peer]]

    def ratio(self, peer):
        return statistics.median(self.ratios(peer))

    def judged(self):
        """The peers that the bars are about: (peer, bar, reach)."""
        eager = next((p for p in self.rounds if p in ("edm:eager", "pytorch-fid:eager", "scipy") or ":loops:" in p), None)
        best = min((p for p in self.rounds if p.startswith(("edm:compile", "pytorch-fid:compile"))), key=self.seconds, default=None)
        return [(p, b, r) for p, b, r in zip((eager, best), self.bars, self.reach) if p and b]

    def fact(self, text, value, limit, reach=None):
        self.facts.append((text, value, limit, reach))


def spread(row, peer):
    ratios = row.ratios(peer)
    return f"{row.ratio(peer):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def verdict(met):
    return "met" if met else "MISSED"


def as_text(row):
    out = [row.name]
    if row.rounds:
        out.append(f"  {'edmund':32} {row.own_seconds() * 1e3:10.2f} ms {row.batch / row.own_seconds():10.1f} /s")
    for peer in row.rounds:
        seconds = row.seconds(peer)
        out.append(f"  {peer:32} {seconds * 1e3:10.2f} ms {row.batch / seconds:10.1f} /s   edmund is {spread(row, peer)} x as fast")
    for peer, bar, reach in row.judged():
        out.append(f"  bar: at least {bar} x {peer}{f', reach for {reach}' if reach else ''}: {verdict(row.ratio(peer) >= bar)}")
    for text, value, limit, reach in row.facts:
        out.append(f"  {value:.3g} {text}, at most {limit:g}{f', reach for {reach:g}' if reach else ''}: {verdict(value <= limit)}")
    return "\n".join(out)


def as_json(row):
    lines = []
    for name in [None, *row.rounds] if row.rounds else []:
        seconds = row.seconds(name) if name else row.own_seconds()
        line = dict(case=f"{row.name}: {name or 'edmund'}", batch=row.batch, ms=round(seconds * 1e3, 3), img_s=round(row.batch / seconds, 2))
        if name:
            ratios = row.ratios(name)
            line.update(edmund_is_faster_by=round(row.ratio(name), 3), lowest=round(min(ratios), 3), highest=round(max(ratios), 3))
        lines.append(line)
    lines += [dict(case=f"{row.name}: {text}", value=value, at_most=limit) for text, value, limit, _ in row.facts]
    return "\n".join(map(json.dumps, lines))


def as_markdown(row):
    lines = [f"| {row.name} | {spread(row, peer)} × {peer} | {bar} × | {f'{reach} ×' if reach else ''} |" for peer, bar, reach in row.judged()]
    lines += [f"| {row.name} | {value:.3g} {text} | ≤ {limit:g} | {f'≤ {reach:g}' if reach else ''} |" for text, value, limit, reach in row.facts]
    return "\n".join(lines)
