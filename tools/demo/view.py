# SPDX-License-Identifier: MIT
"""What the demo shows while it runs: a picture of the terminal, or lines where there is none."""
import curses
import sys
import time

COLOURS = {'used': 1, 'free': 2, 'moving': 3, 'offline': 4, 'refused': 5}
SIGNS = {'used': '#', 'free': '+', 'moving': '~', 'offline': '.', 'refused': '!'}


def mib(size):
    return f'{size / (1 << 20):,.0f} MiB'


class Lines:
    """No terminal: what happens, and the figures every other second."""

    def __init__(self):
        self.began, self.last = time.monotonic(), 0

    def event(self, text):
        print(f'{time.monotonic() - self.began:5.1f} s  {text}', flush=True)

    def show(self, state):
        now = time.monotonic()
        if now - self.last < 2 or not state.history:
            return
        self.last = now
        s = state.history[-1]
        self.event(f'  [{state.block_map()}] resident {mib(s.resident)}, host free {mib(s.host_free)}, '
                   f'{s.ops:,.0f} ops/s, p99 {s.p99 * 1e3:.2f} ms')

    def close(self):
        pass


class Screen:
    def __init__(self):
        self.began = time.monotonic()
        self.events = []
        self.screen = curses.initscr()
        curses.noecho()
        curses.curs_set(0)
        curses.start_color()
        curses.use_default_colors()
        for pair, colour in ((1, curses.COLOR_GREEN), (2, curses.COLOR_CYAN), (3, curses.COLOR_YELLOW),
                             (4, curses.COLOR_BLUE), (5, curses.COLOR_RED)):
            curses.init_pair(pair, colour, -1)

    def event(self, text):
        self.events.append(f'{time.monotonic() - self.began:5.1f} s  {text}')

    def put(self, y, x, text, attribute=0):
        try:
            self.screen.addstr(y, x, text, attribute)
        except curses.error:
            pass  # beyond the edge of a small terminal

    def show(self, state):
        height, width = self.screen.getmaxyx()
        self.screen.erase()
        self.put(0, 0, 'memplug demo: Redis, whose memory leaves and returns while it serves', curses.A_BOLD)
        y = 2
        for node, blocks in sorted(state.nodes().items()):
            self.put(y, 0, f'node {node}')
            for i, (_, kind) in enumerate(blocks):
                row, column = divmod(i, max(1, (width - 10) // 3))
                self.put(y + row, 8 + 3 * column, '██', curses.color_pair(COLOURS[kind]))
            y += 1 + (len(blocks) - 1) // max(1, (width - 10) // 3)
        x = 8
        for kind in COLOURS:
            self.put(y, x, '██ ' + kind, curses.color_pair(COLOURS[kind]))
            x += len(kind) + 5
        y += 2
        if state.history:
            s = state.history[-1]
            for line in (f'resident   {mib(s.resident):>12}    host free  {mib(s.host_free):>12}',
                         f'operations {s.ops:>10,.0f}/s    keys checked {state.checked():>10,}, '
                         f'wrong {state.wrong()}',
                         'latency (ms)         p50      p99    p99.9'):
                self.put(y, 0, line)
                y += 1
            for name, moving in (('nothing moves', False), ('blocks move', True)):
                p = state.percentiles(moving)
                if p:
                    self.put(y, 0, f'  {name:<15}' + ''.join(f'{v * 1e3:9.2f}' for v in p))
                y += 1
        y += 1
        room = max(0, height - y - 1)
        for i, line in enumerate(self.events[-room:] if room else []):
            self.put(y + i, 0, line[:width - 1])
        self.screen.refresh()

    def close(self):
        curses.endwin()
        for line in self.events:
            print(line)


def view():
    if sys.stdout.isatty():
        try:
            curses.setupterm()
            return Screen()
        except curses.error:
            pass
    return Lines()
