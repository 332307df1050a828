// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { ApiKey, Group, User } from '../../api/types';
import { DAY_MS } from '../../lib/duration';
import { type Grant, isStale, reviewOf, rightOf, type Source } from './review';

const NOW = Date.parse('2026-11-01T00:00:00Z');
const ago = (n: number) => new Date(NOW - n * DAY_MS).toISOString();
const grant = (kind: string, name: string, role: string, namespace = 'tenant'): Grant => ({ kind, name, namespace, roleKind: 'ClusterRole', role, bindingKind: 'RoleBinding', binding: `${name}-${role}` });
const user = (name: string, more: Partial<User> = {}) => ({ metadata: { name, creationTimestamp: ago(200) }, spec: {}, status: { state: 'Active', lastLogin: ago(1) }, ...more }) as User;

const source: Source = {
  report: {
    time: ago(0),
    complete: true,
    grants: [grant('Group', 'ml', 'invoke'), grant('Group', 'nobody', 'view'), grant('User', 'gone', 'edit'), grant('User', 'system:serviceaccount:tenant:bot', 'view'), { ...grant('User', 'bob', 'lost'), roleMissing: true }],
    roles: [
      { kind: 'ClusterRole', name: 'invoke', bindings: 1, builtIn: true, rules: [{ verbs: ['invoke'], apiGroups: ['drun.io'], resources: ['models'] }] },
      { kind: 'Role', name: 'forgotten', namespace: 'tenant', bindings: 0, rules: [] },
    ],
  },
  users: [user('bob', { spec: { groups: ['ml'] } }), user('old', { status: { state: 'Active', lastLogin: ago(100) } }), user('off', { spec: { disabled: true }, status: { state: 'Disabled' } })],
  groups: [{ metadata: { name: 'ml' }, spec: { members: ['off'] } } as Group],
  keys: [
    { metadata: { name: 'bots', namespace: 'tenant', creationTimestamp: ago(10) }, spec: { serviceAccountName: 'bot' }, status: { lastUsed: { time: ago(2), address: '192.0.2.1' } } },
    { metadata: { name: 'dead', namespace: 'tenant', creationTimestamp: ago(100) }, spec: { user: 'bob', expiresAt: ago(3) } },
    { metadata: { name: 'idle', namespace: 'tenant', creationTimestamp: ago(95) }, spec: { user: 'bob', expiresAt: ago(-30) } },
  ] as ApiKey[],
  accounts: null,
};

describe('a review', () => {
  const review = reviewOf(source, 90 * DAY_MS, NOW);
  it('lists members of a group one by one, with the way', () => {
    expect(review.access.filter(({ via }) => via === 'ml').map(({ name, state, rights }) => [name, state, rights])).toEqual([
      ['bob', 'Active', ['invoke drun.io/models']],
      ['off', 'Disabled', ['invoke drun.io/models']],
    ]);
    expect(review.access.find(({ name }) => name === 'nobody')).toMatchObject({ kind: 'Group', state: '' });
    expect(review.access.find(({ kind }) => kind === 'ServiceAccount')).toMatchObject({ name: 'tenant:bot', state: '', lastKeyUse: ago(2) });
  });
  it('finds what should be looked at, the worst first', () => {
    expect(review.findings.map(({ type, name }) => `${type} ${name}`)).toEqual(['SubjectMissing gone-edit', 'RoleMissing bob-lost', 'DisabledWithRights off', 'KeyExpired dead', 'UserStale old', 'KeyNeverUsed idle', 'KeyWithoutEnd bots', 'RoleUnused forgotten']);
    expect(review.findings.find(({ type }) => type === 'UserStale')?.days).toBe(100);
  });
  it('says what it could not see', () => {
    expect(review.unread).toEqual(['serviceaccounts']);
  });
  it('knows who was not seen for long', () => {
    const stale = (days: number) => review.access.filter((row) => isStale(row, days * DAY_MS, NOW)).map(({ name }) => name);
    expect(stale(90)).toEqual(['off', 'gone']);
    expect(stale(0.5)).toEqual(['bob', 'off', 'gone', 'tenant:bot', 'bob']);
  });
});

describe('a right', () => {
  it('is written as on the command line', () => {
    expect(rightOf({ verbs: ['get', 'list'], apiGroups: ['', 'drun.io'], resources: ['a', 'b'], resourceNames: ['one'] })).toBe('get,list a,b,drun.io/a,drun.io/b [one]');
    expect(rightOf({ verbs: ['get'], nonResourceURLs: ['/metrics'] })).toBe('get /metrics');
  });
});
