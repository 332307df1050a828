// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { BudgetRule } from '../../api/types';
import { isCounted, others, rowOf, ruleOf } from './rules';

describe('a budget of a newer server', () => {
  const rule = { name: 'money', measure: 'carbon', limit: 5_000_000, window: 'day', per: 'user', queue: { seconds: 10 }, tier: 'gold' } as unknown as BudgetRule;
  it('goes through the editor unchanged', () => {
    expect(ruleOf(rowOf(rule))).toEqual(rule);
    expect(ruleOf({ ...rowOf(rule), limit: '6 000 000' })).toEqual({ ...rule, limit: 6_000_000 });
  });
  it('shows what is not known here', () => {
    expect(others(rule)).toEqual(['queue: {"seconds":10}', 'tier: gold']);
  });
  it('has no use that the audit log could tell', () => {
    expect(isCounted(rule)).toBe(false);
    expect(isCounted({ name: 'a', measure: 'tokens', limit: 1, window: 'hour' })).toBe(true);
  });
});
