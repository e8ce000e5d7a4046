"""Answers 200 on every path while its database can be read."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sqlalchemy import create_engine, text

ENGINE = create_engine(os.environ["DATABASE_URL"])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with ENGINE.connect() as connection:
                connection.execute(text("SELECT 1"))
            status, body = 200, b'{"status": "ok"}'
        except Exception as error:
            status, body = 503, repr(error).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", 8000), Handler).serve_forever()
