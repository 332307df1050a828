# SPDX-License-Identifier: Apache-2.0
"""mod_auth_openidc in Apache httpd as a relying party that hears of ends: signing out from the app, by a frame of its own in our page
(front channel), by a token behind the user's back (back channel), and by watching the session frame in a browser."""
import html
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.parse

import pytest
import requests
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import Certificates
from identity import CLIENTS, Identity, name
from platform_process import free_port

MODULES = pathlib.Path("/usr/lib/apache2/modules")
pytestmark = pytest.mark.skipif(shutil.which("apache2") is None, reason="apache2 is not installed")


@pytest.fixture(scope="module")
def idp():
    with Identity().serving() as running:
        yield running


class App:
    """An Apache with TLS whose pages under /secure are for those who signed in."""

    def __init__(self, idp, folder):
        import ipaddress
        self.idp, self.folder = idp, folder
        authority = Certificates(folder)
        _, (cert, key) = authority.client("app", [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))], usage=ExtendedKeyUsageOID.SERVER_AUTH)
        self.ca = folder / "app-ca.pem"
        self.ca.write_text(authority.ca_pem)
        port = free_port()
        self.url = f"https://127.0.0.1:{port}"
        back = self.url + "/secure/redirect"
        client = name("app")
        made = idp.must(201, "POST", CLIENTS, idp.root, json={"apiVersion": "drun.io/v1", "kind": "OidcClient", "metadata": {"name": client}, "spec": {
            "redirectUris": [back], "postLogoutRedirectUris": [self.url + "/bye.html"], "scopes": ["openid", "profile"],
            "frontchannelLogoutUri": back + "?logout=get", "frontchannelLogoutSessionRequired": True,
            "backchannelLogoutUri": back + "?logout=backchannel", "ca": authority.ca_pem, "privateNetwork": True}})
        pages = folder / "pages"
        (pages / "secure").mkdir(parents=True)
        (pages / "secure" / "index.html").write_text("the secret page")
        # Its own two frames, as the module's documentation has them: one of the provider's, one that asks it every second.
        (pages / "secure" / "watch.html").write_text(
            '<p>watching</p><iframe id="openidc-op" src="/secure/redirect?session=iframe_op"></iframe>'
            '<iframe id="openidc-rp" src="/secure/redirect?session=iframe_rp&poll=1000"></iframe>')
        (pages / "bye.html").write_text("good bye")
        shutil.copy(idp.ca, folder / "drun-ca.pem")
        for file in (*folder.glob("*"), *pages.rglob("*")):
            file.chmod(0o755 if file.is_dir() else 0o644)
        wanted = ["mpm_event", "authn_core", "authz_core", "authz_user", "dir", "headers", "socache_shmcb", "ssl", "auth_openidc"]
        conf = folder / "httpd.conf"
        conf.write_text(f"""ServerRoot {folder}
ServerName 127.0.0.1
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
LogLevel warn
Listen 127.0.0.1:{port}
{"User www-data" if os.getuid() == 0 else ""}
{"Group www-data" if os.getuid() == 0 else ""}
{"".join(f"LoadModule {module}_module {MODULES}/mod_{module}.so{chr(10)}" for module in wanted)}
DocumentRoot {pages}
DirectoryIndex index.html
SSLEngine on
SSLCertificateFile {cert}
SSLCertificateKeyFile {key}
OIDCProviderMetadataURL {idp.url}/.well-known/openid-configuration
OIDCCABundlePath {folder}/drun-ca.pem
OIDCClientID {client}
OIDCClientSecret {made["status"]["clientSecret"]}
OIDCRedirectURI {back}
OIDCCryptoPassphrase a-passphrase-of-this-test
OIDCPKCEMethod S256
OIDCScope "openid profile"
OIDCRemoteUserClaim preferred_username
OIDCSessionType server-cache
OIDCDefaultLoggedOutURL {self.url}/bye.html
<Location /secure>
  AuthType openid-connect
  Require valid-user
  Header always set X-User "expr=%{{REMOTE_USER}}"
</Location>
""")
        self.process = subprocess.Popen(["apache2", "-f", str(conf), "-DFOREGROUND"], stderr=subprocess.PIPE)
        deadline = time.monotonic() + 30
        while True:
            try:
                requests.get(self.url, timeout=5, verify=str(self.ca))
                break
            except requests.ConnectionError:
                assert self.process.poll() is None and time.monotonic() < deadline, "Apache did not start"
                time.sleep(0.1)

    def log(self):
        return (self.folder / "error.log").read_text()[-3000:]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def app(idp):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="drun-app-"))  # pytest's own folders are closed to www-data
    folder.chmod(0o755)
    running = App(idp, folder)
    yield running
    running.stop()
    shutil.rmtree(folder)


