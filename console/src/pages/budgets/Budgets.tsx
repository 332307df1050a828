// SPDX-License-Identifier: Apache-2.0
// LimitPolicies: how much of the models a namespace, a user or a key may use, and what is used of it now.
import { Ellipsis, Pencil, Plus, Trash2, WalletMinimal } from 'lucide-react';
import { useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { limitPolicies, remove } from '../../api/kube';
import type { BudgetRule, LimitPolicy } from '../../api/types';
import { useI18n } from '../../i18n';
import { useNamespace } from '../../lib/namespace';
import { Button, IconButton } from '../../ui/Button';
import { Confirm } from '../../ui/Dialog';
import { Menu, MenuItem, MenuRule } from '../../ui/Menu';
import { Empty, ErrorView, Skeleton } from '../../ui/Notice';
import { PageHeader, Panel } from '../../ui/Page';
import { toast } from '../../ui/Toast';
import './budgets.css';
import { EditBudget } from './EditBudget';
import { isCounted, isKnown, MEASURES, others, OWNERS, SPANS, spanOf } from './rules';
import { type Use, useCalls, usedOf } from './use';

const NEAR = 0.8;

function RuleUse({ rule, use }: { rule: BudgetRule; use: Use | null }) {
  const { t, f } = useI18n();
  const share = use ? Math.min(1, use.used / rule.limit) : 0;
  const tone = share >= 1 ? ' use-full' : share >= NEAR ? ' use-near' : '';
  const amount = t('budgets.limit', { amount: f.number(rule.limit), measure: isKnown(MEASURES, rule.measure) ? t(`budgets.${rule.measure}`) : String(rule.measure), window: isKnown(SPANS, spanOf(rule)) ? t(`budgets.a-${spanOf(rule)}` as 'budgets.a-minute') : String(rule.window) });
  return (
    <li className="use">
      <div>
        <p className="strong break">{amount}</p>
        <p className="muted small">
          <span className="mono">{rule.name}</span> · {isKnown(OWNERS, rule.per ?? 'namespace') ? t(`budgets.of-${rule.per ?? 'namespace'}`) : rule.per}
          {others(rule).map((text) => (
            <span key={text} className="mono break"> · {text}</span>
          ))}
        </p>
      </div>
      {use && (
        <div className="stack-s">
          <progress className={`use-bar${tone}`} max={1} value={share} aria-label={t('budgets.used', { name: rule.name })} />
          <p className="muted small num">
            {t(use.atLeast ? 'budgets.usedAtLeast' : 'budgets.usedOf', { used: f.number(use.used), limit: f.number(rule.limit) })}
            {use.who && ` · ${t('budgets.most', { who: use.who })}`}
          </p>
        </div>
      )}
    </li>
  );
}

/** The policies of one namespace: their use is counted together. */
function NamespaceBudgets({ namespace, policies, onEdit, onDelete }: { namespace: string; policies: LimitPolicy[]; onEdit: (policy: LimitPolicy) => void; onDelete: (policy: LimitPolicy) => void }) {
  const { t } = useI18n();
  const calls = useCalls(namespace, policies);
  const now = Date.now();
  return policies.map((policy) => (
    <Panel
      key={policy.metadata.name}
      flush
      title={policy.metadata.name}
      text={`${namespace} · ${policy.spec.modelService ?? t('budgets.allModels')}`}
      actions={
        <Menu trigger={<IconButton label={t('common.actionsFor', { name: policy.metadata.name })} icon={Ellipsis} />}>
          <MenuItem icon={Pencil} onClick={() => onEdit(policy)}>
            {t('common.edit')}
          </MenuItem>
          <MenuRule />
          <MenuItem icon={Trash2} danger onClick={() => onDelete(policy)}>
            {t('common.delete')}
          </MenuItem>
        </Menu>
      }
    >
      <ul>
        {policy.spec.rules.map((rule) => (
          <RuleUse key={rule.name} rule={rule} use={calls.data && isCounted(rule) ? usedOf(rule, policy, calls.data, now) : null} />
        ))}
      </ul>
    </Panel>
  ));
}

export default function Budgets() {
  const { t } = useI18n();
  const namespace = useNamespace();
  const query = useList(limitPolicies, namespace, 30_000);
  const refresh = useRefresh();
  const [creating, setCreating] = useState(false);
  const [editing, setEditing] = useState<LimitPolicy | null>(null);
  const [deleting, setDeleting] = useState<LimitPolicy | null>(null);
  const byNamespace = new Map<string, LimitPolicy[]>();
  for (const policy of query.data ?? []) {
    const space = policy.metadata.namespace ?? '';
    byNamespace.set(space, [...(byNamespace.get(space) ?? []), policy]);
  }
  const createButton = (
    <Button variant="primary" icon={Plus} onClick={() => setCreating(true)}>
      {t('budgets.create')}
    </Button>
  );
  return (
    <>
      <PageHeader title={t('nav.budgets')} text={t('budgets.text')} actions={createButton} />
      {query.error && !query.data ? (
        <Panel>
          <ErrorView error={query.error} onRetry={() => void query.refetch()} />
        </Panel>
      ) : !query.data ? (
        <Panel flush>
          <Skeleton lines={5} />
        </Panel>
      ) : query.data.length === 0 ? (
        <Panel>
          <Empty icon={WalletMinimal} title={t('budgets.empty')} action={createButton}>
            {t('budgets.emptyHelp')}
          </Empty>
        </Panel>
      ) : (
        [...byNamespace].sort().map(([space, policies]) => <NamespaceBudgets key={space} namespace={space} policies={policies} onEdit={setEditing} onDelete={setDeleting} />)
      )}
      {creating && <EditBudget onClose={() => setCreating(false)} />}
      {editing && <EditBudget policy={editing} onClose={() => setEditing(null)} />}
      <Confirm
        open={deleting !== null}
        onClose={() => setDeleting(null)}
        title={t('budgets.deleteTitle', { name: deleting?.metadata.name ?? '' })}
        text={t('budgets.deleteText')}
        action={t('common.delete')}
        onConfirm={async () => {
          if (!deleting) return;
          await remove(limitPolicies, deleting.metadata.name, deleting.metadata.namespace);
          toast(t('budgets.deleted', { name: deleting.metadata.name }));
          await refresh(limitPolicies);
        }}
      />
    </>
  );
}
