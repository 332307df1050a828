# SPDX-License-Identifier: Apache-2.0
"""A platform whose users have second factors, and their authenticator app."""
import json
import subprocess
import time

from authenticator import Passkey
from identity import Identity, PASSWORD, USERS, name

MERGE = {"headers": {"Content-Type": "application/merge-patch+json"}}


class Mfa(Identity):
    def post(self, browser, path, status, **body):
        answer = browser.post(self.url + path, json=body)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def begin(self, who, password=PASSWORD, browser=None):
        """The password alone: the browser, and what is asked for then."""
        browser = browser or self.browser()
        return browser, self.post(browser, "/session", 200, username=who, password=password)

    def whoami(self, browser):
        answer = browser.get(self.url + "/session")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def add_totp(self, browser):
        begun = self.post(browser, "/session/factors/totp", 200)
        app = App(begun["secret"])
        confirmed = self.post(browser, "/session/factors/totp/confirm", 200, code=app.code())
        return app, confirmed.get("recoveryCodes")

    def add_passkey(self, browser, status=200, passkey=None, **changes):
        passkey = passkey or Passkey(self.url)
        options = self.post(browser, "/session/factors/passkeys/options", 200)["publicKey"]
        made = self.post(browser, "/session/factors/passkeys", status, name="laptop", credential=passkey.create(options, **changes))
        return passkey, made

    def enrolled(self, **spec):
        """A user with an app: the name, the browser of enrolment, the app, the recovery codes."""
        who = name("mfa")
        self.add_user(who, self.root, **spec)
        browser = self.sign_in(who)
        return (who, browser, *self.add_totp(browser))

    def with_code(self, who, app, **more):
        browser, _ = self.begin(who)
        self.post(browser, "/session/factor", 204, type="totp", code=app.code(), **more)
        return browser

    def patch_user(self, who, **spec):
        return self.must(200, "PATCH", f"{USERS}/{who}", self.root, data=json.dumps({"spec": spec}), **MERGE)


class App:
    """An authenticator app: oathtool. Each code is of a step that was not used yet."""

    def __init__(self, secret):
        self.secret, self.used = secret, 0

    def at(self, step):
        return subprocess.run(["oathtool", "--totp", "-b", "-N", f"@{step * 30}", self.secret],
                              check=True, capture_output=True, text=True).stdout.strip()

    def code(self):
        # The platform takes the step before and after, too: there is a new code without waiting, up to that.
        while (step := max(int(time.time()) // 30 - 1, self.used + 1)) > int(time.time()) // 30 + 1:
            time.sleep(0.2)
        self.used = step
        return self.at(step)
