// SPDX-License-Identifier: Apache-2.0
// What the guard knows (src/lib/guard/detectors.c; a test compares), and GuardPolicies as a table of actions.
import type { Direction, GuardAction, GuardRule } from './kinds';

export const GROUPS = ['secret', 'personal', 'hidden'] as const;
export type Group = (typeof GROUPS)[number];
export const DETECTORS: Record<Group, string[]> = {
  secret: ['private-key', 'aws-access-key', 'aliyun-access-key', 'tencent-access-key', 'google-api-key', 'github-token', 'gitlab-token', 'slack-token', 'openai-key', 'anthropic-key', 'drun-key', 'huggingface-token', 'npm-token', 'pypi-token', 'stripe-key', 'sendgrid-key', 'telegram-token', 'jwt', 'url-password'],
  personal: ['cn-id-card', 'cn-mobile', 'bank-card', 'cn-passport', 'iban', 'us-ssn', 'email', 'ipv4'],
  hidden: ['invisible', 'bidi-control'],
};
export const ACTIONS: GuardAction[] = ['off', 'detect', 'mask', 'block'];
const DETECTED = ['url-password'];
const OFF = ['email', 'ipv4'];

/** What happens to a detector's findings where no policy says anything. */
export function usual(group: Group, detector: string): GuardAction {
  if (OFF.includes(detector)) return 'off';
  return group === 'personal' || DETECTED.includes(detector) ? 'detect' : 'mask';
}

/** "request github-token" to an action; what is not in it is said elsewhere. */
export type Matrix = Map<string, GuardAction>;
export type Way = Exclude<Direction, 'both'>;
const WAYS: Way[] = ['request', 'answer'];
export const cell = (way: Way, detector: string) => `${way} ${detector}`;

/** Names from the widest to the narrowest: a later rule overrides an earlier one. */
export const NAMES = ['all', ...GROUPS, ...GROUPS.flatMap((group) => DETECTORS[group])];

function within(name: string): string[] {
  if (name === 'all') return NAMES;
  return [name, ...(DETECTORS[name as Group] ?? [])];
}

/** The same policy with wider rules before narrower ones; a name that is not known here keeps its place behind them. */
export function matrixOf(rules: GuardRule[]): Matrix {
  const matrix: Matrix = new Map();
  for (const { detector, action, direction = 'both' } of rules) {
    for (const way of WAYS) {
      if (direction !== 'both' && direction !== way) continue;
      for (const name of within(detector)) matrix.delete(cell(way, name));
      matrix.set(cell(way, detector), action);
    }
  }
  return matrix;
}

export function rulesOf(matrix: Matrix): GuardRule[] {
  const known = new Set(NAMES);
  const others = [...matrix.keys()].map((key) => key.split(' ')[1] ?? '').filter((name) => !known.has(name));
  return [...NAMES, ...new Set(others)].flatMap((detector): GuardRule[] => {
    const request = matrix.get(cell('request', detector));
    const answer = matrix.get(cell('answer', detector));
    if (request && request === answer) return [{ detector, action: request }];
    return [...(request ? [{ detector, action: request, direction: 'request' as const }] : []), ...(answer ? [{ detector, action: answer, direction: 'answer' as const }] : [])];
  });
}

// ------------------------------------------------------------------ what a text is told

export interface Finding {
  detector: string;
  group: Group;
  action: GuardAction;
  offset: number; // in bytes of UTF-8
  length: number;
  encoded: boolean;
}
export interface GuardVerdict {
  verdict: 'passed' | 'masked' | 'blocked';
  text: string;
  findings: Finding[];
}

export interface Piece {
  text: string;
  finding?: Finding;
}

/** A text cut at its findings; of two that overlap the first one is shown. */
export function piecesOf(text: string, findings: Finding[]): Piece[] {
  const bytes = new TextEncoder().encode(text);
  const decode = (from: number, to: number) => new TextDecoder().decode(bytes.subarray(from, to));
  const pieces: Piece[] = [];
  let at = 0;
  for (const finding of [...findings].sort((a, b) => a.offset - b.offset)) {
    if (finding.offset < at) continue;
    if (finding.offset > at) pieces.push({ text: decode(at, finding.offset) });
    at = finding.offset + finding.length;
    pieces.push({ text: decode(finding.offset, at), finding });
  }
  if (at < bytes.length) pieces.push({ text: decode(at, bytes.length) });
  return pieces;
}
