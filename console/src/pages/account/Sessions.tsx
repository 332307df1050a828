// SPDX-License-Identifier: Apache-2.0
// Where one is signed in, which browsers are known, and which applications one has let in.
import { useQuery } from '@tanstack/react-query';
import { AppWindow, Laptop, MonitorSmartphone } from 'lucide-react';
import { useState } from 'react';
import { request } from '../../api/http';
import { forget } from '../../auth/oidc';
import { useI18n } from '../../i18n';
import { type Consent, type Device, listConsents, listDevices, listSessions, revokeConsent, revokeDevice, revokeSession, type SessionItem } from '../../identity/api';
import { deviceOf } from '../../identity/device';
import { Button } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { Empty, ErrorView, Skeleton } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { Ago } from '../../ui/Time';
import { toast } from '../../ui/Toast';
import './account.css';
import { AccountHeader } from './AccountHeader';

function leave(): void {
  forget();
  window.location.assign('/login');
}

function SessionList() {
  const { t } = useI18n();
  const query = useQuery({ queryKey: ['sessions'], queryFn: ({ signal }) => listSessions(signal) });
  const [ending, setEnding] = useState<SessionItem | null>(null);
  const [endingOthers, setEndingOthers] = useState(false);
  const items = [...(query.data ?? [])].sort((a, b) => Number(b.current ?? false) - Number(a.current ?? false) || (b.lastSeenAt ?? '').localeCompare(a.lastSeenAt ?? ''));
  const others = items.filter((session) => !session.current);
  const end = async () => {
    if (!ending) return;
    await revokeSession(ending.id);
    if (ending.current) {
      leave();
      return;
    }
    toast(t('account.ended'));
    await query.refetch();
  };
  const endOthers = async () => {
    for (const session of others) await revokeSession(session.id);
    toast(t('account.othersEnded'));
    await query.refetch();
  };
  return (
    <Panel
      title={t('account.sessions')}
      text={t('account.sessionsText')}
      flush
      actions={
        others.length > 0 && (
          <Button small onClick={() => setEndingOthers(true)}>
            {t('account.endOthers')}
          </Button>
        )
      }
    >
      {query.error ? (
        <ErrorView error={query.error} onRetry={() => void query.refetch()} />
      ) : !query.data ? (
        <Skeleton lines={4} />
      ) : (
        <ul>
          {items.map((session) => (
            <li key={session.id} className="entry">
              <MonitorSmartphone className="icon" aria-hidden="true" />
              <div className="grow">
                <p className="row-wrap">
                  <span className="strong">{deviceOf(session.userAgent)}</span>
                  {session.current && <Badge tone="accent">{t('account.thisOne')}</Badge>}
                </p>
                <p className="muted small">
                  <span className="mono">{session.address || '–'}</span> · {t('account.opened')} <Ago at={session.createdAt} />
                  {session.lastSeenAt && (
                    <>
                      {' '}
                      · {t('account.seen')} <Ago at={session.lastSeenAt} />
                    </>
                  )}
                </p>
              </div>
              <Button small aria-label={t('account.endOne', { device: deviceOf(session.userAgent) })} onClick={() => setEnding(session)}>
                {t('account.end')}
              </Button>
            </li>
          ))}
        </ul>
      )}
      <Confirm open={ending !== null} onClose={() => setEnding(null)} title={t('account.endTitle')} text={ending?.current ? t('account.endCurrentText') : t('account.endText', { device: deviceOf(ending?.userAgent) })} action={t('account.end')} onConfirm={end} />
      <Confirm open={endingOthers} onClose={() => setEndingOthers(false)} title={t('account.endOthersTitle')} text={t('account.endOthersText')} action={t('account.endOthers')} onConfirm={endOthers} />
    </Panel>
  );
}

