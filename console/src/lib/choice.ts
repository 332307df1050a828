// SPDX-License-Identifier: Apache-2.0
// What a person chose for this browser. Kept in localStorage, which public/boot.js reads, and as a cookie for the few
// pages that the platform's identity provider draws itself; none of it is worth protecting.

const YEAR_SEC = 365 * 24 * 60 * 60;

export function remember(name: 'language' | 'theme', value: string | null): void {
  document.cookie = `drun-${name}=${value ?? ''}; Path=/; Max-Age=${value === null ? 0 : YEAR_SEC}; Secure; SameSite=Lax`;
  try {
    if (value === null) localStorage.removeItem(`drun.${name}`);
    else localStorage.setItem(`drun.${name}`, value);
  } catch {
    // storage is switched off: the choice lasts as long as the page
  }
}
