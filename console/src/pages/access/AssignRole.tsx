// SPDX-License-Identifier: Apache-2.0
// A role for a subject: a ClusterRoleBinding for the whole platform, a RoleBinding for one namespace.
import { type FormEvent, useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { clusterRoleBindings, clusterRoles, create, namespaces, roleBindings } from '../../api/kube';
import type { Subject } from '../../api/types';
import { useI18n } from '../../i18n';
import { useNamespace } from '../../lib/namespace';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { SelectField, TextField } from '../../ui/Field';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { toast } from '../../ui/Toast';

const GROUP = 'rbac.authorization.k8s.io';

export function bindingName(subject: Subject, role: string): string {
  return `${subject.kind}-${subject.name}-${role}`.toLowerCase().replace(/[^a-z0-9.-]+/g, '-').replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '').slice(0, 253);
}

export function AssignRole({ subject, onClose }: { subject?: { kind: 'User' | 'Group'; name: string }; onClose: () => void }) {
  const { t } = useI18n();
  const current = useNamespace();
  const roles = useList(clusterRoles);
  const spaces = useList(namespaces);
  const refresh = useRefresh();
  const [kind, setKind] = useState<'User' | 'Group'>(subject?.kind ?? 'User');
  const [name, setName] = useState(subject?.name ?? '');
  const [role, setRole] = useState('');
  const [scope, setScope] = useState(current);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const roleNames = (roles.data ?? []).map((each) => each.metadata.name).sort();
  const chosen = role || roleNames[0] || '';

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || !chosen || !name.trim()) return;
    setBusy(true);
    setError(null);
    const who: Subject = { kind, name: name.trim(), apiGroup: GROUP };
    const body = { subjects: [who], roleRef: { apiGroup: GROUP, kind: 'ClusterRole', name: chosen } };
    try {
      if (scope) await create(roleBindings, { metadata: { name: bindingName(who, chosen), namespace: scope }, ...body });
      else await create(clusterRoleBindings, { metadata: { name: bindingName(who, chosen) }, ...body });
      await refresh(scope ? roleBindings : clusterRoleBindings);
      toast(t('access.assigned', { role: chosen, name: who.name }));
      onClose();
    } catch (cause) {
      setError(cause);
      setBusy(false);
    }
  };

  return (
    <Dialog
      open
      onClose={onClose}
      title={subject ? t('access.assignTo', { name: subject.name }) : t('access.assign')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="assign-role" busy={busy} disabled={!chosen}>
            {t('access.assign')}
          </Button>
        </>
      }
    >
      <form id="assign-role" className="stack" onSubmit={(event) => void submit(event)}>
        {error !== null && <ErrorNotice error={error} />}
        {!subject && (
          <div className="form-grid">
            <SelectField
              label={t('access.subjectKind')}
              value={kind}
              onChange={(event) => setKind(event.target.value as 'User' | 'Group')}
              choices={[
                { value: 'User', label: t('access.user') },
                { value: 'Group', label: t('access.group') },
              ]}
            />
            <TextField label={t('common.name')} required mono value={name} onChange={(event) => setName(event.target.value)} />
          </div>
        )}
        <SelectField label={t('access.role')} choices={roleNames.map((each) => ({ value: each, label: each }))} value={chosen} onChange={(event) => setRole(event.target.value)} />
        <SelectField
          label={t('access.scope')}
          value={scope}
          onChange={(event) => setScope(event.target.value)}
          choices={[{ value: '', label: t('access.platform') }, ...[...new Set([current, ...(spaces.data ?? []).map((ns) => ns.metadata.name)])].filter(Boolean).map((each) => ({ value: each, label: each }))]}
        />
        {scope === '' && <Notice tone="warn">{t('access.platformWarning')}</Notice>}
      </form>
    </Dialog>
  );
}
