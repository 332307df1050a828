# SPDX-License-Identifier: Apache-2.0
"""A passkey in software: python-fido2's structures and cryptography's keys, and what attackers change about them."""
import hashlib
import json
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData


class Passkey:
    def __init__(self, origin, verifies=True, synced=False):
        self.origin, self.verifies, self.synced = origin, verifies, synced
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id, self.count, self.handle = os.urandom(32), 0, None

    def flags(self):
        flags = AuthenticatorData.FLAG.UP
        if self.verifies:
            flags |= AuthenticatorData.FLAG.UV
        if self.synced:
            flags |= AuthenticatorData.FLAG.BE | AuthenticatorData.FLAG.BS
        return flags

    def client_data(self, kind, options, **changes):
        data = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False, **changes}
        return json.dumps(data).encode()

    def create(self, options, **changes):
        """As PublicKeyCredential.toJSON() gives it."""
        self.rp_id, self.handle = options["rp"]["id"], options["user"]["id"]
        client = self.client_data("webauthn.create", options, **changes)
        attested = AttestedCredentialData.create(b"\0" * 16, self.id, ES256.from_cryptography_key(self.key.public_key()))
        data = AuthenticatorData.create(hashlib.sha256(self.rp_id.encode()).digest(),
                                        self.flags() | AuthenticatorData.FLAG.AT, self.count, attested)
        return {"id": websafe_encode(self.id), "rawId": websafe_encode(self.id), "type": "public-key",
                "clientExtensionResults": {"credProps": {"rk": True}},
                "response": {"clientDataJSON": websafe_encode(client), "transports": ["internal"],
                             "attestationObject": websafe_encode(bytes(AttestationObject.create("none", data, {})))}}

    def get(self, options, **changes):
        self.count += 1
        client = self.client_data("webauthn.get", options, **changes)
        data = bytes(AuthenticatorData.create(hashlib.sha256(options["rpId"].encode()).digest(), self.flags(), self.count))
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return {"id": websafe_encode(self.id), "rawId": websafe_encode(self.id), "type": "public-key",
                "clientExtensionResults": {},
                "response": {"clientDataJSON": websafe_encode(client), "authenticatorData": websafe_encode(data),
                             "signature": websafe_encode(signature), "userHandle": self.handle}}


__all__ = ["Passkey", "websafe_decode"]
