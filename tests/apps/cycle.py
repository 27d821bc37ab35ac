#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes away and gives back the blocks of every machine that carries the mark, again and again, until
SIGTERM: cycle.py MARK. The mark is a value of MEMPLUG_RUN_MARK in the environment of the programs. With a
COUNT behind it, only until as many have left, or none can. Prints how many blocks have left, how many refused (the rest was full), and of how many machines."""
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../tools/demo'))
from machine import Machine  # noqa: E402


def sockets():
    if 'MEMPLUG_RUN_SOCKETS' in os.environ:
        return os.environ['MEMPLUG_RUN_SOCKETS']
    if os.geteuid() == 0:
        return '/run/memplug'
    return os.environ.get('XDG_RUNTIME_DIR', '/tmp') + '/memplug'


def parent(pid):
    with open(f'/proc/{pid}/stat') as file:
        return int(file.read().rpartition(')')[2].split()[1])


def marked(pid, mark):
    """By its environment, or as a descendant of the process that the mark names: Redis writes over the former."""
    if 'MEMPLUG_RUN_SOCKETS' in os.environ:
        return True  # a directory of the test's own
    try:
        ancestor = int(pid)
        while ancestor > 1:
            if ancestor == int(mark.partition('-')[0]):
                return True
            ancestor = parent(ancestor)
        with open(f'/proc/{pid}/environ', 'rb') as file:
            return b'MEMPLUG_RUN_MARK=' + mark.encode() in file.read().split(b'\0')
    except (OSError, ValueError):
        return False


class Cycler:
    """Each machine by a thread of its own: one whose block waits for a fork child keeps no other one waiting."""

    def __init__(self, count):
        self.count, self.seen = count, set()
        self.left = self.refused = self.lost = self.out = 0
        self.lock, self.stop = threading.Condition(), threading.Event()

    def note(self, left=0, refused=0, lost=0, out=0):
        with self.lock:
            self.left += left
            self.refused += refused
            self.lost += lost
            self.out += out
            self.lock.notify_all()
            if self.left >= self.count:
                self.stop.set()

    def one_block(self, machine, block):
        if machine.set_state(block, 'offline'):
            self.note(refused=1)
            return
        self.note(out=1)
        try:
            self.note(left=1, lost=machine.set_state(block, 'online_movable') != 0)
        finally:
            self.note(out=-1)

    def cycle(self, machine):
        try:
            while not self.stop.is_set():
                for block, state, _ in machine.blocks()[0]:
                    if state != 'offline' and not self.stop.is_set():
                        self.one_block(machine, block)
                # Not before all have been asked: those that are full come first.
                if self.refused >= self.count:
                    self.stop.set()
        except OSError:
            pass  # it has ended

    def look(self, mark):
        for name in os.listdir(sockets()) if os.path.isdir(sockets()) else ():
            if name in self.seen or not marked(name, mark):
                continue
            try:
                machine = Machine(os.path.join(sockets(), name))
            except OSError:
                continue
            self.seen.add(name)
            threading.Thread(target=self.cycle, args=(machine,), daemon=True).start()


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1 << 60
    cycler = Cycler(count)
    signal.signal(signal.SIGTERM, lambda *_: cycler.stop.set())
    print('cycling', flush=True)
    while not cycler.stop.wait(0.02):
        cycler.look(sys.argv[1])
    # A block that is on its way out when the end comes may wait for long; one that is out comes back.
    with cycler.lock:
        cycler.lock.wait_for(lambda: not cycler.out, 60)
        left, refused, lost = cycler.left, cycler.refused, cycler.lost
    print(f'{left} blocks left and returned, {refused} refused, {lost} did not return, {len(cycler.seen)} machines',
          flush=True)
    os._exit(0 if not lost and left >= min(count, 1) else 1)


if __name__ == '__main__':
    main()
