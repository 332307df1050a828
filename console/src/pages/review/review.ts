// SPDX-License-Identifier: Apache-2.0
// Who can do what, through which binding, when each was last seen, and what somebody should look at: the report of the
// platform joined with people, keys and service accounts, as `drun access-review` joins it (src/cli/access_*.c).
import type { ApiKey, Group, Meta, Rule, User } from '../../api/types';
import { DAY_MS } from '../../lib/duration';

export interface Grant {
  kind: string;
  name: string;
  namespace?: string;
  roleKind: string;
  role: string;
  roleMissing?: boolean;
  bindingKind: string;
  binding: string;
}

export interface ReportRole {
  kind: string;
  name: string;
  namespace?: string;
  rules: Rule[] | null;
  bindings: number;
  builtIn?: boolean;
}

export interface Report {
  time: string;
  complete: boolean;
  grants: Grant[];
  roles: ReportRole[];
}

/** A list is null where the reader may not see it. */
export interface Source {
  report: Report;
  users: User[] | null;
  groups: Group[] | null;
  keys: ApiKey[] | null;
  accounts: { metadata: Meta }[] | null;
}

export interface Row {
  id: string;
  kind: string;
  name: string;
  state: '' | 'Active' | 'Invited' | 'Disabled' | 'Missing';
  via: string;
  namespace: string;
  roleKind: string;
  role: string;
  bindingKind: string;
  binding: string;
  lastSignIn: string;
  lastKeyUse: string;
  rights: string[];
}

export interface KeyRow {
  namespace: string;
  name: string;
  owner: string;
  created: string;
  expires: string;
  lastUsed: string;
  address: string;
  disabled: boolean;
}

export const FINDINGS = ['SubjectMissing', 'RoleMissing', 'DisabledWithRights', 'KeyExpired', 'UserStale', 'UserNeverSignedIn', 'KeyStale', 'KeyNeverUsed', 'KeyWithoutEnd', 'KeyDisabled', 'RoleUnused'] as const;
export type FindingType = (typeof FINDINGS)[number];

export interface Finding {
  type: FindingType;
  kind: string;
  namespace: string;
  name: string;
  /** what its sentence names */
  days?: number;
  date?: string;
  role?: string;
  who?: string;
  binding?: string;
}

export interface Review {
  access: Row[];
  keys: KeyRow[];
  findings: Finding[];
  unread: string[];
}

const ACCOUNT = 'system:serviceaccount:';

/** "get,list drun.io/models,drun.io/modelservices [one,two]" */
export function rightOf(rule: Rule): string {
  const verbs = rule.verbs.join(',');
  if (rule.nonResourceURLs) return `${verbs} ${rule.nonResourceURLs.join(',')}`;
  const what = (rule.apiGroups ?? []).map((group) => (rule.resources ?? []).map((resource) => (group === '' ? resource : `${group}/${resource}`)).join(','));
  return `${verbs} ${what.join(',')}${rule.resourceNames?.length ? ` [${rule.resourceNames.join(',')}]` : ''}`;
}

const roleKey = (kind: string, namespace: string | undefined, name: string) => `${kind}/${kind === 'Role' ? (namespace ?? '') : ''}/${name}`;

function ownerOf({ metadata, spec }: ApiKey): string {
  return spec.serviceAccountName ? `${ACCOUNT}${metadata.namespace ?? ''}:${spec.serviceAccountName}` : (spec.user ?? '');
}

function keyRow(key: ApiKey): KeyRow {
  const { metadata, spec, status } = key;
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    owner: ownerOf(key),
    created: metadata.creationTimestamp ?? '',
    expires: spec.expiresAt ?? '',
    lastUsed: status?.lastUsed?.time ?? '',
    address: status?.lastUsed?.address ?? '',
    disabled: spec.disabled ?? false,
  };
}

function membersOf({ users, groups }: Source): Map<string, Set<string>> {
  const members = new Map<string, Set<string>>();
  const add = (group: string, user: string) => members.set(group, (members.get(group) ?? new Set()).add(user));
  for (const { metadata, spec } of users ?? []) for (const group of spec.groups ?? []) add(group, metadata.name);
  for (const { metadata, spec } of groups ?? []) for (const user of spec.members ?? []) add(metadata.name, user);
  return members;
}

