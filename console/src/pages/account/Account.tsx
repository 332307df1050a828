// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { MonitorSmartphone } from 'lucide-react';
import { useState } from 'react';
import { listSessions, revokeSession, type SessionItem } from '../../api/session';
import { forget, identity } from '../../auth/oidc';
import { useI18n } from '../../i18n';
import { useNamespace } from '../../lib/namespace';
import { Button } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { ErrorView, Skeleton } from '../../ui/Notice';
import { Facts, PageHeader, Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { Ago } from '../../ui/Time';
import { toast } from '../../ui/Toast';
import { MyRights } from '../access/WhoCan';
import './account.css';

/** The browser and the system in a User-Agent, as far as a person cares. */
export function deviceOf(userAgent: string | undefined): string {
  if (!userAgent) return '–';
  const browser = [['Edg/', 'Edge'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari'], ['drun/', 'drun'], ['curl/', 'curl']].find(([mark]) => userAgent.includes(mark ?? ''))?.[1];
  const system = [['Android', 'Android'], ['iPhone', 'iOS'], ['iPad', 'iPadOS'], ['Windows', 'Windows'], ['Mac OS', 'macOS'], ['Linux', 'Linux']].find(([mark]) => userAgent.includes(mark ?? ''))?.[1];
  return [browser ?? userAgent.slice(0, 40), system].filter(Boolean).join(' · ');
}

function Sessions() {
  const { t } = useI18n();
  const query = useQuery({ queryKey: ['sessions'], queryFn: ({ signal }) => listSessions(signal) });
  const [ending, setEnding] = useState<SessionItem | null>(null);
  const end = async () => {
    if (!ending) return;
    await revokeSession(ending.id);
    if (ending.current) {
      forget();
      window.location.assign('/login');
      return;
    }
    toast(t('account.ended'));
    await query.refetch();
  };
  if (query.error) return <ErrorView error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton lines={4} />;
  return (
    <>
      <ul>
        {query.data.map((session) => (
          <li key={session.id} className="session">
            <MonitorSmartphone className="icon" aria-hidden="true" />
            <div className="grow">
              <p className="row-wrap">
                <span className="strong">{deviceOf(session.userAgent)}</span>
                {session.current && <Badge tone="accent">{t('account.thisOne')}</Badge>}
              </p>
              <p className="muted small">
                <span className="mono">{session.address ?? '–'}</span> · {t('account.opened')} <Ago at={session.createdAt} />
                {session.lastSeenAt && (
                  <>
                    {' '}
                    · {t('account.seen')} <Ago at={session.lastSeenAt} />
                  </>
                )}
              </p>
            </div>
            <Button small onClick={() => setEnding(session)}>
              {t('account.end')}
            </Button>
          </li>
        ))}
      </ul>
      <Confirm open={ending !== null} onClose={() => setEnding(null)} title={t('account.endTitle')} text={ending?.current ? t('account.endCurrentText') : t('account.endText', { device: deviceOf(ending?.userAgent) })} action={t('account.end')} onConfirm={end} />
    </>
  );
}

export default function Account() {
  const { t } = useI18n();
  const namespace = useNamespace();
  const me = identity();
  return (
    <>
      <PageHeader title={t('nav.account')} text={t('account.text')} />
      <div className="grid-2">
        <Panel title={t('account.identity')}>
          <Facts
            items={[
              { label: t('account.name'), value: me?.name },
              { label: t('login.username'), value: <code>{me?.username}</code> },
              { label: t('account.subject'), value: <code>{me?.subject}</code> },
              { label: t('access.groups'), value: me?.groups.join(', ') || t('common.none') },
            ]}
          />
        </Panel>
        <Panel title={t('account.sessions')} text={t('account.sessionsText')} flush>
          <Sessions />
        </Panel>
      </div>
      <Panel title={t('access.myRights')} text={t('access.myRightsText', { namespace: namespace || 'default' })} flush>
        <MyRights namespace={namespace} />
      </Panel>
    </>
  );
}
