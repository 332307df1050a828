// SPDX-License-Identifier: Apache-2.0
import { Link2, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { clusterRoleBindings, remove, roleBindings } from '../../api/kube';
import type { RoleBinding, Subject } from '../../api/types';
import { useI18n } from '../../i18n';
import { useNamespace } from '../../lib/namespace';
import { Button, IconButton } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { Empty, ErrorView } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { Ago } from '../../ui/Time';
import { toast } from '../../ui/Toast';
import { AccessHeader } from './AccessHeader';
import { AssignRole } from './AssignRole';

export function subjectName(subject: Subject): string {
  return subject.kind === 'ServiceAccount' ? `${subject.namespace ?? ''}:${subject.name}` : subject.name;
}

const words = (binding: RoleBinding) => [binding.metadata.name, binding.metadata.namespace, binding.roleRef.name, ...(binding.subjects ?? []).map(subjectName)];

export default function Bindings() {
  const { t } = useI18n();
  const namespace = useNamespace();
  const everywhere = useList(clusterRoleBindings, '', 30_000);
  const local = useList(roleBindings, namespace, 30_000);
  const refresh = useRefresh();
  const [assigning, setAssigning] = useState(false);
  const [deleting, setDeleting] = useState<RoleBinding | null>(null);
  const error = local.error ?? everywhere.error;
  // Both at once, or else the rows of one would move those of the other.
  const waits = everywhere.isPending || local.isPending;
  const rows = !waits && (everywhere.data ?? local.data) ? [...(everywhere.data ?? []), ...(local.data ?? [])] : undefined;

  const removeBinding = async () => {
    if (!deleting) return;
    const { name, namespace: where } = deleting.metadata;
    const r = where ? roleBindings : clusterRoleBindings;
    await remove(r, name, where);
    toast(t('access.bindingDeleted', { name }));
    await refresh(r);
  };
  const kind = (subject: Subject) => t(`access.kind${subject.kind}`);
  const columns: Column<RoleBinding>[] = [
    {
      id: 'subjects',
      header: t('access.subject'),
      sort: (b) => (b.subjects?.[0] ? subjectName(b.subjects[0]) : ''),
      cell: (b) =>
        (b.subjects ?? []).map((subject) => (
          <div key={subject.kind + subjectName(subject)}>
            <span className="strong">{subjectName(subject)}</span> <span className="muted small">{kind(subject)}</span>
          </div>
        )),
    },
    { id: 'role', header: t('access.role'), sort: (b) => b.roleRef.name, cell: (b) => <span className="mono">{b.roleRef.name}</span> },
    { id: 'scope', header: t('access.scope'), sort: (b) => b.metadata.namespace ?? '', cell: (b) => (b.metadata.namespace ? b.metadata.namespace : <Badge tone="warn">{t('access.platform')}</Badge>) },
    { id: 'name', header: t('access.binding'), cell: (b) => <span className="muted mono small">{b.metadata.name}</span>, rank: 3 },
    { id: 'created', header: t('common.created'), sort: (b) => b.metadata.creationTimestamp ?? '', cell: (b) => <Ago at={b.metadata.creationTimestamp} />, rank: 2 },
    { id: 'actions', header: t('common.actions'), hideHeader: true, width: 'tight', cell: (b) => <IconButton label={t('access.removeBinding', { name: b.metadata.name })} icon={Trash2} onClick={() => setDeleting(b)} /> },
  ];
  return (
    <>
      <AccessHeader
        text={t('access.bindingsText')}
        actions={
          <Button variant="primary" icon={Plus} onClick={() => setAssigning(true)}>
            {t('access.assign')}
          </Button>
        }
      />
      <Panel flush>
        {error && !rows ? (
          <ErrorView error={error} onRetry={() => void Promise.all([everywhere.refetch(), local.refetch()])} />
        ) : (
          <Table caption={t('access.bindings')} columns={columns} rows={rows} rowKey={(b) => `${b.metadata.namespace ?? ''}/${b.metadata.name}`} words={words} empty={<Empty icon={Link2} title={t('access.noBindings')} />} />
        )}
      </Panel>
      {assigning && <AssignRole onClose={() => setAssigning(false)} />}
      <Confirm open={deleting !== null} onClose={() => setDeleting(null)} title={t('access.removeTitle', { role: deleting?.roleRef.name ?? '' })} text={t('access.removeText')} action={t('access.remove')} onConfirm={removeBinding} />
    </>
  );
}
