// SPDX-License-Identifier: Apache-2.0
import { ShieldPlus, UsersRound } from 'lucide-react';
import { useState } from 'react';
import { useList } from '../../api/hooks';
import { groups, users } from '../../api/kube';
import type { Group } from '../../api/types';
import { useI18n } from '../../i18n';
import { IconButton } from '../../ui/Button';
import { Empty, ErrorView } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { type Column, Table } from '../../ui/Table';
import { Ago } from '../../ui/Time';
import { AccessHeader } from './AccessHeader';
import { AssignRole } from './AssignRole';

const words = ({ metadata, spec }: Group) => [metadata.name, spec.displayName, ...(spec.members ?? [])];

export default function Groups() {
  const { t, f } = useI18n();
  const query = useList(groups, '', 30_000);
  const people = useList(users, '');
  const [assigning, setAssigning] = useState<Group | null>(null);
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
          <div className="strong clip">{g.spec.displayName || g.metadata.name}</div>
          <div className="muted small clip">{g.metadata.name}</div>
        </div>
      ),
    },
    { id: 'count', header: t('access.members'), sort: (g) => membersOf(g).length, cell: (g) => f.number(membersOf(g).length), align: 'right' },
    { id: 'members', header: t('access.who'), cell: (g) => <span className="second">{membersOf(g).slice(0, 6).join(', ') || '–'}</span>, rank: 2, width: 'wide' },
    { id: 'created', header: t('common.created'), cell: (g) => <Ago at={g.metadata.creationTimestamp} />, rank: 3 },
    { id: 'actions', header: t('common.actions'), hideHeader: true, width: 'tight', cell: (g) => <IconButton label={t('access.assignTo', { name: g.metadata.name })} icon={ShieldPlus} onClick={() => setAssigning(g)} /> },
  ];
  return (
    <>
      <AccessHeader text={t('access.groupsText')} />
      <Panel flush>
        {query.error && !query.data ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table caption={t('access.groups')} columns={columns} rows={query.data} rowKey={(g) => g.metadata.name} words={words} empty={<Empty icon={UsersRound} title={t('access.noGroups')} />} />
        )}
      </Panel>
      {assigning && <AssignRole subject={{ kind: 'Group', name: assigning.metadata.name }} onClose={() => setAssigning(null)} />}
    </>
  );
}
