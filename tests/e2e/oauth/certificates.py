# SPDX-License-Identifier: Apache-2.0
"""An authority and the certificates that it gives out."""
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from identity import name


class Certificates:
    """An authority and certificates of clients, as files."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.ca = self.make("ca", self.key, None, [])
        self.ca_pem = self.ca.public_bytes(serialization.Encoding.PEM).decode()

    def make(self, common_name, key, issuer, names, usage=ExtendedKeyUsageOID.CLIENT_AUTH):
        import datetime
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(hours=1))
                   .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False))
        if issuer is None:
            builder = builder.add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
        else:
            builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key if issuer is not None else key, hashes.SHA256())

    def client(self, common_name, names=(), self_signed=False, **more):
        """The certificate and the two files for requests."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.make(common_name, key, None if self_signed else self.ca, list(names), **more)
        base = self.folder / name("cert")
        base.with_suffix(".pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        base.with_suffix(".key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate, (str(base.with_suffix(".pem")), str(base.with_suffix(".key")))
