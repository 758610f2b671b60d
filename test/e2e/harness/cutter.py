"""A relay before PostgreSQL that can lose an answer: what was asked is done, and nobody hears of it.
Or it swallows all that is said, both ways, and keeps every connection open: a black hole."""

import socket
import threading


class Cutter:
    def __init__(self, path):
        self.path, self.word, self.cuts = path, None, 0
        self.open = threading.Event()
        self.open.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def lose_answer_of(self, word):
        """Once: of the next thing asked that holds this word."""
        self.word = word

    def hold(self):
        """From here on nothing passes, though connections stand and new ones are taken."""
        self.open.clear()

    def go_on(self):
        """What was held back is passed on."""
        self.open.set()

    def accept(self):
        while True:
            server = socket.socket(socket.AF_UNIX)
            try:
                client, _ = self.listener.accept()
                server.connect(self.path)
            except OSError:
                return    # one of both has ended
            for way in ((client, server, True), (server, client, False)):
                threading.Thread(target=self.relay, args=way, daemon=True).start()

    def relay(self, source, sink, asks):
        try:
            while data := source.recv(65536):
                self.open.wait()
                if asks and self.word and self.word in data:
                    self.word, self.cuts = None, self.cuts + 1
                    source.shutdown(socket.SHUT_RDWR)
                sink.sendall(data)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.open.set()
        self.listener.close()
