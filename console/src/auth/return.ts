// SPDX-License-Identifier: Apache-2.0
// Where a person may be sent after signing in. Both come from the address bar: an attacker's link.

const ASKS = ['/oauth2/authorize', '/oauth2/device'];

/** ?return= of /login: only the endpoints of this very origin that send people there; anything else is refused. */
export function authorizeReturn(value: string | null, origin: string): string | null {
  if (!value || !/^\/oauth2\/(authorize\?|device(\?|$))/.test(value) || /[\\\s\0]/.test(value)) return null;
  const url = new URL(value, origin);
  return url.origin === origin && ASKS.includes(url.pathname) ? url.pathname + url.search : null;
}

/** A page of the console to come back to after the redirect. */
export function consoleReturn(value: string | null | undefined, origin: string): string {
  if (!value || !value.startsWith('/') || value.startsWith('//') || /[\\\s\0]/.test(value)) return '/';
  const url = new URL(value, origin);
  const outside = url.origin !== origin || /^\/(login|setup|callback|oauth2|session|apis?|v1)(\/|$)/.test(url.pathname);
  return outside ? '/' : url.pathname + url.search;
}