function DeviceList() {
  const { t, f } = useI18n();
  const query = useQuery({ queryKey: ['devices'], queryFn: ({ signal }) => listDevices(signal) });
  const [forgetting, setForgetting] = useState<Device | null>(null);
  const drop = async () => {
    if (!forgetting) return;
    await revokeDevice(forgetting.id);
    toast(t('account.deviceForgotten'));
    await query.refetch();
  };
  if (query.error) return <ErrorView error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton lines={3} />;
  if (query.data.length === 0) return <Empty icon={Laptop} title={t('account.noDevices')} />;
  return (
    <>
      <ul>
        {query.data.map((device) => (
          <li key={device.id} className="entry">
            <Laptop className="icon" aria-hidden="true" />
            <div className="grow">
              <p className="row-wrap">
                <span className="strong">{deviceOf(device.userAgent)}</span>
                {device.current && <Badge tone="accent">{t('account.thisBrowser')}</Badge>}
                {device.trustedUntil && <Badge tone="good">{t('account.trustedUntil', { date: f.date(device.trustedUntil) })}</Badge>}
              </p>
              <p className="muted small">
                <span className="mono">{device.address || '–'}</span> · {t('account.seen')} <Ago at={device.lastSeenAt} />
              </p>
            </div>
            <Button small aria-label={t('account.forgetOne', { device: deviceOf(device.userAgent) })} onClick={() => setForgetting(device)}>
              {t('account.forget')}
            </Button>
          </li>
        ))}
      </ul>
      <Confirm open={forgetting !== null} onClose={() => setForgetting(null)} title={t('account.forgetTitle')} text={t('account.forgetText')} action={t('account.forget')} onConfirm={drop} />
    </>
  );
}

function ConsentList() {
  const { t } = useI18n();
  const query = useQuery({ queryKey: ['consents'], queryFn: ({ signal }) => listConsents(signal) });
  const [revoking, setRevoking] = useState<Consent | null>(null);
  const revoke = async () => {
    if (!revoking) return;
    await revokeConsent(revoking.client);
    toast(t('account.consentRevoked', { name: revoking.client }));
    await query.refetch();
  };
  if (query.error) return <ErrorView error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton lines={3} />;
  if (query.data.length === 0) return <Empty icon={AppWindow} title={t('account.noConsents')} />;
  return (
    <>
      <ul>
        {query.data.map((consent) => (
          <li key={consent.client} className="entry">
            <AppWindow className="icon" aria-hidden="true" />
            <div className="grow">
              <p className="strong break">{consent.client}</p>
              <p className="muted small break">
                <span className="mono">{consent.scope}</span> · <Ago at={consent.givenAt} />
              </p>
            </div>
            <Button small aria-label={t('account.revokeOne', { name: consent.client })} onClick={() => setRevoking(consent)}>
              {t('account.revoke')}
            </Button>
          </li>
        ))}
      </ul>
      <Confirm open={revoking !== null} onClose={() => setRevoking(null)} title={t('account.revokeTitle', { name: revoking?.client ?? '' })} text={t('account.revokeText')} action={t('account.revoke')} onConfirm={revoke} />
    </>
  );
}

export default function Sessions() {
  const { t } = useI18n();
  const [everywhere, setEverywhere] = useState(false);
  return (
    <>
      <AccountHeader />
      <SessionList />
      <div className="grid-2">
        <Panel title={t('account.devices')} text={t('account.devicesText')} flush>
          <DeviceList />
        </Panel>
        <Panel title={t('account.consents')} text={t('account.consentsText')} flush>
          <ConsentList />
        </Panel>
      </div>
      <Panel title={t('account.everywhere')} text={t('account.everywhereText')} flush actions={<Button onClick={() => setEverywhere(true)}>{t('account.everywhere')}</Button>}>
        {null}
      </Panel>
      <Confirm
        open={everywhere}
        onClose={() => setEverywhere(false)}
        title={t('account.everywhereTitle')}
        text={t('account.everywhereText')}
        action={t('account.everywhere')}
        onConfirm={async () => {
          await request('/session/all', { method: 'DELETE', bearer: false });
          leave();
        }}
      />
    </>
  );
}
