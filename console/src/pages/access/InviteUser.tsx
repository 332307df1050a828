// SPDX-License-Identifier: Apache-2.0
import { type FormEvent, useState } from 'react';
import { useRefresh } from '../../api/hooks';
import { create, users } from '../../api/kube';
import type { User } from '../../api/types';
import { useI18n } from '../../i18n';
import { isName } from '../../lib/validate';
import { Button } from '../../ui/Button';
import { Secret } from '../../ui/Code';
import { Dialog } from '../../ui/Dialog';
import { CheckField, TextField } from '../../ui/Field';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { useGroupNames } from './groupNames';

function Invited({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useI18n();
  const [saved, setSaved] = useState(false);
  return (
    <Dialog
      open
      dismissible={false}
      onClose={onClose}
      title={t('access.invitedTitle', { name: user.spec.displayName ?? user.metadata.name })}
      footer={
        <div className="between grow">
          <CheckField label={t('access.linkSaved')} checked={saved} onChange={setSaved} />
          <Button variant="primary" disabled={!saved} onClick={onClose}>
            {t('common.done')}
          </Button>
        </div>
      }
    >
      <Notice tone="warn">{t('access.linkOnce')}</Notice>
      <Secret value={user.status?.inviteURL ?? ''} label={t('access.inviteLink')} />
    </Dialog>
  );
}

export function InviteUser({ onClose }: { onClose: () => void }) {
  const { t } = useI18n();
  const known = useGroupNames();
  const refresh = useRefresh();
  const [name, setName] = useState('');
  const [displayName, setDisplayName] = useState('');
  const [email, setEmail] = useState('');
  const [member, setMember] = useState<string[]>([]);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [made, setMade] = useState<User | null>(null);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (busy || !isName(name)) return;
    setBusy(true);
    setError(null);
    try {
      setMade(await create(users, { metadata: { name }, spec: { displayName: displayName.trim() || undefined, email: email.trim() || undefined, groups: member.length > 0 ? member : undefined } }));
      void refresh(users);
    } catch (cause) {
      setError(cause);
    } finally {
      setBusy(false);
    }
  };

  if (made?.status?.inviteURL) return <Invited user={made} onClose={onClose} />;
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('access.invite')}
      description={t('access.inviteText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="invite-user" busy={busy}>
            {t('access.inviteSubmit')}
          </Button>
        </>
      }
    >
      <form id="invite-user" className="stack" noValidate onSubmit={(event) => void submit(event)}>
        {error !== null && <ErrorNotice error={error} />}
        <TextField label={t('access.username')} required mono maxLength={63} value={name} error={tried && !isName(name) ? t('form.name') : undefined} onChange={(event) => setName(event.target.value)} />
        <TextField label={t('access.displayName')} maxLength={128} value={displayName} onChange={(event) => setDisplayName(event.target.value)} />
        <TextField label={t('access.email')} type="email" maxLength={254} value={email} onChange={(event) => setEmail(event.target.value)} />
        {known.length > 0 && (
          <fieldset className="fieldset">
            <legend>{t('access.groups')}</legend>
            {known.map((group) => (
              <CheckField key={group} mono label={group} checked={member.includes(group)} onChange={(on) => setMember(on ? [...member, group] : member.filter((each) => each !== group))} />
            ))}
          </fieldset>
        )}
      </form>
    </Dialog>
  );
}
