#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes away and gives back the blocks of every machine that carries the mark, again and again, until
SIGTERM: cycle.py MARK. The mark is a value of MEMPLUG_RUN_MARK in the environment of the programs. With a
COUNT behind it, only until as many have left, or none can. Prints how many blocks have left, how many refused (the rest was full), and of how many machines."""
import os
import signal
import sys

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


class Ended(Exception):
    pass


def end(*_):
    raise Ended


def main():
    mark, machines, seen, left, refused, lost = sys.argv[1], {}, set(), 0, 0, 0
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1 << 60
    signal.signal(signal.SIGTERM, end)
    print('cycling', flush=True)
    try:
        while left < count and refused < count:
            for name in os.listdir(sockets()) if os.path.isdir(sockets()) else ():
                if name not in seen and marked(name, mark):
                    try:
                        machines[name] = Machine(os.path.join(sockets(), name))
                    except OSError:
                        continue
                    seen.add(name)
            for name, machine in list(machines.items()):
                try:
                    for block, state, _ in machine.blocks()[0]:
                        if state == 'offline':
                            continue
                        if machine.set_state(block, 'offline'):
                            refused += 1
                            continue
                        left += 1
                        lost += machine.set_state(block, 'online_movable') != 0
                except OSError:  # it has ended
                    del machines[name]
    except Ended:
        pass
    print(f'{left} blocks left and returned, {refused} refused, {lost} did not return, {len(seen)} machines')
    return 0 if not lost and left >= min(count, 1) else 1


if __name__ == '__main__':
    sys.exit(main())
