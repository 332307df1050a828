// SPDX-License-Identifier: Apache-2.0
// Model calls of a span as the charts and the table show them.
import type { AuditEvent } from '../../api/audit';
import { callFacts } from '../../api/usage';

export interface Slot {
  start: number;
  answered: number;
  refused: number;
  failed: number;
  inputTokens: number;
  outputTokens: number;
  p50: number | null; // milliseconds; null: nothing was answered
  p95: number | null;
  p99: number | null;
}
export interface Sum extends Omit<Slot, 'start'> {
  name: string;
  calls: number;
}

/** The value that a share of the others does not exceed (nearest rank); `sorted` ascends. */
export function percentile(sorted: number[], share: number): number | null {
  return sorted.length === 0 ? null : (sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null);
}

function count(events: AuditEvent[]): Omit<Slot, 'start'> {
  const out = { answered: 0, refused: 0, failed: 0, inputTokens: 0, outputTokens: 0 };
  const times: number[] = [];
  for (const event of events) {
    const facts = callFacts(event);
    if (event.outcome === 'denied') out.refused += 1;
    else if (event.outcome === 'failure') out.failed += 1;
    else {
      out.answered += 1;
      if (facts.durationMs > 0) times.push(facts.durationMs);
    }
    out.inputTokens += facts.inputTokens;
    out.outputTokens += facts.outputTokens;
  }
  times.sort((a, b) => a - b);
  return { ...out, p50: percentile(times, 0.5), p95: percentile(times, 0.95), p99: percentile(times, 0.99) };
}

/** `slots` slots of equal width that end now. */
export function overTime(events: AuditEvent[], spanMs: number, slots: number, now: number): Slot[] {
  const width = spanMs / slots;
  const parts: AuditEvent[][] = Array.from({ length: slots }, () => []);
  for (const event of events) parts[Math.min(slots - 1, Math.floor((Date.parse(event.time) - (now - spanMs)) / width))]?.push(event);
  return parts.map((part, i) => ({ start: now - spanMs + i * width, ...count(part) }));
}

export type By = 'model' | 'namespace' | 'actor';

const NAME: Record<By, (event: AuditEvent) => string> = {
  model: (event) => callFacts(event).model,
  namespace: (event) => event.namespace ?? callFacts(event).model.split('/')[0] ?? '',
  actor: (event) => event.actor ?? '',
};

/** A row for each model service, namespace or caller; who calls most comes first. */
export function sums(events: AuditEvent[], by: By): Sum[] {
  const groups = new Map<string, AuditEvent[]>();
  for (const event of events) {
    const name = NAME[by](event);
    const group = groups.get(name);
    if (group) group.push(event);
    else groups.set(name, [event]);
  }
  return [...groups].map(([name, group]) => ({ name, calls: group.length, ...count(group) })).sort((a, b) => b.calls - a.calls);
}
