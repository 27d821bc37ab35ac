# SPDX-License-Identifier: MIT
"""Redis from Python: pipelines, and data that can be checked: each value follows from its key."""
import random
import socket

SIZE = 1000


class Redis:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.file = self.socket.makefile('rb', 1 << 20)

    def send(self, *commands):
        parts = []
        for command in commands:
            parts.append(b'*%d\r\n' % len(command))
            for word in command:
                parts.append(b'$%d\r\n%s\r\n' % (len(word), word))
        self.socket.sendall(b''.join(parts))

    def reply(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError('Redis is gone')
        kind, rest = line[:1], line[1:-2]
        if kind == b'$':
            return None if rest == b'-1' else self.file.read(int(rest) + 2)[:-2]
        if kind == b'-':
            raise RuntimeError(rest.decode())
        return int(rest) if kind == b':' else rest

    def call(self, *words):
        self.send([w if isinstance(w, bytes) else str(w).encode() for w in words])
        return self.reply()

    def info(self, section, name):
        for line in self.call('INFO', section).decode().splitlines():
            if line.startswith(name + ':'):
                return line.split(':', 1)[1]
        raise KeyError(name)


class Data:
    """`count` keys; the value of one is a piece of a random buffer that begins where the key says."""

    def __init__(self, count):
        self.count = count
        self.buffer = random.Random(1).randbytes(1 << 16)

    def key(self, i):
        return b'key:%08d' % i

    def value(self, i):
        at = i * 7919 % ((1 << 16) - SIZE)
        return b'%08d' % i + self.buffer[at:at + SIZE - 8]

    def fill(self, redis, told=lambda i: None, pipeline=500):
        for start in range(0, self.count, pipeline):
            some = range(start, min(start + pipeline, self.count))
            redis.send(*[(b'SET', self.key(i), self.value(i)) for i in some])
            for _ in some:
                redis.reply()
            told(start)

    def check(self, redis, pipeline=500):
        """The number of keys that do not have their value."""
        wrong = 0
        for start in range(0, self.count, pipeline):
            some = range(start, min(start + pipeline, self.count))
            redis.send(*[(b'GET', self.key(i)) for i in some])
            wrong += sum(redis.reply() != self.value(i) for i in some)
        return wrong
