"""A relay before PostgreSQL that can lose an answer: what was asked is done, and nobody hears of it."""

import socket
import threading


class Cutter:
    def __init__(self, path):
        self.path, self.word, self.cuts = path, None, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def lose_answer_of(self, word):
        """Once: of the next thing asked that holds this word."""
        self.word = word

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
        self.listener.close()
