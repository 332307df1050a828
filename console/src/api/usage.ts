// SPDX-License-Identifier: Apache-2.0
// Model calls out of the audit log, counted in buckets of time for the charts.
import type { AuditEvent } from './audit';

export interface CallFacts {
  model: string;
  inputTokens: number;
  outputTokens: number;
  costMicros: number;
  durationMs: number;
}

export function callFacts(event: AuditEvent): CallFacts {
  const { record } = event;
  return {
    model: record['gen_ai.request.model'] ?? '',
    inputTokens: record['gen_ai.usage.input_tokens'] ?? 0,
    outputTokens: record['gen_ai.usage.output_tokens'] ?? 0,
    costMicros: record['drun.cost.micros'] ?? 0,
    durationMs: (record['drun.duration_ns'] ?? 0) / 1e6,
  };
}

const PROOFS = /^system:(drun:posture$|serviceaccount:drun-posture:)/;

/**
 * The calls that people and applications made. The platform's proofs call models too, so as to be refused; and whoever
 * has no key that is valid where he is (401, 403) is nobody's application: those are only counted.
 */
export function ofCallers(events: AuditEvent[]): { calls: AuditEvent[]; withoutKey: number } {
  const known = events.filter((event) => event.record['http.response.status_code'] !== 401 && Boolean(event.actor));
  return { calls: known.filter((event) => !PROOFS.test(event.actor ?? '')), withoutKey: events.length - known.length };
}

export interface Bucket {
  start: number;
  calls: number;
  denied: number;
  inputTokens: number;
  outputTokens: number;
}

export interface Totals extends Omit<Bucket, 'start'> {
  medianMs: number;
}

/** count buckets of widthMs that end with the one holding `now`. Events outside are left out. */
export function bucketise(events: AuditEvent[], widthMs: number, count: number, now: number): Bucket[] {
  const end = (Math.floor(now / widthMs) + 1) * widthMs;
  const start = end - count * widthMs;
  const buckets = Array.from({ length: count }, (_, i): Bucket => ({ start: start + i * widthMs, calls: 0, denied: 0, inputTokens: 0, outputTokens: 0 }));
  for (const event of events) {
    const bucket = buckets[Math.floor((Date.parse(event.time) - start) / widthMs)];
    if (!bucket) continue;
    const facts = callFacts(event);
    bucket.calls += 1;
    if (event.outcome === 'denied') bucket.denied += 1;
    bucket.inputTokens += facts.inputTokens;
    bucket.outputTokens += facts.outputTokens;
  }
  return buckets;
}

export function totals(events: AuditEvent[]): Totals {
  const out: Totals = { calls: events.length, denied: 0, inputTokens: 0, outputTokens: 0, medianMs: 0 };
  const times: number[] = [];
  for (const event of events) {
    const facts = callFacts(event);
    if (event.outcome === 'denied') out.denied += 1;
    else if (facts.durationMs > 0) times.push(facts.durationMs);
    out.inputTokens += facts.inputTokens;
    out.outputTokens += facts.outputTokens;
  }
  times.sort((a, b) => a - b);
  out.medianMs = times[Math.floor(times.length / 2)] ?? 0;
  return out;
}
