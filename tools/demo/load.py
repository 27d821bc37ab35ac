# SPDX-License-Identifier: MIT
"""The load: a client in a process of its own that reads, checks and times; and redis-benchmark."""
import multiprocessing
import random
import subprocess
import time

from resp import Data, Redis


def client(path, count, samples, stop, checked, wrong):
    """Half of what it does is a SET of the right value: what is written while memory moves counts, too."""
    redis, data, rng, batch = Redis(path), Data(count), random.Random(), []
    while not stop.is_set():
        i = rng.randrange(count)
        key, value = data.key(i), data.value(i)
        began = time.monotonic()
        if rng.random() < 0.5:
            redis.send((b'SET', key, value))
            redis.reply()
        else:
            redis.send((b'GET', key))
            wrong.value += redis.reply() != value
            checked.value += 1
        batch.append((began, time.monotonic() - began))
        if len(batch) == 200:
            samples.send(batch)
            batch = []
    samples.send(batch)
    samples.close()


class Load:
    def __init__(self, path, count):
        context = multiprocessing.get_context('fork')
        self.samples, there = context.Pipe(duplex=False)
        self.stop_event = context.Event()
        self.checked, self.wrong = context.Value('q', 0), context.Value('q', 0)
        self.process = context.Process(target=client, daemon=True, args=(
            path, count, there, self.stop_event, self.checked, self.wrong))
        self.process.start()
        there.close()
        # Keys of its own, 100 000 of 64 bytes, again and again.
        self.benchmark = subprocess.Popen(
            ['redis-benchmark', '-s', path, '-t', 'set,get', '-n', '1000000000', '-r', '100000', '-d', '64',
             '-c', '8', '-q'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def receive(self):
        """What the client has measured since: [(when, seconds)]."""
        got = []
        try:
            while self.samples.poll():
                got += self.samples.recv()
        except EOFError:
            pass
        return got

    def stop(self):
        self.benchmark.terminate()
        self.benchmark.wait()
        self.stop_event.set()
        got = []
        try:
            while True:
                got += self.samples.recv()
        except EOFError:
            pass
        self.process.join(10)
        return got

    def kill(self):
        self.benchmark.kill()
        self.process.kill()
