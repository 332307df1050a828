// SPDX-License-Identifier: Apache-2.0
import type { User } from '../../api/types';
import { useI18n } from '../../i18n';
import { Badge } from '../../ui/Status';

export function UserState({ user }: { user: User }) {
  const { t } = useI18n();
  const { expiresAt } = user.spec;
  if (user.status?.state === 'Disabled') return <Badge>{t('state.disabled')}</Badge>;
  if (expiresAt && Date.parse(expiresAt) <= Date.now()) return <Badge tone="bad">{t('access.expired')}</Badge>;
  if (user.status?.state === 'Invited') return <Badge tone="accent">{t('access.invited')}</Badge>;
  return <Badge tone="good">{t('state.active')}</Badge>;
}