function accessOf(source: Source, keys: KeyRow[]): Row[] {
  const people = new Map((source.users ?? []).map((user) => [user.metadata.name, user]));
  const accounts = new Set((source.accounts ?? []).map(({ metadata }) => `${ACCOUNT}${metadata.namespace ?? ''}:${metadata.name}`));
  const members = membersOf(source);
  const rights = new Map(source.report.roles.map((role) => [roleKey(role.kind, role.namespace, role.name), (role.rules ?? []).map(rightOf)]));
  const uses = new Map<string, string>();
  for (const { owner, lastUsed } of keys) if (lastUsed > (uses.get(owner) ?? '')) uses.set(owner, lastUsed);

  const stateOf = (kind: string, name: string): Row['state'] => {
    if (kind === 'Group') return '';
    if (name.startsWith(ACCOUNT)) return source.accounts === null || accounts.has(name) ? '' : 'Missing';
    if (name.startsWith('system:') || source.users === null) return '';
    const user = people.get(name);
    return user ? (user.status?.state ?? 'Active') : 'Missing';
  };
  const rowOf = (grant: Grant, kind: string, name: string, via: string): Row => {
    const account = name.startsWith(ACCOUNT);
    return {
      id: [kind, name, via, grant.bindingKind, grant.namespace, grant.binding].join('/'),
      kind: account ? 'ServiceAccount' : kind,
      name: account ? name.slice(ACCOUNT.length) : name,
      state: stateOf(kind, name),
      via,
      namespace: grant.namespace ?? '',
      roleKind: grant.roleKind,
      role: grant.role,
      bindingKind: grant.bindingKind,
      binding: grant.binding,
      lastSignIn: (kind === 'User' && people.get(name)?.status?.lastLogin) || '',
      lastKeyUse: uses.get(name) ?? '',
      rights: rights.get(roleKey(grant.roleKind, grant.namespace, grant.role)) ?? [],
    };
  };
  // A group that nobody is known to be in is a row of its own; so are those that are everybody.
  return source.report.grants.flatMap((grant) => {
    const inside = grant.kind === 'Group' ? members.get(grant.name) : undefined;
    return inside ? [...inside].sort().map((user) => rowOf(grant, 'User', user, grant.name)) : [rowOf(grant, grant.kind, grant.name, '')];
  });
}

const ageMs = (text: string, now: number) => (text ? now - Date.parse(text) : NaN);
const days = (ms: number) => Math.floor(ms / DAY_MS);

function keyFinding(key: KeyRow, now: number, staleMs: number): Finding | null {
  const at = { kind: 'ApiKey', namespace: key.namespace, name: key.name };
  if (key.expires && Date.parse(key.expires) <= now) return { ...at, type: 'KeyExpired', date: key.expires };
  if (key.disabled) return { ...at, type: 'KeyDisabled' };
  if (ageMs(key.lastUsed, now) >= staleMs) return { ...at, type: 'KeyStale', days: days(ageMs(key.lastUsed, now)) };
  if (!key.lastUsed && ageMs(key.created, now) >= staleMs) return { ...at, type: 'KeyNeverUsed', days: days(ageMs(key.created, now)) };
  return key.expires ? null : { ...at, type: 'KeyWithoutEnd' };
}

function userFinding({ metadata, spec, status }: User, now: number, staleMs: number): Finding | null {
  const at = { kind: 'User', namespace: '', name: metadata.name };
  const seen = ageMs(status?.lastLogin ?? '', now);
  const made = ageMs(metadata.creationTimestamp ?? '', now);
  if (spec.disabled) return null;
  if (!status?.lastLogin) return made >= staleMs ? { ...at, type: 'UserNeverSignedIn', days: days(made) } : null;
  return seen >= staleMs ? { ...at, type: 'UserStale', days: days(seen) } : null;
}

function accessFinding(row: Row): Finding | null {
  if (row.state === 'Missing') return { type: 'SubjectMissing', kind: row.bindingKind, namespace: row.namespace, name: row.binding, who: row.name, role: row.role };
  if (row.state === 'Disabled') return { type: 'DisabledWithRights', kind: 'User', namespace: '', name: row.name, role: row.role, binding: row.binding };
  return null;
}

export function reviewOf(source: Source, staleMs: number, now: number): Review {
  const keys = (source.keys ?? []).map(keyRow);
  const access = accessOf(source, keys);
  const { grants, roles, complete } = source.report;
  const found = [
    ...keys.map((key) => keyFinding(key, now, staleMs)),
    ...(source.users ?? []).map((user) => userFinding(user, now, staleMs)),
    ...access.map(accessFinding),
    ...grants.map((grant): Finding | null => (grant.roleMissing ? { type: 'RoleMissing', kind: grant.bindingKind, namespace: grant.namespace ?? '', name: grant.binding, role: grant.role } : null)),
    ...roles.map((role): Finding | null => (complete && role.bindings === 0 && !role.builtIn ? { type: 'RoleUnused', kind: role.kind, namespace: role.namespace ?? '', name: role.name } : null)),
  ].filter((one) => one !== null);
  const unread = Object.entries({ users: source.users, groups: source.groups, apikeys: source.keys, serviceaccounts: source.accounts });
  return {
    access,
    keys,
    findings: found.sort((a, b) => FINDINGS.indexOf(a.type) - FINDINGS.indexOf(b.type)),
    unread: unread.filter(([, list]) => list === null).map(([name]) => name),
  };
}

/** Not seen for so long, never seen, or not there: whose right somebody should ask about. Groups cannot be told. */
export function isStale(row: Row, staleMs: number, now: number): boolean {
  if (row.state === 'Missing' || row.state === 'Disabled') return true;
  if (row.kind === 'Group' || row.name.startsWith('system:')) return false;
  const last = row.lastSignIn > row.lastKeyUse ? row.lastSignIn : row.lastKeyUse;
  return !last || ageMs(last, now) >= staleMs;
}
