// SPDX-License-Identifier: Apache-2.0
// What the ways to prove oneself are called, and how they look.
import { FileKey2, Fingerprint, KeyRound, type LucideIcon, MessageSquareText, Smartphone } from 'lucide-react';
import type { PlainKey } from '../i18n';
import type { Factor } from './api';

/** The best first: the order in which they are offered. */
export const ORDER: Factor[] = ['webauthn', 'totp', 'sms', 'password', 'recovery'];

export const FACTOR: Record<Factor, { name: PlainKey; use: PlainKey; icon: LucideIcon }> = {
  webauthn: { name: 'factor.webauthn', use: 'factor.useWebauthn', icon: Fingerprint },
  totp: { name: 'factor.totp', use: 'factor.useTotp', icon: Smartphone },
  sms: { name: 'factor.sms', use: 'factor.useSms', icon: MessageSquareText },
  password: { name: 'login.password', use: 'factor.usePassword', icon: KeyRound },
  recovery: { name: 'factor.recovery', use: 'factor.useRecovery', icon: FileKey2 },
};
