# SPDX-License-Identifier: Apache-2.0
"""An OpenID Connect provider of somebody else (node-oidc-provider) and an LDAP directory (slapd), each for one test module."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import requests

from platform_process import ROOT, free_port


def certificate(folder, name="localhost"):
    """Self-signed, so that it is its own authority."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", key,
                    "-out", cert, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"], check=True, capture_output=True)
    return cert, key


def wait_for_port(port, process, timeout=60):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        assert process.poll() is None, "it ended at its start"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("it does not listen")


class Upstream:
    def __init__(self, folder, redirects):
        self.cert, key = certificate(folder)
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.process = subprocess.Popen(["node", ROOT / "tests/e2e/js/upstream.mjs", str(self.port), key, self.cert, json.dumps(redirects)],
                                        cwd=ROOT / "tests/e2e/js", stdout=subprocess.DEVNULL)
        wait_for_port(self.port, self.process)

    def tell(self, what, **state):
        answer = requests.post(f"{self.url}/test/{what}", json=state, verify=self.cert, timeout=30)
        assert answer.status_code == 200
        return answer.text

    def set(self, **state):
        self.tell("set", **state)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
argsfile {folder}/args
TLSCertificateFile {cert}
TLSCertificateKeyFile {key}
database mdb
suffix "dc=corp,dc=example"
rootdn "cn=admin,dc=corp,dc=example"
rootpw admin-secret
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=search,dc=corp,dc=example" read by anonymous auth by * none
"""

PEOPLE = """
dn: dc=corp,dc=example
objectClass: domain
dc: corp

dn: cn=search,dc=corp,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: search
userPassword: suche geheim

dn: ou=people,dc=corp,dc=example
objectClass: organizationalUnit
ou: people

dn: uid=dora,ou=people,dc=corp,dc=example
objectClass: inetOrgPerson
uid: dora
cn: Dora D.
sn: D
mail: dora@corp.example
userPassword: doras password

dn: uid=egon,ou=people,dc=corp,dc=example
objectClass: inetOrgPerson
uid: egon
cn: Egon (the second)
sn: E
userPassword: egons password

dn: ou=groups,dc=corp,dc=example
objectClass: organizationalUnit
ou: groups

dn: cn=eng-core,ou=groups,dc=corp,dc=example
objectClass: groupOfNames
cn: eng-core
member: uid=dora,ou=people,dc=corp,dc=example

dn: cn=all,ou=groups,dc=corp,dc=example
objectClass: groupOfNames
cn: all
member: uid=dora,ou=people,dc=corp,dc=example
member: uid=egon,ou=people,dc=corp,dc=example
"""


class Directory:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.cert, key = certificate(self.folder)
        (self.folder / "data").mkdir()
        config = self.folder / "slapd.conf"
        config.write_text(CONFIG.format(folder=self.folder, cert=self.cert, key=key))
        slapadd = shutil.which("slapadd") or "/usr/sbin/slapadd"
        subprocess.run([slapadd, "-f", config], input=PEOPLE, text=True, check=True, capture_output=True)
        self.port = free_port()
        self.url = f"ldaps://127.0.0.1:{self.port}"  # libldap takes the name localhost for the host's own
        slapd = shutil.which("slapd") or "/usr/sbin/slapd"
        self.process = subprocess.Popen([slapd, "-f", config, "-h", f"{self.url}/", "-d", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process)

    def modify(self, ldif):
        environment = {**os.environ, "LDAPTLS_CACERT": str(self.cert)}
        subprocess.run(["ldapmodify", "-H", self.url, "-D", "cn=admin,dc=corp,dc=example", "-w", "admin-secret"], input=ldif, text=True, check=True,
                       capture_output=True, env=environment)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
