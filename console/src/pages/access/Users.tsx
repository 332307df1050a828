// SPDX-License-Identifier: Apache-2.0
import { Ban, CircleCheck, Ellipsis, Pencil, ShieldCheck, ShieldPlus, Trash2, UserPlus, Users as UsersIcon } from 'lucide-react';
import { useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { patch, remove, users } from '../../api/kube';
import type { User } from '../../api/types';
import { identity } from '../../auth/oidc';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { Menu, MenuItem, MenuRule } from '../../ui/Menu';
import { Empty, ErrorView } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { Ago } from '../../ui/Time';
import { toast, toastError } from '../../ui/Toast';
import { AccessHeader } from './AccessHeader';
import { AssignRole } from './AssignRole';
import { EditUser } from './EditUser';
import { InviteUser } from './InviteUser';
import { UserDrawer } from './UserDrawer';
import { UserState } from './UserState';

const words = ({ metadata, spec }: User) => [metadata.name, spec.displayName, spec.email, ...(spec.groups ?? [])];

function Clipped({ text }: { text: string | undefined }) {
  return (
    <span className="clip text-cell" title={text}>
      {text || '–'}
    </span>
  );
}

export default function Users() {
  const { t } = useI18n();
  const query = useList(users, '', 30_000);
  const refresh = useRefresh();
  const [inviting, setInviting] = useState(false);
  const [assigning, setAssigning] = useState<User | null>(null);
  const [open, setOpen] = useState<string | null>(null);
  const [editing, setEditing] = useState<User | null>(null);
  const [disabling, setDisabling] = useState<User | null>(null);
  const [deleting, setDeleting] = useState<User | null>(null);
  const me = identity()?.username;

  const setDisabled = async (user: User, disabled: boolean) => {
    await patch(users, user.metadata.name, undefined, { spec: { disabled } });
    toast(t(disabled ? 'access.userDisabled' : 'access.userEnabled', { name: user.metadata.name }));
    await refresh(users);
  };
  const enable = (user: User) => setDisabled(user, false).catch((error: unknown) => toastError(t('error.change', { name: user.metadata.name }), error));
  const removeUser = async () => {
    if (!deleting) return;
    await remove(users, deleting.metadata.name);
    toast(t('access.userDeleted', { name: deleting.metadata.name }));
    await refresh(users);
  };

  const shown = query.data?.find((user) => user.metadata.name === open) ?? null;
  const columns: Column<User>[] = [
    {
      id: 'name',
      header: t('access.user'),
      sort: (u) => u.metadata.name,
      cell: (u) => (
        <div className="name-cell" title={u.metadata.name}>
          <button type="button" className="primary-cell clip" onClick={() => setOpen(u.metadata.name)}>
            {u.spec.displayName || u.metadata.name}
          </button>
          <div className="muted small clip">{u.metadata.name}</div>
        </div>
      ),
    },
    { id: 'state', header: t('common.state'), cell: (u) => <UserState user={u} /> },
    {
      id: 'mfa',
      header: t('access.secondFactor'),
      cell: (u) =>
        u.status?.mfaMethods?.length ? (
          <Badge tone="good" icon={ShieldCheck}>
            {t('access.yes')}
          </Badge>
        ) : (
          <span className="muted">{t('access.no')}</span>
        ),
      rank: 2,
    },
    { id: 'email', header: t('access.email'), cell: (u) => <Clipped text={u.spec.email} />, rank: 3 },
    { id: 'groups', header: t('access.groups'), cell: (u) => <Clipped text={u.spec.groups?.join(', ')} />, rank: 2 },
    { id: 'last', header: t('access.lastSignIn'), sort: (u) => u.status?.lastLogin ?? '', cell: (u) => <Ago at={u.status?.lastLogin} />, rank: 2 },
    { id: 'created', header: t('common.created'), sort: (u) => u.metadata.creationTimestamp ?? '', cell: (u) => <Ago at={u.metadata.creationTimestamp} />, rank: 3 },
    {
      id: 'actions',
      header: t('common.actions'),
      hideHeader: true,
      width: 'tight',
      cell: (u) => (
        <Menu trigger={<IconButton label={t('common.actionsFor', { name: u.metadata.name })} icon={Ellipsis} />}>
          <MenuItem icon={Pencil} onClick={() => setEditing(u)}>
            {t('common.edit')}
          </MenuItem>
          <MenuItem icon={ShieldPlus} onClick={() => setAssigning(u)}>
            {t('access.assign')}
          </MenuItem>
          <MenuRule />
          {u.spec.disabled ? (
            <MenuItem icon={CircleCheck} onClick={() => void enable(u)}>
              {t('common.enable')}
            </MenuItem>
          ) : (
            <MenuItem icon={Ban} disabled={u.metadata.name === me} onClick={() => setDisabling(u)}>
              {t('common.disable')}
            </MenuItem>
          )}
          <MenuItem icon={Trash2} danger disabled={u.metadata.name === me} onClick={() => setDeleting(u)}>
            {t('common.delete')}
          </MenuItem>
        </Menu>
      ),
    },
  ];
  return (
    <>
      <AccessHeader
        text={t('access.usersText')}
        actions={
          <Button variant="primary" icon={UserPlus} onClick={() => setInviting(true)}>
            {t('access.invite')}
          </Button>
        }
      />
      <Panel flush>
        {query.error && !query.data ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table caption={t('access.users')} columns={columns} rows={query.data} rowKey={(u) => u.metadata.name} words={words} onRow={(u) => setOpen(u.metadata.name)} selected={open ?? undefined} empty={<Empty icon={UsersIcon} title={t('access.noUsers')} />} />
        )}
      </Panel>
      <UserDrawer user={shown} onClose={() => setOpen(null)} onEdit={() => setEditing(shown)} />
      {editing && <EditUser user={editing} onClose={() => setEditing(null)} />}
      {inviting && <InviteUser onClose={() => setInviting(false)} />}
      {assigning && <AssignRole subject={{ kind: 'User', name: assigning.metadata.name }} onClose={() => setAssigning(null)} />}
      <Confirm
        open={disabling !== null}
        onClose={() => setDisabling(null)}
        title={t('access.disableTitle', { name: disabling?.metadata.name ?? '' })}
        text={t('access.disableText')}
        action={t('common.disable')}
        onConfirm={async () => {
          if (disabling) await setDisabled(disabling, true);
        }}
      />
      <Confirm open={deleting !== null} onClose={() => setDeleting(null)} title={t('access.deleteTitle', { name: deleting?.metadata.name ?? '' })} text={t('access.deleteText')} action={t('common.delete')} onConfirm={removeUser} />
    </>
  );
}
