// SPDX-License-Identifier: Apache-2.0
// The identity provider's own session: a cookie, apart from the console's token. The rest of it is in src/identity.
import { request } from './http';

/** Ends it; the answer is where to end that of the provider that the person came from, if there is one. */
export async function closeSession(): Promise<string | null> {
  const answer = await request('/session', { method: 'DELETE', bearer: false });
  if (answer.status !== 200) return null;
  return ((await answer.json()) as { location?: string }).location ?? null;
}
