// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { readEvent } from '../api/audit';
import { bucketise, ofCallers, totals } from '../api/usage';
import { passwordStrength } from './password';
import { whoCan } from './rbac';
import { isCidr, isName, lines } from './validate';

describe('form hints', () => {
  it.each(['10.0.0.0/8', '203.0.113.7/32', '0.0.0.0/0', '2001:db8::/32', '::/0', '::1/128'])('take %s as a range', (text) => expect(isCidr(text)).toBe(true));
  it.each(['10.0.0.0', '10.0.0/8', '256.0.0.0/8', '10.0.0.0/33', '010.0.0.0/8', '2001:db8::1::/64', '2001:db8/32', 'x/8', '10.0.0.0/8/8', '::/129'])('do not take %s', (text) => expect(isCidr(text)).toBe(false));
  it('know a Kubernetes name', () => {
    expect(['a', 'ci-pipeline', 'a1', 'x'.repeat(63)].every(isName)).toBe(true);
    expect(['', '-a', 'a-', 'A', 'a_b', 'a.b', 'x'.repeat(64)].some(isName)).toBe(false);
  });
  it('split lists at commas and blanks', () => expect(lines(' a, b\nc ')).toEqual(['a', 'b', 'c']));
});

describe('password strength', () => {
  it('grows with length, not with tricks', () => {
    expect(passwordStrength('')).toBe(0);
    expect(passwordStrength('aaaaaaaaaaaaaaaaaaaa')).toBe(1);
    expect(passwordStrength('12345678901234567890')).toBeLessThanOrEqual(2);
    expect(passwordStrength('Password123456!')).toBeLessThanOrEqual(2);
    expect(passwordStrength('correct horse battery staple')).toBe(4);
  });
  it('does not count what the form already says', () => {
    expect(passwordStrength('margaret-hamilton', ['margaret', 'hamilton'])).toBeLessThan(passwordStrength('margaret-hamilton'));
  });
});

describe('who can', () => {
  const role = (name: string, verbs: string[], resources: string[], more = {}) => ({ metadata: { name, ...more }, rules: [{ verbs, apiGroups: ['drun.io'], resources }] });
  const binding = (name: string, who: string, roleName: string, namespace?: string, kind = 'ClusterRole') => ({ metadata: { name, namespace }, subjects: [{ kind: 'User' as const, name: who }], roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: roleName } });
  const roles = [role('admin', ['*'], ['*']), role('caller', ['invoke'], ['models']), role('caller', ['delete'], ['models'], { namespace: 'a' })];
  const bindings = [binding('1', 'root', 'admin'), binding('2', 'ann', 'caller', 'a'), binding('3', 'bob', 'caller', 'b'), binding('4', 'eve', 'caller', 'a', 'Role')];
  const names = (verb: string, namespace: string) => whoCan({ verb, resource: 'models', group: 'drun.io', namespace }, roles, bindings).map((g) => g.subject.name);
  it('follows bindings to roles, in the namespace they are in', () => {
    expect(names('invoke', 'a')).toEqual(['root', 'ann']);
    expect(names('invoke', '')).toEqual(['root']);
    expect(names('delete', 'a')).toEqual(['root', 'eve']);
  });
  it('knows a rule that is for some objects only', () => {
    const some = [{ metadata: { name: 'one' }, rules: [{ verbs: ['invoke'], apiGroups: ['drun.io'], resources: ['models'], resourceNames: ['m'] }] }];
    expect(whoCan({ verb: 'invoke', resource: 'models', group: 'drun.io', namespace: 'a' }, some, [binding('x', 'ann', 'one', 'a')])[0]?.names).toEqual(['m']);
  });
});

describe('usage', () => {
  const call = (time: string, outcome: 'success' | 'denied', output: number, ms: number) =>
    readEvent({
      metadata: { name: '0' },
      event: {
        'event.name': 'drun.model.call',
        'drun.outcome': outcome,
        time_unix_nano: `${Date.parse(time)}000000`,
        'drun.duration_ns': ms * 1e6,
        'gen_ai.request.model': 'a/m',
        'gen_ai.usage.input_tokens': 10,
        'gen_ai.usage.output_tokens': output,
      },
    });
  const events = [call('2026-01-01T00:00:10Z', 'success', 5, 100), call('2026-01-01T00:01:10Z', 'denied', 0, 1), call('2026-01-01T00:01:50Z', 'success', 7, 300), call('2025-12-31T00:00:00Z', 'success', 9, 200)];
  it('falls into the bucket of its time', () => {
    const buckets = bucketise(events, 60_000, 3, Date.parse('2026-01-01T00:01:59Z'));
    expect(buckets.map((b) => [b.calls, b.denied, b.outputTokens])).toEqual([[0, 0, 0], [1, 0, 5], [2, 1, 7]]);
  });
  it('leaves out the proofs of the platform, and counts apart who has no valid key', () => {
    const by = (name: string | undefined, status: number) => {
      const event = call('2026-01-01T00:00:10Z', 'denied', 0, 1);
      return { ...event, actor: name, record: { ...event.record, 'http.response.status_code': status } };
    };
    const mine = by('system:serviceaccount:demo:app', 404);
    const all = [mine, by('system:drun:posture', 200), by('system:serviceaccount:drun-posture:stranger', 404), by(undefined, 401), by('system:anonymous', 401)];
    expect(ofCallers(all)).toEqual({ calls: [mine], withoutKey: 2 });
  });
  it('adds up, with the median of what was answered', () => {
    expect(totals(events)).toMatchObject({ calls: 4, denied: 1, inputTokens: 40, outputTokens: 21, medianMs: 200 });
  });
});
