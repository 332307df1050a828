# SPDX-License-Identifier: Apache-2.0
"""A provider of text messages: an HTTPS server that keeps what it is given."""
import http.server
import json
import re
import ssl
import subprocess
import threading
import urllib.parse


class Gateway(http.server.ThreadingHTTPServer):
    """What a provider of text messages is to the platform: a POST over TLS, with a token."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.messages, self.status = [], 200
        self.cert, key = folder / "sms.pem", folder / "sms.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-keyout", key, "-out", self.cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://localhost:{self.server_port}/send"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def code(self):
        return re.match(r"(\d{6}) is your code", self.messages[-1]["text"]).group(1)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        is_json = self.headers["Content-Type"] == "application/json"
        message = json.loads(body) if is_json else dict(urllib.parse.parse_qsl(body))
        self.server.messages.append({**message, "authorization": self.headers["Authorization"]})
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass
