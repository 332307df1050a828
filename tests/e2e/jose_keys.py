# SPDX-License-Identifier: Apache-2.0
"""Keys of Authlib's, as RFC 7518 writes them."""
from authlib.common.encoding import urlsafe_b64decode, urlsafe_b64encode
from authlib.jose import JsonWebKey

from identity import name

WIDTHS = {"P-256": 32, "P-384": 48, "P-521": 66}


def padded(jwk):
    """Authlib leaves out leading zeros of a coordinate, against section 6.2.1.2; such a key is refused."""
    width = WIDTHS.get(jwk.get("crv"))
    if width is None:
        return jwk
    return {**jwk, **{part: urlsafe_b64encode(urlsafe_b64decode(jwk[part].encode()).rjust(width, b"\0")).decode()
                      for part in ("x", "y", "d") if part in jwk}}


def new_key(kind="EC", curve="P-256", **more):
    """The key, and its private and public form."""
    key = JsonWebKey.generate_key(kind, curve, options={"kid": name("key"), **more}, is_private=True)
    return key, padded(key.as_dict(is_private=True)), padded(key.as_dict(is_private=False))
