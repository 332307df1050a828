// SPDX-License-Identifier: Apache-2.0
// The audit log: searching it, and the proof that an entry is in it.
import { type Bytes, equal, fromBase64, hashFromText, utf8 } from '../lib/bytes';
import { canonicalJson } from '../lib/jcs';
import { type Checkpoint, leafHash, parseCheckpoint, type Verdict, verifyInclusion } from '../lib/merkle';
import { json } from './http';
import type { List } from './types';

const PATH = '/apis/audit.drun.io/v1/auditevents';
export const MODEL_CALL = 'drun.model.call';

export type Outcome = 'success' | 'denied' | 'failure';

export interface AuditEvent {
  index: number;
  time: string;
  event: string;
  outcome: Outcome;
  actor: { name: string; kind?: string; via?: string };
  namespace?: string;
  target?: string;
  source?: string;
  attributes?: Record<string, unknown>;
}

export interface AuditQuery {
  event?: string;
  actor?: string;
  namespace?: string;
  outcome?: string;
  since?: string;
  until?: string;
}

export interface AuditPage {
  events: AuditEvent[];
  next: string;
}

export async function searchAudit(query: AuditQuery, limit: number, next = '', signal?: AbortSignal): Promise<AuditPage> {
  const search = new URLSearchParams({ limit: String(limit) });
  for (const [key, value] of Object.entries(query)) if (value) search.set(key, value as string);
  if (next) search.set('continue', next);
  const page = await json<List<AuditEvent>>(`${PATH}?${search}`, { signal });
  return { events: page.items, next: page.metadata.continue ?? '' };
}

/** Up to max events, newest first; `more` when the log holds others that match. */
export async function collectAudit(query: AuditQuery, max: number, signal?: AbortSignal): Promise<{ events: AuditEvent[]; more: boolean }> {
  const events: AuditEvent[] = [];
  let next = '';
  do {
    const page = await searchAudit(query, Math.min(1000, max - events.length), next, signal);
    events.push(...page.events);
    next = page.next;
  } while (next !== '' && events.length < max);
  return { events, more: next !== '' };
}

export interface AuditEntry {
  record: Record<string, unknown>;
  /** The leaf's bytes in base64, if the server sends them; else they are the record's canonical form. */
  leaf?: string;
  proof: { leafHash: string; path: string[]; treeSize: number; rootHash: string; checkpoint: string };
}

export function getAuditEntry(index: number, signal?: AbortSignal): Promise<AuditEntry> {
  return json<AuditEntry>(`${PATH}/${index}`, { signal });
}

export interface ProofReport {
  leafMatches: boolean;
  walk: Verdict;
  checkpoint: Checkpoint | null;
  checkpointMatches: boolean;
  ok: boolean;
}

function leafBytes(entry: AuditEntry): Bytes {
  const canonical = utf8(canonicalJson(entry.record));
  if (entry.leaf === undefined) return canonical;
  // What is shown must be what was hashed.
  const leaf = fromBase64(entry.leaf);
  const shown = canonicalJson(JSON.parse(new TextDecoder().decode(leaf)));
  if (!equal(utf8(shown), canonical)) throw new Error('the leaf is not the record');
  return leaf;
}

/** Checks an entry against its checkpoint with this browser's own SHA-256. */
export async function verifyEntry(entry: AuditEntry, index: number): Promise<ProofReport> {
  const { proof } = entry;
  const leaf = await leafHash(leafBytes(entry));
  const leafMatches = equal(leaf, hashFromText(proof.leafHash));
  const root = hashFromText(proof.rootHash);
  const walk = await verifyInclusion(leaf, index, proof.treeSize, proof.path.map(hashFromText), root);
  let checkpoint: Checkpoint | null = null;
  try {
    checkpoint = parseCheckpoint(proof.checkpoint);
  } catch {
    checkpoint = null;
  }
  const checkpointMatches = checkpoint !== null && checkpoint.size === proof.treeSize && equal(checkpoint.root, root);
  return { leafMatches, walk, checkpoint, checkpointMatches, ok: leafMatches && walk.ok && checkpointMatches };
}
