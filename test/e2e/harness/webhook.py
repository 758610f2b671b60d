"""A receiver of webhooks that may be slow, refuse, or lose what it has taken."""

import http.server
import json
import threading


class Webhook:
    """Keeps all that came, in order: key, body and headers of each arrival."""

    def __init__(self):
        self.arrived = []
        self.answers = []    # of the next calls: a status, or None to hang up; then 200
        self._lock = threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    url = property(lambda self: f"http://127.0.0.1:{self.server.server_port}/hook")

    def _handler(self):
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One call."""

            protocol_version = "HTTP/1.1"

            def do_POST(self):    # pylint: disable=invalid-name
                """Takes it in, and answers as the test said."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = hook.take(self.path, self.headers, body)
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                if status // 100 == 3:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Says nothing."""
        return Handler

    def take(self, path, headers, body):
        """Notes a call; the status of its answer."""
        with self._lock:
            self.arrived.append((path, dict(headers), body))
            return self.answers.pop(0) if self.answers else 200

    def bodies(self, **wanted):
        """What came with those members, each key once, as a good receiver has it."""
        with self._lock:
            by_key = {body["key"]: body for _, _, body in self.arrived}
        return [b for b in by_key.values() if all(b.get(k) == v for k, v in wanted.items())]

    def count(self, key):
        """How often it came."""
        with self._lock:
            return sum(body["key"] == key for _, _, body in self.arrived)

    def close(self):
        """Nobody answers any more."""
        self.server.shutdown()
        self.server.server_close()
