"""A stand-in for a compute on a bad day: it logs clients in, or not, and then does not behave.

Real servers do this, too (frozen, stopped, out of memory, another program on the port), but not
when a test wants it. Each connection is handed to a function of the test.
"""

import socket
import struct
import threading

from .procs import free_port
from .wire import message

WELCOME = (message(b"R", struct.pack("!i", 0)) + message(b"K", struct.pack("!ii", 4711, 42))
           + message(b"Z", b"I"))


def refusal(sqlstate, text):
    """A FATAL as a server sends it."""
    return message(b"E", f"SFATAL\0VFATAL\0C{sqlstate}\0M{text}\0\0".encode())


SSL_REQUEST = struct.pack("!i", 80877103)


def read_startup(sock):
    """The startup packet's body; a request for TLS before it is refused, as a server without it does."""
    size, = struct.unpack("!i", sock.recv(4, socket.MSG_WAITALL))
    body = sock.recv(size - 4, socket.MSG_WAITALL)
    if body != SSL_REQUEST:
        return body
    sock.sendall(b"N")
    return read_startup(sock)


class FakeCompute:
    """Gives each connection, and its number from 0, to `serve` in a thread of its own."""

    def __init__(self, serve):
        self.serve, self.port = serve, free_port()
        self.endpoint = f"127.0.0.1:{self.port}"
        self.entry = f"host=127.0.0.1 port={self.port}"
        self.opened = 0
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(sock)
            self.opened += 1
            threading.Thread(target=self._run, args=(sock, self.opened - 1), daemon=True).start()

    def _run(self, sock, number):
        try:
            self.serve(sock, number)
        except (OSError, struct.error):
            sock.close()

    def stop(self):
        for s in [self._listener, *self._sockets]:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
