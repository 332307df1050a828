// SPDX-License-Identifier: Apache-2.0
// WebAuthn Level 3 in JSON, by hand: browsers that have passkeys do not all have the conversions (§5.1.8 to 5.1.10).
import { base64url, fromBase64 } from '../lib/bytes';

type Json = Record<string, unknown>;

export const hasPasskeys = () => typeof PublicKeyCredential === 'function';

/** Whether passkeys can be offered in the list of a text field. */
export async function canSuggest(): Promise<boolean> {
  return hasPasskeys() && (await PublicKeyCredential.isConditionalMediationAvailable?.().catch(() => false)) === true;
}

const bytes = (value: unknown) => fromBase64(String(value));
const ids = (list: unknown) => (Array.isArray(list) ? list.map((one: Json) => ({ ...one, id: bytes(one.id) })) : undefined);
const text = (buffer: ArrayBuffer | null) => (buffer === null ? undefined : base64url(new Uint8Array(buffer)));

function common(credential: PublicKeyCredential): Json {
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

export async function createPasskey(options: Json): Promise<Json> {
  const user = options.user as Json;
  const publicKey = { ...options, challenge: bytes(options.challenge), user: { ...user, id: bytes(user.id) }, excludeCredentials: ids(options.excludeCredentials) };
  const made = (await navigator.credentials.create({ publicKey: publicKey as unknown as PublicKeyCredentialCreationOptions })) as PublicKeyCredential;
  const response = made.response as AuthenticatorAttestationResponse;
  return {
    ...common(made),
    response: { clientDataJSON: text(response.clientDataJSON), attestationObject: text(response.attestationObject), transports: response.getTransports?.() ?? [] },
  };
}

export async function askPasskey(options: Json, suggest?: AbortSignal): Promise<Json> {
  const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: ids(options.allowCredentials) };
  const found = (await navigator.credentials.get({
    publicKey: publicKey as unknown as PublicKeyCredentialRequestOptions,
    ...(suggest && { mediation: 'conditional', signal: suggest }),
  })) as PublicKeyCredential;
  const response = found.response as AuthenticatorAssertionResponse;
  return {
    ...common(found),
    response: {
      clientDataJSON: text(response.clientDataJSON),
      authenticatorData: text(response.authenticatorData),
      signature: text(response.signature),
      userHandle: text(response.userHandle),
    },
  };
}

/** The person closed the browser's own window, or it timed out: nothing that has to be explained as a fault. */
export function wasCancelled(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'NotAllowedError' || error.name === 'AbortError');
}

/** This device holds a passkey of the account already. */
export function isThereAlready(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'InvalidStateError';
}
