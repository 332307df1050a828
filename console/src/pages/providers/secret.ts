// SPDX-License-Identifier: Apache-2.0
// The credential that the platform shows a provider lies in a Secret of a type of its own, which nothing else leaves by.
import { ApiError, json } from '../../api/http';
import type { SecretRef } from '../../api/provider';
import { base64, utf8 } from '../../lib/bytes';

const TYPE = 'drun.io/identity-provider';
export const KEY = 'secret';

/** Makes the Secret, or changes the value in it. */
export async function putSecret({ namespace, name, key = KEY }: SecretRef, value: string): Promise<void> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
  const data = { [key]: base64(utf8(value)) };
  try {
    await json(path, { method: 'POST', body: { apiVersion: 'v1', kind: 'Secret', type: TYPE, metadata: { name }, data } });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
    await json(`${path}/${encodeURIComponent(name)}`, { method: 'PATCH', body: { data }, contentType: 'application/merge-patch+json' });
  }
}
