// SPDX-License-Identifier: Apache-2.0
// What has been used of a budget, counted from the audit log: the gateway's own counters are not read by the console.
import { useQuery } from '@tanstack/react-query';
import { type AuditEvent, collectAudit, MODEL_CALL } from '../../api/audit';
import type { BudgetRule, LimitPolicy } from '../../api/types';
import { callFacts } from '../../api/usage';
import { WINDOWS, windowStart } from '../../lib/windows';

const MAX_CALLS = 5000;

export interface Use {
  used: number;
  /** whose it is, when each has an own budget: the one who has used most */
  who?: string;
  /** not every call could be counted */
  atLeast: boolean;
}

function ownerOf(event: AuditEvent, per: BudgetRule['per']): string {
  if (per === 'user') return event.actor ?? '';
  return per === 'key' ? (event.record['drun.actor.key_id'] ?? event.actor ?? '') : '';
}

export function usedOf(rule: BudgetRule, policy: LimitPolicy, { events, more }: { events: AuditEvent[]; more: boolean }, now: number): Use {
  const since = windowStart(rule.window, now);
  const model = policy.spec.modelService && `${policy.metadata.namespace}/${policy.spec.modelService}`;
  const sums = new Map<string, number>();
  for (const event of events) {
    const facts = callFacts(event);
    if (Date.parse(event.time) < since || event.outcome === 'denied' || (model && facts.model !== model)) continue;
    const who = ownerOf(event, rule.per);
    sums.set(who, (sums.get(who) ?? 0) + { requests: 1, tokens: facts.inputTokens + facts.outputTokens, cost: facts.costMicros }[rule.measure]);
  }
  const [who, used] = [...sums].sort((a, b) => b[1] - a[1])[0] ?? ['', 0];
  const oldest = events[events.length - 1];
  return { used, who: who || undefined, atLeast: more && oldest !== undefined && Date.parse(oldest.time) > since };
}

/** The calls of a namespace since the longest of the windows began. */
export function useCalls(namespace: string, policies: LimitPolicy[]) {
  const windows = policies.flatMap((policy) => policy.spec.rules.map((rule) => WINDOWS.indexOf(rule.window)));
  const longest = WINDOWS[Math.max(0, ...windows)] ?? 'hour';
  return useQuery({
    queryKey: ['calls', 'budgets', namespace, longest],
    queryFn: ({ signal }) => collectAudit({ event: MODEL_CALL, namespace, since: new Date(windowStart(longest, Date.now())).toISOString() }, MAX_CALLS, signal),
    refetchInterval: 30_000,
    retry: false,
  });
}
