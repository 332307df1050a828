// SPDX-License-Identifier: Apache-2.0
import type { PlainKey } from '../../i18n';

export const CODE = 'authorization_code';
export const CREDENTIALS = 'client_credentials';
export const GRANTS: { value: string; label: PlainKey }[] = [
  { value: CODE, label: 'clients.grantCode' },
  { value: 'refresh_token', label: 'clients.grantRefresh' },
  { value: CREDENTIALS, label: 'clients.grantCredentials' },
  { value: 'urn:ietf:params:oauth:grant-type:device_code', label: 'clients.grantDevice' },
  { value: 'urn:ietf:params:oauth:grant-type:token-exchange', label: 'clients.grantExchange' },
];
