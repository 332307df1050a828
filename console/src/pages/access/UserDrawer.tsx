// SPDX-License-Identifier: Apache-2.0
// One person, as an administrator sees her: account, factors, sessions; and what helps her when she is locked out.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { json, request } from '../../api/http';
import { act, urlOf, users } from '../../api/kube';
import type { User } from '../../api/types';
import { useI18n } from '../../i18n';
import { deviceOf } from '../../identity/device';
import { Button } from '../../ui/Button';
import { Secret } from '../../ui/Code';
import { Confirm, Dialog, Drawer } from '../../ui/Dialog';
import { ErrorNotice, Notice, Skeleton } from '../../ui/Notice';
import { Facts } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { useTask } from '../../ui/task';
import { Ago } from '../../ui/Time';
import { toast } from '../../ui/Toast';
import { METHODS, useMfaText } from './MfaFields';
import { UserState } from './UserState';

interface FactorInfo {
  factors: string[];
  recoveryCodesLeft: number;
  passkeys: { id: string; name: string }[];
}
interface SessionInfo {
  id: string;
  address?: string;
  userAgent?: string;
  createdAt: string;
  lastSeenAt?: string;
}

function Part({ title, action, children }: { title: string; action?: ReactNode; children: ReactNode }) {
  return (
    <section className="stack-s">
      <div className="between">
        <h3>{title}</h3>
        {action}
      </div>
      {children}
    </section>
  );
}

function useOf<T>(user: User, what: string) {
  const { name } = user.metadata;
  return useQuery({ queryKey: ['user', name, what], queryFn: ({ signal }) => json<T>(`${urlOf(users, undefined, name)}/${what}`, { signal }) });
}

function FactorsPart({ user, onReset }: { user: User; onReset: () => void }) {
  const { t } = useI18n();
  const { data, error } = useOf<FactorInfo>(user, 'factors');
  const nameOf = (factor: string) => {
    const method = METHODS.find((each) => each === factor);
    return method ? t(`access.method-${method}`) : factor;
  };
  const has = (data?.factors.length ?? 0) > 0;
  return (
    <Part title={t('access.factors')} action={has && <Button small onClick={onReset}>{t('access.resetFactors')}</Button>}>
      {error ? (
        <ErrorNotice error={error} />
      ) : !data ? (
        <Skeleton lines={1} />
      ) : has ? (
        <div className="row-wrap">
          {data.factors.map((factor) => (
            <Badge key={factor} tone="good">
              {nameOf(factor)}
              {factor === 'recovery' && ` · ${data.recoveryCodesLeft}`}
              {factor === 'webauthn' && ` · ${data.passkeys.map((passkey) => passkey.name).join(', ')}`}
            </Badge>
          ))}
        </div>
      ) : (
        <p className="muted">{t('access.noFactors')}</p>
      )}
    </Part>
  );
}

function SessionsPart({ user, onEnd }: { user: User; onEnd: () => void }) {
  const { t } = useI18n();
  const { data, error } = useOf<{ items: SessionInfo[] }>(user, 'sessions');
  const has = (data?.items.length ?? 0) > 0;
  return (
    <Part title={t('access.sessions')} action={has && <Button small onClick={onEnd}>{t('access.endSessions')}</Button>}>
      {error ? (
        <ErrorNotice error={error} />
      ) : !data ? (
        <Skeleton lines={2} />
      ) : has ? (
        <ul className="plain-list">
          {data.items.map((session) => (
            <li key={session.id}>
              <span className="strong">{deviceOf(session.userAgent)}</span> <span className="mono muted small">{session.address}</span> <span className="muted small">
                <Ago at={session.lastSeenAt ?? session.createdAt} />
              </span>
            </li>
          ))}
        </ul>
      ) : (
        <p className="muted">{t('access.noSessions')}</p>
      )}
    </Part>
  );
}

function PasswordPart({ user, onLink }: { user: User; onLink: (url: string) => void }) {
  const { t } = useI18n();
  const { busy, error, run } = useTask();
  const make = () => run(async () => onLink((await act<{ url: string }>(users, 'passwordlink', user.metadata.name)).url));
  return (
    <Part
      title={t('access.password')}
      action={
        <Button small busy={busy} onClick={() => void make()}>
          {t('access.makeLink')}
        </Button>
      }
    >
      {error !== null && <ErrorNotice error={error} />}
      <p className="muted">{t('access.passwordText')}</p>
    </Part>
  );
}

export function UserDrawer({ user, onClose, onEdit }: { user: User | null; onClose: () => void; onEdit: () => void }) {
  const { t } = useI18n();
  const client = useQueryClient();
  const mfaText = useMfaText();
  const [asking, setAsking] = useState<'factors' | 'sessions' | null>(null);
  const [link, setLink] = useState<string | null>(null);
  if (!user) return null;
  const { metadata, spec, status } = user;
  const drop = async () => {
    if (asking === null) return;
    await request(`${urlOf(users, undefined, metadata.name)}/${asking}`, { method: 'DELETE' });
    toast(t(asking === 'factors' ? 'access.factorsReset' : 'access.sessionsEnded', { name: metadata.name }));
    await Promise.all([client.invalidateQueries({ queryKey: ['user', metadata.name] }), client.invalidateQueries({ queryKey: ['list', users.plural] })]);
  };
  return (
    <>
      <Drawer open onClose={onClose} eyebrow={t('access.user')} title={spec.displayName || metadata.name} footer={<Button onClick={onEdit}>{t('common.edit')}</Button>}>
        <Facts
          items={[
            { label: t('access.username'), value: <code>{metadata.name}</code> },
            { label: t('common.state'), value: <UserState user={user} /> },
            { label: t('access.email'), value: spec.email || '–' },
            { label: t('access.groups'), value: spec.groups?.join(', ') || '–' },
            { label: t('access.mfa'), value: mfaText(spec.mfa) ?? t('access.mfaByGroups') },
            { label: t('access.lastSignIn'), value: <Ago at={status?.lastLogin} /> },
            ...(status?.lockedUntil ? [{ label: t('access.lockedUntil'), value: <Ago at={status.lockedUntil} /> }] : []),
            { label: t('common.created'), value: <Ago at={metadata.creationTimestamp} /> },
          ]}
        />
        <FactorsPart user={user} onReset={() => setAsking('factors')} />
        <SessionsPart user={user} onEnd={() => setAsking('sessions')} />
        <PasswordPart user={user} onLink={setLink} />
      </Drawer>
      <Confirm
        open={asking !== null}
        onClose={() => setAsking(null)}
        title={t(asking === 'factors' ? 'access.resetTitle' : 'access.endTitle', { name: metadata.name })}
        text={t(asking === 'factors' ? 'access.resetText' : 'access.endText')}
        action={t(asking === 'factors' ? 'access.resetFactors' : 'access.endSessions')}
        onConfirm={drop}
      />
      {link !== null && (
        <Dialog open onClose={() => setLink(null)} title={t('access.linkTitle', { name: metadata.name })} footer={<Button variant="primary" onClick={() => setLink(null)}>{t('common.done')}</Button>}>
          <Notice tone="warn">{t('access.linkOnce')}</Notice>
          <Secret value={link} label={t('access.passwordLink')} />
        </Dialog>
      )}
    </>
  );
}
