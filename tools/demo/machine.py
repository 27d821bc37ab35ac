# SPDX-License-Identifier: MIT
"""A machine's socket from Python: docs/protocol.md, as much of it as the demo needs."""
import socket
import struct
import threading

HEAD = struct.Struct('=IHHq')
READ, WRITE = 3, 4
MORE = 1
MEMORY = '/sys/devices/system/memory'


class Machine:
    """One connection, one request at a time; threads may share it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.socket.recv(65536)  # hello
        self.lock = threading.Lock()
        self.last = 0

    def call(self, op, value, payload):
        with self.lock:
            self.last += 1
            self.socket.send(HEAD.pack(self.last, op, 0, value) + payload)
            answer = self.socket.recv(65536)
        if len(answer) < HEAD.size:
            raise ConnectionError('the machine is gone')
        _, _, flags, result = HEAD.unpack_from(answer)
        return result, flags, answer[HEAD.size:]

    def read(self, path):
        text = b''
        while True:
            result, flags, data = self.call(READ, len(text), path.encode() + b'\0')
            if result < 0:
                raise OSError(-result, path)
            text += data
            if not flags & MORE:
                return text.decode()

    def write(self, path, text):
        """0, or the negative errno."""
        result, _, _ = self.call(WRITE, 0, path.encode() + b'\0' + text.encode())
        return min(result, 0)

    def blocks(self):
        """[(number, state, node)], and the size of a block."""
        lines = self.read('/memplug/blocks').splitlines()
        return ([(int(n), state, int(node)) for n, state, node, *_ in map(str.split, lines[1:])],
                int(lines[0].split()[1]))

    def statistics(self):
        return {name: int(value) for name, value in
                map(str.split, self.read('/memplug/statistics').splitlines())}

    def set_state(self, block, state):
        return self.write(f'{MEMORY}/memory{block}/state', state)
