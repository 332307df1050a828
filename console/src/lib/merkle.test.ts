// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type AuditEntry, readEvent, verifyEntry } from '../api/audit';
import { base64, type Bytes, fromHex, hashFromText, hex, utf8 } from './bytes';
import { canonicalJson } from './jcs';
import { leafHash, nodeHash, parseCheckpoint, verifyInclusion } from './merkle';

// The leaves and roots that the implementations of RFC 6962 share as test vectors.
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(fromHex);
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

// The definitions of RFC 6962 §2.1, to the letter.
const split = (n: number) => 2 ** Math.floor(Math.log2(n - 1));
async function mth(leaves: Bytes[]): Promise<Bytes> {
  const [only] = leaves;
  if (leaves.length === 1 && only) return only;
  const k = split(leaves.length);
  return nodeHash(await mth(leaves.slice(0, k)), await mth(leaves.slice(k)));
}
async function pathOf(m: number, leaves: Bytes[]): Promise<Bytes[]> {
  if (leaves.length <= 1) return [];
  const k = split(leaves.length);
  return m < k ? [...(await pathOf(m, leaves.slice(0, k))), await mth(leaves.slice(k))] : [...(await pathOf(m - k, leaves.slice(k))), await mth(leaves.slice(0, k))];
}

describe('inclusion proofs', () => {
  it('agree with the shared vectors of RFC 6962 for every leaf of every size', async () => {
    const hashes = await Promise.all(LEAVES.map(leafHash));
    for (let size = 1; size <= 8; size++) {
      const root = fromHex(ROOTS[size - 1] ?? '');
      for (let index = 0; index < size; index++) {
        const verdict = await verifyInclusion(hashes[index] as Bytes, index, size, await pathOf(index, hashes.slice(0, size)), root);
        expect(verdict.ok, `leaf ${index} of ${size}`).toBe(true);
        expect(hex(verdict.root)).toBe(ROOTS[size - 1]);
      }
    }
  });

  it('hold in trees of many shapes, and nowhere else', async () => {
    for (const size of [9, 31, 32, 33, 100]) {
      const leaves = await Promise.all(Array.from({ length: size }, (_, i) => leafHash(utf8(`record ${i}`))));
      const root = await mth(leaves);
      for (const index of [0, 1, Math.floor(size / 2), size - 2, size - 1]) {
        const path = await pathOf(index, leaves);
        const check = (i: number, n: number, p: Bytes[]) => verifyInclusion(leaves[index] as Bytes, i, n, p, root);
        expect((await check(index, size, path)).ok).toBe(true);
        expect((await check((index + 1) % size, size, path)).ok).toBe(false);
        expect(await check(index, size, path.slice(0, -1))).toMatchObject({ ok: false });
        expect(await check(index, size, [...path, root])).toMatchObject({ ok: false, reason: 'path-long' });
        const bent = path.map((hash) => hash.slice() as Bytes);
        const [first] = bent;
        if (first) first[0] = (first[0] ?? 0) ^ 1;
        expect(await check(index, size, bent)).toMatchObject({ ok: false, reason: 'root' });
      }
    }
  });

  it.each([[8, 8], [-1, 8], [0, 0], [0.5, 8], [2 ** 53, 2 ** 54]])('refuse index %d of %d', async (index, size) => {
    expect(await verifyInclusion(new Uint8Array(32), index, size, [], new Uint8Array(32))).toMatchObject({ ok: false, reason: 'index' });
  });

  it('take a tree of one leaf with an empty path only', async () => {
    const leaf = await leafHash(utf8('x'));
    expect((await verifyInclusion(leaf, 0, 1, [], leaf)).ok).toBe(true);
    expect(await verifyInclusion(leaf, 0, 1, [leaf], leaf)).toMatchObject({ ok: false, reason: 'path-long' });
  });
});

describe('a checkpoint', () => {
  const root = base64(fromHex(ROOTS[7] ?? ''));
  it('is read in the form of a signed note', () => {
    const read = parseCheckpoint(`drun.example/audit\n8\n${root}\n\n— drun.example/audit AbCd\n`);
    expect(read).toMatchObject({ origin: 'drun.example/audit', size: 8, signatures: ['— drun.example/audit AbCd'] });
    expect(hex(read.root)).toBe(ROOTS[7]);
  });
  it.each(['', 'a\n8\n', `a\n08\n${root}\n\n— a b\n`, `a\n8\n${root.slice(4)}\n\n— a b\n`, `a\n8\n${root}\n`])('is refused when broken: %j', (note) => {
    expect(() => parseCheckpoint(note)).toThrow();
  });
});

describe('an entry of the log', () => {
  // What a platform answered.
  const entry = () => JSON.parse(readFileSync('test/data/audit-entry.json', 'utf8')) as AuditEntry;
  const index = Number(entry().metadata.name);
  it('is verified up to the root of its checkpoint', async () => {
    expect(await verifyEntry(entry(), index)).toMatchObject({ ok: true, checkpointMatches: true, walk: { ok: true } });
  });
  it('is verified whatever the order of its members', async () => {
    const { event, ...rest } = entry();
    const turned = Object.fromEntries(Object.entries(event).reverse()) as unknown as AuditEntry['event'];
    expect(await verifyEntry({ ...rest, event: turned }, index)).toMatchObject({ ok: true });
  });
  it.each<[string, (e: AuditEntry) => void]>([
    ['the record', (e) => (e.event['drun.outcome'] = 'denied')],
    ['the salt', (e) => (e.proof.salt = e.proof.seal.slice(0, 24))],
    ['the seal', (e) => (e.proof.seal = e.proof.hashes[0] ?? '')],
    ['a hash of the path', (e) => (e.proof.hashes[1] = e.proof.seal)],
    ['the size of the tree', (e) => (e.proof.treeSize += 1)],
  ])('is refused when %s differs', async (_, change) => {
    const changed = entry();
    change(changed);
    expect(await verifyEntry(changed, index)).toMatchObject({ ok: false });
  });
  it('is refused without a checkpoint that can be read', async () => {
    const changed = entry();
    changed.proof.checkpoint = base64(utf8('o\n3\n'));
    expect(await verifyEntry(changed, index)).toMatchObject({ ok: false, checkpoint: null });
  });
  it('is shown with its time to the millisecond', () => {
    const event = readEvent(entry());
    expect(event).toMatchObject({ index, event: 'drun.model.call', action: 'invoke models/gemma', namespace: 'demo' });
    expect(event.time).toMatch(/^2026-11-22T12:48:00\.\d{3}Z$/);
  });
});

describe('canonical JSON', () => {
  it('is that of RFC 8785', () => {
    expect(canonicalJson({ b: [1e30, 4.5, 2e-3, 1e-27, null, true], a: '\u20ac$\u000f\nA\'B"\\\\"/', '': {} })).toBe('{"":{},"a":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/","b":[1e+30,4.5,0.002,1e-27,null,true]}');
  });
  it('orders members by UTF-16 code units', () => {
    expect(canonicalJson({ '\ufb33': 1, '\u{1f600}': 2, '\u20ac': 3, '1': 4, '\r': 5 })).toBe('{"\\r":5,"1":4,"\u20ac":3,"\u{1f600}":2,"\ufb33":1}');
  });
});

describe('hashes in text', () => {
  it('are hexadecimal or base64, and 32 bytes', () => {
    const root = ROOTS[0] ?? '';
    expect(hex(hashFromText(root))).toBe(root);
    expect(hex(hashFromText(base64(fromHex(root))))).toBe(root);
    expect(() => hashFromText('abcd')).toThrow();
  });
});
