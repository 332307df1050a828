// SPDX-License-Identifier: Apache-2.0
// What claims become, as src/roles/idp/federation/mapping.c does it: a preview. The server decides.
import type { ClaimRule, Mapping } from '../../api/provider';

type Json = unknown;

const isObject = (value: Json): value is Record<string, Json> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value at a claim's name, or with a slash at its beginning at a JSON Pointer (RFC 6901). */
export function findClaim(claims: Json, claim: string): Json {
  if (!claim.startsWith('/')) return isObject(claims) ? claims[claim] : undefined;
  let at = claims;
  for (const raw of claim.slice(1).split('/')) {
    const step = raw.replace(/~([01])/g, (_, which: string) => (which === '0' ? '~' : '/'));
    if (Array.isArray(at)) at = /^\d+$/.test(step) ? at[Number(step)] : undefined;
    else at = isObject(at) ? at[step] : undefined;
  }
  return at;
}

const STARS_MAX = 9;
const TEXT_MAX = 253;

/** The template filled in; null when the value does not match. Each star takes as little as it can, the last what is left. */
export function applyRule(match: string, template: string, value: string): string | null {
  const was = [value];
  const note = (index: number, text: string) => {
    if (index < STARS_MAX) was[index + 1] = text;
  };
  let [p, v, star, resumeP, resumeV, begin] = [0, 0, 0, 0, 0, 0];
  while (v < value.length) {
    if (match[p] === '*') {
      if (star > 0) note(star - 1, value.slice(begin, resumeV));
      star++;
      resumeP = ++p;
      begin = resumeV = v;
    } else if (match[p] === value[v]) {
      p++;
      v++;
    } else if (star > 0) {
      p = resumeP;
      v = ++resumeV;
    } else return null;
  }
  if (star > 0) note(star - 1, value.slice(begin, resumeV));
  for (; match[p] === '*'; p++) note(star++, '');
  if (p !== match.length) return null;
  return template.replace(/\{(\d)\}/g, (_, n: string) => was[Number(n)] ?? '');
}

function textOf(value: Json): string | null {
  if (typeof value === 'string') return value || null;
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isInteger(value))) return String(value);
  return null;
}

/** Every text that a rule makes of the claims. */
export function ruleGives(rule: ClaimRule, claims: Json): string[] {
  const value = findClaim(claims, rule.claim);
  return (Array.isArray(value) ? value : [value]).flatMap((one) => {
    const text = textOf(one);
    const made = text === null ? null : applyRule(rule.match || '*', rule.template || '{0}', text);
    return made && made.length <= TEXT_MAX ? [made] : [];
  });
}

/** The name of a person as that of a User: Alice@Corp.Example becomes alice-corp.example. */
export function userNameOf(text: string): string {
  let name = '';
  for (const c of text.toLowerCase()) {
    if (/[a-z0-9]/.test(c)) name += c;
    else if (name !== '' && !/[.-]$/.test(name)) name += c === '.' ? '.' : '-';
    else if (c === '.' && name.endsWith('-')) name = `${name.slice(0, -1)}.`;
  }
  return name.replace(/[.-]+$/, '');
}

/** May a provider put somebody into it? */
export function groupIsGood(group: string): boolean {
  // eslint-disable-next-line no-control-regex
  return group !== '' && group.length <= TEXT_MAX && !/^(\.|\.\.|system:.*|drun:.*)$/s.test(group) && !/[\x00-\x1f\x7f/%]/.test(group);
}

const USUAL = { userName: ['preferred_username', 'uid', 'sAMAccountName'], displayName: ['name', 'displayName', 'cn'], email: ['email', 'mail'] } as const;

export interface Preview {
  userName: string;
  displayName: string;
  email: string;
  groups: string[];
  /** what rules made and nobody can be put into */
  refused: string[];
}

export function previewOf(mapping: Mapping, claims: Json): Preview {
  const first = (field: keyof typeof USUAL) => {
    const own = mapping[field];
    const rules: ClaimRule[] = own?.claim ? [own] : USUAL[field].map((claim) => ({ claim }));
    return rules.map((rule) => ruleGives(rule, claims)[0]).find((text) => text !== undefined) ?? '';
  };
  const made = [...new Set((mapping.groups ?? []).filter((rule) => rule.claim).flatMap((rule) => ruleGives(rule, claims)))];
  return { userName: userNameOf(first('userName')), displayName: first('displayName'), email: first('email'), groups: made.filter(groupIsGood), refused: made.filter((group) => !groupIsGood(group)) };
}
