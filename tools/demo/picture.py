# SPDX-License-Identifier: MIT
"""The picture: memory and latency over time, as SVG."""

WIDTH, LEFT, RIGHT = 900, 70, 20
TOP, PANE, GAP = 50, 190, 60
GREEN, BLUE, ORANGE, RED, GREY = '#2a7f3e', '#3465a4', '#d97a00', '#c0261d', '#888'


def nice(value):
    """A round number at or above it."""
    unit = 1.0
    while unit * 10 <= value:
        unit *= 10
    while unit > value:
        unit /= 10
    return next(unit * step for step in (1, 2, 2.5, 5, 10) if unit * step >= value)


class Pane:
    def __init__(self, y, title, top, seconds):
        self.y, self.title, self.top, self.seconds = y, title, nice(top or 1), seconds

    def x(self, when):
        return LEFT + (WIDTH - LEFT - RIGHT) * when / self.seconds

    def at(self, value):
        return self.y + PANE - PANE * min(value, self.top) / self.top

    def frame(self):
        out = [f'<text x="{LEFT}" y="{self.y - 8}" font-weight="bold">{self.title}</text>']
        for i in range(5):
            value = self.top * i / 4
            y = self.at(value)
            out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                       f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
        return out

    def line(self, points, colour, width=1.6):
        path = ' '.join(f'{self.x(t):.1f},{self.at(v):.1f}' for t, v in points)
        return f'<polyline fill="none" stroke="{colour}" stroke-width="{width}" points="{path}"/>'


def legend(y, entries):
    out, x = [], WIDTH - RIGHT
    for name, colour in reversed(entries):
        x -= 7 * len(name) + 26
        out.append(f'<rect x="{x}" y="{y - 17}" width="12" height="10" fill="{colour}"/>'
                   f'<text x="{x + 16}" y="{y - 8}">{name}</text>')
    return out


def draw(path, history, phases, subtitle):
    """history: samples; phases: [(begin, end, title)] in seconds, during which blocks moved."""
    seconds = max(history[-1].when, 1)
    mib = 1 << 20
    memory = Pane(TOP + 30, 'memory (MiB)', max(s.online for s in history) / mib, seconds)
    latency = Pane(memory.y + PANE + GAP, 'latency of a client (ms)',
                   sorted(s.p99 for s in history)[len(history) * 95 // 100] * 1e3 * 1.3, seconds)
    height = latency.y + PANE + 40
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
           f'font-size="12">', f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           f'<text x="{LEFT}" y="22" font-size="16" font-weight="bold">Redis under memplug run: memory '
           f'leaves and returns while it serves</text><text x="{LEFT}" y="40" fill="{GREY}">{subtitle}</text>']
    for begin, end, title in phases:
        for pane in (memory, latency):
            out.append(f'<rect x="{pane.x(begin):.1f}" y="{pane.y}" height="{PANE}" fill="#fff3d6" '
                       f'width="{max(pane.x(end) - pane.x(begin), 1):.1f}"/>')
        out.append(f'<text x="{memory.x(begin) + 2:.1f}" y="{memory.y + 12}" fill="{ORANGE}" '
                   f'font-size="10">{title}</text>')
    out += memory.frame() + latency.frame()
    out.append(memory.line([(s.when, s.online / mib) for s in history], BLUE))
    out.append(memory.line([(s.when, s.resident / mib) for s in history], GREEN, 2.4))
    out += legend(memory.y, [('online', BLUE), ('resident: the host\'s memory that it holds', GREEN)])
    out.append(latency.line([(s.when, s.p99 * 1e3) for s in history], RED))
    out.append(latency.line([(s.when, s.p50 * 1e3) for s in history], GREEN))
    out += legend(latency.y, [('p50', GREEN), ('p99', RED), ('blocks move', '#fff3d6')])
    for i in range(0, int(seconds) + 1, max(1, int(seconds) // 10)):
        out.append(f'<text x="{latency.x(i):.1f}" y="{latency.y + PANE + 18}" text-anchor="middle">{i} s</text>')
    out.append('</svg>')
    with open(path, 'w') as file:
        file.write('\n'.join(out) + '\n')
