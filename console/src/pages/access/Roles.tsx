// SPDX-License-Identifier: Apache-2.0
import { Shield } from 'lucide-react';
import { useState } from 'react';
import { useList } from '../../api/hooks';
import { clusterRoleBindings, clusterRoles, roleBindings } from '../../api/kube';
import type { Role, Rule } from '../../api/types';
import { useI18n } from '../../i18n';
import { Drawer } from '../../ui/Dialog';
import { Empty, ErrorView } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { type Column, Table } from '../../ui/Table';
import { AccessHeader } from './AccessHeader';
import './access.css';

export function Rules({ rules }: { rules: Rule[] }) {
  const { t } = useI18n();
  const what = (rule: Rule) => (rule.nonResourceURLs ?? (rule.resources ?? []).map((r) => (rule.apiGroups?.[0] ? `${r}.${rule.apiGroups[0]}` : r))).join(', ');
  const columns: Column<Rule>[] = [
    { id: 'verbs', header: t('access.verbs'), cell: (rule) => <Verbs verbs={rule.verbs} /> },
    {
      id: 'what',
      header: t('access.resources'),
      cell: (rule) => (
        <span className="mono small break">
          {what(rule)}
          {rule.resourceNames && rule.resourceNames.length > 0 && <span className="muted"> [{rule.resourceNames.join(', ')}]</span>}
        </span>
      ),
    },
  ];
  return <Table caption={t('access.rules')} columns={columns} rows={rules} rowKey={(rule) => JSON.stringify(rule)} empty={<p className="muted">{t('access.noRules')}</p>} />;
}

function Verbs({ verbs }: { verbs: string[] }) {
  return (
    <span className="verbs">
      {verbs.map((verb) => (
        <span key={verb} className={`verb mono${/^(create|update|patch|delete|deletecollection|escalate|bind|impersonate|\*)$/.test(verb) ? ' verb-strong' : ''}`}>
          {verb}
        </span>
      ))}
    </span>
  );
}

const words = (role: Role) => [role.metadata.name];

export default function Roles() {
  const { t, tn, f } = useI18n();
  const query = useList(clusterRoles, '', 60_000);
  const everywhere = useList(clusterRoleBindings);
  const local = useList(roleBindings);
  const [open, setOpen] = useState<Role | null>(null);
  const uses = (role: Role) => [...(everywhere.data ?? []), ...(local.data ?? [])].filter((b) => b.roleRef.kind === 'ClusterRole' && b.roleRef.name === role.metadata.name).length;
  const described = (query.data ?? []).some((role) => role.metadata.annotations?.['drun.io/description']);
  const columns: Column<Role>[] = [
    {
      id: 'name',
      header: t('access.role'),
      sort: (r) => r.metadata.name,
      cell: (r) => (
        <button type="button" className="primary-cell" onClick={() => setOpen(r)}>
          {r.metadata.name}
        </button>
      ),
    },
    ...(described ? [{ id: 'about', header: t('access.about'), cell: (r: Role) => <span className="second">{r.metadata.annotations?.['drun.io/description'] ?? '–'}</span>, rank: 2, width: 'wide' } as const] : []),
    { id: 'rules', header: t('access.rules'), cell: (r) => f.number(r.rules?.length ?? 0), align: 'right' },
    { id: 'uses', header: t('access.bindings'), sort: uses, cell: (r) => f.number(uses(r)), align: 'right' },
  ];
  return (
    <>
      <AccessHeader text={t('access.rolesText')} />
      <Panel flush>
        {query.error && !query.data ? (
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Table caption={t('access.roles')} columns={columns} rows={query.data} rowKey={(r) => r.metadata.name} words={words} onRow={setOpen} empty={<Empty icon={Shield} title={t('access.noRoles')} />} />
        )}
      </Panel>
      <Drawer open={open !== null} onClose={() => setOpen(null)} eyebrow={t('access.role')} title={open?.metadata.name ?? ''}>
        {open?.metadata.annotations?.['drun.io/description'] && <p className="second">{open.metadata.annotations['drun.io/description']}</p>}
        <p className="muted small">{tn('access.ruleCount', open?.rules?.length ?? 0)}</p>
        <Rules rules={open?.rules ?? []} />
      </Drawer>
    </>
  );
}
