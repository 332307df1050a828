// SPDX-License-Identifier: Apache-2.0
// Two questions: who may do this, by roles and bindings; and what may I do, by the server's own answer.
import { useQuery } from '@tanstack/react-query';
import { Check, Minus, UserX } from 'lucide-react';
import { useState } from 'react';
import { useList } from '../../api/hooks';
import { clusterRoleBindings, clusterRoles, myRules, namespaces, roleBindings, roles as localRoles } from '../../api/kube';
import { useI18n } from '../../i18n';
import { useNamespace } from '../../lib/namespace';
import { type Grantee, ruleAllows, whoCan } from '../../lib/rbac';
import { RESOURCES, VERBS } from '../../lib/resources';
import { SelectField } from '../../ui/Field';
import { Empty, ErrorView, Notice, Skeleton } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { type Column, Scroller, Table } from '../../ui/Table';
import { AccessHeader } from './AccessHeader';
import './access.css';
import { subjectName } from './Bindings';

/** All roles and bindings that the caller may see. */
function useGrants() {
  const roles = useList(clusterRoles);
  const everywhere = useList(clusterRoleBindings);
  const local = useList(roleBindings);
  const own = useList(localRoles);
  const ready = roles.data && everywhere.data && local.data && !own.isPending;
  return {
    error: roles.error ?? everywhere.error ?? local.error,
    grants: ready ? { roles: [...roles.data, ...(own.data ?? [])], bindings: [...everywhere.data, ...local.data] } : undefined,
  };
}

function WhoCanPanel({ namespace, setNamespace, error, grants }: { namespace: string; setNamespace: (next: string) => void } & ReturnType<typeof useGrants>) {
  const { t, tn } = useI18n();
  const spaces = useList(namespaces);
  const [verb, setVerb] = useState('invoke');
  const [resource, setResource] = useState('models');
  const entry = RESOURCES.find((each) => each.resource === resource) ?? { resource, group: '', verbs: VERBS };
  const asked = entry.verbs.includes(verb) ? verb : (entry.verbs[0] ?? 'get');
  const found = grants && whoCan({ verb: asked, resource, group: entry.group, namespace }, grants.roles, grants.bindings);
  const columns: Column<Grantee>[] = [
    {
      id: 'who',
      header: t('access.subject'),
      sort: (g) => subjectName(g.subject),
      cell: (g) => (
        <>
          <span className="strong">{subjectName(g.subject)}</span> <span className="muted small">{t(`access.kind${g.subject.kind}`)}</span>
        </>
      ),
    },
    { id: 'role', header: t('access.through'), sort: (g) => g.role, cell: (g) => <span className="mono">{g.role}</span> },
    { id: 'scope', header: t('access.scope'), cell: (g) => g.namespace || <Badge tone="warn">{t('access.platform')}</Badge> },
    { id: 'names', header: t('access.only'), cell: (g) => (g.names.length > 0 ? <span className="mono small">{g.names.join(', ')}</span> : <span className="muted">{t('access.all')}</span>), rank: 2 },
  ];
  const choice = (value: string) => ({ value, label: value });
  return (
    <Panel title={t('access.whoCan')} flush>
      <div className="answer-line toolbar">
        <SelectField label={t('access.verb')} choices={entry.verbs.map(choice)} value={asked} onChange={(event) => setVerb(event.target.value)} />
        <SelectField label={t('access.resource')} choices={RESOURCES.map((each) => choice(each.resource))} value={resource} onChange={(event) => setResource(event.target.value)} />
        <SelectField label={t('common.namespace')} value={namespace} onChange={(event) => setNamespace(event.target.value)} choices={[{ value: '', label: t('access.everywhere') }, ...(spaces.data ?? []).map((ns) => choice(ns.metadata.name))]} />
        <p className="muted small" role="status">
          {found && tn('access.found', found.length)}
        </p>
      </div>
      {error && !grants ? (
        <ErrorView error={error} />
      ) : (
        <Table caption={t('access.whoCan')} columns={columns} rows={found} rowKey={(g) => `${g.namespace}/${g.binding}/${subjectName(g.subject)}`} loadingRows={1} empty={<Empty icon={UserX} title={t('access.nobody')} />} />
      )}
    </Panel>
  );
}

export function MyRights({ namespace }: { namespace: string }) {
  const { t } = useI18n();
  const query = useQuery({ queryKey: ['my-rules', namespace], queryFn: ({ signal }) => myRules(namespace || 'default', signal) });
  if (query.error) return <ErrorView error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton lines={8} />;
  const allowed = (resource: string, group: string, verb: string) => query.data.resourceRules.some((rule) => ruleAllows(rule, { verb, resource, group }));
  return (
    <>
      <Scroller label={t('access.myRights')}>
        <table className="matrix">
          <caption className="sr-only">{t('access.myRights')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('access.resource')}</th>
              {VERBS.map((verb) => (
                <th key={verb} scope="col" className="mono">
                  {verb}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {RESOURCES.map(({ resource, group, verbs }) => (
              <tr key={resource}>
                <th scope="row" className="mono">
                  {resource}
                </th>
                {VERBS.map((verb) => (
                  <td key={verb}>
                    {verbs.includes(verb) &&
                      (allowed(resource, group, verb) ? (
                        <>
                          <Check className="icon mark-good" aria-hidden="true" />
                          <span className="sr-only">{t('access.yes')}</span>
                        </>
                      ) : (
                        <>
                          <Minus className="icon matrix-no" aria-hidden="true" />
                          <span className="sr-only">{t('access.no')}</span>
                        </>
                      ))}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroller>
      {query.data.incomplete && <Notice tone="warn">{t('access.incomplete')}</Notice>}
    </>
  );
}

export default function WhoCan() {
  const { t } = useI18n();
  const [namespace, setNamespace] = useState(useNamespace());
  const { error, grants } = useGrants();
  return (
    <>
      <AccessHeader text={t('access.whoCanText')} />
      <WhoCanPanel namespace={namespace} setNamespace={setNamespace} error={error} grants={grants} />
      {/* Not before what is above it has its size. */}
      {(grants ?? error) && (
        <Panel title={t('access.myRights')} text={t('access.myRightsText', { namespace: namespace || 'default' })} flush>
          <MyRights namespace={namespace} />
        </Panel>
      )}
    </>
  );
}
