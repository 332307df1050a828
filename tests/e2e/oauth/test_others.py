# SPDX-License-Identifier: Apache-2.0
"""Programs of other people that sign users in here: mod_auth_openidc in Apache httpd, oidc-agent."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import pytest
import requests

from identity import CLIENTS, Identity, name
from platform_process import free_port

MODULES = pathlib.Path("/usr/lib/apache2/modules")


@pytest.fixture(scope="module")
def idp():
    running = Identity()
    with running.serving():
        running.who = name("user")
        running.add_user(running.who, running.root, email=f"{running.who}@example.org")
        yield running


@pytest.fixture
def apache(idp):
    # Not pytest's own folder, into which nobody else may look.
    tmp_path = pathlib.Path(tempfile.mkdtemp(prefix="drun-apache-"))
    port = free_port()
    own = f"http://127.0.0.1:{port}"
    client = name("apache")
    made = idp.must(201, "POST", CLIENTS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": client}, "spec": {
        "redirectUris": [own + "/secure/redirect"], "postLogoutRedirectUris": [own + "/"], "scopes": ["openid", "profile", "email"],
        "idTokenSignedResponseAlg": "RS256", "requirePushedAuthorizationRequests": False}})
    tmp_path.chmod(0o755)
    pages = tmp_path / "pages"
    (pages / "secure").mkdir(parents=True)
    (pages / "secure" / "index.html").write_text("the secret page")
    (pages / "index.html").write_text("the open page")
    wanted = ["mpm_event", "authn_core", "authz_core", "authz_user", "dir", "headers", "auth_openidc"]
    loads = "".join(f"LoadModule {module}_module {MODULES}/mod_{module}.so\n" for module in wanted)
    conf = tmp_path / "httpd.conf"
    conf.write_text(f"""ServerRoot {tmp_path}
ServerName 127.0.0.1
PidFile {tmp_path}/pid
DefaultRuntimeDir {tmp_path}
ErrorLog {tmp_path}/error.log
Listen 127.0.0.1:{port}
{"User www-data" if os.getuid() == 0 else ""}
{"Group www-data" if os.getuid() == 0 else ""}
{loads}
DocumentRoot {pages}
DirectoryIndex index.html
OIDCProviderMetadataURL {idp.url}/.well-known/openid-configuration
OIDCClientID {client}
OIDCClientSecret {made["status"]["clientSecret"]}
OIDCSSLValidateServer Off
OIDCOAuthSSLValidateServer Off
OIDCRedirectURI {own}/secure/redirect
OIDCCryptoPassphrase a-passphrase-of-this-test
OIDCPKCEMethod S256
OIDCScope "openid profile email"
OIDCRemoteUserClaim preferred_username
OIDCSessionType client-cookie
<Location /secure>
  AuthType openid-connect
  Require valid-user
  Header always set X-User "expr=%{{REMOTE_USER}}"
  Header always set X-Mail "expr=%{{reqenv:OIDC_CLAIM_email}}"
</Location>
""")
    process = subprocess.Popen(["apache2", "-f", str(conf), "-DFOREGROUND"], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while True:
        try:
            requests.get(own, timeout=5)
            break
        except requests.ConnectionError:
            assert process.poll() is None and time.monotonic() < deadline, process.stderr.read() if process.poll() is not None else "no answer"
            time.sleep(0.1)
    yield own
    process.terminate()
    process.wait(30)
    shutil.rmtree(tmp_path)


@pytest.mark.skipif(shutil.which("apache2") is None, reason="apache2 is not installed")
def test_apache_protects_a_page(idp, apache):
    browser = idp.sign_in(idp.who)
    first = browser.get(apache + "/secure/", allow_redirects=False, timeout=20)
    assert first.status_code == 302 and first.headers["Location"].startswith(idp.url + "/oauth2/authorize?"), first.headers
    back = browser.get(first.headers["Location"], allow_redirects=False, timeout=20).headers["Location"]
    assert back.startswith(apache + "/secure/redirect?code=")
    page = browser.get(back, timeout=20)
    assert page.status_code == 200 and page.text == "the secret page", page.text[:500]
    assert page.headers["X-User"].startswith(idp.who) and page.headers["X-Mail"] == f"{idp.who}@example.org"
    again = requests.get(back, timeout=20, allow_redirects=False)
    assert again.status_code != 200, "without the cookies of the one who began"


@pytest.mark.skipif(shutil.which("oidc-gen") is None, reason="oidc-agent is not installed")
def test_oidc_agent_signs_in_by_a_device_code(idp, tmp_path):
    client = name("agent")
    made = idp.must(201, "POST", CLIENTS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": client}, "spec": {
        "grantTypes": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"], "scopes": ["openid", "profile", "offline_access"]}})
    env = {**os.environ, "HOME": str(tmp_path), "OIDC_CONFIG_DIR": str(tmp_path / "oidc"), "TMPDIR": str(tmp_path)}
    (tmp_path / "oidc").mkdir()
    started = subprocess.run(["oidc-agent", "--no-autoload"], env=env, capture_output=True, text=True, timeout=30)
    for key, value in re.findall(r"(OIDC_SOCK|OIDCD_PID)=([^;]+);", started.stdout):
        env[key] = value
    assert "OIDC_SOCK" in env, started.stdout + started.stderr
    try:
        process = subprocess.Popen(
            ["oidc-gen", "test", f"--iss={idp.url}", f"--client-id={client}", f"--client-secret={made['status']['clientSecret']}",
             "--scope=openid profile offline_access", "--flow=device", "--cert-path=" + idp.ca, "--pw-cmd=echo secret", "--no-url-call", "--confirm-yes"],
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seen, code = "", None
        for line in process.stdout:
            seen += line
            found = re.search(r"\b([B-Z]{4}-[B-Z]{4})\b", line)
            if found:
                code = found.group(1)
                break
        assert code, seen
        browser = idp.sign_in(idp.who)
        assert browser.post(idp.url + "/session/device", json={"userCode": code, "decision": "allow"}).status_code == 204
        rest, _ = process.communicate(timeout=90)
        assert process.returncode == 0, seen + rest
        token = subprocess.run(["oidc-token", "test"], env=env, capture_output=True, text=True, timeout=60)
        assert token.returncode == 0, token.stderr
        shown = idp.request("GET", "/oauth2/userinfo", token.stdout.strip())
        assert shown.json()["preferred_username"] == idp.who
    finally:
        if "OIDCD_PID" in env:
            os.kill(int(env["OIDCD_PID"]), 15)
