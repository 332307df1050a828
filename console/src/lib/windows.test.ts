// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { windowStart } from './windows';

describe('the window of a budget begins with', () => {
  const now = Date.parse('2026-03-31T23:59:59.999Z');
  it.each([
    ['minute', '2026-03-31T23:59:00.000Z'],
    ['hour', '2026-03-31T23:00:00.000Z'],
    ['day', '2026-03-31T00:00:00.000Z'],
    ['month', '2026-03-01T00:00:00.000Z'],
  ] as const)('the %s', (window, start) => {
    expect(new Date(windowStart(window, now)).toISOString()).toBe(start);
  });
});
