# SPDX-License-Identifier: Apache-2.0
"""An engine that somebody wrote badly: it keeps a table of its users in SQLite and puts the `user` of a call into a
statement as it is. What the statement gives, or the error of the database, is in the answer."""
import http.server
import json
import pathlib
import shutil
import sqlite3
import ssl
import subprocess
import tempfile
import threading

TABLE = """
CREATE TABLE users (name TEXT, team TEXT); INSERT INTO users VALUES ('alice', 'red'), ('bob', 'blue');
CREATE TABLE cards (number TEXT); INSERT INTO cards VALUES ('4111-1111-1111-1111');
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer(200, {"object": "list", "data": [{"id": "weak", "object": "model"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        database = sqlite3.connect(":memory:")
        database.executescript(TABLE)
        statement = f"SELECT team FROM users WHERE name = '{body.get('user', '')}'"
        self.server.asked += 1
        try:
            teams = [row[0] for row in database.execute(statement)]
        except (sqlite3.Error, sqlite3.Warning) as error:
            self.answer(500, {"error": {"message": f"System.Data.SQLite.SQLiteException: {error} in {statement}", "type": "server_error"}})
            return
        self.answer(200, {"id": "c1", "object": "chat.completion", "created": 1, "model": "weak", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": f"You are of {teams}."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})


class WeakEngine:
    def __init__(self, handler=Handler):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="drun-weak-"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       cwd=self.folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.asked = 0
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.serving = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.serving.start()

    @property
    def ca(self):
        return (self.folder / "cert.pem").read_text()

    @property
    def url(self):
        return f"https://localhost:{self.server.server_address[1]}/v1"

    @property
    def asked(self):
        return self.server.asked

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.serving.join()
        shutil.rmtree(self.folder, ignore_errors=True)
