// SPDX-License-Identifier: Apache-2.0
// Which rules there are, what the policies make of them, and whether that is in force.
import { Ellipsis, Pencil, Plus, ScrollText, SlidersHorizontal, Trash2 } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { remove, type Resource } from '../../api/kube';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { Menu, MenuItem, MenuRule } from '../../ui/Menu';
import { Empty, ErrorView } from '../../ui/Notice';
import { Panel } from '../../ui/Page';
import { Badge } from '../../ui/Status';
import { type Column, Table } from '../../ui/Table';
import { Ago } from '../../ui/Time';
import { toast } from '../../ui/Toast';
import { EditPolicy } from './EditPolicy';
import { EditRuleSet } from './EditRuleSet';
import { wafPolicies, type WafPolicy, wafRuleSets, type WafRuleSet } from './kinds';
import { ProtectionHeader } from './ProtectionHeader';

const POLL_MS = 4000;
type Ruled = WafPolicy | WafRuleSet;

function State({ object }: { object: Ruled }) {
  const { t } = useI18n();
  const phase = object.status?.phase;
  if (phase === 'InForce') return <Badge tone="good">{t('waf.phase-InForce')}</Badge>;
  if (phase === 'Failed') return <Badge tone="bad">{t('waf.phase-Failed')}</Badge>;
  return <Badge tone="warn">{t('waf.phase-Pending')}</Badge>;
}

/** What the server says of one that is not in force: an error has file, line and column. */
function Why({ object }: { object: Ruled }) {
  const message = object.status?.phase === 'InForce' ? '' : object.status?.conditions?.[0]?.message;
  return message ? <p className={`small break ${object.status?.phase === 'Failed' ? 'mono why-bad' : 'muted'}`}>{message}</p> : null;
}

const since = (object: Ruled) => object.status?.conditions?.[0]?.lastTransitionTime;

function Actions({ name, onEdit, onDelete }: { name: string; onEdit: () => void; onDelete: () => void }) {
  const { t } = useI18n();
  return (
    <Menu trigger={<IconButton label={t('common.actionsFor', { name })} icon={Ellipsis} />}>
      <MenuItem icon={Pencil} onClick={onEdit}>
        {t('common.edit')}
      </MenuItem>
      <MenuRule />
      <MenuItem icon={Trash2} danger onClick={onDelete}>
        {t('common.delete')}
      </MenuItem>
    </Menu>
  );
}

function Reach({ policy }: { policy: WafPolicy }) {
  const { t } = useI18n();
  const { paths = [], namespaces = [], modelServices = [] } = policy.spec.match ?? {};
  const all = [...modelServices, ...namespaces, ...paths];
  return all.length === 0 ? <span>{t('waf.reach-all')}</span> : <span className="mono small break">{all.join(', ')}</span>;
}

