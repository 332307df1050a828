// SPDX-License-Identifier: Apache-2.0
// Whether a provider answers, as the platform last saw it.
import { act, identityProviders } from '../../api/kube';
import type { Condition, IdentityProvider } from '../../api/types';
import { type PlainKey, useI18n } from '../../i18n';
import { Badge } from '../../ui/Status';

export const titleOf = ({ metadata, spec }: IdentityProvider) => spec.displayName || metadata.name;
export const conditionOf = (p: IdentityProvider): Condition | undefined => p.status?.conditions?.[0];
/** The platform asks it at once; the answer is the object with what came out. */
export const checkNow = (name: string) => act<IdentityProvider>(identityProviders, 'check', name);

const REASONS: Record<string, PlainKey> = {
  Reachable: 'providers.state-Reachable',
  Refused: 'providers.state-Refused',
  Malformed: 'providers.state-Malformed',
  SecretMissing: 'providers.state-SecretMissing',
  Unreachable: 'providers.state-Unreachable',
};

export function ProviderState({ provider, busy }: { provider: IdentityProvider; busy?: boolean }) {
  const { t } = useI18n();
  const condition = conditionOf(provider);
  const known = condition?.reason && REASONS[condition.reason];
  if (provider.spec.disabled) return <Badge>{t('state.disabled')}</Badge>;
  if (busy || !condition || !known) return <Badge>{t(busy ? 'providers.checking' : 'state.unknown')}</Badge>;
  return (
    <span title={condition.message}>
      <Badge tone={condition.status === 'True' ? 'good' : 'bad'}>{t(known)}</Badge>
    </span>
  );
}
