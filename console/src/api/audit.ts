// SPDX-License-Identifier: Apache-2.0
// The audit log: searching it, and the proof that an entry is in it.
import { type Bytes, fromBase64, hashFromText, utf8 } from '../lib/bytes';
import { canonicalJson } from '../lib/jcs';
import { type Checkpoint, parseCheckpoint, sha256, type Verdict, verifyInclusion } from '../lib/merkle';
import { json } from './http';
import type { List } from './types';

const ROOT = '/apis/audit.drun.io/v1';
export const MODEL_CALL = 'drun.model.call';

export type Outcome = 'success' | 'denied' | 'failure';

/** A record as the log has it: one flat object (docs/PROTOCOL.audit, section 1). */
export interface AuditRecord {
  'event.name': string;
  'drun.outcome': Outcome;
  time_unix_nano: string;
  'client.address'?: string;
  'drun.action.name'?: string;
  'drun.action.namespace'?: string;
  'drun.action.resource'?: string;
  'drun.action.subresource'?: string;
  'drun.action.verb'?: string;
  'drun.actor.source'?: string;
  'drun.cost.currency'?: string;
  'drun.cost.micros'?: number;
  'drun.duration_ns'?: number;
  'drun.reason'?: string;
  'drun.request_id'?: string;
  'drun.role'?: string;
  'drun.actor.key_id'?: string; // an API key's uid, or a token's jti
  'gen_ai.request.model'?: string;
  'gen_ai.usage.input_tokens'?: number;
  'gen_ai.usage.output_tokens'?: number;
  'http.response.status_code'?: number;
  'user.name'?: string;
}

interface AuditObject {
  metadata: { name: string };
  event: AuditRecord;
}

/** A record as pages show it. */
export interface AuditEvent {
  index: number;
  time: string;
  event: string;
  outcome: Outcome;
  actor?: string; // nobody was authenticated without it
  via?: string;
  namespace?: string;
  action: string;
  source?: string;
  record: AuditRecord;
}

/** "get secrets/db/status": the verb, and what it was done to. */
function actionOf(record: AuditRecord): string {
  const target = [record['drun.action.resource'], record['drun.action.name'], record['drun.action.subresource']].filter(Boolean).join('/');
  return [record['drun.action.verb'], target].filter(Boolean).join(' ');
}

export function readEvent({ metadata, event: record }: AuditObject): AuditEvent {
  return {
    index: Number(metadata.name),
    time: new Date(Number(BigInt(record.time_unix_nano) / 1_000_000n)).toISOString(),
    event: record['event.name'],
    outcome: record['drun.outcome'],
    actor: record['user.name'],
    via: record['drun.actor.source'],
    namespace: record['drun.action.namespace'],
    action: actionOf(record),
    source: record['client.address'] ?? record['drun.role'],
    record,
  };
}

export interface AuditQuery {
  event?: string; // a name, or the beginning of one and ".*"
  actor?: string; // "!NAME": everybody else
  namespace?: string;
  outcome?: string;
  since?: string;
  until?: string;
}

export interface AuditPage {
  events: AuditEvent[];
  next: string;
}

/** A page that is not empty unless the log holds nothing more that matches. */
export async function searchAudit({ namespace, ...query }: AuditQuery, limit: number, next = '', signal?: AbortSignal): Promise<AuditPage> {
  const scope = namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const search = new URLSearchParams({ limit: String(limit) });
  for (const [key, value] of Object.entries(query)) if (value) search.set(key, value as string);
  let page: List<AuditObject>;
  do {
    // The server reads only so many records for one answer, which may hold none that match.
    if (next) search.set('continue', next);
    page = await json<List<AuditObject>>(`${ROOT}${scope}/auditevents?${search}`, { signal });
    next = page.metadata.continue ?? '';
  } while (page.items.length === 0 && next !== '');
  return { events: page.items.map(readEvent), next };
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

/** One record with its proof: hashes, salt, seal and the checkpoint's note in base64. */
export interface AuditEntry extends AuditObject {
  proof: { salt: string; seal: string; treeSize: number; hashes: string[]; checkpoint: string };
}

export function getAuditEntry(index: number, signal?: AbortSignal): Promise<AuditEntry> {
  return json<AuditEntry>(`${ROOT}/auditevents/${index}`, { signal });
}

export interface ProofReport {
  commitment: Bytes;
  walk: Verdict;
  note: string;
  checkpoint: Checkpoint | null;
  checkpointMatches: boolean; // it is of the tree that the path is for
  ok: boolean;
}

function readCheckpoint(note: string): Checkpoint | null {
  try {
    return parseCheckpoint(note);
  } catch {
    return null;
  }
}

/** Checks an entry against its checkpoint with this browser's own SHA-256 (docs/PROTOCOL.audit, section 2). */
export async function verifyEntry(entry: AuditEntry, index: number): Promise<ProofReport> {
  const { proof } = entry;
  const commitment = await sha256(fromBase64(proof.salt), utf8(canonicalJson(entry.event)));
  const leaf = await sha256(Uint8Array.of(0x00), commitment, hashFromText(proof.seal));
  const note = new TextDecoder().decode(fromBase64(proof.checkpoint));
  const checkpoint = readCheckpoint(note);
  const walk = await verifyInclusion(leaf, index, proof.treeSize, proof.hashes.map(hashFromText), checkpoint?.root ?? new Uint8Array());
  const checkpointMatches = checkpoint !== null && checkpoint.size === proof.treeSize;
  return { commitment, walk, note, checkpoint, checkpointMatches, ok: walk.ok && checkpointMatches };
}
