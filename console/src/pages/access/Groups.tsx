// SPDX-License-Identifier: Apache-2.0
import { Ellipsis, Pencil, Plus, ShieldPlus, Trash2, UsersRound } from 'lucide-react';
import { useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { groups, remove, users } from '../../api/kube';
import type { Group } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { Menu, MenuItem, MenuRule } from '../../ui/Menu';
import { Empty, ErrorView } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { type Column, Table } from '../../ui/Table';
import { Ago } from '../../ui/Time';
import { toast } from '../../ui/Toast';
import './access.css';
import { AccessHeader } from './AccessHeader';
import { AssignRole } from './AssignRole';
import { EditGroup } from './EditGroup';
import { useMfaText } from './MfaFields';

const words = ({ metadata, spec }: Group) => [metadata.name, spec.displayName, ...(spec.members ?? [])];

export default function Groups() {
  const { t, f } = useI18n();
  const query = useList(groups, '', 30_000);
  const people = useList(users, '');
  const refresh = useRefresh();
  const mfaText = useMfaText();
  const [creating, setCreating] = useState(false);
  const [editing, setEditing] = useState<Group | null>(null);
  const [assigning, setAssigning] = useState<Group | null>(null);
  const [deleting, setDeleting] = useState<Group | null>(null);
  const membersOf = (group: Group) => {
    const named = (people.data ?? []).filter((user) => user.spec.groups?.includes(group.metadata.name)).map((user) => user.metadata.name);
    return [...new Set([...(group.spec.members ?? []), ...named])];
  };
  const columns: Column<Group>[] = [
    {
      id: 'name',
      header: t('access.group'),
      sort: (g) => g.metadata.name,
      cell: (g) => (
        <div className="name-cell" title={g.metadata.name}>
          <button type="button" className="primary-cell clip" onClick={() => setEditing(g)}>
            {g.spec.displayName || g.metadata.name}
          </button>
          <div className="muted small clip">{g.metadata.name}</div>
        </div>
      ),
    },
    { id: 'count', header: t('access.members'), sort: (g) => membersOf(g).length, cell: (g) => f.number(membersOf(g).length), align: 'right' },
    { id: 'members', header: t('access.who'), cell: (g) => <span className="second">{membersOf(g).slice(0, 6).join(', ') || '–'}</span>, rank: 2, width: 'wide' },
    { id: 'mfa', header: t('access.mfa'), cell: (g) => mfaText(g.spec.mfa) ?? <span className="muted">–</span>, rank: 2 },
    { id: 'created', header: t('common.created'), cell: (g) => <Ago at={g.metadata.creationTimestamp} />, rank: 3 },
    {
      id: 'actions',
      header: t('common.actions'),
      hideHeader: true,
      width: 'tight',
      cell: (g) => (
        <Menu trigger={<IconButton label={t('common.actionsFor', { name: g.metadata.name })} icon={Ellipsis} />}>
          <MenuItem icon={Pencil} onClick={() => setEditing(g)}>
            {t('common.edit')}
          </MenuItem>
          <MenuItem icon={ShieldPlus} onClick={() => setAssigning(g)}>
            {t('access.assign')}
          </MenuItem>
          <MenuRule />
          <MenuItem icon={Trash2} danger onClick={() => setDeleting(g)}>
            {t('common.delete')}
          </MenuItem>
        </Menu>
      ),
    },
  ];
  const createButton = (
    <Button variant="primary" icon={Plus} onClick={() => setCreating(true)}>
      {t('access.newGroup')}
    </Button>
  );
  return (
    <>
      <AccessHeader text={t('access.groupsText')} actions={createButton} />
      <Panel flush>
        {query.error && !query.data ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table caption={t('access.groups')} columns={columns} rows={query.data} rowKey={(g) => g.metadata.name} words={words} empty={<Empty icon={UsersRound} title={t('access.noGroups')} action={createButton} />} />
        )}
      </Panel>
      {creating && <EditGroup onClose={() => setCreating(false)} />}
      {editing && <EditGroup group={editing} onClose={() => setEditing(null)} />}
      {assigning && <AssignRole subject={{ kind: 'Group', name: assigning.metadata.name }} onClose={() => setAssigning(null)} />}
      <Confirm
        open={deleting !== null}
        onClose={() => setDeleting(null)}
        title={t('access.deleteGroupTitle', { name: deleting?.metadata.name ?? '' })}
        text={t('access.deleteGroupText')}
        action={t('common.delete')}
        onConfirm={async () => {
          if (!deleting) return;
          await remove(groups, deleting.metadata.name);
          toast(t('access.groupDeleted', { name: deleting.metadata.name }));
          await refresh(groups);
        }}
      />
    </>
  );
}
