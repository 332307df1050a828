// SPDX-License-Identifier: Apache-2.0
// One way to call the server. Its errors, whether a Kubernetes Status, an RFC 9457 problem, an OAuth or an
// OpenAI error, become one ApiError with what a person needs to know.
import { accessToken } from '../auth/oidc';

export interface Cause {
  field: string;
  message: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: no answer at all
    readonly reason: string,
    message: string,
    readonly causes: Cause[] = [],
    readonly retryAfterSec?: number,
  ) {
    super(message);
  }
}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function causesOf(details: unknown): Cause[] {
  if (!isObject(details) || !Array.isArray(details.causes)) return [];
  return details.causes.filter(isObject).map((cause) => ({ field: text(cause.field) ?? '', message: text(cause.message) ?? '' }));
}

export async function errorOf(response: Response): Promise<ApiError> {
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => null);
  const json = isObject(body) ? body : {};
  const inner = isObject(json.error) ? json.error : {};
  const message =
    text(json.message) ?? text(json.detail) ?? text(json.title) ?? text(inner.message) ?? text(json.error_description) ?? text(json.error) ?? `${response.status} ${response.statusText}`.trim();
  const reason = text(json.reason) ?? text(json.type) ?? text(inner.code) ?? text(inner.type) ?? '';
  const wait = Number(response.headers.get('Retry-After') ?? (isObject(json.details) ? json.details.retryAfterSeconds : undefined));
  return new ApiError(response.status, reason, message, causesOf(json.details), Number.isFinite(wait) && wait > 0 ? wait : undefined);
}

let onUnauthorized: () => void = () => undefined;

/** What to do when a call with a token is answered 401: sign in again. */
export function setUnauthorizedHandler(handler: () => void): void {
  onUnauthorized = handler;
}

let prove: (acr: string) => Promise<boolean> = () => Promise.resolve(false);

/** How a person shows again who he is (RFC 9470); true when he did. */
export function setStepUpHandler(handler: (acr: string) => Promise<boolean>): void {
  prove = handler;
}

/** The sign-in and its session are good, but this needs a fresh or better one: the acr that would do, or null. */
function wantedAcr(response: Response): string | null {
  const challenge = response.headers.get('WWW-Authenticate') ?? '';
  if (response.status !== 401 || !challenge.includes('insufficient_user_authentication')) return null;
  return /acr_values="?([^",]*)/.exec(challenge)?.[1] ?? '';
}

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal;
  /** false for /session, which goes by the provider's cookie */
  bearer?: boolean;
  /** part of a sign-in: what it answers is not to be met by another one */
  signIn?: boolean;
}

async function send(path: string, call: Call): Promise<Response> {
  const bearer = call.bearer ?? true;
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (bearer) headers.Authorization = `Bearer ${await accessToken()}`;
  if (call.body !== undefined) headers['Content-Type'] = call.contentType ?? 'application/json';
  try {
    return await fetch(path, {
      method: call.method ?? 'GET',
      headers,
      credentials: bearer ? 'omit' : 'same-origin',
      body: call.body === undefined ? undefined : JSON.stringify(call.body),
      signal: call.signal,
    });
  } catch (cause) {
    if (call.signal?.aborted) throw cause;
    throw new ApiError(0, 'Unreachable', cause instanceof Error ? cause.message : String(cause));
  }
}

export async function request(path: string, call: Call = {}): Promise<Response> {
  let response = await send(path, call);
  const acr = call.signIn ? null : wantedAcr(response);
  if (acr !== null && (await prove(acr))) response = await send(path, call);
  if (response.ok) return response;
  if (response.status === 401 && (call.bearer ?? true) && wantedAcr(response) === null) onUnauthorized();
  throw await errorOf(response);
}

export async function json<T>(path: string, call: Call = {}): Promise<T> {
  return (await (await request(path, call)).json()) as T;
}
