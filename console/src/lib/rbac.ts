// SPDX-License-Identifier: Apache-2.0
// Who may do a thing, by the roles and bindings that the reader may see. A view, not a decision: the
// server decides each request by itself.
import type { Role, RoleBinding, Rule, Subject } from '../api/types';

export interface Question {
  verb: string;
  resource: string; // plural, as in rules
  group: string; // '' is the core group
  namespace: string; // '' asks about all of them
}

function has(list: string[] | undefined, wanted: string): boolean {
  return list !== undefined && (list.includes('*') || list.includes(wanted));
}

export function ruleAllows(rule: Rule, { verb, resource, group }: Pick<Question, 'verb' | 'resource' | 'group'>): boolean {
  return has(rule.verbs, verb) && has(rule.apiGroups, group) && has(rule.resources, resource);
}

export interface Grantee {
  subject: Subject;
  role: string;
  binding: string;
  namespace: string; // '' is everywhere
  names: string[]; // only these objects; empty: all
}

export function whoCan(question: Question, roles: Role[], bindings: RoleBinding[]): Grantee[] {
  // A Role is known by its namespace too; a ClusterRole has none.
  const key = (namespace: string, name: string) => `${namespace}/${name}`;
  const byName = new Map(roles.map((role) => [key(role.metadata.namespace ?? '', role.metadata.name), role]));
  const out: Grantee[] = [];
  for (const binding of bindings) {
    const namespace = binding.metadata.namespace ?? '';
    if (namespace !== '' && namespace !== question.namespace) continue;
    const rules = byName.get(key(binding.roleRef.kind === 'ClusterRole' ? '' : namespace, binding.roleRef.name))?.rules ?? [];
    const matching = rules.filter((rule) => ruleAllows(rule, question));
    if (matching.length === 0) continue;
    const all = matching.some((rule) => !rule.resourceNames?.length);
    const names = all ? [] : [...new Set(matching.flatMap((rule) => rule.resourceNames ?? []))];
    for (const subject of binding.subjects ?? []) out.push({ subject, role: binding.roleRef.name, binding: binding.metadata.name, namespace, names });
  }
  return out;
}
