"""A TCP forwarder before a real server without TLS, which can hold connections back or cut them."""

import select
import socket
import struct
import threading

from .procs import PATIENCE, free_port
from .wire import CANCEL_CODE, SSL_REQUEST


class Gate:
    """Forwards 127.0.0.1:port to a target; cancel requests wait while `cancels` is cleared."""

    def __init__(self, target):
        self.target, self.port = target, free_port()
        self.cancels = threading.Event()
        self.cancels.set()
        self.cancel_seen = threading.Event()
        self.opened = 0
        self._over = threading.Event()
        self._threads = []
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.opened += 1
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client):
        with client:
            try:
                head = client.recv(8, socket.MSG_WAITALL | socket.MSG_PEEK)
                if head == SSL_REQUEST:
                    client.recv(8)
                    client.sendall(b"N")
                    head = client.recv(8, socket.MSG_WAITALL | socket.MSG_PEEK)
                if len(head) == 8 and struct.unpack("!i", head[4:])[0] == CANCEL_CODE:
                    self.cancel_seen.set()
                    self.cancels.wait(60 * PATIENCE)
                with socket.create_connection(self.target) as server:
                    self._relay(client, server)
            except OSError:
                return

    def _relay(self, client, server):
        sources = {client: server, server: client}
        while sources and not self._over.is_set():
            for source in select.select(list(sources), [], [], 0.02)[0]:
                data = source.recv(65536)
                if data:
                    sources[source].sendall(data)
                else:
                    sources.pop(source).shutdown(socket.SHUT_WR)
        if self._over.is_set():
            for s in (client, server):
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def reset_all(self):
        """Ends every connection with RST, as a host that lost power and came back does."""
        self._over.set()
        for thread in self._threads:
            thread.join(10)

    def stop(self):
        self.cancels.set()
        self._listener.close()
        self.reset_all()
