// SPDX-License-Identifier: Apache-2.0
// The windows of budgets: those of the calendar, in UTC.
export type Window = 'minute' | 'hour' | 'day' | 'month';

export const WINDOWS: Window[] = ['minute', 'hour', 'day', 'month'];

export function windowStart(window: Window, now: number): number {
  const at = new Date(now);
  const parts = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes()] as const;
  const [year, month, day, hour, minute] = parts;
  if (window === 'month') return Date.UTC(year, month);
  if (window === 'day') return Date.UTC(year, month, day);
  return window === 'hour' ? Date.UTC(year, month, day, hour) : Date.UTC(year, month, day, hour, minute);
}
