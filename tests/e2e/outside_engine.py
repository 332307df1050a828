# SPDX-License-Identifier: Apache-2.0
"""An engine outside the platform: llama.cpp behind nginx, which speaks TLS with a certificate of a test authority and
demands a key. Each can be changed while it runs."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from platform_process import ROOT, free_port

MODEL = ROOT / "build" / "model" / "gemma-3-270m.gguf"
ENGINE = ROOT / "build" / "engine" / "llama-server"

CONF = """
daemon off; pid nginx.pid; error_log error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log calls.log combined;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    map $http_authorization $welcome {{ default 0; "Bearer {key}" 1; }}
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name localhost;
        ssl_certificate {certificate}.pem; ssl_certificate_key {certificate}.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        add_header X-RateLimit-Limit-Requests 7 always;
        if ($welcome = 0) {{ return 401 '{{"error": {{"message": "wrong key", "type": "x", "code": "x", "param": null}}}}'; }}
        location /slow/ {{ proxy_pass http://127.0.0.1:{silent}; }}
        location = /health {{ if (-f {folder}/sick) {{ return 503; }} return 200 "well"; }}
        location = /slow/v1/models {{ return 200 '{{"data": []}}'; }}
        location = /broken/v1/models {{ return 200 '{{"data": []}}'; }}
        location = /broken/v1/chat/completions {{ return 503; }}
        location = /moved/v1/chat/completions {{ return 302 https://127.0.0.1/; }}
        location = /moved/v1/models {{ return 200 '{{"data": []}}'; }}
        location /base/v1/ {{
            proxy_pass http://127.0.0.1:{engine}/v1/;
            proxy_buffering off;
            proxy_read_timeout 600s;
        }}
    }}
}}
"""


def run(*words, cwd=None):
    subprocess.run(words, cwd=cwd, check=True, capture_output=True)


class OutsideEngine:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="drun-outside-"))
        self.folder.chmod(0o711)  # nginx's worker looks whether there is a file "sick"
        self.port, self.engine_port, self.key = free_port(), free_port(), "sk-outside-$1\"\\{x}"
        self.silent = socket.create_server(("127.0.0.1", 0))  # accepts by its backlog, and says nothing
        self.make_certificates()
        self.nginx = None
        self.write()
        self.engine = subprocess.Popen(
            [ENGINE, "-m", MODEL, "--host", "127.0.0.1", "--port", str(self.engine_port), "--alias", "outside-model",
             "--no-webui", "--jinja", "--no-slots", "-t", "2", "-c", "1024"],
            env={**os.environ, "LD_LIBRARY_PATH": str(ENGINE.parent)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.start()

    def make_certificates(self):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout",
            "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", cwd=self.folder)
        for name, host in (("server", "localhost"), ("other", "elsewhere.example")):
            (self.folder / "ext").write_text(f"subjectAltName=DNS:{host}\n")
            run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out",
                f"{name}.csr", "-subj", f"/CN={host}", cwd=self.folder)
            run("openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "ext", "-out", f"{name}.pem", cwd=self.folder)

    @property
    def ca(self):
        return (self.folder / "ca.pem").read_text()

    def url(self, base="base"):
        return f"https://localhost:{self.port}/{base}/v1"

    def write(self, key=None, certificate="server"):
        quoted = (key or self.key).replace("\\", "\\\\").replace('"', '\\"')
        (self.folder / "nginx.conf").write_text(CONF.format(
            key=quoted, port=self.port, engine=self.engine_port, certificate=certificate, silent=self.silent.getsockname()[1],
            folder=self.folder))

    def start(self):
        self.nginx = subprocess.Popen(["/usr/sbin/nginx", "-p", f"{self.folder}/", "-c", "nginx.conf"], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("the outside engine's nginx does not listen")

    def stop(self):
        self.nginx.send_signal(signal.SIGTERM)
        self.nginx.wait(20)

    def restart(self, **how):
        self.stop()
        self.write(**how)
        self.start()

    def calls(self):
        return (self.folder / "calls.log").read_text().splitlines()

    def close(self):
        self.stop()
        self.engine.kill()
        self.engine.wait()
        self.silent.close()
        shutil.rmtree(self.folder, ignore_errors=True)
