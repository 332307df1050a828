# SPDX-License-Identifier: Apache-2.0
"""A service that speaks the range API of Have I Been Pwned: an HTTPS server that keeps what it is asked."""
import hashlib
import http.server
import secrets
import ssl
import subprocess
import threading
import time


def digits(password):
    return hashlib.sha1(password.encode()).hexdigest().upper()


class BreachService(http.server.ThreadingHTTPServer):
    """Knows the passwords of `breached`; `behave` is what it does instead of an answer."""

    def __init__(self, folder, *breached):
        super().__init__(("127.0.0.1", 0), Handler)
        self.hashes, self.asked, self.behave = [digits(one) for one in breached], [], None
        self.cert, key = folder / "breach.pem", folder / "breach.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-keyout", key, "-out", self.cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://localhost:{self.server_port}/range/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def settings(self, **more):
        return {"breached_url": self.url, "breached_ca_file": self.cert, "breached_private_network": "true", **more}

    def range(self, prefix):
        """Those that begin so, among as many others as the real one has, and padding, whose number is 0."""
        lines = [f"{one[5:]}:{7 + index}" for index, one in enumerate(self.hashes) if one.startswith(prefix)]
        lines += [secrets.token_hex(18).upper()[:35] + f":{index + 1}" for index in range(900)]
        lines += [secrets.token_hex(18).upper()[:35] + ":0" for _ in range(60)]
        return "\r\n".join(sorted(lines))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        behave = self.server.behave
        if behave == "slow":
            time.sleep(3)
        status, body = {"error": (503, "busy"), "page": (200, "<html>please sign in</html>"), "redirect": (302, "")}.get(
            behave, (200, self.server.range(self.path.rpartition("/")[2])))
        if behave == "padding":
            body = "\r\n".join(f"{one[5:]}:0" for one in self.server.hashes)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/range/00000")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass
