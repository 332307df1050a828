// SPDX-License-Identifier: Apache-2.0
// Budgets of a policy as the editor holds them. What a newer server says that is not known here is shown and kept.
import type { BudgetRule } from '../../api/types';
import { WINDOWS } from '../../lib/windows';

export const MEASURES = ['requests', 'tokens', 'cost'] as const;
export const OWNERS = ['namespace', 'user', 'key'] as const;
/** Rates: the limit of any minute, not of one by the clock. */
export const RATES = ['SlidingWindow', 'TokenBucket'] as const;

export type Row = Omit<BudgetRule, 'limit'> & { limit: string; id: number };

let rows = 0; // a row keeps its fields when another one goes

export const rowOf = (rule: BudgetRule): Row => ({ ...rule, limit: String(rule.limit), id: ++rows });

export function ruleOf(row: Row): BudgetRule {
  const rule: Partial<Row> = { ...row };
  delete rule.id;
  return { ...(rule as Omit<Row, 'id'>), limit: Number(row.limit.replace(/[\s,_]/g, '')) };
}

export function isKnown<T extends string>(known: readonly T[], value: string | undefined): value is T {
  return (known as readonly string[]).includes(value ?? '');
}

/** Whether the audit log can tell what was used of it. */
export const isCounted = (rule: BudgetRule) => isKnown(MEASURES, rule.measure) && isKnown(WINDOWS, rule.window) && !rule.algorithm;

/** The window and the algorithm as one choice: "day", "minute/SlidingWindow". */
export const spanOf = (rule: Pick<BudgetRule, 'window' | 'algorithm'>) => (rule.algorithm ? `${rule.window}/${rule.algorithm}` : rule.window);

export const SPANS = WINDOWS.flatMap((window) => (window === 'minute' ? [window, ...RATES.map((algorithm) => spanOf({ window, algorithm }))] : [window]));

export function ofSpan(span: string): Pick<BudgetRule, 'window' | 'algorithm'> {
  const [window, algorithm] = span.split('/');
  return { window: window as BudgetRule['window'], algorithm };
}

const FIELDS = ['name', 'measure', 'limit', 'window', 'per', 'algorithm'];

/** Fields that are not known here, as text. */
export function others(rule: BudgetRule): string[] {
  return Object.entries(rule)
    .filter(([key, value]) => !FIELDS.includes(key) || (key === 'algorithm' && !isKnown(RATES, value as string)))
    .map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`);
}