export default function Rules() {
  const { t } = useI18n();
  const refresh = useRefresh();
  const policies = useList(wafPolicies, '', POLL_MS);
  const sets = useList(wafRuleSets, '', POLL_MS);
  const [policy, setPolicy] = useState<WafPolicy | 'new' | null>(null);
  const [set, setSet] = useState<WafRuleSet | 'new' | null>(null);
  const [deleting, setDeleting] = useState<Ruled | null>(null);
  const name = (object: Ruled, open: () => void): ReactNode => (
    <>
      <button type="button" className="primary-cell" onClick={open}>
        {object.metadata.name}
      </button>
      <Why object={object} />
    </>
  );
  const policyColumns: Column<WafPolicy>[] = [
    { id: 'name', header: t('waf.policy'), cell: (one) => name(one, () => setPolicy(one)), sort: (one) => one.metadata.name },
    { id: 'for', header: t('waf.for'), cell: (one) => <Reach policy={one} />, rank: 2 },
    { id: 'mode', header: t('waf.mode'), cell: (one) => (one.spec.mode ? t(`waf.mode-${one.spec.mode}`) : '–') },
    { id: 'level', header: t('waf.paranoia'), cell: (one) => one.spec.paranoiaLevel ?? '–', align: 'right', rank: 3 },
    { id: 'threshold', header: t('waf.threshold'), cell: (one) => one.spec.inboundThreshold ?? '–', align: 'right', rank: 3 },
    { id: 'exclusions', header: t('waf.exclusions'), cell: (one) => one.spec.exclusions?.length ?? 0, align: 'right', rank: 2 },
    { id: 'since', header: t('waf.since'), cell: (one) => <Ago at={since(one)} />, rank: 3 },
    { id: 'state', header: t('common.state'), cell: (one) => <State object={one} />, width: 'tight' },
    { id: 'actions', header: t('common.actions'), hideHeader: true, cell: (one) => <Actions name={one.metadata.name} onEdit={() => setPolicy(one)} onDelete={() => setDeleting(one)} />, width: 'tight' },
  ];
  const setColumns: Column<WafRuleSet>[] = [
    { id: 'name', header: t('waf.ruleSet'), cell: (one) => name(one, () => setSet(one)), sort: (one) => one.metadata.name },
    { id: 'files', header: t('waf.files'), cell: (one) => <span className="mono small break">{one.spec.files?.join(', ') || t('waf.ownRules')}</span>, rank: 2 },
    { id: 'since', header: t('waf.since'), cell: (one) => <Ago at={since(one)} />, rank: 3 },
    { id: 'state', header: t('common.state'), cell: (one) => <State object={one} />, width: 'tight' },
    { id: 'actions', header: t('common.actions'), hideHeader: true, cell: (one) => <Actions name={one.metadata.name} onEdit={() => setSet(one)} onDelete={() => setDeleting(one)} />, width: 'tight' },
  ];
  const inForce = sets.data?.find((one) => one.status?.rules)?.status?.rules;
  const isSet = (object: Ruled): object is WafRuleSet => object.kind === 'WafRuleSet';
  return (
    <>
      <ProtectionHeader text={t('waf.rulesText')} />
      <Panel
        flush
        title={t('waf.policies')}
        text={t('waf.policiesText')}
        actions={
          <Button icon={Plus} onClick={() => setPolicy('new')}>
            {t('waf.newPolicy')}
          </Button>
        }
      >
        <div className="roomy">
          {policies.error && !policies.data ? (
            <ErrorView error={policies.error} onRetry={() => void policies.refetch()} />
          ) : (
            <Table caption={t('waf.policies')} columns={policyColumns} rows={policies.data} rowKey={(one) => one.metadata.name} onRow={setPolicy} loadingRows={2} empty={<Empty icon={SlidersHorizontal} title={t('waf.noPolicies')} />} />
          )}
        </div>
      </Panel>
      <Panel
        flush
        title={t('waf.ruleSets')}
        text={inForce ? t('waf.rulesInForce', { n: inForce }) : t('waf.noRulesYet')}
        actions={
          <Button icon={Plus} onClick={() => setSet('new')}>
            {t('waf.newRuleSet')}
          </Button>
        }
      >
        {sets.error && !sets.data ? (
          <ErrorView error={sets.error} onRetry={() => void sets.refetch()} />
        ) : (
          <Table caption={t('waf.ruleSets')} columns={setColumns} rows={sets.data} rowKey={(one) => one.metadata.name} onRow={setSet} loadingRows={1} empty={<Empty icon={ScrollText} title={t('waf.noRuleSets')} />} />
        )}
      </Panel>
      {policy && <EditPolicy policy={policy === 'new' ? undefined : policy} onClose={() => setPolicy(null)} />}
      {set && <EditRuleSet set={set === 'new' ? undefined : set} onClose={() => setSet(null)} />}
      <Confirm
        open={deleting !== null}
        onClose={() => setDeleting(null)}
        title={t('waf.deleteTitle', { name: deleting?.metadata.name ?? '' })}
        text={t(deleting && isSet(deleting) ? 'waf.deleteSetText' : 'waf.deletePolicyText')}
        action={t('common.delete')}
        onConfirm={async () => {
          if (!deleting) return;
          const kind = (isSet(deleting) ? wafRuleSets : wafPolicies) as Resource<unknown>;
          await remove(kind, deleting.metadata.name);
          toast(t('waf.deleted', { name: deleting.metadata.name }));
          await refresh(kind);
        }}
      />
    </>
  );
}
