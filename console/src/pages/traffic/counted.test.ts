// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { type Outcome, readEvent } from '../../api/audit';
import { overTime, percentile, sums } from './counted';

const NOW = 1_000_000_000;
const call = (agoMs: number, model: string, ms: number, outcome: Outcome = 'success') =>
  readEvent({
    metadata: { name: '1' },
    event: { 'event.name': 'drun.model.call', 'drun.outcome': outcome, time_unix_nano: String(BigInt(NOW - agoMs) * 1_000_000n), 'gen_ai.request.model': model, 'gen_ai.usage.output_tokens': 10, 'drun.duration_ns': ms * 1e6, 'drun.action.namespace': model.split('/')[0] },
  });

describe('traffic', () => {
  it('has percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
    expect([0.5, 0.95, 0.99].map((share) => percentile(hundred, share))).toEqual([50, 95, 99]);
    expect(percentile([7], 0.99)).toBe(7);
    expect(percentile([], 0.5)).toBeNull();
  });
  it('is put into slots that end now, and nothing outside is counted', () => {
    const slots = overTime([call(0, 'a/x', 5), call(999, 'a/x', 15), call(1500, 'a/x', 9, 'denied'), call(5000, 'a/x', 9)], 4000, 4, NOW);
    expect(slots.map((slot) => slot.answered)).toEqual([0, 0, 0, 2]);
    expect(slots.map((slot) => slot.refused)).toEqual([0, 0, 1, 0]);
    expect(slots[3]).toMatchObject({ p50: 5, p99: 15, outputTokens: 20 });
    expect(slots[2]?.p50).toBeNull(); // how long a refusal took says nothing of the model
  });
  it('is summed by model and by namespace', () => {
    const events = [call(1, 'a/x', 1), call(2, 'a/y', 2), call(3, 'a/y', 4, 'failure')];
    expect(sums(events, 'model').map(({ name, calls, failed }) => [name, calls, failed])).toEqual([['a/y', 2, 1], ['a/x', 1, 0]]);
    expect(sums(events, 'namespace').map(({ name, calls }) => [name, calls])).toEqual([['a', 3]]);
  });
});
