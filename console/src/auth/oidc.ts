// SPDX-License-Identifier: Apache-2.0
// The console as an OpenID Connect client: authorization code with PKCE, no client secret. The access
// token lives in a variable of this module and nowhere else; a reload runs the redirect again, which the
// provider's own session cookie makes instant.
import { fromBase64 } from '../lib/bytes';
import { challengeOf, randomToken } from './pkce';
import { consoleReturn } from './return';

// `npm run dev` stands in for the platform, which knows itself by its own address.
const ORIGIN = import.meta.env.DEV ? (import.meta.env.VITE_DRUN_SERVER as string) : location.origin;
const CLIENT_ID = 'drun-console';
const SCOPE = 'openid profile groups drun';
const PENDING = 'drun.signin'; // sessionStorage: verifier, state and nonce between redirect and callback
const RENEW_BEFORE_MS = 60_000;

export interface Identity {
  subject: string;
  username: string;
  name: string;
  groups: string[];
}

interface Pending {
  verifier: string;
  state: string;
  nonce: string;
  returnTo: string;
}

interface Grant {
  token: string;
  expiresAt: number;
  identity: Identity;
}

export class SignInError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

let grant: Grant | null = null;
let renewal: Promise<void> | null = null;

export function identity(): Identity | null {
  return grant?.identity ?? null;
}

export function forget(): void {
  grant = null;
}

/** The access token, renewed in the background shortly before its end. */
export async function accessToken(): Promise<string> {
  if (grant && Date.now() > grant.expiresAt - RENEW_BEFORE_MS) {
    await renewToken().catch(() => undefined); // the old token may still hold; if not, the answer is 401
  }
  return grant?.token ?? '';
}

/** A new token for a session that has changed. */
export async function renewToken(): Promise<void> {
  renewal ??= renew().finally(() => (renewal = null));
  await renewal;
}

async function authorizeUrl(pending: Pending, prompt?: 'none'): Promise<string> {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT_ID,
    redirect_uri: `${ORIGIN}/callback`,
    scope: SCOPE,
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await challengeOf(pending.verifier),
    code_challenge_method: 'S256',
  });
  if (prompt) query.set('prompt', prompt);
  return `/oauth2/authorize?${query}`;
}

function newPending(returnTo: string): Pending {
  return { verifier: randomToken(), state: randomToken(), nonce: randomToken(), returnTo };
}

let leaving = false;

/** Leaves the page for the authorization endpoint. */
export async function signIn(returnTo: string): Promise<void> {
  if (leaving) return;
  leaving = true;
  const pending = newPending(consoleReturn(returnTo, location.origin));
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  location.replace(await authorizeUrl(pending));
}

/** Ends the redirect; returns the page to go to. */
export async function finishSignIn(search: string): Promise<string> {
  const stored = sessionStorage.getItem(PENDING);
  sessionStorage.removeItem(PENDING);
  if (!stored) throw new SignInError('no_request', 'This browser tab did not ask for that sign-in.');
  const pending = JSON.parse(stored) as Pending;
  grant = await redeem(new URLSearchParams(search), pending);
  return pending.returnTo;
}

/** The same flow by fetch: it follows the redirects of one origin, and the last address has the code. */
async function renew(): Promise<void> {
  const pending = newPending('/');
  const answer = await fetch(await authorizeUrl(pending, 'none'), { credentials: 'same-origin' });
  const url = new URL(answer.url);
  if (url.pathname !== '/callback') throw new SignInError('login_required', 'The session has ended.');
  grant = await redeem(url.searchParams, pending);
}

async function redeem(answer: URLSearchParams, pending: Pending): Promise<Grant> {
  const error = answer.get('error');
  if (answer.get('state') !== pending.state) throw new SignInError('state', 'The answer belongs to another sign-in.');
  if (error) throw new SignInError(error, answer.get('error_description') ?? error);
  const issuer = answer.get('iss'); // RFC 9207
  if (issuer !== null && issuer !== ORIGIN) throw new SignInError('iss', `The answer came from ${issuer}.`);

  const response = await fetch('/oauth2/token', {
    method: 'POST',
    credentials: 'omit',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: answer.get('code') ?? '',
      redirect_uri: `${ORIGIN}/callback`,
      client_id: CLIENT_ID,
      code_verifier: pending.verifier,
    }),
  });
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (!response.ok || typeof body.access_token !== 'string') {
    throw new SignInError(String(body.error ?? response.status), String(body.error_description ?? response.statusText));
  }
  const lifetimeSec = typeof body.expires_in === 'number' ? body.expires_in : 300;
  return {
    token: body.access_token,
    expiresAt: Date.now() + lifetimeSec * 1000,
    identity: readIdToken(String(body.id_token ?? ''), pending.nonce),
  };
}

/** The token came straight from the token endpoint over TLS: its signature need not be checked (OIDC Core §3.1.3.7). */
function readIdToken(token: string, nonce: string): Identity {
  const refuse = (why: string) => new SignInError('id_token', `The ID token is not for this sign-in: ${why}.`);
  let claims: Record<string, unknown>;
  try {
    claims = JSON.parse(new TextDecoder().decode(fromBase64(token.split('.')[1] ?? ''))) as Record<string, unknown>;
  } catch {
    throw refuse('it cannot be read');
  }
  const audience = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  if (claims.iss !== ORIGIN) throw refuse('wrong issuer');
  if (!audience.includes(CLIENT_ID)) throw refuse('wrong audience');
  if (claims.nonce !== nonce) throw refuse('wrong nonce');
  if (typeof claims.exp !== 'number' || claims.exp * 1000 < Date.now() - 60_000) throw refuse('it has expired');
  const subject = String(claims.sub);
  const username = typeof claims.preferred_username === 'string' ? claims.preferred_username : subject;
  return {
    subject,
    username,
    name: typeof claims.name === 'string' ? claims.name : username,
    groups: Array.isArray(claims.groups) ? claims.groups.map(String) : [],
  };
}
