// SPDX-License-Identifier: Apache-2.0
// docs/PROTOCOL.session: signing in step by step, second factors, sessions and devices. All of it goes by the
// provider's cookie, apart from the console's token.
import { json, request } from '../api/http';

export type Factor = 'totp' | 'webauthn' | 'sms' | 'recovery' | 'password';
export type Method = 'totp' | 'webauthn' | 'sms';

/** What a sign-in still wants; codes that are shown once may come with any step. */
export type Step = { recoveryCodes?: string[] } & (
  | { status: 'signed_in' }
  | { status: 'factor_required'; username: string; factors: Factor[]; expiresAt: string }
  | { status: 'enrolment_required'; username: string; methods: Method[]; expiresAt: string }
  | { status: 'password_change_required'; username: string; expiresAt: string }
);
export type FactorStep = Extract<Step, { status: 'factor_required' }>;

export interface Passkey {
  id: string;
  name: string;
  createdAt?: string;
  lastUsedAt?: string;
  synced?: boolean;
}

export interface Factors {
  totp: { since?: string } | null;
  passkeys: Passkey[];
  sms: { number: string; since?: string } | null;
  recovery: { left: number; since?: string } | null;
  policy: { required: boolean; acr: string; methods: Factor[] };
}

export interface SessionInfo {
  username: string;
  displayName: string;
  email: string;
  signedInAt: string;
  expiresAt: string;
  acr: string;
  amr: string;
  factors: Factor[];
  enrolBy?: string;
}

export interface SessionItem {
  id: string;
  createdAt: string;
  lastSeenAt?: string;
  address?: string;
  userAgent?: string;
  current?: boolean;
  acr?: string;
}

export interface Device {
  id: string;
  address?: string;
  userAgent?: string;
  current?: boolean;
  firstSeenAt: string;
  lastSeenAt: string;
  trustedUntil?: string;
}

export interface Consent {
  client: string;
  scope: string;
  givenAt: string;
}

export interface Provider {
  name: string;
  displayName?: string;
  type?: string;
  start: string;
}

type Body = Record<string, unknown>;

function post(path: string, body: Body = {}, signIn = false): Promise<Response> {
  return request(path, { method: 'POST', body, bearer: false, signIn });
}

async function postJson<T>(path: string, body: Body = {}, signIn = false): Promise<T> {
  return (await (await post(path, body, signIn)).json()) as T;
}

async function step(path: string, body: Body): Promise<Step> {
  const answer = await post(path, body, true);
  return answer.status === 204 ? { status: 'signed_in' } : ((await answer.json()) as Step);
}

function look<T>(path: string, signal?: AbortSignal): Promise<T> {
  return json<T>(path, { bearer: false, signal });
}

async function drop(path: string): Promise<void> {
  await request(path, { method: 'DELETE', bearer: false });
}

// ------------------------------------------------------------------ signing in

/** At a directory of elsewhere when its `start` is given. */
export const openSession = (username: string, password: string, at = '/session') => step(at, { username, password });
export const passwordFor = (next: string) => step('/session/sign-in/password', { new: next });
export const stepUp = (acr: string) => step('/session/step-up', { acr });
export const answerFactor = (answer: { type: Factor } & Body) => step('/session/factor', answer);
export const passkeyOptions = async () => (await postJson<{ publicKey: Body }>('/session/passkey/options', {}, true)).publicKey;
export const factorOptions = async () => (await postJson<{ publicKey: Body }>('/session/factor/options', { type: 'webauthn' }, true)).publicKey;
export const sendText = () => postJson<{ number: string; expiresInSeconds: number }>('/session/factor/options', { type: 'sms' }, true);
export const abandonSignIn = () => drop('/session/sign-in').catch(() => undefined);

/** The sign-in that is under way in this browser; null when there is none. */
export const currentStep = () => look<Step>('/session/sign-in').catch(() => null);

const UNDER_WAY = 'drun.step'; // sessionStorage: a sign-in was begun in this tab, its cookie is not for scripts

