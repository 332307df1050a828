// SPDX-License-Identifier: Apache-2.0
import { type FormEvent, useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { create, groups, patch, users } from '../../api/kube';
import type { Group } from '../../api/types';
import { useI18n } from '../../i18n';
import { isName } from '../../lib/validate';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { CheckField, TextArea, TextField } from '../../ui/Field';
import { ErrorNotice } from '../../ui/Notice';
import { useTask } from '../../ui/task';
import { toast } from '../../ui/Toast';
import { MfaFields } from './MfaFields';

/** A new group, or one that is there. */
export function EditGroup({ group, onClose }: { group?: Group; onClose: () => void }) {
  const { t } = useI18n();
  const refresh = useRefresh();
  const people = useList(users);
  const [name, setName] = useState(group?.metadata.name ?? '');
  const [spec, setSpec] = useState<Group['spec']>(group?.spec ?? {});
  const [tried, setTried] = useState(false);
  const { busy, error, run } = useTask();
  const set = (change: Partial<Group['spec']>) => setSpec((old) => ({ ...old, ...change }));
  const members = spec.members ?? [];
  const known = [...new Set([...(people.data ?? []).map((user) => user.metadata.name), ...members])].sort();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!group && !isName(name)) return;
    void run(async () => {
      const clean = { displayName: spec.displayName?.trim() || undefined, description: spec.description?.trim() || undefined, members: members.length > 0 ? members : undefined, mfa: spec.mfa };
      if (group) {
        const empty = { displayName: null, description: null, members: null };
        const mfa = spec.mfa ? { required: null, level: null, graceSeconds: null, methods: null, ...spec.mfa } : null;
        await patch(groups, name, undefined, { spec: { ...empty, ...JSON.parse(JSON.stringify(clean)), mfa } });
      } else await create(groups, { metadata: { name }, spec: clean });
      toast(t(group ? 'access.groupChanged' : 'access.groupCreated', { name }));
      await refresh(groups);
      onClose();
    });
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={group ? t('access.editGroup', { name }) : t('access.newGroup')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="edit-group" busy={busy}>
            {t(group ? 'common.save' : 'common.create')}
          </Button>
        </>
      }
    >
      <form id="edit-group" className="form-grid" noValidate onSubmit={submit}>
        {error !== null && (
          <div className="wide">
            <ErrorNotice error={error} />
          </div>
        )}
        <TextField label={t('common.name')} required mono maxLength={63} readOnly={group !== undefined} value={name} error={tried && !group && !isName(name) ? t('form.name') : undefined} onChange={(event) => setName(event.target.value)} />
        <TextField label={t('access.displayName')} maxLength={128} value={spec.displayName ?? ''} onChange={(event) => set({ displayName: event.target.value })} />
        <div className="wide">
          <TextArea label={t('access.about')} rows={2} maxLength={1024} value={spec.description ?? ''} onChange={(event) => set({ description: event.target.value })} />
        </div>
        <fieldset className="fieldset wide">
          <legend>{t('access.members')}</legend>
          <div className="check-grid">
            {known.map((user) => (
              <CheckField key={user} mono label={user} checked={members.includes(user)} onChange={(on) => set({ members: on ? [...members, user] : members.filter((each) => each !== user) })} />
            ))}
          </div>
        </fieldset>
        <MfaFields value={spec.mfa} onChange={(mfa) => set({ mfa })} />
      </form>
    </Dialog>
  );
}
