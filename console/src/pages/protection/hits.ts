// SPDX-License-Identifier: Apache-2.0
// Hits of the firewall as their records tell them, and what an exclusion would have let through (decision 0039).
import type { AuditEvent } from '../../api/audit';
import type { Exclusion, Match } from './kinds';

export const WAF_HIT = 'drun.waf.hit';

/** What one rule added to the score of a request. */
export interface Part {
  rule: number;
  points: number;
  refuses: boolean; // by itself
  variable: string;
}

export interface Hit {
  event: AuditEvent;
  rule: string; // an id, or "limit"
  message: string;
  variable: string;
  before: string;
  match: string;
  after: string;
  score: number;
  threshold: number;
  path: string;
  service: string;
  namespace: string;
  parts: Part[];
  /** the record has not room for all rules that met */
  cut: boolean;
  refused: boolean;
  requestId: string;
}

const WORD_MAX = 40; // of a name in the list of rules

function readParts(text: string): { parts: Part[]; cut: boolean } {
  const words = text.split(', ').filter(Boolean);
  const parts = words.flatMap((word) => {
    const found = /^(\d+)\+(\d+)(!?) (.*)$/.exec(word);
    return found ? [{ rule: Number(found[1]), points: Number(found[2]), refuses: found[3] === '!', variable: found[4] ?? '' }] : [];
  });
  return { parts, cut: parts.length < words.length };
}

/** "MESSAGE; VARIABLE: before«match»after; score 5 of 5; at /path; for ns/name; rules 942100+5 ARGS:q" */
export function readHit(event: AuditEvent): Hit {
  const reason = event.record['drun.reason'] ?? '';
  const tailAt = reason.lastIndexOf('; score ');
  const head = tailAt < 0 ? reason : reason.slice(0, tailAt);
  const tail = /^; score (\d+) of (\d+)(?:; at ([^;]*))?(?:; for ([^;]*))?(?:; rules (.*))?$/.exec(tailAt < 0 ? '' : reason.slice(tailAt));
  const { parts, cut } = readParts(tail?.[5] ?? '');
  const open = head.lastIndexOf('«');
  const close = open < 0 ? -1 : head.indexOf('»', open);
  const place = /^([^]*); (\S+): ([^]*)$/.exec(open < 0 ? head : head.slice(0, open));
  const marked = open >= 0;
  return {
    event,
    rule: event.record['drun.action.name'] ?? '',
    message: place?.[1] ?? head,
    variable: place?.[2] ?? '',
    before: marked ? (place?.[3] ?? '') : '',
    match: marked ? head.slice(open + 1, close < 0 ? undefined : close) : (place?.[3] ?? ''),
    after: close < 0 ? '' : head.slice(close + 1),
    score: Number(tail?.[1] ?? 0),
    threshold: Number(tail?.[2] ?? 0),
    path: tail?.[3] ?? '',
    service: tail?.[4] ?? '',
    namespace: event.namespace ?? '',
    parts,
    cut,
    refused: event.outcome === 'denied',
    requestId: event.record['drun.request_id'] ?? '',
  };
}

// ------------------------------------------------------------------ exclusions

function fitsOne(list: string[] | undefined, fits: (entry: string) => boolean): boolean {
  return !list?.length || list.some(fits);
}

export function matches(match: Match | undefined, hit: Pick<Hit, 'path' | 'namespace' | 'service'>): boolean {
  return (
    fitsOne(match?.paths, (path) => hit.path === path || hit.path.startsWith(`${path}/`)) &&
    fitsOne(match?.namespaces, (name) => name === hit.namespace) &&
    fitsOne(match?.modelServices, (name) => name === hit.service)
  );
}

function hasRule(ids: string[] | undefined, rule: number): boolean {
  return (ids ?? []).some((id) => {
    const [from = 0, to = from] = id.split('-').map(Number);
    return rule >= from && rule <= to;
  });
}

function isTarget(target: string, variable: string): boolean {
  if (target === variable || (variable.length >= WORD_MAX && target.startsWith(variable))) return true;
  return !target.includes(':') && variable.startsWith(`${target}:`);
}

/** The rule that counts the others looks at what they made of it. */
const counts = (part: Part) => part.variable.startsWith('TX:');

export function excludes(exclusion: Exclusion, part: Part): boolean {
  return !counts(part) && hasRule(exclusion.ruleIds, part.rule) && (!exclusion.targets?.length || exclusion.targets.some((target) => isTarget(target, part.variable)));
}

export type Change = 'untouched' | 'passes' | 'refused' | 'unknown';
type Judged = Pick<Hit, 'path' | 'namespace' | 'service' | 'score' | 'threshold' | 'parts' | 'cut'>;

/** What would have become of a request. A rule counts once here, so "refused" may be too careful; "passes" is not. */
export function change(hit: Judged, match: Match | undefined, exclusion: Exclusion): Change {
  if (!matches(match, hit)) return 'untouched';
  if (hit.parts.length === 0) return 'unknown'; // the record does not tell
  const gone = hit.parts.filter((part) => excludes(exclusion, part));
  if (gone.length === 0) return hit.cut ? 'unknown' : 'untouched';
  if (hit.parts.some((part) => part.refuses && !counts(part) && !gone.includes(part))) return 'refused';
  if (hit.score - gone.reduce((sum, part) => sum + part.points, 0) < hit.threshold) return 'passes';
  return hit.cut ? 'unknown' : 'refused';
}

/** The fewest rules without which a request passes: those that refuse by themselves, then those that count most. */
export function fewest(parts: Part[], score: number, threshold: number): Part[] {
  const meant = parts.filter((part) => !counts(part));
  const chosen = meant.filter((part) => part.refuses);
  let left = score - chosen.reduce((sum, part) => sum + part.points, 0);
  for (const part of meant.filter((each) => !each.refuses && each.points > 0).sort((a, b) => b.points - a.points)) {
    if (left < threshold) break;
    chosen.push(part);
    left -= part.points;
  }
  return chosen;
}

/** What WafPolicy takes as a target. */
export const isTargetName = (text: string) => /^[A-Z][A-Za-z0-9_:.\-/]*$/.test(text);
