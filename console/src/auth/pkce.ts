// SPDX-License-Identifier: Apache-2.0
// Proof Key for Code Exchange (RFC 7636), method S256.
import { base64url, utf8 } from '../lib/bytes';

/** 256 bits as 43 characters of the unreserved set (§4.1). Also used for state and nonce. */
export function randomToken(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

export async function challengeOf(verifier: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(verifier))));
}
