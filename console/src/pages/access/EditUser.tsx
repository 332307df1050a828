// SPDX-License-Identifier: Apache-2.0
import { type FormEvent, useState } from 'react';
import { useRefresh } from '../../api/hooks';
import { patch, users } from '../../api/kube';
import type { User } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { CheckField, TextField } from '../../ui/Field';
import { ErrorNotice } from '../../ui/Notice';
import { useTask } from '../../ui/task';
import { toast } from '../../ui/Toast';
import { useGroupNames } from './groupNames';
import { MfaFields } from './MfaFields';

export function EditUser({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useI18n();
  const refresh = useRefresh();
  const { name } = user.metadata;
  const [spec, setSpec] = useState(user.spec);
  const known = [...new Set([...useGroupNames(), ...(user.spec.groups ?? [])])].sort();
  const { busy, error, run } = useTask();
  const set = (change: Partial<User['spec']>) => setSpec((old) => ({ ...old, ...change }));
  const groups = spec.groups ?? [];

  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      const body = {
        displayName: spec.displayName?.trim() || null,
        email: spec.email?.trim() || null,
        groups: groups.length > 0 ? groups : null,
        mfa: spec.mfa ?? null,
        passwordChangeRequired: spec.passwordChangeRequired || null,
        expiresAt: spec.expiresAt || null,
      };
      // A merge patch keeps what is not named: an old policy must not shine through a new one.
      await patch(users, name, undefined, { spec: { ...body, ...(spec.mfa && { mfa: { required: null, level: null, graceSeconds: null, methods: null, ...spec.mfa } }) } });
      toast(t('access.userChanged', { name }));
      await refresh(users);
      onClose();
    });
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={t('access.editUser', { name })}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="edit-user" busy={busy}>
            {t('common.save')}
          </Button>
        </>
      }
    >
      <form id="edit-user" className="form-grid" onSubmit={submit}>
        {error !== null && (
          <div className="wide">
            <ErrorNotice error={error} />
          </div>
        )}
        <TextField label={t('access.displayName')} maxLength={128} value={spec.displayName ?? ''} onChange={(event) => set({ displayName: event.target.value })} />
        <TextField label={t('access.email')} type="email" maxLength={254} value={spec.email ?? ''} onChange={(event) => set({ email: event.target.value })} />
        <TextField
          label={t('access.expiresAt')}
          type="date"
          hint={t('access.expiresHint')}
          value={spec.expiresAt?.slice(0, 10) ?? ''}
          onChange={(event) => set({ expiresAt: event.target.value ? `${event.target.value}T23:59:59Z` : undefined })}
        />
        <fieldset className="fieldset wide">
          <legend>{t('access.groups')}</legend>
          <div className="check-grid">
            {known.map((group) => (
              <CheckField key={group} mono label={group} checked={groups.includes(group)} onChange={(on) => set({ groups: on ? [...groups, group] : groups.filter((each) => each !== group) })} />
            ))}
          </div>
        </fieldset>
        <MfaFields value={spec.mfa} onChange={(mfa) => set({ mfa })} />
        <fieldset className="fieldset wide">
          <legend>{t('access.nextSignIn')}</legend>
          <CheckField label={t('access.mustChange')} checked={spec.passwordChangeRequired ?? false} onChange={(passwordChangeRequired) => set({ passwordChangeRequired })} />
        </fieldset>
      </form>
    </Dialog>
  );
}
