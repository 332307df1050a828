// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { identity } from '../../auth/oidc';
import { type PlainKey, useI18n } from '../../i18n';
import { showSession } from '../../identity/api';
import { useNamespace } from '../../lib/namespace';
import { Facts, Panel } from '../../ui/Page';
import { Ago } from '../../ui/Time';
import { MyRights } from '../access/WhoCan';
import { AccountHeader } from './AccountHeader';

const STRENGTH: Record<string, PlainKey> = { 'urn:drun:password': 'acr.password', 'urn:drun:trusted-device': 'acr.device', 'urn:drun:mfa': 'acr.mfa', phr: 'acr.phr' };

export default function Account() {
  const { t } = useI18n();
  const namespace = useNamespace();
  const me = identity();
  const { data } = useQuery({ queryKey: ['session'], queryFn: ({ signal }) => showSession(signal) });
  const strength = data && STRENGTH[data.acr];
  return (
    <>
      <AccountHeader />
      <div className="grid-2">
        <Panel title={t('account.identity')}>
          <Facts
            items={[
              { label: t('account.name'), value: me?.name },
              { label: t('login.username'), value: <code>{me?.username}</code> },
              { label: t('access.email'), value: data?.email || '–' },
              { label: t('access.groups'), value: me?.groups.join(', ') || t('common.none') },
              { label: t('account.subject'), value: <code>{me?.subject}</code> },
            ]}
          />
        </Panel>
        <Panel title={t('account.thisOne')}>
          <Facts
            items={[
              { label: t('account.strength'), value: strength ? t(strength) : '–' },
              { label: t('account.signedIn'), value: <Ago at={data?.signedInAt} /> },
              { label: t('account.expires'), value: <Ago at={data?.expiresAt} /> },
            ]}
          />
        </Panel>
      </div>
      <Panel title={t('access.myRights')} text={t('access.myRightsText', { namespace: namespace || 'default' })} flush>
        <MyRights namespace={namespace} />
      </Panel>
    </>
  );
}
