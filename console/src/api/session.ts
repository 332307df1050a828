// SPDX-License-Identifier: Apache-2.0
// The identity provider's own session: a cookie, apart from the console's token.
import { json, request } from './http';

export interface SessionItem {
  id: string;
  createdAt: string;
  lastSeenAt?: string;
  address?: string;
  userAgent?: string;
  current?: boolean;
}

export interface Setup {
  token: string;
  username: string;
  displayName: string;
  password: string;
}

export async function openSession(username: string, password: string): Promise<void> {
  await request('/session', { method: 'POST', body: { username, password }, bearer: false });
}

export async function closeSession(): Promise<void> {
  await request('/session', { method: 'DELETE', bearer: false });
}

export async function setup(body: Setup): Promise<void> {
  await request('/session/setup', { method: 'POST', body, bearer: false });
}

export async function listSessions(signal?: AbortSignal): Promise<SessionItem[]> {
  return (await json<{ items: SessionItem[] }>('/session/list', { bearer: false, signal })).items;
}

export async function revokeSession(id: string): Promise<void> {
  await request(`/session/${encodeURIComponent(id)}`, { method: 'DELETE', bearer: false });
}
