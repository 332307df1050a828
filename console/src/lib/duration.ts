// SPDX-License-Identifier: Apache-2.0
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

export function agoIso(ms: number, now = Date.now()): string {
  return new Date(now - ms).toISOString();
}
