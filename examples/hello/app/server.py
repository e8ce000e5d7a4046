"""Answers on port 8000: /ready for health checks, everything else with the version."""

import http.server
import json
import os
import signal
import sys


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ready = {"status": "ok"}
        body = ready if self.path == "/ready" else {"version": os.environ.get("VERSION", "unknown")}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


# Process 1 of a container gets no signal that it did not ask for: each stop would take ten seconds.
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
http.server.ThreadingHTTPServer(("", 8000), Answer).serve_forever()
