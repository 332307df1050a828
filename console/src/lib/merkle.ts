// SPDX-License-Identifier: Apache-2.0
// Inclusion proofs of the audit log, checked here and not by the server that answers: RFC 6962 §2.1
// (tree hashing) and RFC 9162 §2.1.3.2 (the walk). Every step is kept, to be shown.

import { type Bytes, equal, fromBase64 } from './bytes';

export interface Step {
  side: 'left' | 'right';
  sibling: Bytes;
  result: Bytes;
}

export type Verdict =
  | { ok: true; leaf: Bytes; steps: Step[]; root: Bytes }
  | { ok: false; reason: 'index' | 'path-short' | 'path-long' | 'root'; leaf: Bytes; steps: Step[]; root: Bytes };

export async function sha256(...parts: Uint8Array[]): Promise<Bytes> {
  const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', whole));
}

export function leafHash(entry: Uint8Array): Promise<Bytes> {
  return sha256(Uint8Array.of(0x00), entry);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Promise<Bytes> {
  return sha256(Uint8Array.of(0x01), left, right);
}

/** Whether leaf is the index-th of a tree of treeSize leaves with this root. Sizes are below 2^53. */
export async function verifyInclusion(
  leaf: Bytes,
  index: number,
  treeSize: number,
  path: Bytes[],
  root: Bytes,
): Promise<Verdict> {
  const steps: Step[] = [];
  let result = leaf;
  const refuse = (reason: 'index' | 'path-short' | 'path-long' | 'root'): Verdict => ({ ok: false, reason, leaf, steps, root: result });
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(treeSize) || index < 0 || index >= treeSize) return refuse('index');

  let node = index;
  let last = treeSize - 1;
  const up = () => {
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  };
  for (const sibling of path) {
    if (last === 0) return refuse('path-long');
    if (node % 2 === 1 || node === last) {
      result = await nodeHash(sibling, result);
      steps.push({ side: 'left', sibling, result });
      while (node % 2 === 0 && node !== 0) up();
    } else {
      result = await nodeHash(result, sibling);
      steps.push({ side: 'right', sibling, result });
    }
    up();
  }
  if (last !== 0) return refuse('path-short');
  return equal(result, root) ? { ok: true, leaf, steps, root: result } : refuse('root');
}

export interface Checkpoint {
  origin: string;
  size: number;
  root: Bytes;
  signatures: string[];
}

/** A C2SP tlog-checkpoint in a signed note. Signatures are returned, not checked. */
export function parseCheckpoint(note: string): Checkpoint {
  const split = note.lastIndexOf('\n\n');
  if (split < 0) throw new Error('the checkpoint has no signature block');
  const [origin, size, root] = note.slice(0, split + 1).split('\n');
  if (!origin || !size || !root || !/^(0|[1-9][0-9]*)$/.test(size)) throw new Error('the checkpoint is not of the form origin, size, root');
  const hash = fromBase64(root);
  if (hash.length !== 32) throw new Error("the checkpoint's root is not a SHA-256 hash");
  const signatures = note.slice(split + 2).split('\n').filter((line) => line.startsWith('— '));
  return { origin, size: Number(size), root: hash, signatures };
}