export const underWay = {
  is: () => sessionStorage.getItem(UNDER_WAY) !== null,
  note: (is: boolean) => (is ? sessionStorage.setItem(UNDER_WAY, '1') : sessionStorage.removeItem(UNDER_WAY)),
};

/** Where else one may sign in, or where names of a domain (`@corp.example`) do; a platform without federation has no such list. */
export async function listProviders(signal?: AbortSignal, domain?: string): Promise<Provider[]> {
  const query = domain ? `?${new URLSearchParams({ username: domain })}` : '';
  const answer = await look<{ providers?: Provider[] }>(`/session/providers${query}`, signal).catch(() => ({ providers: [] }));
  return answer.providers ?? [];
}

export interface Setup {
  token: string;
  username: string;
  displayName: string;
  password: string;
}
export const setup = (body: Setup) => step('/session/setup', { ...body });

// ------------------------------------------------------------------ second factors

/** The answer to a factor that was added: the first one comes with recovery codes; in a sign-in also with its next step. */
export type Added = { recoveryCodes?: string[] } & Partial<Step>;

export const listFactors = (signal?: AbortSignal) => look<Factors>('/session/factors', signal);
export const beginTotp = () => postJson<{ secret: string; uri: string; digits: number; period: number }>('/session/factors/totp');
export const confirmTotp = (code: string) => postJson<Added>('/session/factors/totp/confirm', { code });
export const beginSms = (number: string) => postJson<{ number: string; expiresInSeconds: number }>('/session/factors/sms', { number });
export const confirmSms = (code: string) => postJson<Added>('/session/factors/sms/confirm', { code });
export const newPasskeyOptions = async () => (await postJson<{ publicKey: Body }>('/session/factors/passkeys/options')).publicKey;
export const addPasskey = (name: string, credential: unknown) => postJson<Added>('/session/factors/passkeys', { name, credential });
export const renamePasskey = async (id: string, name: string) => void (await post(`/session/factors/passkeys/${encodeURIComponent(id)}`, { name }));
export const removeFactor = (which: 'totp' | 'sms') => drop(`/session/factors/${which}`);
export const removePasskey = (id: string) => drop(`/session/factors/passkeys/${encodeURIComponent(id)}`);
export const newRecoveryCodes = async () => (await postJson<{ recoveryCodes: string[] }>('/session/factors/recovery')).recoveryCodes;

// ------------------------------------------------------------------ the account

export const showSession = (signal?: AbortSignal) => look<SessionInfo>('/session', signal);
export const changePassword = async (current: string, next: string) => void (await post('/session/password', { current, new: next }));
export const listSessions = async (signal?: AbortSignal) => (await look<{ items: SessionItem[] }>('/session/list', signal)).items;
export const revokeSession = (id: string) => drop(`/session/${encodeURIComponent(id)}`);
export const listDevices = async (signal?: AbortSignal) => (await look<{ items: Device[] }>('/session/devices', signal)).items;
export const revokeDevice = (id: string) => drop(`/session/devices/${encodeURIComponent(id)}`);
export const listConsents = async (signal?: AbortSignal) => (await look<{ items: Consent[] }>('/session/consents', signal)).items;
export const revokeConsent = (client: string) => drop(`/session/consents/${encodeURIComponent(client)}`);

// ------------------------------------------------------------------ linked accounts

/** An account of elsewhere with which one signs in here. */
export interface Link {
  id: string;
  provider: string;
  displayName: string;
  type: string;
  account: string;
  linkedAt: string;
  lastUsedAt?: string;
}

export const listLinks = (signal?: AbortSignal) => look<{ links: Link[]; providers: Provider[] }>('/session/links', signal);
/** Where the browser is to go; it comes back to `back`. */
export const beginLink = async (provider: string, back: string) => (await postJson<{ location: string }>('/session/links', { provider, return: back })).location;
export const linkDirectory = async (provider: string, username: string, password: string) => void (await post('/session/links', { provider, username, password }));
export const unlink = (id: string) => drop(`/session/links/${encodeURIComponent(id)}`);
