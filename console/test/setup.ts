// SPDX-License-Identifier: Apache-2.0
// Node 18 has Web Crypto, but not yet under its global name.
import { webcrypto } from 'node:crypto';

if (!('crypto' in globalThis)) Object.defineProperty(globalThis, 'crypto', { value: webcrypto });