class Surfer:
    """A browser of somebody who signed in here and at the app."""

    def __init__(self, idp, app):
        self.idp, self.app, self.who = idp, app, name("user")
        idp.add_user(self.who, idp.root)
        self.browser = idp.sign_in(self.who)
        # One authority for each of the two servers, as a browser has many.
        self.browser.verify = str(app.folder / f"{self.who}.pem")
        pathlib.Path(self.browser.verify).write_text(app.ca.read_text() + pathlib.Path(idp.ca).read_text())
        assert self.page().text == "the secret page"

    def page(self, **more):
        return self.browser.get(self.app.url + "/secure/", timeout=20, **more)

    def is_in(self):
        """Asked of the app alone: it would fetch another sign-in from us."""
        answer = self.page(allow_redirects=False)
        assert answer.status_code in (200, 302), f"{answer.status_code} {self.app.log()}"
        return answer.status_code == 200


def test_signing_out_at_the_app_signs_out_here(idp, app):
    surfer = Surfer(idp, app)
    out = surfer.browser.get(app.url + "/secure/redirect", params={"logout": app.url + "/bye.html"}, allow_redirects=False, timeout=20)
    assert out.status_code == 302 and out.headers["Location"].startswith(idp.url + "/oauth2/logout?"), out.headers
    asked = urllib.parse.parse_qs(urllib.parse.urlparse(out.headers["Location"]).query)
    assert asked["id_token_hint"] and asked["post_logout_redirect_uri"] == [app.url + "/bye.html"]
    page = surfer.browser.get(out.headers["Location"], allow_redirects=False, timeout=20)
    back = page.headers.get("Location") or page.headers["Refresh"].split("url=")[1]
    assert back.startswith(app.url + "/bye.html") and surfer.browser.get(back, timeout=20).text == "good bye"
    assert not surfer.is_in() and surfer.browser.get(idp.url + "/session").status_code == 401


def test_the_app_hears_behind_the_users_back(idp, app):
    """OpenID Connect Back-Channel Logout: Apache verifies the logout token by our keys and ends what it kept."""
    for end in ("here", "by an administrator"):
        surfer, other = Surfer(idp, app), Surfer(idp, app)
        if end == "here":
            assert surfer.browser.delete(idp.url + "/session").status_code == 204
        else:
            idp.must(200, "PATCH", f"/apis/drun.io/v1/users/{surfer.who}", idp.root, data='{"spec": {"disabled": true}}',
                     headers={"Content-Type": "application/merge-patch+json"})
        idp.wait_until(f"the end at the app ({end})", lambda: not surfer.is_in(), timeout=60)
        assert other.is_in(), "nobody else"
    forged = requests.post(app.url + "/secure/redirect", params={"logout": "backchannel"}, data={"logout_token": "e30.e30.e30"}, verify=str(app.ca), timeout=20)
    assert forged.status_code >= 400 and other.is_in()


def test_the_app_hears_through_the_front(idp, app):
    """OpenID Connect Front-Channel Logout: the frame in our page is followed as a browser follows it."""
    surfer = Surfer(idp, app)
    asked = surfer.browser.get(idp.url + "/oauth2/logout", allow_redirects=False, timeout=20)
    assert "Sign out?" in asked.text, "without a hint the user is asked"
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', asked.text))
    action = re.search(r'<form[^>]*action="([^"]+)"', asked.text)
    page = surfer.browser.post(idp.url + (html.unescape(action.group(1)) if action else "/oauth2/logout"), data={**fields, "decision": "allow"},
                               allow_redirects=False, timeout=20)
    frames = [html.unescape(one) for one in re.findall(r'<iframe[^>]*src="([^"]+)"', page.text)]
    assert len(frames) == 1 and frames[0].startswith(app.url + "/secure/redirect?logout=get&"), page.text[:2000]
    query = urllib.parse.parse_qs(urllib.parse.urlparse(frames[0]).query)
    assert query["iss"] == [idp.url] and query["sid"]
    assert surfer.browser.get(frames[0], timeout=20).status_code == 200
    assert not surfer.is_in() and surfer.browser.get(idp.url + "/session").status_code == 401


def test_the_apps_frame_notices_the_end(idp, app):
    """OpenID Connect Session Management in Chromium, with the frames of mod_auth_openidc."""
    from playwright.sync_api import sync_playwright
    surfer = Surfer(idp, app)
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = chromium.new_context(ignore_https_errors=True)
        page = context.new_page()
        page.set_default_timeout(60000)
        for cookie in surfer.browser.cookies:
            if cookie.name.startswith("__Host-"):
                context.add_cookies([{"name": cookie.name, "value": cookie.value, "url": idp.url, "secure": True, "sameSite": "Lax"}])
        page.goto(app.url + "/secure/watch.html")
        assert "watching" in page.inner_text("body")
        page.wait_for_timeout(3000)
        assert page.url == app.url + "/secure/watch.html", "as long as nothing changes, nothing happens"
        assert context.request.delete(idp.url + "/session", headers={"Origin": idp.url}).status == 204
        page.wait_for_url(lambda url: not url.endswith("/watch.html"))
        page.wait_for_load_state()
        assert "watching" not in page.inner_text("body"), page.url
        chromium.close()
